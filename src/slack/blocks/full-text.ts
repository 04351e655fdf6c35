/** What a builder had to cut, kept beside the block so that the whole can go to a file in the thread. */
const kept = new WeakMap<object, string>();

export function rememberFullText<T extends object>(block: T, full: string): T {
  kept.set(block, full);
  return block;
}

/** null: nothing was cut from this block. */
export function fullTextOf(block: object): string | null {
  return kept.get(block) ?? null;
}

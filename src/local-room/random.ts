/** Seeded randomness: the same seed gives the same ids and the same choice of connections. */
export interface Random {
  /** 0 ≤ n < 1 */
  next(): number;
  below(limit: number): number;
  hex(length: number): string;
  /** Upper-case letters and digits, as in Slack's ids. */
  id(prefix: string): string;
  uuid(): string;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32: 32 bits of state are enough for ids that only need to differ within one room.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = (alphabet: string, length: number) =>
    Array.from({ length }, () => alphabet.charAt(below(alphabet.length))).join("");
  const hex = (length: number) => pick("0123456789abcdef", length);
  return {
    next,
    below,
    hex,
    id: (prefix) => prefix + pick("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", 10),
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${pick("89ab", 1)}${hex(3)}-${hex(12)}`,
  };
}

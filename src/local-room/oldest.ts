/** Bounds a map that only grows: the entries that came first go. */
export function forgetOldest<K>(map: Map<K, unknown>, keep: number): void {
  for (const key of map.keys()) {
    if (map.size <= keep) return;
    map.delete(key);
  }
}

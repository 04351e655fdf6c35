import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Frozen } from "./card.ts";

const folder = join(import.meta.dirname, "snapshots");

/** Snapshots are recordings of the lab: the raw readings of one run, redacted, with the truth beside them. */
export function freeze(frozen: Frozen): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, `${frozen.card}.${frozen.variant}.json.gz`),
    gzipSync(JSON.stringify(frozen), { level: 9 }),
  );
}

export function thaw(): Frozen[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json.gz"))
    .sort()
    .map((name) => JSON.parse(gunzipSync(readFileSync(join(folder, name))).toString("utf8")) as Frozen);
}

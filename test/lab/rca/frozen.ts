import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Frozen } from "./card.ts";
import { withoutStrangers } from "./strangers.ts";

const projectRoot = join(import.meta.dirname, "../../..");
const folder = join(import.meta.dirname, "snapshots");

/** Snapshots are recordings of the lab: the raw readings of one run, redacted, with the truth beside them. */
export function freeze(frozen: Frozen): void {
  mkdirSync(folder, { recursive: true });
  const kept = JSON.stringify({ ...frozen, readings: withoutStrangers(frozen.readings) });
  writeFileSync(
    join(folder, `${frozen.card}.${frozen.variant}.json.gz`),
    // The lab's own processes stand in the host's list, with the folder this project lies in.
    gzipSync(kept.replaceAll(projectRoot, "/srv/room137"), { level: 9 }),
  );
}

export function thaw(): Frozen[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json.gz"))
    .sort()
    .map((name) => JSON.parse(gunzipSync(readFileSync(join(folder, name))).toString("utf8")) as Frozen);
}

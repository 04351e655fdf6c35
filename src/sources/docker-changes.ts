import type { SourceValues } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import { list, number, object, text } from "./json.ts";
import { type EvidenceSource, readJson } from "./reading.ts";

/** Files that differ from the image. Empty when none do. */
export const dockerChanges: EvidenceSource<"docker-changes"> = {
  name: "docker-changes",
  read: (reader, planned, context) =>
    readJson(reader, planned, { read: "changes", id: planned.containerId ?? "" }, context, parseChanges),
};

const kinds = ["modified", "added", "deleted"] as const;

/** The engine answers `null` when nothing changed. The number of paths is bounded. */
export function parseChanges(masked: unknown): SourceValues["docker-changes"] | null {
  const changes = list(masked)
    .slice(0, limits.changedPaths)
    .map(object)
    .map((change) => ({ path: text(change["Path"]), kind: kinds[number(change["Kind"]) ?? 0] ?? "modified" }));
  return changes.length === 0 ? null : changes;
}

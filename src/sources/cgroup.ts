import { limits } from "../core/limits.ts";
import type { CgroupFacts } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { HostReader } from "../ports.ts";
import { cgroupFilePaths, parseCgroup } from "./cgroup-files.ts";
import { hashedFiles, type ReadFiles, readFiles } from "./files.ts";
import { type EvidenceSource, parsedFrom, type ReadContext, toReading } from "./reading.ts";

type Wanted = PlannedRead<"cgroup">["args"]["containers"][number];
type Place = { version: 1 | 2; path: string };

/**
 * The control groups of many containers. The path is guessed from the engine's driver and read in the same command as
 * the truth (`/proc/<pid>/cgroup`); only a wrong guess costs a second command.
 */
export const cgroup: EvidenceSource<"cgroup"> = {
  name: "cgroup",
  async read(reader, planned, context) {
    const perCommand = Math.floor(limits.filesPerCommand / filesPerContainer);
    const groups: Wanted[][] = [];
    for (let at = 0; at < planned.args.containers.length; at += perCommand) {
      groups.push(planned.args.containers.slice(at, at + perCommand));
    }
    const readings = await Promise.all(groups.map((group) => readGroup(reader, planned, group, context)));
    return readings.flat();
  },
};

const filesPerContainer = 20;

async function readGroup(reader: HostReader, planned: PlannedRead<"cgroup">, group: Wanted[], context: ReadContext) {
  const guesses = new Map(group.map((wanted) => [wanted, guess(wanted, planned.args)]));
  const first = await readFiles(
    reader,
    group.flatMap((wanted) => firstPaths(wanted, guesses.get(wanted) ?? null)),
    context,
  );
  const places = new Map(group.map((wanted) => [wanted, placeOf(wanted, first.files, guesses.get(wanted) ?? null)]));
  const missed = [...places.values()].filter((place): place is Place => place !== null && !wasRead(place, first.files));
  const second = missed.length === 0 ? null : await readFiles(reader, missed.flatMap(pathsOf), context);
  const files = new Map([...first.files, ...(second?.files ?? [])]);
  return group.map((wanted) => readingOf(wanted, planned, places.get(wanted) ?? null, files, second ?? first, context));
}

function readingOf(
  wanted: Wanted,
  planned: PlannedRead<"cgroup">,
  place: Place | null,
  files: ReadonlyMap<string, string>,
  answer: ReadFiles,
  context: ReadContext,
) {
  const read = place === null ? answer.read : `head ${pathsOf(place)[0]} and the files beside it`;
  const about = { source: planned.source, host: planned.host, containerId: wanted.containerId, read };
  // A group ends with its container, so a container that does not run has none.
  if (wanted.pid === null) return toReading(about, { status: "empty", hashed: "" }, context);
  if (answer.failure !== null && files.size === 0)
    return toReading(about, { status: "failed", ...answer.failure }, context);
  if (place === null || !wasRead(place, files)) {
    const reason = "its control group is gone or not visible";
    return toReading(about, { status: "failed", code: "not-found", reason, fix: null }, context);
  }
  const own = new Map(
    pathsOf(place).flatMap((path) => (files.has(path) ? [[path, files.get(path) ?? ""] as const] : [])),
  );
  return toReading(
    about,
    parsedFrom(hashedFiles(own), (): CgroupFacts => parseCgroup(place, own)),
    context,
  );
}

/** Where the engine puts the group by default (docker docs, "Runtime metrics"); null when that is not known. */
function guess(wanted: Wanted, args: PlannedRead<"cgroup">["args"]): Place | null {
  if (args.version === null || args.driver === null || args.driver === "none" || wanted.cgroupParent !== "")
    return null;
  const path =
    args.driver === "systemd" ? `/system.slice/docker-${wanted.containerId}.scope` : `/docker/${wanted.containerId}`;
  return { version: args.version, path };
}

function firstPaths(wanted: Wanted, guessed: Place | null): string[] {
  if (wanted.pid === null) return [];
  return [membershipPath(wanted.pid), ...(guessed === null ? [] : pathsOf(guessed))];
}

function membershipPath(pid: number): string {
  return `/proc/${pid}/cgroup`;
}

/** The truth where `/proc/<pid>/cgroup` could be read, otherwise the guess. */
function placeOf(wanted: Wanted, files: ReadonlyMap<string, string>, guessed: Place | null): Place | null {
  if (wanted.pid === null) return null;
  const place = parseMembership(files.get(membershipPath(wanted.pid)) ?? "");
  if (place === null || !place.path.includes(wanted.containerId)) return guessed;
  return { ...place, path: upTo(place.path, wanted.containerId) };
}

/** The limits are the container's, also where its processes sit in a group below: Podman's `container`, systemd's `init.scope`. */
function upTo(path: string, containerId: string): string {
  const end = path.indexOf("/", path.indexOf(containerId));
  return end === -1 ? path : path.slice(0, end);
}

/**
 * `4:memory:/docker/<id>` on version 1, `0::/system.slice/docker-<id>.scope` on version 2; on a mixed host the memory
 * controller decides. A path with `..` lies outside of the reader's own namespace, one with odd characters is not read.
 */
export function parseMembership(text: string): Place | null {
  let unified: string | null = null;
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(\/[A-Za-z0-9_.:@\\/-]*)$/.exec(line);
    const path = match?.[2];
    if (match === null || path === undefined || /(^|\/)\.\.(\/|$)/.test(path)) continue;
    if (match[1]?.split(",").includes("memory")) return { version: 1, path };
    if (match[1] === "") unified = path;
  }
  return unified === null ? null : { version: 2, path: unified };
}

function pathsOf(place: Place): string[] {
  return Object.values(cgroupFilePaths(place));
}

function wasRead(place: Place, files: ReadonlyMap<string, string>): boolean {
  return pathsOf(place).some((path) => files.has(path));
}

import type { KernelClock, OomKill, OomTask } from "../../core/kernel-log.ts";
import { distanceMs, type Stamp } from "./clock.ts";
import { finishGroup } from "./finish.ts";
import { mergeKills } from "./merge.ts";
import type { OomMessage } from "./oom-message.ts";

type Of<K extends OomMessage["kind"]> = Extract<OomMessage, { kind: K }>;

/** Where a piece of a record stood: its order in the text, its clock, and the CPU or thread that printed it. */
export type Place = { index: number; stamp: Stamp; caller: string | null; prefixed: boolean };
export type Placed<T> = Place & T;
export type Table = { tasks: OomTask[] };

/** Everything said about one process, so far. */
export type Victim = Place & {
  pid: number;
  summary: Placed<Of<"summary">> | null;
  choice: Placed<Of<"choice">> | null;
  killed: Placed<Of<"killed">> | null;
  /** Set for a process that died because its whole cgroup was killed: that cgroup, and who was killed first. */
  group: { cgroup: string; first: Victim | null } | null;
};

/**
 * Pieces that may belong together: usually one record, several where two CPUs printed at the same time. Which piece
 * belongs to which victim is decided when the group is complete, because only then is it known how many records it
 * holds.
 */
export type RecordGroup = {
  invoked: Placed<Of<"invoked">>[];
  taskIn: Placed<Of<"task-in">>[];
  usage: Record<Of<"usage">["counter"], Placed<Of<"usage">>[]>;
  tables: Placed<Table>[];
  machine: Record<Of<"machine">["figure"], Placed<Of<"machine">>[]>;
  victims: Victim[];
};

export type Collector = {
  add(message: OomMessage, place: Place): void;
  /** Rows of the table whose header came last. */
  addTask(task: OomTask): void;
  /** The reaper only takes processes that were killed. */
  confirm(pid: number): void;
  finish(): { kills: OomKill[]; truncated: boolean };
};

/** Pieces further apart than this belong to different records. A dump on a slow console takes seconds. */
const RECORD_GAP_MS = 60_000;

/** Puts the lines of OOM records together into kills. Takes them in the order of the text. */
export function collectRecords(clock: KernelClock): Collector {
  const kills: OomKill[] = [];
  let truncated = false;
  let seen = false;
  let group = emptyGroup();
  let byPid = new Map<number, Victim>();
  let last: Stamp | null = null;
  let marker: Victim["group"] = null;

  function close(): void {
    const finished = finishGroup(group, clock);
    // A search for a victim was begun but none is named, or one was chosen but its end is not told.
    if (group.invoked.length > finished.length || finished.some((kill) => !kill.confirmed)) truncated = true;
    for (const kill of finished) kills.push(kill);
    group = emptyGroup();
    byPid = new Map();
    marker = null;
  }

  function victimOf(message: Of<"summary" | "choice" | "killed">, place: Place): Victim {
    const known = byPid.get(message.pid);
    if (known !== undefined) return known;
    const victim: Victim = { ...place, pid: message.pid, summary: null, choice: null, killed: null, group: null };
    if (message.kind === "killed") victim.group = marker;
    else marker = null;
    group.victims.push(victim);
    byPid.set(message.pid, victim);
    return victim;
  }

  function place(message: OomMessage, at: Place): void {
    switch (message.kind) {
      case "invoked":
        marker = null;
        group.invoked.push({ ...at, ...message });
        return;
      case "task-in":
        group.taskIn.push({ ...at, ...message });
        return;
      case "usage":
        group.usage[message.counter].push({ ...at, ...message });
        return;
      case "table":
        group.tables.push({ ...at, tasks: [] });
        return;
      case "machine":
        group.machine[message.figure].push({ ...at, ...message });
        return;
      case "summary":
        victimOf(message, at).summary ??= { ...at, ...message };
        return;
      case "choice":
        victimOf(message, at).choice ??= { ...at, ...message };
        return;
      case "killed":
        victimOf(message, at).killed ??= { ...at, ...message };
        return;
      case "group":
        marker = { cgroup: message.cgroup, first: group.victims.findLast((victim) => victim.group === null) ?? null };
        return;
    }
  }

  return {
    add(message, at) {
      if (startsAnew(group, byPid, message, at, last)) close();
      if (!seen && DUMP_PIECES.has(message.kind)) truncated = true;
      seen = true;
      last = at.stamp;
      place(message, at);
    },
    addTask(task) {
      group.tables.at(-1)?.tasks.push(task);
    },
    confirm(pid) {
      const victim = byPid.get(pid);
      const shown = victim?.choice ?? victim?.summary;
      if (victim === undefined || victim.killed !== null || shown === undefined || shown === null) return;
      const figures = {
        totalVmKb: null,
        anonRssKb: null,
        fileRssKb: null,
        shmemRssKb: null,
        uid: null,
        oomScoreAdj: null,
      };
      victim.killed = { ...shown, kind: "killed", figures, bareClaim: false };
    },
    finish() {
      close();
      return { kills: mergeKills(kills), truncated };
    },
  };
}

const DUMP_PIECES = new Set<OomMessage["kind"]>(["usage", "table", "machine", "group"]);

function emptyGroup(): RecordGroup {
  return {
    invoked: [],
    taskIn: [],
    usage: { memory: [], memorySwap: [], swap: [] },
    tables: [],
    machine: { ramPages: [], totalSwapKb: [], freeSwapKb: [] },
    victims: [],
  };
}

/** Whether a piece begins another record: everything before it is told to the end, or is long ago. */
function startsAnew(
  group: RecordGroup,
  byPid: ReadonlyMap<number, Victim>,
  message: OomMessage,
  at: Place,
  last: Stamp | null,
): boolean {
  if (last !== null && (distanceMs(last, at.stamp) ?? 0) > RECORD_GAP_MS) return true;
  if (message.kind === "killed" || message.kind === "group") return false;
  if ((message.kind === "summary" || message.kind === "choice") && byPid.has(message.pid)) return false;
  if (group.victims.length === 0 || group.invoked.length > group.victims.length) return false;
  return group.victims.every((victim) => victim.killed !== null);
}

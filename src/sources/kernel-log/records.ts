import type { KernelClock, OomKill, OomTask } from "../../core/kernel-log.ts";
import { distanceMs, type Stamp } from "./clock.ts";
import { finishGroup } from "./finish.ts";
import { mergeKills } from "./merge.ts";
import type { KilledFigures, OomMessage } from "./oom-message.ts";

type Of<K extends OomMessage["kind"]> = Extract<OomMessage, { kind: K }>;

/** Where a piece of a record stood: its order in the text, its clock, and the CPU or thread that printed it. */
export type Place = {
  index: number;
  stamp: Stamp;
  caller: string | null;
  prefixed: boolean;
};
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

/** Puts the lines of OOM records together into kills. Takes them in the order of the text. */
export function collectRecords(clock: KernelClock): Collector {
  const state: State = { clock, kills: [], truncated: false, last: null, ...emptyGroup() };
  return {
    add(message, at) {
      if (state.last === null && DUMP_PIECES.has(message.kind)) state.truncated = true;
      if (startsAnew(state, message, at)) close(state);
      state.last = at.stamp;
      place(state, message, at);
    },
    addTask(task) {
      state.group.tables.at(-1)?.tasks.push(task);
    },
    confirm(pid) {
      const victim = state.byPid.get(pid);
      const shown = victim?.choice ?? victim?.summary ?? null;
      if (victim === undefined || shown === null) return;
      victim.killed ??= { ...shown, kind: "killed", figures: NO_FIGURES, bareClaim: false };
    },
    finish() {
      close(state);
      return { kills: mergeKills(state.kills), truncated: state.truncated };
    },
  };
}

type State = {
  clock: KernelClock;
  kills: OomKill[];
  truncated: boolean;
  /** Clock of the piece before; null before the first. */
  last: Stamp | null;
  group: RecordGroup;
  byPid: Map<number, Victim>;
  /** The cgroup that is being killed as a whole. */
  marker: Victim["group"];
};

function close(state: State): void {
  const finished = finishGroup(state.group, state.clock);
  // A search for a victim was begun but none is named, or one was chosen but its end is not told.
  if (state.group.invoked.length > finished.length || finished.some((kill) => !kill.confirmed)) state.truncated = true;
  for (const kill of finished) state.kills.push(kill);
  Object.assign(state, emptyGroup());
}

function place(state: State, message: OomMessage, at: Place): void {
  const { group } = state;
  switch (message.kind) {
    case "invoked":
      state.marker = null;
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
      victimOf(state, message, at).summary ??= { ...at, ...message };
      return;
    case "choice":
      victimOf(state, message, at).choice ??= { ...at, ...message };
      return;
    case "killed":
      victimOf(state, message, at).killed ??= { ...at, ...message };
      return;
    case "group":
      state.marker = { cgroup: message.cgroup, first: group.victims.findLast((one) => one.group === null) ?? null };
      return;
  }
}

function victimOf(state: State, message: Of<"summary" | "choice" | "killed">, at: Place): Victim {
  const known = state.byPid.get(message.pid);
  if (known !== undefined) return known;
  if (message.kind !== "killed") state.marker = null;
  const victim = { ...at, pid: message.pid, summary: null, choice: null, killed: null, group: state.marker };
  state.group.victims.push(victim);
  state.byPid.set(message.pid, victim);
  return victim;
}

/** Pieces further apart than this belong to different records. A dump on a slow console takes seconds. */
const RECORD_GAP_MS = 60_000;
const NO_FIGURES: KilledFigures = {
  totalVmKb: null,
  anonRssKb: null,
  fileRssKb: null,
  shmemRssKb: null,
  uid: null,
  oomScoreAdj: null,
};
const DUMP_PIECES = new Set<OomMessage["kind"]>(["usage", "table", "group"]);

function emptyGroup(): Pick<State, "group" | "byPid" | "marker"> {
  const group: RecordGroup = {
    invoked: [],
    taskIn: [],
    usage: { memory: [], memorySwap: [], swap: [] },
    tables: [],
    machine: { ramPages: [], totalSwapKb: [], freeSwapKb: [] },
    victims: [],
  };
  return { group, byPid: new Map(), marker: null };
}

/** Whether a piece begins another record: everything before it is told to the end, or is long ago. */
function startsAnew({ group, byPid, last }: State, message: OomMessage, at: Place): boolean {
  if (last !== null && (distanceMs(last, at.stamp) ?? 0) > RECORD_GAP_MS) return true;
  if (message.kind === "killed" || message.kind === "group") return false;
  if ((message.kind === "summary" || message.kind === "choice") && byPid.has(message.pid)) return false;
  if (group.victims.length === 0 || group.invoked.length > group.victims.length) return false;
  // The newest is the one most likely still open.
  return group.victims.findLast((victim) => victim.killed === null) === undefined;
}

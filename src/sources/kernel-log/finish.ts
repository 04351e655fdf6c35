import type { KernelClock, OomKill, OomScope } from "../../core/kernel-log.ts";
import { toEpochMs } from "./clock.ts";
import { containerIdOf } from "./container-id.ts";
import type { Place, RecordGroup, Victim } from "./records.ts";
import { largestTask, pageSizeKb } from "./task-table.ts";

/** The kills of one group of record pieces, each with the pieces that belong to it. */
export function finishGroup(group: RecordGroup, clock: KernelClock): OomKill[] {
  const heirs = sacrificedChildren(group.victims);
  const replaced = new Set(heirs.values());
  const deaths = group.victims
    .filter((victim) => !replaced.has(victim) && isClaim(victim, heirs))
    .map((victim) => ({
      victim,
      chosen: heirs.get(victim) ?? null,
      scope: scopeOf(victim, heirs.get(victim) ?? null),
    }));
  const pieces = assignPieces(group, deaths);
  return deaths.map((death) => ({
    ...identity(death, pieces.taskIn.get(death.victim) ?? null, clock),
    ...surroundings(death.victim, pieces, group),
  }));
}

/** `chosen` is the process that was to die and whose place this one took. */
type Death = { victim: Victim; chosen: Victim | null; scope: OomScope };
type Pieces = ReturnType<typeof assignPieces>;

function assignPieces(group: RecordGroup, deaths: readonly Death[]) {
  const all = deaths.map(({ victim }) => victim);
  const inGroup = deaths.filter(({ scope }) => scope === "memcg" || scope === "unknown").map(({ victim }) => victim);
  const onMachine = deaths.filter(({ scope }) => scope !== "memcg").map(({ victim }) => victim);
  return {
    invoked: assign(group.invoked, all),
    taskIn: assign(group.taskIn, inGroup),
    memory: assign(group.usage.memory, inGroup),
    memorySwap: assign(group.usage.memorySwap, inGroup),
    swap: assign(group.usage.swap, inGroup),
    table: assign(group.tables, all),
    ramPages: assign(group.machine.ramPages, onMachine),
    totalSwapKb: assign(group.machine.totalSwapKb, onMachine),
    freeSwapKb: assign(group.machine.freeSwapKb, onMachine),
  };
}

/** Who died, by whose limit, and when. */
function identity(death: Death, taskIn: RecordGroup["taskIn"][number] | null, clock: KernelClock) {
  const { victim, chosen } = death;
  const { killed } = victim;
  const source = victim.summary ?? chosen?.summary ?? null;
  const shown = (killed ?? victim.choice ?? victim.summary) as NonNullable<typeof killed | typeof source>;
  const scope = death.scope === "unknown" && taskIn !== null ? "memcg" : death.scope;
  const taskCgroup = source?.taskCgroup ?? victim.group?.cgroup ?? taskIn?.taskCgroup ?? null;
  const first = victim.group?.first?.summary ?? null;
  const limited = source?.limitedCgroup ?? first?.limitedCgroup ?? taskIn?.limitedCgroup ?? null;
  return {
    pid: victim.pid,
    process: shown.process,
    scope,
    containerId: containerIdOf(taskCgroup),
    limitedCgroup: scope === "memcg" ? limited : null,
    totalVmKb: killed?.figures.totalVmKb ?? null,
    anonRssKb: killed?.figures.anonRssKb ?? null,
    fileRssKb: killed?.figures.fileRssKb ?? null,
    shmemRssKb: killed?.figures.shmemRssKb ?? null,
    uid: killed?.figures.uid ?? victim.summary?.uid ?? null,
    oomScoreAdj: killed?.figures.oomScoreAdj ?? null,
    timestamp: shown.stamp.printed,
    confirmed: killed !== null,
    atMs: toEpochMs(shown.stamp, clock),
    kernelSeconds: shown.stamp.kernelSeconds,
    taskCgroup,
    killedWithGroup: victim.group?.cgroup ?? null,
  };
}

/** What the record says about the search and the memory around the victim. */
function surroundings(victim: Victim, pieces: Pieces, group: RecordGroup) {
  const search = pieces.invoked.get(victim) ?? null;
  const tasks = tableWith(victim.pid, pieces.table.get(victim) ?? null, group);
  const row = tasks.find((task) => task.pid === victim.pid) ?? null;
  return {
    triggeredBy: search?.process ?? null,
    gfpMask: search?.gfpMask ?? null,
    order: search?.order ?? null,
    memory: pieces.memory.get(victim)?.value ?? null,
    memorySwap: pieces.memorySwap.get(victim)?.value ?? null,
    swap: pieces.swap.get(victim)?.value ?? null,
    tasks,
    largestTask: largestTask(tasks),
    pageSizeKb: pageSizeKb(row, victim.killed?.figures.totalVmKb ?? null),
    ramPages: pieces.ramPages.get(victim)?.value ?? null,
    totalSwapKb: pieces.totalSwapKb.get(victim)?.value ?? null,
    freeSwapKb: pieces.freeSwapKb.get(victim)?.value ?? null,
  };
}

/**
 * Kernels before 5.2 chose a process and then killed one of its children instead ("or sacrifice child"), or chose a
 * thread and killed its process under the process's id: the killed one stands for the chosen one. Maps the killed to the chosen.
 */
function sacrificedChildren(victims: readonly Victim[]): Map<Victim, Victim> {
  const heirs = new Map<Victim, Victim>();
  const chosen: Victim[] = [];
  for (const victim of victims) {
    if (victim.choice !== null && victim.killed === null) chosen.push(victim);
    const orphan = victim.choice === null && victim.summary === null && victim.group === null;
    if (!orphan || victim.killed?.scope !== "unknown" || chosen.length === 0) continue;
    heirs.set(victim, chosen.shift() as Victim);
  }
  return heirs;
}

/** "Killed process 5 (x)" on a line of its own is only a record where something says that the kernel wrote it. */
function isClaim(victim: Victim, heirs: ReadonlyMap<Victim, Victim>): boolean {
  if (victim.choice !== null || victim.summary !== null || victim.group !== null || heirs.has(victim)) return true;
  return !(victim.killed?.bareClaim === true && !victim.prefixed);
}

function scopeOf(victim: Victim, chosen: Victim | null): OomScope {
  const said = [victim.summary, victim.killed, victim.choice, chosen?.summary, chosen?.choice];
  for (const piece of said) if (piece && piece.scope !== "unknown") return piece.scope;
  return victim.group?.first ? scopeOf(victim.group.first, null) : "unknown";
}

/**
 * Which piece belongs to which victim. As many pieces as victims: the first to the first, and so on, which is right
 * also where two CPUs print in turns. Otherwise the nearest before the victim: pieces without a victim are what is
 * left of a record that was cut. Where the kernel prints who is speaking, only pieces of the same speaker count.
 */
function assign<T extends Place>(pieces: readonly T[], victims: readonly Victim[]): Map<Victim, T> {
  const result = new Map<Victim, T>();
  const speakers = Map.groupBy(victims, (victim) => victim.caller);
  const spoken = Map.groupBy(pieces, (piece) => piece.caller);
  for (const [caller, those] of speakers) {
    const own = caller === null ? pieces : (spoken.get(caller) ?? pieces);
    const paired = own.length === those.length;
    let next = 0;
    those.forEach((victim, k) => {
      while (next < own.length && (own[next] as T).index <= victim.index) next++;
      const piece = paired ? own[k] : own[next - 1];
      if (piece !== undefined) result.set(victim, piece);
    });
  }
  return result;
}

const MAX_TABLES = 8;

/** The table chosen by place; where it does not list the victim, one beside it that does. */
function tableWith(pid: number, chosen: RecordGroup["tables"][number] | null, group: RecordGroup) {
  const lists = (table: RecordGroup["tables"][number]) => table.tasks.some((task) => task.pid === pid);
  if (chosen !== null && (lists(chosen) || group.tables.length > MAX_TABLES)) return chosen.tasks;
  const other = group.tables.length > MAX_TABLES ? undefined : group.tables.find(lists);
  return (other ?? chosen)?.tasks ?? [];
}

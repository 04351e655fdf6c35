import type { KernelClock, OomKill, OomScope } from "../../core/kernel-log.ts";
import { toEpochMs } from "./clock.ts";
import { containerIdOf } from "./container-id.ts";
import type { Place, RecordGroup, Victim } from "./records.ts";
import { largestTask, pageSizeKb } from "./task-table.ts";

/** The kills of one group of record pieces, each with the pieces that belong to it. */
export function finishGroup(group: RecordGroup, clock: KernelClock): OomKill[] {
  const heirs = sacrificedChildren(group.victims);
  const replaced = new Set(heirs.values());
  const victims = group.victims.filter((victim) => !replaced.has(victim) && isClaim(victim, heirs));
  const scopes = victims.map((victim) => scopeOf(victim, heirs.get(victim) ?? null));
  const inGroup = victims.filter((_, i) => scopes[i] === "memcg" || scopes[i] === "unknown");
  const onMachine = victims.filter((_, i) => scopes[i] !== "memcg");
  const pick = {
    invoked: assign(group.invoked, victims),
    taskIn: assign(group.taskIn, inGroup),
    memory: assign(group.usage.memory, inGroup),
    memorySwap: assign(group.usage.memorySwap, inGroup),
    swap: assign(group.usage.swap, inGroup),
    table: assign(group.tables, victims),
    ramPages: assign(group.machine.ramPages, onMachine),
    totalSwapKb: assign(group.machine.totalSwapKb, onMachine),
    freeSwapKb: assign(group.machine.freeSwapKb, onMachine),
  };
  return victims.map((victim, i) => {
    const heirOf = heirs.get(victim) ?? null;
    const source = victim.summary ?? heirOf?.summary ?? null;
    const taskIn = pick.taskIn.get(victim) ?? null;
    const killed = victim.killed;
    const shown = (killed ?? victim.choice ?? victim.summary) as NonNullable<typeof killed | typeof source>;
    const scope = scopes[i] === "unknown" && taskIn !== null ? "memcg" : (scopes[i] as OomScope);
    const taskCgroup = source?.taskCgroup ?? victim.group?.cgroup ?? taskIn?.taskCgroup ?? null;
    const limited =
      source?.limitedCgroup ?? victim.group?.first?.summary?.limitedCgroup ?? taskIn?.limitedCgroup ?? null;
    const table = tableWith(victim.pid, pick.table.get(victim) ?? null, group);
    const row = table.find((task) => task.pid === victim.pid) ?? null;
    const order = pick.invoked.get(victim) ?? null;
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
      triggeredBy: order?.process ?? null,
      timestamp: shown.stamp.printed,
      confirmed: killed !== null,
      atMs: toEpochMs(shown.stamp, clock),
      kernelSeconds: shown.stamp.kernelSeconds,
      taskCgroup,
      killedWithGroup: victim.group?.cgroup ?? null,
      gfpMask: order?.gfpMask ?? null,
      order: order?.order ?? null,
      memory: pick.memory.get(victim)?.value ?? null,
      memorySwap: pick.memorySwap.get(victim)?.value ?? null,
      swap: pick.swap.get(victim)?.value ?? null,
      tasks: table,
      largestTask: largestTask(table),
      pageSizeKb: pageSizeKb(row, killed?.figures.totalVmKb ?? null),
      ramPages: pick.ramPages.get(victim)?.value ?? null,
      totalSwapKb: pick.totalSwapKb.get(victim)?.value ?? null,
      freeSwapKb: pick.freeSwapKb.get(victim)?.value ?? null,
    };
  });
}

/**
 * Kernels before 5.2 chose a process and then killed one of its children instead ("or sacrifice child"): the killed
 * process stands for the chosen one, which lives. Maps the killed to the chosen.
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

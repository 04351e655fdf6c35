import type { OomKill } from "../../core/kernel-log.ts";

/**
 * One kill per process. The same record may be in the text twice (two files, or a group kill that names its first
 * victim again). Only a later record with other figures is another process that was given the same id.
 */
export function mergeKills(kills: readonly OomKill[]): OomKill[] {
  const merged: OomKill[] = [];
  const latest = new Map<number, number>();
  for (const kill of kills) {
    const at = latest.get(kill.pid);
    if (at !== undefined && !isAnotherProcess(merged[at] as OomKill, kill)) {
      merged[at] = combine(merged[at] as OomKill, kill);
      continue;
    }
    latest.set(kill.pid, merged.length);
    merged.push(kill);
  }
  return merged;
}

/** The kernel may name a process that is slow to die again for a while; ids come round much later. */
const REUSE_MS = 60_000;

function isAnotherProcess(a: OomKill, b: OomKill): boolean {
  const sameFigures = a.process === b.process && a.totalVmKb === b.totalVmKb && a.anonRssKb === b.anonRssKb;
  if (sameFigures && a.totalVmKb !== null) return false;
  if (a.atMs !== null && b.atMs !== null) return Math.abs(a.atMs - b.atMs) > REUSE_MS;
  if (a.kernelSeconds !== null && b.kernelSeconds !== null) {
    return Math.abs(a.kernelSeconds - b.kernelSeconds) * 1000 > REUSE_MS;
  }
  return false;
}

/** What is known from either; the one that shows the kill itself goes first. */
function combine(a: OomKill, b: OomKill): OomKill {
  const [first, second] = b.confirmed && !a.confirmed ? [b, a] : [a, b];
  const known = Object.entries(first).filter(([, value]) => value !== null);
  return {
    ...second,
    ...(Object.fromEntries(known) as Partial<OomKill>),
    scope: first.scope === "unknown" ? second.scope : first.scope,
    confirmed: a.confirmed || b.confirmed,
    tasks: first.tasks.length > 0 ? first.tasks : second.tasks,
  } as OomKill;
}

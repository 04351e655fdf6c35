import type { OomKill, OomTask } from "./kernel-log.ts";
import { type ContainerView, hostOf, type World } from "./world.ts";

/** Whose memory it was when somebody else's process had to die for it. */
export interface Hog {
  /** The largest process of it. */
  task: OomTask;
  /** More than one where only the sum of a container's processes is large. */
  processes: number;
  /** The container it runs or ran in; null when it belongs to none that is known. */
  view: ContainerView | null;
  /** False when the host's processes could not be read, so that belonging to no container proves nothing. */
  placed: boolean;
  sizeKb: number;
  victimKb: number;
}

/**
 * The process with the most memory in the kernel's table, followed to its container: by a kill of its own that names
 * the container, by the main process's id, or up the parents in the host's process table. Many modest
 * processes of another container may hold more together than the killed one. Null without a table.
 */
export function hogOf(world: Pick<World, "hosts" | "containers">, host: string, kill: OomKill): Hog | null {
  const task = kill.largestTask;
  if (task === null) return null;
  const pageKb = kill.pageSizeKb ?? 4;
  const size = (row: OomTask) => (row.rssPages + (row.swapEntries ?? 0)) * pageKb;
  const victim = kill.tasks.find((row) => row.pid === kill.pid);
  const processes = hostOf(world, host)?.processes?.value ?? null;
  const view = containerOfTask(world, host, task.tgid, processes);
  const victimKb = victim === undefined ? (kill.anonRssKb ?? 0) + (kill.shmemRssKb ?? 0) : size(victim);
  const crowds = new Map<ContainerView, OomTask[]>();
  for (const row of kill.tasks) {
    const owner = containerOfTask(world, host, row.tgid, processes);
    if (owner !== null) crowds.set(owner, [...(crowds.get(owner) ?? []), row]);
  }
  const sum = (rows: readonly OomTask[]) => rows.reduce((total, row) => total + size(row), 0);
  const [owner, rows] = [...crowds].sort(([, a], [, b]) => sum(b) - sum(a))[0] ?? [null, []];
  // Forks count what they share once each, so a crowd must be well above, and is looked for only where the largest single
  // process is the one that was killed.
  if (owner !== null && owner !== view && task.pid === kill.pid && sum(rows) >= 2 * size(task)) {
    const largest = rows.reduce((most, row) => (size(row) > size(most) ? row : most));
    return { task: largest, processes: rows.length, view: owner, placed: true, sizeKb: sum(rows), victimKb };
  }
  return { task, processes: 1, view, placed: view !== null || processes !== null, sizeKb: size(task), victimKb };
}

function containerOfTask(
  world: Pick<World, "hosts" | "containers">,
  host: string,
  pid: number,
  processes: readonly { pid: number; ppid: number | null }[] | null,
): ContainerView | null {
  const here = world.containers.filter((view) => view.host === host);
  const own = hostOf(world, host)?.kernel?.value.kills.find((kill) => kill.pid === pid)?.containerId ?? null;
  if (own !== null) return here.find((view) => view.id.startsWith(own)) ?? null;
  const parents = new Map((processes ?? []).map((row) => [row.pid, row.ppid]));
  let at: number | null = pid;
  for (let depth = 0; at !== null && depth < 64; depth += 1) {
    const found = here.find((view) => view.inspect?.value.pid === at || view.top?.value.some((row) => row.pid === at));
    if (found !== undefined) return found;
    at = parents.get(at) ?? null;
  }
  return null;
}

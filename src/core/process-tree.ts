import type { ProcessRow } from "./readings.ts";
import { type ContainerView, hostOf, type World } from "./world.ts";

/**
 * The processes of a running container as the host sees them: its main process and everything below it. What an exec
 * started stands below the container's shim instead, unless its own parent has ended; zombies stand only here.
 */
export function treeOf(world: Pick<World, "hosts">, view: ContainerView): ProcessRow[] {
  const rows = hostOf(world, view.host)?.processes?.value ?? [];
  const main = view.inspect?.value.pid ?? null;
  if (main === null || rows.length === 0) return [];
  const children = new Map<number, ProcessRow[]>();
  for (const row of rows) {
    if (row.ppid === null) continue;
    const siblings = children.get(row.ppid) ?? [];
    siblings.push(row);
    children.set(row.ppid, siblings);
  }
  const tree: ProcessRow[] = rows.filter((row) => row.pid === main);
  for (let at = 0; at < tree.length; at += 1) tree.push(...(children.get((tree[at] as ProcessRow).pid) ?? []));
  return tree;
}

/** Cores used on average over the lives of these processes; one that never ran long counts by its own age. */
export function coresUsed(rows: readonly ProcessRow[]): number {
  return rows.reduce((sum, row) => {
    if (row.cpuSeconds === null || row.elapsedS === null) return sum;
    return sum + row.cpuSeconds / Math.max(row.elapsedS, 1);
  }, 0);
}

import type { Edge } from "./diagnosis.ts";
import { edgesFrom } from "./graph.ts";
import { limits } from "./limits.ts";
import { type ContainerView, containerOf, type World } from "./world.ts";

/** A container reached from the symptom, with the proven path to it. */
export interface Reached {
  view: ContainerView;
  /** Edges from a subject to here; empty for a subject itself. */
  path: Edge[];
  /** True when every step of the path is a dependency that is seen to fail. */
  failing: boolean;
}

/**
 * Breadth first from the subjects along proven edges. A path whose every step fails is preferred over a shorter one
 * that only exists in configuration, because the failure is what is being followed.
 */
export function walk(world: Pick<World, "containers" | "subjects" | "edges">): Reached[] {
  const reached = new Map<string, Reached>();
  for (const failingOnly of [true, false]) {
    let front: Reached[] = failingOnly
      ? world.subjects.map((view) => ({ view, path: [], failing: true }))
      : [...reached.values()];
    for (const start of front) reached.set(keyOf(start.view), reached.get(keyOf(start.view)) ?? start);
    for (let depth = 0; depth < limits.walkDepth && front.length > 0; depth += 1) {
      front = front.flatMap((from) => step(world, from, failingOnly, reached));
    }
  }
  return [...reached.values()];
}

function step(
  world: Pick<World, "containers" | "edges">,
  from: Reached,
  failingOnly: boolean,
  reached: Map<string, Reached>,
): Reached[] {
  const next: Reached[] = [];
  for (const edge of sortedEdges(edgesFrom(world.edges, from.view.ref))) {
    const fails = edge.failures.length > 0;
    if (failingOnly && !fails) continue;
    const view = edge.to.host === null ? null : containerOf(world, edge.to);
    if (view === null || reached.has(keyOf(view))) continue;
    const found = {
      view,
      path: [...from.path, edge],
      failing: from.failing && fails,
    };
    reached.set(keyOf(view), found);
    next.push(found);
  }
  return next;
}

/** Failing edges first, then by the strength of the proof; stable otherwise. */
function sortedEdges(edges: Edge[]): Edge[] {
  const order = ["log", "proxy-config", "connection", "alias", "address", "env", "config", "label"];
  return [...edges].sort(
    (a, b) =>
      Number(b.failures.length > 0) - Number(a.failures.length > 0) || order.indexOf(a.proof) - order.indexOf(b.proof),
  );
}

function keyOf(view: ContainerView): string {
  return `${view.host} ${view.id}`;
}

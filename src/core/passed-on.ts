import { proxyProgram } from "./proxy-kind.ts";
import { isCurrent } from "./told.ts";
import type { Reached } from "./walk.ts";
import type { ContainerView, World } from "./world.ts";

/**
 * A proxy whose upstream cannot be reached says 502, 503 or 504 and logs it. A plain 500 from it, with nothing in its
 * log, is its upstream's answer.
 */
export function passesOn(world: World, view: ContainerView): boolean {
  return (
    proxyProgram(world, view) !== null &&
    view.probes.some(({ value }) => value.kind === "http" && value.httpStatus === 500) &&
    !view.signals.some((signal) => !signal.kind.startsWith("http-") && isCurrent(world, view, signal))
  );
}

/** Where the answer that a proxy passes on comes from: the only container behind it. Null when there are several. */
export function passedOnFrom(world: World, reached: readonly Reached[], end: Reached): Reached | null {
  if (end.path.length > 0 || !passesOn(world, end.view)) return null;
  const behind = reached.filter((entry) => entry.path.length === 1 && entry.path[0]?.from.containerId === end.view.id);
  return behind.length === 1 ? (behind[0] ?? null) : null;
}

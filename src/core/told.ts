import type { Edge } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { LogSignal, SignalKind } from "./log-signals.ts";
import { type ContainerView, cite, containerOf, hostNowMs, type World } from "./world.ts";

/** What one container's log said of late, oldest first, with the lines to cite. */
export interface Told {
  signals: LogSignal[];
  last: LogSignal;
  facts: Fact[];
}

/**
 * Lines of these kinds that belong to what is going on now: of the present run and not long ago, of its first moments,
 * or, where the container has ended, of its last moments. An old complaint explains no present failure.
 */
export function told(
  world: World,
  view: ContainerView,
  kinds: readonly SignalKind[],
  is: (signal: LogSignal) => boolean = () => true,
): Told | null {
  return toldOf(
    view,
    view.signals.filter((signal) => kinds.includes(signal.kind) && isCurrent(world, view, signal) && is(signal)),
  );
}

/** True when the line was written in the part of the log that speaks of the present state. */
export function isCurrent(world: World, view: ContainerView, signal: LogSignal): boolean {
  const at = signal.line.atMs;
  const state = view.inspect?.value;
  if (at === null || state === undefined) return true;
  const nowMs = hostNowMs(world, view.host);
  const started = state.startedAtMs ?? 0;
  const settled = state.running && !state.restarting && nowMs - started > limits.stableRunMs;
  if (settled) {
    const sinceStart = at >= started - 1_000;
    return sinceStart && (at >= nowMs - limits.recentTroubleMs || at <= started + limits.bootMs);
  }
  const end = state.finishedAtMs ?? nowMs;
  return at >= Math.min(end, nowMs) - limits.recentTroubleMs;
}

/** What the callers of a container say of it: the newest complaint of each caller, when it is of one of these kinds. */
export function toldByCallers(
  world: World,
  view: ContainerView,
  kinds: readonly SignalKind[],
): { caller: ContainerView; edge: Edge; told: Told }[] {
  return world.edges.flatMap((edge) => {
    if (edge.to.containerId !== view.id || edge.to.host !== view.host || edge.failures.length === 0) return [];
    const caller = containerOf(world, edge.from);
    if (caller === null) return [];
    const found = latestComplaint(world, caller, edge, kinds);
    return found === null ? [] : [{ caller, edge, told: found }];
  });
}

/** The complaints of one kind on one edge, unless the newest complaint there is about something else. */
export function latestComplaint(
  world: World,
  caller: ContainerView,
  edge: Edge,
  kinds: readonly SignalKind[],
): Told | null {
  const current = edge.failures.filter((signal) => isCurrent(world, caller, signal));
  const last = current.at(-1);
  // One failure may print several lines: what stands within a second of the last line belongs to it.
  const near = current.filter((signal) => sameMoment(signal, last));
  if (!near.some((signal) => kinds.includes(signal.kind))) return null;
  return toldOf(
    caller,
    current.filter((signal) => kinds.includes(signal.kind)),
  );
}

/** Failing edges of a container, with the complaints of these kinds. */
export function complaintsOf(
  world: World,
  view: ContainerView,
  kinds: readonly SignalKind[],
): { edge: Edge; told: Told }[] {
  return world.edges.flatMap((edge) => {
    if (edge.from.containerId !== view.id || edge.from.host !== view.host || edge.failures.length === 0) return [];
    const found = latestComplaint(world, view, edge, kinds);
    return found === null ? [] : [{ edge, told: found }];
  });
}

function sameMoment(signal: LogSignal, last: LogSignal | undefined): boolean {
  const a = signal.line.atMs;
  const b = last?.line.atMs ?? null;
  return signal === last || a === null || b === null || Math.abs(b - a) <= limits.sameMomentMs;
}

function toldOf(view: ContainerView, signals: LogSignal[]): Told | null {
  const last = signals.at(-1);
  const logs = view.logs;
  if (last === undefined || logs === null) return null;
  return { signals, last, facts: [cite(logs, last.line.text, view.name)] };
}

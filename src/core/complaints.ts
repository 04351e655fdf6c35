import type { Edge } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { LogSignal, SignalKind } from "./log-signals.ts";
import { type ContainerView, cite, containerOf, hostNowMs, type World } from "./world.ts";

/** What one container's log says against another, in the kinds that were asked for. */
export interface Complaint {
  from: ContainerView;
  edge: Edge;
  /** Oldest first, never empty. */
  signals: LogSignal[];
}

type Scene = Pick<World, "hosts" | "nowMs">;

/**
 * Who complains about this container now. A complaint that later ones of another kind have replaced is over: a database
 * that was starting an hour ago and refuses since is not starting.
 */
export function complaintsAbout(
  world: Pick<World, "hosts" | "nowMs" | "containers" | "edges">,
  view: ContainerView,
  kinds: readonly SignalKind[],
): Complaint[] {
  return world.edges
    .filter((edge) => edge.to.host === view.host && edge.to.containerId === view.id && edge.failures.length > 0)
    .flatMap((edge) => {
      const from = containerOf(world, edge.from);
      if (from === null) return [];
      const signals = current(world, from, edge.failures).filter((signal) => kinds.includes(signal.kind));
      return signals.length === 0 ? [] : [{ from, edge, signals }];
    });
}

/** Signals of a container's own log that are recent enough to explain a failure now. */
export function recentSignals(world: Scene, view: ContainerView, kinds: readonly SignalKind[]): LogSignal[] {
  return recent(world, view, view.signals).filter((signal) => kinds.includes(signal.kind));
}

/** The last line of each complaint, cited where it was logged. */
export function complaintFacts(complaints: readonly Complaint[]): Fact[] {
  return complaints.flatMap(({ from, signals }) => signalFacts(from, signals.slice(-1)));
}

export function signalFacts(view: ContainerView, signals: readonly LogSignal[]): Fact[] {
  const logs = view.logs;
  return logs === null ? [] : signals.map((signal) => cite(logs, signal.line.text, view.name));
}

/** The last failures: those shortly before the newest one, if that is recent. */
export function current(world: Scene, view: ContainerView, failures: readonly LogSignal[]): LogSignal[] {
  const lately = recent(world, view, failures);
  const newestMs = Math.max(...lately.map((signal) => signal.line.atMs ?? 0));
  return lately.filter((signal) => signal.line.atMs === null || signal.line.atMs >= newestMs - limits.sameTroubleMs);
}

/** Lines without a time count as recent, for nothing shows that they are old. */
export function recent(world: Scene, view: ContainerView, signals: readonly LogSignal[]): LogSignal[] {
  const sinceMs = hostNowMs(world, view.host) - limits.recentTroubleMs;
  return signals.filter((signal) => signal.line.atMs === null || signal.line.atMs >= sinceMs);
}

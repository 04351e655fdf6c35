import type { Edge } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import { configuredPeers, edgesFrom } from "./graph.ts";
import { limits } from "./limits.ts";
import type { LogSignal } from "./log-signals.ts";
import { composeService, isAddress } from "./resolve.ts";
import { type ContainerView, cite, containerOf, hostNowMs, hostOf, type Seen, type World } from "./world.ts";

/** One container that depends on another, with the edge that proves it. */
export interface Call {
  caller: ContainerView;
  peer: ContainerView;
  edge: Edge;
}

/** Who depends on this container; calls that are seen to fail first. */
export function callsTo(world: World, view: ContainerView): Call[] {
  const calls = world.edges.flatMap((edge) => {
    if (edge.to.host !== view.host || edge.to.containerId !== view.id) return [];
    const caller = containerOf(world, edge.from);
    return caller === null ? [] : [{ caller, peer: view, edge }];
  });
  return calls.sort((a, b) => Number(b.edge.failures.length > 0) - Number(a.edge.failures.length > 0));
}

/** Containers that this one depends on; calls that are seen to fail first. */
export function callsFrom(world: World, view: ContainerView): Call[] {
  const calls = edgesFrom(world.edges, view.ref).flatMap((edge) => {
    const peer = edge.to.host === null ? null : containerOf(world, edge.to);
    return peer === null ? [] : [{ caller: view, peer, edge }];
  });
  return calls.sort((a, b) => Number(b.edge.failures.length > 0) - Number(a.edge.failures.length > 0));
}

/** Ports of this container that somebody asks for: callers, published mappings, the configuration. */
export function askedPorts(world: World, view: ContainerView): number[] {
  const byCallers = callsTo(world, view).flatMap(({ caller, edge }) =>
    edge.port === null || caller.host !== view.host ? [] : [innerPort(view, edge)],
  );
  const published = view.inspect?.value.portBindings.filter((binding) => binding.protocol === "tcp") ?? [];
  return [...new Set([...byCallers, ...published.map((binding) => binding.containerPort)])];
}

/** A caller that goes through a published port names the host's port; the container listens on its own. */
function innerPort(view: ContainerView, edge: Edge): number {
  const port = edge.port as number;
  const listens = view.process?.value.listeners.some((socket) => socket.port === port) ?? false;
  const mapped = view.inspect?.value.portBindings.find((binding) => binding.hostPort === port);
  return !listens && mapped !== undefined ? mapped.containerPort : port;
}

/** Names, not addresses, by which others ask for this container, and what compose calls it. */
export function namesAskedFor(world: World, view: ContainerView): string[] {
  const asked = world.containers
    .filter((other) => other.host === view.host && other !== view)
    .flatMap((other) => configuredPeers(world, other))
    .filter(({ resolution }) => resolution.kind === "container" && resolution.view === view)
    .map(({ reference }) => reference.host);
  const failed = callsTo(world, view).flatMap(({ edge }) => edge.failures.map((signal) => signal.peerHost));
  const own = [composeService(view), view.name];
  const names = [...own, ...asked, ...failed].filter(
    (name): name is string => name !== null && !isAddress(name) && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name),
  );
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

/** The last of these lines, when it is recent enough to speak of now. */
export function recentSignal(world: World, view: ContainerView, signals: readonly LogSignal[]): LogSignal | null {
  const last = signals.at(-1);
  const since = hostNowMs(world, view.host) - limits.recentTroubleMs;
  return last !== undefined && (last.line.atMs === null || last.line.atMs >= since) ? last : null;
}

/** Cites a log line of this container. */
export function citeLine(view: ContainerView, signal: LogSignal): Fact[] {
  return view.logs === null ? [] : [cite(view.logs, signal.line.text, view.name)];
}

/** Cites the engine's events of a host; nothing when they were not read. */
export function citeEvent(world: World, host: string, text: string, container: string | null): Fact[] {
  const events = hostOf(world, host)?.events ?? null;
  return events === null ? [] : [cite(events, text, container)];
}

/** A value of the container's configuration, as a fact. */
export function citeInspect(view: ContainerView, text: string): Fact[] {
  return view.inspect === null ? [] : [cite(view.inspect as Seen<unknown>, text, view.name)];
}

/** It runs, is not frozen, and has done so long enough to be past its own start. */
export function isSettled(world: World, view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined || inspect.status !== "running" || inspect.restarting || inspect.startedAtMs === null)
    return false;
  const stopped = /^[Tt]/.test(view.process?.value.state ?? "");
  return !stopped && hostNowMs(world, view.host) - inspect.startedAtMs > limits.settlesMs;
}

export function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}

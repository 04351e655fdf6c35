import type { Fact } from "./evidence.ts";
import { isPeerSignal } from "./graph.ts";
import { limits } from "./limits.ts";
import { describeProbe } from "./symptom.ts";
import { isCurrent } from "./told.ts";
import { type ContainerView, cite, hostNowMs, type World } from "./world.ts";

/** Requests fail here while nothing in the log blames a peer. */
export interface OwnFailure {
  facts: Fact[];
  witnesses: string[];
  /** Host time of the first failure that is seen; null when only a probe shows it. */
  firstAtMs: number | null;
  /** The log holds an exception of the program itself. */
  threw: boolean;
}

/** Fails by itself, as far as its answers and its own log tell; null when it works, or when it blames somebody else. */
export function ownFailure(world: World, view: ContainerView): OwnFailure | null {
  const current = view.signals.filter((signal) => isCurrent(world, view, signal));
  if (current.some(isPeerSignal)) return null;
  const failing = view.probes.filter((probe) => probe.value.kind === "http" && (probe.value.httpStatus ?? 0) >= 500);
  const served = current.filter((signal) => signal.kind === "http-5xx" && signal.technology !== "nginx");
  const threw = current.filter((signal) => signal.kind === "uncaught-exception" || signal.kind === "module-missing");
  if (failing.length === 0 && served.length === 0 && (threw.length === 0 || !passedOn(world, view))) return null;
  const facts: Fact[] = failing.slice(0, 1).map((probe) => cite(probe, describeProbe(probe.value), view.name));
  const logs = view.logs;
  if (logs !== null) {
    for (const signal of [threw.at(-1), served.at(-1)])
      if (signal !== undefined) facts.push(cite(logs, signal.line.text, view.name));
    const named = exceptionLine(world, view);
    if (named !== null) facts.push(cite(logs, named, view.name));
  }
  const times = [...served, ...threw].flatMap((signal) => (signal.line.atMs === null ? [] : [signal.line.atMs]));
  return {
    facts,
    witnesses: [
      ...(failing.length > 0 ? ["http-probe"] : []),
      ...(served.length + threw.length > 0 ? ["docker-logs"] : []),
    ],
    firstAtMs: times.length === 0 ? null : Math.min(...times),
    threw: threw.length > 0 || exceptionLine(world, view) !== null,
  };
}

/** Its own log counts no requests, but who asks it answers with a plain 500 and blames nobody: it passes that answer on. */
function passedOn(world: World, view: ContainerView): boolean {
  return world.subjects.some(
    (subject) =>
      subject.id !== view.id &&
      world.edges.some((edge) => edge.from.containerId === subject.id && edge.to.containerId === view.id) &&
      subject.probes.some((probe) => probe.value.kind === "http" && probe.value.httpStatus === 500) &&
      !subject.signals.some((signal) => isPeerSignal(signal) && isCurrent(world, subject, signal)),
  );
}

/** The newest line that names an error, such as `ValueError: …` or `NullPointerException`. Hostile text, bounded where cited. */
export function exceptionLine(world: World, view: ContainerView): string | null {
  const since = hostNowMs(world, view.host) - limits.recentTroubleMs;
  const line = view.logs?.value.lines.findLast(
    ({ text, atMs }) =>
      (atMs === null || atMs >= since) &&
      /^\s*(?:[\w.$:]{0,100}[.:])?[A-Z]\w{2,60}(?:Error|Exception|Panic)\b/.test(text),
  );
  return line?.text.trim() ?? null;
}

/** It answers somebody now: a probe of it succeeded, or its log of this run shows answers. */
export function answersNow(view: ContainerView): boolean {
  return view.probes.some(
    (probe) => probe.value.failure === null && (probe.value.kind !== "http" || (probe.value.httpStatus ?? 500) < 400),
  );
}

/**
 * Connections arrive at this port: a probe got through, or clients have given up there while the program has not even
 * closed (`CLOSE_WAIT`). Then a connect without an answer met a full queue, and no rule that drops packets.
 */
export function connectsArrive(view: ContainerView, port: number): boolean {
  const got = view.probes.some(
    ({ value }) => value.port === port && (value.failure === null || value.detail.startsWith("connected")),
  );
  const left = view.process?.value.connections.filter(
    (socket) => socket.port === port && socket.state === "CLOSE_WAIT",
  );
  return got || (left?.length ?? 0) >= limits.abandonedFrom;
}

/** Its log of the present complains of a peer or of itself, so that a silence has a reason that is told. */
export function recentTroubleOf(world: World, view: ContainerView): boolean {
  return view.signals.some(
    (signal) =>
      (isPeerSignal(signal) || signal.kind === "uncaught-exception" || signal.kind === "pool-exhausted") &&
      isCurrent(world, view, signal),
  );
}

/** Ports on which it takes connections of others. The engine's own name server listens in every network namespace too. */
export function outsidePorts(view: ContainerView): number[] {
  const listeners = view.process?.value.listeners ?? [];
  return [...new Set(listeners.filter((socket) => !/^127\.|^::1$/.test(socket.address)).map((socket) => socket.port))];
}

export function listensOutside(view: ContainerView): boolean {
  return outsidePorts(view).length > 0;
}

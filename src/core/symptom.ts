import { recent } from "./complaints.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import { type ContainerView, cite, hostNowMs, type World } from "./world.ts";

/**
 * Whether the asked-about service fails now. `absent` is proven by a path that matters; `seems-absent` means only that
 * what could be probed answers, which a broken dependency behind another path would not change.
 */
export interface SymptomState {
  state: "present" | "absent" | "seems-absent" | "unknown";
  facts: Fact[];
  /** Paths that failed when probed, for the verification afterwards. */
  failingPaths: { container: ContainerView["ref"]; port: number; path: string; expect: number | null }[];
}

/**
 * The reported symptom, looked at directly. A probe decides over a log; a failing probe of any path decides over a
 * working one; a bare `/` that works proves little when other paths were seen to fail.
 */
export function symptomState(world: Pick<World, "subjects" | "hosts" | "nowMs" | "settings" | "target">): SymptomState {
  const states = world.subjects.map((view) => stateOf(world, view));
  const present = states.filter((state) => state.state === "present");
  if (present.length > 0) return merge("present", present);
  if (states.length > 0 && states.every((state) => state.state === "absent")) return merge("absent", states);
  if (states.some((state) => state.state === "seems-absent" || state.state === "absent"))
    return merge("seems-absent", states);
  return merge("unknown", states);
}

function stateOf(world: Pick<World, "hosts" | "nowMs" | "settings" | "target">, view: ContainerView): SymptomState {
  const status = view.inspect?.value.status ?? view.summary?.value.status ?? null;
  if (status !== null && status !== "running" && view.inspect !== null) {
    return {
      state: "present",
      facts: [cite(view.inspect, `State.Status=${status}`, view.name)],
      failingPaths: [],
    };
  }
  const http = view.probes.filter((probe) => probe.value.kind === "http" && probe.value.path !== null);
  const late = world.target.symptom === "any" ? limits.slowProbeMs : Number.POSITIVE_INFINITY;
  const failed = http.filter((probe) => isFailure(probe.value) || probe.value.durationMs >= late);
  if (failed.length > 0) {
    return {
      state: "present",
      facts: failed.slice(0, 3).map((probe) => cite(probe, describeProbe(probe.value), view.name)),
      failingPaths: failed.map((probe) => ({
        container: view.ref,
        port: probe.value.port,
        path: probe.value.path ?? "/",
        expect: probe.value.expectedStatus,
      })),
    };
  }
  const answered = http.filter((probe) => probe.value.failure === null);
  const facts = answered.slice(0, 3).map((probe) => cite(probe, describeProbe(probe.value), view.name));
  const trouble = recentTrouble(world, view);
  const now = isIntermittent(world, view) || failsOn(world, view);
  if (provesWorking(view) && !now) return { state: "absent", facts, failingPaths: [] };
  if (trouble.length > 0 && (now || answered.length === 0 || !isSteadyNoise(world, view)))
    return { state: "present", facts: trouble, failingPaths: [] };
  return {
    state: answered.length > 0 ? "seems-absent" : "unknown",
    facts,
    failingPaths: [],
  };
}

/**
 * Single failures between requests that work, here and there: one probe that works proves nothing against them. One block
 * of failures with nothing but success behind it is over.
 */
function isIntermittent(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): boolean {
  const answers = recent(world, view, view.signals).filter((signal) => isAnswer(signal.kind));
  let runs = 0;
  let lone = false;
  let worked = 0;
  for (const [at, signal] of answers.entries()) {
    if (signal.kind === "http-ok") {
      worked += 1;
      continue;
    }
    const before = answers[at - 1]?.kind;
    if (before !== "http-5xx" && worked >= limits.answersBetween) {
      runs += 1;
      lone ||= answers.slice(at + 1, at + 1 + limits.answersBetween).every((next) => next.kind === "http-ok");
    }
    worked = 0;
  }
  return runs >= 2 || (lone && answers.at(-1)?.kind === "http-ok" && answers.length > 4 * limits.answersBetween);
}

/** Requests went on failing after the question was asked: one that then worked is luck. */
function failsOn(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): boolean {
  const sinceMs = hostNowMs(world, view.host);
  const after = view.signals.filter((signal) => isAnswer(signal.kind) && (signal.line.atMs ?? 0) > sinceMs);
  return after.length >= limits.failsOnFrom && after.every((signal) => signal.kind === "http-5xx");
}

/** It complains of a peer and goes on answering real requests well, with not one failure: noise, whatever the level says. */
function isSteadyNoise(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): boolean {
  const lines = recent(world, view, view.signals);
  const complaint = lines.findIndex((signal) => signal.kind.startsWith("peer-"));
  const answers = lines.slice(complaint + 1).filter((signal) => isAnswer(signal.kind));
  const real = answers.filter((signal) => !isHealthPath(signal.parts["path"] ?? "/"));
  return (
    complaint !== -1 && real.length >= limits.answersBetween && answers.every((signal) => signal.kind === "http-ok")
  );
}

function isAnswer(kind: ContainerView["signals"][number]["kind"]): boolean {
  return kind === "http-ok" || kind === "http-5xx";
}

/** A path that matters works now: it was configured, or the log complained of it; a health path alone proves little. */
function provesWorking(view: ContainerView): boolean {
  const complained = new Set(
    view.signals.filter((signal) => signal.kind === "http-5xx").map((signal) => signal.parts["path"]),
  );
  return view.probes.some((probe) => {
    const { kind, failure, httpStatus, expectedStatus, path } = probe.value;
    if (kind !== "http" || failure !== null || httpStatus === null || httpStatus >= 400 || path === null) return false;
    return (expectedStatus !== null && !isHealthPath(path)) || complained.has(path);
  });
}

/** Paths that usually answer without touching what the service depends on. */
export function isHealthPath(path: string): boolean {
  return (
    path === "/" ||
    /^\/(-\/)?(health|healthz|healthy|healthcheck|ready|readyz|live|livez|liveness|readiness|ping|status|up|alive|_health)(\/|$)/i.test(
      path,
    )
  );
}

export function isFailure(probe: ContainerView["probes"][number]["value"]): boolean {
  if (probe.failure !== null) return true;
  if (probe.expectedStatus !== null) return probe.httpStatus !== probe.expectedStatus;
  return (probe.httpStatus ?? 0) >= 500;
}

export function describeProbe(probe: ContainerView["probes"][number]["value"]): string {
  const what = `${probe.path ?? ""} on port ${probe.port}`;
  if (probe.failure !== null) return `GET ${what}: ${probe.failure}${probe.detail ? `, ${probe.detail}` : ""}`;
  const expected =
    probe.expectedStatus !== null && probe.expectedStatus !== probe.httpStatus
      ? `, expected ${probe.expectedStatus}`
      : "";
  return `GET ${what} answered ${probe.httpStatus}${expected}`;
}

/** Lines of the last minutes that say requests fail here. */
function recentTrouble(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): Fact[] {
  const since = hostNowMs(world, view.host) - limits.recentTroubleMs;
  const logs = view.logs;
  if (logs === null) return [];
  const lines = view.signals.filter(
    (signal) =>
      (signal.kind === "http-5xx" || signal.kind === "pool-exhausted" || signal.kind.startsWith("peer-")) &&
      (signal.line.atMs === null || signal.line.atMs >= since),
  );
  return lines.slice(-2).map((signal) => cite(logs, signal.line.text, view.name));
}

function merge(state: SymptomState["state"], states: SymptomState[]): SymptomState {
  return {
    state,
    facts: states.flatMap((entry) => entry.facts),
    failingPaths: states.flatMap((entry) => entry.failingPaths),
  };
}

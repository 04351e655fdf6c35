import type { HostAction } from "./actions.ts";
import type { Reading } from "./evidence.ts";
import type { VerificationOutcome } from "./incident.ts";
import type { ContainerInspect, ContainerSummary, ProbeResult } from "./readings.ts";
import { describeProbe, isFailure } from "./symptom.ts";

/** What one look at the acted-on containers and at the reported symptom saw. */
export interface VerificationRound {
  atMs: number;
  /** Acted-on containers, by name; null where it could not be read. `rests`: the plan ended its loop and started nothing. */
  containers: { name: string; state: RunState | null; rests?: boolean }[];
  /** Null where the probe could not be made. */
  probes: { container: string; result: ProbeResult | null }[];
}

export interface RunState {
  status: string;
  running: boolean;
  startedAtMs: number | null;
  restartCount: number;
  /** The engine will not start it again by itself. */
  staysDown: boolean;
}

export function runStateOf(inspect: ContainerInspect): RunState {
  return {
    status: inspect.status,
    running: inspect.running && !inspect.paused && !inspect.restarting,
    startedAtMs: inspect.startedAtMs,
    restartCount: inspect.restartCount,
    staysDown: !inspect.running && !inspect.restarting && !startsAgain(inspect),
  };
}

/** Whether the engine starts it again after this end: it counts a failure for `on-failure`, and only so many of them. */
function startsAgain({ restartPolicy, exitCode, restartCount }: ContainerInspect): boolean {
  const { name, maximumRetryCount } = restartPolicy;
  if (name === "no" || name === "") return false;
  if (name !== "on-failure") return true;
  return exitCode !== 0 && (maximumRetryCount === 0 || restartCount < maximumRetryCount);
}

/** Whether the plan means this container to come to rest: its policy no longer starts it again, and no step does. */
export function comesToRest(actions: readonly HostAction[], containerId: string): boolean {
  const own = actions.filter((action) => action.containerId === containerId);
  const started = own.some((action) => action.action === "start" || action.action === "restart");
  const leaves = (action: HostAction) =>
    action.action === "update-restart-policy" &&
    (action.restartPolicy === "no" || action.restartPolicy === "on-failure");
  return !started && own.some(leaves);
}

/**
 * Recovered is a run of `needed` looks in a row in which everything runs, nothing restarted and every probe answered
 * as it should. Null while it is worth looking on; `over` says that there is no time left.
 */
export function verdictOf(
  rounds: readonly VerificationRound[],
  needed: number,
  over: boolean,
): VerificationOutcome | null {
  const last = rounds.slice(-needed);
  const enough = last.length === needed;
  if (enough && last.every((round) => judged(round) === "good") && isOneRun(last)) return "recovered";
  if (enough && last.every((round) => round.containers.some((entry) => entry.state?.staysDown && !entry.rests)))
    return "not-recovered";
  if (!over) return null;
  const seen = last.filter((round) => judged(round) !== "unseen");
  return seen.length > 0 && seen.length * 2 > last.length ? outcomeOf(seen) : "inconclusive";
}

/** With no time left: bad at the end is not recovered; good, but not for long enough, is not known. */
function outcomeOf(seen: readonly VerificationRound[]): VerificationOutcome {
  return seen.some((round) => judged(round) === "bad") || !isOneRun(seen) ? "not-recovered" : "inconclusive";
}

function judged(round: VerificationRound): "good" | "bad" | "unseen" {
  const down = round.containers.some(
    ({ state, rests }) => state !== null && !state.running && !(rests === true && state.staysDown),
  );
  const failing = round.probes.some(({ result }) => result !== null && isFailure(result));
  if (down || failing) return "bad";
  const unseen =
    round.containers.some(({ state }) => state === null) || round.probes.some(({ result }) => result === null);
  return unseen ? "unseen" : "good";
}

/** Nothing was started again between the first and the last look. */
function isOneRun(rounds: readonly VerificationRound[]): boolean {
  const runs = rounds.map((round) =>
    JSON.stringify(round.containers.map(({ name, state }) => [name, state?.startedAtMs, state?.restartCount])),
  );
  return new Set(runs).size <= 1;
}

/** One line a probe: how often it was made, how often it answered as it should, and what came last. */
export function probeLines(rounds: readonly VerificationRound[]): string[] {
  const lines = new Map<string, { made: number; good: number; last: string }>();
  for (const { container, result } of rounds.flatMap((round) => round.probes)) {
    if (result === null) continue;
    const key = `${container}:${result.port}${result.path ?? ""}`;
    const line = lines.get(key) ?? { made: 0, good: 0, last: "" };
    lines.set(key, {
      made: line.made + 1,
      good: line.good + (isFailure(result) ? 0 : 1),
      last: `${container}: ${describeProbe(result)}`,
    });
  }
  return [...lines.values()].map(({ made, good, last }) => `${last} (${good} of ${made} probes as expected)`);
}

/** One line a container that was acted on: what it is now. */
export function runLines(rounds: readonly VerificationRound[]): string[] {
  return (rounds.at(-1)?.containers ?? []).map(({ name, state }) =>
    state === null
      ? `${name} could not be read`
      : `${name} is ${state.status}, ${state.restartCount} restarts${state.staysDown ? "; nothing starts it again by itself" : ""}`,
  );
}

/** The state of every container of a host that a comparison looks at. */
export interface HostSnapshot {
  host: string;
  containers: { id: string; name: string; status: string; restartCount: number | null; health: string | null }[];
}

/** From one list and the inspects beside it; null where even the list could not be read. */
export function snapshotOf(host: string, readings: readonly Reading[]): HostSnapshot | null {
  const list = readings.find((reading) => reading.host === host && reading.source === "docker-list");
  if (list === undefined || list.outcome.status === "failed") return null;
  const summaries = list.outcome.status === "ok" ? (list.outcome.value as ContainerSummary[]) : [];
  return {
    host,
    containers: summaries.map((summary) => {
      const inspect = inspectOf(readings, host, summary.id);
      return {
        id: summary.id,
        name: summary.name,
        status: inspect?.status ?? summary.status,
        restartCount: inspect?.restartCount ?? null,
        health: inspect?.health?.status ?? null,
      };
    }),
  };
}

export function inspectOf(readings: readonly Reading[], host: string, containerId: string): ContainerInspect | null {
  const reading = readings.findLast(
    (candidate) =>
      candidate.source === "docker-inspect" && candidate.host === host && candidate.containerId === containerId,
  );
  return reading?.outcome.status === "ok" ? (reading.outcome.value as ContainerInspect) : null;
}

/** Every difference between before and after, one sentence each. Members that were not read are not compared. */
export function compareSnapshots(before: readonly HostSnapshot[], after: readonly HostSnapshot[]): string[] {
  return before.flatMap((old) => {
    const now = after.find((snapshot) => snapshot.host === old.host);
    if (now === undefined) return [`${old.host} could not be compared: its containers were not read afterwards`];
    const gone = old.containers.filter((container) => !now.containers.some((other) => other.id === container.id));
    const fresh = now.containers.filter((container) => !old.containers.some((other) => other.id === container.id));
    const kept = old.containers.flatMap((container) => {
      const same = now.containers.find((other) => other.id === container.id);
      return same === undefined ? [] : changesOf(container, same);
    });
    return [
      ...kept,
      ...gone.map((container) => `${container.name} is gone`),
      ...fresh.map((container) => `${container.name} is new: ${container.status}`),
    ];
  });
}

type Compared = HostSnapshot["containers"][number];

function changesOf(before: Compared, after: Compared): string[] {
  const changes: string[] = [];
  if (before.name !== after.name) changes.push(`${before.name} is now called ${after.name}`);
  if (before.status !== after.status) changes.push(`${after.name}: ${before.status}, now ${after.status}`);
  if (before.restartCount !== null && after.restartCount !== null && before.restartCount !== after.restartCount) {
    changes.push(`${after.name}: ${before.restartCount} restarts, now ${after.restartCount}`);
  }
  if (before.health !== null && after.health !== null && before.health !== after.health) {
    changes.push(`${after.name}: health ${before.health}, now ${after.health}`);
  }
  return changes;
}

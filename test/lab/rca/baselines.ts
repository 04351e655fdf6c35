import type { Cause } from "../../../src/core/causes.ts";
import type { Reading } from "../../../src/core/evidence.ts";
import type { ContainerInspect, DockerEvent } from "../../../src/core/readings.ts";
import type { Frozen } from "./card.ts";

/** What three common habits would have answered from the same readings. */
export const baselines: { name: string; answer(frozen: Frozen): { cause: Cause; container: string } | null }[] = [
  {
    name: "exit-code folklore (137 is memory, 143 a stop, 139 a crash)",
    answer: (frozen) => byExitCode(inspectsOf(frozen)),
  },
  { name: "OOMKilled only", answer: (frozen) => byFlag(inspectsOf(frozen)) },
  { name: "last change wins", answer: lastChange },
];

export function baselineScore(
  answer: (frozen: Frozen) => { cause: Cause; container: string } | null,
  runs: readonly Frozen[],
): { exact: number; culprit: number } {
  const share = (is: (frozen: Frozen) => boolean) => runs.filter(is).length / Math.max(1, runs.length);
  return {
    exact: share((frozen) => isExact(frozen, answer(frozen))),
    culprit: share((frozen) =>
      frozen.truth.verdict === "root-cause"
        ? answer(frozen)?.container === frozen.truth.culprit
        : answer(frozen) === null,
    ),
  };
}

function isExact({ truth }: Frozen, answer: { cause: Cause; container: string } | null): boolean {
  if (truth.verdict !== "root-cause") return answer === null;
  return answer !== null && truth.causes.includes(answer.cause) && answer.container === truth.culprit;
}

function inspectsOf(frozen: Frozen): ContainerInspect[] {
  return frozen.readings.flatMap((reading) =>
    reading.source === "docker-inspect" && reading.outcome.status === "ok"
      ? [reading.outcome.value as ContainerInspect]
      : [],
  );
}

function byExitCode(inspects: ContainerInspect[]): { cause: Cause; container: string } | null {
  const meaning: Record<number, Cause> = {
    137: "cgroup-oom-main",
    143: "stopped-clean-143",
    139: "segfault-139",
    134: "app-abort",
    127: "command-not-found",
    126: "not-executable",
    1: "unhandled-exception",
    0: "completed-exit-0",
  };
  const ended = inspects
    .filter((inspect) => !inspect.running && inspect.finishedAtMs !== null)
    .sort((a, b) => (b.finishedAtMs ?? 0) - (a.finishedAtMs ?? 0))[0];
  const cause = meaning[ended?.exitCode ?? -1];
  return ended === undefined || cause === undefined ? null : { cause, container: ended.name };
}

function byFlag(inspects: ContainerInspect[]): { cause: Cause; container: string } | null {
  const flagged = inspects.find((inspect) => inspect.oomKilled);
  return flagged === undefined ? null : { cause: "cgroup-oom-main", container: flagged.name };
}

/** The container that was created, started or updated last is to blame, and its release with it. */
function lastChange(frozen: Frozen): { cause: Cause; container: string } | null {
  const events = frozen.readings.flatMap((reading: Reading) =>
    reading.source === "docker-events" && reading.outcome.status === "ok"
      ? (reading.outcome.value as { events: DockerEvent[] }).events
      : [],
  );
  const change = events
    .filter((event) => event.type === "container" && ["create", "start", "update", "rename"].includes(event.action))
    .sort((a, b) => b.atMs - a.atMs)[0];
  return change?.name == null ? null : { cause: "bad-release-500", container: change.name };
}

import { eventsOfRun } from "./death.ts";
import { limits } from "./limits.ts";
import type { DockerEvent } from "./readings.ts";
import { type ContainerView, hostNowMs, type World } from "./world.ts";

/** One run of a container that ended, as the engine's events tell it. Host time. */
export interface Run {
  /** Null when its start is no longer remembered. */
  startedAtMs: number | null;
  endedAtMs: number;
  exitCode: number | null;
  /** A kill, stop or restart through Docker came before its end. */
  asked: boolean;
  died: DockerEvent;
}

/** Every ended run the engine remembers, oldest first. */
export function endedRuns(view: Pick<ContainerView, "events">): Run[] {
  return view.events
    .filter((event) => event.action === "die")
    .map((died) => {
      const run = eventsOfRun(view.events, died);
      const started = view.events.findLast((event) => event.action === "start" && event.atMs <= died.atMs);
      const code = died.attributes["exitCode"];
      return {
        startedAtMs: started?.atMs ?? null,
        endedAtMs: died.atMs,
        exitCode: code === undefined ? null : Number(code),
        asked: run.some((event) => event.action === "kill" && event.atMs <= died.atMs),
        died,
      };
    });
}

/** Runs that ended by themselves within the window in which repeated deaths are one loop. */
export function recentCrashes(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): Run[] {
  const since = hostNowMs(world, view.host) - limits.loopWindowMs;
  return endedRuns(view).filter((run) => !run.asked && run.endedAtMs >= since);
}

export function runMs(run: Run): number | null {
  return run.startedAtMs === null ? null : run.endedAtMs - run.startedAtMs;
}

/** Null when no length is known. */
export function medianRunMs(runs: readonly Run[]): number | null {
  const lengths = runs
    .map(runMs)
    .filter((length): length is number => length !== null)
    .sort((a, b) => a - b);
  return lengths[Math.floor(lengths.length / 2)] ?? null;
}

/** Share of the time from the first remembered start to the last end in which it ran; null when that is unknown. */
export function upShare(runs: readonly Run[]): number | null {
  const known = runs.filter((run) => run.startedAtMs !== null);
  const first = known[0]?.startedAtMs ?? null;
  const last = known.at(-1)?.endedAtMs ?? null;
  if (first === null || last === null || last <= first) return null;
  return known.reduce((sum, run) => sum + (runMs(run) ?? 0), 0) / (last - first);
}

/** How long the last run lasted, by its events, else by the state's own times. */
export function lastRunMs(view: ContainerView): number | null {
  const last = endedRuns(view).at(-1);
  const byEvents = last === undefined ? null : runMs(last);
  if (byEvents !== null) return byEvents;
  const state = view.inspect?.value;
  if (state === undefined || state.startedAtMs === null || state.finishedAtMs === null) return null;
  return state.finishedAtMs >= state.startedAtMs ? state.finishedAtMs - state.startedAtMs : null;
}

import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { isPeerSignal } from "../graph.ts";
import { eventFacts } from "../hands.ts";
import { limits } from "../limits.ts";
import type { ContainerInspect } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs, medianRunMs, type Run, recentCrashes, upShare } from "../runs.ts";
import { isCurrent, told } from "../told.ts";
import { type ContainerView, cite, hostNowMs, type World } from "../world.ts";

/**
 * It ends by itself again and again and its policy starts it again. Which cause it is depends on how long it lives: one
 * that serves between its deaths hides them (`masked-crashes`), one that never gets that far fails at every start. The
 * engine doubles its delay from 100 ms up to a minute (moby restartmanager), so a late loop is mostly waiting.
 * Whoever names why in the log, and knows a code for it, outweighs this rule.
 */
export const restartLoop: Rule = {
  name: "restart-loop",
  causes: ["crash-loop-config", "masked-crashes", "backoff-window", "completed-exit-0"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined || !hasPolicy(inspect)) return [];
    if (!inspect.running && !inspect.restarting) return [];
    const runs = recentCrashes(world, view);
    if (Math.max(runs.length, inspect.restartCount) < 2 || isOver(world, view, inspect, runs)) return [];
    if (endedByOthers(world, view)) return [];
    if (isMasked(runs)) return [masked(world, view, inspect, runs)];
    if (comesToAnEnd(runs) && !blamesPeer(world, view)) return [completedAgain(world, view, inspect, runs)];
    return [loop(world, view, inspect, runs)];
  },
};

export function hasPolicy(inspect: ContainerInspect): boolean {
  return inspect.restartPolicy.name !== "no" && inspect.restartPolicy.name !== "";
}

/** It has been running for much longer than its runs used to last: the count alone is history. */
function isOver(world: World, view: ContainerView, inspect: ContainerInspect, runs: readonly Run[]): boolean {
  if (!inspect.running || inspect.restarting || inspect.startedAtMs === null) return false;
  const usual = medianRunMs(runs) ?? lastRunMs(view) ?? 0;
  return hostNowMs(world, view.host) - inspect.startedAtMs > Math.max(limits.stableRunMs, 3 * usual);
}

/** The kernel or the host ended it: those loops have their own rules. */
function endedByOthers(world: World, view: ContainerView): boolean {
  const death = lastDeath(world, view);
  return death !== null && death.kind !== "own-exit" && death.kind !== "stop-clean" && death.kind !== "outside-kill";
}

/** Whether the look falls between two runs is chance: how long it serves of all the time is not. */
function isMasked(runs: readonly Run[]): boolean {
  const usual = medianRunMs(runs);
  const share = upShare(runs);
  return (
    runs.length >= 2 && usual !== null && usual >= limits.servingRunMs && share !== null && share >= limits.servingShare
  );
}

function masked(world: World, view: ContainerView, inspect: ContainerInspect, runs: readonly Run[]): Finding {
  const usual = Math.round((medianRunMs(runs) ?? 0) / 1_000);
  return faultAt(view, {
    cause: "masked-crashes",
    summary: `${view.name} runs nearly whenever one looks, yet it died ${runs.length} times within the last hour and its restart policy ${inspect.restartPolicy.name} brought it back; its runs last about ${usual} s`,
    facts: [
      countFact(view, inspect),
      ...eventFacts(
        world,
        view,
        runs.slice(-3).map((run) => run.died),
      ),
      ...factOf(view, `${runs.length} deaths within the last hour, median run ${usual} s`),
    ],
    witnesses: ["docker-events", "docker-inspect"],
    onsetMs: runs[0]?.endedAtMs ?? null,
    weight: blamesPeer(world, view) ? weight.weak : weight.strong + 3,
    kind: blamesPeer(world, view) ? "hazard" : "fault",
    // Between two deaths every probe succeeds; that proves nothing against them.
    past: true,
    advice: [
      `Requests fail in the moments between death and restart: read the last lines of ${view.name} before each death (docker logs --timestamps ${view.name}) and mend what ends it; a restart policy only hides it.`,
    ],
  });
}

function loop(world: World, view: ContainerView, inspect: ContainerInspect, runs: readonly Run[]): Finding {
  const codes = new Set(runs.map((run) => run.exitCode));
  const code = codes.size === 1 ? runs[0]?.exitCode : inspect.exitCode;
  const waiting = inspect.restarting && inspect.restartCount >= limits.longDelayRestarts && !saysWhy(world, view);
  const consequence = blamesPeer(world, view);
  const often = `restarted ${inspect.restartCount} times by its policy ${inspect.restartPolicy.name}`;
  return faultAt(view, {
    cause: waiting ? "backoff-window" : "crash-loop-config",
    summary: waiting
      ? `${view.name} is not stopped: it crashes at every start with exit ${code}, and Docker waits, up to a minute, before it tries again; ${often}`
      : `${view.name} is in a restart loop: every start ends the same way, with exit ${code}; ${often}`,
    facts: [
      countFact(view, inspect),
      ...eventFacts(
        world,
        view,
        runs.slice(-3).map((run) => run.died),
      ),
      ...factOf(view, `exit ${code}`),
      ...lastWords(world, view),
    ],
    witnesses: ["docker-inspect", ...(runs.length > 0 ? ["docker-events"] : [])],
    onsetMs: runs[0]?.endedAtMs ?? null,
    weight: consequence ? weight.weak : weight.told + 2,
    kind: consequence ? "hazard" : "fault",
    advice: [
      waiting
        ? `Wait for the next start and read what it says before it ends: docker logs --tail 50 ${view.name}. Starting it by hand only repeats the crash.`
        : `A restart cannot help, every start meets the same setting or state: read docker logs --tail 50 ${view.name}, correct its configuration and recreate it.`,
    ],
  });
}

/** No start fails: what it runs is done each time. */
function comesToAnEnd(runs: readonly Run[]): boolean {
  return runs.length >= 2 && runs.every((run) => run.exitCode === 0);
}

function completedAgain(world: World, view: ContainerView, inspect: ContainerInspect, runs: readonly Run[]): Finding {
  const policy = inspect.restartPolicy.name;
  return faultAt(view, {
    cause: "completed-exit-0",
    summary: `The main command of ${view.name} comes to its end with exit 0, and its restart policy ${policy} starts it again each time, ${inspect.restartCount} times so far: the command or the policy is wrong`,
    facts: [
      countFact(view, inspect),
      ...eventFacts(
        world,
        view,
        runs.slice(-3).map((run) => run.died),
      ),
      ...factOf(view, `exit 0 of ${inspect.command.join(" ").slice(0, 200)}`),
      ...lastWords(world, view),
    ],
    witnesses: ["docker-inspect", "docker-events"],
    onsetMs: runs[0]?.endedAtMs ?? null,
    weight: weight.told + 2,
    advice: [
      `Check the command of ${view.name}: a server must stay in the foreground; a job that is meant to end needs the restart policy no or on-failure.`,
    ],
  });
}

/** It says that somebody else does not answer: then its end is a consequence. */
export function blamesPeer(world: World, view: ContainerView): boolean {
  return view.signals.some((signal) => isPeerSignal(signal) && isCurrent(world, view, signal));
}

function saysWhy(world: World, view: ContainerView): boolean {
  return told(world, view, ["uncaught-exception", "module-missing", "env-missing", "config-invalid"]) !== null;
}

function countFact(view: ContainerView, inspect: ContainerInspect): Fact {
  return cite(
    view.inspect as NonNullable<ContainerView["inspect"]>,
    `State.Status=${inspect.status} RestartCount=${inspect.restartCount} RestartPolicy=${inspect.restartPolicy.name} State.ExitCode=${inspect.exitCode}`,
    view.name,
  );
}

function factOf(view: ContainerView, text: string): Fact[] {
  return view.inspect === null ? [] : [cite(view.inspect, text, view.name)];
}

/** The last line it printed, whatever it is: for people, not for a verdict. */
export function lastWords(_world: World, view: ContainerView): Fact[] {
  const line = view.logs?.value.lines.findLast(({ text }) => text.trim() !== "");
  return line === undefined || view.logs === null ? [] : [cite(view.logs, line.text, view.name)];
}

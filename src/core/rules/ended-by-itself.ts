import { type Death, lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import type { ContainerInspect } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs } from "../runs.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, type World } from "../world.ts";
import { blamesPeer, lastWords } from "./restart-loop.ts";

/**
 * It ended by itself and its restart policy, as it is configured, leaves it down: Docker gave up, there is no policy, or
 * the policy does not count a clean exit as a failure. `RestartCount` counts only the policy's own restarts and is 0
 * again after a daemon restart.
 */
export const endedByItself: Rule = {
  name: "ended-by-itself",
  causes: ["retries-exhausted", "no-policy-after-crash", "on-failure-exit-0"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined || inspect.status !== "exited" || inspect.restarting) return [];
    const death = lastDeath(world, view);
    if (death === null || death.kind !== "own-exit" || death.exitCode === null) return [];
    const { name, maximumRetryCount } = inspect.restartPolicy;
    if (name === "on-failure" && death.exitCode === 0) return [cleanExit(view, inspect, death)];
    if (death.exitCode === 0 || isSignalled(death.exitCode) || isShimDeath(inspect, death)) return [];
    if (name === "on-failure" && maximumRetryCount > 0 && inspect.restartCount >= maximumRetryCount)
      return [gaveUp(world, view, inspect, death)];
    if ((name === "no" || name === "") && hadServed(view)) return [crashedOnce(world, view, inspect, death)];
    return [];
  },
};

function cleanExit(view: ContainerView, inspect: ContainerInspect, death: Death): Finding {
  return faultAt(view, {
    cause: "on-failure-exit-0",
    summary: `${view.name} ended with exit 0, and its restart policy on-failure restarts only after a failure: by design it stays down`,
    facts: [...death.facts, policyFact(view, inspect)],
    witnesses: ["docker-inspect", ...(view.events.some((event) => event.action === "die") ? ["docker-events"] : [])],
    onsetMs: death.atMs,
    weight: weight.proven - 1,
    advice: ["If it is meant to run for ever, give it the restart policy unless-stopped, and find out why it ended."],
  });
}

function gaveUp(world: World, view: ContainerView, inspect: ContainerInspect, death: Death): Finding {
  const retries = inspect.restartPolicy.maximumRetryCount;
  const why = saysWhy(world, view);
  return faultAt(view, {
    cause: "retries-exhausted",
    summary: `Docker gave up on ${view.name}: it failed with exit ${death.exitCode} and its policy on-failure allows ${retries} retries, all of which are used (RestartCount ${inspect.restartCount})`,
    facts: [...death.facts, policyFact(view, inspect), ...lastWords(world, view)],
    witnesses: ["docker-inspect", ...(view.events.some((event) => event.action === "die") ? ["docker-events"] : [])],
    onsetMs: death.atMs,
    weight: blamesPeer(world, view) ? weight.hinted : why ? weight.told - 5 : weight.strong + 5,
    advice: [
      `Find out what each start failed of: docker logs --tail 50 ${view.name}. A start by hand begins a new count.`,
    ],
  });
}

/** It had been at work: what ends a program at its start is told by other causes. */
function crashedOnce(world: World, view: ContainerView, inspect: ContainerInspect, death: Death): Finding {
  const ranS = Math.round((lastRunMs(view) ?? 0) / 1_000);
  return faultAt(view, {
    cause: "no-policy-after-crash",
    summary: `${view.name} crashed with exit ${death.exitCode} after it had run for ${ranS} s, and it has no restart policy, so nothing brought it back`,
    facts: [
      ...death.facts,
      policyFact(view, inspect, `ran for ${ranS} s, exit ${death.exitCode}`),
      ...lastWords(world, view),
    ],
    witnesses: ["docker-inspect", ...(view.events.some((event) => event.action === "die") ? ["docker-events"] : [])],
    onsetMs: death.atMs,
    weight: blamesPeer(world, view) ? weight.hinted : weight.strong + 3,
    advice: [`Read why it ended: docker logs --tail 50 ${view.name}.`],
  });
}

/** Answers in its log, a ready line, or a run that lasted: it was past its start. */
function hadServed(view: ContainerView): boolean {
  const ran = lastRunMs(view);
  const answered = view.signals.some((signal) => signal.kind === "http-ok" || signal.kind === "server-ready");
  return (answered && (ran === null || ran >= 1_000)) || (ran !== null && ran >= limits.pastStartMs);
}

function saysWhy(world: World, view: ContainerView): boolean {
  return told(world, view, ["module-missing", "env-missing", "config-invalid", "permission-denied"]) !== null;
}

/** 128 + n: a signal ended it, which is another question. */
function isSignalled(exitCode: number): boolean {
  return exitCode > 128 && exitCode < 166;
}

/** The engine told 255 and keeps 137: its supervisor was lost. */
function isShimDeath(inspect: ContainerInspect, death: Death): boolean {
  return death.exitCode === 255 && inspect.exitCode === 137;
}

function policyFact(view: ContainerView, inspect: ContainerInspect, more = "") {
  const { name, maximumRetryCount } = inspect.restartPolicy;
  const retries = name === "on-failure" ? `:${maximumRetryCount}` : "";
  return cite(
    view.inspect as NonNullable<ContainerView["inspect"]>,
    `RestartPolicy=${name === "" ? "no" : name}${retries} MaximumRetryCount=${maximumRetryCount} RestartCount=${inspect.restartCount}${more === "" ? "" : `; ${more}`}`,
    view.name,
  );
}

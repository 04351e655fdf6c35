import type { Finding } from "../diagnosis.ts";
import { askedRestarts, eventFacts } from "../hands.ts";
import { limits } from "../limits.ts";
import { answersNow, listensOutside } from "../own-failure.ts";
import type { DockerEvent } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, type World } from "../world.ts";

/**
 * Docker itself never restarts an unhealthy container; a helper beside it does (autoheal, a cron job). It asks the engine
 * to restart, so the engine tells `restart`, at intervals, each time after the health turned. What serves well in
 * between is restarted because of a wrong probe; what is never given the time to become ready has too short a start
 * period.
 */
export const helperRestarts: Rule = {
  name: "helper-restarts",
  causes: ["autoheal-loop", "start-period-short"],
  needs: ["docker-inspect", "docker-events"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined || inspect.healthcheck === null) return [];
    const since = hostNowMs(world, view.host) - limits.helperWindowMs;
    const restarts = askedRestarts(view).filter((event) => event.atMs >= since);
    if (restarts.length < 2 || !followHealth(view, restarts)) return [];
    return [wasReady(view, restarts) ? autoheal(world, view, restarts) : tooEarly(world, view, restarts)];
  },
};

/** The health turned bad before most of them, or is bad or undecided now with failures on record. */
function followHealth(view: ContainerView, restarts: readonly DockerEvent[]): boolean {
  const bad = view.events.filter(
    (event) => event.action.startsWith("health_status") && event.action.includes("unhealthy"),
  );
  const led = restarts.filter((restart, at) => {
    const from = restarts[at - 1]?.atMs ?? 0;
    return bad.some((event) => event.atMs > from && event.atMs <= restart.atMs);
  });
  if (led.length * 2 >= restarts.length && led.length > 0) return true;
  const health = view.inspect?.value.health;
  return (
    health != null &&
    health.status !== "healthy" &&
    health.log.some((entry) => entry.exitCode !== 0) &&
    isRegular(restarts)
  );
}

/** Intervals that differ by less than half of their mean: nobody presses a key so evenly. */
function isRegular(restarts: readonly DockerEvent[]): boolean {
  const gaps = restarts.slice(1).map((event, at) => event.atMs - (restarts[at]?.atMs ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  return gaps.length >= 2 && gaps.every((gap) => Math.abs(gap - mean) < mean / 2);
}

/** It serves: it answers a probe, listens, or its log holds answers to others than the health check alone. */
function wasReady(view: ContainerView, restarts: readonly DockerEvent[]): boolean {
  if (answersNow(view) || listensOutside(view)) return true;
  const since = restarts[0]?.atMs ?? 0;
  return view.signals.some(
    (signal) => (signal.kind === "http-ok" || signal.kind === "server-ready") && (signal.line.atMs ?? 0) >= since,
  );
}

function autoheal(world: World, view: ContainerView, restarts: readonly DockerEvent[]): Finding {
  return faultAt(view, {
    cause: "autoheal-loop",
    summary: `A helper restarts ${view.name} whenever its health check fails, ${restarts.length} times in the window, while ${view.name} itself gets up and serves each time: the health check is wrong`,
    facts: [...healthFacts(view, restarts), ...eventFacts(world, view, restarts.slice(-3))],
    witnesses: ["docker-events", "docker-inspect"],
    onsetMs: restarts[0]?.atMs ?? null,
    past: true,
    weight: weight.strong + 4,
    advice: [
      `Correct the health check of ${view.name} (healthcheck: test) or stop the helper that acts on it; until then every failed check interrupts a working service.`,
    ],
  });
}

function tooEarly(world: World, view: ContainerView, restarts: readonly DockerEvent[]): Finding {
  const check = view.inspect?.value.healthcheck;
  const graceS = Math.round((check?.startPeriodMs ?? 0) / 1_000);
  return faultAt(view, {
    cause: "start-period-short",
    summary: `${view.name} is judged unhealthy while it still starts, with a start period of ${graceS} s, and a helper restarts it each time before it is ready: ${restarts.length} restarts in the window`,
    facts: [...healthFacts(view, restarts, `StartPeriod=${graceS} s`), ...eventFacts(world, view, restarts.slice(-3))],
    witnesses: ["docker-events", "docker-inspect"],
    onsetMs: restarts[0]?.atMs ?? null,
    weight: weight.strong + 4,
    advice: [
      `Give ${view.name} a start period longer than its slowest start (healthcheck: start_period), and let the helper wait for it.`,
    ],
  });
}

function healthFacts(view: ContainerView, restarts: readonly DockerEvent[], more = "") {
  if (view.inspect === null) return [];
  const { healthcheck, health } = view.inspect.value;
  const last = health?.log.at(-1);
  const test = (healthcheck?.test ?? []).join(" ");
  const told = last === undefined ? "" : `, last exit ${last.exitCode}: ${last.output.trim().slice(0, 200)}`;
  return [
    cite(
      view.inspect,
      `Health.Status=${health?.status ?? "none"}${told}; Healthcheck.Test=${test}${more === "" ? "" : `; ${more}`}; ${restarts.length} restart events`,
      view.name,
    ),
  ];
}

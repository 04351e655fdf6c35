import { describeEvent } from "../death.ts";
import { askedRestarts } from "../hands.ts";
import { limits } from "../limits.ts";
import type { DockerEvent } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * A person is repairing this container right now: trouble was there first, then somebody went inside and restarted it, or
 * restarts it again and again, within the last two minutes. A second hand only gets in the way.
 */
export const operator: Rule = {
  name: "operator",
  causes: ["operator-already-acting"],
  needs: ["docker-events"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    const window = hostOf(world, view.host)?.events;
    if (inspect === undefined || inspect.paused || window == null) return [];
    const sinceMs = hostNowMs(world, view.host) - limits.operatorActsMs;
    const lately = view.events.filter((event) => event.atMs >= sinceMs);
    const inside = lately.filter((event) => isByPerson(view, event));
    const restarts = askedRestarts(view).filter((event) => event.atMs >= sinceMs);
    const troubleMs = firstTroubleMs(world, view);
    const cycles = inspect.running ? [] : handCycles(lately);
    if (!inspect.running && cycles.length === 0) return [];
    const acts = [...inside, ...restarts, ...cycles].sort((a, b) => a.atMs - b.atMs);
    const answering = acts.filter((event) => troubleMs !== null && event.atMs > troubleMs);
    const enough = cycles.length > 0 || restarts.length >= 2 || (restarts.length >= 1 && inside.length >= 1);
    if (!enough || answering.length < 2) return [];
    return [
      faultAt(view, {
        cause: "operator-already-acting",
        summary: `Somebody is working on ${view.name} right now: it was entered or restarted by hand moments ago`,
        facts: answering.slice(-4).map((event) => cite(window, `${describeEvent(event)}`, view.name)),
        witnesses: ["docker-events"],
        onsetMs: troubleMs,
        weight: cycles.length > 0 ? weight.proven + 1 : weight.strong + 5,
        advice: [`Ask who is working on ${view.name} before doing anything to it.`],
      }),
    ];
  },
};

/** Stopped, started and stopped again by hand, with a look inside or a pause between: it is down in the middle of that work. */
function handCycles(lately: readonly DockerEvent[]): DockerEvent[] {
  const acts = lately.filter((event) => /^(stop|start|pause|unpause|exec_create)\b/.test(event.action));
  const stops = acts.filter((event) => event.action === "stop");
  const again = acts.some(
    (event) => event.action === "start" && event.atMs > (stops[0]?.atMs ?? Number.POSITIVE_INFINITY),
  );
  const between = acts.some((event) => /^(pause|exec_create)\b/.test(event.action));
  return stops.length >= 2 && again && between ? acts.filter((event) => !event.action.startsWith("exec")) : [];
}

/** An exec that is not the health check's. */
function isByPerson(view: ContainerView, event: DockerEvent): boolean {
  if (!event.action.startsWith("exec_create")) return false;
  const test = (view.inspect?.value.healthcheck?.test ?? []).slice(1).join(" ").trim();
  return test === "" || !event.action.includes(test.slice(0, 60));
}

/** The first failure that anybody's log tells of within the events' window. */
function firstTroubleMs(world: World, view: ContainerView): number | null {
  const sinceMs = hostNowMs(world, view.host) - limits.recentTroubleMs;
  const of = (from: ContainerView) =>
    from.signals
      .filter((signal) => signal.kind === "http-5xx" || signal.kind.startsWith("peer-"))
      .map((signal) => signal.line.atMs)
      .filter((atMs): atMs is number => atMs !== null && atMs >= sinceMs);
  const times = [view, ...world.subjects].flatMap(of);
  return times.length === 0 ? null : Math.min(...times);
}

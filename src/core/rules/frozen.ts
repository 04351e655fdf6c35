import { describeEvent } from "../death.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { cite, hostOf } from "../world.ts";

/** Paused through Docker, or stopped by a signal while Docker says running. Callers time out; nobody refuses. */
export const frozen: Rule = {
  name: "frozen",
  causes: ["dep-paused", "human-pause", "dep-sigstop"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    if (view.inspect.value.paused) {
      const paused = view.events.findLast((event) => event.action === "pause");
      const events = hostOf(world, view.host)?.events;
      const facts = [cite(view.inspect, "State.Paused=true", view.name)];
      if (paused !== undefined && events != null) facts.push(cite(events, describeEvent(paused), view.name));
      const cause = world.subjects.includes(view) ? "human-pause" : "dep-paused";
      const witnesses = ["docker-inspect", ...(paused === undefined ? [] : ["docker-events"])];
      return [
        faultAt(view, {
          cause,
          summary: `${view.name} is paused: its processes are frozen and answer nobody`,
          facts,
          witnesses,
          onsetMs: paused?.atMs ?? null,
          weight: weight.proven,
        }),
      ];
    }
    const process = view.process;
    if (process === null || !view.inspect.value.running || !/^[Tt]/.test(process.value.state ?? "")) return [];
    return [
      faultAt(view, {
        cause: "dep-sigstop",
        summary: `${view.name}'s main process is frozen by a stop signal while Docker says running`,
        facts: [
          cite(process, `process state ${process.value.state} (stopped)`, view.name),
          cite(view.inspect, "State.Status=running State.Paused=false", view.name),
        ],
        witnesses: ["process-facts", "docker-inspect"],
        weight: weight.proven,
      }),
    ];
  },
};

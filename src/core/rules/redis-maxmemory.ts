import { complaintFacts, complaintsAbout } from "../complaints.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { cite } from "../world.ts";

/** Redis says no to writes at the limit it was given itself. The server runs, and no kernel is involved. */
export const redisMaxmemory: Rule = {
  name: "redis-maxmemory",
  causes: ["redis-maxmemory"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true) return [];
    const complaints = complaintsAbout(world, view, ["peer-out-of-memory"])
      .map((entry) => ({ ...entry, signals: entry.signals.filter((signal) => signal.technology === "redis") }))
      .filter((entry) => entry.signals.length > 0);
    if (complaints.length === 0) return [];
    const words = [...view.inspect.value.entrypoint, ...view.inspect.value.command].join(" ");
    const own = /--?maxmemory[ =]"?(\d{1,15}\s*[a-zA-Z]{0,2})/.exec(words)?.[1]?.trim();
    const state = `State.Status=${view.inspect.value.status} State.OOMKilled=${view.inspect.value.oomKilled}`;
    return [
      faultAt(view, {
        cause: "redis-maxmemory",
        summary: `${view.name} refuses writes because it is full by its own maxmemory${own === undefined ? "" : ` of ${own}`}; it runs, and the container's limit and the kernel are not involved`,
        facts: [
          ...complaintFacts(complaints.slice(0, 2)),
          cite(view.inspect, own === undefined ? state : `${state} Config.Cmd holds maxmemory ${own}`, view.name),
        ],
        witnesses: ["docker-logs", ...(own === undefined ? [] : ["docker-inspect"])],
        onsetMs: complaints[0]?.signals[0]?.line.atMs ?? null,
        weight: weight.proven,
        advice: [
          `Raise maxmemory of ${view.name} (below its container's limit), give keys an expiry, or choose an eviction policy if its data may be dropped.`,
        ],
      }),
    ];
  },
};

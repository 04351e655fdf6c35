import type { Finding } from "../diagnosis.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe } from "../symptom.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/**
 * What it is not. The asked-about service that runs, answers a probe and blames somebody else in its log is healthy:
 * restarting it changes nothing.
 */
export const healthy: Rule = {
  name: "healthy",
  causes: ["unknown-cause"],
  needs: ["docker-inspect", "http-probe"],
  evaluate(world, view) {
    if (!world.subjects.includes(view) || view.inspect === null || view.inspect.value.status !== "running") return [];
    return aliveSubject(world, view);
  },
};

function aliveSubject(world: World, view: ContainerView): Finding[] {
  const answered = view.probes.filter(
    (probe) => probe.value.kind === "http" && probe.value.httpStatus !== null && probe.value.httpStatus < 400,
  );
  const first = answered[0];
  const blamesPeer = world.edges.some((edge) => edge.from.containerId === view.id && edge.failures.length > 0);
  if (first === undefined || !blamesPeer || view.inspect === null) return [];
  return [
    faultAt(view, {
      kind: "ruled-out",
      cause: "unknown-cause",
      summary: `${view.name} itself is healthy: ${describeProbe(first.value)}; what its log complains of is what it depends on, so restarting ${view.name} changes nothing`,
      facts: [
        cite(first, describeProbe(first.value), view.name),
        cite(view.inspect, `State.Status=running RestartCount=${view.inspect.value.restartCount}`, view.name),
      ],
      witnesses: ["http-probe", "docker-inspect"],
      weight: weight.weak,
    }),
  ];
}

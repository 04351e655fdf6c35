import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import { describeProbe } from "./symptom.ts";
import { told } from "./told.ts";
import { type ContainerView, cite, type World } from "./world.ts";

/**
 * Whether a container is seen to be slow: a probe that answered late or not in time, callers or its own log that speak
 * of time-outs. Where slowness was asked about, the question itself counts for the asked-about service.
 */
export function isSlow(world: World, view: ContainerView): boolean {
  if (slowProbes(view).length > 0 || slowLines(world, view) !== null) return true;
  if (world.target.symptom === "any" && world.subjects.includes(view)) return true;
  return world.edges.some(
    (edge) =>
      edge.to.containerId === view.id &&
      edge.to.host === view.host &&
      edge.failures.some((signal) => signal.kind === "peer-timeout" || signal.kind === "upstream-timeout"),
  );
}

export function describeSlowness(world: World, view: ContainerView): Fact[] {
  const probes = slowProbes(view).map((probe) =>
    cite(probe, `${describeProbe(probe.value)} after ${Math.round(probe.value.durationMs)} ms`, view.name),
  );
  return [...probes, ...(slowLines(world, view)?.facts ?? [])].slice(0, 2);
}

function slowProbes(view: ContainerView) {
  return view.probes.filter(
    (probe) => probe.value.failure === "timeout" || probe.value.durationMs >= limits.slowProbeMs,
  );
}

function slowLines(world: World, view: ContainerView) {
  return told(
    world,
    view,
    ["slow-request", "server-slow-query", "worker-killed"],
    (signal) => signal.kind !== "worker-killed" || /TIMEOUT/i.test(signal.line.text),
  );
}

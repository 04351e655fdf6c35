import { answersNow, outsidePorts } from "../own-failure.ts";
import { stem } from "../replicas.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite } from "../world.ts";

/** The asked-about container works and nobody comes: an older one of the same kind still owns the published port. */
export const oldContainer: Rule = {
  name: "old-container",
  causes: ["old-container-serves"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect;
    if (inspect === null || !world.subjects.includes(view) || !inspect.value.running) return [];
    if (inspect.value.portBindings.length > 0 || !answersNow(view)) return [];
    const ports = portsOf(view);
    const older = world.containers.find(
      (other) =>
        other !== view &&
        other.host === view.host &&
        !world.subjects.includes(other) &&
        other.inspect?.value.running === true &&
        stem(other.name) === stem(view.name) &&
        (other.inspect.value.createdAtMs ?? 0) < (inspect.value.createdAtMs ?? 0) &&
        other.inspect.value.portBindings.some((binding) => ports.includes(binding.containerPort)),
    );
    if (older?.inspect == null) return [];
    const binding = older.inspect.value.portBindings.find((entry) => ports.includes(entry.containerPort));
    const bound =
      older.summary?.value.ports.find((entry) => entry.containerPort === binding?.containerPort)?.hostPort ??
      binding?.hostPort;
    const fact = cite(
      older.inspect,
      `PortBindings: ${bound ?? "a port"} of the host to ${binding?.containerPort}; created ${stamp(older)}; image ${older.inspect.value.image}`,
      older.name,
    );
    return [
      faultAt(older, {
        cause: "old-container-serves",
        summary:
          `The old container ${older.name} still owns the published port ${bound ?? ""}, so users reach it and not the newer ${view.name}, which works and publishes nothing`.replace(
            "  ",
            " ",
          ),
        facts: [
          fact,
          cite(inspect, `PortBindings: none; created ${stamp(view)}; image ${inspect.value.image}`, view.name),
        ],
        witnesses: ["docker-inspect", "docker-list"],
        shownBy: view.ref,
        link: { proof: "address", facts: [fact] },
        past: true,
        weight: weight.strong + 1,
        advice: [
          `Recreate ${view.name} with the published port after ${older.name} was stopped, or point the proxy at ${view.name}; keep ${older.name} until the new one is seen to serve.`,
        ],
      }),
    ];
  },
};

function portsOf(view: ContainerView): number[] {
  const exposed = view.inspect?.value.exposedPorts.map((entry) => entry.port) ?? [];
  const listening = outsidePorts(view);
  return [...new Set([...exposed, ...listening])];
}

function stamp(view: ContainerView): string {
  const atMs = view.inspect?.value.createdAtMs ?? null;
  return atMs === null ? "at an unknown time" : new Date(atMs).toISOString();
}

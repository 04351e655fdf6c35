import { current } from "../complaints.ts";
import { edgesFrom } from "../graph.ts";
import type { SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";

const waits: readonly SignalKind[] = [
  "peer-refused",
  "peer-timeout",
  "peer-awaited",
  "peer-name-unknown",
  "peer-unreachable",
  "upstream-missing",
];

/** Two services each wait for the other before they open their own port, so neither ever does. */
export const startOrder: Rule = {
  name: "start-order",
  causes: ["start-order-cycle"],
  needs: ["docker-logs", "process-facts"],
  evaluate(world, view) {
    if (opens(view)) return [];
    return edgesFrom(world.edges, view.ref).flatMap((edge) => {
      const other = edge.to.host === null ? null : containerOf(world, edge.to);
      if (other === null || opens(other) || !waitsFor(world, view, edge.failures)) return [];
      const back = edgesFrom(world.edges, other.ref).find(
        (reverse) => reverse.to.containerId === view.id && waitsFor(world, other, reverse.failures),
      );
      if (back === undefined) return [];
      const states = [view, other].flatMap((each) =>
        each.process === null ? [] : [cite(each.process, "0 listening sockets", each.name)],
      );
      return [
        faultAt(view, {
          cause: "start-order-cycle",
          summary: `${view.name} waits for ${other.name} and ${other.name} waits for ${view.name}: neither opens its port`,
          facts: [...edge.facts, ...back.facts, ...states],
          witnesses: ["docker-logs", "docker-logs of the other", ...(states.length > 0 ? ["process-facts"] : [])],
          weight: weight.proven,
          onsetMs: view.inspect?.value.startedAtMs ?? null,
          advice: [
            `Break the circle: let ${view.name} or ${other.name} start without the other and connect later, with retries.`,
          ],
        }),
      ];
    });
  },
};

function waitsFor(world: World, view: ContainerView, failures: Parameters<typeof current>[2]): boolean {
  return current(world, view, failures).some((signal) => waits.includes(signal.kind));
}

/** It listens, if only for itself; the engine's name server does not count. One that ended or is between two starts has none. */
function opens(view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return true;
  if (!inspect.running || inspect.restarting) return !inspect.restarting && inspect.restartCount === 0;
  if (view.process === null) return true;
  return view.process.value.listeners.some((socket) => socket.address !== "127.0.0.11");
}

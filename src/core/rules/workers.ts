import type { Finding } from "../diagnosis.ts";
import { coresUsed, treeOf } from "../process-tree.ts";
import { addressesOf } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe } from "../symptom.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/** Calls to one peer that together count as "everybody waits for it". */
const manyCalls = 3;

/**
 * It listens and nobody serves, because whoever could serve waits for an answer of somebody else: the only worker, or
 * all of them. Idle CPU and open calls tell this from a program that computes and from one that hangs for itself.
 */
export const workers: Rule = {
  name: "workers",
  causes: ["single-worker-blocked", "slow-endpoint-starves-pool"],
  needs: ["docker-inspect", "process-facts", "http-probe"],
  evaluate(world, view) {
    const process = view.process;
    const seen = view.inspect;
    if (seen === null || process === null || seen.value.status !== "running") return [];
    const late = view.probes.filter((probe) => probe.value.kind === "http" && probe.value.failure === "timeout");
    if (late.length === 0 || late.length < view.probes.filter((probe) => probe.value.kind === "http").length) return [];
    if (process.value.listeners.length === 0 || /^[TtD]/.test(process.value.state ?? "")) return [];
    const rows = treeOf(world, view);
    if (coresUsed(rows.filter((row) => row.state === "R")) >= 0.3) return [];
    return blocked(world, view, rows.length, late[0] as (typeof late)[number]);
  },
};

function blocked(
  world: World,
  view: ContainerView,
  processCount: number,
  late: ContainerView["probes"][number],
): Finding[] {
  const process = view.process as NonNullable<ContainerView["process"]>;
  const { listeners, connections, threads } = process.value;
  const served = new Set(listeners.map((socket) => socket.port));
  const inbound = connections.filter((socket) => served.has(socket.port));
  const calls = connections.filter((socket) => !served.has(socket.port) && socket.state === "ESTABLISHED");
  const byPeer = [...Map.groupBy(calls, (socket) => `${socket.remoteAddress}:${socket.remotePort}`)].sort(
    (a, b) => b[1].length - a[1].length,
  )[0];
  if (byPeer === undefined || inbound.length === 0) return [];
  const [place, sockets] = byPeer;
  const peer = world.containers.find(
    (other) => other.host === view.host && addressesOf(other).includes(sockets[0]?.remoteAddress ?? ""),
  );
  const whom = peer?.name ?? place;
  // A master with its one worker is two processes; threads are counted for the main process only.
  const single = (threads ?? 1) <= 2 && processCount <= 2;
  const facts = [
    cite(
      process,
      `threads ${threads}, processes ${processCount}, open calls to ${place}: ${sockets.length}, clients connected ${inbound.length}`,
      view.name,
    ),
    cite(late, describeProbe(late.value), view.name),
  ];
  const base = { facts, witnesses: ["process-facts", "http-probe"] };
  if (single && sockets.length <= 2) {
    return [
      faultAt(view, {
        ...base,
        cause: "single-worker-blocked",
        summary: `The only worker of ${view.name} waits for one call to ${whom}, so everything else, also its health path, waits too`,
        weight: weight.strong,
        advice: [
          `Run ${view.name} with more workers, and give its calls to ${whom} a time limit; a restart only frees it once.`,
        ],
      }),
    ];
  }
  if (single || sockets.length < manyCalls) return [];
  return [
    faultAt(view, {
      ...base,
      cause: "slow-endpoint-starves-pool",
      summary: `All workers of ${view.name} wait for ${whom}: ${sockets.length} calls to it are open, and nobody is left for other requests`,
      weight: weight.strong,
      advice: [`Give the calls to ${whom} a short time limit and a pool of their own, and look why ${whom} is slow.`],
    }),
  ];
}

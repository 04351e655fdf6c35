import { callsFrom } from "../callers.ts";
import { configuredPeers } from "../graph.ts";
import { connectsArrive, recentTroubleOf } from "../own-failure.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe } from "../symptom.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/**
 * It takes connections and answers none, without working: no processor time to speak of, no stop signal, no peer that is
 * blamed, and no health check that would notice. A full accept queue, a stopped process, a busy one and a blocked log
 * have rules of their own, which outweigh this one.
 */
export const hang: Rule = {
  name: "hang",
  causes: ["no-healthcheck-hang"],
  needs: ["docker-inspect", "http-probe", "process-facts"],
  evaluate(world, view) {
    const inspect = view.inspect;
    const process = view.process;
    if (inspect === null || process === null || !inspect.value.running || inspect.value.paused) return [];
    if (inspect.value.health !== null && inspect.value.health.status === "unhealthy") return [];
    const http = view.probes.filter((probe) => probe.value.kind === "http");
    const silent = http.filter(({ value }) => value.failure === "timeout" && connectsArrive(view, value.port));
    if (silent.length === 0 || silent.length < http.length) return [];
    if (/^[TtZD]/.test(process.value.state ?? "") || (process.value.listenOverflows ?? 0) > 0) return [];
    const ports = silent.map((probe) => probe.value.port);
    if (!process.value.listeners.some((socket) => ports.includes(socket.port))) return [];
    if (waitsForPeer(world, view) || recentTroubleOf(world, view)) return [];
    // A process that waits for the next connection takes it: it is slow, one call at a time, and not stuck.
    if (process.value.threads === 1 && /accept/.test(process.value.waitChannel ?? "")) return [];
    if (/^R/.test(process.value.state ?? "")) return [];
    const first = silent[0] as (typeof silent)[number];
    return [
      faultAt(view, {
        cause: "no-healthcheck-hang",
        summary: `${view.name} hangs: it takes connections on port ${first.value.port} and answers none, while its main process sleeps; ${inspect.value.healthcheck === null ? "it has no health check, so nothing notices" : "its health check does not notice"}`,
        facts: [
          cite(first, describeProbe(first.value), view.name),
          cite(
            process,
            `process state ${process.value.state ?? "unknown"}, waits in ${process.value.waitChannel ?? "unknown"}, listens on port ${first.value.port}, ${process.value.threads ?? "?"} threads`,
            view.name,
          ),
          cite(
            inspect,
            `State.Status=running Healthcheck=${inspect.value.healthcheck === null ? "none" : inspect.value.healthcheck.test.join(" ")}`,
            view.name,
          ),
        ],
        witnesses: ["http-probe", "process-facts"],
        weight: weight.told,
        advice: [
          `Take a stack dump of ${view.name} before restarting it, and give it a health check that asks for a real answer.`,
        ],
      }),
    ];
  },
};

/** A peer that it depends on fails, is away or stands still, or a connect of its own is unanswered: its silence has a reason. */
function waitsForPeer(world: World, view: ContainerView): boolean {
  const silent = (peer: ContainerView) =>
    peer.inspect?.value.running === false ||
    peer.inspect?.value.paused === true ||
    /^[TtZ]/.test(peer.process?.value.state ?? "") ||
    (peer.probes.length > 0 && peer.probes.every((probe) => probe.value.failure !== null));
  return (
    callsFrom(world, view).some(({ edge, peer }) => edge.failures.length > 0 || silent(peer)) ||
    configuredPeers(world, view).some(({ resolution }) => resolution.kind === "nobody") ||
    (view.process?.value.connections.some((socket) => socket.state === "SYN_SENT") ?? false)
  );
}

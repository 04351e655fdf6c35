import { complaintsAbout, current, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { edgesFrom } from "../graph.ts";
import { limits } from "../limits.ts";
import type { LogSignal } from "../log-signals.ts";
import { passesOn } from "../passed-on.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe, isFailure } from "../symptom.ts";
import { type ContainerView, cite, containerOf, hostNowMs, type World } from "../world.ts";

/**
 * Errors that no other rule explains: requests that are the client's own fault, and a container that certainly fails by
 * itself, because everything it depends on was seen to work and nothing in its log blames anybody.
 */
export const ownErrors: Rule = {
  name: "own-errors",
  causes: ["client-errors", "unknown-cause"],
  needs: ["docker-logs", "http-probe"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true) return [];
    return [clientErrors(world, view), failsByItself(world, view)].filter((finding) => finding !== null);
  },
};

/** Many requests are refused as wrong, most of them of one client, and none fails. */
function clientErrors(world: World, view: ContainerView): Finding | null {
  if (!world.subjects.includes(view)) return null;
  const wrong = recentSignals(world, view, ["http-4xx"]);
  const failed = recentSignals(world, view, ["http-5xx"]);
  if (wrong.length < limits.clientErrors || failed.length > 0) return null;
  const clients = new Set(wrong.map((signal) => signal.parts["client"] ?? "unknown"));
  const facts = signalFacts(view, wrong.slice(-3));
  return faultAt(view, {
    cause: "client-errors",
    summary:
      clients.size === 1
        ? `${view.name} works; one client sends requests that it rightly refuses`
        : `${view.name} works; clients send requests that it rightly refuses`,
    facts,
    witnesses: ["docker-logs"],
    onsetMs: wrong[0]?.line.atMs ?? null,
    weight: weight.hinted,
    advice: [
      "Look at the client: paths, methods and credentials of its requests are wrong. The service needs nothing.",
    ],
  });
}

function failsByItself(world: World, view: ContainerView): Finding | null {
  const failing = failureFacts(world, view);
  const edges = edgesFrom(world.edges, view.ref);
  const blames = edges.some((edge) =>
    blamesStill(view, current(world, view, edge.failures), edge.to.host === null ? null : containerOf(world, edge.to)),
  );
  if (failing.length === 0 || blames || view.logs === null) return null;
  const peers = edges.map((edge) => (edge.to.host === null ? null : containerOf(world, edge.to)));
  const known = peers.filter((peer): peer is ContainerView => peer !== null);
  if (known.some((peer) => !isFine(world, peer)) || unseen(world, view)) return null;
  if (known.length > 0 && passesOn(world, view)) return null;
  const fine = [...new Set(known)].flatMap((peer) => fineFact(peer));
  return faultAt(view, {
    cause: "unknown-cause",
    summary: `${view.name} fails by itself: ${known.length > 0 ? "what it depends on works, and " : ""}its log blames nobody; no known cause fits`,
    facts: [...failing, ...fine.slice(0, 3)],
    witnesses: ["http-probe", ...(fine.length > 0 ? ["tcp-probe"] : [])],
    weight: limits.accuseFrom + 1,
    advice: [`Look into the log of ${view.name} at the time of a failing request; the fault is inside it.`],
  });
}

/** Failures at boot, while a peer was still starting, say nothing of requests that fail since without blaming anybody. */
function blamesStill(view: ContainerView, failures: readonly LogSignal[], peer: ContainerView | null): boolean {
  const last = failures.at(-1);
  if (last === undefined) return false;
  const ready = peer?.signals.findLast((signal) => signal.kind === "server-ready")?.line.atMs ?? null;
  if (ready !== null && last.line.atMs !== null && ready > last.line.atMs) return false;
  const since = view.signals.slice(view.signals.indexOf(last) + 1).filter((signal) => signal.kind === "http-5xx");
  return since.length < limits.failuresSince;
}

/** It answers with 5xx when probed; or whoever calls it says that it answers with errors. */
function failureFacts(world: World, view: ContainerView): Fact[] {
  if (world.subjects.includes(view)) {
    const failed = view.probes.filter(
      (probe) => probe.value.kind === "http" && probe.value.httpStatus !== null && isFailure(probe.value),
    );
    return failed.slice(0, 2).map((probe) => cite(probe, describeProbe(probe.value), view.name));
  }
  const said = complaintsAbout(world, view, ["peer-http-error"]);
  const own = recentSignals(world, view, ["http-5xx"]);
  return said.length === 0 || own.length === 0 ? [] : signalFacts(view, own.slice(-2));
}

function isFine(world: World, peer: ContainerView): boolean {
  const inspect = peer.inspect?.value;
  const probed = peer.probes.filter((probe) => probe.value.kind === "tcp");
  return (
    inspect?.running === true &&
    !inspect.paused &&
    inspect.health?.status !== "unhealthy" &&
    probed.some((probe) => probe.value.failure === null) &&
    !/^[TtD]/.test(peer.process?.value.state ?? "") &&
    recentSignals(world, peer, ["http-5xx", "uncaught-exception"]).length === 0 &&
    !complains(world, peer)
  );
}

/** Its log speaks of errors now, in whatever words: then nobody can say that it works. */
function complains(world: World, peer: ContainerView): boolean {
  const since = hostNowMs(world, peer.host) - limits.recentTroubleMs;
  return (peer.logs?.value.lines ?? []).some(
    ({ text, atMs }) =>
      (atMs === null || atMs >= since) && /\b(?:ERROR|FATAL|CRITICAL|panic|\w+Exception)\b/.test(text),
  );
}

function fineFact(peer: ContainerView): Fact[] {
  const probe = peer.probes.find((entry) => entry.value.kind === "tcp" && entry.value.failure === null);
  return probe === undefined ? [] : [cite(probe, `connect to port ${probe.value.port}: accepted`, peer.name)];
}

/** A read that failed could hold the reason. */
function unseen(world: World, view: ContainerView): boolean {
  return world.readings.some(
    (reading) =>
      reading.outcome.status === "failed" &&
      reading.host === view.host &&
      ["docker-list", "docker-inspect", "docker-events", "kernel-log"].includes(reading.source),
  );
}

import { complaintFacts, complaintsAbout, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import type { LogSignal, SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type ContainerView, cite, hostNowMs, type World } from "../world.ts";

/**
 * It runs and is not ready yet: it replays its log after a crash, loads its data, or has just been started. Waiting is
 * the cure; a restart begins the work anew, and during PostgreSQL's recovery it does harm.
 */
export const starting: Rule = {
  name: "starting",
  causes: ["dep-starting", "pg-crash-recovery", "redis-loading"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined || !inspect.running || inspect.paused || inspect.restarting) return [];
    const finding = recovering(world, view) ?? loading(world, view) ?? justStarted(world, view);
    return finding === null ? [] : [finding];
  },
};

function recovering(world: World, view: ContainerView): Finding | null {
  if (serverKind(world, view) !== "postgres") return null;
  const title = view.top?.value.find((row) => /^postgres: (?:[^:]{1,64}: )?startup\s+recovering/.test(row.args.trim()));
  const own = unfinished(view, ["server-recovering", "server-unclean-start"]);
  const complaints = complaintsAbout(world, view, ["peer-recovering", "peer-starting"]);
  const standby = view.signals.some((signal) => /read-only connections|streaming WAL/.test(signal.line.text));
  if (standby || (title === undefined && own.length === 0)) return null;
  const facts: Fact[] = [...signalFacts(view, own.slice(-2)), ...complaintFacts(complaints)];
  if (view.top !== null && title !== undefined) facts.unshift(cite(view.top, title.args.trim(), view.name));
  const redo = own.findLast((signal) => /redo in progress/.test(signal.line.text));
  return faultAt(view, {
    cause: "pg-crash-recovery",
    summary: `${view.name} is up and replays its write-ahead log after a crash${redo === undefined ? "" : ", and it says that it makes progress"}; it accepts connections when it is done`,
    facts,
    witnesses: [
      ...(title === undefined ? [] : ["docker-top"]),
      ...(own.length === 0 ? [] : ["docker-logs"]),
      ...(complaints.length === 0 ? [] : ["docker-logs of callers"]),
    ],
    onsetMs: view.inspect?.value.startedAtMs ?? null,
    weight: weight.proven,
    advice: [
      `Do not restart, stop or kill ${view.name}: recovery would begin anew. Watch its log for "database system is ready to accept connections".`,
    ],
  });
}

function loading(world: World, view: ContainerView): Finding | null {
  const kind = serverKind(world, view);
  if (kind !== "redis") return null;
  const own = unfinished(view, ["server-loading"]);
  const complaints = complaintsAbout(world, view, ["peer-loading"]);
  const readySinceMs = lastOf(view, ["server-ready"])?.line.atMs ?? null;
  const replaced =
    readySinceMs !== null &&
    complaints.every((entry) => entry.signals.every((signal) => (signal.line.atMs ?? 0) < readySinceMs));
  if (own.length === 0 && (complaints.length === 0 || replaced)) return null;
  return faultAt(view, {
    cause: "redis-loading",
    summary: `${view.name} is still loading its data from disk and refuses commands until that is done`,
    facts: [...complaintFacts(complaints), ...signalFacts(view, own.slice(-1)), ...startedFact(view)],
    witnesses: ["docker-inspect", ...(complaints.length > 0 ? ["docker-logs"] : [])],
    onsetMs: view.inspect?.value.startedAtMs ?? null,
    weight: weight.proven,
    advice: [`Wait until ${view.name} has loaded its data; a restart begins the loading anew.`],
  });
}

function justStarted(world: World, view: ContainerView): Finding | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined || inspect.startedAtMs === null) return null;
  const complaints = complaintsAbout(world, view, [
    "peer-starting",
    "peer-refused",
    "peer-loading",
    "peer-recovering",
  ]).filter((entry) => entry.signals.some((signal) => (signal.line.atMs ?? 0) >= (inspect.startedAtMs ?? 0)));
  const saysSo = complaints.filter((entry) => entry.signals.some((signal) => signal.kind === "peer-starting"));
  const health = inspect.health?.status === "starting";
  const young = hostNowMs(world, view.host) - inspect.startedAtMs <= limits.startingMs;
  // Its check passed in this run: whatever does not listen now has been up before, or the check tests nothing.
  if (inspect.health?.status === "healthy" && saysSo.length === 0) return null;
  if (diesAgain(view, inspect.restartCount) || isReady(view) || (!health && !young)) return null;
  const silent = view.process !== null && listenerCount(view) === 0;
  const refused = view.probes.find((probe) => probe.value.failure === "refused");
  const asked = world.subjects.includes(view);
  if (saysSo.length === 0 && !(silent && (refused !== undefined || health || complaints.length > 0))) return null;
  if (!asked && complaints.length === 0 && refused === undefined) return null;
  const facts: Fact[] = [...startedFact(view), ...complaintFacts(complaints.slice(0, 2))];
  if (view.process !== null && silent) facts.push(cite(view.process, "0 listening sockets", view.name));
  if (refused !== undefined) facts.push(cite(refused, `connect to port ${refused.value.port}: refused`, view.name));
  return faultAt(view, {
    cause: "dep-starting",
    summary: `${view.name} has just been started and is not ready yet${health ? "; its health check still says starting" : ""}`,
    facts,
    witnesses: [
      "docker-inspect",
      ...(saysSo.length > 0 || complaints.length > 0 ? ["docker-logs"] : []),
      ...(silent ? ["process-facts"] : []),
    ],
    onsetMs: inspect.startedAtMs,
    weight: asked ? weight.told : saysSo.length > 0 || health ? weight.strong : weight.told,
    advice: [`Wait for ${view.name}. If it takes longer than usual, read its log before doing anything.`],
  });
}

/** Signals of these kinds that nothing later says is over. */
function unfinished(view: ContainerView, kinds: readonly SignalKind[]): LogSignal[] {
  const ready = view.signals.findLastIndex((signal) => signal.kind === "server-ready");
  const startedAtMs = view.inspect?.value.startedAtMs ?? 0;
  return view.signals
    .slice(ready + 1)
    .filter((signal) => kinds.includes(signal.kind) && (signal.line.atMs === null || signal.line.atMs >= startedAtMs));
}

function lastOf(view: ContainerView, kinds: readonly SignalKind[]): LogSignal | undefined {
  return view.signals.findLast((signal) => kinds.includes(signal.kind));
}

/** It said that it is ready in this run. */
function isReady(view: ContainerView): boolean {
  const ready = lastOf(view, ["server-ready"]);
  return ready !== undefined && (ready.line.atMs ?? 0) >= (view.inspect?.value.startedAtMs ?? 0);
}

/** A crash loop is young at every look; that is another rule's. */
function diesAgain(view: ContainerView, restartCount: number): boolean {
  const deaths = view.events.filter(
    (event) => event.action === "die" && !["0", "143"].includes(event.attributes["exitCode"] ?? ""),
  );
  return restartCount > 0 || deaths.length >= 2;
}

/** The engine's own name server in the container does not count; one that listens for itself alone is not starting. */
function listenerCount(view: ContainerView): number {
  return (view.process?.value.listeners ?? []).filter((socket) => socket.address !== "127.0.0.11").length;
}

function startedFact(view: ContainerView): Fact[] {
  const { inspect } = view;
  if (inspect === null || inspect.value.startedAtMs === null) return [];
  const health = inspect.value.health === null ? "" : ` State.Health.Status=${inspect.value.health.status}`;
  return [cite(inspect, `State.StartedAt=${new Date(inspect.value.startedAtMs).toISOString()}${health}`, view.name)];
}

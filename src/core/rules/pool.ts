import { complaintsAbout, current, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { edgesFrom } from "../graph.ts";
import { limits } from "../limits.ts";
import type { LogSignal } from "../log-signals.ts";
import { addressesOf } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type Client, clientsOf } from "../sessions.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";

/**
 * The service's own connection pool is at fault while its database is fine: it lends connections and never gets them
 * back, or it keeps using connections that ended when the database was restarted.
 */
export const pool: Rule = {
  name: "pool",
  causes: ["pool-leak-in-web", "stale-pool-after-db-restart"],
  needs: ["docker-logs", "docker-inspect", "process-facts"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || serverKind(world, view) !== null) return [];
    const servers = edgesFrom(world.edges, view.ref)
      .map((edge) => (edge.to.host === null ? null : containerOf(world, edge.to)))
      .filter((peer): peer is ContainerView => peer !== null && serverKind(world, peer) !== null);
    const distinct = [...new Set(servers)];
    return [leak(world, view, distinct), ...distinct.map((server) => stale(world, view, server))].filter(
      (finding) => finding !== null,
    );
  },
};

function leak(world: World, view: ContainerView, servers: ContainerView[]): Finding | null {
  const said = current(world, view, recentSignals(world, view, ["pool-exhausted"]));
  if (said.length === 0) return null;
  const full = servers.some(
    (server) => complaintsAbout(world, server, ["peer-too-many-connections", "peer-reserved-slots"]).length > 0,
  );
  const down = servers.some(
    (server) => server.inspect?.value.running === false || server.inspect?.value.paused === true,
  );
  if (full || down) return null;
  const held = servers
    .map((server) => ({ server, client: clientsOf(world, server).find((client) => client.view === view) }))
    .find((entry) => entry.client !== undefined);
  const client = held?.client;
  if (held !== undefined && client !== undefined && isBusy(client, clientsOf(world, held.server))) return null;
  const idle = client?.sessions.filter((session) => session.activity.startsWith("idle")).length ?? 0;
  const where = held === undefined ? "its database" : held.server.name;
  return faultAt(view, {
    cause: "pool-leak-in-web",
    summary:
      idle > 0
        ? `${view.name} waits in vain for a connection from its own pool while its connections to ${where} do nothing: it does not give them back; ${where} has free slots`
        : `${view.name} waits in vain for a connection from its own pool while ${where} accepts connections: it does not give them back`,
    facts: [...signalFacts(view, said.slice(-2)), ...(client?.facts ?? [])],
    witnesses: ["docker-logs", ...(idle > 0 ? ["docker-top"] : [])],
    onsetMs: said[0]?.line.atMs ?? null,
    weight: idle > 0 ? weight.proven : weight.told,
    advice: [
      `Return connections to the pool on every path of ${view.name}, also after an error; a restart frees them for a while.`,
    ],
  });
}

/** Its sessions work or wait for a lock: then the pool is empty because the database is slow, and nothing leaks. */
function isBusy(client: Client, all: Client[]): boolean {
  const waiting = all.some((other) => other.sessions.some((session) => session.waiting));
  const active = client.sessions.filter((session) => !session.activity.startsWith("idle")).length;
  return waiting || (client.sessions.length > 0 && active * 2 > client.sessions.length);
}

function stale(world: World, view: ContainerView, server: ContainerView): Finding | null {
  const own = view.inspect?.value;
  const other = server.inspect?.value;
  if (own?.startedAtMs == null || other?.startedAtMs == null || !other.running || other.paused) return null;
  const readyMs = Math.max(other.startedAtMs, lastReadyMs(server) ?? 0);
  if (readyMs <= own.startedAtMs || recoversStill(server)) return null;
  const failures = edgesFrom(world.edges, view.ref)
    .filter((edge) => edge.to.containerId === server.id)
    .flatMap((edge) => current(world, view, edge.failures));
  const after = failures.filter((signal) => signal.kind === "peer-closed" && (signal.line.atMs ?? 0) > readyMs + 1_000);
  const newest = failures.at(-1);
  if (after.length < 2 || newest?.kind !== "peer-closed" || refusesNow(server)) return null;
  const dead = deadSockets(view, server);
  return faultAt(view, {
    cause: "stale-pool-after-db-restart",
    summary: `${view.name} keeps using connections that ended when ${server.name} was restarted; ${server.name} itself works and accepts new ones`,
    facts: [...signalFacts(view, after.slice(-2)), ...restartFacts(server), ...workingFacts(server), ...dead],
    witnesses: ["docker-logs", "docker-inspect", ...(dead.length > 0 ? ["process-facts"] : [])],
    onsetMs: other.startedAtMs,
    weight: weight.proven,
    advice: [
      `Let the pool of ${view.name} test connections before it lends them (pre-ping, validation query, maximum lifetime).`,
    ],
  });
}

function lastReadyMs(server: ContainerView): number | null {
  return server.signals.findLast((signal) => signal.kind === "server-ready")?.line.atMs ?? null;
}

function recoversStill(server: ContainerView): boolean {
  const last = server.signals.findLast((signal): signal is LogSignal =>
    ["server-ready", "server-recovering", "server-shutdown-done"].includes(signal.kind),
  );
  return last !== undefined && last.kind !== "server-ready";
}

function refusesNow(server: ContainerView): boolean {
  return server.probes.some((probe) => probe.value.kind === "tcp" && probe.value.failure !== null);
}

/** The peer closed them and the program did not notice. */
function deadSockets(view: ContainerView, server: ContainerView): Fact[] {
  const process = view.process;
  const dead = (process?.value.connections ?? []).filter(
    (socket) => socket.state === "CLOSE_WAIT" && addressesOf(server).includes(socket.remoteAddress),
  );
  if (process === null || dead.length < limits.deadSockets) return [];
  return [cite(process, `${dead.length} CLOSE_WAIT connections to ${dead[0]?.remoteAddress}`, view.name)];
}

function restartFacts(server: ContainerView): Fact[] {
  const { inspect } = server;
  if (inspect === null || inspect.value.startedAtMs === null) return [];
  return [cite(inspect, `State.StartedAt=${new Date(inspect.value.startedAtMs).toISOString()}`, server.name)];
}

function workingFacts(server: ContainerView): Fact[] {
  const probe = server.probes.find((entry) => entry.value.kind === "tcp" && entry.value.failure === null);
  return probe === undefined ? [] : [cite(probe, `connect to port ${probe.value.port}: accepted`, server.name)];
}

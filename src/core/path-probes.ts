import { callsTo } from "./callers.ts";
import { configuredPeers, isPeerSignal, signalPeer } from "./graph.ts";
import { limits } from "./limits.ts";
import type { PlannedRead } from "./reads.ts";
import { isAddress, isLoopback } from "./resolve.ts";
import type { ContainerView, World } from "./world.ts";

const tlsPorts = new Set([443, 465, 636, 993, 995, 2376, 5671, 6443, 8443, 8883, 9443]);
const tlsSchemes = new Set(["https", "rediss", "amqps", "ldaps", "wss", "mqtts"]);

/**
 * TLS handshakes, made only where something speaks for TLS: the port, the scheme by which it is called, a complaint
 * about a certificate, or a plain request that was answered as a TLS server answers one.
 */
export function tlsProbes(world: World, view: ContainerView, address: string): PlannedRead[] {
  const calls = callsTo(world, view).filter(({ caller }) => caller.host === view.host);
  const complaint = (kind: string) => kind.startsWith("peer-cert-") || kind.startsWith("peer-tls-");
  const complained = calls.filter(({ edge }) => edge.failures.some((signal) => complaint(signal.kind)));
  const byScheme = calls.flatMap(({ caller }) =>
    configuredPeers(world, caller).filter(
      ({ reference, resolution }) =>
        resolution.kind === "container" &&
        resolution.view === view &&
        isSecured(reference.scheme, caller, reference.where),
    ),
  );
  const listeners = (view.process?.value.listeners ?? []).filter(
    (socket) => !isLoopback(socket.address) || socket.address === "0.0.0.0",
  );
  const refusedPlain = view.probes.filter(
    ({ value }) =>
      value.kind === "http" &&
      ((value.failure === "closed" && /not HTTP|without an answer/.test(value.detail)) ||
        (value.httpStatus === 400 &&
          /plain HTTP request was sent to HTTPS|HTTP request to an HTTPS/i.test(value.bodyExcerpt ?? ""))),
  );
  const ports = [
    ...complained.map(({ edge }) => edge.port),
    ...byScheme.map(({ reference }) => reference.port),
    ...listeners.map((socket) => socket.port).filter((port) => tlsPorts.has(port)),
    ...refusedPlain.map(({ value }) => value.port),
  ].filter((port): port is number => port !== null);
  const asked = complained
    .flatMap(({ edge }) => edge.failures.map((signal) => signal.peerHost))
    .concat(byScheme.map(({ reference }) => reference.host));
  const serverName = asked.find((name): name is string => name !== null && !isAddress(name)) ?? null;
  return [...new Set(ports)].slice(0, limits.probePorts).map((port) => ({
    host: view.host,
    source: "tls-probe",
    containerId: view.id,
    args: { address, port, serverName, startTls: isPostgres(view, port) ? "postgres" : null },
  }));
}

/** `sslmode=require` and its like stand in the address or in a variable beside it. */
function isSecured(scheme: string | null, caller: ContainerView, where: string): boolean {
  if (scheme !== null && tlsSchemes.has(scheme)) return true;
  const env = caller.inspect?.value.env ?? [];
  const own = env.find((variable) => variable.name === where)?.value ?? "";
  const mode = env.find((variable) => /^(PG|DB_|DATABASE_)?SSL_?MODE$/i.test(variable.name))?.value ?? "";
  return (
    /sslmode=(require|verify)|[?&](ssl|tls)=true/i.test(own) ||
    (/^(require|verify)/.test(mode) && /^(PG|DB|DATABASE|POSTGRES)/i.test(where))
  );
}

function isPostgres(view: ContainerView, port: number): boolean {
  return (
    port === 5432 ||
    port === 6432 ||
    (view.inspect?.value.env.some((variable) => variable.name === "PGDATA" || variable.name === "POSTGRES_DB") ?? false)
  );
}

/** One bare connect to the asked-about service: how long it takes tells the way from the program. */
export function subjectConnect(view: ContainerView, address: string): PlannedRead[] {
  const port = view.process?.value.listeners.find(
    (socket) => !isLoopback(socket.address) || socket.address === "0.0.0.0",
  )?.port;
  return port === undefined
    ? []
    : [{ host: view.host, source: "tcp-probe", containerId: view.id, args: { address, port } }];
}

/**
 * From this host to places outside it that a container depends on: published ports of other registered hosts, and the
 * configured name servers once outside names fail. No other place is ever connected to.
 */
export function outwardProbes(world: World, view: ContainerView): PlannedRead[] {
  const hosts = world.settings.hosts.filter((host) => host.name !== view.host && host.address !== null);
  const configured = configuredPeers(world, view).map(({ reference }) => ({
    address: reference.host,
    port: reference.port,
  }));
  const failed = view.signals
    .filter(isPeerSignal)
    .map((signal) => ({ address: signal.peerHost ?? "", port: signal.peerPort }));
  const places = [...configured, ...failed].flatMap(({ address, port }) =>
    port !== null && hosts.some((host) => host.address === address) ? [{ address, port }] : [],
  );
  const namesFail = view.signals.some((signal) => {
    const name = signal.peerHost ?? signalPeer(world, view, signal)?.name ?? "";
    return signal.kind.startsWith("peer-") && name.includes(".") && !isAddress(name);
  });
  const servers = namesFail
    ? (view.inspect?.value.dns ?? []).filter((server) => isAddress(server) && !isLoopback(server))
    : [];
  const all = [...places, ...servers.map((address) => ({ address, port: 53 }))];
  const unique = all.filter(
    (place, at) => all.findIndex((other) => other.address === place.address && other.port === place.port) === at,
  );
  return unique
    .slice(0, limits.probePorts)
    .map((args) => ({ host: view.host, source: "tcp-probe", containerId: null, args }));
}

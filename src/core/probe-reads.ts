import { limits } from "./limits.ts";
import { outwardProbes, subjectConnect, tlsProbes } from "./path-probes.ts";
import type { PlannedRead } from "./reads.ts";
import { addressesOf, composeService, isAddress } from "./resolve.ts";
import { isHealthPath } from "./symptom.ts";
import type { ContainerView, World } from "./world.ts";

/**
 * Probes of one reached container: HTTP for the asked-about service, a plain connect for everything it depends on.
 * Only paths that the configuration names, that the health check uses, or that the log shows as failed GET requests
 * are asked for, because a GET of an unknown path could mean something to the service.
 */
export function probeReads(world: World, view: ContainerView): PlannedRead[] {
  if ((view.inspect?.value.status ?? "") !== "running") return [];
  const address = probeAddress(view);
  const own = world.subjects.includes(view)
    ? httpProbes(world, view)
    : [...connectProbes(world, view), ...awaitedProbes(world, view)];
  const way = address === null ? [] : tlsProbes(world, view, address);
  const bare = address !== null && world.subjects.includes(view) ? subjectConnect(view, address) : [];
  return [...own, ...way, ...bare, ...outwardProbes(world, view)];
}

function httpProbes(world: World, view: ContainerView): PlannedRead[] {
  const service = serviceOf(world, view);
  const ports = service?.port != null ? [service.port] : tcpPorts(view);
  const address = probeAddress(view);
  if (address === null) return [];
  const configured = service?.probes ?? [];
  const hung = view.probes.some((probe) => probe.value.kind === "http" && probe.value.failure === "timeout");
  // One answer that never came is enough to know; every further path would cost its whole deadline again.
  if (hung && configured.length === 0) return [];
  const paths = configured.length > 0 ? configured : discoveredPaths(view);
  return ports.slice(0, limits.probePorts).flatMap((port) =>
    paths.slice(0, configured.length > 0 ? configured.length : limits.probePaths).map(
      (probe): PlannedRead => ({
        host: view.host,
        source: "http-probe",
        containerId: view.id,
        args: {
          address,
          port,
          path: probe.path,
          hostHeader: null,
          tls: port === 443 || port === 8443,
          expect: probe.expect,
        },
      }),
    ),
  );
}

/** The ports that others say they use here, and the ones it exposes. */
function connectProbes(world: World, view: ContainerView): PlannedRead[] {
  const address = probeAddress(view);
  if (address === null) return [];
  const asked = world.edges
    .filter((edge) => edge.to.containerId === view.id && edge.to.host === view.host)
    .map((edge) => edge.port);
  const ports = [...new Set([...asked.filter((port): port is number => port !== null), ...tcpPorts(view)])];
  return ports.slice(0, limits.probePorts).map((port) => ({
    host: view.host,
    source: "tcp-probe",
    containerId: view.id,
    args: { address, port },
  }));
}

/**
 * A proxy gave up waiting for it: whether it answers to somebody who waits longer tells a short limit from a hang. Asked
 * is what the proxy's own log shows it was asked for, once.
 */
function awaitedProbes(world: World, view: ContainerView): PlannedRead[] {
  const address = probeAddress(view);
  if (address === null) return [];
  for (const edge of world.edges) {
    const asker = world.subjects.find((subject) => subject.id === edge.from.containerId);
    if (asker === undefined || edge.to.host !== view.host || edge.to.containerId !== view.id) continue;
    const late = edge.failures.findLast((signal) => signal.kind === "upstream-timeout");
    const path = /request: "GET (\/[^\s"]{0,300})/.exec(late?.line.text ?? "")?.[1];
    const port = late?.peerPort ?? edge.port;
    if (path === undefined || port === null || !isPlainPath(path)) continue;
    const args = { address, port, path, hostHeader: null, tls: false, expect: null };
    return [{ host: view.host, source: "http-probe", containerId: view.id, args }];
  }
  return [];
}

export function serviceOf(
  world: Pick<World, "settings">,
  view: ContainerView,
): World["settings"]["services"][number] | null {
  return (
    world.settings.services.find(
      (entry) => (entry.container ?? entry.name) === view.name || entry.name === composeService(view),
    ) ?? null
  );
}

function tcpPorts(view: ContainerView): number[] {
  const inspect = view.inspect?.value;
  const listeners = (view.process?.value.listeners ?? []).filter(
    (socket) => socket.address !== "127.0.0.1" && socket.address !== "::1" && !socket.address.startsWith("127."),
  );
  const bound =
    inspect?.portBindings.filter((binding) => binding.protocol === "tcp").map((binding) => binding.containerPort) ?? [];
  const exposed = inspect?.exposedPorts.filter((entry) => entry.protocol === "tcp").map((entry) => entry.port) ?? [];
  return [...new Set([...bound, ...exposed, ...listeners.map((socket) => socket.port)])];
}

function probeAddress(view: ContainerView): string | null {
  if (view.inspect?.value.networkMode === "host") return "127.0.0.1";
  return addressesOf(view).find(isAddress) ?? null;
}

/**
 * The health check's own path, paths the log shows as failed, a health path the log shows as working, and `/`. Where no
 * health path is known the conventional one is tried: it is made to be asked for.
 */
function discoveredPaths(view: ContainerView): { path: string; expect: number | null }[] {
  const paths = new Set<string>();
  const test = view.inspect?.value.healthcheck?.test.join(" ") ?? "";
  const health = /https?:\/\/[^\s/'"]+(\/[A-Za-z0-9/_.-]*)/.exec(test)?.[1];
  const worked = view.signals.findLast(
    (signal) => signal.kind === "http-ok" && isHealthPath(signal.parts["path"] ?? "") && signal.parts["path"] !== "/",
  );
  paths.add(health ?? worked?.parts["path"] ?? "/healthz");
  for (const signal of view.signals.toReversed()) {
    const path = signal.parts["path"];
    const method = signal.parts["method"] ?? "GET";
    if (signal.kind === "http-5xx" && method === "GET" && path !== undefined && isPlainPath(path)) paths.add(path);
    if (paths.size >= limits.probePaths - 1) break;
  }
  paths.add("/");
  return [...paths].filter(isPlainPath).map((path) => ({ path, expect: null }));
}

/** No query string, nothing that needs encoding. */
export function isPlainPath(path: string): boolean {
  return path.length <= 200 && /^\/[A-Za-z0-9/_.~-]*$/.test(path);
}

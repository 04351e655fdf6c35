import type { ContainerRef, Edge, EdgeProof } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import type { LogSignal } from "./log-signals.ts";
import { type PeerReference, peerReferences, technologyPorts } from "./references.ts";
import {
  addressesOf,
  composeProject,
  composeService,
  namesOf,
  networkNames,
  type Resolution,
  resolvePeer,
} from "./resolve.ts";
import { type ContainerView, cite, type World } from "./world.ts";

type Scene = Omit<World, "subjects" | "edges">;

/** Signals that blame somebody else than the container that logged them. */
export function isPeerSignal(signal: LogSignal): boolean {
  return signal.kind.startsWith("peer-") || signal.kind === "upstream-missing" || signal.kind === "upstream-timeout";
}

/**
 * Who depends on whom, with the proof of each step: log lines that name a peer, connections in the kernel's socket
 * tables, environment and command line, compose labels, and the configuration's `dependsOn`.
 * One edge per pair and proof; failures are attached to the log edge.
 */
export function dependencyEdges(scene: Scene): Edge[] {
  const edges = scene.containers.flatMap((view) => [
    ...withProxyConfig(logEdges(scene, view), proxyEdges(scene, view)),
    ...referenceEdges(scene, view),
    ...hostsEntryEdges(scene, view),
    ...connectionEdges(scene, view),
    ...labelEdges(scene, view),
    ...configEdges(scene, view),
  ]);
  return edges.filter((edge) => edge.from.containerId !== edge.to.containerId);
}

export function edgesFrom(edges: readonly Edge[], ref: ContainerRef): Edge[] {
  return edges.filter((edge) => edge.from.host === ref.host && edge.from.containerId === ref.containerId);
}

/** Configured peers of a container with where each name leads. */
export function configuredPeers(
  scene: Scene,
  view: ContainerView,
): { reference: PeerReference; resolution: Resolution }[] {
  if (view.inspect === null) return [];
  return peerReferences(view.inspect.value)
    .map((reference) => ({
      reference,
      resolution: resolvePeer(scene, view, reference.host, reference.port),
    }))
    .filter(({ reference, resolution }) => !reference.loose || ["container", "nobody"].includes(resolution.kind));
}

/** Where a configured place leads, or led until its bearer ended: an ended container has lost its address. */
function bearerOf(scene: Scene, view: ContainerView, resolution: Resolution, port: number | null): Resolution {
  if (resolution.kind !== "nobody") return resolution;
  const meant = likelyBearer(scene, view, resolution.network, port);
  return meant === null || meant.inspect?.value.running !== false
    ? resolution
    : { kind: "container", view: meant, via: "address" };
}

/**
 * Whom a failure line means: the host it names; else the configured peer with that port; else the configured peer
 * whose usual port fits the technology of the line.
 */
export function signalPeer(
  scene: Scene,
  view: ContainerView,
  signal: LogSignal,
): { name: string; port: number | null; resolution: Resolution } | null {
  const peers = configuredPeers(scene, view);
  const samePort = peers.filter(({ reference }) => signal.peerPort !== null && reference.port === signal.peerPort);
  if (signal.peerHost !== null) {
    const resolution = resolvePeer(scene, view, signal.peerHost, signal.peerPort);
    const found = { name: signal.peerHost, port: signal.peerPort, resolution };
    if (resolution.kind === "container") return found;
    const configured = samePort.find((peer) => peer.resolution.kind === "container");
    const named = configured !== undefined && resolution.kind !== "self" && signal.kind !== "peer-name-unknown";
    if (named) return { name: configured.reference.host, port: signal.peerPort, resolution: configured.resolution };
    const meant = resolution.kind === "nobody" ? likelyBearer(scene, view, resolution.network, signal.peerPort) : null;
    return meant === null ? found : { ...found, resolution: { kind: "container", view: meant, via: "address" } };
  }
  const usual = technologyPorts[signal.technology ?? ""] ?? [];
  const candidates =
    samePort.length > 0 ? samePort : peers.filter(({ reference }) => fitsTechnology(reference, signal, usual));
  const peer = candidates.find((candidate) => candidate.resolution.kind === "container") ?? candidates[0];
  const meant = peer === undefined ? impliedPeer(scene, view, signal, usual, peers) : peerOf(peer);
  return meant === null ? null : { ...meant, resolution: bearerOf(scene, view, meant.resolution, meant.port) };
}

function peerOf({ reference, resolution }: ReturnType<typeof configuredPeers>[number]) {
  return { name: reference.host, port: reference.port, resolution };
}

/**
 * A line that names nobody still means somebody: the peer it is connected to at the usual port of the line's technology,
 * or, where the line implies none, the only peer its configuration knows.
 */
function impliedPeer(
  scene: Scene,
  view: ContainerView,
  signal: LogSignal,
  usual: readonly number[],
  peers: ReturnType<typeof configuredPeers>,
): ReturnType<typeof signalPeer> {
  const socket = view.process?.value.connections.find((connection) => usual.includes(connection.remotePort));
  if (socket !== undefined) {
    const { remoteAddress: name, remotePort: port } = socket;
    return { name, port, resolution: resolvePeer(scene, view, name, port) };
  }
  if (signal.technology !== null && signal.technology in technologyPorts) return null;
  const others = peers.filter(({ resolution }) => resolution.kind !== "self");
  const names = new Set(
    others.map(({ reference, resolution }) => (resolution.kind === "container" ? resolution.view.id : reference.host)),
  );
  const only = others[0];
  return only === undefined || names.size !== 1 ? null : peerOf(only);
}

/**
 * Whose address it was that nobody has now: the only container on that network that depends_on names, or that has the
 * port; an ended one, which lost its address, before a live one, which got another.
 */
function likelyBearer(scene: Scene, view: ContainerView, network: string, port: number | null): ContainerView | null {
  const near = scene.containers.filter(
    (other) => other.host === view.host && other !== view && networkNames(other).includes(network),
  );
  const named = (view.summary?.value.labels["com.docker.compose.depends_on"] ?? "")
    .split(",")
    .map((entry) => entry.split(":")[0] ?? "");
  const labelled = near.filter((other) => named.includes(composeService(other) ?? "/"));
  if (labelled.length === 1) return labelled[0] ?? null;
  const has = (other: ContainerView) =>
    [...(other.process?.value.listeners ?? []), ...(other.inspect?.value.exposedPorts ?? [])].some(
      (entry) => entry.port === port,
    ) || other.inspect?.value.env.some((variable) => /PORT$/.test(variable.name) && variable.value === String(port));
  const live = near.filter((other) => other.inspect?.value.running === true && has(other));
  const ended = near.filter((other) => other.inspect?.value.running === false);
  if (live.length === 1 && !ended.some(has)) return live[0] ?? null;
  const last = ended.filter((other) => live.length === 0 || has(other));
  return last.length === 1 && live.length === 0 ? (last[0] ?? null) : null;
}

function fitsTechnology(reference: PeerReference, signal: LogSignal, usual: readonly number[]): boolean {
  if (signal.technology === null) return false;
  if (reference.port !== null && usual.includes(reference.port)) return true;
  const words = `${reference.scheme ?? ""} ${reference.where.toLowerCase()} ${reference.host}`;
  const names: Record<string, RegExp> = {
    postgres: /postgres|pg|database|(^|[^a-z])db([^a-z]|$)/,
    mysql: /mysql|maria|database|(^|[^a-z])db([^a-z]|$)/,
    redis: /redis|cache|valkey/,
    mongodb: /mongo/,
    rabbitmq: /rabbit|amqp|queue|broker/,
    kafka: /kafka|broker/,
    elasticsearch: /elastic|opensearch|search/,
    memcached: /memcache/,
  };
  return names[signal.technology]?.test(words) ?? false;
}

function logEdges(scene: Scene, view: ContainerView): Edge[] {
  if (view.logs === null) return [];
  const byPeer = new Map<string, { to: Edge["to"]; port: number | null; signals: LogSignal[] }>();
  for (const signal of view.signals.filter(isPeerSignal)) {
    const peer = signalPeer(scene, view, signal);
    if (peer === null || peer.resolution.kind === "self" || isGuess(signal, peer)) continue;
    const to = targetOf(peer.resolution, peer.name);
    const key = `${to.host} ${to.containerId ?? to.container}`;
    const known = byPeer.get(key) ?? { to, port: peer.port, signals: [] };
    known.signals.push(signal);
    byPeer.set(key, known);
  }
  return [...byPeer.values()].map(({ to, port, signals }) => ({
    from: view.ref,
    to,
    proof: signals.some((signal) => signal.technology === "nginx" || signal.technology === "haproxy")
      ? ("proxy-config" as const)
      : ("log" as const),
    port,
    facts: lastOf(signals, 2).map((signal) =>
      cite(view.logs as NonNullable<typeof view.logs>, signal.line.text, view.name),
    ),
    failures: signals,
  }));
}

/** `waiting for messages`, `items returned 500`: a word is a peer only if a container answers to it. */
function isGuess(signal: LogSignal, peer: { name: string; resolution: Resolution }): boolean {
  const loose = signal.kind === "peer-awaited" || signal.kind === "peer-http-error";
  return loose && peer.resolution.kind !== "container" && !peer.name.includes(".");
}

function referenceEdges(scene: Scene, view: ContainerView): Edge[] {
  const inspect = view.inspect;
  if (inspect === null) return [];
  return configuredPeers(scene, view)
    .map(({ reference, resolution }) => ({
      reference,
      resolution: bearerOf(scene, view, resolution, reference.port),
    }))
    .filter(({ resolution }) => resolution.kind === "container")
    .map(({ reference, resolution }) => {
      const text =
        reference.kind === "env"
          ? `Config.Env ${reference.where} names ${place(reference)}`
          : `Config.Cmd names ${place(reference)}`;
      return edge(view, targetOf(resolution, reference.host), "env", reference.port, [cite(inspect, text, view.name)]);
    });
}

/** What the configuration files of a proxy name, one edge a peer. */
function proxyEdges(scene: Scene, view: ContainerView): Edge[] {
  const { proxy } = view;
  if (proxy === null) return [];
  const peers = new Map<string, Edge>();
  for (const { host, port, path, line } of proxy.value.upstreams) {
    const resolution = bearerOf(scene, view, resolvePeer(scene, view, host, port), port);
    if (resolution.kind !== "container" || peers.has(resolution.view.id)) continue;
    const text = `${path} line ${line} names ${port === null ? host : `${host}:${port}`}`;
    peers.set(
      resolution.view.id,
      edge(view, targetOf(resolution, host), "proxy-config", port, [cite(proxy, text, view.name)]),
    );
  }
  return [...peers.values()];
}

/** A failing upstream that the configuration names too is one edge with both proofs. */
function withProxyConfig(logged: Edge[], configured: Edge[]): Edge[] {
  const same = (edge: Edge) =>
    configured.find((other) => edge.proof === "proxy-config" && other.to.containerId === edge.to.containerId);
  const joined = logged.map((edge) => ({ ...edge, facts: [...edge.facts, ...(same(edge)?.facts ?? [])] }));
  const met = logged.map(same);
  return [...joined, ...configured.filter((edge) => !met.includes(edge))];
}

/** A hosts entry is written for a peer; one whose name a running container bears too is the business of a rule. */
function hostsEntryEdges(scene: Scene, view: ContainerView): Edge[] {
  const inspect = view.inspect;
  if (inspect === null) return [];
  return inspect.value.extraHosts.flatMap((entry) => {
    const name = entry.slice(0, entry.search(/[:=]/)).toLowerCase();
    const resolution = bearerOf(scene, view, resolvePeer(scene, view, name, null), null);
    const borne = scene.containers.some(
      (other) => other.host === view.host && other.inspect?.value.running === true && namesOf(other).includes(name),
    );
    if (resolution.kind !== "container" || borne) return [];
    return [
      edge(view, targetOf(resolution, name), "env", null, [
        cite(inspect, `HostConfig.ExtraHosts names ${name}`, view.name),
      ]),
    ];
  });
}

function connectionEdges(scene: Scene, view: ContainerView): Edge[] {
  const process = view.process;
  if (process === null) return [];
  const listening = new Set(process.value.listeners.map((socket) => socket.port));
  const outgoing = process.value.connections.filter((socket) => !listening.has(socket.port));
  const peers = new Map<string, Edge>();
  for (const socket of outgoing) {
    const other = scene.containers.find(
      (peer) => peer.host === view.host && peer !== view && addressesOf(peer).includes(socket.remoteAddress),
    );
    if (other === undefined || peers.has(other.id)) continue;
    const text = `${socket.state} connection to ${socket.remoteAddress}:${socket.remotePort}`;
    peers.set(other.id, edge(view, other.ref, "connection", socket.remotePort, [cite(process, text, view.name)]));
  }
  return [...peers.values()];
}

function labelEdges(scene: Scene, view: ContainerView): Edge[] {
  const summary = view.summary;
  const label = summary?.value.labels["com.docker.compose.depends_on"];
  if (summary == null || label === undefined || label === "") return [];
  return label.split(",").flatMap((entry) => {
    const service = entry.split(":")[0] ?? "";
    const peers = scene.containers.filter(
      (peer) =>
        peer.host === view.host && composeProject(peer) === composeProject(view) && composeService(peer) === service,
    );
    return peers.map((peer) =>
      edge(view, peer.ref, "label", null, [cite(summary, `com.docker.compose.depends_on names ${service}`, view.name)]),
    );
  });
}

function configEdges(scene: Scene, view: ContainerView): Edge[] {
  const summary = view.summary;
  const service = scene.settings.services.find(
    (entry) => entry.name === view.name || entry.container === view.name || entry.name === composeService(view),
  );
  if (summary == null || service === undefined) return [];
  return service.dependsOn.flatMap((name) => {
    const resolution = resolvePeer(scene, view, name, null);
    const other = scene.containers.find((peer) => peer.name === name && peer !== view);
    const to = resolution.kind === "container" ? resolution.view : other;
    return to === undefined
      ? []
      : [
          edge(view, to.ref, "config", null, [
            cite(summary, `the configuration says that ${service.name} depends on ${name}`, view.name),
          ]),
        ];
  });
}

function edge(view: ContainerView, to: Edge["to"], proof: EdgeProof, port: number | null, facts: Fact[]): Edge {
  return { from: view.ref, to, proof, port, facts, failures: [] };
}

function targetOf(resolution: Resolution, name: string): Edge["to"] {
  return resolution.kind === "container" ? resolution.view.ref : { host: null, containerId: null, container: name };
}

function place(reference: PeerReference): string {
  return reference.port === null ? reference.host : `${reference.host}:${reference.port}`;
}

function lastOf<T>(items: readonly T[], count: number): T[] {
  return items.slice(Math.max(0, items.length - count));
}

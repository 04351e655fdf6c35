import type { ContainerInspect, DockerEvent } from "./readings.ts";
import type { ContainerView, World } from "./world.ts";

/** Where a name or address leads, seen from one container. */
export type Resolution =
  /** `via` says how: by a name on a shared network, by an address, by a published port, or only by a name elsewhere. */
  | {
      kind: "container";
      view: ContainerView;
      via: "alias" | "address" | "published" | "name-elsewhere";
    }
  | { kind: "self" }
  /** An address inside one of its networks that no container has now. */
  | { kind: "nobody"; network: string }
  /** A name nothing we can see answers to, or an address outside. */
  | { kind: "outside" };

type Scene = Pick<World, "containers" | "hosts" | "settings">;

/**
 * Follows the rules of the engine's embedded DNS and of published ports: aliases, names and short ids on a shared
 * user-defined network; addresses in shared networks; the gateway, the host's own address and
 * `host.docker.internal` with a published port; other registered hosts by their address.
 */
export function resolvePeer(scene: Scene, from: ContainerView, host: string, port: number | null): Resolution {
  const name = host.toLowerCase().replace(/\.$/, "");
  if (isLoopback(name)) return loopback(scene, from, port);
  const fixed = from.inspect?.value.extraHosts.map(splitExtraHost).find((entry) => entry.name === name);
  if (fixed !== undefined && fixed.address !== "host-gateway") return resolvePeer(scene, from, fixed.address, port);
  const linked = linkedPeer(scene, from, name);
  if (linked !== null) return { kind: "container", view: linked, via: "alias" };
  if (isAddress(name)) return byAddress(scene, from, name, port);
  if (name === "host.docker.internal" || fixed?.address === "host-gateway")
    return published(scene, from.host, port) ?? { kind: "outside" };
  return byName(scene, from, name, port);
}

/** Networks both are attached to, by name; compares ids where known because names repeat across hosts. */
export function sharedNetworks(a: ContainerView, b: ContainerView): string[] {
  if (a.host !== b.host) return [];
  const ours = networkNames(a);
  return networkNames(b).filter((name) => ours.includes(name));
}

export function networkNames(view: ContainerView): string[] {
  return (
    view.inspect?.value.networks.map((network) => network.name) ??
    view.summary?.value.networks.map((network) => network.name) ??
    []
  );
}

/** Every name the engine's DNS would answer for this container, with the names compose gives it. */
export function namesOf(view: ContainerView): string[] {
  const inspect = view.inspect?.value;
  const service = (inspect?.labels ?? view.summary?.value.labels)?.["com.docker.compose.service"];
  const aliases = inspect?.networks.flatMap((network) => network.aliases) ?? [];
  const hostname = inspect?.hostname;
  return [
    view.name,
    view.id.slice(0, 12),
    ...(service ? [service] : []),
    ...aliases,
    ...(hostname ? [hostname] : []),
  ].map((name) => name.toLowerCase());
}

export function composeService(view: ContainerView): string | null {
  return view.summary?.value.labels["com.docker.compose.service"] ?? null;
}

export function composeProject(view: ContainerView): string | null {
  return view.summary?.value.labels["com.docker.compose.project"] ?? null;
}

export function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || (name.includes(":") && /^[0-9a-f:.]+$/i.test(name));
}

export function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\./.test(name) || name === "0.0.0.0";
}

export function addressesOf(view: ContainerView): string[] {
  const attached = view.inspect?.value.networks ?? view.summary?.value.networks ?? [];
  return attached
    .map((network) => network.address)
    .filter((address): address is string => address !== null && address !== "");
}

/** A legacy link answers to its alias and to the peer's own name, on the default bridge too. */
function linkedPeer(scene: Scene, from: ContainerView, name: string): ContainerView | null {
  for (const entry of from.inspect?.value.links ?? []) {
    const [peer, alias] = entry.toLowerCase().split(":");
    if (name !== peer && name !== alias) continue;
    const view = scene.containers.find((other) => other.host === from.host && other.name.toLowerCase() === peer);
    if (view !== undefined) return view;
  }
  return null;
}

function loopback(scene: Scene, from: ContainerView, port: number | null): Resolution {
  const mode = from.inspect?.value.networkMode ?? "";
  if (mode === "host") return published(scene, from.host, port) ?? { kind: "outside" };
  if (mode.startsWith("container:")) {
    const id = mode.slice("container:".length);
    const view = scene.containers.find((other) => other.host === from.host && (other.id === id || other.name === id));
    return view === undefined ? { kind: "self" } : { kind: "container", view, via: "address" };
  }
  return { kind: "self" };
}

function byAddress(scene: Scene, from: ContainerView, address: string, port: number | null): Resolution {
  const near = scene.containers.find((view) => view.host === from.host && addressesOf(view).includes(address));
  if (near !== undefined) return near === from ? { kind: "self" } : { kind: "container", view: near, via: "address" };
  const network = from.inspect?.value.networks.find((attached) => attached.gateway === address);
  if (network !== undefined) return published(scene, from.host, port) ?? { kind: "outside" };
  const home = scene.settings.hosts.find((host) => host.address === address);
  if (home !== undefined) return published(scene, home.name, port) ?? { kind: "outside" };
  const inside = (scene.hosts.find((host) => host.name === from.host)?.networks?.value ?? []).find(
    (facts) =>
      networkNames(from).includes(facts.name) && facts.subnets.some((entry) => inSubnet(address, entry.subnet)),
  );
  if (inside !== undefined) return { kind: "nobody", network: inside.name };
  const gateways = scene.containers
    .filter((view) => view.host === from.host)
    .flatMap((view) => view.inspect?.value.networks ?? []);
  if (gateways.some((attached) => attached.gateway === address))
    return published(scene, from.host, port) ?? { kind: "outside" };
  return { kind: "outside" };
}

function byName(scene: Scene, from: ContainerView, name: string, port: number | null): Resolution {
  const bearers = scene.containers.filter(
    (view) => view.host === from.host && view !== from && namesOf(view).includes(name),
  );
  const reachable = bearers.filter((view) => sharedNetworks(from, view).some((network) => network !== "bridge"));
  const best = preferLive(reachable);
  if (best !== null) return { kind: "container", view: best, via: "alias" };
  if (namesOf(from).includes(name)) return { kind: "self" };
  const elsewhere = preferLive(bearers) ?? formerBearer(scene, from, name, port);
  if (elsewhere !== null) return { kind: "container", view: elsewhere, via: "name-elsewhere" };
  const home = scene.settings.hosts.find((host) => host.name.toLowerCase() === name || host.address === name);
  if (home !== undefined) return published(scene, home.name, port) ?? { kind: "outside" };
  return { kind: "outside" };
}

/**
 * Who had the name until it was renamed; else the only running container that was taken off one of the asker's networks,
 * because an alias goes away together with the attachment.
 */
function formerBearer(scene: Scene, from: ContainerView, name: string, port: number | null): ContainerView | null {
  const near = scene.containers.filter((view) => view.host === from.host && view !== from);
  const renamed = near.find((view) => formerNames(view).includes(name));
  if (renamed !== undefined || !/^[a-z0-9][a-z0-9_-]*$/.test(name)) return renamed ?? null;
  const taken = near.filter((view) => {
    const ours = networkNames(from).filter((network) => network !== "bridge" && !networkNames(view).includes(network));
    const off = ours.some((network) => disconnectOf(scene, view, network) !== null);
    return off && (port === null || hasPort(view, port));
  });
  return taken.length === 1 ? (taken[0] ?? null) : null;
}

/** Names it had before, lower case, newest first. */
export function formerNames(view: ContainerView): string[] {
  return view.events
    .filter((event) => event.action === "rename")
    .map((event) => (event.attributes["oldName"] ?? "").replace(/^\//, "").toLowerCase())
    .filter((name) => name !== "" && name !== view.name.toLowerCase())
    .reverse();
}

/**
 * The event that took a running container off a network. The engine tells the same event when a container ends, so one
 * that is followed by its end, or that stands before its start, means nothing.
 */
export function disconnectOf(scene: Pick<World, "hosts">, view: ContainerView, network: string): DockerEvent | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined || !inspect.running) return null;
  const events = scene.hosts.find((host) => host.name === view.host)?.events?.value.events ?? [];
  const last = events.findLast(
    (event) =>
      event.type === "network" &&
      event.action === "disconnect" &&
      event.attributes["container"] === view.id &&
      event.name === network,
  );
  return last !== undefined && (inspect.startedAtMs === null || last.atMs >= inspect.startedAtMs) ? last : null;
}

function hasPort(view: ContainerView, port: number): boolean {
  const listeners = view.process?.value.listeners ?? [];
  const exposed = view.inspect?.value.exposedPorts ?? [];
  const silent = listeners.length === 0 && exposed.length === 0;
  return silent || [...listeners, ...exposed].some((entry) => entry.port === port);
}

function preferLive(views: ContainerView[]): ContainerView | null {
  return views.find((view) => view.summary?.value.status === "running") ?? views[0] ?? null;
}

/** The container that publishes a port on a host; one that is stopped still owns its configured binding. */
function published(scene: Scene, host: string, port: number | null): Resolution | null {
  if (port === null) return null;
  const owners = scene.containers.filter(
    (view) =>
      view.host === host &&
      (view.summary?.value.ports.some((binding) => binding.hostPort === port) ||
        view.inspect?.value.portBindings.some((binding) => binding.hostPort === port) ||
        (view.inspect?.value.networkMode === "host" && listensOn(view, port))),
  );
  const view = preferLive(owners);
  return view === null ? null : { kind: "container", view, via: "published" };
}

function listensOn(view: ContainerView, port: number): boolean {
  const inspect = view.inspect?.value;
  return (
    view.process?.value.listeners.some((socket) => socket.port === port) ??
    (inspect?.exposedPorts.some((exposed) => exposed.port === port) || startedWith(inspect, port))
  );
}

/** What was not looked into, or does not run, still has its port in its command line or its environment. */
function startedWith(inspect: ContainerInspect | undefined, port: number): boolean {
  const words = [...(inspect?.entrypoint ?? []), ...(inspect?.command ?? [])];
  return (
    words.some((word) => new RegExp(`(?:^|[^\\d.])${port}(?:[^\\d.]|$)`).test(word)) ||
    (inspect?.env ?? []).some(({ name, value }) => /PORT$|LISTEN/i.test(name) && value === String(port))
  );
}

function splitExtraHost(entry: string): { name: string; address: string } {
  const at = entry.search(/[:=]/);
  return {
    name: entry.slice(0, at).toLowerCase(),
    address: entry.slice(at + 1),
  };
}

/** IPv4 only; an IPv6 address is compared to no subnet. */
export function inSubnet(address: string, subnet: string): boolean {
  const [base, bitsText] = subnet.split("/");
  const a = ipv4(address);
  const b = ipv4(base ?? "");
  if (a === null || b === null || bitsText === undefined) return false;
  const bits = Number(bitsText);
  const shift = 2 ** (32 - bits);
  return Math.floor(a / shift) === Math.floor(b / shift);
}

function ipv4(text: string): number | null {
  const parts = text.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

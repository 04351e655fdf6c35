import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { configuredPeers, signalPeer } from "../graph.ts";
import type { LogSignal } from "../log-signals.ts";
import { type PeerReference, peerReferences, technologyPorts } from "../references.ts";
import { isAddress, namesOf, type Resolution, resolvePeer, sharedNetworks } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isCurrent } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * A setting names a peer that is not there, or a port at which the peer does not listen. The peer that is meant is fine;
 * a name that somebody had until it was renamed, stopped or removed is another cause.
 */
export const wrongPeer: Rule = {
  name: "wrong-peer",
  causes: ["env-wrong-host", "env-shadowed"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const found = configuredPeers(world, view).flatMap(
      (peer) => wrongness(world, view, peer.reference, peer.resolution) ?? [],
    );
    const best = found.sort((a, b) => b.weight - a.weight)[0];
    if (best === undefined) return [];
    return [accuse(world, view, best)];
  },
};

interface Wrong {
  reference: PeerReference;
  sentence: string;
  facts: Fact[];
  witnesses: string[];
  weight: number;
  onsetMs: number | null;
}

function wrongness(world: World, view: ContainerView, reference: PeerReference, resolution: Resolution): Wrong | null {
  const complaints = view.signals.filter(
    (signal) => isCurrent(world, view, signal) && isAbout(world, view, signal, reference),
  );
  if (complaints.length === 0) return null;
  switch (resolution.kind) {
    case "container":
      return wrongPort(view, reference, resolution, complaints);
    case "self":
      return ownLoopback(view, reference, complaints);
    case "nobody":
    case "outside":
      return nobodysName(world, view, reference, complaints);
  }
}

const failedToConnect = ["peer-refused", "peer-timeout", "peer-name-unknown", "peer-unreachable", "upstream-missing"];

/** The line speaks of this setting: it names its host or, naming none, fits its port or kind. */
function isAbout(world: World, view: ContainerView, signal: LogSignal, reference: PeerReference): boolean {
  if (!failedToConnect.includes(signal.kind)) return false;
  if (signal.peerHost !== null) {
    const samePort = signal.peerPort === null || reference.port === null || signal.peerPort === reference.port;
    if (signal.peerHost === reference.host) return samePort;
    return isAddress(signal.peerHost) && signal.peerPort !== null && signal.peerPort === reference.port;
  }
  const meant = signalPeer(world, view, signal);
  return meant !== null && meant.name === reference.host && meant.port === reference.port;
}

function place(reference: PeerReference): string {
  return reference.port === null ? reference.host : `${reference.host}:${reference.port}`;
}

function settingFact(view: ContainerView, reference: PeerReference): Fact[] {
  if (view.inspect === null) return [];
  const where = reference.kind === "env" ? `Config.Env ${reference.where}` : "Config.Cmd";
  return [cite(view.inspect, `${where} names ${place(reference)}`, view.name)];
}

function logFact(view: ContainerView, complaints: LogSignal[]): Fact[] {
  const last = complaints.at(-1);
  return view.logs === null || last === undefined ? [] : [cite(view.logs, last.line.text, view.name)];
}

/** A name that no container answers to, has ever been renamed from or was removed under, as far as the engine remembers. */
function nobodysName(
  world: World,
  view: ContainerView,
  reference: PeerReference,
  complaints: LogSignal[],
): Wrong | null {
  const unknown = complaints.filter(
    (signal) => signal.kind === "peer-name-unknown" || signal.kind === "upstream-missing",
  );
  if (unknown.length === 0 || isAddress(reference.host)) return null;
  const dotted = /\.[a-z]{2,}$/i.test(reference.host) && !/\.(?:local|internal|docker|lan)$/i.test(reference.host);
  const events = hostOf(world, view.host)?.events ?? null;
  const remembered = (events?.value.events ?? []).some(
    (event) =>
      event.type === "container" &&
      [
        event.name,
        event.attributes["name"],
        (event.attributes["oldName"] ?? "").replace(/^\//, ""),
        event.attributes["com.docker.compose.service"],
      ].some((name) => name?.toLowerCase() === reference.host),
  );
  const onNetwork = (view.inspect?.value.networks ?? []).some((network) => network.name !== "bridge");
  if (dotted || remembered || !onNetwork) return null;
  // Where no outside name server answers, every unknown name fails alike; a peer that is there proves DNS works.
  const meant = likelyPeer(world, view, reference);
  const facts = [...settingFact(view, reference), ...logFact(view, unknown)];
  if (meant?.inspect != null)
    facts.push(
      cite(
        meant.inspect,
        `${meant.name} runs on the same network under the names ${namesOf(meant).slice(0, 3).join(", ")}`,
        meant.name,
      ),
    );
  return {
    reference,
    sentence: `names ${reference.host}, which nobody on its networks is called${meant === null ? "" : `; ${meant.name} may be meant`}`,
    facts,
    witnesses: ["docker-logs", "docker-inspect"],
    weight: meant === null ? weight.told : weight.strong,
    onsetMs: unknown[0]?.line.atMs ?? null,
  };
}

/** A running container beside it that does what the setting wants, by its port or by its name. */
function likelyPeer(world: World, view: ContainerView, reference: PeerReference): ContainerView | null {
  const ports = reference.port !== null ? [reference.port] : (technologyPorts[reference.scheme ?? ""] ?? []);
  const near = world.containers.filter(
    (other) => other !== view && other.inspect?.value.running === true && sharedNetworks(view, other).length > 0,
  );
  const byName = near.find((other) => namesOf(other).some((name) => isNearName(name, reference.host)));
  const byPort = near.filter(
    (other) =>
      other.process?.value.listeners.some((socket) => ports.includes(socket.port)) ||
      other.inspect?.value.exposedPorts.some((exposed) => ports.includes(exposed.port)),
  );
  return byName ?? (byPort.length === 1 ? (byPort[0] ?? null) : null);
}

function isNearName(name: string, wanted: string): boolean {
  if (name.length < 2 || /^[0-9a-f]{12}$/.test(name)) return false;
  return wanted.length >= 3 && name.length >= 3 && (name.includes(wanted) || wanted.includes(name));
}

/** The peer is there and listens, but elsewhere. */
function wrongPort(
  view: ContainerView,
  reference: PeerReference,
  resolution: Extract<Resolution, { kind: "container" }>,
  complaints: LogSignal[],
): Wrong | null {
  const peer = resolution.view;
  const process = peer.process;
  const refused = complaints.filter((signal) => signal.kind === "peer-refused");
  const { port } = reference;
  if (refused.length === 0 || port === null || process === null || peer.inspect?.value.running !== true) return null;
  if (resolution.via === "published") return null;
  const listens = process.value.listeners;
  // The engine's own name server listens on 127.0.0.11 inside every network namespace.
  const open = listens.filter((socket) => !/^(?:127\.|::1$)/.test(socket.address));
  if (open.length === 0 || listens.some((socket) => socket.port === port)) return null;
  const ports = [...new Set(open.map((socket) => socket.port))];
  return {
    reference,
    sentence: `names port ${port} of ${peer.name}, which listens on ${ports.join(", ")}`,
    facts: [
      ...settingFact(view, reference),
      cite(process, `${peer.name} listens on ${ports.join(", ")}, not on ${port}`, peer.name),
      ...logFact(view, refused),
    ],
    witnesses: ["docker-inspect", "process-facts", "docker-logs"],
    weight: weight.proven,
    onsetMs: refused[0]?.line.atMs ?? null,
  };
}

/** `localhost` inside a container is the container itself, where nothing listens at that port. */
function ownLoopback(view: ContainerView, reference: PeerReference, complaints: LogSignal[]): Wrong | null {
  const refused = complaints.filter((signal) => signal.kind === "peer-refused");
  const process = view.process;
  const { port } = reference;
  if (refused.length === 0 || process === null || port === null) return null;
  if (view.inspect?.value.networkMode === "host" || process.value.listeners.some((socket) => socket.port === port))
    return null;
  const ports = [...new Set(process.value.listeners.map((socket) => socket.port))];
  return {
    reference,
    sentence: `names ${reference.host}, which inside a container is the container itself, and nothing there listens on port ${port}`,
    facts: [
      ...settingFact(view, reference),
      cite(process, `${view.name} itself listens on ${ports.join(", ") || "nothing"}`, view.name),
      ...logFact(view, refused),
    ],
    witnesses: ["docker-inspect", "process-facts", "docker-logs"],
    weight: weight.proven,
    onsetMs: refused[0]?.line.atMs ?? null,
  };
}

function accuse(world: World, view: ContainerView, wrong: Wrong): Finding {
  const shadowed = losingValue(world, view, wrong.reference);
  const setting = wrong.reference.kind === "env" ? wrong.reference.where : "command line";
  return faultAt(view, {
    cause: shadowed === null ? "env-wrong-host" : "env-shadowed",
    summary:
      shadowed === null
        ? `The setting ${setting} of ${view.name} ${wrong.sentence}`
        : `The setting ${setting} of ${view.name} is given twice and the wrong one wins: it ${wrong.sentence}`,
    facts: [...wrong.facts, ...(shadowed === null ? [] : [shadowed])],
    witnesses: wrong.witnesses,
    onsetMs: wrong.onsetMs,
    weight: wrong.weight,
    advice: [
      shadowed === null
        ? `Correct ${setting} of ${view.name} and create it anew; the peer that is meant is not broken.`
        : `Remove one of the two places that set ${setting} of ${view.name}, and create it anew.`,
    ],
  });
}

/** Another value of the same setting that did not win: in the same list, under another usual name, or in the image. */
function losingValue(world: World, view: ContainerView, reference: PeerReference): Fact | null {
  const seen = view.inspect;
  if (reference.kind !== "env" || seen === null) return null;
  const name = reference.where;
  const twice = givenTwice(view, name);
  if (twice !== null) return twice;
  const twin = configuredPeers(world, view).find(
    (peer) =>
      peer.reference.kind === "env" &&
      peer.reference.where !== name &&
      stem(peer.reference.where) === stem(name) &&
      peer.reference.host !== reference.host &&
      isAlive(peer.resolution),
  );
  if (twin !== undefined)
    return cite(seen, `Config.Env ${twin.reference.where} names ${place(twin.reference)}, which is there`, view.name);
  const ofImage = view.image?.value.env.filter((variable) => variable.name === name) ?? [];
  const named = peerReferences({ ...seen.value, env: ofImage, entrypoint: [], command: [] });
  const alive = named.find((peer) => isAlive(resolvePeer(world, view, peer.host, peer.port)));
  return view.image === null || alive === undefined
    ? null
    : cite(
        view.image,
        `the image sets ${name} to ${place(alive)}, which is there; the container's own value overrides it`,
        view.name,
      );
}

/** Two values of one variable in the container's own list; the process gets the last one. */
export function givenTwice(view: ContainerView, name: string): Fact | null {
  const given = (view.inspect?.value.env ?? []).filter((variable) => variable.name === name);
  const differ = new Set(given.map((variable) => variable.digest)).size > 1;
  if (!differ || view.inspect === null) return null;
  return cite(view.inspect, `Config.Env has ${given.length} different values of ${name}; the last one wins`, view.name);
}

function isAlive(resolution: Resolution): boolean {
  return (
    resolution.kind === "container" &&
    resolution.via !== "name-elsewhere" &&
    resolution.view.inspect?.value.running === true
  );
}

/** `DATABASE_URL`, `DB_HOST` and `PGHOST` are three names of one setting. */
function stem(name: string): string {
  return name
    .toUpperCase()
    .replace(/_?(?:URL|URI|DSN|HOST|HOSTNAME|ADDR|ADDRESS|SERVER|ENDPOINT)S?$/, "")
    .replace(/^(?:APP_|SPRING_DATASOURCE|SPRING_)/, (prefix) => (prefix === "SPRING_DATASOURCE" ? "DB" : ""))
    .replace(/^(?:DATABASE|DB|POSTGRES|POSTGRESQL|PG|SQL|SQLALCHEMY_DATABASE)$/, "DB")
    .replace(/^(?:CACHE|REDIS)$/, "CACHE");
}

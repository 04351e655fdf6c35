import {
  type Call,
  callsFrom,
  callsTo,
  citeEvent,
  citeInspect,
  namesAskedFor,
  recentSignal,
  timeText,
} from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { configuredPeers } from "../graph.ts";
import { disconnectOf, formerNames, isAddress, namesOf, networkNames, sharedNetworks } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, hostOf, type World } from "../world.ts";

/**
 * Two containers that must talk cannot find each other: one was taken off the network, was renamed, was put elsewhere,
 * or runs on the default bridge, where the engine answers no names. All of it stands in the engine's state; the event
 * says which of the two moved.
 */
export const networkMembership: Rule = {
  name: "network-membership",
  causes: ["network-disconnected", "container-renamed", "wrong-network", "default-bridge-no-dns"],
  needs: ["docker-inspect", "docker-networks"],
  evaluate(world, view) {
    const calls = [...callsFrom(world, view), ...callsTo(world, view)].filter((call) => isJudgeable(world, call));
    for (const call of calls) {
      const found = judge(world, call);
      if (found !== null && found.containerId === view.id) return [found];
    }
    return [];
  },
};

/** Both run on one host with a network of their own; an address through the host needs no shared network. */
function isJudgeable(world: World, { caller, peer, edge }: Call): boolean {
  const running = caller.inspect?.value.running === true && peer.inspect?.value.running === true;
  const own = [caller, peer].every((view) => !/^(host|container:)/.test(view.inspect?.value.networkMode ?? ""));
  const names = edge.failures.map((signal) => signal.peerHost).filter((name): name is string => name !== null);
  const references = configuredPeers(world, caller).filter(
    ({ resolution }) => resolution.kind === "container" && resolution.view === peer,
  );
  const byName =
    names.length > 0
      ? names.some((name) => !isAddress(name))
      : references.some(({ reference }) => !isAddress(reference.host));
  const asked = edge.failures.length > 0 || edge.proof === "env";
  return running && own && asked && byName && caller.host === peer.host && caller.id !== peer.id;
}

function judge(world: World, call: Call): Finding | null {
  const { caller, peer } = call;
  const renamed = renamedPeer(world, call);
  if (renamed !== null) return renamed;
  if (sharedNetworks(caller, peer).some((network) => network !== "bridge")) return null;
  const off = networkNames(caller).find((network) => disconnectOf(world, peer, network) !== null);
  if (off !== undefined) return disconnected(world, call, peer, off);
  const ours = networkNames(peer).find((network) => disconnectOf(world, caller, network) !== null);
  if (ours !== undefined) return disconnected(world, call, caller, ours);
  return placedElsewhere(world, call);
}

function renamedPeer(world: World, { caller, peer, edge }: Call): Finding | null {
  const asked = edge.failures.map((signal) => signal.peerHost).filter((name): name is string => name !== null);
  const configured = edge.proof === "env" ? configuredPeers(world, caller).map(({ reference }) => reference.host) : [];
  const old = formerNames(peer).find(
    (name) => !namesOf(peer).includes(name) && (asked.includes(name) || configured.includes(name)),
  );
  if (old === undefined || (edge.failures.length > 0 && !asked.includes(old))) return null;
  const event = peer.events.findLast((entry) => entry.action === "rename");
  return faultAt(peer, {
    cause: "container-renamed",
    summary: `${peer.name} was renamed from ${old}; ${caller.name} still asks for ${old}, which no longer resolves`,
    facts: [
      ...citeEvent(
        world,
        peer.host,
        `rename from ${old} to ${peer.name}${event === undefined ? "" : ` at ${timeText(event.atMs)}`}`,
        peer.name,
      ),
      ...edge.facts,
      ...citeInspect(peer, `Name=${peer.name} State.Status=running`),
    ],
    witnesses: ["docker-events", edge.failures.length > 0 ? "docker-logs" : "docker-inspect"],
    onsetMs: event?.atMs ?? null,
    weight: edge.failures.length > 0 ? weight.proven : weight.strong,
    advice: [`Rename it back (docker rename ${peer.name} ${old}), or change the name ${caller.name} asks for.`],
  });
}

function disconnected(world: World, call: Call, culprit: ContainerView, network: string): Finding {
  const event = disconnectOf(world, culprit, network);
  const other = culprit === call.peer ? call.caller : call.peer;
  return faultAt(culprit, {
    cause: "network-disconnected",
    summary: `${culprit.name} runs but was taken off the network ${network}, where ${other.name} ${culprit === call.peer ? "looks for it" : "is"}`,
    facts: [
      ...citeEvent(
        world,
        culprit.host,
        `network disconnect ${network}${event === null ? "" : ` at ${timeText(event.atMs)}`}`,
        culprit.name,
      ),
      ...membership(culprit),
      ...membership(other),
    ],
    witnesses: ["docker-events", "docker-inspect"],
    onsetMs: event?.atMs ?? null,
    weight: call.edge.failures.length > 0 ? weight.proven : weight.strong,
    network: networkOf(world, culprit, network),
  });
}

/** No event tells of a move, so state alone says who stands where nobody else of its group does. */
function placedElsewhere(world: World, call: Call): Finding | null {
  const { caller, peer, edge } = call;
  if (edge.failures.length > 0 && recentSignal(world, caller, edge.failures) === null) return null;
  const culprit = oddOne(world, caller, peer);
  const other = culprit === caller ? peer : caller;
  const wanted = networkNames(other).find((network) => network !== "bridge") ?? null;
  const seen = edge.failures.length > 0;
  const bare = networkNames(culprit).length === 0 && culprit.inspect?.value.networkMode !== "none";
  const onDefault = networkNames(culprit).includes("bridge");
  const cause = bare ? "network-disconnected" : onDefault ? "default-bridge-no-dns" : "wrong-network";
  const summary = bare
    ? `${culprit.name} runs without any network, so ${other.name} and ${culprit.name} cannot reach each other`
    : onDefault
      ? `${culprit.name} runs on the default bridge, where the engine answers no names, so ${caller.name} cannot find ${peer.name}`
      : `${culprit.name} and ${other.name} share no network: ${culprit.name} is on ${listed(culprit)}, ${other.name} on ${listed(other)}`;
  return faultAt(culprit, {
    cause,
    summary,
    facts: [...membership(culprit), ...membership(other), ...edge.facts],
    witnesses: ["docker-inspect", ...(seen ? ["docker-logs"] : [])],
    weight: seen ? weight.proven : weight.hinted,
    ...(wanted === null ? {} : { network: networkOf(world, culprit, wanted) }),
    advice: [
      wanted === null
        ? `Create a network for both and connect ${caller.name} and ${peer.name} to it.`
        : `Write the network ${wanted} into the definition of ${culprit.name}, so that the next recreation keeps it.`,
    ],
  });
}

/** Who has no network, or only the default one, or nobody beside it; the caller where both have company. */
function oddOne(world: World, caller: ContainerView, peer: ContainerView): ContainerView {
  const order = (view: ContainerView) => {
    const names = networkNames(view);
    if (names.length === 0) return 0;
    return names.every((name) => name === "bridge") ? 1 : 2;
  };
  if (order(caller) !== order(peer)) return order(caller) < order(peer) ? caller : peer;
  const company = (view: ContainerView) =>
    world.containers.filter(
      (other) =>
        other !== view &&
        other.inspect?.value.running === true &&
        sharedNetworks(view, other).some((network) => network !== "bridge"),
    ).length;
  return company(peer) === 0 && company(caller) > 0 ? peer : caller;
}

function networkOf(world: World, culprit: ContainerView, network: string): NonNullable<Finding["network"]> {
  const id = hostOf(world, culprit.host)?.networks?.value.find((entry) => entry.name === network)?.id ?? null;
  return { networkId: id, networkName: network, aliases: namesAskedFor(world, culprit) };
}

function membership(view: ContainerView): Fact[] {
  return citeInspect(view, `NetworkSettings.Networks of ${view.name}: ${listed(view)}`);
}

function listed(view: ContainerView): string {
  return networkNames(view).join(", ") || "none";
}

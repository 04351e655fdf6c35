import { current } from "../complaints.ts";
import type { Edge, Finding } from "../diagnosis.ts";
import { edgesFrom } from "../graph.ts";
import type { LogSignal, SignalKind } from "../log-signals.ts";
import { isAddress, isLoopback } from "../resolve.ts";
import { hostFault, type Rule, weight } from "../rule.ts";
import type { ContainerView, World } from "../world.ts";

const failing: readonly SignalKind[] = [
  "peer-refused",
  "peer-timeout",
  "peer-name-unknown",
  "peer-unreachable",
  "peer-closed",
  "peer-http-error",
];

/**
 * Somebody outside Docker does not answer: an address, or a name with a domain, that no container has. A bare name is
 * left alone, for it may be a container that is gone; so is everything while a registered host cannot be seen.
 */
export const outsidePeer: Rule = {
  name: "outside-peer",
  causes: ["external-api-down"],
  needs: ["docker-logs", "docker-list"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || someHostUnseen(world)) return [];
    return edgesFrom(world.edges, view.ref)
      .filter((edge) => edge.to.host === null && isOutside(world, view, edge.to.container))
      .flatMap((edge) => outsideFault(world, view, edge) ?? []);
  },
};

function outsideFault(world: World, view: ContainerView, edge: Edge): Finding | null {
  const now = current(world, view, edge.failures).filter((signal) => failing.includes(signal.kind));
  const last = now.at(-1);
  if (last === undefined) return null;
  const unnamed = now.every((signal) => signal.kind === "peer-name-unknown");
  if (unnamed && (view.inspect?.value.dns.length ?? 0) > 0) return null;
  const said: Partial<Record<SignalKind, string>> = {
    "peer-refused": "refuses connections",
    "peer-timeout": "does not answer in time",
    "peer-name-unknown": "has a name that does not resolve",
    "peer-unreachable": "cannot be reached",
    "peer-closed": "closes connections",
    "peer-http-error": "answers with errors",
  };
  return hostFault(view.host, {
    cause: "external-api-down",
    summary: `${edge.to.container}, which ${view.name} calls, is outside Docker and ${said[last.kind] ?? "does not answer"}; the containers here are not at fault`,
    facts: edge.facts,
    witnesses: ["docker-logs", ...(view.probes.some((probe) => probe.value.failure === null) ? ["docker-list"] : [])],
    onsetMs: now[0]?.line.atMs ?? null,
    weight: unnamed || isOnlyWarned(view, now) ? weight.hinted : weight.told,
    advice: [
      `Check ${edge.to.container} where it runs, or its status page; nothing on this host needs a restart. Give ${view.name} a short timeout and a fallback for it.`,
    ],
  });
}

/** Warnings of a program that answers, with no failed request beside them: it lives with that peer being away. */
function isOnlyWarned(view: ContainerView, signals: readonly LogSignal[]): boolean {
  const fails =
    view.signals.some((signal) => signal.kind === "http-5xx") ||
    view.probes.some((probe) => probe.value.failure !== null || (probe.value.httpStatus ?? 0) >= 500);
  return !fails && signals.every((signal) => /\bwarn(?:ing)?\b/i.test(signal.line.text));
}

function isOutside(world: World, view: ContainerView, name: string): boolean {
  if (isLoopback(name)) return false;
  const inspect = view.inspect?.value;
  if (inspect === undefined || isProxy(view, name)) return false;
  if (inspect.extraHosts.some((entry) => entry.toLowerCase().startsWith(`${name}:`) && !entry.endsWith("host-gateway")))
    return false;
  if (world.settings.hosts.some((host) => host.name === name || host.address === name)) return false;
  if (name === "host.docker.internal") return true;
  if (isAddress(name)) return !isInOwnNetwork(world, view, name);
  return name.includes(".") && !namesContainer(world, name);
}

/** An address inside one of its networks belonged to a container. Its gateway is the host, where no container listens. */
function isInOwnNetwork(world: World, view: ContainerView, address: string): boolean {
  const networks = view.inspect?.value.networks ?? [];
  if (networks.some((network) => network.gateway === address)) return false;
  const prefix = (text: string) => text.split(".").slice(0, 2).join(".");
  return (
    networks.some((network) => network.address !== null && prefix(network.address) === prefix(address)) ||
    world.containers.some((other) => other.inspect?.value.networks.some((network) => network.address === address))
  );
}

/** `db.shop_default` is a container's name with its network behind it. */
function namesContainer(world: World, name: string): boolean {
  const first = name.split(".")[0] ?? "";
  return world.containers.some((other) => other.name.toLowerCase() === first);
}

function isProxy(view: ContainerView, name: string): boolean {
  return (view.inspect?.value.env ?? []).some(
    (variable) => /_proxy$/i.test(variable.name) && variable.value.toLowerCase().includes(name),
  );
}

function someHostUnseen(world: World): boolean {
  return (
    world.readings.some((reading) => reading.source === "docker-list" && reading.outcome.status === "failed") &&
    world.settings.hosts.some((host) => !world.hosts.some((seen) => seen.name === host.name && seen.list !== null))
  );
}

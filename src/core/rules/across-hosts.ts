import { type Call, callsFrom, callsTo, citeInspect, citeLine, isSettled, recentSignal } from "../callers.ts";
import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { configuredPeers } from "../graph.ts";
import { composeService } from "../resolve.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** A dependency on another registered host: stopped there, cut off by that host, moved away, or one of several. */
export const acrossHosts: Rule = {
  name: "across-hosts",
  causes: ["cross-host-dep-stopped", "cross-host-firewall", "lb-half-dead", "host-move-stale-ip"],
  needs: ["docker-list", "docker-inspect"],
  evaluate(world, view) {
    if (world.hosts.length < 2) return [];
    return [...stoppedThere(world, view), ...cutOff(world, view), ...movedAway(world, view)];
  },
};

function stoppedThere(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect?.value;
  const call = callsTo(world, view).find(({ caller }) => caller.host !== view.host);
  if (call === undefined || inspect === undefined || view.inspect === null || inspect.running || inspect.restarting)
    return [];
  const sibling = otherBackend(world, call);
  const death = lastDeath(world, view);
  const stopped =
    death === null ? inspect.status === "created" : ["stop-clean", "stop-grace", "daemon-stop"].includes(death.kind);
  const killed = death !== null && ["docker-kill", "outside-kill", "own-exit"].includes(death.kind);
  const facts: Fact[] = [
    ...(death?.facts ?? [cite(view.inspect, `State.Status=${inspect.status}`, view.name)]),
    ...call.edge.facts,
  ];
  const shared = {
    facts,
    onsetMs: death?.atMs ?? null,
    witnesses: [...(death?.witnesses ?? ["docker-inspect"]), "docker-list"],
  };
  if (sibling !== null && (stopped || killed)) {
    return [
      faultAt(view, {
        cause: "lb-half-dead",
        summary: `${view.name} on ${view.host}, one of the backends of ${call.caller.name}, is ${inspect.status}, while ${sibling.name} on ${sibling.host} still serves: a part of the requests fails`,
        ...shared,
        facts: [...facts, ...citeInspect(sibling, `State.Status=running of ${sibling.name} on ${sibling.host}`)],
        weight: weight.proven + 3,
        advice: [
          `Let ${call.caller.name} check the health of its backends and leave out the one that does not answer.`,
        ],
      }),
    ];
  }
  if (!stopped) return [];
  return [
    faultAt(view, {
      cause: "cross-host-dep-stopped",
      summary: `${view.name} on ${view.host}, which ${call.caller.name} on ${call.caller.host} needs, was stopped and is ${inspect.status}`,
      ...shared,
      weight: weight.proven + 2,
    }),
  ];
}

/** Another backend of the same caller with the same service, which runs. */
function otherBackend(world: World, { caller, peer }: Call): ContainerView | null {
  const kin = (view: ContainerView) => composeService(view) ?? view.name.replace(/[-_]?\d+$/, "");
  const port = (view: ContainerView) =>
    view.inspect?.value.portBindings.map((binding) => binding.containerPort)[0] ?? null;
  const others = callsFrom(world, caller).filter(({ peer: other }) => other.id !== peer.id || other.host !== peer.host);
  const same = others.find(
    ({ peer: other }) =>
      other.inspect?.value.status === "running" &&
      (kin(other) === kin(peer) ||
        (other.inspect.value.image === peer.inspect?.value.image &&
          port(other) !== null &&
          port(other) === port(peer))),
  );
  if (same !== undefined) return same.peer;
  // A proxy names only the backend that fails; one that works shows by its service, or its name, on another host.
  const proxied = callsFrom(world, caller).some(({ edge }) => edge.proof === "proxy-config");
  const twin = world.containers.find(
    (other) =>
      other.host !== peer.host &&
      other !== caller &&
      other.inspect?.value.status === "running" &&
      kin(other) === kin(peer) &&
      port(other) !== null &&
      port(other) === port(peer),
  );
  return proxied ? (twin ?? null) : null;
}

/** It runs and answers on its own host; only from the caller's host it cannot be reached. */
function cutOff(world: World, view: ContainerView): Finding[] {
  const answered = view.probes.find((probe) => probe.value.failure === null);
  if (!isSettled(world, view) || answered === undefined) return [];
  for (const { caller, edge } of callsTo(world, view)) {
    const last = recentSignal(world, caller, edge.failures);
    const address = world.settings.hosts.find((host) => host.name === view.host)?.address ?? null;
    if (caller.host === view.host || last === null || address === null) continue;
    const probe = hostOf(world, caller.host)?.probes.find(
      (entry) => entry.value.address === address && entry.value.port === edge.port,
    );
    const silent = last.kind === "peer-timeout" || last.kind === "peer-unreachable";
    const mapped = view.inspect?.value.portBindings.some(
      (binding) => binding.hostPort === edge.port && ["", "0.0.0.0", "::", address].includes(binding.hostAddress),
    );
    if (probe?.value.failure === null || mapped !== true) continue;
    if (!silent && probe === undefined) continue;
    return [
      hostFault(view.host, {
        cause: "cross-host-firewall",
        summary: `${view.host} ${silent ? "drops" : "refuses"} what ${caller.name} on ${caller.host} sends to port ${edge.port}: ${view.name} runs there and answers on its own host`,
        facts: [
          ...citeLine(caller, last),
          cite(
            answered,
            `${answered.value.kind} probe of port ${answered.value.port} on ${view.host}: answered`,
            view.name,
          ),
          ...citeInspect(view, `HostConfig.PortBindings ${edge.port} of ${view.name}, State.Status=running`),
          ...(probe === undefined
            ? []
            : [cite(probe, `tcp probe of ${address}:${edge.port} from ${caller.host}: ${probe.value.failure}`, null)]),
        ],
        witnesses: ["docker-logs", answered.value.kind === "tcp" ? "tcp-probe" : "http-probe"],
        weight: weight.proven,
        shownBy: caller.ref,
        advice: [
          `Look at the firewall of ${view.host} (and of the network between) for port ${edge.port} from ${caller.host}.`,
        ],
      }),
    ];
  }
  return [];
}

/** The setting names the address of a registered host, which is alive and has nothing there; the service lives elsewhere. */
function movedAway(world: World, view: ContainerView): Finding[] {
  for (const { reference, resolution } of configuredPeers(world, view)) {
    const home = world.settings.hosts.find((host) => host.address === reference.host && host.name !== view.host);
    // A host without any container answers with an empty list, which is as good as a list.
    const seen = world.readings.find(
      (reading) =>
        reading.source === "docker-list" && reading.host === home?.name && reading.outcome.status !== "failed",
    );
    if (home === undefined || seen === undefined || reference.port === null) continue;
    const live = resolution.kind === "container" && resolution.view.inspect?.value.running === true;
    if (live) continue;
    const moved = world.containers.find(
      (other) =>
        other.host !== home.name &&
        other.inspect?.value.running === true &&
        other.inspect.value.portBindings.some((binding) => binding.hostPort === reference.port) &&
        other !== view,
    );
    const failing = view.signals.filter(
      (signal) => signal.peerHost === reference.host || (signal.peerHost === null && signal.kind.startsWith("peer-")),
    );
    const last = recentSignal(world, view, failing);
    if (moved === undefined || last === null || resolution.kind === "container") continue;
    return [
      faultAt(view, {
        cause: "host-move-stale-ip",
        summary: `${view.name} still asks ${reference.host} (${home.name}) on port ${reference.port}, where nothing is published any more; ${moved.name} on ${moved.host} publishes it now`,
        facts: [
          ...citeInspect(view, `Config.Env ${reference.where} names ${reference.host}:${reference.port}`),
          ...citeInspect(
            moved,
            `HostConfig.PortBindings ${reference.port} of ${moved.name} on ${moved.host}, State.Status=running`,
          ),
          cite({ reading: seen }, `no container of ${home.name} publishes ${reference.port}`, null),
          ...citeLine(view, last),
        ],
        witnesses: ["docker-inspect", "docker-list", "docker-logs"],
        weight: weight.proven,
        advice: [`Change ${reference.where} of ${view.name} to the address of ${moved.host}, and recreate it.`],
      }),
    ];
  }
  return [];
}

import { type Call, callsFrom, callsTo, citeInspect, citeLine, recentSignal, timeText } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import { configuredPeers, isPeerSignal, signalPeer } from "../graph.ts";
import { limits } from "../limits.ts";
import type { LogSignal } from "../log-signals.ts";
import { proxyProgram } from "../proxy-kind.ts";
import type { DockerEvent } from "../readings.ts";
import {
  addressesOf,
  composeProject,
  composeService,
  isAddress,
  namesOf,
  resolvePeer,
  sharedNetworks,
} from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isFailure } from "../symptom.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * A program that resolves its upstream once (nginx and HAProxy at start) keeps an address after the engine gave it to
 * another container, or to nobody; and one that cannot resolve it at start ends. The upstream itself is fine then.
 */
export const staleUpstream: Rule = {
  name: "stale-upstream",
  causes: ["nginx-stale-upstream", "stale-upstream-wrong-service", "upstream-missing-at-boot", "stale-extra-hosts"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    return [
      ...fixedEntry(world, view),
      ...remembered(world, view),
      ...wrongService(world, view),
      ...missingAtBoot(world, view),
    ];
  },
};

/** A line of a proxy with an address, later than the start of the container that is meant, which lives elsewhere now. */
function remembered(world: World, view: ContainerView): Finding[] {
  if (!isUp(view)) return [];
  const lines = view.signals.filter((line) => isPeerSignal(line) && isProxySignal(line));
  const kept = recentSignal(
    world,
    view,
    lines.filter((line) => line.peerHost !== null && isAddress(line.peerHost)),
  );
  for (const call of meantCalls(world, view, kept?.peerPort ?? null)) {
    const { peer, edge } = call;
    const mark = recentSignal(
      world,
      view,
      edge.failures.filter((line) => line.pattern === "nginx-no-live"),
    );
    if (mark !== null && failedSince(mark, peer, limits.failTimeoutMs) && answers(peer)) return [downMark(call, mark)];
    if (kept === null || !failedSince(kept, peer, 0) || isConfigured(world, view, kept.peerHost)) continue;
    const now = addressesOf(peer);
    if (now.length === 0 || now.includes(kept.peerHost as string) || !isLater(peer, view)) continue;
    return [staleAddress(call, kept, now)];
  }
  return [];
}

/** Running containers that the proxy is known to mean: by its settings, by compose, by the failing edge itself, or as the only ones with that port. */
function meantCalls(world: World, view: ContainerView, port: number | null): Call[] {
  const calls = callsFrom(world, view).filter(({ peer }) => isUp(peer));
  const told = calls.filter(({ edge }) => edge.proof === "label" || edge.proof === "config" || edge.proof === "env");
  const byPort = calls.filter(({ edge, peer }) => edge.proof === "proxy-config" && opens(peer, port));
  return [...told, ...byPort, ...recreated(world, view)];
}

function recreated(world: World, view: ContainerView): Call[] {
  const edge = world.edges.find((entry) => entry.from.containerId === view.id && entry.proof === "proxy-config");
  return edge === undefined ? [] : heirs(world, view).map((peer) => ({ caller: view, peer, edge }));
}

/** The only container near it that took over a name, or a compose service, whose bearer ended while the proxy ran. */
function heirs(world: World, view: ContainerView): ContainerView[] {
  const since = view.inspect?.value.startedAtMs ?? null;
  if (since === null) return [];
  const events = hostOf(world, view.host)?.events?.value.events ?? [];
  const ended = events.filter((event) => event.type === "container" && event.action === "die" && event.atMs > since);
  const found = world.containers.filter(
    (peer) =>
      peer !== view &&
      isUp(peer) &&
      sharedNetworks(view, peer).length > 0 &&
      ended.some((event) => event.actorId !== peer.id && sameRole(event, peer)),
  );
  return found.length === 1 ? found : [];
}

function sameRole(event: DockerEvent, peer: ContainerView): boolean {
  const service = composeService(peer);
  return service === null
    ? event.name === peer.name
    : event.attributes["com.docker.compose.service"] === service &&
        event.attributes["com.docker.compose.project"] === composeProject(peer);
}

function opens(peer: ContainerView, port: number | null): boolean {
  return port === null || (peer.process?.value.listeners.some((socket) => socket.port === port) ?? false);
}

function isUp(view: ContainerView): boolean {
  return view.inspect?.value.status === "running";
}

function staleAddress({ caller, peer }: Call, kept: LogSignal, now: string[]): Finding {
  return faultAt(caller, {
    cause: "nginx-stale-upstream",
    summary: `${caller.name} still sends requests to ${kept.peerHost}, which no longer belongs to ${peer.name}; ${peer.name} runs at ${now.join(", ")} since it was started again`,
    facts: [
      ...citeLine(caller, kept),
      ...citeInspect(
        peer,
        `NetworkSettings.Networks of ${peer.name}: ${now.join(", ")}; State.StartedAt ${started(peer)}`,
      ),
      ...citeInspect(caller, `State.StartedAt of ${caller.name} ${started(caller)}`),
    ],
    witnesses: ["docker-logs", "docker-inspect"],
    onsetMs: peer.inspect?.value.startedAtMs ?? null,
    weight: weight.proven + 1,
    advice: [
      `Reloading ${caller.name} is enough. Let it resolve names while it runs (in nginx: resolver 127.0.0.11 and a variable in proxy_pass), so that a recreated upstream is found.`,
    ],
  });
}

function downMark({ caller, peer }: Call, signal: LogSignal): Finding {
  return faultAt(caller, {
    cause: "nginx-stale-upstream",
    summary: `${caller.name} keeps its upstream marked as down although ${peer.name} runs and answers`,
    facts: [...citeLine(caller, signal), ...connected(peer)],
    witnesses: ["docker-logs", "tcp-probe"],
    weight: weight.strong,
    advice: [`Shorten fail_timeout or raise max_fails in the upstream block of ${caller.name}.`],
  });
}

/** Its connections lead to a container that is not the one its own settings name at that port. */
function wrongService(world: World, view: ContainerView): Finding[] {
  if (!isUp(view)) return [];
  const peers = configuredPeers(world, view).flatMap(({ reference, resolution }) =>
    resolution.kind === "container" && !isAddress(reference.host) ? [{ reference, peer: resolution.view }] : [],
  );
  const meant = [
    ...peers.map(({ peer, reference }) => ({ peer, port: reference.port })),
    ...callsFrom(world, view)
      .filter(({ edge }) => edge.proof === "label" || edge.proof === "config")
      .map(({ peer }) => ({ peer, port: null })),
  ];
  if (meant.length === 0 && proxyProgram(world, view) !== null && view.probes.some(({ value }) => isFailure(value)))
    meant.push(...heirs(world, view).map((peer) => ({ peer, port: null })));
  for (const { holder, address, port, cited } of contacts(world, view)) {
    if (meant.some(({ peer }) => peer === holder)) continue;
    const right = meant.find(
      ({ peer, port: wanted }) =>
        (wanted === null || wanted === port) && isLater(peer, view) && !touched(world, view, peer),
    );
    if (right === undefined || !isLater(holder, view)) continue;
    return [
      faultAt(view, {
        cause: "stale-upstream-wrong-service",
        summary: `${view.name} sends the requests meant for ${right.peer.name} to ${address}, which now belongs to ${holder.name}: it answers, but with another service's content`,
        facts: [
          cited,
          ...citeInspect(
            holder,
            `NetworkSettings.Networks of ${holder.name}: ${addressesOf(holder).join(", ")}; State.StartedAt ${started(holder)}`,
          ),
          ...citeInspect(
            right.peer,
            `NetworkSettings.Networks of ${right.peer.name}: ${addressesOf(right.peer).join(", ") || "none"}`,
          ),
          ...citeInspect(view, `State.StartedAt of ${view.name} ${started(view)}`),
        ],
        witnesses: ["process-facts", "docker-inspect"],
        onsetMs: holder.inspect?.value.startedAtMs ?? null,
        weight: weight.proven + 1,
        past: true,
        advice: [`Reload ${view.name}, and let it resolve names while it runs instead of only at its start.`],
      }),
    ];
  }
  return [];
}

/** Whom it talked to: its own sockets, and sockets at the other end, where a closed connection is remembered longer. */
function contacts(world: World, view: ContainerView) {
  const ours = addressesOf(view);
  return world.containers
    .filter((other) => other.host === view.host && other !== view && other.process !== null)
    .flatMap((holder) => {
      const process = holder.process as NonNullable<typeof holder.process>;
      const ports = process.value.listeners.map((socket) => socket.port);
      const socket = process.value.connections.find(
        (connection) => ports.includes(connection.port) && ours.includes(connection.remoteAddress),
      );
      if (socket === undefined || !addressesOf(holder).includes(socket.address)) return [];
      const text = `${socket.state} connection from ${socket.remoteAddress} (${view.name}) to ${socket.address}:${socket.port}`;
      return [{ holder, address: socket.address, port: socket.port, cited: cite(process, text, holder.name) }];
    });
}

function touched(world: World, view: ContainerView, peer: ContainerView): boolean {
  return contacts(world, view).some(({ holder }) => holder === peer);
}

/** A hosts entry beats the name server; it is out of date when the container of that name has another address. */
function fixedEntry(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect;
  if (inspect === null) return [];
  for (const entry of inspect.value.extraHosts) {
    const at = entry.search(/[:=]/);
    const [name, address] = [entry.slice(0, at).toLowerCase(), entry.slice(at + 1)];
    if (!isAddress(address)) continue;
    const peer = world.containers.find(
      (other) =>
        other.host === view.host &&
        other !== view &&
        other.inspect?.value.running === true &&
        namesOf(other).includes(name),
    );
    const leads = resolvePeer(world, view, address, null);
    const stale = peer !== undefined && addressesOf(peer).length > 0 && !addressesOf(peer).includes(address);
    const gateway = inspect.value.networks.some((network) => network.gateway === address);
    if (
      !stale ||
      gateway ||
      (leads.kind === "outside" && world.settings.hosts.some((host) => host.address === address))
    )
      continue;
    const failing = view.signals.filter(
      (signal) =>
        isPeerSignal(signal) &&
        (signal.peerHost === name || signal.peerHost === address || meansEntry(world, view, signal, name)),
    );
    const last = recentSignal(world, view, failing);
    const unanswered = view.process?.value.connections.find(
      (socket) => socket.remoteAddress === address && socket.state === "SYN_SENT",
    );
    if (last === null && unanswered === undefined) continue;
    return [
      faultAt(view, {
        cause: "stale-extra-hosts",
        summary: `${view.name} has a fixed hosts entry that sends ${name} to ${address}, while ${peer.name} is at ${addressesOf(peer).join(", ")}`,
        facts: [
          cite(inspect, `HostConfig.ExtraHosts ${name}:${address}`, view.name),
          ...citeInspect(peer, `NetworkSettings.Networks of ${peer.name}: ${addressesOf(peer).join(", ")}`),
          ...(last === null ? [] : citeLine(view, last)),
          ...(unanswered === undefined || view.process === null
            ? []
            : [cite(view.process, `SYN_SENT to ${address}:${unanswered.remotePort}`, view.name)]),
        ],
        witnesses: ["docker-inspect", last === null ? "process-facts" : "docker-logs"],
        weight: weight.proven + 2,
        advice: [
          `Remove the extra_hosts entry for ${name} from ${view.name}; the engine's name server knows the current address.`,
        ],
      }),
    ];
  }
  return [];
}

function meansEntry(world: World, view: ContainerView, signal: LogSignal, name: string): boolean {
  return signal.peerHost === null && signalPeer(world, view, signal)?.name === name;
}

/** The proxy ended at its start because a name of its configuration did not resolve. */
function missingAtBoot(world: World, view: ContainerView): Finding[] {
  for (const { caller, edge } of callsTo(world, view)) {
    const inspect = caller.inspect?.value;
    const signal = edge.failures.findLast((line) => line.kind === "upstream-missing");
    const down = inspect !== undefined && (!inspect.running || inspect.restarting) && inspect.exitCode !== 0;
    if (signal === undefined || !down || view.inspect === null) continue;
    const runs = view.inspect.value.running;
    return [
      faultAt(view, {
        cause: "upstream-missing-at-boot",
        summary: `${caller.name} could not start because the name ${signal.peerHost} did not resolve: ${view.name} ${runs ? "was not running at that moment" : `is ${view.inspect.value.status}`}`,
        facts: [
          ...citeLine(caller, signal),
          ...citeInspect(caller, `State.Status=${inspect.status} State.ExitCode=${inspect.exitCode}`),
          cite(view.inspect, `State.Status=${view.inspect.value.status} State.StartedAt ${started(view)}`, view.name),
        ],
        witnesses: ["docker-logs", "docker-inspect"],
        onsetMs: inspect.finishedAtMs,
        weight: weight.proven + 2,
        ...(runs ? { actOn: caller.ref } : { alsoActOn: [caller.ref] }),
        advice: [
          `Let ${caller.name} wait for ${view.name} (depends_on with a health condition), or resolve the name while it runs.`,
        ],
      }),
    ];
  }
  return [];
}

function isProxySignal(signal: LogSignal): boolean {
  return (
    ["nginx", "haproxy", "traefik", "envoy"].includes(signal.technology ?? "") || /^(apache|caddy)/.test(signal.pattern)
  );
}

function failedSince(signal: LogSignal, peer: ContainerView, afterMs: number): boolean {
  const since = peer.inspect?.value.startedAtMs ?? null;
  return since !== null && signal.line.atMs !== null && signal.line.atMs > since + afterMs;
}

/** The address itself stands in its settings: then the setting is wrong, not the memory. */
function isConfigured(world: World, view: ContainerView, address: string | null): boolean {
  const inFiles = view.proxy?.value.upstreams.some(({ host }) => host === address) ?? false;
  return inFiles || configuredPeers(world, view).some(({ reference }) => reference.host === address);
}

function isLater(a: ContainerView, b: ContainerView): boolean {
  const [first, second] = [a.inspect?.value.startedAtMs ?? null, b.inspect?.value.startedAtMs ?? null];
  return first !== null && second !== null && first > second;
}

function started(view: ContainerView): string {
  const at = view.inspect?.value.startedAtMs ?? null;
  return at === null ? "unknown" : timeText(at);
}

function answers(peer: ContainerView): boolean {
  return peer.probes.some((probe) => probe.value.failure === null);
}

function connected(peer: ContainerView) {
  const probe = peer.probes.find((entry) => entry.value.failure === null);
  return probe === undefined
    ? []
    : [cite(probe, `${probe.value.kind} probe of port ${probe.value.port}: answered`, peer.name)];
}

import { askedPorts, callsTo, citeInspect, isSettled, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { connectsArrive } from "../own-failure.ts";
import { addressesOf, isLoopback, sharedNetworks } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, containerOf, type Seen, type World } from "../world.ts";

/**
 * The socket tables against what others see. Nobody listens, or only on loopback: the program or the mapping. Somebody
 * listens and a connect is still refused or lost: a rule in the container's own network namespace, or a full queue.
 */
export const listener: Rule = {
  name: "listener",
  causes: [
    "app-binds-loopback",
    "published-on-loopback",
    "wrong-target-port",
    "netns-drop",
    "netns-reject",
    "listen-backlog-overflow",
  ],
  needs: ["docker-inspect", "process-facts", "tcp-probe"],
  evaluate(world, view) {
    const mode = view.inspect?.value.networkMode ?? "host";
    if (mode === "host" || mode.startsWith("container:")) return [];
    const outside = publishedOnLoopback(world, view);
    if (view.process === null || view.inspect?.value.status !== "running") return outside;
    const inner = loopbackOnly(world, view, view.process);
    if (!isSettled(world, view)) return [...outside, ...inner];
    return [
      ...outside,
      ...inner,
      ...nobodyListens(world, view, view.process),
      ...proxiedToWrongPort(world, view, view.process),
      ...blocked(world, view, view.process),
    ];
  },
};

type Process = NonNullable<ContainerView["process"]>;

/** The engine's own name server listens at 127.0.0.11 in every container; it is nobody's program. */
function listeners(process: Process) {
  return process.value.listeners.filter((socket) => socket.address !== "127.0.0.11");
}

function listening(process: Process): Fact {
  const all = listeners(process).map((socket) => `${socket.address}:${socket.port}`);
  return cite(process, `listening sockets: ${all.slice(0, 8).join(", ") || "none"}`, null);
}

function loopbackOnly(world: World, view: ContainerView, process: Process): Finding[] {
  const all = listeners(process);
  const inner = all.filter((socket) => isLoopback(socket.address) && socket.address !== "0.0.0.0");
  const outer = all.filter((socket) => !inner.includes(socket));
  const sharesIt = world.containers.some(
    (other) => other.host === view.host && (other.inspect?.value.networkMode ?? "") === `container:${view.id}`,
  );
  if (inner.length === 0 || sharesIt) return [];
  const exposed = view.inspect?.value.exposedPorts.map((entry) => entry.port) ?? [];
  const asked = [...askedPorts(world, view), ...exposed];
  const socket = inner.find((entry) => asked.includes(entry.port) && !outer.some(({ port }) => port === entry.port));
  const found = socket ?? (outer.length === 0 && world.subjects.includes(view) ? inner[0] : undefined);
  if (found === undefined) return [];
  const failing = callsTo(world, view).flatMap(({ edge }) => edge.failures);
  return [
    faultAt(view, {
      cause: "app-binds-loopback",
      summary: `${view.name} listens on port ${found.port} only at its own loopback address ${found.address}, so nobody outside the container can reach it`,
      facts: [
        { ...listening(process), container: view.name },
        ...refusals(view, found.port),
        ...callerFacts(world, view),
      ],
      witnesses: [
        "process-facts",
        ...(view.probes.some((probe) => probe.value.failure === "refused") ? ["tcp-probe"] : []),
        ...(failing.length > 0 ? ["docker-logs"] : []),
      ],
      weight: socket !== undefined ? weight.proven : weight.told,
      advice: [
        `Let the program in ${view.name} bind 0.0.0.0 (its host, bind or listen setting) instead of ${found.address}.`,
      ],
    }),
  ];
}

/** A published mapping that leads to a port without a listener, while the program listens on another. */
function nobodyListens(world: World, view: ContainerView, process: Process): Finding[] {
  const open = listeners(process).map((socket) => socket.port);
  if (open.length === 0) return [];
  const bindings = view.inspect?.value.portBindings.filter((binding) => binding.protocol === "tcp") ?? [];
  const dead = bindings.find((binding) => !open.includes(binding.containerPort));
  if (dead === undefined) return [];
  const others = bindings.some((binding) => open.includes(binding.containerPort));
  const subject = world.subjects.includes(view);
  return [
    faultAt(view, {
      cause: "wrong-target-port",
      summary: `${view.name} publishes port ${dead.hostPort ?? dead.containerPort} to its own port ${dead.containerPort}, where nobody listens; the program listens on ${[...new Set(open)].join(", ")}`,
      facts: [
        ...citeInspect(
          view,
          `HostConfig.PortBindings ${dead.hostPort ?? dead.containerPort} -> ${dead.containerPort}/tcp`,
        ),
        { ...listening(process), container: view.name },
        ...refusals(view, dead.containerPort),
      ],
      witnesses: ["docker-inspect", "process-facts"],
      kind: others && !subject ? "hazard" : "fault",
      weight: others ? weight.hinted : weight.proven,
      past: !others,
      advice: [
        `Map the published port to ${open[0]} instead of ${dead.containerPort}, or let the program listen on ${dead.containerPort}.`,
      ],
    }),
  ];
}

/** A proxy asks for a port that its upstream does not open; the upstream listens on another. */
function proxiedToWrongPort(world: World, view: ContainerView, process: Process): Finding[] {
  const open = [
    ...new Set(
      listeners(process)
        .filter((socket) => !isLoopback(socket.address) || socket.address === "0.0.0.0")
        .map((socket) => socket.port),
    ),
  ];
  if (open.length === 0) return [];
  return callsTo(world, view).flatMap(({ caller, edge }) => {
    const last = recentSignal(world, caller, edge.failures);
    const proxied = edge.proof === "proxy-config" && last?.kind === "peer-refused" && last.peerPort !== null;
    if (!proxied || caller.host !== view.host || last === null || open.includes(last.peerPort as number)) return [];
    if (last.peerHost === null || !addressesOf(view).includes(last.peerHost)) return [];
    return [
      faultAt(caller, {
        cause: "wrong-target-port",
        summary: `${caller.name} sends requests to port ${last.peerPort} of ${view.name}, where nobody listens; ${view.name} listens on ${open.join(", ")}`,
        facts: [
          ...(caller.logs === null ? [] : [cite(caller.logs, last.line.text, caller.name)]),
          { ...listening(process), container: view.name },
        ],
        witnesses: ["docker-logs", "process-facts"],
        weight: weight.proven,
        shownBy: view.ref,
        link: { proof: edge.proof, facts: edge.facts },
        advice: [`Change the upstream port in the configuration of ${caller.name} to ${open[0]}.`],
      }),
    ];
  });
}

/** Something listens on all addresses, and a connect from the host is refused or never answered. */
function blocked(world: World, view: ContainerView, process: Process): Finding[] {
  const open = listeners(process).filter((socket) => !isLoopback(socket.address) || socket.address === "0.0.0.0");
  const overflows = process.value.listenOverflows ?? 0;
  for (const probe of view.probes) {
    const { failure, port, address, detail } = probe.value;
    const socket = open.find((entry) => entry.port === port && isWild(entry.address, address));
    if (socket === undefined) continue;
    const stuck = failure === "timeout" && overflows > 0;
    if (stuck) return [overflowed(view, process, probe, overflows)];
    const lost = failure === "timeout" && !detail.startsWith("connected");
    const refused =
      failure === "refused" || failure === "unreachable" || (failure === "reset" && probe.value.kind === "tcp");
    if (!(lost || refused) || isWider(world, view) || (lost && connectsArrive(view, port))) continue;
    return [filtered(world, view, process, probe, lost)];
  }
  const timedOut = callsTo(world, view).some(({ edge }) =>
    edge.failures.some((signal) => signal.kind === "peer-timeout"),
  );
  if (overflows > limits.overflowsFrom && timedOut && !view.probes.some((probe) => probe.value.failure === null))
    return [overflowed(view, process, null, overflows)];
  return [];
}

function filtered(
  world: World,
  view: ContainerView,
  process: Process,
  probe: Seen<ContainerView["probes"][number]["value"]>,
  lost: boolean,
): Finding {
  const { port, address, failure } = probe.value;
  const what = lost ? "gets no answer" : "is refused";
  return faultAt(view, {
    cause: lost ? "netns-drop" : "netns-reject",
    summary: `${view.name} listens on port ${port}, yet a connect to ${address}:${port} ${what}: a rule in the container's own network namespace ${lost ? "drops" : "rejects"} the traffic`,
    facts: [
      { ...listening(process), container: view.name },
      cite(probe, `${probe.value.kind} probe of ${address}:${port}: ${failure}`, view.name),
      ...citeInspect(view, "State.Status=running State.Paused=false"),
      ...callerFacts(world, view),
    ],
    witnesses: ["process-facts", probe.value.kind === "http" ? "http-probe" : "tcp-probe"],
    weight: weight.proven,
    advice: [
      `A restart of ${view.name} gives it a new network namespace. Find out who put the rule there: nsenter -t <pid> -n iptables -L lists it.`,
    ],
  });
}

function overflowed(
  view: ContainerView,
  process: Process,
  probe: ContainerView["probes"][number] | null,
  overflows: number,
): Finding {
  const facts = [
    cite(process, `ListenOverflows ${overflows}, ListenDrops ${process.value.listenDrops ?? 0}`, view.name),
    { ...listening(process), container: view.name },
  ];
  if (probe !== null)
    facts.push(cite(probe, `${probe.value.kind} probe of port ${probe.value.port}: timeout`, view.name));
  return faultAt(view, {
    cause: "listen-backlog-overflow",
    summary: `${view.name} does not accept its connections: the queue of its listener overflowed ${overflows} times and new connections get no answer`,
    facts,
    witnesses: ["process-facts", ...(probe === null ? ["docker-logs"] : ["tcp-probe"])],
    weight: weight.proven,
    advice: [
      `Look why the program in ${view.name} stopped accepting (a blocked accept loop), and raise its listen backlog.`,
    ],
  });
}

/** The port is bound for the host itself, and somebody elsewhere is refused there. */
function publishedOnLoopback(world: World, view: ContainerView): Finding[] {
  const bindings = view.inspect?.value.portBindings ?? [];
  const inner = bindings.filter((binding) => isLoopback(binding.hostAddress) && binding.hostAddress !== "0.0.0.0");
  const own = inner.find(
    (binding) => !bindings.some((other) => other.hostPort === binding.hostPort && !inner.includes(other)),
  );
  if (own === undefined) return [];
  const refused = callsTo(world, view).find(
    ({ caller, edge }) =>
      edge.port === own.hostPort &&
      recentSignal(world, caller, edge.failures) !== null &&
      (caller.host !== view.host ||
        sharedNetworks(caller, view).length === 0 ||
        edge.failures.some((signal) => !addressesOf(view).includes(signal.peerHost ?? ""))),
  );
  const alone = world.containers.some((other) => other.host === view.host && other !== view && isPublishedWide(other));
  const subject =
    world.subjects.includes(view) &&
    alone &&
    callsTo(world, view).length === 0 &&
    view.signals.every((signal) => signal.kind !== "http-5xx");
  if (refused === undefined && !subject) return [];
  const last = refused?.edge.failures.at(-1);
  return [
    faultAt(view, {
      cause: "published-on-loopback",
      summary: `${view.name} publishes port ${own.hostPort} only at ${own.hostAddress} of its host, so nobody outside the host can reach it`,
      facts: [
        ...citeInspect(view, `HostConfig.PortBindings ${own.hostAddress}:${own.hostPort} -> ${own.containerPort}/tcp`),
        ...(refused === undefined || last === undefined || refused.caller.logs === null
          ? []
          : [cite(refused.caller.logs, last.line.text, refused.caller.name)]),
      ],
      witnesses: ["docker-inspect", ...(refused === undefined ? [] : ["docker-logs"])],
      weight: refused === undefined ? weight.hinted : weight.proven,
      advice: [
        `Publish it without the address (or with the address its callers use): ${own.hostPort}:${own.containerPort}.`,
      ],
    }),
  ];
}

function isPublishedWide(view: ContainerView): boolean {
  return (
    view.inspect?.value.portBindings.some((binding) => ["", "0.0.0.0", "::"].includes(binding.hostAddress)) ?? false
  );
}

function isWild(listened: string, address: string): boolean {
  return listened === "0.0.0.0" || listened === "::" || listened === address;
}

/** More than this one container is cut off on its network: then it is not its own namespace. */
function isWider(world: World, view: ContainerView): boolean {
  return world.containers.some(
    (other) =>
      other !== view &&
      other.inspect?.value.status === "running" &&
      sharedNetworks(view, other).length > 0 &&
      other.probes.some(
        ({ value }) =>
          value.failure === "timeout" &&
          !value.detail.startsWith("connected") &&
          other.process?.value.listeners.some(
            (socket) => socket.port === value.port && isWild(socket.address, value.address),
          ),
      ),
  );
}

function refusals(view: ContainerView, port: number): Fact[] {
  return view.probes
    .filter((probe) => probe.value.port === port && probe.value.failure !== null)
    .slice(0, 1)
    .map((probe) =>
      cite(probe, `${probe.value.kind} probe of ${probe.value.address}:${port}: ${probe.value.failure}`, view.name),
    );
}

function callerFacts(world: World, view: ContainerView): Fact[] {
  const call = callsTo(world, view).find(({ edge }) => edge.failures.length > 0);
  const caller = call === undefined ? null : containerOf(world, call.edge.from);
  const last = call?.edge.failures.at(-1);
  return caller?.logs == null || last === undefined ? [] : [cite(caller.logs, last.line.text, caller.name)];
}

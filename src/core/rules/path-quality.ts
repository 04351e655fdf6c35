import { callsFrom, callsTo, citeLine, isSettled, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import { isPeerSignal } from "../graph.ts";
import { limits } from "../limits.ts";
import { addressesOf } from "../resolve.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, type HostView, hostOf, type World } from "../world.ts";

/**
 * The way between two healthy programs. Queue disciplines cannot be read from outside a namespace, so what they do is
 * read instead: how long a connect takes, what the kernel sent again, and what waits unsent in its socket tables.
 */
export const pathQuality: Rule = {
  name: "path-quality",
  causes: [
    "link-latency",
    "packet-loss",
    "bandwidth-capped",
    "mtu-blackhole",
    "ephemeral-ports-gone",
    "idle-reset",
    "conntrack-full",
  ],
  needs: ["process-facts", "tcp-probe"],
  evaluate(world, view) {
    if (view.process === null || !isSettled(world, view)) return [];
    const found = [portsGone, halfOpen, hole, capped, lossy, slow].flatMap((judge) => judge(world, view));
    return found.slice(0, 1);
  },
  evaluateHost(world, host) {
    return conntrackFull(world, host);
  },
};

/** Errno EADDRNOTAVAIL on connect: every local port to that peer is in use or waits for its end. */
function portsGone(world: World, view: ContainerView): Finding[] {
  const signal = recentSignal(
    world,
    view,
    view.signals.filter((entry) => entry.kind === "no-local-port"),
  );
  const process = view.process;
  if (signal === null || process === null) return [];
  const listening = new Set(process.value.listeners.map((socket) => socket.port));
  const outgoing = process.value.connections.filter((socket) => !listening.has(socket.port));
  const waiting = outgoing.filter((socket) => socket.state === "TIME_WAIT").length;
  const many = outgoing.length >= limits.manySockets;
  return [
    faultAt(view, {
      cause: "ephemeral-ports-gone",
      summary: `${view.name} has no local ports left for its outgoing connections: ${outgoing.length} are in its socket table, ${waiting} of them in TIME_WAIT`,
      facts: [
        ...citeLine(view, signal),
        cite(process, `${outgoing.length} outgoing sockets in the table, ${waiting} in TIME_WAIT`, view.name),
      ],
      witnesses: ["docker-logs", ...(many ? ["process-facts"] : [])],
      weight: many ? weight.proven + 1 : weight.told,
      advice: [`Let ${view.name} keep its connections open and use them again, instead of opening one for each call.`],
    }),
  ];
}

/** An established connection that its peer knows nothing of: something between them forgot or cut it without a word. */
function halfOpen(world: World, view: ContainerView): Finding[] {
  for (const { peer, edge } of callsFrom(world, view)) {
    const [ours, theirs] = [view.process, peer.process];
    const failing = recentSignal(
      world,
      view,
      edge.failures.filter((signal) => /closed|timeout/.test(signal.kind)),
    );
    if (ours === null || theirs === null || failing === null || peer.host !== view.host || !isSettled(world, peer))
      continue;
    const restarted = (peer.inspect?.value.startedAtMs ?? 0) > (view.inspect?.value.startedAtMs ?? 0);
    const known = new Set(theirs.value.connections.map((socket) => `${socket.remoteAddress} ${socket.remotePort}`));
    const lost = ours.value.connections.filter(
      (socket) =>
        socket.state === "ESTABLISHED" &&
        addressesOf(peer).includes(socket.remoteAddress) &&
        theirs.value.listeners.some((listener) => listener.port === socket.remotePort) &&
        !known.has(`${socket.address} ${socket.port}`),
    );
    if (lost.length === 0 || restarted || theirs.value.connections.length >= limits.socketsRead) continue;
    const first = lost[0] as (typeof lost)[number];
    return [
      faultAt(view, {
        cause: "idle-reset",
        summary: `${view.name} still trusts ${lost.length} connections to ${peer.name} that ${peer.name} no longer has: something on the path cut them while they were idle`,
        facts: [
          cite(
            ours,
            `${lost.length} ESTABLISHED to ${first.remoteAddress}:${first.remotePort} without a counterpart, for example from port ${first.port}`,
            view.name,
          ),
          cite(theirs, `no connection from ${first.address}:${first.port}`, peer.name),
          ...citeLine(view, failing),
        ],
        witnesses: ["process-facts", "docker-logs"],
        weight: weight.strong,
        advice: [
          `Let the pool of ${view.name} test or renew idle connections (keepalive, maximum lifetime below the idle limit on the path).`,
        ],
      }),
    ];
  }
  return [];
}

/** Data that was sent again and again without an answer, on a connection that could be opened: large packets vanish. */
function hole(world: World, view: ContainerView): Finding[] {
  return stuckSockets(
    world,
    view,
    (socket) => (socket.retransmits ?? 0) >= 2 && (socket.sendQueueBytes ?? 0) > limits.largePacketBytes,
  ).flatMap(({ count, text }) => {
    const connects = [view, ...callsTo(world, view).map(({ caller }) => caller)].some((end) =>
      end.probes.some((probe) => probe.value.failure === null || probe.value.detail.startsWith("connected")),
    );
    if (!connects || view.process === null) return [];
    return [
      faultAt(view, {
        cause: "mtu-blackhole",
        summary: `Large packets from ${view.name} vanish: connections open, yet ${count} of them hold data that was sent again and again without an answer`,
        facts: [cite(view.process, text, view.name)],
        witnesses: ["process-facts"],
        weight: weight.told,
        advice: [
          `Compare the MTU of the network of ${view.name} with the path (ip link, ping -M do -s 1400), and look for a rule that drops by length.`,
        ],
      }),
    ];
  });
}

/** Much waits to be sent and nothing is sent again: the link is slow, not broken. */
function capped(world: World, view: ContainerView): Finding[] {
  const waiting = stuckSockets(
    world,
    view,
    (socket) => (socket.sendQueueBytes ?? 0) > limits.largeQueueBytes && (socket.retransmits ?? 0) === 0,
  );
  const process = view.process;
  const quick = view.probes.some(
    (probe) => probe.value.failure === null && probe.value.durationMs < limits.slowConnectMs,
  );
  return waiting.flatMap(({ count, text }) =>
    process === null || !quick
      ? []
      : [
          faultAt(view, {
            cause: "bandwidth-capped",
            summary: `Answers of ${view.name} wait to be sent on ${count} connections while small ones are quick: its link is shaped to a low rate`,
            facts: [cite(process, text, view.name)],
            witnesses: ["process-facts"],
            weight: weight.told,
            advice: [
              `Look for a queue discipline on the interface of ${view.name} (tc qdisc in its network namespace, or its veth on the host).`,
            ],
          }),
        ],
  );
}

type Connection = NonNullable<ContainerView["process"]>["value"]["connections"][number];

function stuckSockets(
  world: World,
  view: ContainerView,
  is: (socket: Connection) => boolean,
): { count: number; text: string }[] {
  const process = view.process;
  if (process === null || world.hosts.length === 0) return [];
  const stuck = process.value.connections.filter((socket) => socket.state === "ESTABLISHED" && is(socket));
  const first = stuck[0];
  if (first === undefined) return [];
  const text = `${stuck.length} connections stuck, for example ${first.address}:${first.port} to ${first.remoteAddress}:${first.remotePort} with ${first.sendQueueBytes} bytes unsent or unacknowledged, sent again ${first.retransmits} times`;
  return [{ count: stuck.length, text }];
}

/** A share of what was sent had to be sent again, though every peer answers. */
function lossy(world: World, view: ContainerView): Finding[] {
  const process = view.process;
  const again = process?.value.tcpRetransmits ?? null;
  const sent = process?.value.tcpOutSegments ?? null;
  if (
    process === null ||
    again === null ||
    sent === null ||
    again < limits.retransmitsFrom ||
    again < sent * limits.retransmitShare
  )
    return [];
  if (process.value.connections.some((socket) => socket.state === "SYN_SENT")) return [];
  const failing = [...callsTo(world, view), ...callsFrom(world, view)].flatMap(({ edge }) => edge.failures);
  const silentPeer = failing.some((signal) =>
    ["peer-unreachable", "peer-name-unknown", "peer-refused"].includes(signal.kind),
  );
  const unreachable = callsFrom(world, view).some(
    ({ peer }) => peer.inspect?.value.status !== "running" || peer.probes.some((probe) => probe.value.failure !== null),
  );
  if (silentPeer || unreachable) return [];
  return [
    faultAt(view, {
      cause: "packet-loss",
      summary: `Packets of ${view.name} are lost on the way: ${again} of ${sent} segments had to be sent again`,
      facts: [cite(process, `Tcp RetransSegs ${again}, OutSegs ${sent}`, view.name)],
      witnesses: ["process-facts"],
      weight: weight.told,
      advice: [
        `Look at the interface of ${view.name} and its veth on the host (tc qdisc, errors and drops in ip -s link).`,
      ],
    }),
  ];
}

/**
 * A bare connect takes long here and nowhere else on this host. A busy host is slow at random, so one slow measurement
 * against a quick one proves nothing while more runs than there are processors.
 */
function slow(world: World, view: ContainerView): Finding[] {
  const connects = (of: ContainerView) =>
    of.probes.filter((probe) => probe.value.kind === "tcp" && probe.value.failure === null);
  const own = connects(view).toSorted((a, b) => a.value.durationMs - b.value.durationMs)[0];
  if (own === undefined || own.value.durationMs < limits.slowConnectMs) return [];
  const others = world.containers.filter((other) => other.host === view.host && other !== view).flatMap(connects);
  const best = others.toSorted((a, b) => a.value.durationMs - b.value.durationMs)[0];
  const facts = hostOf(world, view.host)?.facts?.value;
  if (facts?.load1 != null && facts.cpus !== null && facts.load1 > facts.cpus) return [];
  const stands = best !== undefined && best.value.durationMs * limits.slowConnectRatio < own.value.durationMs;
  const syn = own.value.durationMs > 900 && own.value.durationMs < 1_300;
  if (syn || !(stands || best === undefined)) return [];
  return [
    faultAt(view, {
      cause: "link-latency",
      summary: `A bare connect to ${view.name} takes ${Math.round(own.value.durationMs)} ms: something on the way to it adds delay`,
      facts: [
        cite(
          own,
          `tcp probe of port ${own.value.port}: connected after ${Math.round(own.value.durationMs)} ms`,
          view.name,
        ),
        ...(best === undefined
          ? []
          : [
              cite(
                best,
                `tcp probe of port ${best.value.port}: connected after ${Math.round(best.value.durationMs)} ms`,
                null,
              ),
            ]),
      ],
      witnesses: ["tcp-probe"],
      weight: !stands ? weight.weak : answersLate(view, own.value.durationMs) ? weight.strong : weight.hinted,
      advice: [
        `Look for a queue discipline on the interface of ${view.name} (tc qdisc in its network namespace, or its veth on the host).`,
      ],
    }),
  ];
}

/** Another probe of the same container, of another kind or port, was as late: the delay is there each time. */
function answersLate(view: ContainerView, atLeastMs: number): boolean {
  const answered = view.probes.filter((probe) => probe.value.failure === null);
  return answered.length >= 2 && answered.every((probe) => probe.value.durationMs >= atLeastMs);
}

/** The kernel says so, or its counter stands at the maximum. */
function conntrackFull(world: World, host: HostView): Finding[] {
  const kernel = hostOf(world, host.name)?.kernel ?? null;
  const since = world.nowMs + host.clockOffsetMs - limits.pastFaultMs;
  const said = kernel?.value.faults.findLast(
    (fault) => fault.kind === "conntrack-table-full" && (fault.atMs === null || fault.atMs >= since),
  );
  const facts = host.facts;
  const [count, max] = [facts?.value.conntrackCount ?? null, facts?.value.conntrackMax ?? null];
  const full = count !== null && max !== null && max > 0 && count >= max * limits.conntrackShare;
  const troubled = world.subjects.some(
    (view) =>
      view.signals.some((signal) => isPeerSignal(signal) || signal.kind === "http-5xx") ||
      view.probes.some((probe) => probe.value.failure !== null),
  );
  if (said === undefined && !full) return [];
  return [
    hostFault(host.name, {
      cause: "conntrack-full",
      summary: `The connection table of ${host.name} is full, so new connections are dropped`,
      facts: [
        ...(said === undefined || kernel === null ? [] : [cite(kernel, said.text, null)]),
        ...(facts == null || count === null
          ? []
          : [cite(facts, `nf_conntrack_count ${count}, nf_conntrack_max ${max}`, null)]),
      ],
      witnesses: [...(said === undefined ? [] : ["kernel-log"]), ...(full ? ["host-facts"] : [])],
      onsetMs: said?.atMs ?? null,
      weight: full ? (troubled ? weight.proven : weight.hinted) : weight.told,
      advice: [
        `Find who opens so many connections (conntrack -S, ss -s) and raise net.netfilter.nf_conntrack_max on ${host.name}.`,
      ],
    }),
  ];
}

import type { ContainerRef, Edge, Target } from "./diagnosis.ts";
import type { Fact, Reading, SourceName, SourceValues } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { LogSignal } from "./log-signals.ts";
import { readSignals } from "./log-signals.ts";
import type {
  ContainerInspect,
  ContainerSummary,
  DockerEvent,
  HostFacts,
  MemorySeries,
  ProbeResult,
} from "./readings.ts";

/** A value together with the reading it came from, so that it can be cited. */
export interface Seen<T> {
  value: T;
  reading: Reading;
}

/** One container with everything read about it. Members are null when not read, or when the reading failed. */
export interface ContainerView {
  host: string;
  id: string;
  name: string;
  ref: ContainerRef;
  summary: Seen<ContainerSummary> | null;
  inspect: Seen<ContainerInspect> | null;
  logs: Seen<SourceValues["docker-logs"]> | null;
  /** What the log says in terms of known failures, oldest first. */
  signals: LogSignal[];
  stats: Seen<SourceValues["docker-stats"]> | null;
  cgroup: Seen<SourceValues["cgroup"]> | null;
  top: Seen<SourceValues["docker-top"]> | null;
  changes: Seen<SourceValues["docker-changes"]> | null;
  image: Seen<SourceValues["docker-image"]> | null;
  process: Seen<SourceValues["process-facts"]> | null;
  memory: Seen<SourceValues["memory-series"]> | null;
  proxy: Seen<SourceValues["proxy-config"]> | null;
  probes: Seen<ProbeResult>[];
  /** The engine's events about this container, oldest first. */
  events: DockerEvent[];
}

export interface HostView {
  name: string;
  /** Host clock minus ours; 0 when unknown. */
  clockOffsetMs: number;
  engine: Seen<SourceValues["docker-info"]> | null;
  events: Seen<SourceValues["docker-events"]> | null;
  kernel: Seen<SourceValues["kernel-log"]> | null;
  facts: Seen<HostFacts> | null;
  disk: Seen<SourceValues["host-disk"]> | null;
  processes: Seen<SourceValues["host-processes"]> | null;
  networks: Seen<SourceValues["docker-networks"]> | null;
  volumes: Seen<SourceValues["docker-volumes"]> | null;
  usage: Seen<SourceValues["docker-usage"]> | null;
  list: Seen<ContainerSummary[]> | null;
  /** Probes made from this host that are about no container of it: another host, a name server. */
  probes: Seen<ProbeResult>[];
}

/** Everything read for one question, by host and container. Rules see this and nothing else. */
export interface World {
  target: Target;
  /** Our time of the question. */
  nowMs: number;
  hosts: HostView[];
  containers: ContainerView[];
  /** The containers asked about: one, or the replicas of a service. */
  subjects: ContainerView[];
  edges: Edge[];
  readings: readonly Reading[];
  settings: DiagnosisSettings;
}

/** What the configuration contributes to a diagnosis. */
export interface DiagnosisSettings {
  /** Registered hosts with the address they are reached at; null for this machine. */
  hosts: { name: string; address: string | null }[];
  services: {
    name: string;
    hosts: string[];
    /** Container name or `key=value` label selector. */
    container: string | null;
    port: number | null;
    probes: { path: string; expect: number }[];
    dependsOn: string[];
  }[];
}

export function buildWorld(
  target: Target,
  readings: readonly Reading[],
  settings: DiagnosisSettings,
  nowMs: number,
): Omit<World, "subjects" | "edges"> {
  const hostNames = [...new Set(readings.map((reading) => reading.host))].sort();
  const hosts = hostNames.map((name) => hostView(name, readings));
  const containers = hosts.flatMap((host) => containerViews(host, readings));
  return { target, nowMs, hosts, containers, readings, settings };
}

/** The newest successful reading of a source, for a host or one of its containers. */
export function lastOk<S extends SourceName>(
  readings: readonly Reading[],
  source: S,
  host: string,
  containerId: string | null = null,
): Seen<SourceValues[S]> | null {
  for (let at = readings.length - 1; at >= 0; at -= 1) {
    const reading = readings[at];
    if (reading === undefined || reading.source !== source) continue;
    if (reading.host !== host || reading.containerId !== containerId) continue;
    if (reading.outcome.status === "ok") return { value: reading.outcome.value as SourceValues[S], reading };
  }
  return null;
}

/** Cites one excerpt of a reading. */
export function cite(seen: { reading: Reading }, text: string, container: string | null = null): Fact {
  const { source, host, containerId, read, atMs } = seen.reading;
  const bounded = text.length > limits.factTextChars ? `${text.slice(0, limits.factTextChars)}…` : text;
  return {
    reading: { source, host, containerId, read, atMs },
    container,
    text: bounded,
  };
}

export function hostOf(world: Pick<World, "hosts">, host: string): HostView | null {
  return world.hosts.find((view) => view.name === host) ?? null;
}

/** Now, by the host's own clock. */
export function hostNowMs(world: Pick<World, "hosts" | "nowMs">, host: string): number {
  return world.nowMs + (hostOf(world, host)?.clockOffsetMs ?? 0);
}

export function containerOf(
  world: Pick<World, "containers">,
  ref: { host: string | null; containerId: string | null },
): ContainerView | null {
  return world.containers.find((view) => view.host === ref.host && view.id === ref.containerId) ?? null;
}

function hostView(name: string, readings: readonly Reading[]): HostView {
  const clock = lastOk(readings, "host-clock", name);
  return {
    name,
    clockOffsetMs: clock === null ? 0 : clock.value.hostTimeMs - clock.reading.atMs,
    engine: lastOk(readings, "docker-info", name),
    events: coveredEvents(
      lastOk(readings, "docker-events", name),
      lastOk(readings, "docker-networks", name),
      lastOk(readings, "docker-info", name),
    ),
    kernel: lastOk(readings, "kernel-log", name),
    facts: lastOk(readings, "host-facts", name),
    disk: lastOk(readings, "host-disk", name),
    processes: lastOk(readings, "host-processes", name),
    networks: lastOk(readings, "docker-networks", name),
    volumes: lastOk(readings, "docker-volumes", name),
    usage: lastOk(readings, "docker-usage", name),
    list: lastOk(readings, "docker-list", name),
    probes: probesOf(name, null, readings),
  };
}

/**
 * The engine makes its default bridge anew at every start, so with fewer events than it remembers the window is complete
 * from then on. With live restore a daemon may start without doing so; then only its oldest event proves anything.
 */
function coveredEvents(
  events: HostView["events"],
  networks: HostView["networks"],
  engine: HostView["engine"],
): HostView["events"] {
  const startedAtMs = networks?.value.find((network) => network.name === "bridge")?.createdAtMs ?? null;
  if (events === null || startedAtMs === null || engine?.value.liveRestore !== false) return events;
  // Podman has no daemon, and its default network bears the time of the question.
  if (engine.value.kind === "podman") return events;
  if (events.value.events.length >= limits.engineEvents) return events;
  const completeSinceMs = Math.max(events.value.sinceMs, startedAtMs);
  return { reading: events.reading, value: { ...events.value, completeSinceMs } };
}

function containerViews(host: HostView, readings: readonly Reading[]): ContainerView[] {
  const summaries = host.list?.value ?? [];
  return summaries.map((summary) => {
    const of = <S extends SourceName>(source: S) => lastOk(readings, source, host.name, summary.id);
    const logs = of("docker-logs");
    return {
      host: host.name,
      id: summary.id,
      name: summary.name,
      ref: {
        host: host.name,
        container: summary.name,
        containerId: summary.id,
      },
      summary: host.list === null ? null : { value: summary, reading: host.list.reading },
      inspect: of("docker-inspect"),
      logs,
      signals: logs === null ? [] : readSignals(logs.value.lines),
      stats: of("docker-stats"),
      cgroup: of("cgroup"),
      top: of("docker-top"),
      changes: of("docker-changes"),
      image: of("docker-image"),
      process: of("process-facts"),
      proxy: of("proxy-config"),
      memory: inHostTime(of("memory-series"), host.clockOffsetMs),
      probes: probesOf(host.name, summary.id, readings),
      events: (host.events?.value.events ?? []).filter(
        (event) => event.type === "container" && event.actorId === summary.id,
      ),
    };
  });
}

/** Samples carry our time; what happened to the container carries the host's. */
function inHostTime(series: Seen<MemorySeries> | null, offsetMs: number): Seen<MemorySeries> | null {
  if (series === null || offsetMs === 0) return series;
  const points = series.value.points.map(({ atMs, bytes }) => ({ atMs: atMs + offsetMs, bytes }));
  return { reading: series.reading, value: { ...series.value, points } };
}

function probesOf(host: string, containerId: string | null, readings: readonly Reading[]): Seen<ProbeResult>[] {
  const probes: Seen<ProbeResult>[] = [];
  for (const reading of readings) {
    if (reading.host !== host || reading.containerId !== containerId || reading.outcome.status !== "ok") continue;
    if (reading.source === "http-probe" || reading.source === "tcp-probe" || reading.source === "tls-probe") {
      probes.push({ value: reading.outcome.value as ProbeResult, reading });
    }
  }
  return probes;
}

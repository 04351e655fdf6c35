import { createHash } from "node:crypto";
import type { Reading, SourceName, SourceValues } from "../../src/core/evidence.ts";
import type { KernelLog } from "../../src/core/kernel-log.ts";
import type { Question } from "../../src/core/next-reads.ts";
import type {
  ContainerInspect,
  DockerEvent,
  EngineInfo,
  HostFacts,
  LogLine,
  ProbeResult,
  ProcessFacts,
} from "../../src/core/readings.ts";
import { parseKernelLog } from "../../src/sources/kernel-log/parse.ts";

/** 2026-01-01T12:00:00Z: the moment of the question in every built scene. */
export const askedAtMs = Date.UTC(2026, 0, 1, 12);

export interface SceneContainer {
  name: string;
  /** Seconds before the question; used for state and events. */
  inspect?: Partial<ContainerInspect>;
  logs?: string[];
  probes?: Partial<ProbeResult>[];
  other?: { [S in SourceName]?: SourceValues[S] };
}

export interface SceneHost {
  name?: string;
  containers: SceneContainer[];
  events?: Partial<DockerEvent>[];
  /** Null means proven for the whole window. */
  eventsCompleteSinceMs?: number | null;
  /** Kernel log text; stamps in seconds since a boot at 11:00, so the question is at 3600. */
  kernel?: string | null;
  engine?: Partial<EngineInfo>;
  facts?: Partial<HostFacts>;
  failed?: { source: SourceName; container?: string; reason: string }[];
}

/** The id a container of this name has in a built scene. */
export function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

export function questionAbout(service: string, hosts: string[] = ["h1"], more: Partial<Question> = {}): Question {
  return {
    target: { service, symptom: "http-500", host: null },
    hosts,
    settings: { hosts: hosts.map((name) => ({ name, address: null })), services: [] },
    nowMs: askedAtMs,
    ...more,
  };
}

/** Facts of a quiet main process; what matters is given. */
export const processFacts = (more: Partial<ProcessFacts>): ProcessFacts => ({
  pid: 1_001,
  listeners: [],
  connections: [],
  listenOverflows: 0,
  listenDrops: 0,
  openFiles: 10,
  openFilesLimit: 1024,
  interfaces: [],
  state: "S",
  waitChannel: null,
  threads: 1,
  tcpRetransmits: 0,
  tcpOutSegments: 100,
  ...more,
});

/** A probe that connected; what matters is given. */
export const probe = (more: Partial<ProbeResult>): ProbeResult => ({
  ...probeDefaults,
  httpStatus: null,
  path: null,
  ...more,
});

/** Readings as the sources would give them for a small host, all of one moment. */
export function readingsOf(...hosts: SceneHost[]): Reading[] {
  return hosts.flatMap((host) => hostReadings(host));
}

function hostReadings(host: SceneHost): Reading[] {
  const name = host.name ?? "h1";
  const missing = new Set((host.failed ?? []).map((failure) => `${failure.source} ${failure.container ?? ""}`));
  const readings: Reading[] = [];
  const add = <S extends SourceName>(source: S, container: string | null, value: SourceValues[S]) => {
    if (missing.has(`${source} ${container ?? ""}`)) return;
    readings.push(reading(source, name, container, { status: "ok", value }));
  };
  const inspects = host.containers.map((container, at) => inspectOf(container, at));
  add("docker-info", null, { ...engine, ...host.engine });
  add("docker-list", null, inspects.map(summaryOf));
  add("docker-events", null, eventsOf(host));
  add("host-facts", null, { ...facts, ...host.facts });
  add("host-clock", null, { hostTimeMs: askedAtMs, roundTripMs: 1 });
  if (host.kernel !== null) add("kernel-log", null, kernelOf(host.kernel ?? ""));
  for (const [at, container] of host.containers.entries()) {
    add("docker-inspect", container.name, inspects[at] as ContainerInspect);
    if (container.logs !== undefined)
      add("docker-logs", container.name, { lines: container.logs.map(logLine), truncated: false });
    for (const probe of container.probes ?? []) add("http-probe", container.name, { ...probeDefaults, ...probe });
    for (const [source, value] of Object.entries(container.other ?? {}))
      add(source as SourceName, container.name, value as never);
  }
  for (const failure of host.failed ?? []) {
    readings.push(
      reading(failure.source, name, failure.container ?? null, {
        status: "failed",
        code: "permission-denied",
        reason: failure.reason,
        fix: null,
      }),
    );
  }
  return readings;
}

function reading<S extends SourceName>(
  source: S,
  host: string,
  container: string | null,
  outcome: Reading<S>["outcome"],
): Reading {
  const text = JSON.stringify(outcome);
  return {
    source,
    host,
    containerId: container === null ? null : idOf(container),
    read: source,
    atMs: askedAtMs,
    sha256: createHash("sha256").update(text).digest("hex"),
    outcome,
  } as Reading;
}

/** A line with an RFC 3339 stamp at its head keeps it as its time; others were logged ten seconds before the question. */
function logLine(text: string): LogLine {
  const stamp = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) /.exec(text);
  return {
    atMs: stamp ? Date.parse(stamp[1] ?? "") : askedAtMs - 10_000,
    stream: "stderr",
    text: stamp ? text.slice(stamp[0].length) : text,
  };
}

function kernelOf(text: string): KernelLog {
  const log = parseKernelLog(text, { bootAtMs: askedAtMs - 3_600_000, nowMs: askedAtMs });
  return { ...log, firstAtMs: log.firstAtMs ?? askedAtMs - 3_600_000, lastAtMs: log.lastAtMs ?? askedAtMs };
}

function eventsOf(host: SceneHost): SourceValues["docker-events"] {
  const events = (host.events ?? []).map((event) => ({
    atMs: askedAtMs - 60_000,
    type: "container",
    action: "die",
    actorId: idOf(event.name ?? ""),
    name: null,
    attributes: {},
    ...event,
  }));
  const sinceMs = askedAtMs - 24 * 3_600_000;
  return {
    events,
    sinceMs,
    untilMs: askedAtMs,
    completeSinceMs: host.eventsCompleteSinceMs === undefined ? sinceMs : host.eventsCompleteSinceMs,
  };
}

function inspectOf(container: SceneContainer, at: number): ContainerInspect {
  const running =
    container.inspect?.status === undefined ||
    container.inspect.status === "running" ||
    container.inspect.status === "paused";
  return {
    ...inspectDefaults,
    id: idOf(container.name),
    name: container.name,
    running,
    finishedAtMs: running ? null : askedAtMs - 60_000,
    pid: running ? 1_000 + at : null,
    networks: [
      {
        name: "app",
        networkId: "n".repeat(64),
        address: running ? `172.30.0.${at + 2}` : null,
        gateway: "172.30.0.1",
        aliases: [container.name],
      },
    ],
    hostname: idOf(container.name).slice(0, 12),
    ...container.inspect,
  };
}

function summaryOf(inspect: ContainerInspect): SourceValues["docker-list"][number] {
  return {
    id: inspect.id,
    name: inspect.name,
    image: inspect.image,
    imageId: inspect.imageId,
    status: inspect.status,
    statusText: inspect.status,
    createdAtMs: inspect.createdAtMs,
    labels: inspect.labels,
    networks: inspect.networks.map(({ name, address }) => ({ name, address })),
    ports: inspect.portBindings.map((binding) => ({ ...binding })),
  };
}

const engine: EngineInfo = {
  kind: "docker",
  version: "20.10.24",
  major: 20,
  apiVersion: "1.41",
  kernelVersion: "6.1.0",
  osName: "Debian GNU/Linux 12 (bookworm)",
  cgroupVersion: 1,
  cgroupDriver: "cgroupfs",
  rootDir: "/var/lib/docker",
  cpus: 2,
  memoryBytes: 8 * 1024 ** 3,
  swapLimit: true,
  memoryLimitSupport: true,
  liveRestore: false,
  loggingDriver: "json-file",
  storageDriver: "overlay2",
  warnings: [],
};

const facts: HostFacts = {
  bootAtMs: askedAtMs - 3_600_000,
  uptimeS: 3_600,
  memoryTotalBytes: 8 * 1024 ** 3,
  memoryAvailableBytes: 6 * 1024 ** 3,
  swapTotalBytes: 0,
  swapFreeBytes: 0,
  load1: 0.2,
  cpus: 2,
  pressure: {
    cpu: { someAvg10: 0, fullAvg10: null },
    memory: { someAvg10: 0, fullAvg10: 0 },
    io: { someAvg10: 0, fullAvg10: 0 },
  },
  oomKillsSinceBoot: null,
  conntrackCount: null,
  conntrackMax: null,
  fileHandles: null,
  inotifyMaxUserInstances: null,
  inotifyMaxUserWatches: null,
  localPortRange: null,
  dmesgRestrict: null,
  mounts: [],
};

const probeDefaults: ProbeResult = {
  kind: "http",
  address: "172.30.0.2",
  port: 8000,
  path: "/",
  failure: null,
  detail: "",
  httpStatus: 200,
  expectedStatus: null,
  durationMs: 3,
  bodyExcerpt: null,
  headers: {},
  certificate: null,
};

const inspectDefaults: Omit<ContainerInspect, "id" | "name"> = {
  image: "room137/lab:latest",
  imageId: `sha256:${"1".repeat(64)}`,
  createdAtMs: askedAtMs - 7_200_000,
  status: "running",
  running: true,
  paused: false,
  restarting: false,
  oomKilled: false,
  exitCode: 0,
  error: "",
  pid: 1_000,
  startedAtMs: askedAtMs - 7_000_000,
  finishedAtMs: null,
  restartCount: 0,
  health: null,
  restartPolicy: { name: "no", maximumRetryCount: 0 },
  memoryLimitBytes: null,
  memorySwapBytes: null,
  memoryReservationBytes: null,
  oomKillDisable: false,
  oomScoreAdj: 0,
  pidsLimit: null,
  nanoCpus: null,
  cpuQuota: null,
  cpuPeriod: null,
  cpuShares: null,
  cpusetCpus: "",
  blkioThrottled: false,
  shmSizeBytes: 67_108_864,
  cgroupParent: "",
  readonlyRootfs: false,
  privileged: false,
  capAdd: [],
  capDrop: [],
  securityOpt: [],
  ulimits: [],
  tmpfs: {},
  extraHosts: [],
  dns: [],
  networkMode: "app",
  init: false,
  logDriver: "json-file",
  logOptions: {},
  user: "",
  workingDir: "/",
  entrypoint: [],
  command: ["/bin/app"],
  env: [],
  labels: {},
  exposedPorts: [],
  portBindings: [],
  networks: [],
  mounts: [],
  healthcheck: null,
  stopSignal: null,
  stopTimeoutS: null,
  hostname: "",
};

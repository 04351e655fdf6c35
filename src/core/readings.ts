/**
 * The parsed shapes of what hosts say. Sizes in bytes, times in epoch milliseconds by the host's own clock unless the
 * name says otherwise, unknown is null. All text is redacted and bounded before it gets here.
 */

export type * from "./host-readings.ts";

export interface EngineInfo {
  /** `docker`, or `podman` behind its compatible socket. */
  kind: "docker" | "podman";
  version: string;
  major: number | null;
  apiVersion: string;
  kernelVersion: string | null;
  osName: string | null;
  cgroupVersion: 1 | 2 | null;
  cgroupDriver: "cgroupfs" | "systemd" | "none" | null;
  rootDir: string | null;
  cpus: number | null;
  memoryBytes: number | null;
  /** Whether the kernel can cap swap; false means MemorySwap is ignored. */
  swapLimit: boolean | null;
  memoryLimitSupport: boolean | null;
  liveRestore: boolean | null;
  loggingDriver: string | null;
  storageDriver: string | null;
  warnings: string[];
}

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export interface ContainerSummary {
  id: string;
  name: string;
  image: string;
  imageId: string;
  status: ContainerStatus;
  /** What `docker ps` prints, for example `Exited (137) 3 minutes ago`. */
  statusText: string;
  createdAtMs: number | null;
  labels: Record<string, string>;
  networks: { name: string; address: string | null }[];
  ports: {
    containerPort: number;
    hostPort: number | null;
    hostAddress: string | null;
    protocol: string;
  }[];
}

export interface EnvVar {
  name: string;
  /** Secrets masked. Never shown; only rules read it. */
  value: string;
  /** Equal digests mean equal values, also for masked ones. First 12 hex of SHA-256. */
  digest: string;
}

export interface ContainerInspect {
  id: string;
  name: string;
  image: string;
  imageId: string;
  createdAtMs: number | null;
  status: ContainerStatus;
  running: boolean;
  paused: boolean;
  restarting: boolean;
  oomKilled: boolean;
  exitCode: number | null;
  /** State.Error: why a start failed. */
  error: string;
  /** Host pid of the main process, null when not running. */
  pid: number | null;
  startedAtMs: number | null;
  finishedAtMs: number | null;
  restartCount: number;
  health: HealthState | null;
  restartPolicy: {
    name: "no" | "on-failure" | "always" | "unless-stopped" | string;
    maximumRetryCount: number;
  };
  /** HostConfig.Memory; null when there is no limit. */
  memoryLimitBytes: number | null;
  /** HostConfig.MemorySwap as stored: memory plus swap; -1 unlimited; null when unset (0). */
  memorySwapBytes: number | null;
  memoryReservationBytes: number | null;
  oomKillDisable: boolean;
  oomScoreAdj: number | null;
  pidsLimit: number | null;
  nanoCpus: number | null;
  cpuQuota: number | null;
  cpuPeriod: number | null;
  cpuShares: number | null;
  cpusetCpus: string;
  blkioThrottled: boolean;
  shmSizeBytes: number | null;
  cgroupParent: string;
  readonlyRootfs: boolean;
  privileged: boolean;
  capAdd: string[];
  capDrop: string[];
  securityOpt: string[];
  ulimits: { name: string; soft: number; hard: number }[];
  tmpfs: Record<string, string>;
  extraHosts: string[];
  /** Legacy links of the default bridge, `name:alias`: entries of the hosts file that the engine keeps. Absent in old recordings. */
  links?: string[];
  dns: string[];
  networkMode: string;
  init: boolean;
  logDriver: string;
  logOptions: Record<string, string>;
  user: string;
  workingDir: string;
  entrypoint: string[];
  command: string[];
  env: EnvVar[];
  labels: Record<string, string>;
  exposedPorts: { port: number; protocol: string }[];
  /** Configured port bindings; hostPort null means chosen by the engine. */
  portBindings: {
    containerPort: number;
    protocol: string;
    hostAddress: string;
    hostPort: number | null;
  }[];
  networks: NetworkAttachment[];
  mounts: MountFacts[];
  healthcheck: {
    test: string[];
    intervalMs: number | null;
    timeoutMs: number | null;
    retries: number | null;
    startPeriodMs: number | null;
  } | null;
  stopSignal: string | null;
  stopTimeoutS: number | null;
  hostname: string;
}

export interface HealthState {
  status: "starting" | "healthy" | "unhealthy" | "none" | string;
  failingStreak: number;
  log: {
    startAtMs: number | null;
    endAtMs: number | null;
    exitCode: number;
    output: string;
  }[];
}

export interface NetworkAttachment {
  name: string;
  networkId: string;
  address: string | null;
  gateway: string | null;
  aliases: string[];
}

export interface MountFacts {
  type: "bind" | "volume" | "tmpfs" | string;
  name: string | null;
  source: string;
  destination: string;
  readWrite: boolean;
}

export interface LogLine {
  /** Docker's own timestamp of the line; null when it has none. */
  atMs: number | null;
  stream: "stdout" | "stderr" | "unknown";
  text: string;
}

export interface LogText {
  lines: LogLine[];
  /** True when lines before the first one were left out by our size or line limit. */
  truncated: boolean;
}

export interface DockerEvent {
  atMs: number;
  type: "container" | "network" | "volume" | "image" | "daemon" | string;
  /** `die`, `kill`, `oom`, `health_status: unhealthy`, `exec_create: …`, `connect`, … */
  action: string;
  /** Container id, or the id of the network, volume or image. */
  actorId: string;
  name: string | null;
  attributes: Record<string, string>;
}

export interface EventWindow {
  events: DockerEvent[];
  sinceMs: number;
  untilMs: number;
  /**
   * From when on the window is proven complete, null when nothing is proven. The engine keeps 256 events and loses
   * them when it ends (moby daemon/events/events.go), so a full answer proves only the time after its oldest event.
   */
  completeSinceMs: number | null;
}

export interface StatsSample {
  usageBytes: number | null;
  maxUsageBytes: number | null;
  limitBytes: number | null;
  failcnt: number | null;
  cacheBytes: number | null;
  inactiveFileBytes: number | null;
  rssBytes: number | null;
  shmemBytes: number | null;
  pids: number | null;
  pidsLimit: number | null;
  cpuTotalNs: number | null;
  cpuThrottledPeriods: number | null;
  cpuPeriods: number | null;
  cpuThrottledNs: number | null;
  networkRxBytes: number | null;
  networkTxBytes: number | null;
  networkErrors: number | null;
  networkDropped: number | null;
  blockReadBytes: number | null;
  blockWriteBytes: number | null;
}

export interface ProcessRow {
  pid: number;
  ppid: number | null;
  uid: string;
  /** R, S, D, Z, T … first letter of STAT; null when the source does not print it. */
  state: string | null;
  rssBytes: number | null;
  elapsedS: number | null;
  /** Kernel function the process waits in, null when unknown. */
  waitChannel: string | null;
  command: string;
  args: string;
  cpuSeconds: number | null;
}

export interface NetworkFacts {
  id: string;
  name: string;
  driver: string;
  internal: boolean;
  scope: string;
  createdAtMs: number | null;
  labels: Record<string, string>;
  subnets: { subnet: string; gateway: string | null }[];
  containers: { id: string; name: string; address: string | null }[];
}

export interface ImageFacts {
  id: string;
  tags: string[];
  digests: string[];
  createdAtMs: number | null;
  architecture: string;
  entrypoint: string[];
  command: string[];
  env: EnvVar[];
  exposedPorts: { port: number; protocol: string }[];
  volumes: string[];
  user: string;
}

export interface VolumeFacts {
  name: string;
  driver: string;
  mountpoint: string;
  createdAtMs: number | null;
  labels: Record<string, string>;
  options: Record<string, string>;
}

/** What the engine's own things take of its disk, as `docker system df` measures it. */
export interface EngineUsage {
  /** Images that no container uses, without the layers they share with others. */
  unusedImageBytes: number | null;
  buildCacheBytes: number | null;
}

export interface CgroupFacts {
  version: 1 | 2;
  path: string;
  memoryCurrentBytes: number | null;
  memoryPeakBytes: number | null;
  /** null when unlimited. */
  memoryLimitBytes: number | null;
  swapCurrentBytes: number | null;
  swapLimitBytes: number | null;
  anonBytes: number | null;
  fileBytes: number | null;
  shmemBytes: number | null;
  kernelBytes: number | null;
  inactiveFileBytes: number | null;
  /** Times the limit was hit, also when reclaim succeeded: v1 memory.failcnt, v2 memory.events max. */
  limitHits: number | null;
  oomEvents: number | null;
  oomKills: number | null;
  underOom: boolean | null;
  oomKillDisabled: boolean | null;
  cpuPeriods: number | null;
  cpuThrottledPeriods: number | null;
  cpuThrottledMs: number | null;
  pidsCurrent: number | null;
  pidsLimit: number | null;
  /** Times a fork was refused: pids.events max. */
  pidsRefused: number | null;
  majorFaults: number | null;
  ioPressureFullAvg10: number | null;
  memoryPressureFullAvg10: number | null;
  cpuPressureSomeAvg10: number | null;
}

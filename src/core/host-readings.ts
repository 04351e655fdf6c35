/**
 * The parsed shapes of what a host, the kernel and a probe say. Units as in `readings.ts`: bytes, epoch milliseconds by
 * the host's own clock unless the name says otherwise, unknown is null.
 */

export interface HostFacts {
  bootAtMs: number | null;
  uptimeS: number | null;
  memoryTotalBytes: number | null;
  memoryAvailableBytes: number | null;
  swapTotalBytes: number | null;
  swapFreeBytes: number | null;
  load1: number | null;
  cpus: number | null;
  /** some/full avg10 in percent per resource; null where the kernel has no PSI. */
  pressure: Record<"cpu" | "memory" | "io", { someAvg10: number | null; fullAvg10: number | null }>;
  oomKillsSinceBoot: number | null;
  conntrackCount: number | null;
  conntrackMax: number | null;
  fileHandles: { used: number; max: number } | null;
  inotifyMaxUserInstances: number | null;
  inotifyMaxUserWatches: number | null;
  localPortRange: { first: number; last: number } | null;
  dmesgRestrict: boolean | null;
  mounts: { device: string; target: string; type: string; options: string }[];
}

export interface DiskUsage {
  device: string;
  target: string;
  type: string | null;
  sizeBytes: number;
  usedBytes: number;
  availableBytes: number;
  inodesTotal: number | null;
  inodesUsed: number | null;
  inodesFree: number | null;
}

/** What the kernel tells about one running container's main process and its network namespace. */
export interface ProcessFacts {
  pid: number;
  listeners: Socket[];
  connections: (Socket & {
    remoteAddress: string;
    remotePort: number;
    state: string;
    /** Bytes sent and not yet acknowledged; missing in older recordings. */
    sendQueueBytes?: number;
    /** How often the oldest of them was sent again. */
    retransmits?: number;
  })[];
  listenOverflows: number | null;
  listenDrops: number | null;
  openFiles: number | null;
  openFilesLimit: number | null;
  /** Files that are deleted and still open, with how far they were written; missing in older recordings. */
  deletedFiles?: { path: string; sizeBytes: number | null }[];
  /** Qdiscs, firewall counters and routes are not readable without entering the namespace, so they are not here. */
  interfaces: {
    name: string;
    rxErrors: number;
    rxDropped: number;
    txErrors: number;
    txDropped: number;
  }[];
  state: string | null;
  waitChannel: string | null;
  threads: number | null;
  tcpRetransmits: number | null;
  tcpOutSegments: number | null;
}

export interface Socket {
  address: string;
  port: number;
}

export interface ProbeResult {
  kind: "http" | "tcp" | "tls";
  address: string;
  port: number;
  path: string | null;
  /** refused, timeout, reset, unreachable, dns, tls: what failed; null when it answered. */
  failure: "refused" | "timeout" | "reset" | "unreachable" | "dns" | "tls" | "closed" | null;
  detail: string;
  httpStatus: number | null;
  expectedStatus: number | null;
  durationMs: number;
  /** First bytes of the answer, redacted and bounded. */
  bodyExcerpt: string | null;
  headers: Record<string, string>;
  certificate: {
    subject: string;
    issuer: string;
    altNames: string[];
    validFromMs: number;
    validToMs: number;
    selfSigned: boolean;
    verifyError: string | null;
  } | null;
}

/** What the configuration files of a proxy name as its upstreams, as the files stand now. */
export interface ProxyConfig {
  kind: "nginx" | "haproxy" | "traefik" | "envoy" | "caddy";
  files: string[];
  upstreams: { path: string; line: number; host: string; port: number | null }[];
  /** False when a file could not be read or was cut: then a name that is not here proves nothing. */
  complete: boolean;
}

/** Samples kept by the event recorder, or read from Prometheus. */
export interface MemorySeries {
  points: { atMs: number; bytes: number }[];
  limitBytes: number | null;
}

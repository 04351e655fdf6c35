import type { SourceName } from "./evidence.ts";
import type { ProxyKind } from "./proxy-kind.ts";

/**
 * What may be asked of a host: one entry a source. The pure core says which reads it wants as `PlannedRead` values, the
 * shell makes them. `null` means the source needs nothing but the host (and the container, where it is about one).
 */
export interface ReadArgs {
  "docker-info": null;
  "docker-list": null;
  "docker-inspect": null;
  "docker-logs": {
    tail: number;
    sinceMs: number | null;
    untilMs: number | null;
  };
  "docker-events": {
    sinceMs: number;
    untilMs: number;
    /** When the daemon started, by the host's clock; null when unknown, then only its oldest event proves anything. */
    engineStartedAtMs: number | null;
  };
  "docker-stats": null;
  "docker-top": null;
  "docker-changes": null;
  /** All networks are listed; those named here are also inspected, which alone tells the addresses in them. */
  "docker-networks": { inspectIds: string[] };
  "docker-image": { imageId: string };
  /** Several small files of one container, from a closed list of paths. */
  "proxy-config": { kind: ProxyKind };
  "docker-volumes": null;
  /** Makes the engine measure everything, so it is asked for only where its disk is full. */
  "docker-usage": null;
  /** Both from host-facts and host-clock when they are known already; otherwise the source reads the boot time itself. */
  "kernel-log": { bootAtMs: number | null };
  /** Many containers in one read: gives one reading per container. Null where the engine did not say. */
  cgroup: {
    version: 1 | 2 | null;
    driver: "cgroupfs" | "systemd" | "none" | null;
    containers: {
      containerId: string;
      pid: number | null;
      cgroupParent: string;
    }[];
  };
  "host-facts": null;
  "host-disk": null;
  "host-clock": null;
  "host-processes": null;
  /** Many containers in one read: gives one reading per container. */
  "process-facts": { containers: { containerId: string; pid: number }[] };
  "http-probe": {
    address: string;
    port: number;
    path: string;
    hostHeader: string | null;
    tls: boolean;
    expect: number | null;
  };
  "tcp-probe": { address: string; port: number };
  "tls-probe": {
    address: string;
    port: number;
    serverName: string | null;
    startTls: "postgres" | null;
  };
}

/** Sources that are read on a host. A memory series comes from the recorder or Prometheus, so it is not among them. */
export type PlannedSource = Exclude<SourceName, "memory-series">;

/** One read the core wants. `containerId` is null for a read about the host, and for the reads of many containers. */
export type PlannedRead<S extends PlannedSource = PlannedSource> = {
  [K in S]: {
    host: string;
    source: K;
    containerId: string | null;
    args: ReadArgs[K];
  };
}[S];

/** Equal keys mean the same read, whatever the order of the fields in its arguments. */
export function readKey(read: PlannedRead): string {
  return JSON.stringify([read.host, read.source, read.containerId, sorted(read.args)]);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, sorted(inner)]);
}

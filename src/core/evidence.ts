import type { KernelLog } from "./kernel-log.ts";
import type {
  CgroupFacts,
  ContainerInspect,
  ContainerSummary,
  DiskUsage,
  EngineInfo,
  EngineUsage,
  EventWindow,
  HostFacts,
  ImageFacts,
  LogText,
  MemorySeries,
  NetworkFacts,
  ProbeResult,
  ProcessFacts,
  ProcessRow,
  ProxyConfig,
  StatsSample,
  VolumeFacts,
} from "./readings.ts";

/** What each source yields when it can be read. The key is the `source` that a cited fact carries. */
export interface SourceValues {
  "docker-info": EngineInfo;
  "docker-list": ContainerSummary[];
  "docker-inspect": ContainerInspect;
  "docker-logs": LogText;
  "docker-events": EventWindow;
  "docker-stats": StatsSample;
  "docker-top": ProcessRow[];
  "docker-changes": { path: string; kind: "modified" | "added" | "deleted" }[];
  "docker-networks": NetworkFacts[];
  "docker-image": ImageFacts;
  "docker-volumes": VolumeFacts[];
  "docker-usage": EngineUsage;
  "kernel-log": KernelLog;
  cgroup: CgroupFacts;
  "host-facts": HostFacts;
  "host-disk": DiskUsage[];
  "host-clock": { hostTimeMs: number; roundTripMs: number };
  "host-processes": ProcessRow[];
  "process-facts": ProcessFacts;
  "http-probe": ProbeResult;
  "tcp-probe": ProbeResult;
  "tls-probe": ProbeResult;
  /** What a proxy's own configuration files name. */
  "proxy-config": ProxyConfig;
  "memory-series": MemorySeries;
}

export type SourceName = keyof SourceValues;

export type FailureCode =
  | "permission-denied"
  | "unreachable"
  | "timeout"
  | "too-large"
  | "not-found"
  | "unsupported"
  | "malformed"
  | "failed";

/**
 * One read of one host, redacted where it entered. `ok`, `empty` or `failed`; a failed reading becomes a gap that is
 * shown, and missing evidence never proves absence.
 */
export interface Reading<S extends SourceName = SourceName> {
  source: S;
  host: string;
  /** Container id (64 hex) for a reading of one container, otherwise null. */
  containerId: string | null;
  /** The exact read, for example `GET /containers/web/json` or `dmesg`. Never holds a secret. */
  read: string;
  /** Our time when the answer had arrived, epoch milliseconds. */
  atMs: number;
  /** SHA-256 (hex) of the redacted bytes the value was parsed from. */
  sha256: string;
  outcome:
    | { status: "ok"; value: SourceValues[S] }
    | { status: "empty" }
    | {
        status: "failed";
        code: FailureCode;
        reason: string;
        fix: string | null;
      };
}

/** A fact cited by a sentence: one excerpt of one reading, already redacted and bounded. */
export interface Fact {
  reading: Pick<Reading, "source" | "host" | "containerId" | "read" | "atMs">;
  /** Container name for people, null for a fact about the host. */
  container: string | null;
  /** The excerpt, for example `State.OOMKilled=true`. Every number a sentence states stands here. */
  text: string;
}

/** A read that failed, and what that weakens. */
export interface Gap {
  source: SourceName;
  host: string;
  reason: string;
  weakens: string;
  /** The one command or setting that closes the gap, when there is one. */
  fix: string | null;
}

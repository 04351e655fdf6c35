import type { ApprovedPlan } from "./core/approve.ts";
import type { AuditHead, AuditVerdict } from "./core/audit.ts";
import type { FailureCode, Reading } from "./core/evidence.ts";
import type { Actor, EntryBody, TimelineEntry } from "./core/incident.ts";
import type { ProxyConfigPath } from "./core/proxy-kind.ts";
import type { Incident } from "./core/replay.ts";

/**
 * What the shell needs from the world. Each port has one real implementation per technology and small fakes in tests.
 */
export interface Clock {
  nowMs(): number;
}

// ---------------------------------------------------------------- reading hosts

/** The closed set of Docker API reads. There is no way to express a write. */
export type DockerRead =
  | { read: "version" }
  | { read: "info" }
  | { read: "list" }
  | { read: "inspect"; id: string }
  | { read: "logs"; id: string; tail: number; sinceMs: number | null; untilMs: number | null }
  | { read: "events"; sinceMs: number; untilMs: number }
  | { read: "stats"; id: string }
  | { read: "top"; id: string }
  | { read: "changes"; id: string }
  /** Files of a container, from the closed list of places where a proxy keeps its configuration. */
  | { read: "archive"; id: string; path: ProxyConfigPath }
  | { read: "networks" }
  | { read: "network"; id: string }
  | { read: "image"; id: string }
  | { read: "volumes" }
  | { read: "usage" };

/** The closed set of commands run on a host. Each is an argument list; none takes free text. */
export type ReadCommand =
  | { command: "kernel-log"; via: "dmesg" | "sudo-dmesg" | "journalctl" | "sudo-journalctl" }
  /** Prints the named files (absolute, under /proc, /sys/fs/cgroup or /sys/kernel) with `head -v -c`. */
  | { command: "files"; paths: string[] }
  /** Counts and targets of open descriptors: `ls -l /proc/<pid>/fd`. */
  | { command: "descriptors"; pid: number }
  | { command: "disk" }
  | { command: "inodes" }
  | { command: "clock" }
  | { command: "processes" };

export type ProbeRequest =
  | {
      probe: "http";
      address: string;
      port: number;
      path: string;
      hostHeader: string | null;
      tls: boolean;
      expect: number | null;
    }
  | { probe: "tcp"; address: string; port: number }
  | { probe: "tls"; address: string; port: number; serverName: string | null; startTls: "postgres" | null };

/** Raw bytes of an answer, already cut to the read's size limit. Never throws for an answer the host gave. */
export type RawReply =
  | { ok: true; status: number; body: Buffer; truncated: boolean; read: string; tookMs: number }
  | { ok: false; code: FailureCode; reason: string; fix: string | null; read: string; tookMs: number };

export type RawOutput =
  | { ok: true; exitCode: number; stdout: Buffer; stderr: Buffer; truncated: boolean; read: string; tookMs: number }
  | { ok: false; code: FailureCode; reason: string; fix: string | null; read: string; tookMs: number };

export interface RawProbe {
  read: string;
  tookMs: number;
  failure: "refused" | "timeout" | "reset" | "unreachable" | "dns" | "tls" | "closed" | null;
  detail: string;
  httpStatus: number | null;
  headers: Record<string, string>;
  body: Buffer;
  certificate: {
    subject: string;
    issuer: string;
    altNames: string[];
    validFromMs: number;
    validToMs: number;
    selfSigned: boolean;
    verifyError: string | null;
  } | null;
  /** Set when the probe itself could not be made, for example because forwarding is forbidden. */
  unavailable: { code: FailureCode; reason: string; fix: string | null } | null;
}

/** Evidence sources receive this: a reader that has no way to write. */
export interface HostReader {
  host: string;
  /** Which way the kernel log is read; `auto` tries in order and remembers what worked. */
  kernelLog: "auto" | "dmesg" | "sudo-dmesg" | "journalctl" | "sudo-journalctl" | "none";
  docker(read: DockerRead, signal?: AbortSignal): Promise<RawReply>;
  run(command: ReadCommand, signal?: AbortSignal): Promise<RawOutput>;
  probe(request: ProbeRequest, signal?: AbortSignal): Promise<RawProbe>;
  /** Follows the engine's events until the signal aborts; `onGap` is called with the time range that was missed. */
  followEvents(sinceMs: number, onEvent: (line: Buffer) => void, signal: AbortSignal): Promise<void>;
}

export interface HostDirectory {
  names(): string[];
  labels(host: string): Record<string, string>;
  /** Connects when needed and keeps the connection. Throws `Fault` host-unreachable, host-key-*, login-refused. */
  reader(host: string): Promise<HostReader>;
  /** Milliseconds the last connect took; 0 when the connection was kept. */
  lastConnectMs(host: string): number;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- acting on hosts

/** The one interpreter of `HostAction`. Opens the acting credential only for an approved plan. */
export interface HostPerformer {
  /** Does one step of the approved plan. Resolves with what was read back; throws `Fault` action-failed. */
  perform(plan: ApprovedPlan, step: number): Promise<{ readBack: string }>;
}

// ---------------------------------------------------------------- remembering

export interface AppendRequest {
  incidentId: string;
  /** The seq this entry gets; refused as a conflict when another entry has it already. */
  expectSeq: number;
  atMs: number;
  actor: Actor;
  body: EntryBody;
}

export interface IncidentRow {
  incidentId: string;
  channel: string | null;
  service: string;
  openedAtMs: number;
}

export interface OutboxRow {
  /** Unique: the same key is never queued twice. */
  key: string;
  incidentId: string | null;
  channel: string;
  /** Posts of one lane leave in order; a lane is usually a thread. */
  lane: string;
  /** JSON the Slack edge understands. */
  payload: string;
  queuedAtMs: number;
}

/** The durable memory. SQLite and Postgres pass one contract test. Every method throws `Fault` store-unavailable. */
export interface Store {
  /**
   * Appends one entry, or several of one incident at consecutive seqs, atomically; with optional outbox rows in the
   * same transaction. `actualSeq` is the newest seq there is, 0 for none. After a Fault the entries may be there or
   * not: read before repeating.
   */
  append(
    requests: AppendRequest[],
    outbox?: OutboxRow[],
  ): Promise<{ appended: true; entries: TimelineEntry[] } | { appended: false; actualSeq: number }>;
  entries(incidentId: string): Promise<TimelineEntry[]>;
  incident(incidentId: string): Promise<IncidentRow | null>;
  /** Newest first. */
  incidents(filter: { channel?: string; limit: number }): Promise<IncidentRow[]>;
  incidentByThread(channel: string, threadTs: string): Promise<IncidentRow | null>;

  /** True the first time a key is seen, false ever after; rows older than the retention may be dropped. */
  firstSeen(key: string, atMs: number): Promise<boolean>;

  enqueue(rows: OutboxRow[]): Promise<void>;
  /** Oldest unsent rows that are due: of each lane only its first, so that nothing overtakes a row that waits. */
  unsent(limit: number): Promise<(OutboxRow & { id: number; attempts: number })[]>;
  /**
   * The same rows, each taken by `owner` alone until `ttlMs` has passed or it is marked: what several replicas use
   * instead of `unsent`. A row whose owner died is given out again after its time.
   */
  claimOutbox(owner: string, limit: number, ttlMs: number): Promise<(OutboxRow & { id: number; attempts: number })[]>;
  /** The first result stays; the payload is forgotten, the timeline has what was said. */
  markSent(id: number, result: string, atMs: number): Promise<void>;
  markAttempt(id: number, error: string, notBeforeMs: number): Promise<void>;
  sentResult(key: string): Promise<string | null>;

  /** Small named documents: registered hosts, freeze switch, snapshots of host state, last seen facts. */
  putDocument(kind: string, key: string, json: string, atMs: number): Promise<void>;
  document(kind: string, key: string): Promise<{ json: string; atMs: number } | null>;
  documents(kind: string): Promise<{ key: string; json: string; atMs: number }[]>;
  deleteDocument(kind: string, key: string): Promise<void>;

  /** Recorder samples and events per host; trimmed by age. */
  record(rows: { host: string; kind: string; containerId: string | null; atMs: number; json: string }[]): Promise<void>;
  /** Oldest first; when there are more than `limit`, the newest ones. Both ends of the range belong to it. */
  recorded(filter: {
    host: string;
    kind?: string;
    containerId?: string;
    sinceMs: number;
    untilMs: number;
    limit: number;
  }): Promise<{ kind: string; containerId: string | null; atMs: number; json: string }[]>;
  trimRecorded(beforeMs: number): Promise<number>;

  /**
   * A lease that one process holds; moves to another once its time to live has passed. Renewed by asking again.
   * Postgres measures with its own clock and ignores `nowMs`, so that replicas need not agree on the time.
   */
  acquireLease(name: string, owner: string, ttlMs: number, nowMs: number): Promise<boolean>;
  releaseLease(name: string, owner: string): Promise<void>;

  /**
   * Recomputes the hash chain of every row. `noted` is a head written down earlier: with it a tail that was cut off
   * together with its head is found too.
   */
  verifyAudit(noted?: AuditHead): Promise<AuditVerdict>;
  /** Throws when a write is not possible. */
  checkWritable(): Promise<void>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- telling

/**
 * What is said of one entry, as rows for the outbox. Pure. `incident` is the replay up to and including the entry, whose
 * `hash` is still empty. The rows are queued in the transaction that records the entry: nothing is said before that.
 */
export type Announce = (incident: Incident, entry: TimelineEntry) => OutboxRow[];

export interface ExportedTimeline {
  filename: string;
  contentType: string;
  text: string;
}

/** One export format. Pure. `readings` are the raw readings of the newest investigation, empty when none were kept. */
export type Exporter = (
  incident: Incident,
  entries: readonly TimelineEntry[],
  readings: readonly Reading[],
) => ExportedTimeline;

/** The part of pino that the shell uses: facts in fields, a lowercase static message. */
export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface Metrics {
  count(what: "incident" | "decision" | "step" | "verification", labels: Record<string, string>): void;
}

/** Time that passes; tests advance it by hand. */
export interface Scheduler {
  /** Resolves after the time, or at once when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls again and again until the returned function is called. */
  every(ms: number, run: () => void): () => void;
}

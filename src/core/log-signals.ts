import { limits } from "./limits.ts";
import { logPatterns } from "./log-patterns/index.ts";
import type { LogLine } from "./readings.ts";

/**
 * What a log line says, in terms a rule can use. The wording differs by client library, language and server; the kind
 * does not.
 */
export type SignalKind =
  // about a peer: the line names, or implies, somebody this container depends on
  | "peer-refused"
  | "peer-timeout"
  | "peer-name-unknown"
  | "peer-unreachable"
  | "peer-closed"
  | "peer-too-many-connections"
  | "peer-reserved-slots"
  | "peer-auth-failed"
  | "peer-role-missing"
  | "peer-database-missing"
  | "peer-access-rejected"
  | "peer-starting"
  | "peer-recovering"
  | "peer-shutting-down"
  | "peer-read-only"
  | "peer-tls-required"
  | "peer-tls-unsupported"
  | "peer-cert-expired"
  | "peer-cert-not-yet-valid"
  | "peer-cert-wrong-name"
  | "peer-cert-unknown-authority"
  | "peer-http-error"
  | "peer-loading"
  | "peer-out-of-memory"
  | "peer-misconf"
  | "peer-schema-mismatch"
  | "peer-disk-full"
  | "peer-deadlock"
  | "peer-statement-timeout"
  | "peer-lock-timeout"
  | "peer-awaited"
  | "peer-busy"
  | "peer-corruption"
  | "peer-locks-exhausted"
  | "upstream-missing"
  | "pool-exhausted"
  | "redelivery"
  | "session-missing"
  | "retrying"
  // about this container itself
  | "uncaught-exception"
  | "module-missing"
  | "env-missing"
  | "config-invalid"
  | "address-in-use"
  | "no-local-port"
  | "permission-denied"
  | "operation-not-permitted"
  | "read-only-filesystem"
  | "disk-full"
  | "inode-or-quota-full"
  | "too-many-open-files"
  | "cannot-fork"
  | "inotify-exhausted"
  | "file-too-large"
  | "heap-exhausted"
  | "allocation-failed"
  | "segfault"
  | "aborted"
  | "worker-killed"
  | "is-a-directory"
  | "command-missing"
  | "exec-format"
  | "tls-key-mismatch"
  | "key-file-permissions"
  | "maintenance"
  | "rate-limited"
  | "body-too-large"
  | "upstream-timeout"
  | "worker-connections-exhausted"
  | "license-or-token-expired"
  | "http-5xx"
  | "http-4xx"
  | "http-ok"
  | "slow-request"
  // said by database and cache servers about themselves
  | "server-ready"
  | "server-starting"
  | "server-recovering"
  | "server-child-killed"
  | "server-shutdown-smart"
  | "server-shutdown-fast"
  | "server-shutdown-done"
  | "server-unclean-start"
  | "server-panic"
  | "server-out-of-memory"
  | "server-shm-too-small"
  | "server-root-refused"
  | "server-datadir-permissions"
  | "server-lockfile"
  | "server-version-mismatch"
  | "server-corruption"
  | "server-locks-exhausted"
  | "server-lock-wait"
  | "server-deadlock"
  | "server-slow-query"
  | "server-too-many-clients"
  | "server-auth-failed"
  | "server-initialised-empty"
  | "server-save-failed"
  | "server-child-save-killed"
  | "server-loading"
  | "server-read-only"
  | "server-replication-slot"
  | "flag-changed"
  | "self-pause";

/** One line recognised. */
export interface LogSignal {
  kind: SignalKind;
  /** Name of the pattern that matched, for docs and tests. */
  pattern: string;
  line: LogLine;
  /** Host name or address of the peer as written, lower case; null when the line names none. */
  peerHost: string | null;
  peerPort: number | null;
  /** Technology the line implies, for example `postgres`, `redis`, `http`. Null when it implies none. */
  technology: Technology | null;
  /** Further named parts: `path`, `status`, `module`, `variable`, `query`, `pid`, … */
  parts: Record<string, string>;
}

export type Technology =
  | "postgres"
  | "mysql"
  | "redis"
  | "mongodb"
  | "rabbitmq"
  | "kafka"
  | "elasticsearch"
  | "memcached"
  | "http"
  | "nginx"
  | "haproxy"
  | "traefik"
  | "envoy"
  | "jvm"
  | "node"
  | "python"
  | "go"
  | "ruby"
  | "php"
  | "dotnet";

/** A known wording. `hint` is a lower-case substring that must be present before `match` is tried. */
export interface LogPattern {
  name: string;
  kind: SignalKind;
  technology: Technology | null;
  /** Cheap prefilter: at least one of these occurs in the lower-cased line. */
  hints: readonly string[];
  /** Named groups `host`, `port`, and any other part. Linear: no nested quantifiers. */
  match: RegExp;
  /** Where the wording comes from: project, version, file or issue. */
  source: string;
}

/**
 * Every line against every pattern whose hint it contains, oldest first; one line may give several signals, at most one
 * of each kind. A line that follows its own cause (a traceback) is not joined: each line speaks for itself.
 */
export function readSignals(lines: readonly LogLine[]): LogSignal[] {
  return lines.flatMap((line) => signalsOfLine(asOldAsItSays(line)));
}

/**
 * A program may print today what it wrote days ago (an old file shown at start, a replayed journal). A line whose own
 * stamp is older than any difference of time zones is as old as it says.
 */
function asOldAsItSays(line: LogLine): LogLine {
  const stamp = /^\W{0,3}(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)/.exec(line.text);
  if (stamp === null || line.atMs === null) return line;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = stamp.slice(1).map(Number);
  const ownMs = Date.UTC(year, month - 1, day, hour, minute, second);
  return line.atMs - ownMs > limits.replayedLineMs ? { ...line, atMs: ownMs } : line;
}

function signalsOfLine(line: LogLine): LogSignal[] {
  const texts = spokenTexts(line.text);
  const lower = texts.join("\n").toLowerCase();
  const found: LogSignal[] = [];
  for (const pattern of logPatterns) {
    if (!pattern.hints.some((hint) => lower.includes(hint))) continue;
    if (found.some((signal) => signal.kind === pattern.kind)) continue;
    const match = texts.map((text) => pattern.match.exec(text)).find((found) => found !== null) ?? null;
    if (match === null) continue;
    const { host: place, port: number, ...parts } = namedParts(match.groups ?? {});
    const isClock = /^\d{1,2}$/.test(place ?? "");
    const [host, port] = isClock ? [undefined, undefined] : [place, number];
    found.push({
      kind: pattern.kind,
      pattern: pattern.name,
      line,
      peerHost: host?.toLowerCase() ?? null,
      peerPort: port === undefined ? null : Number(port),
      technology: pattern.technology,
      parts: Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as Record<
        string,
        string
      >,
    });
  }
  return found;
}

/**
 * What a line says: itself and, where a JSON logger wrapped a message with quotes or several lines into it, that
 * message's own lines.
 */
function spokenTexts(text: string): string[] {
  if (!/\\["n]/.test(text)) return [text];
  const lines = text.replaceAll('\\"', '"').split(/\\r?\\n|\\n/);
  return [text, ...lines.slice(0, limits.wrappedLines)];
}

/** The text without its times of day: the seconds of `11:59:36` look like a port. */
export function withoutTimes(text: string): string {
  return text.replace(/\b\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?/g, "");
}

/** Alternatives of one expression number their groups (`path`, `path2`); they are one part. Unmatched groups are left out. */
function namedParts(groups: Record<string, string | undefined>): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const [name, text] of Object.entries(groups)) {
    if (text !== undefined) parts[name.replace(/\d$/, "")] ??= text;
  }
  return parts;
}

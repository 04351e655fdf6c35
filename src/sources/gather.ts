import type { FailureCode, Reading } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import { type PlannedRead, type PlannedSource, readKey } from "../core/reads.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostDirectory, HostReader } from "../ports.ts";
import { sources } from "./index.ts";
import { type EvidenceSource, type Failure, toReading } from "./reading.ts";
import type { Redactor } from "./redact.ts";

export interface GatherContext {
  clock: Clock;
  redactor: Redactor;
  /** Aborts everything, for example when the program stops. */
  signal?: AbortSignal;
  readTimeoutMs?: number;
  deadlineMs?: number;
}

/**
 * Makes all reads at once, each one once, and answers within the deadline: what is late by then is a failed reading.
 * Never throws for what a host does. Environments go before the texts that may repeat their secrets.
 */
export async function executeReads(
  reads: readonly PlannedRead[],
  readers: Pick<HostDirectory, "reader">,
  context: GatherContext,
): Promise<Reading[]> {
  const unique = [...new Map(reads.map((read) => [readKey(read), read])).values()];
  const overall = new AbortController();
  const stop = () => overall.abort();
  const timer = setTimeout(stop, context.deadlineMs ?? limits.gatherDeadlineMs);
  context.signal?.addEventListener("abort", stop, { once: true });
  if (context.signal?.aborted) stop();
  const connected = connections(readers);
  const make = (read: PlannedRead) => makeRead(read, connected, context, overall.signal);
  const learned = Promise.all(unique.filter(teachesSecrets).map(make));
  const others = unique.filter((read) => !teachesSecrets(read));
  try {
    const answers = await Promise.all([
      learned,
      ...others.map((read) => (repeatsSecrets.has(read.source) ? learned.then(() => make(read)) : make(read))),
    ]);
    return answers.flat(2);
  } finally {
    clearTimeout(timer);
    context.signal?.removeEventListener("abort", stop);
  }
}

const repeatsSecrets: ReadonlySet<PlannedSource> = new Set([
  "docker-logs",
  "docker-top",
  "docker-events",
  "host-processes",
  "http-probe",
]);

function teachesSecrets(read: PlannedRead): boolean {
  return read.source === "docker-inspect" || read.source === "docker-image";
}

/** One connection attempt a host, however many reads wait for it. */
function connections(readers: Pick<HostDirectory, "reader">): (host: string) => Promise<HostReader> {
  const begun = new Map<string, Promise<HostReader>>();
  return (host) => {
    let reader = begun.get(host);
    if (reader === undefined) {
      reader = readers.reader(host);
      begun.set(host, reader);
    }
    return reader;
  };
}

async function makeRead(
  read: PlannedRead,
  connected: (host: string) => Promise<HostReader>,
  context: GatherContext,
  overall: AbortSignal,
): Promise<Reading | Reading[]> {
  const readTimeoutMs = context.readTimeoutMs ?? limits.readTimeoutMs;
  const late = new AbortController();
  const failed = (failure: Failure): Reading[] => failedReadings(read, failure, context);
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (reading: Reading | Reading[]) => {
      clearTimeout(timer);
      overall.removeEventListener("abort", onOverall);
      resolve(reading);
    };
    const giveUp = (reason: string) => {
      late.abort();
      settle(failed({ code: "timeout", reason, fix: null }));
    };
    const onOverall = () => giveUp("the time for reading was over");
    if (overall.aborted) return onOverall();
    overall.addEventListener("abort", onOverall, { once: true });
    connected(read.host)
      .then((reader) => {
        if (late.signal.aborted) return [];
        // The time to connect is not the read's own; the overall deadline bounds it.
        timer = setTimeout(() => giveUp(`no answer within ${readTimeoutMs} ms`), readTimeoutMs);
        const source = sources[read.source] as EvidenceSource<PlannedSource>;
        return source.read(reader, read, { clock: context.clock, redactor: context.redactor, signal: late.signal });
      })
      .then(settle, (error: unknown) => settle(failed(failureOf(error))));
  });
}

/** A read of many containers fails for each of them. */
function failedReadings(read: PlannedRead, failure: Failure, context: GatherContext): Reading[] {
  return containerIds(read).map((containerId) => {
    const about = { source: read.source, host: read.host, containerId, read: read.source };
    return toReading(about, { status: "failed", ...failure }, context);
  });
}

function containerIds(read: PlannedRead): (string | null)[] {
  switch (read.source) {
    case "cgroup":
    case "process-facts":
      return read.args.containers.map(({ containerId }) => containerId);
  }
  return [read.containerId];
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Fault)) return { code: "failed", reason: `the read broke: ${error}`, fix: null };
  return { code: codeOf(error), reason: error.message, fix: error.next };
}

function codeOf(fault: Fault): FailureCode {
  const denied = ["host-key-unknown", "host-key-changed", "login-refused", "socket-refused", "read-denied"];
  if (denied.includes(fault.code)) return "permission-denied";
  if (fault.code === "host-unreachable") return "unreachable";
  if (fault.code === "read-timeout") return "timeout";
  if (fault.code === "read-too-large") return "too-large";
  if (fault.code === "command-missing") return "unsupported";
  return "failed";
}

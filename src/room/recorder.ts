import { limits } from "../core/limits.ts";
import type { DockerEvent, EventWindow } from "../core/readings.ts";
import { isKept } from "../core/recorded.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostDirectory, Log, Scheduler, Store } from "../ports.ts";
import type { ExecuteReads, Recorded } from "./investigate.ts";
import { createMemorySampler } from "./memory-sampler.ts";
import { read } from "./read-states.ts";
import { type Coverage, coverageOf, createRecorded } from "./recorded.ts";

export interface RecorderDeps {
  store: Store;
  hosts: HostDirectory;
  clock: Clock;
  scheduler: Scheduler;
  executeReads: ExecuteReads;
  /** One line of the event stream, masked; null when it is no event. */
  parseEvent(line: string): DockerEvent | null;
  retentionMs: number;
  /** Names this process in leases. */
  owner: string;
  log: Log;
}

export interface Recorder {
  start(): void;
  stop(): Promise<void>;
  /** For investigations: what was recorded, as readings. */
  recorded: Recorded;
}

/** One host while this process follows it. */
interface Following {
  abort: AbortController;
  ended: Promise<void>;
}

/** Why a host is not followed, as last logged: one that is away for a night is a line an hour, not one every few seconds. */
type Told = Map<string, { reason: string; atMs: number }>;

/**
 * The engine remembers 256 events and four health checks a second erase a kill in less than a minute; so its events are
 * followed and kept, with a sample of every container's memory. Each host is followed by one replica, which holds its
 * lease; after a break, what the engine no longer remembers becomes a gap that is marked.
 */
export function createRecorder(deps: RecorderDeps): Recorder {
  const following = new Map<string, Following>();
  const told: Told = new Map();
  let endTicks = () => {};
  let trimmedAtMs = 0;
  const tick = async () => {
    const names = new Set(deps.hosts.names());
    for (const [host, { abort }] of following) if (!names.has(host)) abort.abort();
    for (const host of names) await own(deps, following, told, host);
    if (deps.clock.nowMs() - trimmedAtMs < limits.recordedTrimMs) return;
    trimmedAtMs = deps.clock.nowMs();
    await deps.store.trimRecorded(trimmedAtMs - deps.retentionMs);
  };
  const safely = () =>
    void tick().catch((error: unknown) => deps.log.warn({ error: String(error) }, "recording was interrupted"));
  return {
    start() {
      safely();
      endTicks = deps.scheduler.every(limits.recorderTickMs, safely);
    },
    async stop() {
      endTicks();
      const all = [...following];
      for (const [, { abort }] of all) abort.abort();
      await Promise.all(all.map(([, { ended }]) => ended));
      await Promise.all(all.map(([host]) => deps.store.releaseLease(leaseOf(host), deps.owner)));
    },
    recorded: createRecorded(deps),
  };
}

/** Keeps or takes the lease of a host, and follows it exactly while it is held. */
async function own(deps: RecorderDeps, following: Map<string, Following>, told: Told, host: string): Promise<void> {
  const mine = await deps.store.acquireLease(leaseOf(host), deps.owner, limits.recorderLeaseMs, deps.clock.nowMs());
  const current = following.get(host);
  if (!mine) current?.abort.abort();
  if (!mine || current !== undefined) return;
  const abort = new AbortController();
  const ended = follow(deps, host, abort.signal, () => told.delete(host))
    .catch((error: unknown) => {
      const reason = error instanceof Fault ? error.message : String(error);
      const before = told.get(host);
      const atMs = deps.clock.nowMs();
      if (before?.reason === reason && atMs - before.atMs < limits.sameFaultLogMs) return;
      told.set(host, { reason, atMs });
      deps.log.warn({ host, reason }, "events of a host are not followed");
    })
    .finally(() => following.delete(host));
  following.set(host, { abort, ended });
}

/** Until the connection breaks or the signal aborts. */
async function follow(deps: RecorderDeps, host: string, signal: AbortSignal, onArrival: () => void): Promise<void> {
  const reader = await deps.hosts.reader(host);
  const { coverage, offsetMs } = await catchUp(deps, host);
  let current = coverage;
  let waiting: DockerEvent[] = [];
  const flush = async () => {
    const events = waiting;
    waiting = [];
    await keepEvents(deps, host, events);
    // Never beyond what has surely arrived, so that the next connection asks again for what might be missing.
    const arrivedMs = deps.clock.nowMs() + offsetMs - limits.eventLagMs;
    if (arrivedMs - current.coveredUntilMs < limits.coverageEveryMs) return;
    current = { ...current, coveredUntilMs: arrivedMs };
    await keepCoverage(deps, host, current);
  };
  const sampler = createMemorySampler(deps, host);
  const warn = (error: unknown) => deps.log.warn({ host, error: String(error) }, "what was recorded could not be kept");
  const endFlushes = deps.scheduler.every(limits.recorderTickMs, () => void flush().catch(warn));
  const endSamples = deps.scheduler.every(limits.memorySampleMs, () => void sampler.sample().catch(warn));
  const onEvent = (line: Buffer) => {
    onArrival();
    const event = deps.parseEvent(line.toString("utf8"));
    if (event === null || !isKept(event)) return;
    sampler.changed(event.actorId);
    waiting.push(event);
  };
  try {
    await sampler.sample();
    await reader.followEvents(current.coveredUntilMs, onEvent, signal);
  } finally {
    endFlushes();
    endSamples();
    await keepEvents(deps, host, waiting);
  }
}

/** What happened while nobody followed, as far as the engine remembers it; the rest is a gap. */
async function catchUp(deps: RecorderDeps, host: string): Promise<{ coverage: Coverage; offsetMs: number }> {
  const nowMs = deps.clock.nowMs();
  const window = { sinceMs: nowMs - limits.eventsLookbackMs, untilMs: nowMs, engineStartedAtMs: null };
  const readings = await read(deps, [
    { host, source: "host-clock", containerId: null, args: null },
    { host, source: "docker-events", containerId: null, args: window },
  ]);
  const okValue = <T>(source: string): T | null => {
    const found = readings.find((reading) => reading.source === source);
    return found?.outcome.status === "ok" ? (found.outcome.value as T) : null;
  };
  const clock = okValue<{ hostTimeMs: number }>("host-clock");
  const clockAtMs = readings.find((reading) => reading.source === "host-clock")?.atMs ?? nowMs;
  const offsetMs = clock === null ? 0 : clock.hostTimeMs - clockAtMs;
  const remembered = okValue<EventWindow>("docker-events");
  const hostNowMs = nowMs + offsetMs;
  const before = await coverageOf(deps.store, host);
  const provenMs = remembered?.completeSinceMs ?? hostNowMs;
  if (before !== null && provenMs > before.coveredUntilMs) {
    const gap = { fromMs: before.coveredUntilMs, untilMs: provenMs };
    await deps.store.record([{ host, kind: "gap", containerId: null, atMs: gap.fromMs, json: JSON.stringify(gap) }]);
  }
  const missed = (remembered?.events ?? []).filter((event) => event.atMs >= (before?.coveredUntilMs ?? 0));
  await keepEvents(deps, host, missed.filter(isKept));
  const coverage = { sinceMs: before?.sinceMs ?? provenMs, coveredUntilMs: hostNowMs - limits.eventLagMs };
  await keepCoverage(deps, host, coverage);
  return { coverage, offsetMs };
}

/** The stream begins before the end of what is covered, so the same event may come twice; reading leaves out doubles. */
async function keepEvents(deps: RecorderDeps, host: string, events: readonly DockerEvent[]): Promise<void> {
  if (events.length === 0) return;
  await deps.store.record(
    events.map((event) => ({
      host,
      kind: "event",
      containerId: event.type === "container" ? event.actorId : null,
      atMs: event.atMs,
      json: JSON.stringify(event),
    })),
  );
}

async function keepCoverage(deps: RecorderDeps, host: string, coverage: Coverage): Promise<void> {
  await deps.store.putDocument("recorder", host, JSON.stringify(coverage), deps.clock.nowMs());
}

function leaseOf(host: string): string {
  return `recorder:${host}`;
}

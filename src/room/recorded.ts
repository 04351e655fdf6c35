import { createHash } from "node:crypto";
import type { Reading } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import type { ContainerSummary, DockerEvent, EventWindow, MemorySeries } from "../core/readings.ts";
import { type Recording, widen } from "../core/recorded.ts";
import type { Log, Store } from "../ports.ts";
import type { Recorded } from "./investigate.ts";

/** Since when a host is recorded, and until when nothing but the marked gaps is missing. By the host's clock. */
export interface Coverage {
  sinceMs: number;
  coveredUntilMs: number;
}

export async function coverageOf(store: Pick<Store, "document">, host: string): Promise<Coverage | null> {
  const found = await store.document("recorder", host);
  return found === null ? null : (JSON.parse(found.json) as Coverage);
}

/**
 * Readings of what was recorded: per host its event window widened, per container its memory over time. Recording is a
 * help: when its store fails, the investigation goes on with what the engine remembers.
 */
export function createRecorded(deps: { store: Store; log: Log }): Recorded {
  return async (readings, nowMs) => {
    try {
      const windows = readings.filter((reading) => reading.source === "docker-events");
      const lists = readings.filter((reading) => reading.source === "docker-list");
      const widened = await Promise.all(windows.map((reading) => widenedWindow(deps.store, reading)));
      const series = await Promise.all(lists.map((reading) => memorySeries(deps.store, reading, nowMs)));
      return [...widened.filter((reading) => reading !== null), ...series.flat()];
    } catch (error) {
      deps.log.warn({ error: String(error) }, "what was recorded could not be read");
      return [];
    }
  };
}

async function widenedWindow(store: Store, reading: Reading): Promise<Reading | null> {
  if (reading.outcome.status !== "ok") return null;
  const window = reading.outcome.value as EventWindow;
  const recording = await recordingOf(store, reading.host, window);
  if (recording === null) return null;
  return seen(reading, `${reading.read} and the event recorder`, widen(window, recording));
}

async function recordingOf(store: Store, host: string, window: EventWindow): Promise<Recording | null> {
  const coverage = await coverageOf(store, host);
  if (coverage === null) return null;
  const range = { host, untilMs: window.untilMs };
  const events = await store.recorded({
    ...range,
    kind: "event",
    sinceMs: window.sinceMs,
    limit: limits.recordedEvents,
  });
  const gaps = await store.recorded({ ...range, kind: "gap", sinceMs: 0, limit: limits.recordedGaps });
  const first = events.length === limits.recordedEvents ? (events[0]?.atMs ?? null) : null;
  return {
    sinceMs: Math.max(coverage.sinceMs, first ?? coverage.sinceMs),
    coveredUntilMs: coverage.coveredUntilMs,
    gaps: gaps.map(({ json }) => JSON.parse(json) as Recording["gaps"][number]),
    events: unique(events.map(({ json }) => json)).map((json) => JSON.parse(json) as DockerEvent),
  };
}

async function memorySeries(store: Store, list: Reading, nowMs: number): Promise<Reading[]> {
  if (list.outcome.status !== "ok") return [];
  const series: Reading[] = [];
  for (const { id } of (list.outcome.value as ContainerSummary[]).slice(0, limits.inspectAllUpTo)) {
    const samples = await store.recorded({
      host: list.host,
      kind: "memory",
      containerId: id,
      sinceMs: nowMs - limits.eventsLookbackMs,
      untilMs: nowMs,
      limit: limits.memoryPoints,
    });
    const parsed = samples.map(({ atMs, json }) => ({ atMs, ...(JSON.parse(json) as MemorySample) }));
    const last = parsed.at(-1);
    if (last === undefined) continue;
    const points = parsed.map(({ atMs, bytes }) => ({ atMs, bytes }));
    const value: MemorySeries = { points, limitBytes: last.limitBytes };
    series.push(seen({ ...list, source: "memory-series", containerId: id }, "the event recorder", value));
  }
  return series;
}

export interface MemorySample {
  bytes: number;
  limitBytes: number | null;
}

function seen(about: Reading, read: string, value: EventWindow | MemorySeries): Reading {
  const sha256 = createHash("sha256").update(JSON.stringify(value)).digest("hex");
  return { ...about, read, sha256, outcome: { status: "ok", value } };
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)];
}

import type { Reading } from "./evidence.ts";
import type { DockerEvent, EventWindow, MemorySeries } from "./readings.ts";

/** What the recorder has of one host. Times by the host's clock. */
export interface Recording {
  /** When recording began, and until when it is known to be whole except for the gaps. */
  sinceMs: number;
  coveredUntilMs: number;
  gaps: { fromMs: number; untilMs: number }[];
  events: DockerEvent[];
}

/** Events that say what became of a container; the rest, such as each run of a health check, only fills the memory. */
export function isKept(event: Pick<DockerEvent, "type" | "action">): boolean {
  switch (event.type) {
    case "container":
      return /^(create|start|restart|stop|kill|die|oom|destroy|pause|unpause|rename|update|health_status(:.*)?)$/.test(
        event.action,
      );
    case "network":
      return /^(create|connect|disconnect|destroy)$/.test(event.action);
    case "volume":
      return event.action === "destroy";
    case "daemon":
      return true;
  }
  return false;
}

/**
 * The engine's window widened by what was recorded. Proven completeness reaches back into the recording only where the
 * recording is whole up to the engine's own proof.
 */
export function widen(window: EventWindow, recording: Recording): EventWindow {
  const known = new Set(window.events.map(keyOf));
  const older = recording.events.filter(
    (event) => event.atMs >= window.sinceMs && event.atMs <= window.untilMs && !known.has(keyOf(event)),
  );
  return {
    ...window,
    events: [...older, ...window.events].sort((a, b) => a.atMs - b.atMs),
    completeSinceMs: completeSince(window, recording),
  };
}

function completeSince(window: EventWindow, recording: Recording): number | null {
  const proven = window.completeSinceMs;
  if (proven === null || recording.coveredUntilMs < proven || recording.sinceMs >= proven) return proven;
  const gapEnds = recording.gaps.filter((gap) => gap.fromMs < proven).map((gap) => gap.untilMs);
  return Math.min(proven, Math.max(window.sinceMs, recording.sinceMs, ...gapEnds));
}

/** Of several memory series of one container only the one with the most samples; everything else as it is. */
export function longestSeries(readings: readonly Reading[]): Reading[] {
  const longest = new Map<string, Reading>();
  for (const reading of readings) {
    const known = longest.get(placeOf(reading));
    if (samplesOf(reading) > (known === undefined ? 0 : samplesOf(known))) longest.set(placeOf(reading), reading);
  }
  return readings.filter((reading) => samplesOf(reading) === 0 || longest.get(placeOf(reading)) === reading);
}

function placeOf({ host, containerId }: Reading): string {
  return `${host} ${containerId}`;
}

function samplesOf({ source, outcome }: Reading): number {
  return source === "memory-series" && outcome.status === "ok" ? (outcome.value as MemorySeries).points.length : 0;
}

/** The same event told twice, by the stream and by the engine's memory. */
export function keyOf(event: DockerEvent): string {
  return JSON.stringify([event.atMs, event.type, event.action, event.actorId]);
}

import type { TimelineEntry } from "../core/incident.ts";
import type { Incident } from "../core/replay.ts";

/** From the onset of the fault to the proven recovery; null where it is not known. Times are ISO 8601, UTC. */
export interface Impact {
  onsetAt: string | null;
  /** What the onset was read from; says so where only the report is known. */
  onsetFrom: string;
  recoveredAt: string | null;
  durationMs: number | null;
}

export function impactOf(incident: Incident, entries: readonly TimelineEntry[]): Impact {
  const onset = onsetOf(incident);
  const recovered = entries.findLast(({ body }) => body.kind === "verified" && body.outcome === "recovered");
  const recoveredAtMs =
    incident.state === "recovered" || incident.state === "closed" ? (recovered?.atMs ?? null) : null;
  return {
    onsetAt: onset.atMs === null ? null : new Date(onset.atMs).toISOString(),
    onsetFrom: onset.from,
    recoveredAt: recoveredAtMs === null ? null : new Date(recoveredAtMs).toISOString(),
    durationMs: onset.atMs === null || recoveredAtMs === null ? null : recoveredAtMs - onset.atMs,
  };
}

/**
 * The first time the engine's events name in the evidence of the root cause; without one, when the acted-on container
 * ended. Both by the host's clock.
 */
function onsetOf(incident: Incident): { atMs: number | null; from: string } {
  const root = incident.report?.rootCause ?? null;
  const events = (incident.report?.evidence ?? [])
    .filter((item) => item.source === "docker-events" && root?.citations.includes(item.id))
    .flatMap((item) => timesIn(item.text).map((atMs) => ({ atMs, id: item.id })))
    .toSorted((a, b) => a.atMs - b.atMs);
  const [first] = events;
  if (first !== undefined) return { atMs: first.atMs, from: `docker events [${first.id}]` };
  const ended = incident.plans[0]?.plan.preconditions.find((one) => one.container === root?.container)?.expect;
  if (root !== null && ended?.status === "exited" && ended.finishedAtMs !== null)
    return { atMs: ended.finishedAtMs, from: `State.FinishedAt of ${root.container ?? root.host}` };
  return { atMs: null, from: "not known; the incident was opened when it was reported" };
}

function timesIn(text: string): number[] {
  const found = text.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g) ?? [];
  return found.map((stamp) => Date.parse(stamp)).filter((atMs) => !Number.isNaN(atMs));
}

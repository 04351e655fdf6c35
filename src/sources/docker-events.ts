import { limits } from "../core/limits.ts";
import type { DockerEvent, EventWindow } from "../core/readings.ts";
import { number, object, positive, text, textMap, textOrNull } from "./json.ts";
import { type EvidenceSource, replyFailure, toReading } from "./reading.ts";
import type { Redactor } from "./redact.ts";

/** The engine's own memory of events in a window, unfiltered, because only an unfiltered window proves absence. */
export const dockerEvents: EvidenceSource<"docker-events"> = {
  name: "docker-events",
  async read(reader, planned, context) {
    const { sinceMs, untilMs, engineStartedAtMs } = planned.args;
    const reply = await reader.docker({ read: "events", sinceMs, untilMs }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: null, read: reply.read };
    const failure = replyFailure(reply);
    if (failure !== null || !reply.ok) {
      return toReading(about, { status: "failed", ...(failure ?? unanswered) }, context);
    }
    const { events, unreadable } = parseEvents(reply.body.toString("utf8"), context.redactor);
    const whole = !reply.truncated && unreadable === 0;
    const value: EventWindow = {
      events,
      sinceMs,
      untilMs,
      completeSinceMs: whole ? completeSince(events, sinceMs, engineStartedAtMs) : null,
    };
    return toReading(about, { status: "ok", value, hashed: JSON.stringify(events) }, context);
  },
};

const unanswered = { code: "failed" as const, reason: "no answer", fix: null };

/** One JSON object a line, sorted by time. A line that is cut or no JSON is counted, not guessed. */
export function parseEvents(
  body: string,
  redactor: Pick<Redactor, "text">,
): { events: DockerEvent[]; unreadable: number } {
  const events: DockerEvent[] = [];
  let unreadable = 0;
  const masked = remembering(redactor.text);
  for (const line of body.split("\n")) {
    if (line.trim() === "") continue;
    const event = parseEvent(line, masked);
    if (event === null) unreadable++;
    else events.push(event);
  }
  return { events: events.sort((a, b) => a.atMs - b.atMs), unreadable };
}

/** One line of the event stream; null when it is no event. */
export function parseEvent(line: string, masked: (value: string) => string): DockerEvent | null {
  const event = object(parsed(line));
  const timeNs = number(event["timeNano"]);
  const timeS = positive(event["time"]);
  const action = textOrNull(event["Action"]) ?? textOrNull(event["status"]);
  if (action === null || (timeNs === null && timeS === null)) return null;
  const actor = object(event["Actor"]);
  const attributes = Object.entries(textMap(actor["Attributes"])).map(([name, value]) => [name, masked(value)]);
  const known: Record<string, string> = Object.fromEntries(attributes);
  return {
    // 64-bit nanoseconds lose their last digits in a double, far below a millisecond.
    atMs: timeNs !== null && timeNs > 0 ? Math.floor(timeNs / 1e6) : (timeS ?? 0) * 1000,
    type: textOrNull(event["Type"]) ?? "container",
    action: masked(action),
    actorId: textOrNull(actor["ID"]) ?? text(event["id"]),
    name: known["name"] ?? null,
    attributes: known,
  };
}

/**
 * From when on nothing can be missing. A full memory proves the time after its oldest event. Otherwise nothing was
 * evicted since the daemon started; when that is unknown, the oldest event shows that the daemon ran since then.
 */
export function completeSince(events: DockerEvent[], sinceMs: number, engineStartedAtMs: number | null): number | null {
  const oldestMs = events[0]?.atMs ?? null;
  if (events.length >= limits.engineEvents || engineStartedAtMs === null) return oldestMs;
  return Math.max(sinceMs, engineStartedAtMs);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Every event of a container repeats its labels, so each text is masked once. */
function remembering(mask: (value: string) => string): (value: string) => string {
  const known = new Map<string, string>();
  return (value) => {
    let masked = known.get(value);
    if (masked === undefined) {
      masked = mask(value);
      known.set(value, masked);
    }
    return masked;
  };
}

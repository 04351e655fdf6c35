import type { Actor, EntryBody, TimelineEntry } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { advance, type Incident, replay } from "../core/replay.ts";
import { Fault } from "../core/result.ts";
import type { AppendRequest, OutboxRow } from "../ports.ts";
import type { Desk } from "./desk.ts";

export const room137: Actor = { kind: "room137" };

export interface Addition {
  actor: Actor;
  body: EntryBody;
}

/** What somebody wants to add to a timeline as it stands, and what to tell them. */
export interface Change<T> {
  add: Addition[];
  result: T;
}

type Recording = Pick<Desk, "store" | "clock" | "announce" | "log">;

/**
 * The one way anything gets into a timeline: read it, decide on what it amounts to, append at exactly the next place.
 * Whoever loses a race decides again on what the winner left. Null for an unknown incident.
 */
export async function change<T>(
  desk: Recording,
  incidentId: string,
  next: (incident: Incident, entries: TimelineEntry[]) => Change<T> | Promise<Change<T>>,
): Promise<{ incident: Incident; result: T } | null> {
  for (let attempt = 0; attempt < limits.appendAttempts; attempt += 1) {
    const entries = await desk.store.entries(incidentId);
    const incident = replay(entries);
    if (incident === null) return null;
    const { add, result } = await next(incident, entries);
    if (add.length === 0) return { incident, result };
    const after = await append(desk, incident, incidentId, add);
    if (after !== null) return { incident: after, result };
  }
  throw new Fault(
    "store-conflict",
    `Appending to ${incidentId}: others were faster ${limits.appendAttempts} times.`,
    "Try again in a moment.",
  );
}

/** Appends what needs no deciding. */
export async function add(desk: Recording, incidentId: string, actor: Actor, ...bodies: EntryBody[]): Promise<void> {
  await change(desk, incidentId, () => ({ add: bodies.map((body) => ({ actor, body })), result: null }));
}

/** Null when another entry took the place. `incident` null for the first entry of a new one. */
export async function append(
  desk: Recording,
  incident: Incident | null,
  incidentId: string,
  additions: Addition[],
): Promise<Incident | null> {
  const atMs = desk.clock.nowMs();
  const requests = additions.map(
    ({ actor, body }, at): AppendRequest => ({
      incidentId,
      expectSeq: (incident?.seq ?? 0) + 1 + at,
      atMs,
      actor,
      body,
    }),
  );
  let after = incident;
  const rows: OutboxRow[] = [];
  for (const { expectSeq: seq, actor, body } of requests) {
    const entry = { incidentId, seq, atMs, actor, body, hash: "" };
    after = after === null ? replay([entry]) : advance(after, entry);
    if (after !== null) rows.push(...said(desk, after, entry));
  }
  const appended = await desk.store.append(requests, rows);
  return appended.appended ? after : null;
}

/** A fault in how something is said must not keep it from being recorded. */
function said(desk: Recording, incident: Incident, entry: TimelineEntry): OutboxRow[] {
  try {
    return desk.announce(incident, entry);
  } catch (error) {
    desk.log.error(
      { incidentId: incident.incidentId, seq: entry.seq, kind: entry.body.kind, error: String(error) },
      "an entry could not be put into words",
    );
    return [];
  }
}

import { limits } from "../core/limits.ts";
import { type Refusal, refuse } from "../core/result.ts";
import type { Person } from "../core/rights.ts";
import { personActor } from "./ask.ts";
import { unknownIncident } from "./decide.ts";
import type { Desk } from "./desk.ts";
import { mayOn } from "./look.ts";
import { change, room137 } from "./record.ts";

export async function note(
  desk: Desk,
  incidentId: string,
  by: Person,
  text: string,
  from: string | null,
): Promise<{ said: string } | Refusal> {
  const kept = text.trim();
  if (kept === "") return refuse("bad-input", "The note is empty.", "Nothing was noted.", "Write the text after note.");
  if (kept.length > limits.noteChars) {
    const found = `The note is longer than ${limits.noteChars} characters.`;
    return refuse("bad-input", found, "Nothing was noted.", "Shorten it, or link to where it stands.");
  }
  const changed = await change<Refusal | { said: string }>(desk, incidentId, (incident) => {
    const right = mayOn(desk, by, "note", incident);
    if (!right.allowed) {
      const found = `You may not note anything here: ${right.because}.`;
      return { add: [], result: refuse("not-allowed", found, "Nothing was noted.", "Ask an administrator.") };
    }
    if (incident.seq >= limits.timelineEntries) {
      const found = `This timeline has ${limits.timelineEntries} entries, which is all it takes.`;
      return { add: [], result: refuse("bad-input", found, "Nothing was noted.", "Open another incident.") };
    }
    const body = { kind: "note" as const, text: kept, from };
    return { add: [{ actor: personActor(by), body }], result: { said: `Noted in ${incidentId}.` } };
  });
  return changed?.result ?? unknownIncident(incidentId);
}

/** Learned from posting, possibly twice, possibly by two replicas. */
export async function posted(
  desk: Desk,
  incidentId: string,
  { channel, threadTs }: { channel: string; threadTs: string },
): Promise<void> {
  await change(desk, incidentId, ({ room }) => {
    const known = room?.channel === channel && room.threadTs !== null;
    return { add: known ? [] : [{ actor: room137, body: { kind: "room-posted", channel, threadTs } }], result: null };
  });
}

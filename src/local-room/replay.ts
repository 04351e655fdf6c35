import { isObject } from "./manifest.ts";
import type { JournalEntry, JsonObject } from "./protocol.ts";

/** Lines of a journal file. Throws with the number of the first line that is none. */
export function readJournal(text: string): JournalEntry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      try {
        return JSON.parse(line) as JournalEntry;
      } catch {
        throw new Error(`line ${index + 1} of the journal is not JSON; it may have been cut while being written`);
      }
    });
}

/** Sends a journal's Web API calls again, in order, e.g. to a room with the same seed and clock. */
export async function replayCalls(
  entries: readonly JournalEntry[],
  to: { apiUrl: string; token: string },
): Promise<void> {
  for (const entry of entries) {
    const args = entry.detail["args"];
    if (entry.kind !== "call" || !isObject(args)) continue;
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(args)) {
      if (name !== "token") form.set(name, typeof value === "string" ? value : JSON.stringify(value));
    }
    await fetch(to.apiUrl + entry.name, {
      method: "POST",
      headers: { authorization: `Bearer ${to.token}` },
      body: form,
    });
  }
}

export interface JournalDifference {
  /** Position among the calls. */
  at: number;
  left: JsonObject | null;
  right: JsonObject | null;
}

/** Calls that came out differently, by position: method, outcome and error; ids and times do not count. */
export function diffJournals(left: readonly JournalEntry[], right: readonly JournalEntry[]): JournalDifference[] {
  const [one, other] = [outcomes(left), outcomes(right)];
  return Array.from({ length: Math.max(one.length, other.length) }, (_, at) => ({
    at,
    left: one[at] ?? null,
    right: other[at] ?? null,
  })).filter((pair) => JSON.stringify(pair.left) !== JSON.stringify(pair.right));
}

const outcomes = (entries: readonly JournalEntry[]): JsonObject[] =>
  entries.filter((entry) => entry.kind === "call").map(({ name, ok, error }) => ({ name, ok, error }));

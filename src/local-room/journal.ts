import { appendFileSync } from "node:fs";
import { journalEntries } from "./limits.ts";
import type { JournalEntry, JsonObject, RoomChange } from "./protocol.ts";

/** Append-only record of every call, envelope, ack, answer and change; also what the page's stream is fed from. */
export interface Journal {
  record(entry: NewEntry): JournalEntry;
  changed(kind: RoomChange["kind"], where?: { channel?: string; actor?: string }): void;
  entries(sinceSeq?: number, limit?: number): JournalEntry[];
  lastSeq(): number;
  /** Protocol mistakes of the bot. Any of them fails a test. */
  flag(code: string, message: string): void;
  flags(): { seq: number; atMs: number; code: string; message: string }[];
  onChange(listener: (change: RoomChange) => void): () => void;
  onEntry(listener: (entry: JournalEntry) => void): () => void;
}

export type NewEntry = Pick<JournalEntry, "kind" | "name"> &
  Partial<Pick<JournalEntry, "detail" | "ok" | "error" | "tookMs">>;

export function createJournal(deps: { nowMs: () => number; file?: string | undefined }): Journal {
  const kept: JournalEntry[] = [];
  const flags: ReturnType<Journal["flags"]> = [];
  const changeListeners = new Set<(change: RoomChange) => void>();
  const entryListeners = new Set<(entry: JournalEntry) => void>();
  let seq = 0;
  let file = deps.file ?? null;
  // A file that cannot be written is told at the start, not at the first message.
  if (file !== null) appendFileSync(file, "", { mode: 0o600 });

  const record: Journal["record"] = (entry) => {
    seq += 1;
    const full: JournalEntry = {
      seq,
      atMs: deps.nowMs(),
      kind: entry.kind,
      name: entry.name,
      detail: maskSecrets(entry.detail ?? {}) as JsonObject,
      ok: entry.ok ?? true,
      error: entry.error ?? null,
      tookMs: entry.tookMs ?? null,
    };
    kept.push(full);
    if (kept.length > journalEntries) kept.splice(0, kept.length - journalEntries);
    if (file !== null && !appended(file, full)) {
      file = null;
      flags.push({ seq, atMs: full.atMs, code: "journal-not-written", message: notWritten });
    }
    for (const listener of entryListeners) listener(full);
    return full;
  };
  const changed: Journal["changed"] = (kind, where = {}) => {
    const entry = record({ kind: "change", name: kind, detail: { ...where } });
    const change = { seq: entry.seq, kind, channel: where.channel ?? null, actor: where.actor ?? null };
    for (const listener of changeListeners) listener(change);
  };
  return {
    record,
    changed,
    entries: (sinceSeq = 0, limit = Number.POSITIVE_INFINITY) => {
      const newer = kept.filter((entry) => entry.seq > sinceSeq);
      return newer.slice(Math.max(0, newer.length - limit));
    },
    lastSeq: () => seq,
    flag(code, message) {
      const entry = record({ kind: "flag", name: code, detail: { message }, ok: false, error: code });
      flags.push({ seq: entry.seq, atMs: entry.atMs, code, message });
      changed("ledger");
    },
    flags: () => [...flags],
    onChange: (listener) => {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },
    onEntry: (listener) => {
      entryListeners.add(listener);
      return () => entryListeners.delete(listener);
    },
  };
}

const notWritten = "the journal file can no longer be written; the journal goes on in memory only";

/** A full disk must not end the bot that runs in this process. */
function appended(file: string, entry: JournalEntry): boolean {
  try {
    appendFileSync(file, `${JSON.stringify(entry)}\n`);
    return true;
  } catch {
    return false;
  }
}

const secretKeys = new Set(["token", "authorization", "ticket", "access", "cookie", "signing_secret"]);
const secretPatterns = /(xox[a-z]-[\w-]+|xapp-[\w-]+|\bticket=[\w-]+)/g;

/** The journal may end up in a bug report: tokens and tickets never reach it. */
function maskSecrets(value: unknown): unknown {
  if (typeof value === "string") return value.replace(secretPatterns, (secret) => `${secret.slice(0, 5)}…`);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [
        key,
        secretKeys.has(key.toLowerCase()) && typeof inner === "string" ? "…" : maskSecrets(inner),
      ]),
  );
}

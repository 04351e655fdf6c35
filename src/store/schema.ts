import type { Generated } from "kysely";

/** The tables as both engines have them. Times are milliseconds, JSON is text: the database never looks into it. */
export interface Tables {
  schema_version: { version: number };
  entries: EntriesTable;
  audit_head: { id: number; position: number; hash: string };
  incidents: IncidentsTable;
  seen: { key: string; at_ms: number };
  outbox: OutboxTable;
  documents: { kind: string; key: string; json: string; at_ms: number };
  recorded: RecordedTable;
  leases: { name: string; owner: string; expires_at_ms: number };
  write_check: { id: number; at_ms: number };
}

/** The timeline. `position` is its place among all rows, `hash` and `chain_hash` are explained in core/audit.ts. */
export interface EntriesTable {
  position: number;
  incident_id: string;
  seq: number;
  at_ms: number;
  actor: string;
  body: string;
  hash: string;
  chain_hash: string;
}

/** A list of what the timeline holds, for finding incidents; written in the same transaction, never the truth. */
export interface IncidentsTable {
  incident_id: string;
  channel: string | null;
  thread_ts: string | null;
  service: string;
  opened_at_ms: number;
  opened_position: number;
}

interface OutboxTable {
  id: Generated<number>;
  key: string;
  incident_id: string | null;
  channel: string;
  lane: string;
  payload: string;
  queued_at_ms: number;
  not_before_ms: number;
  attempts: number;
  last_error: string | null;
  claimed_by: string | null;
  claimed_until_ms: number;
  sent_at_ms: number | null;
  result: string | null;
}

interface RecordedTable {
  id: Generated<number>;
  host: string;
  kind: string;
  container_id: string | null;
  at_ms: number;
  json: string;
}

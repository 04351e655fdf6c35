import { setImmediate as nextTurn } from "node:timers/promises";
import { type Kysely, sql, type Transaction } from "kysely";
import {
  type AuditHead,
  type AuditRow,
  type AuditVerdict,
  emptyHead,
  finishVerification,
  startVerification,
  verifyRow,
} from "../core/audit.ts";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Store } from "../ports.ts";
import type { Access, Engine } from "./engine.ts";
import type { Tables } from "./schema.ts";

export function auditQueries({ read }: Access): Pick<Store, "verifyAudit"> {
  return {
    verifyAudit: (noted) => read("Verifying the audit chain", (db) => verify(db, noted ?? null)),
  };
}

/**
 * Takes the lock on the head of the global chain: from here to the end of the transaction this is the only writer.
 * Everything whose order matters, the timeline and the outbox, is written behind it.
 */
export async function lockHead(trx: Transaction<Tables>, engine: Engine): Promise<AuditHead> {
  const head = trx.selectFrom("audit_head").select(["position", "hash"]).where("id", "=", 1);
  const row = await (engine.rowLocks ? head.forUpdate() : head).executeTakeFirst();
  if (row) return row;
  throw new Fault(
    "store-unavailable",
    "Appending to the timeline: the head of the audit chain was deleted from the store.",
    "Run `room137 audit verify`, find out who wrote to the store, and restore it from a backup.",
  );
}

/** Rows up to the head never change, so they are read in batches without keeping writers out. */
async function verify(db: Kysely<Tables>, noted: AuditHead | null): Promise<AuditVerdict> {
  const head = (await readEnd(db)).head ?? emptyHead;
  const run = startVerification(noted);
  for (let from = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = await batch(db, from, head.position);
    for (const row of rows) verifyRow(run, row);
    const last = rows.at(-1);
    if (!last || last.position <= from) break;
    from = last.position;
    await nextTurn();
  }
  // Read in one statement, so that a row appended meanwhile is seen together with its head.
  const end = await readEnd(db);
  const known = end.head?.position ?? 0;
  const beyond = end.newest > known ? await batch(db, known, null) : [];
  for (const row of beyond) verifyRow(run, row);
  return finishVerification(run, head);
}

async function readEnd(db: Kysely<Tables>): Promise<{ head: AuditHead | null; newest: number }> {
  const end = await sql<{
    position: string | null;
    hash: string | null;
    newest: string;
  }>`
    select cast(head.position as text) as position, head.hash,
      (select cast(coalesce(max(position), 0) as text) from entries) as newest
    from (select 1 as id) as one left join audit_head as head on head.id = one.id`.execute(db);
  const { position = null, hash = null, newest = "0" } = end.rows[0] ?? {};
  const head = position === null || hash === null ? null : { position: Number(position), hash };
  return { head, newest: Number(newest) };
}

/** Numbers are read as text: an edited one may be too large for the driver, and must be reported, not fail the read. */
async function batch(db: Kysely<Tables>, after: number, upTo: number | null): Promise<AuditRow[]> {
  const largest = Number.MAX_SAFE_INTEGER;
  const all = db
    .selectFrom("entries")
    .select(["incident_id", "actor", "body", "hash", "chain_hash", asText("position"), asText("seq"), asText("at_ms")])
    .where("position", ">", Math.min(after, largest))
    .orderBy("position")
    .limit(limits.auditBatchRows);
  const found = upTo === null ? all : all.where("position", "<=", Math.min(upTo, largest));
  const rows = await found.execute();
  return rows.map((row) => ({
    position: Number(row.position_text),
    incidentId: row.incident_id,
    seq: Number(row.seq_text),
    atMs: Number(row.at_ms_text),
    actor: row.actor,
    body: row.body,
    hash: row.hash,
    chainHash: row.chain_hash,
  }));
}

function asText<Column extends "position" | "seq" | "at_ms">(column: Column) {
  return sql<string>`cast(${sql.ref(column)} as text)`.as(`${column}_text` as const);
}

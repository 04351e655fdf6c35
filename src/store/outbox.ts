import { type Kysely, sql, type Transaction } from "kysely";
import { limits } from "../core/limits.ts";
import type { OutboxRow, Store } from "../ports.ts";
import { lockHead } from "./audit.ts";
import type { Access } from "./engine.ts";
import type { Tables } from "./schema.ts";

export function outboxQueries(
  access: Access,
): Pick<Store, "enqueue" | "unsent" | "claimOutbox" | "markSent" | "markAttempt" | "sentResult"> {
  return {
    enqueue: (rows) =>
      access.write("Queueing messages", async (trx) => {
        await lockHead(trx, access.engine);
        await queue(trx, rows);
      }),
    unsent: (limit) =>
      access.read("Reading unsent messages", async (db) => {
        const rows = await firstOfLanes(db, access.clock.nowMs()).orderBy("outbox.id").limit(limit).execute();
        return rows.map(outboxRowOf);
      }),
    claimOutbox: (owner, limit, ttlMs) => claim(access, owner, limit, ttlMs),
    markSent: (id, result, atMs) =>
      access.write("Marking a message as sent", async (trx) => {
        const sent = {
          sent_at_ms: Math.round(atMs),
          result,
          payload: "",
          claimed_by: null,
        };
        await trx.updateTable("outbox").set(sent).where("id", "=", id).where("sent_at_ms", "is", null).execute();
      }),
    markAttempt: (id, error, notBeforeMs) =>
      access.write("Noting a failed message", async (trx) => {
        await trx
          .updateTable("outbox")
          .set({
            last_error: error,
            not_before_ms: Math.ceil(notBeforeMs),
            claimed_by: null,
            claimed_until_ms: 0,
          })
          .set((row) => ({ attempts: row("attempts", "+", 1) }))
          .where("id", "=", id)
          .where("sent_at_ms", "is", null)
          .execute();
      }),
    sentResult: (key) =>
      access.read("Reading what was sent", async (db) => {
        const row = await db.selectFrom("outbox").select("result").where("key", "=", key).executeTakeFirst();
        return row?.result ?? null;
      }),
  };
}

/**
 * Queues rows inside the caller's transaction. The caller holds the lock on the audit head, so that ids rise in the
 * order of commits; otherwise a later row of a lane could be sent while an earlier one is not yet visible.
 */
export async function queue(trx: Transaction<Tables>, rows: OutboxRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += limits.insertRows) {
    const values = rows.slice(from, from + limits.insertRows).map((row) => ({
      key: row.key,
      incident_id: row.incidentId,
      channel: row.channel,
      lane: row.lane,
      payload: row.payload,
      queued_at_ms: Math.round(row.queuedAtMs),
      not_before_ms: 0,
      attempts: 0,
      claimed_until_ms: 0,
    }));
    await trx
      .insertInto("outbox")
      .values(values)
      .onConflict((conflict) => conflict.column("key").doNothing())
      .execute();
  }
}

/** A row that waits for its time, or that another owner holds, keeps the rest of its lane waiting too. */
function firstOfLanes(db: Kysely<Tables>, nowMs: number) {
  return db
    .selectFrom("outbox")
    .select(["id", "key", "incident_id", "channel", "lane", "payload", "queued_at_ms", "attempts"])
    .where("sent_at_ms", "is", null)
    .where("not_before_ms", "<=", nowMs)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("outbox as earlier")
            .select("earlier.id")
            .whereRef("earlier.lane", "=", "outbox.lane")
            .whereRef("earlier.id", "<", "outbox.id")
            .where("earlier.sent_at_ms", "is", null),
        ),
      ),
    );
}

/** Rows another replica is claiming at this moment are skipped, not waited for. */
async function claim(access: Access, owner: string, limit: number, ttlMs: number) {
  const { engine, clock } = access;
  return await access.write("Claiming messages to send", async (trx) => {
    const now = engine.nowMs(clock.nowMs());
    const free = firstOfLanes(trx, clock.nowMs())
      .where(({ or, eb }) => or([eb("claimed_by", "is", null), eb("claimed_until_ms", "<=", now)]))
      .orderBy("outbox.id")
      .limit(limit);
    const rows = await (engine.rowLocks ? free.forUpdate().skipLocked() : free).execute();
    const ids = rows.map((row) => row.id);
    if (ids.length === 0) return [];
    const until = sql<number>`${now} + ${Math.round(ttlMs)}`;
    await trx
      .updateTable("outbox")
      .set({ claimed_by: owner, claimed_until_ms: until })
      .where("id", "in", ids)
      .execute();
    return rows.map(outboxRowOf);
  });
}

type Waiting = Awaited<ReturnType<ReturnType<typeof firstOfLanes>["execute"]>>[number];

function outboxRowOf(row: Waiting): OutboxRow & { id: number; attempts: number } {
  return {
    id: row.id,
    key: row.key,
    incidentId: row.incident_id,
    channel: row.channel,
    lane: row.lane,
    payload: row.payload,
    queuedAtMs: row.queued_at_ms,
    attempts: row.attempts,
  };
}

import { sql } from "kysely";
import { limits } from "../core/limits.ts";
import type { Store } from "../ports.ts";
import type { Access } from "./engine.ts";

/** Events seen once, small documents, who holds which lease, and whether writing works at all. */
export function queries(
  access: Access,
): Pick<
  Store,
  | "firstSeen"
  | "putDocument"
  | "document"
  | "documents"
  | "deleteDocument"
  | "acquireLease"
  | "releaseLease"
  | "checkWritable"
> {
  return {
    firstSeen: firstSeen(access),
    ...documentQueries(access),
    ...leaseQueries(access),
    checkWritable: checkWritable(access),
  };
}

/** Really writes, because a full disk or a server that only reads shows itself in no other way. */
function checkWritable({ write, clock }: Access): Store["checkWritable"] {
  return () =>
    write("Checking that the store can be written", async (trx) => {
      const at = { at_ms: Math.round(clock.nowMs()) };
      await trx
        .insertInto("write_check")
        .values({ id: 1, ...at })
        .onConflict((conflict) => conflict.column("id").doUpdateSet(at))
        .execute();
    });
}

function firstSeen({ write, clock }: Access): Store["firstSeen"] {
  let untilTrim = 0;
  return (key, atMs) =>
    write("Noting an event as seen", async (trx) => {
      if (untilTrim-- <= 0) {
        untilTrim = limits.seenTrimEvery;
        const oldestMs = clock.nowMs() - limits.seenRetentionMs;
        await trx.deleteFrom("seen").where("at_ms", "<", oldestMs).execute();
      }
      const inserted = await trx
        .insertInto("seen")
        .values({ key, at_ms: Math.round(atMs) })
        .onConflict((conflict) => conflict.column("key").doNothing())
        .returning("key")
        .execute();
      return inserted.length === 1;
    });
}

function documentQueries({
  read,
  write,
}: Access): Pick<Store, "putDocument" | "document" | "documents" | "deleteDocument"> {
  return {
    putDocument: (kind, key, json, atMs) =>
      write("Keeping a document", async (trx) => {
        const content = { json, at_ms: Math.round(atMs) };
        await trx
          .insertInto("documents")
          .values({ kind, key, ...content })
          .onConflict((conflict) => conflict.columns(["kind", "key"]).doUpdateSet(content))
          .execute();
      }),
    document: (kind, key) =>
      read("Reading a document", async (db) => {
        const found = db.selectFrom("documents").select(["json", "at_ms"]).where("kind", "=", kind);
        const row = await found.where("key", "=", key).executeTakeFirst();
        return row ? { json: row.json, atMs: row.at_ms } : null;
      }),
    documents: (kind) =>
      read("Reading documents", async (db) => {
        const found = db.selectFrom("documents").selectAll().where("kind", "=", kind);
        const rows = await found.orderBy("key").execute();
        return rows.map((row) => ({
          key: row.key,
          json: row.json,
          atMs: row.at_ms,
        }));
      }),
    deleteDocument: (kind, key) =>
      write("Deleting a document", async (trx) => {
        await trx.deleteFrom("documents").where("kind", "=", kind).where("key", "=", key).execute();
      }),
  };
}

/**
 * A lease is a row with an expiry, not an advisory lock: an advisory lock belongs to one connection, so it is lost when
 * the pool drops that connection although its owner is well, and kept for minutes when a host dies without closing it.
 */
function leaseQueries({ engine, write }: Access): Pick<Store, "acquireLease" | "releaseLease"> {
  return {
    acquireLease: (name, owner, ttlMs, nowMs) =>
      write("Acquiring a lease", async (trx) => {
        const now = engine.nowMs(nowMs);
        const held = {
          owner,
          expires_at_ms: sql<number>`${now} + ${Math.round(ttlMs)}`,
        };
        const granted = await trx
          .insertInto("leases")
          .values({ name, ...held })
          .onConflict((conflict) =>
            conflict
              .column("name")
              .doUpdateSet(held)
              .where(({ or, eb }) => or([eb("leases.owner", "=", owner), eb("leases.expires_at_ms", "<=", now)])),
          )
          .returning("name")
          .execute();
        return granted.length === 1;
      }),
    releaseLease: (name, owner) =>
      write("Releasing a lease", async (trx) => {
        await trx.deleteFrom("leases").where("name", "=", name).where("owner", "=", owner).execute();
      }),
  };
}

import { type Kysely, sql, type Transaction } from "kysely";
import { Fault } from "../core/result.ts";
import type { Engine } from "./engine.ts";
import type { Tables } from "./schema.ts";

type Migration = (trx: Transaction<Tables>, engine: Engine) => Promise<void>;

/** In order; a migration that was released is never changed, only followed by another. */
const migrations: Migration[] = [createTables];

/**
 * Brings the schema up to date, all or nothing, one process at a time. Kysely's own Migrator is not used because on
 * SQLite it runs without a lock and without a transaction, so a kill in the middle would leave half a schema.
 */
export async function migrate(engine: Engine): Promise<void> {
  const current = await readVersion(engine.db).catch(noneYet);
  if (current !== null) refuseNewer(current);
  if (current === migrations.length) return;
  await engine.db.transaction().execute(async (trx) => {
    await engine.lockSchema(trx);
    await sql`create table if not exists schema_version (version integer not null)`.execute(trx);
    const version = await readVersion(trx);
    refuseNewer(version);
    for (const migration of migrations.slice(version)) await migration(trx, engine);
    if (version === migrations.length) return;
    await trx.deleteFrom("schema_version").execute();
    await trx.insertInto("schema_version").values({ version: migrations.length }).execute();
  });
}

async function readVersion(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom("schema_version").select("version").executeTakeFirst();
  return row?.version ?? 0;
}

function noneYet(error: unknown): null {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const undefinedTable = "42P01";
  if (code === undefinedTable || String(message).includes("no such table")) return null;
  throw error;
}

function refuseNewer(version: number): void {
  if (version <= migrations.length) return;
  throw new Fault(
    "store-unavailable",
    `Opening the store: its schema is version ${version}, this room137 knows only up to ${migrations.length}.`,
    "Start the room137 release that wrote this store, or a later one, or name another store in ROOM137_DATABASE_URL.",
  );
}

async function createTables(trx: Transaction<Tables>, engine: Engine): Promise<void> {
  await createTimeline(trx);
  await createOutbox(trx, engine);
  await createRecorded(trx, engine);
  await trx.schema
    .createTable("seen")
    .addColumn("key", "text", (c) => c.primaryKey())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .execute();
  await trx.schema.createIndex("seen_age").on("seen").column("at_ms").execute();
  await trx.schema
    .createTable("documents")
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("key", "text", (c) => c.notNull())
    .addColumn("json", "text", (c) => c.notNull())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addPrimaryKeyConstraint("documents_name", ["kind", "key"])
    .execute();
  await trx.schema
    .createTable("leases")
    .addColumn("name", "text", (c) => c.primaryKey())
    .addColumn("owner", "text", (c) => c.notNull())
    .addColumn("expires_at_ms", "bigint", (c) => c.notNull())
    .execute();
  await trx.schema
    .createTable("write_check")
    .addColumn("id", "integer", (c) => c.primaryKey())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .execute();
}

async function createTimeline(trx: Transaction<Tables>): Promise<void> {
  await trx.schema
    .createTable("entries")
    .addColumn("position", "bigint", (c) => c.primaryKey())
    .addColumn("incident_id", "text", (c) => c.notNull())
    .addColumn("seq", "integer", (c) => c.notNull())
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addColumn("actor", "text", (c) => c.notNull())
    .addColumn("body", "text", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .addColumn("chain_hash", "text", (c) => c.notNull())
    .addUniqueConstraint("entries_incident_seq", ["incident_id", "seq"])
    .execute();
  await trx.schema
    .createTable("audit_head")
    .addColumn("id", "integer", (c) => c.primaryKey())
    .addColumn("position", "bigint", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull())
    .execute();
  await trx.insertInto("audit_head").values({ id: 1, position: 0, hash: "" }).execute();
  await trx.schema
    .createTable("incidents")
    .addColumn("incident_id", "text", (c) => c.primaryKey())
    .addColumn("channel", "text")
    .addColumn("thread_ts", "text")
    .addColumn("service", "text", (c) => c.notNull())
    .addColumn("opened_at_ms", "bigint", (c) => c.notNull())
    .addColumn("opened_position", "bigint", (c) => c.notNull())
    .execute();
  await trx.schema.createIndex("incidents_thread").on("incidents").columns(["channel", "thread_ts"]).execute();
  await trx.schema.createIndex("incidents_opened").on("incidents").column("opened_position").execute();
}

async function createOutbox(trx: Transaction<Tables>, engine: Engine): Promise<void> {
  await trx.schema
    .createTable("outbox")
    .addColumn("id", engine.rowIdType, (c) => engine.rowId(c))
    .addColumn("key", "text", (c) => c.notNull().unique())
    .addColumn("incident_id", "text")
    .addColumn("channel", "text", (c) => c.notNull())
    .addColumn("lane", "text", (c) => c.notNull())
    .addColumn("payload", "text", (c) => c.notNull())
    .addColumn("queued_at_ms", "bigint", (c) => c.notNull())
    .addColumn("not_before_ms", "bigint", (c) => c.notNull())
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("last_error", "text")
    .addColumn("claimed_by", "text")
    .addColumn("claimed_until_ms", "bigint", (c) => c.notNull())
    .addColumn("sent_at_ms", "bigint")
    .addColumn("result", "text")
    .execute();
  await trx.schema
    .createIndex("outbox_waiting")
    .on("outbox")
    .columns(["lane", "id"])
    .where(sql.ref("sent_at_ms"), "is", null)
    .execute();
}

async function createRecorded(trx: Transaction<Tables>, engine: Engine): Promise<void> {
  await trx.schema
    .createTable("recorded")
    .addColumn("id", engine.rowIdType, (c) => engine.rowId(c))
    .addColumn("host", "text", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("container_id", "text")
    .addColumn("at_ms", "bigint", (c) => c.notNull())
    .addColumn("json", "text", (c) => c.notNull())
    .execute();
  await trx.schema.createIndex("recorded_host_time").on("recorded").columns(["host", "at_ms"]).execute();
  await trx.schema.createIndex("recorded_time").on("recorded").column("at_ms").execute();
}

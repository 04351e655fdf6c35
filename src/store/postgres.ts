import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from "kysely";
import pg from "pg";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Engine } from "./engine.ts";
import { decodeText, encodeParameter } from "./safe-text.ts";
import type { Tables } from "./schema.ts";

/** `postgres://user:password@host:port/database`. Connects when first used; the password is never in a message. */
export function openPostgres(databaseUrl: string): Engine {
  const place = describe(databaseUrl);
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: "room137",
    max: limits.storeConnections,
    connectionTimeoutMillis: limits.storeConnectMs,
    statement_timeout: limits.storeStatementMs,
    // Ends the wait for a server that vanished without closing the connection.
    query_timeout: limits.storeStatementMs + limits.storeConnectMs,
    // A replica that froze in the middle of an append must not keep the others from appending.
    idle_in_transaction_session_timeout: limits.storeBusyMs,
    keepAlive: true,
    // A decision has to be durable before its first step, whatever the default of the server or the database is.
    options: "-c synchronous_commit=on",
    types: { getTypeParser: typeParser },
  });
  // The pool drops a connection that broke while idle and opens a new one on the next query. Unheard, the event would
  // end the process.
  pool.on("error", () => {});
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: encodingPool(pool) }),
  });
  return {
    db,
    rowIdType: "bigint",
    rowId: (column) => column.primaryKey().generatedAlwaysAsIdentity(),
    rowLocks: true,
    nowMs: () => sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    lockSchema: async (trx) => void (await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(trx)),
    checkPlace: () => {},
    fault: (doing, error) => fault(place, doing, error),
    close: () => db.destroy(),
  };
}

/** Any number that no other program in the same database uses. */
const migrationLock = 1_370_137;

function encodingPool(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => encodingClient(await pool.connect()),
  };
}

/** One wrapper per connection: Kysely keeps what it knows of a connection by its identity. */
const wrapped = new WeakMap<pg.PoolClient, PostgresPoolClient>();

function encodingClient(client: pg.PoolClient): PostgresPoolClient {
  const known = wrapped.get(client);
  if (known) return known;
  // A connection that breaks while it is lent out reports it here as well as in the running query.
  client.on("error", () => {});
  let broken: unknown = null;
  const query = async (text: string, parameters: readonly unknown[]) => {
    if (broken !== null) throw broken;
    try {
      return await client.query(text, parameters.map(encodeParameter));
    } catch (error) {
      // Without an answer of the server the connection is of no more use: the rollback that follows would only wait
      // again, and hide what happened.
      if (!(error instanceof pg.DatabaseError)) broken = error;
      throw error;
    }
  };
  const wrapper = {
    query: query as unknown as PostgresPoolClient["query"],
    release: (destroy?: boolean) => client.release(destroy || broken !== null),
  };
  wrapped.set(client, wrapper);
  return wrapper;
}

const bigintType = 20;
const textType = 25;

/** Times and positions are far below 2^53, so a bigint is a number here, as it is on SQLite. */
function typeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === bigintType) return Number;
  if (oid === textType) return decodeText;
  return pg.types.getTypeParser(oid, format as "text");
}

function describe(databaseUrl: string): string {
  const url = URL.parse(databaseUrl);
  if (url === null) {
    throw new Fault(
      "store-unavailable",
      "Reading ROOM137_DATABASE_URL: it is not a valid address.",
      "Write it as postgres://user:password@host:5432/database, with special characters of the password percent-encoded.",
    );
  }
  return `Postgres at ${url.hostname || "the default host"}:${url.port || "5432"}, database ${url.pathname.slice(1) || "of the user's name"}`;
}

function fault(place: string, doing: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const detail = error instanceof Error ? error.message || codeOf(error) : String(error);
  return new Fault("store-unavailable", `${doing} in ${place}: ${detail}.`, nextFor(codeOf(error)), { cause: error });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html, and Node's system errors. */
function nextFor(code: string): string {
  if (code === "28P01" || code === "28000") return "Check the user and the password in ROOM137_DATABASE_URL.";
  if (code === "3D000") return "Create the database, or correct its name in ROOM137_DATABASE_URL.";
  if (code === "42501") return "Grant the user all rights on the database's schema; room137 makes its own tables.";
  if (code === "25006") return "The server only reads, it may be a standby: name the primary in ROOM137_DATABASE_URL.";
  if (code === "53300") return "Raise max_connections of the server or start fewer replicas.";
  if (code.startsWith("53"))
    return "Free disk space or memory on the database server; nothing runs until a write works.";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "Check the host name in ROOM137_DATABASE_URL.";
  return (
    "Check that the database server runs and is reachable from here; room137 reconnects by itself. " +
    "Read the timeline again before repeating a write: it may have been done."
  );
}

import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  CompiledQuery,
  type DatabaseConnection,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from "kysely";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Engine } from "./engine.ts";
import { decodeText, encodeParameter } from "./safe-text.ts";
import type { Tables } from "./schema.ts";

/** `file:<path>`, or `file::memory:` for a store that is forgotten on close. Throws `Fault` store-unavailable. */
export async function openSqlite(databaseUrl: string): Promise<Engine> {
  const path = filePath(databaseUrl);
  let database: DatabaseSync;
  try {
    database = openFile(path);
    await whileBusy(() => prepareFile(database));
  } catch (error) {
    throw fault(path, "Opening the store", error);
  }
  const inode = path === memory ? null : statSync(path).ino;
  const db = new Kysely<Tables>({ dialect: dialect(database) });
  return {
    db,
    rowIdType: "integer",
    rowId: (column) => column.primaryKey().autoIncrement(),
    rowLocks: false,
    nowMs: (callerMs) => sql<number>`${callerMs}`,
    lockSchema: async () => {},
    checkPlace: () => checkStillThere(path, inode),
    fault: (doing, error) => fault(path, doing, error),
    close: async () => {
      await db.destroy();
      // Kysely closes only a database it has used.
      if (database.isOpen) database.close();
    },
  };
}

const memory = ":memory:";

function filePath(databaseUrl: string): string {
  if (databaseUrl === `file:${memory}`) return memory;
  if (databaseUrl.startsWith("file://")) return fileURLToPath(databaseUrl);
  return resolve(databaseUrl.slice("file:".length));
}

/** Level by level: Node's own `recursive` never ends where a folder says ENOENT for what it will not hold, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it at this moment.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function openFile(path: string): DatabaseSync {
  if (path !== memory) {
    makeFolder(dirname(path));
    // Created before SQLite does it, because SQLite would let everybody read it; its -wal and -shm take over the mode.
    if (!existsSync(path)) {
      closeSync(openSync(path, "a", 0o600));
      chmodSync(path, 0o600);
    }
  }
  return new DatabaseSync(path);
}

function prepareFile(database: DatabaseSync): void {
  // Waiting is done in `whileBusy`, where it does not stop the event loop.
  database.exec(
    "pragma busy_timeout = 0; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on",
  );
}

function dialect(database: DatabaseSync) {
  return {
    createDriver: () => {
      const driver = new SqliteDriver({
        database: betterSqliteShape(database),
      });
      driver.acquireConnection = async () => patient(await SqliteDriver.prototype.acquireConnection.call(driver));
      // A transaction that began by reading cannot always become a writing one; IMMEDIATE takes the lock at once.
      driver.beginTransaction = async (connection) => {
        await connection.executeQuery(CompiledQuery.raw("begin immediate"));
      };
      // A full disk may have ended the transaction already; the error to show is the first one.
      driver.rollbackTransaction = async (connection) => {
        if (database.isTransaction) await connection.executeQuery(CompiledQuery.raw("rollback"));
      };
      return driver;
    },
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Kysely's SQLite driver speaks to objects shaped like better-sqlite3's. */
function betterSqliteShape(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare: (text) => {
      const statement = database.prepare(text);
      const given = (parameters: readonly unknown[]) => parameters.map(encodeParameter) as string[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...given(parameters)).map(decodeRow),
        run: (parameters) => statement.run(...given(parameters)),
        iterate: (parameters) => statement.iterate(...given(parameters)) as IterableIterator<unknown>,
      };
    },
  };
}

function decodeRow(row: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === "string") row[name] = decodeText(value);
  }
  return row;
}

/** A statement that was refused because the file is busy did nothing, so it is simply tried again. */
function patient(connection: DatabaseConnection): DatabaseConnection {
  return {
    executeQuery: (query) => whileBusy(() => connection.executeQuery(query)),
    streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
  };
}

/** Another process, or another store in this one, may hold the file's write lock for a moment. */
async function whileBusy<T>(attempt: () => T | Promise<T>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += limits.storeBusyRetryMs) {
    try {
      return await attempt();
    } catch (error) {
      if (sqliteCode(error) !== codes.busy || waitedMs >= limits.storeBusyMs) throw error;
    }
    await wait(limits.storeBusyRetryMs);
  }
}

/** Primary result codes, https://sqlite.org/rescode.html; the extended code has them in its low byte. */
const codes = {
  perm: 3,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  notADatabase: 26,
};

function sqliteCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : null;
}

function fault(path: string, doing: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Fault("store-unavailable", `${doing} in ${path}: ${detail}.`, nextFor(path, error), { cause: error });
}

function nextFor(path: string, error: unknown): string {
  const busy = "Another process keeps the file locked: stop it, or use Postgres for several replicas.";
  const rights = `Make ${path} and its directory writable for the user room137 runs as.`;
  const disk = `Free space on the disk that holds ${path} and look for disk errors; nothing runs until a write works.`;
  const unsound = `Put a backup in the place of ${path}, or name another file in ROOM137_DATABASE_URL.`;
  const advice = new Map([
    [codes.busy, busy],
    [codes.readOnly, rights],
    [codes.perm, rights],
    [codes.full, disk],
    [codes.ioError, disk],
    [codes.corrupt, unsound],
    [codes.notADatabase, unsound],
  ]);
  return (
    advice.get(sqliteCode(error) ?? 0) ??
    `Check that ${path} is a file, in a directory the user room137 runs as can write, then try again.`
  );
}

function checkStillThere(path: string, inode: number | null): void {
  if (inode === null || statSync(path, { throwIfNoEntry: false })?.ino === inode) return;
  throw new Fault(
    "store-unavailable",
    `Writing to ${path}: the file was removed or replaced while room137 had it open.`,
    "Put the file back or restart room137; what is written now would be lost with the old file.",
  );
}

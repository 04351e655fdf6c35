import { Fault } from "../core/result.ts";
import type { Clock, Store } from "../ports.ts";
import { auditQueries } from "./audit.ts";
import type { Access, Engine } from "./engine.ts";
import { migrate } from "./migrations.ts";
import { outboxQueries } from "./outbox.ts";
import { openPostgres } from "./postgres.ts";
import { queries } from "./queries.ts";
import { recorderQueries } from "./recorder.ts";
import { openSqlite } from "./sqlite.ts";
import { timelineQueries } from "./timeline.ts";

/**
 * Opens the store and brings its schema up to date. `file:<path>` is an embedded SQLite for one process,
 * `postgres://…` a server that several replicas share. Throws `Fault` store-unavailable.
 */
export async function openStore(databaseUrl: string, deps: { clock: Clock }): Promise<Store> {
  const engine = await openEngine(databaseUrl);
  const access = accessTo(engine, deps.clock);
  try {
    await migrate(engine);
  } catch (error) {
    await engine.close().catch(() => {});
    throw engine.fault("Preparing the store", error);
  }
  let closing: Promise<void> | null = null;
  return {
    ...timelineQueries(access),
    ...outboxQueries(access),
    ...queries(access),
    ...recorderQueries(access),
    ...auditQueries(access),
    close: () => {
      closing ??= engine.close();
      return closing;
    },
  };
}

async function openEngine(databaseUrl: string): Promise<Engine> {
  if (databaseUrl.startsWith("file:")) return openSqlite(databaseUrl);
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) return openPostgres(databaseUrl);
  throw new Fault(
    "store-unavailable",
    "Opening the store: ROOM137_DATABASE_URL names neither a file nor a Postgres server.",
    "Write it as file:./data/room137.db or postgres://user:password@host:5432/database.",
  );
}

function accessTo(engine: Engine, clock: Clock): Access {
  const named = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw engine.fault(doing, error);
    }
  };
  return {
    engine,
    clock,
    read: (doing, query) => named(doing, () => query(engine.db)),
    write: (doing, change) =>
      named(doing, async () => {
        engine.checkPlace();
        return await engine.db.transaction().execute(change);
      }),
  };
}

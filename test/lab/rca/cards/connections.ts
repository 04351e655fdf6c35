import type { Card } from "../card.ts";
import { noPlan, pause } from "./dependencies.ts";
import { databaseUrl, holdingClient, python, webFrame } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

export const connectionCards: readonly Card[] = [
  {
    id: "pool-leak-in-web",
    family: "C",
    about: "web takes connections from its pool and never returns them",
    async inject(stage) {
      const { web, db } = stage.names;
      await stage.postgres(db);
      const wording = stage.random.pick([
        "",
        "raise RuntimeError('QueuePool limit of size 5 overflow 0 reached, connection timed out, timeout 3.00')",
        "raise RuntimeError('timeout exceeded: no free connection in pool')",
      ]);
      await python(
        stage,
        web,
        `${webFrame}
import psycopg2.pool
pool = psycopg2.pool.ThreadedConnectionPool(1, 5, os.environ["DATABASE_URL"])
def handle(path):
    try:
        connection = pool.getconn()
    except psycopg2.pool.PoolError:
        ${wording === "" ? "raise" : wording}
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM items")
    connection.commit()
    return 200, str(cursor.fetchone()[0])
while True:
    try:
        pool.putconn(pool.getconn()); break
    except Exception:
        time.sleep(1)
serve()`.replace(
          "pool = psycopg2.pool.ThreadedConnectionPool",
          "time.sleep(4)\npool = psycopg2.pool.ThreadedConnectionPool",
        ),
        { DATABASE_URL: databaseUrl(db) },
      );
      return {
        ...noPlan(stage, "pool-leak-in-web", web, {
          shows: async () =>
            /pool exhausted|QueuePool limit|free connection in pool/i.test(await stage.logs(web)) &&
            (await itemsFail(stage)()),
        }),
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
      };
    },
  },
  ...(["pg-too-many-connections", "pg-reserved-slots"] as const).map(
    (cause): Card => ({
      id: cause,
      family: "C",
      about: "another client holds every connection slot of the database",
      async inject(stage) {
        const { db, worker } = stage.names;
        await webAndDatabase(stage, {
          settings: [
            "max_connections=12",
            ...(cause === "pg-too-many-connections" ? ["superuser_reserved_connections=0"] : []),
          ],
        });
        await python(stage, worker, holdingClient, { DATABASE_URL: databaseUrl(db), CONNECTIONS: "40" });
        return {
          ...noPlan(stage, cause, worker),
          allowed: [{ action: "restart", container: worker }],
          planExpected: true,
        };
      },
    }),
  ),
  {
    id: "stale-pool-after-db-restart",
    family: "C",
    about: "web keeps a dead connection after its database was restarted",
    async inject(stage) {
      const { web, db } = stage.names;
      await stage.postgres(db);
      await python(
        stage,
        web,
        `${webFrame}
import psycopg2
connection = None
while connection is None:
    try:
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
        connection.autocommit = True
    except psycopg2.OperationalError:
        time.sleep(0.5)
def handle(path):
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM items")
    return 200, str(cursor.fetchone()[0])
serve()`,
        { DATABASE_URL: databaseUrl(db) },
      );
      await stage.until("web works", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      await stage.docker("restart", "-t", "2", db);
      await stage.until(
        "the database is back",
        async () => ((await stage.logs(db)).match(/ready to accept connections/g)?.length ?? 0) >= 2,
      );
      await pause(6_000);
      return {
        ...noPlan(stage, "stale-pool-after-db-restart", web),
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
      };
    },
  },
];

import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { noPlan, pause } from "./dependencies.ts";
import { databaseUrl, holdingClient, python, sql } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

const dataPath = "/var/lib/postgresql/data";

/** Runs a shell on a volume in a container of its own. */
function onVolume(stage: Stage, volume: string, script: string): Promise<string> {
  return stage.docker("run", "--rm", "--volume", `${volume}:${dataPath}`, "room137/lab:latest", "sh", "-c", script);
}

/** web and its database on a named volume, which is then stopped, changed and started again. */
async function changeStopped(stage: Stage, script: string, settings: string[] = []): Promise<void> {
  const { db } = stage.names;
  await webAndDatabase(stage, { args: ["--volume", `${db}-data:${dataPath}`], settings });
  await stage.docker("stop", "-t", "8", db);
  await onVolume(stage, `${db}-data`, script);
  await stage.docker("start", db).catch(() => "");
}

function cannotStart(stage: Stage, cause: Truth["causes"][number]): Truth {
  const { db } = stage.names;
  return noPlan(stage, cause, db, {
    shows: async () => (await stage.inspect(db)).State["Status"] !== "running" && (await itemsFail(stage)()),
  });
}

export const databaseCards: readonly Card[] = [
  {
    id: "pg-idle-in-transaction-lock",
    family: "G",
    about: "a session holds an exclusive lock and does nothing",
    async inject(stage) {
      const { db, worker, api } = stage.names;
      const text = stage.random.pick([
        "LOCK TABLE items IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE items ADD COLUMN tag text",
      ]);
      await webAndDatabase(stage, {
        settings: stage.random.pick([[], ["log_lock_waits=on", "deadlock_timeout=500ms"]]),
        webEnv: { PGOPTIONS: "-c lock_timeout=2000" },
      });
      await python(stage, api, holdingClient, { DATABASE_URL: databaseUrl(db), STATEMENT: "SELECT 1" });
      await python(stage, worker, holdingClient, { DATABASE_URL: databaseUrl(db), STATEMENT: text, AUTOCOMMIT: "0" });
      return noPlan(stage, "pg-idle-in-transaction-lock", worker);
    },
  },
  {
    id: "pg-long-migration",
    family: "G",
    about: "a migration rewrites a table while web waits for it",
    async inject(stage) {
      const { db, web } = stage.names;
      await webAndDatabase(stage, { settings: ["fsync=off"], webEnv: { PGOPTIONS: "-c lock_timeout=2500" } });
      await sql(
        stage,
        db,
        "INSERT INTO items (name, price_cents) SELECT md5(g::text), g FROM generate_series(1, 20000) g; CREATE FUNCTION slow(integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.004); RETURN md5($1::text); END $$",
      );
      const text = stage.random.pick([
        "ALTER TABLE items ALTER COLUMN name TYPE text USING slow(price_cents)",
        "ALTER TABLE items ALTER COLUMN name TYPE varchar(64) USING slow(price_cents)",
      ]);
      await python(stage, `${web}-migrate`, holdingClient, { DATABASE_URL: databaseUrl(db), STATEMENT: text });
      await pause(3_000);
      return noPlan(stage, "pg-long-migration", `${web}-migrate`);
    },
  },
  {
    id: "pg-missing-index",
    family: "G",
    about: "a look-up reads a whole table",
    async inject(stage) {
      const { db, web } = stage.names;
      await webAndDatabase(stage, {
        settings: ["fsync=off", "log_min_duration_statement=50", "max_parallel_workers_per_gather=0"],
      });
      await sql(
        stage,
        db,
        "CREATE TABLE visits AS SELECT g AS id, md5(g::text) AS token, repeat('x', 60) AS pad FROM generate_series(1, 700000) g",
      );
      await stage.docker("rm", "--force", web);
      await stage.service(web, {
        env: {
          DATABASE_URL: `${databaseUrl(db)}?options=-c%20statement_timeout%3D8000`,
          QUERY: "SELECT count(*) FROM visits v WHERE token = md5('77') OR lower(token) = 'b'",
          TRAFFIC_EVERY: "0.2",
        },
      });
      await pause(6_000);
      return noPlan(stage, "pg-missing-index", db, {
        symptom: "any",
        shows: async () => ((await stage.logs(db)).match(/duration: \d+/g)?.length ?? 0) >= 4,
      });
    },
  },
  {
    id: "pg-deadlock",
    family: "G",
    about: "web updates rows in an order that deadlocks with itself",
    async inject(stage) {
      const { db, web } = stage.names;
      await stage.postgres(db, { settings: ["deadlock_timeout=200ms"] });
      await stage.until(
        "the database answers",
        async () => (await sql(stage, db, "SELECT 1").catch(() => "")).trim() === "1",
      );
      const log = stage.random.pick([
        "traceback.print_exc()",
        'print("ERROR order failed:", str(error).strip().replace("\\n", " "), flush=True)',
      ]);
      await python(
        stage,
        web,
        `
import os, threading, time, traceback, psycopg2
def loop(first, second):
    while True:
        try:
            with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
                cursor.execute("UPDATE items SET price_cents = price_cents + 1 WHERE id = %s", (first,)); time.sleep(0.3)
                cursor.execute("UPDATE items SET price_cents = price_cents + 1 WHERE id = %s", (second,))
        except psycopg2.Error as error:
            ${log}
        time.sleep(0.2)
threading.Thread(target=loop, args=(1, 2), daemon=True).start()
loop(2, 1)`,
        { DATABASE_URL: databaseUrl(db) },
      );
      return noPlan(stage, "pg-deadlock", web, {
        shows: async () => ((await stage.logs(web)).match(/deadlock detected/gi)?.length ?? 0) >= 2,
      });
    },
  },
  {
    id: "pg-statement-timeout-low",
    family: "G",
    about: "the server cancels statements after a few milliseconds",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage);
      await stage.docker("rm", "--force", db, stage.names.web);
      await stage.postgres(db, { settings: ["statement_timeout=30ms"] });
      await stage.service(stage.names.web, {
        env: {
          DATABASE_URL: databaseUrl(db),
          QUERY: "SELECT count(*) FROM generate_series(1, 2000000)",
          TRAFFIC_EVERY: "1",
        },
      });
      return noPlan(stage, "pg-statement-timeout-low", db, {
        shows: async () => /statement timeout/.test(await stage.logs(stage.names.web)),
      });
    },
  },
  {
    id: "pg-read-only",
    family: "G",
    about: "the server was switched to reading only",
    async inject(stage) {
      const { db, web } = stage.names;
      await stage.postgres(db, {});
      await stage.service(web, {
        env: {
          DATABASE_URL: databaseUrl(db),
          QUERY: "INSERT INTO items (name, price_cents) VALUES ('x', 1) RETURNING id",
          TRAFFIC_EVERY: "1",
        },
      });
      await stage.until("web writes", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      await sql(
        stage,
        db,
        stage.random.pick([
          "ALTER ROLE app SET default_transaction_read_only = on",
          "ALTER ROLE app IN DATABASE shop SET default_transaction_read_only = on",
        ]),
      );
      return noPlan(stage, "pg-read-only", db);
    },
  },
  {
    id: "pg-version-mismatch",
    family: "G",
    about: "the data folder belongs to another major version",
    async inject(stage) {
      await changeStopped(stage, `echo ${stage.random.pick(["13", "14"])} > ${dataPath}/PG_VERSION`);
      return cannotStart(stage, "pg-version-mismatch");
    },
  },
  {
    id: "pg-datadir-perms",
    family: "G",
    about: "the data folder is open to others",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage, { args: ["--volume", `${db}-data:${dataPath}`] });
      await stage.docker("rm", "--force", db);
      await onVolume(stage, `${db}-data`, `chmod 777 ${dataPath}`);
      await stage.run(db, {
        args: ["--volume", `${db}-data:${dataPath}`, "--env", `PGDATA=${dataPath}`, "--user", "postgres"],
        command: ["sh", "-c", "exec $(ls -d /usr/lib/postgresql/*/bin)/postgres -k /tmp"],
      });
      return cannotStart(stage, "pg-datadir-perms");
    },
  },
  {
    id: "pg-root-refused",
    family: "G",
    about: "the server is started as root",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage, { args: ["--volume", `${db}-data:${dataPath}`] });
      await stage.docker("rm", "--force", db);
      await stage.run(db, {
        args: [
          "--volume",
          `${db}-data:${dataPath}`,
          "--env",
          `PGDATA=${dataPath}`,
          ...stage.random.pick([[], ["--restart", "always"]]),
        ],
        command: ["sh", "-c", "exec $(ls -d /usr/lib/postgresql/*/bin)/postgres"],
      });
      return noPlan(stage, "pg-root-refused", db, {
        shows: async () => /not permitted/.test(await stage.logs(db)) && (await itemsFail(stage)()),
      });
    },
  },
  {
    id: "pg-stale-pidfile",
    family: "G",
    about: "a left-over pid file names a living process",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage, { args: ["--volume", `${db}-data:${dataPath}`] });
      await stage.docker("rm", "--force", db);
      await onVolume(
        stage,
        `${db}-data`,
        `printf '7\\n${dataPath}\\n1700000000\\n5432\\n/run/postgresql\\n*\\n5432001 0\\n' > ${dataPath}/postmaster.pid; chown postgres ${dataPath}/postmaster.pid; chmod 600 ${dataPath}/postmaster.pid`,
      );
      await stage.run(db, {
        args: ["--volume", `${db}-data:${dataPath}`, "--env", `PGDATA=${dataPath}`, "--user", "postgres"],
        command: [
          "sh",
          "-c",
          "sleep 999 & sleep 998 & sleep 997 & sleep 996 & sleep 995 & sleep 994 & sleep 993 & sleep 992 & $(ls -d /usr/lib/postgresql/*/bin)/postgres -k /tmp; exit 1",
        ],
      });
      return noPlan(stage, "pg-stale-pidfile", db, {
        shows: async () => /lock file .* already exists/.test(await stage.logs(db)) && (await itemsFail(stage)()),
      });
    },
  },
  {
    id: "pg-two-servers-one-volume",
    family: "G",
    about: "a second server runs on the first one's volume",
    async inject(stage) {
      const { db, api } = stage.names;
      const args = ["--volume", `${db}-data:${dataPath}`];
      await webAndDatabase(stage, { args });
      await stage.postgres(`${db}-${api}`, { args });
      await stage.until("the second runs", async () => /ready to accept/.test(await stage.logs(`${db}-${api}`)));
      await sql(stage, `${db}-${api}`, "ALTER TABLE items RENAME TO items_old").catch(() => "");
      await stage.docker("restart", "-t", "3", stage.names.web);
      return noPlan(stage, "pg-two-servers-one-volume", `${db}-${api}`, { shows: async () => true });
    },
  },
  {
    id: "pg-empty-volume",
    family: "G",
    about: "the database came back with an empty volume",
    async inject(stage) {
      const { db, web } = stage.names;
      await stage.postgres(db, { args: ["--volume", `${db}-data:${dataPath}`] });
      await stage.until(
        "the database answers",
        async () => (await sql(stage, db, "SELECT 1").catch(() => "")).trim() === "1",
      );
      await sql(stage, db, "CREATE TABLE orders AS SELECT generate_series(1, 50) AS id");
      await stage.service(web, {
        env: { DATABASE_URL: databaseUrl(db), QUERY: "SELECT count(*) FROM orders", TRAFFIC_EVERY: "1" },
      });
      await stage.until("web works", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      await stage.docker("rm", "--force", db);
      const fresh = stage.random.pick([[], ["--volume", `${db}_data:${dataPath}`]]);
      await stage.postgres(db, { args: fresh.length > 0 ? fresh : ["--volume", dataPath] });
      return noPlan(stage, "pg-empty-volume", db, {
        shows: async () => /orders.* does not exist/.test(await stage.logs(web)),
      });
    },
  },
  {
    id: "pg-corruption",
    family: "G",
    about: "a page of a table is damaged",
    async inject(stage) {
      await changeStopped(
        stage,
        `for f in $(find ${dataPath}/base -type f -size +4k -name '[1-9]*' -newermt '1 hour ago' | grep -v _); do b=$(basename $f); if [ $b -ge 16384 ]; then dd if=/dev/urandom of=$f bs=8192 count=1 conv=notrunc 2>/dev/null; fi; done`,
      );
      return noPlan(stage, "pg-corruption", stage.names.db, {
        shows: async () => /invalid page|could not read block/.test(await stage.logs(stage.names.db)),
      });
    },
  },
  {
    id: "pg-locks-exhausted",
    family: "G",
    about: "one transaction needs more locks than the table holds",
    async inject(stage) {
      const { db, web } = stage.names;
      await stage.postgres(db, { settings: ["max_locks_per_transaction=10", "max_connections=10"] });
      const query =
        "DO $$ BEGIN FOR i IN 1..3000 LOOP EXECUTE format('CREATE TEMP TABLE t%s (a int)', i); END LOOP; END $$; SELECT 1";
      await stage.service(web, { env: { DATABASE_URL: databaseUrl(db), QUERY: query, TRAFFIC_EVERY: "1" } });
      return noPlan(stage, "pg-locks-exhausted", db, {
        shows: async () => /out of shared memory/.test(await stage.logs(web)),
      });
    },
  },
];

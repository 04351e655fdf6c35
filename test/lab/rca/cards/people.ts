import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";
import { buildImage, program, runImage } from "./images.ts";
import { databaseUrl, python, sql, webFrame } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

function truth(stage: Stage, cause: Cause, culprit: string, more: Partial<Truth> = {}): Truth {
  return {
    service: stage.names.web,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: [],
    shows: itemsFail(stage),
    ...more,
  };
}

/** A worker process that answers, below a main process that only watches. */
const watched = `
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-u", "-c", ${JSON.stringify(`${webFrame}\ndef handle(path):\n    return 200, "ok"\nserve()\n`)}])
while True:
    if child.poll() is not None:
        child.poll()
    time.sleep(1)
`;

const editable = program('settings = json.load(open("/app/settings.json"))\nreturn 200, str(settings["vat"])');

export const peopleCards: readonly Card[] = [
  {
    id: "human-stop",
    family: "N",
    about: "the asked-about service itself was stopped",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, { args: ["--stop-signal", "SIGINT"] });
      await stage.until("it serves", async () => (await stage.get(web, 8000, "/"))?.status === 200);
      await stage.docker("stop", web);
      return truth(stage, "human-stop", web, {
        allowed: [{ action: "start", container: web }],
        planExpected: true,
        shows: async () => (await stage.get(web, 8000, "/")) === null,
      });
    },
  },
  {
    id: "human-pause",
    family: "N",
    about: "the asked-about service itself was paused",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, {});
      await stage.until("it serves", async () => (await stage.get(web, 8000, "/"))?.status === 200);
      await stage.docker("pause", web);
      return truth(stage, "human-pause", web, {
        allowed: [{ action: "unpause", container: web }],
        planExpected: true,
        shows: async () => true,
      });
    },
  },
  {
    id: "human-rm",
    family: "N",
    about: "the asked-about service was removed",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, {});
      await delay(1_000);
      await stage.docker("rm", "--force", web);
      return truth(stage, "human-rm", web, { shows: async () => true });
    },
  },
  {
    id: "human-rm-peer",
    family: "N",
    about: "the database was removed, its volume is still there",
    async inject(stage) {
      const { db } = stage.names;
      await stage.docker("volume", "create", "shopdata");
      await webAndDatabase(stage, { args: ["--volume", "shopdata:/var/lib/postgresql/data"] });
      await stage.docker("rm", "--force", db);
      await delay(2_000);
      return truth(stage, "human-rm", db);
    },
  },
  {
    id: "human-rm-volumes",
    family: "N",
    about: "the database was removed with its volume",
    async inject(stage) {
      const { db } = stage.names;
      const named = stage.random.pick([true, false]);
      if (named) await stage.docker("volume", "create", "shopdata");
      await webAndDatabase(stage, { args: ["--volume", `${named ? "shopdata:" : ""}/var/lib/postgresql/data`] });
      await stage.docker("rm", "--force", "--volumes", db);
      if (named) {
        await delay(stage.random.between(0, 7) * 1_000);
        await stage.docker("volume", "rm", "shopdata");
      }
      return truth(stage, "human-rm-volumes", db);
    },
  },
  {
    id: "human-prune",
    family: "N",
    about: "a clean-up removed the database while it was stopped",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage);
      await stage.docker("stop", db);
      await stage.docker(
        ...stage.random.pick([
          ["container", "prune", "--force"],
          ["system", "prune", "--force"],
        ]),
      );
      await delay(2_000);
      return truth(stage, "human-prune", db);
    },
  },
  {
    id: "human-exec-edit",
    family: "N",
    about: "a file was changed through docker exec",
    async inject(stage) {
      const { web } = stage.names;
      await buildImage(stage, "shop/edit:1", { "/app/app.py": editable, "/app/settings.json": '{"vat": 0.19}' }, [
        "python3",
        "-u",
        "/app/app.py",
      ]);
      await runImage(stage, web, "shop/edit:1");
      await stage.until("it works", itemsWork(stage));
      const edit = stage.random.pick([
        "sed -i s/vat/tax/ /app/settings.json",
        "echo '{' > /app/settings.json",
        "rm /app/settings.json",
      ]);
      await stage.docker("exec", web, "sh", "-c", edit);
      return truth(stage, "human-exec-edit", web, { allowed: [{ action: "restart", container: web }] });
    },
  },
  {
    id: "human-exec-kill",
    family: "N",
    about: "a worker process was killed through docker exec",
    async inject(stage) {
      const { web } = stage.names;
      await python(stage, web, watched, {}, ["--init"]);
      await stage.until("it works", itemsWork(stage));
      await stage.docker(
        "exec",
        web,
        "sh",
        "-c",
        `kill -${stage.random.pick(["9", "TERM"])} $(pgrep -f 'serve_for[e]ver' | tail -n 1)`,
      );
      return truth(stage, "human-exec-kill", web, {
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
        shows: async () => (await stage.get(web, 8000, "/items")) === null,
      });
    },
  },
  {
    id: "planned-maintenance",
    family: "N",
    about: "the database is labelled as under maintenance and was stopped by a person",
    async inject(stage) {
      const label = stage.random.pick([
        "maintenance=true",
        "com.example.maintenance=2026-11-21 disk swap",
        "ops.status=maintenance until 18:00",
      ]);
      await webAndDatabase(stage, { args: ["--label", label] });
      await stage.docker("stop", stage.names.db);
      return truth(stage, "planned-maintenance", stage.names.db);
    },
  },
  {
    id: "backup-running-dump",
    family: "P",
    about: "a dump holds its locks and the service waits",
    async inject(stage) {
      const { web, db, batch } = stage.names;
      await stage.postgres(db);
      await stage.until(
        "db takes statements",
        async () =>
          (await sql(
            stage,
            db,
            "CREATE TABLE big AS SELECT n, repeat('x', 500) AS t FROM generate_series(1, 20000) n",
          ).catch(() => null)) !== null,
      );
      const dump = `${batch}-dump`;
      await stage.run(dump, {
        args: ["--env", `PGPASSWORD=${PASSWORD}`],
        command: ["sh", "-c", `pg_dump -h ${db} -U app shop | (sleep 300; cat) > /dev/null`],
      });
      await delay(2_000);
      const app = `import psycopg2\n${webFrame}
def handle(path):
    connection = psycopg2.connect(${JSON.stringify(databaseUrl(db))}, options="-c lock_timeout=2000")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        return 200, "ok"
    finally:
        connection.close()
serve()
`;
      await python(stage, web, app, { DATABASE_URL: databaseUrl(db) });
      return truth(stage, "backup-running", dump, {
        shows: async () => (await stage.get(web, 8000, "/items"))?.status === 500,
      });
    },
  },
];

function itemsWork(stage: Stage): () => Promise<boolean> {
  return async () => (await stage.get(stage.names.web, 8000, "/items"))?.status === 200;
}

import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";
import { bad, buildImage, good, program, runImage } from "./images.ts";
import { databaseUrl, holdingClient, python, sql, webFrame } from "./programs.ts";
import { webAndDatabase } from "./stops.ts";

const run = ["python3", "-u", "/app/app.py"];

function truth(stage: Stage, cause: Cause, culprit: string, more: Partial<Truth> = {}): Truth {
  return {
    service: stage.names.web,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: [],
    shows: async () => ((await stage.get(culprit, 8000, "/items"))?.status ?? 0) >= 500,
    ...more,
  };
}

/** The old release serves first; the new one takes its place as a deployment does. */
async function deploy(stage: Stage, from: string, to: string, args: readonly string[] = []): Promise<void> {
  const { web } = stage.names;
  await runImage(stage, web, from, args);
  await stage.until("the old release works", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
  if (from === to) return;
  await stage.docker("rm", "--force", web);
  await runImage(stage, web, to, args);
}

async function images(stage: Stage, name: string): Promise<{ old: string; next: string }> {
  const old = `${name}:${stage.random.pick(["1.4", "2024-11", "v7"])}`;
  const next = `${name}:${stage.random.pick(["1.5", "2024-12", "v8"])}`;
  await buildImage(stage, old, { "/app/app.py": good }, run);
  return { old, next };
}

export const releaseCards: readonly Card[] = [
  {
    id: "bad-release-500",
    family: "L",
    about: "a new image raises on one path",
    async inject(stage) {
      const { old, next } = await images(stage, "shop/app");
      await buildImage(stage, next, { "/app/app.py": stage.random.pick(bad) }, run);
      await deploy(stage, old, next);
      return truth(stage, "bad-release-500", stage.names.web);
    },
  },
  {
    id: "same-tag-new-image",
    family: "L",
    about: "the tag is the same, the image behind it is new and bad",
    async inject(stage) {
      const { web } = stage.names;
      const tag = stage.random.pick(["shop/web:latest", "shop/web:stable"]);
      await buildImage(stage, tag, { "/app/app.py": good }, run);
      await deploy(stage, tag, tag);
      await buildImage(stage, tag, { "/app/app.py": stage.random.pick(bad) }, run);
      await stage.docker("rm", "--force", web);
      await runImage(stage, web, tag);
      return truth(stage, "same-tag-new-image", web);
    },
  },
  {
    id: "half-rolled-out",
    family: "L",
    about: "one of two replicas runs the bad release",
    async inject(stage) {
      const { web } = stage.names;
      const { old, next } = await images(stage, "shop/part");
      await buildImage(stage, next, { "/app/app.py": stage.random.pick(bad) }, run);
      const labels = (number: number) => [
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        `com.docker.compose.service=${web}`,
        "--label",
        `com.docker.compose.container-number=${number}`,
      ];
      await runImage(stage, `shop-${web}-1`, old, labels(1));
      await runImage(stage, `shop-${web}-2`, next, labels(2));
      return truth(stage, "half-rolled-out", `shop-${web}-2`);
    },
  },
  {
    id: "module-missing",
    family: "L",
    about: "the image lacks a module the program imports",
    async inject(stage) {
      const { web, api } = stage.names;
      const missing = stage.random.pick(["stripe", "yaml_settings", "opentelemetry.sdk"]);
      await buildImage(stage, "shop/mod:2", { "/app/app.py": `import ${missing}\n${good}` }, run);
      await stage.service(web, { env: { UPSTREAMS: `http://${api}:8000/`, TRAFFIC_EVERY: "1", CALL_TIMEOUT: "2" } });
      await runImage(stage, api, "shop/mod:2", ["--restart", stage.random.pick(["no", "always"])]);
      return truth(stage, "module-missing", api, {
        shows: async () => ((await stage.get(web, 8000, "/call"))?.status ?? 0) >= 500,
      });
    },
  },
  {
    id: "entrypoint-overridden",
    family: "L",
    about: "compose sets a command that is not the image's",
    async inject(stage) {
      const { web, api } = stage.names;
      await buildImage(stage, "shop/cmd:1", { "/app/app.py": good }, run);
      await stage.service(web, { env: { UPSTREAMS: `http://${api}:8000/`, TRAFFIC_EVERY: "1", CALL_TIMEOUT: "2" } });
      const wrong = stage.random.pick([
        ["python3", "/app/main.py"],
        ["python3", "-u", "/srv/app.py"],
        ["sh", "/app/start.sh"],
      ]);
      await runImage(stage, api, "shop/cmd:1", [], wrong);
      return truth(stage, "entrypoint-overridden", api, {
        shows: async () => ((await stage.get(web, 8000, "/call"))?.status ?? 0) >= 500,
      });
    },
  },
  {
    id: "volume-shadows-image",
    family: "L",
    about: "a volume keeps the old release's files over the new image's",
    async inject(stage) {
      const { web } = stage.names;
      const files = (helper: string) => ({
        "/app/helper.py": helper,
        "/srv/app.py": `import sys\nsys.path.insert(0, "/app")\nimport helper\n${program("return 200, str(helper.price())")}`,
      });
      const start = ["python3", "-u", "/srv/app.py"];
      await buildImage(stage, "shop/vol:1", { ...files("def price():\n    return 1\n") }, [
        "python3",
        "-u",
        "/srv/app.py",
      ]);
      await stage.docker("volume", "create", "appcode");
      await deploy(stage, "shop/vol:1", "shop/vol:1", ["--volume", "appcode:/app", "--workdir", "/app"]);
      const next = files("def price():\n    return 1\ndef total():\n    return 2\n");
      await delay(1_100);
      await buildImage(
        stage,
        "shop/vol:2",
        { ...next, "/srv/app.py": next["/srv/app.py"].replace("helper.price()", "helper.total()") },
        start,
      );
      await stage.docker("rm", "--force", web);
      await runImage(stage, web, "shop/vol:2", ["--volume", "appcode:/app", "--workdir", "/app"]);
      return truth(stage, "volume-shadows-image", web);
    },
  },
  {
    id: "old-container-serves",
    family: "L",
    about: "the new container publishes nothing, the old one keeps the port",
    async inject(stage) {
      const { web } = stage.names;
      const old = `${web}${stage.random.pick(["-old", "_prev", "-v1"])}`;
      const { old: image, next } = await images(stage, "shop/blue");
      await buildImage(stage, next, { "/app/app.py": good.replace("9.90", "8.90") }, run);
      await runImage(stage, old, image, ["--publish", "127.0.0.1:0:8000"]);
      await delay(1_000);
      await runImage(stage, web, next);
      return truth(stage, "old-container-serves", old, {
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/items"))?.status === 200,
      });
    },
  },
  {
    id: "static-missing",
    family: "L",
    about: "the image was built without its assets",
    async inject(stage) {
      const { web } = stage.names;
      const page = '<html><link rel="stylesheet" href="/static/app.css"><script src="/static/main.js"></script></html>';
      const app = `${webFrame}
PAGE = ${JSON.stringify(page)}
def handle(path):
    if path == "/shop":
        return 200, PAGE
    try:
        return 200, open("/app/public" + path).read()
    except FileNotFoundError as error:
        log("WARN static: " + str(error))
        return 404, "not found"
serve()
`;
      await buildImage(
        stage,
        "shop/site:1",
        { "/app/app.py": app, "/app/public/static/app.css": "a{}", "/app/public/static/main.js": "1" },
        run,
      );
      await buildImage(stage, "shop/site:2", { "/app/app.py": app }, run);
      const args = ["--env", "PATHS=/shop,/static/app.css,/static/main.js"];
      await runImage(stage, web, "shop/site:1", args);
      await stage.until(
        "assets are served",
        async () => (await stage.get(web, 8000, "/static/app.css"))?.status === 200,
      );
      await stage.docker("rm", "--force", web);
      await runImage(stage, web, "shop/site:2", args);
      return truth(stage, "static-missing", web, {
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/static/main.js"))?.status === 404,
      });
    },
  },
  {
    id: "culprit-in-other-service",
    family: "L",
    about: "the worker's new release opens all connections of the shared database",
    async inject(stage) {
      const { worker, db, web } = stage.names;
      await webAndDatabase(stage, { settings: ["max_connections=12"] });
      await buildImage(stage, "shop/worker:3", { "/app/app.py": holdingClient }, run);
      await buildImage(stage, "shop/worker:4", { "/app/app.py": holdingClient }, run);
      const env = (connections: number) => [
        "--env",
        `DATABASE_URL=postgresql://app:${PASSWORD}@${db}:5432/shop`,
        "--env",
        `CONNECTIONS=${connections}`,
        "--restart",
        "always",
      ];
      await runImage(stage, worker, "shop/worker:3", env(1));
      await delay(2_000);
      await stage.docker("rm", "--force", worker);
      await runImage(stage, worker, "shop/worker:4", env(12));
      return truth(stage, "culprit-in-other-service", worker, {
        allowed: [{ action: "restart", container: worker }],
        shows: async () => ((await stage.get(web, 8000, "/items"))?.status ?? 0) >= 500,
      });
    },
  },
  {
    id: "n-plus-one",
    family: "L",
    about: "a release asks its database once per row",
    async inject(stage) {
      const { web, db } = stage.names;
      await stage.postgres(db, { settings: ["log_statement=all"] });
      await stage.until(
        "db takes statements",
        async () =>
          (await sql(
            stage,
            db,
            "INSERT INTO items (name, price_cents) SELECT 'row ' || n, n FROM generate_series(1, 60) n",
          ).catch(() => null)) !== null,
      );
      const app = program(
        'cursor.execute("SELECT id FROM items")\nfor (number,) in cursor.fetchall():\n    cursor.execute("SELECT name FROM items WHERE id = %s", (number,))\n    cursor.fetchall()\n    time.sleep(0.005)\nreturn 200, "ok"',
        `import psycopg2\nconnection = psycopg2.connect(${JSON.stringify(databaseUrl(db))})\nconnection.autocommit = True\ncursor = connection.cursor()`,
      );
      await python(stage, web, app, { DATABASE_URL: databaseUrl(db), TRAFFIC_EVERY: "3" });
      return truth(stage, "n-plus-one", web, {
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/items"))?.status === 200,
      });
    },
  },
  {
    id: "image-missing",
    family: "L",
    about: "removed for a deployment whose image is nowhere",
    async inject(stage) {
      const { web } = stage.names;
      await buildImage(stage, "shop/gone:9", { "/app/app.py": good }, run);
      await runImage(stage, web, "shop/gone:9");
      await stage.until("it serves", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      await stage.docker("rm", "--force", web);
      await stage.docker("rmi", "--force", "shop/gone:9");
      return truth(stage, "image-missing", web, { shows: async () => true });
    },
  },
];

import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { databaseUrl, python, webFrame } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

type Cause = Truth["causes"][number];

/** edge asks web, web asks auth, auth asks the cache; every hop logs in its own words. */
export async function chainOfFour(stage: Stage): Promise<void> {
  const { edge, web, auth, cache } = stage.names;
  const style = () => stage.random.pick(["python", "node", "go", "java"]);
  await stage.redis(cache);
  await stage.service(auth, { env: { CACHE_URL: `redis://${cache}:6379/0`, LOG_STYLE: style(), TRAFFIC_EVERY: "1" } });
  await stage.service(web, { env: { UPSTREAMS: `http://${auth}:8000/cart`, LOG_STYLE: style(), TRAFFIC_EVERY: "1" } });
  await stage.service(edge, { env: { UPSTREAMS: `http://${web}:8000/call`, LOG_STYLE: style(), TRAFFIC_EVERY: "1" } });
  await stage.until("the chain works", async () => (await stage.get(edge, 8000, "/call"))?.status === 200);
}

export function fails(stage: Stage, name: string, path: string): () => Promise<boolean> {
  return async () => ((await stage.get(name, 8000, path))?.status ?? 500) >= 500;
}

export function noPlan(stage: Stage, cause: Cause, culprit: string | null, more: Partial<Truth> = {}): Truth {
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

export function noAnswer(stage: Stage, verdict: "inconclusive" | "no-fault-found", more: Partial<Truth> = {}): Truth {
  return {
    service: stage.names.web,
    verdict,
    causes: [],
    culprit: null,
    allowed: [],
    shows: async () => true,
    ...more,
  };
}

export const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

export const dependencyCards: readonly Card[] = [
  {
    id: "dep-stopped-chain",
    family: "C",
    about: "four containers in a row, the last one is stopped",
    async inject(stage) {
      await chainOfFour(stage);
      await stage.docker("stop", stage.names.cache);
      return {
        ...noPlan(stage, "dep-stopped", stage.names.cache),
        service: stage.names.edge,
        allowed: [{ action: "start", container: stage.names.cache }],
        planExpected: true,
        shows: fails(stage, stage.names.edge, "/call"),
      };
    },
  },
  {
    id: "dep-stopped-shared",
    family: "C",
    about: "two services share a database that is stopped",
    async inject(stage) {
      const { api, db } = stage.names;
      await webAndDatabase(stage);
      await stage.service(api, { env: { DATABASE_URL: databaseUrl(db), TRAFFIC_EVERY: "1" } });
      await stage.until("both work", async () => (await stage.get(api, 8000, "/items"))?.status === 200);
      await stage.docker("stop", db);
      return { ...noPlan(stage, "dep-stopped", db), allowed: [{ action: "start", container: db }], planExpected: true };
    },
  },
  {
    id: "dep-paused",
    family: "C",
    about: "docker pause of the database",
    async inject(stage) {
      await webAndDatabase(stage);
      await stage.docker("pause", stage.names.db);
      return {
        ...noPlan(stage, "dep-paused", stage.names.db),
        allowed: [{ action: "unpause", container: stage.names.db }],
        planExpected: true,
      };
    },
  },
  {
    id: "dep-sigstop",
    family: "C",
    about: "the cache's process is stopped by a signal from the host",
    async inject(stage) {
      await chainOfFour(stage);
      const pid = (await stage.inspect(stage.names.cache)).State["Pid"] as number;
      process.kill(pid, "SIGSTOP");
      return {
        ...noPlan(stage, "dep-sigstop", stage.names.cache),
        service: stage.names.edge,
        allowed: [{ action: "restart", container: stage.names.cache }],
        planExpected: true,
        shows: fails(stage, stage.names.edge, "/call"),
      };
    },
  },
  {
    id: "dep-starting",
    family: "C",
    about: "an inner service is still starting",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(api, { env: { BOOT_SLEEP: "600" } });
      await stage.service(web, { env: { UPSTREAMS: `http://${api}:8000/`, TRAFFIC_EVERY: "1" } });
      return noPlan(stage, "dep-starting", api, { shows: fails(stage, web, "/call") });
    },
  },
  {
    id: "dep-starting-health",
    family: "C",
    about: "the health check of an inner service still says starting",
    async inject(stage) {
      const { web, auth } = stage.names;
      const health = [
        "--health-cmd",
        "curl -fs localhost:8000/healthz",
        "--health-interval",
        "60s",
        "--health-start-period",
        "900s",
      ];
      await stage.service(auth, { env: { BOOT_SLEEP: "600" }, args: health });
      await stage.service(web, { env: { UPSTREAMS: `http://${auth}:8000/`, TRAFFIC_EVERY: "1", LOG_STYLE: "go" } });
      return noPlan(stage, "dep-starting", auth, { shows: fails(stage, web, "/call") });
    },
  },
  {
    id: "pg-crash-recovery",
    family: "C",
    about: "the database replays much log after a kill, slowly",
    async inject(stage) {
      const { db, web } = stage.names;
      const settings = ["max_wal_size=4GB", "checkpoint_timeout=1h", "fsync=off", "log_startup_progress_interval=1s"];
      await webAndDatabase(stage, { settings });
      await fill(stage, db);
      await stage.docker("kill", db);
      await stage.docker("update", "--cpus", "0.03", db);
      await stage.docker("start", db);
      return noPlan(stage, "pg-crash-recovery", db, {
        service: web,
        shows: async () => /not properly shut down/.test(await stage.logs(db)) && (await fails(stage, web, "/items")()),
      });
    },
  },
  {
    id: "schema-behind-code",
    family: "C",
    about: "web asks for a column or a table that the database does not have",
    async inject(stage) {
      const query = stage.random.pick([
        "SELECT colour FROM items",
        "SELECT count(*) FROM invoices",
        "SELECT vat_rate FROM items",
      ]);
      const { web, db } = stage.names;
      await stage.postgres(db);
      await stage.service(web, { env: { DATABASE_URL: databaseUrl(db), QUERY: query, TRAFFIC_EVERY: "1" } });
      return noPlan(stage, "schema-behind-code", web, {
        shows: async () => /does not exist/.test(await stage.logs(web)),
      });
    },
  },
  {
    id: "external-api-down",
    family: "C",
    about: "a service outside Docker refuses, or has no name any more",
    async inject(stage) {
      const { web } = stage.names;
      const gateway = (
        await stage.docker("network", "inspect", stage.network, "--format", "{{(index .IPAM.Config 0).Gateway}}")
      ).trim();
      const peer = stage.random.pick([
        `http://${gateway}:9411/v1/rates`,
        "http://rates.payments.example.com/v1",
        "http://203.0.113.9:8443/v1",
      ]);
      await stage.service(web, {
        env: {
          UPSTREAMS: peer,
          CALL_TIMEOUT: "2",
          TRAFFIC_EVERY: "1",
          LOG_STYLE: stage.random.pick(["python", "go", "node"]),
        },
      });
      return noPlan(stage, "external-api-down", null, { shows: fails(stage, web, "/call") });
    },
  },
  {
    id: "poison-message",
    family: "C",
    about: "one record is rejected and delivered again for ever",
    async inject(stage) {
      const { worker, cache } = stage.names;
      await stage.redis(cache);
      const said = stage.random.pick([
        'print("ERROR message", job["id"], "rejected: total must not be negative, requeued")',
        'print(f\'{{"level":"error","msg":"nack, redelivered","delivery_tag":"{job["id"]}"}}\')',
        'print("job", job["id"], "failed: ValueError: bad date; put back in queue, will retry")',
      ]);
      await python(
        stage,
        worker,
        `
import json, os, time, redis
client = redis.Redis(host=os.environ["QUEUE_HOST"], port=6379, socket_timeout=5)
while True:
    try:
        client.rpush("jobs", json.dumps({"id": "ord-48213", "total": -1})); break
    except redis.RedisError:
        time.sleep(0.5)
count = 0
while True:
    client.rpush("jobs", json.dumps({"id": f"ord-{50000 + count}", "total": 5})); count += 1
    for _ in range(2):
        raw = client.lpop("jobs")
        if raw is None: continue
        job = json.loads(raw)
        if job["total"] < 0:
            ${said}
            client.rpush("jobs", raw)
        else:
            print("done", job["id"])
    time.sleep(0.7)`,
        { QUEUE_HOST: cache },
      );
      return noPlan(stage, "poison-message", worker, {
        service: worker,
        shows: async () => ((await stage.logs(worker)).match(/ord-48213/g)?.length ?? 0) >= 4,
      });
    },
  },
  {
    id: "start-order-cycle",
    family: "C",
    about: "two services wait for each other before they listen",
    async inject(stage) {
      const { web, auth } = stage.names;
      const says = stage.random.pick([
        'print("waiting for " + peer + ":8000 ...", flush=True)',
        'print("startup: " + str(error) + " connecting to " + peer + ":8000: Connection refused, retrying", flush=True)',
      ]);
      const program = `
import os, socket, time
from http.server import HTTPServer, SimpleHTTPRequestHandler
peer = os.environ["PEER_HOST"]
while True:
    try:
        socket.create_connection((peer, 8000), timeout=2).close(); break
    except OSError as error:
        ${says}
        time.sleep(1)
HTTPServer(("0.0.0.0", 8000), SimpleHTTPRequestHandler).serve_forever()`;
      await python(stage, auth, program, { PEER_HOST: web });
      await python(stage, web, program, { PEER_HOST: auth });
      await pause(4_000);
      return noPlan(stage, "start-order-cycle", auth, {
        shows: async () => (await stage.get(web, 8000, "/")) === null,
      });
    },
  },
  {
    id: "retry-storm",
    family: "C",
    about: "web repeats without pause and keeps the load up after a short pause of its peer",
    async inject(stage) {
      const { web, api } = stage.names;
      await python(
        stage,
        api,
        `
import socket, threading, time
gate = threading.Lock()
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 8000)); server.listen(512)
def one(client):
    try:
        client.recv(2000)
        with gate:
            time.sleep(0.08)
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nok")
    except OSError:
        pass
    client.close()
while True:
    client, _ = server.accept()
    threading.Thread(target=one, args=(client,), daemon=True).start()`,
      );
      await python(
        stage,
        web,
        `${webFrame}
def call():
    return urllib.request.urlopen(os.environ["API_URL"], timeout=0.3).read()
def handle(path):
    attempt = 0
    while True:
        attempt += 1
        try:
            call(); return 200, "ok"
        except OSError as error:
            log("WARN call to " + os.environ["API_URL"] + " timed out, retrying at once, attempt " + str(attempt))
            if attempt > 40: raise
serve()`,
        { API_URL: `http://${api}:8000/`, TRAFFIC_EVERY: "0.05", PATHS: "/items" },
      );
      await stage.until("web works", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      for (let user = 0; user < 8; user += 1)
        await python(
          stage,
          `user-${user}`,
          `
import time, urllib.request
while True:
    try: urllib.request.urlopen("http://${web}:8000/items", timeout=30).read()
    except OSError: pass
    time.sleep(0.2)`,
        );
      await stage.docker("pause", api);
      await pause(4_000);
      await stage.docker("unpause", api);
      await pause(5_000);
      return noPlan(stage, "retry-storm", web, {
        shows: async () => /retrying at once/.test((await stage.logs(web)).slice(-2_000)),
      });
    },
  },
];

/** About 200 MB of log that no checkpoint has taken in. */
async function fill(stage: Stage, db: string): Promise<void> {
  const statement =
    "CREATE TABLE IF NOT EXISTS filler AS SELECT g, repeat(md5(g::text), 8) AS t FROM generate_series(1, 250000) g; UPDATE filler SET t = t || 'x'";
  await stage.docker(
    "run",
    "--rm",
    "--network",
    stage.network,
    "room137/lab:latest",
    "psql",
    "-qAt",
    databaseUrl(db),
    "-c",
    statement,
  );
}

import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { fails, noPlan, pause } from "./dependencies.ts";
import { python } from "./programs.ts";

async function webAndCache(stage: Stage, settings: string[] = [], args: string[] = []): Promise<void> {
  const { web, cache } = stage.names;
  await stage.redis(cache, { settings, args });
  await stage.service(web, {
    env: { CACHE_URL: `redis://${cache}:6379/0`, TRAFFIC_EVERY: "1", LOG_STYLE: stage.random.pick(["python", "go"]) },
  });
  await stage.until("the cache is used", async () => (await stage.get(web, 8000, "/cart"))?.status === 200);
}

function cacheFails(stage: Stage, cause: Truth["causes"][number], more: Partial<Truth> = {}): Truth {
  return noPlan(stage, cause, stage.names.cache, { shows: fails(stage, stage.names.web, "/cart"), ...more });
}

function redisCli(stage: Stage, ...words: string[]): Promise<string> {
  return stage.docker(
    "run",
    "--rm",
    "--network",
    stage.network,
    "room137/lab:latest",
    "redis-cli",
    "-h",
    stage.names.cache,
    ...words,
  );
}

export const cacheCards: readonly Card[] = [
  {
    id: "redis-readonly-replica",
    family: "G",
    about: "the cache became a replica and refuses writes",
    async inject(stage) {
      await webAndCache(stage);
      await redisCli(stage, "replicaof", stage.random.pick(["10.9.8.7", "redis-master"]), "6379");
      return cacheFails(stage, "redis-readonly-replica");
    },
  },
  {
    id: "redis-misconf",
    family: "G",
    about: "the cache cannot write its dump and refuses writes",
    async inject(stage) {
      await webAndCache(stage, ["--save", "1 1", "--dir", "/mnt"], ["--tmpfs", "/mnt:size=1m"]);
      const { cache } = stage.names;
      await redisCli(stage, "--eval", "/dev/null").catch(() => "");
      for (let at = 0; at < 3; at += 1) await redisCli(stage, "debug", "populate", "60000").catch(() => "");
      await python(
        stage,
        `${cache}-fill`,
        `
import redis, time, os
client = redis.Redis(host="${cache}")
for at in range(400):
    try: client.set(f"k{at}", os.urandom(20000))
    except redis.RedisError as error: print(error, flush=True); break
time.sleep(600)`,
      );
      return cacheFails(stage, "redis-misconf");
    },
  },
  {
    id: "redis-loading",
    family: "G",
    about: "the cache loads a large dump after a restart",
    async inject(stage) {
      const { cache, web } = stage.names;
      await stage.redis(cache, { settings: ["--appendonly", "no", "--dir", "/data"], args: ["--volume", "/data"] });
      await stage.service(web, { env: { CACHE_URL: `redis://${cache}:6379/0`, TRAFFIC_EVERY: "1" } });
      await stage.until("the cache is used", async () => (await stage.get(web, 8000, "/cart"))?.status === 200);
      await python(
        stage,
        `${cache}-fill`,
        `
import redis, time
client = redis.Redis(host="${cache}")
for block in range(60):
    pipe = client.pipeline(transaction=False)
    for at in range(5000): pipe.rpush(f"k{block}-{at}", "a", "b", "c", str(at))
    pipe.execute()
client.save()
print("filled", flush=True)
time.sleep(600)`,
      );
      await stage.until("the cache is filled", async () => /filled/.test(await stage.logs(`${cache}-fill`)), 40_000);
      await stage.docker("stop", "-t", "5", cache);
      await stage.docker("update", "--cpus", "0.05", cache);
      await stage.docker("start", cache);
      return cacheFails(stage, "redis-loading", {
        shows: async () => /loading the dataset/i.test((await stage.logs(web)).slice(-4_000)),
      });
    },
  },
  {
    id: "redis-keys-block",
    family: "G",
    about: "a script or a long command blocks the cache for everybody",
    async inject(stage) {
      const { cache, worker, web } = stage.names;
      await webAndCache(stage, ["--enable-debug-command", "yes"]);
      const command = stage.random.pick([
        'client.eval("local x = 0 while true do x = x + 1 end", 0)',
        'client.execute_command("DEBUG", "SLEEP", "90")',
      ]);
      await python(
        stage,
        worker,
        `import redis\nclient = redis.Redis(host="${cache}", socket_timeout=300)\n${command}`,
      );
      await pause(4_000);
      return cacheFails(stage, "redis-keys-block", {
        allowed: [{ action: "restart", container: cache }],
        planExpected: true,
        shows: fails(stage, web, "/cart"),
      });
    },
  },
  {
    id: "redis-evicting-sessions",
    family: "G",
    about: "the cache drops live sessions at its own memory limit",
    async inject(stage) {
      const { cache, web } = stage.names;
      await stage.redis(cache, {
        settings: ["--maxmemory", "3mb", "--maxmemory-policy", stage.random.pick(["allkeys-lru", "allkeys-random"])],
      });
      await python(
        stage,
        web,
        `
import os, sys, time, redis
client = redis.Redis.from_url(os.environ["CACHE_URL"], socket_timeout=3)
at = 0
while True:
    try:
        at += 1
        client.set(f"session:{at}", os.urandom(20000), ex=3600)
        if at > 40 and client.get(f"session:{at - 39}") is None:
            print(f'10.0.0.8 - - "GET /account HTTP/1.1" 401 17', flush=True)
            print(f"WARN session {at - 39} not found, user logged out", flush=True)
    except redis.RedisError as error:
        print("cache:", error, flush=True)
    time.sleep(0.03)`,
        { CACHE_URL: `redis://${cache}:6379/0` },
      );
      return cacheFails(stage, "redis-evicting-sessions", {
        symptom: "any",
        shows: async () => ((await stage.logs(web)).match(/logged out/g)?.length ?? 0) > 5,
      });
    },
  },
];

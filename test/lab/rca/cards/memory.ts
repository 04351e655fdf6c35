import { mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import type { Card } from "../card.ts";
import type { Stage } from "../stage.ts";
import { callsFail, fault, webAndBackend } from "./backend.ts";
import { python, sql } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

const cap = (mib: number) => ["--memory", `${mib}m`, "--memory-swap", `${mib}m`];

/** Asks the backend itself, as one odd client would; the answer does not matter, it may never come. */
async function ask(stage: Stage, name: string, path: string): Promise<void> {
  await stage.get(name, 9000, path);
}

async function state(stage: Stage, name: string, format: string): Promise<string> {
  return (await stage.docker("inspect", "--format", format, name)).trim();
}

const hungryQuery = "SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 900)";

export const memoryCards: readonly Card[] = [
  {
    id: "cgroup-oom-main",
    family: "A",
    about: "the main process of a service behind web needs more than its limit",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: 'if path == "/fill": hog(300)' }, cap(stage.random.between(40, 64)));
      await ask(stage, api, "/fill");
      return fault(stage, "cgroup-oom-main", api, ["update-memory", "start"]);
    },
  },
  {
    id: "cgroup-oom-child",
    family: "A",
    about: "every request starts a helper process that the kernel kills at the limit; the service itself runs on",
    async inject(stage) {
      const { api } = stage.names;
      const child = 'subprocess.run(["python3", "-c", "x = bytearray(400 << 20); x[::4096] = x[::4096]"], check=True)';
      await webAndBackend(stage, api, { handle: child, settled: false }, cap(stage.random.between(60, 90)));
      return fault(stage, "cgroup-oom-child", api, ["update-memory", "restart"]);
    },
  },
  {
    id: "pg-backend-oom-recovery",
    family: "A",
    about: "one hungry query is killed, PostgreSQL recovers by itself",
    async inject(stage) {
      await webAndDatabase(stage, { args: cap(160) });
      await sql(stage, stage.names.db, hungryQuery).catch(() => {});
      const { web, db } = stage.names;
      await stage.until("the server recovers", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      return fault(stage, "pg-backend-oom-recovery", db, ["update-memory"], {
        planExpected: false,
        shows: async () => true,
      });
    },
  },
  {
    id: "manual-docker-kill-stale-oom-flag",
    family: "B",
    about: "a child was killed for memory a while before somebody uses docker kill: the flag is stale",
    async inject(stage) {
      const { web, db } = stage.names;
      await webAndDatabase(stage, { args: cap(160) });
      await sql(stage, db, hungryQuery).catch(() => {});
      await stage.until("the server recovers", async () => (await stage.get(web, 8000, "/items"))?.status === 200);
      await stage.docker("kill", db);
      return fault(stage, "manual-docker-kill", db, ["start"], { shows: itemsFail(stage) });
    },
  },
  {
    id: "oom-self-healed",
    family: "A",
    about: "only the first start needs too much; the policy starts it again and it works",
    async inject(stage) {
      const { api, web } = stage.names;
      const once = 'if not os.path.exists("/seen"):\n    open("/seen", "w").close(); hog(200)';
      await webAndBackend(stage, api, { handle: "pass", setup: once }, [
        ...cap(48),
        "--restart",
        stage.random.pick(["on-failure:5", "always"]),
      ]);
      await stage.until("it works again", async () => (await stage.get(web, 8000, "/call"))?.status === 200);
      return fault(stage, "oom-self-healed", api, ["update-memory"], {
        planExpected: false,
        shows: async () => (await state(stage, api, "{{.RestartCount}}")) === "1",
      });
    },
  },
  {
    id: "oom-crash-loop",
    family: "A",
    about: "every start needs more than the limit, and the policy tries again",
    async inject(stage) {
      const { api } = stage.names;
      const program = { handle: "pass", setup: "hog(200, 0.02)", settled: false };
      await webAndBackend(stage, api, program, [
        ...cap(stage.random.between(24, 40)),
        "--restart",
        stage.random.pick(["always", "unless-stopped", "on-failure"]),
      ]);
      await stage.until("the third start", async () => Number(await state(stage, api, "{{.RestartCount}}")) >= 3);
      return fault(stage, "oom-crash-loop", api, ["update-memory", "start", "restart"]);
    },
  },
  {
    id: "oom-leak",
    family: "A",
    about: "each request leaves something behind; killed at the limit, started again, and again",
    async inject(stage) {
      const { api } = stage.names;
      const program = { handle: "KEPT.append(bytearray(os.urandom(1024)) * 3072)" };
      await webAndBackend(stage, api, program, [...cap(stage.random.between(56, 64)), "--restart", "always"]);
      await stage.until(
        "the second kill",
        async () => Number(await state(stage, api, "{{.RestartCount}}")) >= 2,
        90_000,
      );
      return fault(stage, "oom-leak", api, ["update-memory", "restart", "start"], { shows: async () => true });
    },
  },
  {
    id: "oom-spike",
    family: "A",
    about: "one rare request takes ten times the memory",
    async inject(stage) {
      const { api } = stage.names;
      const path = stage.random.pick(["/export", "/reports/yearly", "/invoices/pdf"]);
      const program = { handle: `if path == "${path}": hog(400)` };
      await webAndBackend(stage, api, program, cap(stage.random.between(56, 80)));
      await stage.until("some traffic", async () => (await stage.logs(api)).split("GET /work").length > 8);
      await ask(stage, api, path);
      return fault(stage, "oom-spike", api, ["update-memory", "start", "restart"]);
    },
  },
  {
    id: "limit-lowered-live",
    family: "A",
    about: "docker update to just above what it uses; the next need kills it",
    async inject(stage) {
      const { api } = stage.names;
      const program = { handle: 'if path == "/more": hog(64)', setup: "hog(40)" };
      await webAndBackend(stage, api, program, stage.random.int(2) === 0 ? ["--memory", "256m"] : cap(256));
      await stage
        .docker("update", "--memory", "72m", ...(stage.random.int(2) === 0 ? ["--memory-swap", "72m"] : []), api)
        .catch(() => stage.docker("update", "--memory", "72m", "--memory-swap", "72m", api));
      await ask(stage, api, "/more");
      return fault(stage, "limit-lowered-live", api, ["update-memory", "start"]);
    },
  },
  {
    id: "shm-tmpfs-oom",
    family: "A",
    about: "files in /dev/shm or a tmpfs fill the memory limit; the processes are small",
    async inject(stage) {
      const { api } = stage.names;
      const folder = stage.random.pick(["/dev/shm", "/scratch"]);
      const program = {
        handle: `if path == "/spool":\n    f = open("${folder}/spool", "wb")\n    for _ in range(3000): f.write(os.urandom(1024) * 100)`,
      };
      const mount = folder === "/dev/shm" ? ["--shm-size", "512m"] : ["--tmpfs", "/scratch:size=512m"];
      await webAndBackend(stage, api, program, [...cap(64), ...mount]);
      await ask(stage, api, "/spool");
      return fault(stage, "shm-tmpfs-oom", api, ["update-memory", "start"]);
    },
  },
  {
    id: "shm-too-small",
    family: "A",
    about: "PostgreSQL with a tiny /dev/shm cannot run a parallel query",
    async inject(stage) {
      const { db } = stage.names;
      const parallel = [
        "parallel_setup_cost=0",
        "parallel_tuple_cost=0",
        "min_parallel_table_scan_size=0",
        "max_parallel_workers_per_gather=3",
        "work_mem=64MB",
        "enable_mergejoin=off",
      ];
      const query = "SELECT count(*) FROM big a JOIN big b ON a.n = b.n WHERE a.t <> b.t || 'x'";
      await webAndDatabase(stage, { args: ["--shm-size", stage.random.pick(["1m", "2m", "3m"])], settings: parallel });
      await sql(
        stage,
        db,
        "CREATE TABLE big AS SELECT n, md5(n::text) AS t FROM generate_series(1, 200000) n; ANALYZE big",
      );
      await stage.docker("rm", "--force", stage.names.web);
      await stage.service(stage.names.web, {
        env: { DATABASE_URL: `postgresql://app:wet-marble-5512@${db}:5432/shop`, QUERY: query, TRAFFIC_EVERY: "2" },
      });
      return fault(stage, "shm-too-small", db, [], { shows: async () => /resize shared/.test(await stage.logs(db)) });
    },
  },
  {
    id: "pg-shared-buffers-over-limit",
    family: "A",
    about: "shared_buffers above the limit: fine at the start, killed as it fills",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage, { args: cap(160), settings: ["shared_buffers=512MB"] });
      await sql(
        stage,
        db,
        "CREATE UNLOGGED TABLE big (t text); ALTER TABLE big ALTER t SET STORAGE PLAIN; INSERT INTO big SELECT repeat(md5(n::text), 200) FROM generate_series(1, 60000) n",
      ).catch(() => {});
      return fault(stage, "pg-shared-buffers-over-limit", db, ["update-memory", "start"], {
        planExpected: false,
        shows: async () =>
          /signal 9[\s\S]*ready to accept/.test(await stage.logs(db)) || !(await stage.inspect(db)).State["Running"],
      });
    },
  },
  {
    id: "pg-work-mem-fanout",
    family: "A",
    about: "many modest sorts at once add up to more than the limit",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage, { args: cap(240), settings: ["work_mem=128MB"] });
      const sort =
        "SELECT count(pg_sleep(3)) FROM (SELECT t FROM (SELECT repeat(md5(i::text), 20) t FROM generate_series(1, 40000) i) a ORDER BY t LIMIT 1 OFFSET 39999) s";
      await Promise.all(Array.from({ length: 10 }, () => sql(stage, db, sort).catch(() => "")));
      return fault(stage, "pg-work-mem-fanout", db, ["update-memory"], {
        planExpected: false,
        shows: async () => /signal 9[\s\S]*ready to accept/.test(await stage.logs(db)),
      });
    },
  },
  {
    id: "jvm-heap-over-limit",
    family: "A",
    about: "the heap option is larger than the limit",
    async inject(stage) {
      const { api } = stage.names;
      const option = stage.random.pick([
        { JAVA_OPTS: "-Xms64m -Xmx512m" },
        { JAVA_TOOL_OPTIONS: "-XX:+UseG1GC -Xmx1g" },
        { NODE_OPTIONS: "--max-old-space-size=768" },
      ]);
      await webAndBackend(
        stage,
        api,
        { handle: 'if path == "/fill": hog(400)' },
        cap(64),
        option as Record<string, string>,
      );
      await ask(stage, api, "/fill");
      return fault(stage, "jvm-heap-over-limit", api, ["update-memory", "start", "restart"]);
    },
  },
  {
    id: "jvm-heap-exhausted",
    family: "A",
    about: "the runtime's own heap is full and it ends; the container's limit is far away",
    async inject(stage) {
      const { api } = stage.names;
      const end = stage.random.pick([
        { line: 'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space', end: "os._exit(3)" },
        {
          line: "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
          end: "os.abort()",
        },
      ]);
      const program = {
        handle: `if path == "/fill":\n    print(${JSON.stringify(end.line)}, file=sys.stderr, flush=True); ${end.end}`,
      };
      await webAndBackend(stage, api, program, ["--init", ...cap(512)]);
      await ask(stage, api, "/fill");
      return fault(stage, "jvm-heap-exhausted", api, []);
    },
  },
  {
    id: "oom-kill-disabled-hang",
    family: "A",
    about: "killing is switched off: at the limit the processes sleep in the kernel",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: 'if path == "/fill": hog(200)' }, [...cap(48), "--oom-kill-disable"]);
      await ask(stage, api, "/fill");
      return fault(stage, "oom-kill-disabled-hang", api, ["update-memory"]);
    },
  },
  {
    id: "redis-maxmemory",
    family: "A",
    about: "Redis is full by its own maxmemory",
    async inject(stage) {
      const { cache, web } = stage.names;
      await stage.redis(cache, {
        settings: ["--maxmemory", stage.random.pick(["4mb", "6mb"]), "--maxmemory-policy", "noeviction"],
      });
      await stage.service(web, { env: { CACHE_URL: `redis://${cache}:6379/0`, TRAFFIC_EVERY: "1" } });
      await fill(stage, cache, 40, false);
      return fault(stage, "redis-maxmemory", cache, [], {
        shows: async () => (await stage.get(web, 8000, "/cart"))?.status === 500,
      });
    },
  },
  {
    id: "redis-bgsave-oom",
    family: "A",
    about: "the saving child is killed at the limit, then Redis refuses writes",
    async inject(stage) {
      const { cache, web } = stage.names;
      await stage.redis(cache, {
        args: cap(72),
        settings: ["--save", "3600 1", "--oom-score-adj", "yes", "--rdb-key-save-delay", "100000"],
      });
      await stage.service(web, { env: { CACHE_URL: `redis://${cache}:6379/0`, TRAFFIC_EVERY: "1" } });
      await fill(stage, cache, 44, true);
      return fault(stage, "redis-bgsave-oom", cache, ["update-memory"], {
        planExpected: false,
        shows: async () =>
          /terminated by signal 9/.test(await stage.logs(cache)) &&
          (await stage.get(web, 8000, "/cart"))?.status === 500,
      });
    },
  },
  {
    id: "parent-cgroup-oom",
    family: "A",
    about: "a limit on a shared parent group; the small one is killed for its big sibling",
    async inject(stage) {
      const { api, batch } = stage.names;
      const parent = `r137-${stage.lab.name}`;
      await limitedParent(parent, 120);
      await webAndBackend(stage, api, { handle: "pass", setup: "hog(16)" }, [
        "--cgroup-parent",
        `/${parent}`,
        "--oom-score-adj",
        "900",
      ]);
      await python(
        stage,
        `${batch}-run`,
        "import os,time\nkept=[]\nfor _ in range(30):\n    kept.append(bytearray(os.urandom(1024)) * 4096); time.sleep(0.1)\ntime.sleep(3600)",
        {},
        ["--cgroup-parent", `/${parent}`],
      );
      return fault(stage, "parent-cgroup-oom", `${batch}-run`, [], {
        allowed: [{ action: "start", container: api }],
        planExpected: true,
      });
    },
  },
  {
    id: "page-cache-full",
    family: "A",
    about: "the limit is full of page cache and nothing is wrong",
    async inject(stage) {
      const { api, web } = stage.names;
      const program = {
        handle: "pass",
        setup: 'with open("/data.bin", "wb") as f:\n    for _ in range(300): f.write(os.urandom(1024) * 1024)',
      };
      await webAndBackend(stage, api, program, cap(100));
      return {
        service: web,
        verdict: "no-fault-found",
        causes: [],
        culprit: null,
        allowed: [],
        probes: [{ path: "/call", expect: 200 }],
        shows: async () => !(await callsFail(stage)()),
      };
    },
  },
];

/** Writes megabytes into Redis from a container of its own; `save` makes it save while everything is written anew. */
async function fill(stage: Stage, cache: string, mib: number, save: boolean): Promise<void> {
  const program = `
import os, redis
r = redis.Redis("${cache}")
try:
    for i in range(${mib}): r.set("k%d" % i, os.urandom(1024) * 1024)
    if ${save ? "True" : "False"}:
        r.bgsave()
        for _ in range(6):
            for i in range(${mib}): r.set("k%d" % i, os.urandom(1024) * 1024)
except redis.RedisError:
    try:
        for i in range(200000): r.set("s%d" % i, b"x" * 200)
    except redis.RedisError as error:
        print(error)
`;
  await stage.docker("run", "--rm", "--network", stage.network, "room137/lab:latest", "python3", "-c", program);
}

/** A memory group of version 1 with a limit, made anew; one of an earlier run goes when its children are gone. */
async function limitedParent(name: string, mib: number): Promise<void> {
  const folder = `/sys/fs/cgroup/memory/${name}`;
  for (const child of await readdir(folder, { withFileTypes: true }).catch(() => []))
    if (child.isDirectory()) await rmdir(`${folder}/${child.name}`).catch(() => {});
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/memory.limit_in_bytes`, String(mib * 1024 * 1024));
}

import type { Cause } from "../../../../src/core/causes.ts";
import { run } from "../../processes.ts";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { runProgram, saidBy, workFails } from "./program.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

const pgdata = "/var/lib/postgresql/data";

/** The asked-about program is itself at fault. */
function ownFault(stage: Stage, cause: Cause, more: Partial<Truth> = {}): Truth {
  const { web } = stage.names;
  return {
    service: web,
    verdict: "root-cause",
    causes: [cause],
    culprit: web,
    allowed: [],
    shows: async () => (await workFails(stage, web)()) && (await saidBy(stage, web)).length > 0,
    ...more,
  };
}

/** A volume of a fixed size in memory: it fills quickly and leaves the machine's disk alone. */
async function smallVolume(stage: Stage, options: string): Promise<string> {
  const name = stage.random.pick(["data", "pgdata", "store", "uploads"]);
  await stage.docker(
    "volume",
    "create",
    "--driver",
    "local",
    "--opt",
    "type=tmpfs",
    "--opt",
    "device=tmpfs",
    "--opt",
    `o=${options}`,
    name,
  );
  return name;
}

async function psql(stage: Stage, sql: string, database = "shop"): Promise<string> {
  return stage
    .docker("exec", stage.names.db, "psql", "--username=postgres", "--no-psqlrc", "-tAc", sql, database)
    .catch((error: unknown) => String(error));
}

function databaseFault(stage: Stage, cause: Cause): Truth {
  const { web, db } = stage.names;
  return {
    service: web,
    verdict: "root-cause",
    causes: [cause],
    culprit: db,
    allowed: [],
    shows: itemsFail(stage),
  };
}

/** Every segment switched is sixteen more megabytes of log that something keeps. */
async function switchSegments(stage: Stage, count: number): Promise<void> {
  await psql(stage, "CREATE TABLE IF NOT EXISTS beats (at timestamptz)");
  for (let at = 0; at < count; at += 1) {
    const said = await psql(stage, "INSERT INTO beats VALUES (now()); SELECT pg_switch_wal()");
    if (/could not|closed the connection|refused|is not running|No such container/i.test(said)) return;
    if (at % 3 === 2) await psql(stage, "CHECKPOINT");
  }
}

export const resourceCards: readonly Card[] = [
  {
    id: "pg-volume-full",
    family: "E",
    about: "the database's volume is full of table data; reads still work",
    async inject(stage) {
      const volume = await smallVolume(stage, `size=${stage.random.pick([90, 100, 110])}m`);
      const insert =
        "INSERT INTO items (name, price_cents) SELECT repeat('x', 500), 1 FROM generate_series(1, 400) RETURNING id";
      await webAndDatabase(stage, {
        args: ["--volume", `${volume}:${pgdata}`],
        webEnv: { QUERY: insert, LOG_STYLE: "python" },
      });
      await psql(stage, "CREATE UNLOGGED TABLE filler (x text)");
      const fill = "INSERT INTO filler SELECT repeat(md5(g::text), 60) FROM generate_series(1, 60000) g";
      await psql(stage, fill);
      return databaseFault(stage, "pg-volume-full");
    },
  },
  {
    id: "pg-wal-full-panic",
    family: "E",
    about: "no room for the next segment of the write-ahead log",
    async inject(stage) {
      const volume = await smallVolume(stage, "size=140m");
      await webAndDatabase(stage, {
        args: ["--volume", `${volume}:${pgdata}`],
        settings: ["wal_keep_size=2GB", "max_wal_size=4GB"],
      });
      await switchSegments(stage, 12);
      return databaseFault(stage, "pg-wal-full-panic");
    },
  },
  {
    id: "replication-slot-retains-wal",
    family: "E",
    about: "a replication slot nobody reads from keeps the log until the volume is full",
    async inject(stage) {
      const volume = await smallVolume(stage, "size=160m");
      await webAndDatabase(stage, {
        args: ["--volume", `${volume}:${pgdata}`],
        settings: ["wal_level=logical", "max_wal_size=48MB", "min_wal_size=32MB"],
      });
      await psql(stage, "SELECT pg_create_logical_replication_slot('reports', 'test_decoding')");
      await switchSegments(stage, 14);
      return databaseFault(stage, "replication-slot-retains-wal");
    },
  },
  {
    id: "inode-exhausted",
    family: "E",
    about: "a volume without inodes, with bytes free",
    async inject(stage) {
      const volume = await smallVolume(stage, "size=64m,nr_inodes=400");
      await runProgram(stage, stage.names.web, {
        args: ["--volume", `${volume}:/data`],
        work: "for at in range(200):\n    open(f'/data/session-{time.time_ns()}', 'w').close()\nreturn 'kept'",
      });
      return ownFault(stage, "inode-exhausted");
    },
  },
  {
    id: "tmp-tmpfs-full",
    family: "E",
    about: "a small tmpfs at /tmp is full",
    async inject(stage) {
      const size = stage.random.pick([6, 8, 12]);
      await runProgram(stage, stage.names.web, {
        args: ["--tmpfs", `/tmp:rw,size=${size}m`],
        work: "path = f'/tmp/upload-{time.time_ns()}.bin'\ntry:\n    with open(path, 'wb') as out:\n        out.write(b'x' * 3_000_000)\nexcept OSError as error:\n    error.filename = path\n    raise\nreturn 'kept'",
      });
      return ownFault(stage, "tmp-tmpfs-full", {
        allowed: [{ action: "restart", container: stage.names.web }],
        planExpected: true,
      });
    },
  },
  {
    id: "deleted-open-file",
    family: "E",
    about: "a deleted log that is still open holds the volume's space",
    async inject(stage) {
      const volume = await smallVolume(stage, "size=48m");
      const { web, worker } = stage.names;
      await stage.run(worker, {
        args: ["--volume", `${volume}:/srv/shared`],
        command: [
          "python3",
          "-u",
          "-c",
          "import os,time\nlog=open('/srv/shared/debug.log','ab',0)\nlog.write(b'x'*(46<<20))\nos.unlink('/srv/shared/debug.log')\ntime.sleep(1e6)",
        ],
      });
      await runProgram(stage, web, {
        args: ["--volume", `${volume}:/data`],
        work: "with open(f'/data/order-{time.time_ns()}', 'wb') as out:\n    out.write(b'x' * 3_000_000)\nreturn 'kept'",
      });
      return ownFault(stage, "deleted-open-file", {
        culprit: worker,
        allowed: [{ action: "restart", container: worker }],
        planExpected: true,
      });
    },
  },
  {
    id: "nofile-exhausted",
    family: "E",
    about: "a tiny open-file limit",
    async inject(stage) {
      const limit = stage.random.pick([40, 48, 64]);
      await runProgram(stage, stage.names.web, {
        args: ["--ulimit", `nofile=${limit}:${limit}`],
        setup: "import resource\nheld = []",
        work: "limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]\nwhile len(os.listdir('/proc/self/fd')) < limit - 3:\n    held.append(open('/etc/hostname'))\nfiles = [open('/etc/hosts') for _ in range(8)]\nreturn len(files)",
      });
      return ownFault(stage, "nofile-exhausted", { allowed: [{ action: "restart", container: stage.names.web }] });
    },
  },
  {
    id: "fd-leak",
    family: "E",
    about: "sockets that are never closed, at the default limit",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.run(api, { command: ["socat", "TCP-LISTEN:7000,fork,reuseaddr", "SYSTEM:true"] });
      await runProgram(stage, web, {
        args: ["--ulimit", "nofile=256:1024"],
        setup: `held = []\ndef leak():\n    one = socket.create_connection(('${api}', 7000), 2)\n    held.append(one)`,
        work: "for _ in range(25):\n    leak()\nreturn len(held)",
      });
      return ownFault(stage, "fd-leak", {
        allowed: [{ action: "restart", container: web }],
        shows: async () => (await workFails(stage, web)()) && /too many open files/i.test(await stage.logs(web)),
      });
    },
  },
  {
    id: "pids-limit",
    family: "E",
    about: "a process limit smaller than the work",
    async inject(stage) {
      const { web } = stage.names;
      await runProgram(stage, web, {
        args: ["--pids-limit", String(stage.random.pick([24, 30, 40]))],
        setup: "kept = []",
        work: "for _ in range(20):\n    kept.append(subprocess.Popen(['sleep', '600']))\nreturn len(kept)",
      });
      return ownFault(stage, "pids-limit", {
        allowed: [
          { action: "update-pids-limit", container: web },
          { action: "restart", container: web },
        ],
        planExpected: true,
      });
    },
  },
  {
    id: "zombie-pileup",
    family: "E",
    about: "a parent that never waits for its children",
    async inject(stage) {
      const { web } = stage.names;
      await runProgram(stage, web, {
        args: ["--pids-limit", String(stage.random.pick([40, 50]))],
        work: "for _ in range(15):\n    if os.fork() == 0:\n        os._exit(0)\nreturn 'done'",
      });
      return ownFault(stage, "zombie-pileup", {
        allowed: [
          { action: "update-pids-limit", container: web },
          { action: "restart", container: web },
        ],
        planExpected: true,
      });
    },
  },
  {
    id: "probe-leaks-processes",
    family: "E",
    about: "a health command that leaves a process behind at each run",
    async inject(stage) {
      const { web } = stage.names;
      await runProgram(stage, web, {
        args: ["--pids-limit", "22", "--health-cmd", "sleep 900 >/dev/null 2>&1 & exit 0", "--health-interval", "1s"],
        work: "subprocess.run(['true'], check=True)\nreturn 'done'",
      });
      return ownFault(stage, "probe-leaks-processes");
    },
  },
  {
    id: "nproc-shared-uid",
    family: "E",
    about: "another container of the same user id uses up the per-user limit",
    async inject(stage) {
      const { web, worker } = stage.names;
      const uid = String(stage.random.pick([4321, 5120, 7788]));
      await runProgram(stage, web, {
        args: ["--user", uid, "--ulimit", "nproc=60:60"],
        threads: false,
        every: 0,
        work: "subprocess.run(['true'], check=True)\nreturn 'done'",
      });
      await stage.until(`${web} works`, async () => (await stage.get(web, 8000, "/work"))?.status === 200);
      await stage.run(worker, {
        args: ["--user", uid],
        command: [
          "python3",
          "-c",
          "import subprocess,time\nkept=[subprocess.Popen(['sleep','9000']) for _ in range(70)]\ntime.sleep(9000)",
        ],
      });
      return ownFault(stage, "nproc-shared-uid", {
        culprit: worker,
        allowed: [{ action: "restart", container: worker }],
        planExpected: true,
      });
    },
  },
  {
    id: "readonly-rootfs",
    family: "E",
    about: "a read-only root under a program that writes",
    async inject(stage) {
      await runProgram(stage, stage.names.web, {
        args: ["--read-only"],
        work: "with open('/var/cache/page.html', 'w') as out:\n    out.write('x')\nreturn 'kept'",
      });
      return ownFault(stage, "readonly-rootfs");
    },
  },
  {
    id: "volume-remounted-ro",
    family: "E",
    about: "the host turned the volume read-only",
    async inject(stage) {
      const volume = await smallVolume(stage, "size=32m");
      await runProgram(stage, stage.names.web, {
        args: ["--volume", `${volume}:/data`],
        work: "with open('/data/orders.log', 'a') as out:\n    out.write('x')\nreturn 'kept'",
      });
      const mountpoint = (await stage.docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume)).trim();
      await run("mount", ["-o", "remount,ro", mountpoint]);
      return ownFault(stage, "volume-remounted-ro");
    },
  },
  {
    id: "volume-wrong-owner",
    family: "E",
    about: "a volume whose files belong to another user",
    async inject(stage) {
      const volume = stage.random.pick(["files", "reports", "exports"]);
      const { web, batch } = stage.names;
      await stage.run(`${batch}-setup`, {
        args: ["--volume", `${volume}:/srv/files`],
        command: ["sh", "-c", "echo first > /srv/files/report.csv; chmod 700 /srv/files"],
      });
      await stage.until("the files are there", async () => !(await stage.inspect(`${batch}-setup`)).State["Running"]);
      await runProgram(stage, web, {
        args: ["--volume", `${volume}:/srv/files`, "--user", String(stage.random.pick([1000, 999, 33]))],
        work: "with open('/srv/files/report.csv', 'w') as out:\n    out.write('x')\nreturn 'kept'",
      });
      return ownFault(stage, "volume-wrong-owner");
    },
  },
];

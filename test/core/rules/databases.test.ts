import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { MountFacts, ProcessFacts, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const url = { name: "DATABASE_URL", value: "postgres://app:[redacted]@db:5432/shop", digest: "x" };
const redisUrl = { name: "REDIS_URL", value: "redis://cache:6379/0", digest: "x" };
const ready = "2026-01-01T10:00:00.000Z database system is ready to accept connections";
const at = (secondsAgo: number, text: string) => `${new Date(askedAtMs - secondsAgo * 1_000).toISOString()} ${text}`;

function answer(host: SceneHost) {
  return diagnose(questionAbout("web"), readingsOf(host)).diagnosis;
}

function root(diagnosis: ReturnType<typeof answer>) {
  return diagnosis.rootCause === null ? diagnosis.verdict : [diagnosis.rootCause.cause, diagnosis.rootCause.container];
}

function web(logs: string[], env = [url], more: SceneContainer["inspect"] = {}): SceneContainer {
  return { name: "web", logs, inspect: { env, ...more } };
}

/** Its address is 172.30.0.3, the worker's 172.30.0.4. */
function db(titles: string[], logs: string[] = [ready], inspect: SceneContainer["inspect"] = {}): SceneContainer {
  return {
    name: "db",
    logs,
    inspect: { image: "postgres:15", ...inspect },
    other: { "docker-top": titles.map(row), "process-facts": sockets(5432) },
  };
}

function cache(
  logs: string[] = [],
  inspect: SceneContainer["inspect"] = {},
  more: Partial<ProcessFacts> = {},
): SceneContainer {
  return {
    name: "cache",
    logs,
    inspect: { image: "redis:7", ...inspect },
    other: { "process-facts": { ...sockets(6379), ...more } },
  };
}

function row(args: string, index: number): ProcessRow {
  return {
    pid: 5_000 + index,
    ppid: 1_000,
    uid: "999",
    state: null,
    rssBytes: null,
    elapsedS: null,
    waitChannel: null,
    command: "",
    args,
    cpuSeconds: 12,
  };
}

function sockets(port: number): ProcessFacts {
  return {
    pid: 1_000,
    listeners: [{ address: "0.0.0.0", port }],
    connections: [],
    listenOverflows: 0,
    listenDrops: 0,
    openFiles: 9,
    openFilesLimit: 1_024,
    interfaces: [],
    state: "S",
    waitChannel: "ep_poll",
    threads: 1,
    tcpRetransmits: 0,
    tcpOutSegments: 10,
  };
}

const webSession = (state: string) => `postgres: app shop 172.30.0.2(41000) ${state}`;
const workerSession = (state: string) => `postgres: app shop 172.30.0.4(42000) ${state}`;
const worker: SceneContainer = { name: "worker" };
const lockTimeout = "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout";

describe("locks", () => {
  it("accuse the client whose session does nothing inside a transaction while others wait", () => {
    const titles = [webSession("SELECT waiting"), workerSession("idle in transaction")];
    expect(root(answer({ containers: [web([lockTimeout]), db(titles), worker] }))).toEqual([
      "pg-idle-in-transaction-lock",
      "worker",
    ]);
  });

  it("are not blamed on an open transaction that nobody waits for", () => {
    const titles = [webSession("idle"), workerSession("idle in transaction")];
    expect(answer({ containers: [web([]), db(titles), worker] }).rootCause).toBeNull();
  });

  it("of a migration that works are left alone, also beside an open transaction", () => {
    const titles = [
      webSession("SELECT waiting"),
      workerSession("ALTER TABLE"),
      "postgres: app shop 172.30.0.9(1) idle in transaction",
    ];
    const diagnosis = answer({ containers: [web([lockTimeout]), db(titles), worker] });
    expect(root(diagnosis)).toEqual(["pg-long-migration", "worker"]);
    expect(diagnosis.handsOff).not.toBeNull();
  });

  it("of a migration that itself waits are the fault of the open transaction in front of it", () => {
    const titles = [
      webSession("SELECT waiting"),
      workerSession("ALTER TABLE waiting"),
      "postgres: app shop 172.30.0.5(1) idle in transaction",
    ];
    expect(root(answer({ containers: [web([lockTimeout]), db(titles), worker, { name: "report" }] }))).toEqual([
      "pg-idle-in-transaction-lock",
      "report",
    ]);
  });

  it("of a dump are left alone", () => {
    const dump: SceneContainer = { name: "worker", inspect: { command: ["pg_dump", "-Fc"] } };
    const diagnosis = answer({
      containers: [web([]), db([webSession("LOCK TABLE waiting"), workerSession("COPY")]), dump],
    });
    expect(root(diagnosis)).toEqual(["backup-running", "worker"]);
  });

  it("cannot be told without the process titles", () => {
    expect(answer({ containers: [web([lockTimeout]), db([]), worker] }).rootCause).toBeNull();
  });
});

describe("data folder", () => {
  const down = {
    status: "exited" as const,
    exitCode: 1,
    finishedAtMs: askedAtMs - 30_000,
    startedAtMs: askedAtMs - 31_000,
  };
  const refused = 'connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused';
  it.each([
    ["pg-version-mismatch", "FATAL:  database files are incompatible with server"],
    ["pg-root-refused", '"root" execution of the PostgreSQL server is not permitted.'],
    ["pg-datadir-perms", 'FATAL:  data directory "/var/lib/postgresql/data" has invalid permissions'],
    ["pg-stale-pidfile", 'FATAL:  lock file "postmaster.pid" already exists'],
    ["pg-corruption", "PANIC:  could not locate a valid checkpoint record"],
  ])("says %s in the server's own words of its last start", (cause, said) => {
    expect(root(answer({ containers: [web([refused]), db([], [said], down)] }))).toEqual([cause, "db"]);
  });

  it("does not repeat what an earlier start said", () => {
    const logs = [
      at(4_000, 'FATAL:  lock file "postmaster.pid" already exists'),
      at(3_900, "database system is ready to accept connections"),
    ];
    expect(answer({ containers: [web([]), db([], logs)] }).rootCause).toBeNull();
  });

  const mount: MountFacts = {
    type: "volume",
    name: "pg",
    source: "/var/lib/docker/volumes/pg/_data",
    destination: "/var/lib/postgresql/data",
    readWrite: true,
  };

  it("accuses the second of two servers on one source, and nobody touches either", () => {
    const second: SceneContainer = {
      ...db([], [ready], { mounts: [mount], startedAtMs: askedAtMs - 60_000 }),
      name: "db-copy",
    };
    const diagnosis = answer({ containers: [web([]), db([], [ready], { mounts: [mount] }), second] });
    expect(root(diagnosis)).toEqual(["pg-two-servers-one-volume", "db-copy"]);
    expect(diagnosis.handsOff).not.toBeNull();
  });

  it("does not mind a backup that mounts the same folder", () => {
    const backup: SceneContainer = {
      name: "backup",
      inspect: { image: "restic:0.16", command: ["restic", "backup"], mounts: [mount] },
    };
    expect(answer({ containers: [web([]), db([], [ready], { mounts: [mount] }), backup] }).rootCause).toBeNull();
  });
});

describe("caller's code and the server's settings", () => {
  it.each([
    ["schema-behind-code", "web", 'psycopg2.errors.UndefinedColumn: column "colour" does not exist'],
    ["pg-deadlock", "web", "psycopg2.errors.DeadlockDetected: deadlock detected"],
    ["pg-statement-timeout-low", "db", "psycopg2.errors.QueryCanceled: canceling statement due to statement timeout"],
    ["pg-read-only", "db", "psycopg2.errors.ReadOnlySqlTransaction: cannot execute INSERT in a read-only transaction"],
    ["pg-locks-exhausted", "db", "psycopg2.errors.OutOfMemory: out of shared memory"],
    ["pg-corruption", "db", "psycopg2.errors.DataCorrupted: invalid page in block 0 of relation base/16384/16385"],
  ])("%s at %s", (cause, culprit, said) => {
    expect(root(answer({ containers: [web([said]), db([])] }))).toEqual([cause, culprit]);
  });

  it("is told where the service itself logs nothing and the database does", () => {
    const logs = [ready, 'ERROR:  column "colour" does not exist at character 8'];
    expect(root(answer({ containers: [web([]), db([], logs)] }))).toEqual(["schema-behind-code", "web"]);
  });

  it("does not blame a setting for statements that wait for a lock", () => {
    const said = "canceling statement due to statement timeout";
    const titles = [webSession("SELECT waiting"), workerSession("idle in transaction")];
    expect(root(answer({ containers: [web([said]), db(titles), worker] }))).toEqual([
      "pg-idle-in-transaction-lock",
      "worker",
    ]);
  });

  it("names the container that sets the timeout", () => {
    const env = [{ ...url, value: `${url.value}?options=-c%20statement_timeout%3D200` }];
    expect(root(answer({ containers: [web(["canceling statement due to statement timeout"], env), db([])] }))).toEqual([
      "pg-statement-timeout-low",
      "web",
    ]);
  });
});

describe("empty volume", () => {
  const missing = at(5, 'psycopg2.errors.UndefinedTable: relation "orders" does not exist');
  const mounts: MountFacts[] = [
    { type: "volume", name: "f".repeat(64), source: "/v/f", destination: "/var/lib/postgresql/data", readWrite: true },
  ];
  const born = { createdAtMs: askedAtMs - 60_000, startedAtMs: askedAtMs - 59_000, mounts };
  const made = { type: "volume", action: "create", actorId: "f".repeat(64), name: null, atMs: askedAtMs - 60_000 };

  it("is told where an older client misses what a newly made volume does not hold", () => {
    const diagnosis = answer({
      containers: [web([missing]), db([], [at(58, "database system is ready to accept connections")], born)],
      events: [made],
    });
    expect(root(diagnosis)).toEqual(["pg-empty-volume", "db"]);
    expect(diagnosis.handsOff).not.toBeNull();
  });

  it("is not told on a first deployment, where the client is the younger one", () => {
    const client = web([missing], [url], { createdAtMs: askedAtMs - 30_000, startedAtMs: askedAtMs - 30_000 });
    expect(
      root(
        answer({
          containers: [client, db([], [at(58, "database system is ready to accept connections")], born)],
          events: [made],
        }),
      ),
    ).toEqual(["schema-behind-code", "web"]);
  });

  it("is not told where the volume is old", () => {
    expect(
      root(
        answer({
          containers: [web([missing]), db([], [at(58, "database system is ready to accept connections")], born)],
        }),
      ),
    ).toEqual(["schema-behind-code", "web"]);
  });
});

describe("slow query", () => {
  const slow = (id: number) => `LOG:  duration: 812.3 ms  statement: SELECT * FROM visits WHERE token = '${id}'`;

  it("is told by the same slow statement again and again", () => {
    const diagnosis = answer({
      containers: [web(["canceling statement due to statement timeout"]), db([], [ready, slow(1), slow(2), slow(3)])],
    });
    expect(root(diagnosis)).toEqual(["pg-missing-index", "db"]);
  });

  it("is told to who asks about slowness while its log goes on, though no session is seen at it", () => {
    const asked = { ...questionAbout("web"), target: { service: "web", symptom: "any" as const, host: null } };
    const told = (agoS: number) => {
      const logs = [1, 2, 3].map((id) => at(agoS - id, slow(id)));
      const caller = { ...web([]), probes: [{ path: "/healthz", httpStatus: 200 }] };
      return diagnose(asked, readingsOf({ containers: [caller, db([], [ready, ...logs])] })).diagnosis;
    };
    expect(root(told(5))).toEqual(["pg-missing-index", "db"]);
    expect(told(60).rootCause).toBeNull();
  });

  it("is not told by one slow statement of each kind", () => {
    const logs = [ready, slow(1), "LOG:  duration: 900.0 ms  statement: CREATE INDEX ON visits (token)"];
    expect(answer({ containers: [web([]), db([], logs)] }).rootCause).toBeNull();
  });
});

describe("redis", () => {
  it.each([
    ["redis-readonly-replica", "redis.exceptions.ReadOnlyError: You can't write against a read only replica."],
    [
      "redis-misconf",
      "redis.exceptions.ResponseError: MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    ],
    ["redis-keys-block", "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."],
  ])("%s is told by the words sent to its clients", (cause, said) => {
    expect(root(answer({ containers: [web([said], [redisUrl]), cache()] }))).toEqual([cause, "cache"]);
  });

  it("is blocked where clients time out and its only thread does not wait for requests", () => {
    const said = "redis.exceptions.TimeoutError: Timeout reading from cache:6379";
    expect(
      root(answer({ containers: [web([said], [redisUrl]), cache([], {}, { state: "R", waitChannel: null })] })),
    ).toEqual(["redis-keys-block", "cache"]);
    expect(answer({ containers: [web([said], [redisUrl]), cache()] }).rootCause).toBeNull();
  });

  it("evicts only where it is told to and somebody misses a session", () => {
    const command = ["redis-server", "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"];
    const lost = "WARN session 8812 not found, user logged out";
    expect(root(answer({ containers: [web([lost], [redisUrl]), cache([], { command })] }))).toEqual([
      "redis-evicting-sessions",
      "cache",
    ]);
    expect(
      answer({ containers: [web([lost], [redisUrl]), cache([], { command: ["redis-server"] })] }).rootCause,
    ).toBeNull();
  });
});

it("takes an index that a search server blocks for no read-only database", () => {
  const blocked = "[products] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)]";
  const search: SceneContainer = {
    name: "elastic",
    logs: [blocked],
    other: { "process-facts": sockets(9200) },
  };
  const shop = web(
    [`ERROR http://elastic:9200/products: ${blocked}`, "HTTP Error 500 http://elastic:9200/products"],
    [{ name: "SEARCH_URL", value: "http://elastic:9200/products", digest: "x" }],
  );
  const found = answer({ containers: [{ ...shop, probes: [{ path: "/search", httpStatus: 500 }] }, search] });
  expect(found.rootCause?.cause ?? "none").not.toBe("pg-read-only");
  expect(found.rootCause?.container ?? found.suspects[0]?.container).toBe("elastic");
});

import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { Finding } from "../../../src/core/diagnosis.ts";
import type { ProcessFacts, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const databaseUrl = { name: "DATABASE_URL", value: "postgres://app:[redacted]@db:5432/shop", digest: "x" };

function answer(...hosts: SceneHost[]) {
  return diagnose(questionAbout("web"), readingsOf(...hosts)).diagnosis;
}

function root(diagnosis: ReturnType<typeof answer>): [Finding["cause"], string | null] | string {
  return diagnosis.rootCause === null ? diagnosis.verdict : [diagnosis.rootCause.cause, diagnosis.rootCause.container];
}

function web(logs: string[], more: Partial<SceneContainer> = {}): SceneContainer {
  return { name: "web", logs, inspect: { env: [databaseUrl] }, ...more };
}

function db(
  titles: string[] | null,
  logs: string[] = ["database system is ready to accept connections"],
  more: Partial<SceneContainer["inspect"]> = {},
): SceneContainer {
  return {
    name: "db",
    logs,
    inspect: { image: "postgres:15", ...more },
    other: {
      "process-facts": sockets({ listeners: [{ address: "0.0.0.0", port: 5432 }] }),
      ...(titles === null ? {} : { "docker-top": titles.map(row) }),
    },
  };
}

function row(args: string, at: number): ProcessRow {
  return {
    pid: 5_000 + at,
    ppid: 1_000,
    uid: "999",
    state: null,
    rssBytes: null,
    elapsedS: null,
    waitChannel: null,
    command: "",
    args,
    cpuSeconds: 0,
  };
}

function sockets(more: Partial<ProcessFacts>): ProcessFacts {
  return {
    pid: 1_000,
    listeners: [],
    connections: [],
    listenOverflows: 0,
    listenDrops: 0,
    openFiles: 9,
    openFilesLimit: 1_024,
    interfaces: [],
    state: "S",
    waitChannel: null,
    threads: 1,
    tcpRetransmits: 0,
    tcpOutSegments: 10,
    ...more,
  };
}

/** Addresses follow the order of the containers: the first has 172.30.0.2. */
const titled = (address: string, state: string, at: number) => `postgres: app shop ${address}(${40_000 + at}) ${state}`;
const tooMany =
  'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: FATAL:  sorry, too many clients already';

describe("connection slots", () => {
  const worker: SceneContainer = { name: "worker", inspect: {} };
  const held = Array.from({ length: 9 }, (_, at) => titled("172.30.0.4", "idle", at));

  it("accuse the client that holds them, neither the server nor the one that is refused", () => {
    const diagnosis = answer({ containers: [web([tooMany]), db([...held, titled("172.30.0.2", "idle", 20)]), worker] });
    expect(root(diagnosis)).toEqual(["pg-too-many-connections", "worker"]);
    expect(diagnosis.rootCause?.shownBy?.container).toBe("db");
    expect(diagnosis.chain.map((link) => link.to)).toEqual(["db", "worker"]);
  });

  it("are told apart from the reserved ones by the server's words", () => {
    const said = tooMany.replace(
      "sorry, too many clients already",
      "remaining connection slots are reserved for superusers",
    );
    expect(root(answer({ containers: [web([said]), db(held), worker] }))).toEqual(["pg-reserved-slots", "worker"]);
  });

  it("are counted in the socket table of a server without titles", () => {
    const connections = Array.from({ length: 8 }, (_, at) => ({
      address: "172.30.0.3",
      port: 5432,
      remoteAddress: "172.30.0.4",
      remotePort: 41_000 + at,
      state: "ESTABLISHED",
    }));
    const server = {
      ...db(null),
      other: { "process-facts": sockets({ listeners: [{ address: "0.0.0.0", port: 5432 }], connections }) },
    };
    expect(root(answer({ containers: [web([tooMany]), server, worker] }))).toEqual([
      "pg-too-many-connections",
      "worker",
    ]);
  });

  it("accuse nobody when nobody could be counted, and name the server as where the trail ends", () => {
    const diagnosis = answer({ containers: [web([tooMany]), db(null), worker] });
    expect(root(diagnosis)).toBe("inconclusive");
    expect(diagnosis.suspects.map((suspect) => suspect.container)).toContain("db");
  });

  it("say nothing of an old refusal", () => {
    const old = `2026-01-01T09:00:00.000Z ${tooMany}`;
    expect(answer({ containers: [web([old]), db(held), worker] }).rootCause).toBeNull();
  });
});

describe("pool", () => {
  const exhausted =
    "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 0 reached, connection timed out, timeout 30.00";

  it("leaks where its connections do nothing and the server has free slots", () => {
    const idle = Array.from({ length: 5 }, (_, at) => titled("172.30.0.2", "idle", at));
    expect(root(answer({ containers: [web([exhausted]), db(idle)] }))).toEqual(["pool-leak-in-web", "web"]);
  });

  it("does not leak where its connections work or wait", () => {
    const busy = Array.from({ length: 5 }, (_, at) => titled("172.30.0.2", "SELECT waiting", at));
    const diagnosis = answer({
      containers: [web([exhausted]), db([...busy, titled("172.30.0.4", "idle in transaction", 9)]), { name: "worker" }],
    });
    expect(root(diagnosis)).toEqual(["pg-idle-in-transaction-lock", "worker"]);
  });

  const closed = (atS: number) =>
    `${new Date(askedAtMs - atS * 1_000).toISOString()} psycopg2.InterfaceError: connection already closed`;

  it("is stale where it goes on with dead connections after the server is back", () => {
    const server = db([], ["database system is ready to accept connections"], { startedAtMs: askedAtMs - 60_000 });
    expect(root(answer({ containers: [web([closed(5), closed(2)]), server] }))).toEqual([
      "stale-pool-after-db-restart",
      "web",
    ]);
  });

  it("is not stale when the server was not restarted since", () => {
    const ready = "2026-01-01T10:00:00.000Z database system is ready to accept connections";
    expect(answer({ containers: [web([closed(5), closed(2)]), db([], [ready])] }).rootCause).toBeNull();
  });
});

describe("starting", () => {
  const startingUp =
    'connection to server at "db" (172.30.0.3), port 5432 failed: FATAL:  the database system is starting up';

  it("keeps its hands off a server that replays its log", () => {
    const diagnosis = answer({
      containers: [
        web([startingUp]),
        db(
          ["postgres: startup recovering 000000010000000000000042"],
          [
            "database system was not properly shut down; automatic recovery in progress",
            "redo in progress, elapsed time: 10.00 s, current LSN: 0/5A2B3C8",
          ],
        ),
      ],
    });
    expect(root(diagnosis)).toEqual(["pg-crash-recovery", "db"]);
    expect(diagnosis.handsOff).not.toBeNull();
  });

  it("does not take a server that is ready again for one in recovery", () => {
    const logs = [
      "database system was not properly shut down; automatic recovery in progress",
      "database system is ready to accept connections",
    ];
    expect(answer({ containers: [web([]), db([], logs)] }).rootCause).toBeNull();
  });

  it("waits for a server that has just been started", () => {
    const server = { ...db([], [], { startedAtMs: askedAtMs - 15_000 }), other: { "process-facts": sockets({}) } };
    expect(root(answer({ containers: [web([startingUp]), server] }))).toEqual(["dep-starting", "db"]);
  });

  it("takes a young container that lost its listener after its check passed for no starting one", () => {
    const refused = "Error: connect ECONNREFUSED db:5432";
    const of = (status: "starting" | "healthy") => ({
      ...db([], [], { startedAtMs: askedAtMs - 15_000, health: { status, failingStreak: 0, results: [] } as never }),
      other: { "process-facts": sockets({}) },
    });
    expect(answer({ containers: [web([refused]), of("starting")] }).rootCause?.cause).toBe("dep-starting");
    expect(answer({ containers: [web([refused]), of("healthy")] }).rootCause?.cause).not.toBe("dep-starting");
  });

  it("leaves a crash loop to others, which is young at every look", () => {
    const server = {
      ...db([], [], { startedAtMs: askedAtMs - 15_000, restartCount: 7 }),
      other: { "process-facts": sockets({}) },
    };
    expect(answer({ containers: [web([startingUp]), server] }).rootCause?.cause).not.toBe("dep-starting");
  });

  it("tells a cache that loads its data", () => {
    const cache: SceneContainer = {
      name: "cache",
      inspect: { image: "redis:7", startedAtMs: askedAtMs - 20_000 },
      logs: ["Loading RDB produced by version 7.0.0"],
    };
    const asker = web(["redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory"], {
      inspect: { env: [{ name: "REDIS_URL", value: "redis://cache:6379/0", digest: "x" }] },
    });
    expect(root(answer({ containers: [asker, cache] }))).toEqual(["redis-loading", "cache"]);
  });
});

describe("outside peer", () => {
  const refused =
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.rates.example', port=443): Max retries exceeded (Connection refused)";

  it("is accused without a container", () => {
    expect(root(answer({ containers: [web([refused])] }))).toEqual(["external-api-down", null]);
  });

  it("is not accused while a registered host cannot be seen; that host is named", () => {
    const readings = readingsOf(
      { containers: [web([refused])] },
      { name: "h2", containers: [], failed: [{ source: "docker-list", reason: "connection timed out" }] },
    );
    const { diagnosis } = diagnose(questionAbout("web", ["h1", "h2"]), readings);
    expect(root(diagnosis)).toBe("inconclusive");
    expect(diagnosis.suspects[0]?.host).toBe("h2");
  });

  it("is not a bare name, which may be a container that is gone", () => {
    expect(answer({ containers: [web(["getaddrinfo ENOTFOUND payments"])] }).rootCause?.cause).not.toBe(
      "external-api-down",
    );
  });
});

describe("repetition and circles", () => {
  it("names the one record that is delivered again and again", () => {
    const again = Array.from({ length: 4 }, () => "ERROR message ord-77 rejected: bad total, requeued");
    expect(root(answer({ containers: [web([...again, "done ord-78"], { inspect: {} })] }))).toEqual([
      "poison-message",
      "web",
    ]);
  });

  it("says nothing when every record fails once", () => {
    const each = Array.from({ length: 4 }, (_, at) => `ERROR message ord-${at} rejected, requeued`);
    expect(answer({ containers: [web(each, { inspect: {} })] }).rootCause).toBeNull();
  });

  it("finds two services that wait for each other", () => {
    const waits = (name: string, peer: string): SceneContainer => ({
      name,
      logs: [`waiting for ${peer}:8000`],
      inspect: { env: [{ name: "PEER_URL", value: `http://${peer}:8000`, digest: "x" }] },
      other: { "process-facts": sockets({}) },
    });
    expect(root(answer({ containers: [waits("web", "auth"), waits("auth", "web")] }))).toEqual([
      "start-order-cycle",
      "auth",
    ]);
  });

  it("finds no circle when one of them listens", () => {
    const auth: SceneContainer = {
      name: "auth",
      logs: ["waiting for web:8000"],
      other: { "process-facts": sockets({ listeners: [{ address: "0.0.0.0", port: 8000 }] }) },
    };
    const asker = web(["waiting for auth:8000"], { other: { "process-facts": sockets({}) }, inspect: {} });
    expect(answer({ containers: [asker, auth] }).rootCause?.cause).not.toBe("start-order-cycle");
  });

  it("sees a storm only where the peer is back and the rate is no user's", () => {
    const line = (at: number) =>
      `${new Date(askedAtMs - 5_000 + at * 20).toISOString()} call to db:5432 failed: connection to db:5432 timed out, retrying, attempt ${at}`;
    const storm = web(Array.from({ length: 120 }, (_, at) => line(at)));
    const events = [
      { name: "db", action: "pause", atMs: askedAtMs - 20_000 },
      { name: "db", action: "unpause", atMs: askedAtMs - 8_000 },
    ];
    expect(root(answer({ containers: [storm, db([])], events }))).toEqual(["retry-storm", "web"]);
    expect(answer({ containers: [storm, db([])] }).rootCause).toBeNull();
  });
});

describe("abstaining", () => {
  const served = (path: string, status: number) =>
    `10.0.0.9 - - [01/Jan/2026:11:59:50 +0000] "GET ${path} HTTP/1.1" ${status} 12`;

  it("finds no fault where clients send wrong requests", () => {
    const logs = Array.from({ length: 8 }, () => served("/old", 404));
    const diagnosis = answer({ containers: [web(logs, { probes: [{ path: "/" }] })] });
    expect(diagnosis.verdict).toBe("no-fault-found");
    expect(diagnosis.contributingFactors.map((finding) => finding.cause)).toContain("client-errors");
  });

  it("finds no fault where errors are logged and every request is answered", () => {
    const logs = Array.from({ length: 8 }, () => [
      "ERROR metrics push to http://pushgw:9091 failed: Connection refused",
      served("/items", 200),
    ]).flat();
    expect(answer({ containers: [web(logs, { probes: [{ path: "/healthz" }], inspect: {} })] }).verdict).toBe(
      "no-fault-found",
    );
  });

  it("stays inconclusive where single requests fail between many that work, though every probe works", () => {
    const logs = Array.from({ length: 60 }, (_, at) => served("/items", at % 25 === 10 ? 500 : 200));
    expect(
      answer({ containers: [web(logs, { probes: [{ path: "/items" }, { path: "/" }], inspect: {} })] }).verdict,
    ).toBe("inconclusive");
  });

  it("says that the cause is unknown where the service certainly fails by itself", () => {
    const server = { ...db([]), probes: [{ kind: "tcp" as const, path: null, port: 5432, httpStatus: null }] };
    const diagnosis = answer({
      containers: [web([served("/items", 500)], { probes: [{ path: "/items", httpStatus: 500 }] }), server],
    });
    expect(root(diagnosis)).toEqual(["unknown-cause", "web"]);
  });

  it("does not say so while what it depends on was not seen to work", () => {
    const diagnosis = answer({
      containers: [web([served("/items", 500)], { probes: [{ path: "/items", httpStatus: 500 }] }), db([])],
    });
    expect(root(diagnosis)).toBe("inconclusive");
  });

  it("leaves a container alone that a person is repairing", () => {
    const at = (s: number) => askedAtMs - s * 1_000;
    const failing = `${new Date(at(100)).toISOString()} psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused`;
    const events = [
      { name: "db", action: "exec_create: bash", atMs: at(40) },
      { name: "db", action: "restart", atMs: at(20) },
    ];
    const diagnosis = answer({
      containers: [web([failing]), db([], ["database system is ready to accept connections"], { startedAtMs: at(20) })],
      events,
    });
    expect(root(diagnosis)).toEqual(["operator-already-acting", "db"]);
    expect(diagnosis.handsOff).not.toBeNull();
  });

  it("does not take a restart before the trouble for a repair", () => {
    const at = (s: number) => askedAtMs - s * 1_000;
    const failing = `${new Date(at(5)).toISOString()} psycopg2.InterfaceError: connection already closed`;
    const events = [
      { name: "db", action: "exec_create: psql", atMs: at(40) },
      { name: "db", action: "restart", atMs: at(20) },
    ];
    const diagnosis = answer({
      containers: [web([failing]), db([], ["database system is ready to accept connections"], { startedAtMs: at(20) })],
      events,
    });
    expect(diagnosis.rootCause?.cause).not.toBe("operator-already-acting");
  });
});

describe("a chain whose middle says nothing", () => {
  const mid = { name: "mid", inspect: { env: [{ name: "UP", value: "kv:6379", digest: "x" }] }, logs: [] };
  const asks = "ERROR upstream http://mid:9090/: HTTP Error 500: Internal Server Error";
  const front: SceneContainer = {
    name: "web",
    logs: [asks],
    inspect: { env: [{ name: "UPSTREAM", value: "http://mid:9090/", digest: "x" }] },
    probes: [{ path: "/orders", httpStatus: 500 }],
  };
  const stopped: SceneContainer = {
    name: "kv",
    inspect: { status: "exited", exitCode: 0, running: false, finishedAtMs: askedAtMs - 60_000 },
  };
  const events = [
    { name: "kv", action: "kill", atMs: askedAtMs - 60_200, attributes: { signal: "15" } },
    { name: "kv", action: "die", atMs: askedAtMs - 60_000, attributes: { exitCode: "0" } },
    { name: "kv", action: "stop", atMs: askedAtMs - 59_900 },
  ];

  it("goes on to what the silent one is configured to need", () => {
    expect(root(answer({ containers: [front, mid, stopped], events }))).toEqual(["dep-stopped", "kv"]);
  });

  it("does not, where the failures go on elsewhere", () => {
    const other = { ...mid, logs: ["dial tcp 172.30.0.5:7000: connect: connection refused"] };
    expect(root(answer({ containers: [front, other, stopped, { name: "pay" }], events }))).not.toEqual([
      "dep-stopped",
      "kv",
    ]);
  });
});

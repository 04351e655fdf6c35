import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ContainerInspect, EnvVar, ProbeResult, ProcessFacts } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const failed = '10.0.0.9 - - [01/Jan/2026:11:59:50 +0000] "GET /work HTTP/1.1" 500 -';
const env = (name: string, value: string): EnvVar => ({ name, value, digest: value });
const dsn = (place: string, more = "") => env("DATABASE_URL", `postgresql://app:x@${place}/shop${more}`);

function web(
  logs: string[],
  inspect: Partial<ContainerInspect> = {},
  more: Partial<SceneContainer> = {},
): SceneContainer {
  return { name: "web", inspect, logs: [...logs, failed], ...more };
}

const listening = (port: number): ProcessFacts => ({
  pid: 1_001,
  listeners: [{ address: "0.0.0.0", port }],
  connections: [],
  listenOverflows: 0,
  listenDrops: 0,
  openFiles: 12,
  openFilesLimit: 1_024,
  interfaces: [],
  state: "S",
  waitChannel: null,
  threads: 1,
  tcpRetransmits: 0,
  tcpOutSegments: 0,
});

const db = (logs: string[] = [], more: Partial<SceneContainer> = {}): SceneContainer => ({
  name: "db",
  inspect: { image: "postgres:15" },
  logs: ["LOG:  database system is ready to accept connections", ...logs],
  other: { "process-facts": listening(5432) },
  ...more,
});

const ask = (host: SceneHost, service = "web") => diagnose(questionAbout(service), readingsOf(host)).diagnosis;
const rootOf = (host: SceneHost, service = "web") => {
  const root = ask(host, service).rootCause;
  return root === null ? null : `${root.cause} at ${root.container}`;
};

describe("wrong-peer", () => {
  const unknown = (host: string) =>
    `psycopg2.OperationalError: could not translate host name "${host}" to address: Name or service not known`;

  it("blames the setting that names nobody, and sees who may be meant", () => {
    const said = ask({ containers: [web([unknown("database")], { env: [dsn("database:5432")] }), db()] });
    expect(said.rootCause).toMatchObject({ cause: "env-wrong-host", container: "web" });
    expect(said.rootCause?.summary).toContain("db may be meant");
  });

  it("is silent about a name that somebody had, and about a name of the outside", () => {
    const gone = { name: "database", action: "destroy", actorId: "f".repeat(64), atMs: askedAtMs - 30_000 };
    const removed = { containers: [web([unknown("database")], { env: [dsn("database:5432")] }), db()], events: [gone] };
    expect(rootOf(removed)).not.toBe("env-wrong-host at web");
    const outside = {
      containers: [web([unknown("api.example.com")], { env: [env("API_URL", "https://api.example.com/v1")] })],
    };
    expect(rootOf(outside)).not.toBe("env-wrong-host at web");
  });

  it("tells a wrong port from a server that is down", () => {
    const refused =
      'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5433 failed: Connection refused';
    expect(rootOf({ containers: [web([refused], { env: [dsn("db:5433")] }), db()] })).toBe("env-wrong-host at web");
    const unread = { containers: [web([refused], { env: [dsn("db:5433")] }), db([], { other: {} })] };
    expect(rootOf(unread)).not.toBe("env-wrong-host at web");
  });

  it("says given twice where the losing value would have been right", () => {
    const twice = [env("DATABASE_URL", "postgresql://app:x@db:5432/shop"), dsn("database:5432")];
    expect(rootOf({ containers: [web([unknown("database")], { env: twice }), db()] })).toBe("env-shadowed at web");
  });
});

describe("database-access", () => {
  const at = 'connection to server at "db" (172.30.0.3), port 5432 failed: FATAL:  ';
  const scene = (client: string, server: string[] = [], setting = dsn("db:5432")) => ({
    containers: [web([`psycopg2.OperationalError: ${at}${client}`], { env: [setting] }), db(server)],
  });

  it.each([
    ['role "app" does not exist', "db-role-missing at db"],
    ['role "app" is not permitted to log in', "db-role-missing at db"],
    ['database "shop" does not exist', "db-name-missing at db"],
    ['no pg_hba.conf entry for host "172.30.0.2", user "app", database "shop", no encryption', "pg-hba-reject at db"],
    ['password authentication failed for user "app"', "secret-rotated-stale-env at web"],
  ])("reads %s as %s", (said, expected) => {
    expect(rootOf(scene(said))).toBe(expected);
  });

  it("believes the server's own log about a role that clients are told is a wrong password", () => {
    const said = 'password authentication failed for user "app"';
    expect(rootOf(scene(said, [`FATAL:  ${said}`, 'DETAIL:  Role "app" does not exist.']))).toBe(
      "db-role-missing at db",
    );
  });

  it("blames the client that insists on TLS, or that refuses it", () => {
    const none = "psycopg2.OperationalError: server does not support SSL, but SSL was required";
    expect(rootOf({ containers: [web([none], { env: [dsn("db:5432", "?sslmode=require")] }), db()] })).toBe(
      "ssl-required at web",
    );
    const entry = 'no pg_hba.conf entry for host "172.30.0.2", user "app", database "shop", no encryption';
    const plain = scene(entry, [], dsn("db:5432", "?sslmode=disable"));
    expect(rootOf(plain)).toBe("pg-hba-reject at db");
    plain.containers[1] = db([], { inspect: { image: "postgres:15", command: ["postgres", "-c", "ssl=on"] } });
    expect(rootOf(plain)).toBe("ssl-required at web");
  });

  it("blames Redis for a password its clients do not know", () => {
    const cache = { name: "cache", inspect: { image: "redis:7" }, other: { "process-facts": listening(6379) } };
    const line = "redis.exceptions.AuthenticationError: Authentication required.";
    expect(rootOf({ containers: [web([line], { env: [env("CACHE_URL", "redis://cache:6379/0")] }), cache] })).toBe(
      "redis-auth at cache",
    );
  });

  it("is silent about a server that does not run", () => {
    const stopped = scene('role "app" does not exist');
    stopped.containers[1] = db([], { inspect: { image: "postgres:15", status: "exited" } });
    expect(rootOf(stopped)).not.toBe("db-role-missing at db");
  });
});

describe("settings", () => {
  const ended: Partial<ContainerInspect> = { status: "exited", exitCode: 1, finishedAtMs: askedAtMs - 5_000 };

  it("believes a missing setting only when it is not there", () => {
    const line = "fatal: required environment variable SESSION_SECRET is not set";
    expect(rootOf({ containers: [web([line], ended)] })).toBe("env-missing at web");
    const there = { ...ended, env: [env("SESSION_SECRET", "[redacted]")] };
    expect(rootOf({ containers: [web([line], there)] })).not.toBe("env-missing at web");
  });

  it("sees a folder where a file was to be mounted", () => {
    const mounts = [
      { type: "bind", name: null, source: "/srv/app.yaml", destination: "/etc/app.yaml", readWrite: true },
    ];
    const line = "IsADirectoryError: [Errno 21] Is a directory: '/etc/app.yaml'";
    expect(rootOf({ containers: [web([line], { ...ended, mounts })] })).toBe("config-mount-is-directory at web");
    expect(rootOf({ containers: [web([line], ended)] })).not.toBe("config-mount-is-directory at web");
  });

  it("tells a proxy that cannot start from one that goes on after a refused reload", () => {
    const line = '2026/01/01 11:59:50 [emerg] 1#1: unknown directive "serve" in /etc/nginx/nginx.conf:3';
    const down = { name: "web", inspect: { ...ended, image: "nginx" }, logs: [line] };
    expect(rootOf({ containers: [down] })).toBe("nginx-syntax at web");
    const up = { name: "web", inspect: { image: "nginx" }, logs: [line], probes: [{ path: "/", httpStatus: 200 }] };
    expect(ask({ containers: [up] })).toMatchObject({
      verdict: "no-fault-found",
      contributingFactors: [{ cause: "bad-reload-kept-old" }],
    });
    const missing = {
      ...down,
      logs: ['2026/01/01 11:59:50 [emerg] 1#1: host not found in upstream "api" in /etc/nginx/nginx.conf:3'],
    };
    expect(rootOf({ containers: [missing] })).not.toBe("nginx-syntax at web");
  });
});

describe("proxy-limits", () => {
  const upstream = 'request: "GET /slow HTTP/1.1", upstream: "http://172.30.0.3:8000/slow", host: "edge"';
  const late = `2026/01/01 11:59:50 [error] 7#7: *1 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 172.30.0.9, server: , ${upstream}`;
  const edge = (logs: string[]) => ({ name: "edge", inspect: { image: "nginx" }, logs });
  const gateway = '172.30.0.9 - - [01/Jan/2026:11:59:50 +0000] "GET /slow HTTP/1.1" 504 167';

  it("blames the proxy's patience when the service finishes the same request", () => {
    const api = { name: "api", logs: ['172.30.0.2 - - [01/Jan/2026:11:59:51 +0000] "GET /slow HTTP/1.1" 200 -'] };
    expect(rootOf({ containers: [edge([late, gateway]), api] }, "edge")).toBe("nginx-timeout-too-short at edge");
    const hung = { name: "api", logs: [] };
    const asked = (durationMs: number) => ({
      ...hung,
      probes: [{ kind: "http" as const, port: 8000, path: "/slow", httpStatus: 200, durationMs }],
    });
    expect(rootOf({ containers: [edge([late, gateway]), asked(2_204)] }, "edge")).toBe(
      "nginx-timeout-too-short at edge",
    );
    expect(rootOf({ containers: [edge([late, gateway]), asked(12)] }, "edge")).not.toBe(
      "nginx-timeout-too-short at edge",
    );
    expect(rootOf({ containers: [edge([late, gateway]), hung] }, "edge")).not.toBe("nginx-timeout-too-short at edge");
  });

  it.each([
    ['[error] 7#7: *9 limiting requests, excess: 5.4 by zone "all", client: 172.30.0.9, server: ', "rate-limited"],
    ["[error] 7#7: *9 client intended to send too large body: 20000 bytes, client: 172.30.0.9", "body-too-large"],
    ["[alert] 7#7: 6 worker_connections are not enough", "worker-connections"],
  ])("reads %s", (line, cause) => {
    expect(rootOf({ containers: [edge([`2026/01/01 11:59:50 ${line}`])] }, "edge")).toBe(`${cause} at edge`);
  });

  it("does not take the limit of a service it calls for its own", () => {
    const line = "stripe.RateLimitError: rate limit exceeded, retry later";
    expect(rootOf({ containers: [web([line])] })).not.toBe("rate-limited at web");
  });
});

describe("switches", () => {
  const refusing = (more: Partial<ProbeResult>) => ({ path: "/work", httpStatus: 503, expectedStatus: 200, ...more });

  it("finds no fault in a service that says it is under maintenance", () => {
    const scene = {
      containers: [web([], {}, { probes: [refusing({ bodyExcerpt: "Down for scheduled maintenance" })] })],
    };
    expect(ask(scene).verdict).toBe("no-fault-found");
    const mute = { containers: [web([], {}, { probes: [refusing({ bodyExcerpt: "oops" })] })] };
    expect(ask(mute).verdict).not.toBe("no-fault-found");
  });

  it("blames a switch that was turned just before one path failed", () => {
    const stamp = (s: number) => new Date(askedAtMs - s * 1_000).toISOString();
    const logs = [
      `${stamp(50)} feature flag new_checkout enabled by ops`,
      `${stamp(40)} "GET /work HTTP/1.1" 500 -`,
      `${stamp(40)} "GET /list HTTP/1.1" 200 -`,
    ];
    expect(rootOf({ containers: [{ name: "web", logs }] })).toBe("feature-flag-flip at web");
    expect(rootOf({ containers: [{ name: "web", logs: logs.slice(1) }] })).not.toBe("feature-flag-flip at web");
  });
});

describe("wording", () => {
  it("reads a message that a JSON logger wrapped into one line, with its quotes and its lines", () => {
    const wrapped =
      '{"level":"error","msg":"Traceback (most recent call last):\\n  File \\"app.py\\", line 1\\npsycopg2.OperationalError: connection to server at \\"db\\" (172.30.0.3), port 5432 failed: FATAL:  database \\"shop\\" does not exist\\n"}';
    expect(rootOf({ containers: [web([wrapped], { env: [dsn("db:5432")] }), db()] })).toBe("db-name-missing at db");
  });
});

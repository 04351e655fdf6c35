import { describe, expect, it } from "vitest";
import { changeAdvice } from "../../../src/core/changes.ts";
import { diagnose } from "../../../src/core/diagnose.ts";
import { personExecs } from "../../../src/core/hands.ts";
import { propose } from "../../../src/core/propose.ts";
import type { DockerEvent } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;
const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "test" };

function ask(...hosts: SceneHost[]) {
  return diagnose(
    questionAbout(
      "web",
      hosts.map((host) => host.name ?? "h1"),
    ),
    readingsOf(...hosts),
  );
}

const caller: SceneContainer = {
  name: "web",
  inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }] },
  logs: ['could not translate host name "db" to address: Name or service not known'],
  probes: [{ path: "/items", httpStatus: 500 }],
};

const gone = (name: string, ago: number): Partial<DockerEvent> => ({
  name,
  action: "destroy",
  atMs: at(ago),
  attributes: { name, image: "postgres:15" },
});

describe("a container that was removed", () => {
  it("is found by the name its caller still uses", () => {
    const { diagnosis } = ask({ containers: [caller], events: [gone("db", 60)] });
    expect(diagnosis.rootCause).toMatchObject({ cause: "human-rm", container: "db", confidence: "confirmed" });
    expect(diagnosis.chain.map((link) => `${link.from} ${link.to}`)).toEqual(["web db"]);
  });

  it("was lost with its data when a volume it had mounted was removed minutes later, and nothing may be done", () => {
    const mount = {
      type: "volume",
      actorId: "pgdata",
      action: "mount",
      atMs: at(4_000),
      attributes: { container: idOf("db") },
    };
    const lost = { type: "volume", actorId: "pgdata", action: "destroy", atMs: at(60), attributes: {} };
    const told = ask({ containers: [caller], events: [mount, gone("db", 300), lost] });
    expect(told.diagnosis.rootCause?.cause).toBe("human-rm-volumes");
    expect(propose(told, policy).plan).toBeNull();
  });

  it("keeps its data when the removed volume was another's", () => {
    const mount = {
      type: "volume",
      actorId: "pgdata",
      action: "mount",
      atMs: at(4_000),
      attributes: { container: idOf("db") },
    };
    const other = { type: "volume", actorId: "scratch", action: "destroy", atMs: at(299), attributes: {} };
    expect(ask({ containers: [caller], events: [mount, gone("db", 300), other] }).diagnosis.rootCause?.cause).toBe(
      "human-rm",
    );
  });

  it("fell to a clean-up when the engine told of a prune right after", () => {
    const prune = { type: "container", actorId: "", action: "prune", atMs: at(59), attributes: {} };
    expect(ask({ containers: [caller], events: [gone("db", 60), prune] }).diagnosis.rootCause?.cause).toBe(
      "human-prune",
    );
  });

  it("is not accused when another container took its name since", () => {
    const reborn = { name: "db", actorId: idOf("another db"), action: "create", atMs: at(50) };
    expect(
      ask({ containers: [caller], events: [gone("db", 60), reborn] }).diagnosis.rootCause?.cause ?? "none",
    ).not.toMatch(/human/);
  });

  it("is told as removed when it is itself what was asked about", () => {
    expect(ask({ containers: [{ name: "other" }], events: [gone("web", 60)] }).diagnosis.rootCause).toMatchObject({
      cause: "human-rm",
      container: "web",
    });
  });

  it("is not known without the events", () => {
    const { diagnosis } = ask({ containers: [caller], failed: [{ source: "docker-events", reason: "denied" }] });
    expect(diagnosis.rootCause?.cause ?? "none").not.toMatch(/human/);
  });
});

describe("a hand inside a container", () => {
  const broken: SceneContainer = {
    name: "web",
    logs: ["Traceback (most recent call last):", "KeyError: 'vat'", '10.0.0.9 - - "GET /items HTTP/1.1" 500 5'],
    probes: [{ path: "/items", httpStatus: 500 }],
  };
  const exec = (command: string, ago: number): Partial<DockerEvent> => ({
    name: "web",
    action: `exec_create: ${command}`,
    atMs: at(ago),
    attributes: { execID: "e1" },
  });
  const changed = (path: string) => ({ "docker-changes": [{ path, kind: "modified" as const }] });

  it("changed a file, and it fails since", () => {
    const edited = { ...broken, other: changed("/app/settings.json") };
    expect(
      ask({ containers: [edited], events: [exec("sh -c sed -i s/vat/tax/ /app/settings.json", 60)] }).diagnosis
        .rootCause?.cause,
    ).toBe("human-exec-edit");
  });

  it.each([
    ["only its own log differs", { ...broken, other: changed("/var/log/app.log") }, 60],
    ["it failed before the session", { ...broken, other: changed("/app/settings.json") }, 2],
    ["nothing was compared", broken, 60],
  ])("is not accused when %s", (_, web, ago) => {
    expect(ask({ containers: [web], events: [exec("sh", ago)] }).diagnosis.rootCause?.cause).not.toBe(
      "human-exec-edit",
    );
  });

  it("killed a process below a main process that lives on", () => {
    const web: SceneContainer = { name: "web", probes: [{ path: "/", httpStatus: null, failure: "refused" }] };
    expect(ask({ containers: [web], events: [exec("sh -c kill -9 17", 60)] }).diagnosis.rootCause?.cause).toBe(
      "human-exec-kill",
    );
    expect(ask({ containers: [web], events: [exec("kill -HUP 1", 60)] }).diagnosis.rootCause?.cause).not.toBe(
      "human-exec-kill",
    );
  });

  it("is told from the engine's own health check", () => {
    const healthcheck = {
      test: ["CMD-SHELL", "kill -0 1"],
      intervalMs: 1_000,
      timeoutMs: 1_000,
      retries: 3,
      startPeriodMs: 0,
    };
    const { world } = ask({
      containers: [{ name: "web", inspect: { healthcheck } }],
      events: [exec("/bin/sh -c kill -0 1", 5), exec("bash", 4)],
    });
    expect(world.containers.flatMap(personExecs).map((entry) => entry.command)).toEqual(["bash"]);
  });
});

describe("work that is not to be disturbed", () => {
  const stopped = (labels: Record<string, string>): SceneContainer => ({
    name: "db",
    inspect: { status: "exited", exitCode: 0, finishedAtMs: at(60), labels },
  });
  const byHand = [
    { name: "db", action: "kill", atMs: at(61), attributes: { signal: "15" } },
    { name: "db", action: "die", atMs: at(60), attributes: { exitCode: "0" } },
    { name: "db", action: "stop", atMs: at(60) },
  ];

  it.each([
    { maintenance: "true" },
    { "com.example.maintenance": "disk swap until 18:00" },
    { "ops.status": "maintenance" },
  ])("is announced by %o, and no plan is offered", (labels) => {
    const told = ask({ containers: [caller, stopped(labels)], events: byHand });
    expect(told.diagnosis.rootCause).toMatchObject({ cause: "planned-maintenance", container: "db" });
    expect(propose(told, policy).plan).toBeNull();
  });

  it.each([{ maintenance: "false" }, { maintainer: "team@example.com" }, { "maintenance-window": "sun 02:00" }])(
    "is not announced by %o",
    (labels) => {
      expect(ask({ containers: [caller, stopped(labels)], events: byHand }).diagnosis.rootCause?.cause).toBe(
        "dep-stopped",
      );
    },
  );

  it("is a backup that others wait for", () => {
    const waiting = { ...caller, logs: ["psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout"] };
    const dump: SceneContainer = {
      name: "nightly",
      inspect: { command: ["sh", "-c", "pg_dump -h db -U app shop > /backup/shop.sql"] },
    };
    const told = ask({ containers: [waiting, { name: "db", inspect: { image: "postgres:15" } }, dump] });
    expect(told.diagnosis.rootCause).toMatchObject({ cause: "backup-running", container: "nightly" });
    expect(propose(told, policy).plan).toBeNull();
    const without = ask({ containers: [waiting, { name: "db", inspect: { image: "postgres:15" } }] });
    expect(without.diagnosis.rootCause?.cause).not.toBe("backup-running");
  });
});

it("is on the wrong host when the twin on the rehearsal host runs on", () => {
  const stop = [
    { name: "web", action: "kill", atMs: at(61), attributes: { signal: "15" } },
    { name: "web", action: "die", atMs: at(60), attributes: { exitCode: "0" } },
    { name: "web", action: "stop", atMs: at(60) },
  ];
  const web: SceneContainer = { name: "web", inspect: { status: "exited", exitCode: 0, finishedAtMs: at(60) } };
  const scene = (twin: string) =>
    ask({ name: "prod-1", containers: [web], events: stop }, { name: twin, containers: [{ name: "web" }] }).diagnosis
      .rootCause;
  expect(scene("staging-1")).toMatchObject({ cause: "human-wrong-host", host: "prod-1" });
  expect(scene("prod-2")?.cause).not.toBe("human-wrong-host");
});

it("lists what changed before, without calling it a cause", () => {
  const events = [
    { name: "web", action: "update", atMs: at(120) },
    { type: "image", name: "shop:2", action: "tag", atMs: at(90), attributes: { name: "shop:2" } },
    { name: "batch", action: "restart", atMs: at(80) },
  ];
  const { world } = ask({ containers: [caller], events });
  const told = changeAdvice(world, askedAtMs, ["web"]);
  expect(told).toContain("proves nothing");
  expect(told).toContain("web was changed by docker update");
  expect(told).not.toContain("batch");
  expect(changeAdvice(world, at(7_200), ["web"])).toBeNull();
});

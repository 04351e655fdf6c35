import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import type { ContainerInspect, ProcessFacts } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer } from "../scene.ts";

const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "test" };
const ask = (...containers: SceneContainer[]) => diagnose(questionAbout("web"), readingsOf({ containers }));

function check(test: string, timeoutMs = 30_000): ContainerInspect["healthcheck"] {
  return { test: ["CMD-SHELL", test], intervalMs: 5_000, timeoutMs, retries: 3, startPeriodMs: 0 };
}

function health(status: string, exitCode: number, output: string): ContainerInspect["health"] {
  const entry = { startAtMs: askedAtMs - 2_000, endAtMs: askedAtMs - 1_000, exitCode, output };
  return { status, failingStreak: exitCode === 0 ? 0 : 3, log: [entry, entry, entry] };
}

const listening: ProcessFacts = {
  pid: 9,
  listeners: [{ address: "0.0.0.0", port: 8000 }],
  connections: [],
  listenOverflows: 0,
  listenDrops: 0,
  openFiles: null,
  openFilesLimit: null,
  interfaces: [],
  state: "S",
  waitChannel: "futex_wait_queue",
  threads: 4,
  tcpRetransmits: null,
  tcpOutSegments: null,
};

describe("a health check that fails while the service works", () => {
  const works = (test: string, exitCode: number, output: string, timeoutMs?: number): SceneContainer => ({
    name: "web",
    inspect: { healthcheck: check(test, timeoutMs), health: health("unhealthy", exitCode, output) },
    probes: [{ path: "/", httpStatus: 200 }],
    other: { "process-facts": listening },
  });

  it.each([
    ["the tool is not there", works("curl -f localhost:8000", 127, "/bin/sh: curl: not found")],
    ["the port is wrong", works("nc -z localhost 9999", 1, "refused")],
    ["the path is wrong", works("curl -f http://localhost:8000/x", 22, "The requested URL returned error: 404")],
    ["it always fails", works("exit 1", 1, "")],
  ])("cannot work: %s", (_, web) => {
    const { diagnosis } = ask(web);
    expect(diagnosis).toMatchObject({ verdict: "no-fault-found", rootCause: null });
    expect(diagnosis.contributingFactors.map((finding) => finding.cause)).toEqual(["probe-broken"]);
  });

  it("has too little time", () => {
    const { diagnosis } = ask(works("curl -f localhost:8000/", -1, "Health check exceeded timeout (1s)", 1_000));
    expect(diagnosis.contributingFactors.map((finding) => finding.cause)).toEqual(["probe-too-tight"]);
  });

  it("is believed when the service fails too", () => {
    const broken = works("curl -f localhost:8000", 22, "The requested URL returned error: 500");
    const { diagnosis } = ask({ ...broken, probes: [{ path: "/", httpStatus: 500 }] });
    expect(diagnosis.verdict).not.toBe("no-fault-found");
  });
});

describe("a health check that succeeds while the service fails", () => {
  const failing = (test: string): SceneContainer => ({
    name: "web",
    inspect: { healthcheck: check(test), health: health("healthy", 0, "") },
    probes: [{ path: "/items", httpStatus: 500 }],
  });

  it.each(["true", "exit 0", "pgrep node", "curl -f localhost:8000 || true"])("tests nothing: %s", (test) => {
    expect(ask(failing(test)).diagnosis.rootCause).toMatchObject({ cause: "false-healthy", container: "web" });
  });

  it("is not called empty when it asks the service", () => {
    expect(ask(failing("curl -f localhost:8000/healthz")).diagnosis.rootCause?.cause).not.toBe("false-healthy");
  });
});

describe("a service that waits for a dependency's health", () => {
  const labels = { "com.docker.compose.project": "shop" };
  const web: SceneContainer = {
    name: "web",
    inspect: {
      status: "created",
      running: false,
      finishedAtMs: null,
      labels: {
        ...labels,
        "com.docker.compose.service": "web",
        "com.docker.compose.depends_on": "db:service_healthy:false",
      },
    },
  };
  const db: SceneContainer = {
    name: "db",
    inspect: {
      labels: { ...labels, "com.docker.compose.service": "db" },
      healthcheck: check("pg_isready-17"),
      health: health("unhealthy", 127, "/bin/sh: 1: pg_isready-17: not found"),
    },
    other: { "process-facts": listening },
  };

  it("blames the dependency's check and would start the dependant", () => {
    const conclusion = ask(web, db);
    expect(conclusion.diagnosis.rootCause).toMatchObject({ cause: "depends-on-never", container: "db" });
    const { plan } = propose(conclusion, policy);
    expect(plan?.steps.map(({ action }) => `${action.action} ${action.container}`)).toEqual(["start web"]);
  });

  it("does not when the dependency is healthy", () => {
    const well = { ...db, inspect: { ...db.inspect, health: health("healthy", 0, "") } };
    expect(ask(web, well).diagnosis.rootCause?.cause).not.toBe("depends-on-never");
  });
});

describe("a service that takes connections and answers none", () => {
  const silent = (more: Partial<ProcessFacts> = {}): SceneContainer => ({
    name: "web",
    probes: [{ path: "/", httpStatus: null, failure: "timeout", detail: "connected, but no answer within 3000 ms" }],
    other: { "process-facts": { ...listening, ...more } },
  });

  it("hangs when it sleeps and blames nobody", () => {
    expect(ask(silent()).diagnosis.rootCause).toMatchObject({ cause: "no-healthcheck-hang", container: "web" });
  });

  const unmade: SceneContainer = {
    ...silent(),
    probes: [{ path: "/", httpStatus: null, failure: "timeout", detail: "no connection" }],
  };
  it.each<[string, SceneContainer]>([
    ["its accept queue overflows", silent({ listenOverflows: 40 })],
    ["it burns processor time", silent({ state: "R" })],
    ["nothing listens there", silent({ listeners: [] })],
    ["the connection itself is not made", unmade],
    ["its log blames a peer", { ...silent(), logs: ["dial tcp 10.0.0.5:5432: i/o timeout"] }],
  ])("is something else when %s", (_, web) => {
    expect(ask(web).diagnosis.rootCause?.cause).not.toBe("no-healthcheck-hang");
  });
});

import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { Reading } from "../../../src/core/evidence.ts";
import type { ProcessFacts, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

// These scenes hold readings as a busy host would give them: a suite that burns the CPU of its machine serves nobody.

const slow = { path: "/work", httpStatus: 200, durationMs: 2_400 };
const late = {
  path: "/healthz",
  failure: "timeout" as const,
  httpStatus: null,
  durationMs: 3_000,
  detail: "connected, no answer",
};

function row(pid: number, ppid: number, more: Partial<ProcessRow> = {}): ProcessRow {
  return {
    pid,
    ppid,
    uid: "0",
    state: "S",
    rssBytes: null,
    elapsedS: 100,
    waitChannel: null,
    command: "app",
    args: "app",
    cpuSeconds: 1,
    ...more,
  };
}

const burning = { state: "R", cpuSeconds: 95 };

function ask(host: SceneHost, rows: ProcessRow[], symptom: "any" | "http-500" = "any") {
  const table = {
    source: "host-processes",
    host: "h1",
    containerId: null,
    read: "ps",
    atMs: askedAtMs,
    sha256: "0".repeat(64),
    outcome: { status: "ok", value: rows },
  } as Reading;
  const target = { service: "web", symptom, host: null };
  return diagnose(questionAbout("web", ["h1"], { target }), [...readingsOf(host), table]).diagnosis;
}

const said = (host: SceneHost, rows: ProcessRow[]) => {
  const root = ask(host, rows).rootCause;
  return root === null ? null : `${root.cause} at ${root.container}`;
};

const web = (inspect: SceneContainer["inspect"] = {}, other: SceneContainer["other"] = {}): SceneContainer => ({
  name: "web",
  inspect,
  probes: [slow],
  other,
});

/** Main processes are 1000 for web and 1001 for batch; batch burns both CPUs of the host. */
const busyHost = [row(1_000, 1), row(1_001, 1), row(2_001, 1_001, burning), row(2_002, 1_001, burning)];
const busy = { load1: 3.4 };

describe("cpu", () => {
  const throttled = (stopped: number) => ({
    version: 2 as const,
    path: "/docker/web",
    cpuPeriods: 400,
    cpuThrottledPeriods: stopped,
    cpuThrottledMs: 30_000,
  });

  it("blames the container's own cap by the cgroup's counters", () => {
    const capped = (stopped: number) => ({
      containers: [web({ nanoCpus: 50_000_000 }, { cgroup: throttled(stopped) as never })],
    });
    expect(said(capped(380), [row(1_000, 1)])).toBe("cpu-throttled at web");
    expect(said(capped(10), [row(1_000, 1)])).toBeNull();
  });

  it("blames the neighbour on a busy host, and the own weight where that is why it loses", () => {
    expect(said({ facts: busy, containers: [web(), { name: "batch" }] }, busyHost)).toBe("cpu-neighbour at batch");
    const light = { facts: busy, containers: [web({ cpuShares: 2 }), { name: "batch" }] };
    expect(said(light, busyHost)).toBe("cpu-shares-starved at web");
  });

  it("sees containers that are pinned to the same core", () => {
    const pinned = (core: string) => ({
      containers: [web({ cpusetCpus: "0" }), { name: "batch", inspect: { cpusetCpus: core } }],
    });
    const one = [row(1_000, 1), row(1_001, 1, burning)];
    expect(said(pinned("0"), one)).toBe("cpuset-collision at batch");
    expect(said(pinned("1"), one)).toBeNull();
  });

  it("blames the code that burns a core while nobody else does", () => {
    expect(said({ containers: [web()] }, [row(1_000, 1, burning)])).toBe("busy-regex at web");
    expect(said({ containers: [web()] }, [row(1_000, 1)])).toBeNull();
  });

  it("is silent while nothing is slow", () => {
    const quick = { facts: busy, containers: [{ name: "web", probes: [{ path: "/work" }] }, { name: "batch" }] };
    expect(ask(quick, busyHost, "http-500").rootCause).toBeNull();
  });
});

describe("workers", () => {
  const socket = (remoteAddress: string, remotePort: number, port: number) => ({
    address: "172.30.0.2",
    port,
    remoteAddress,
    remotePort,
    state: "ESTABLISHED",
  });
  const facts = (threads: number, calls: number): ProcessFacts => ({
    pid: 1_000,
    listeners: [{ address: "0.0.0.0", port: 8000 }],
    connections: [
      socket("172.30.0.1", 51_000, 8000),
      ...Array.from({ length: calls }, (_, at) => socket("172.30.0.3", 7000, 40_000 + at)),
    ],
    listenOverflows: 0,
    listenDrops: 0,
    openFiles: 12,
    openFilesLimit: 1_024,
    interfaces: [],
    state: "S",
    waitChannel: null,
    threads,
    tcpRetransmits: 0,
    tcpOutSegments: 0,
  });
  const scene = (process: ProcessFacts) => ({
    containers: [{ name: "web", probes: [late], other: { "process-facts": process } }, { name: "api" }],
  });

  it("tells one blocked worker from a pool that waits for one peer", () => {
    expect(said(scene(facts(1, 1)), [row(1_000, 1)])).toBe("single-worker-blocked at web");
    expect(said(scene(facts(9, 8)), [row(1_000, 1)])).toBe("slow-endpoint-starves-pool at web");
  });

  it("is silent about a program that waits for nobody", () => {
    expect(said(scene(facts(1, 0)), [row(1_000, 1)])).not.toBe("single-worker-blocked at web");
  });
});

describe("io", () => {
  const waiting = [row(1_000, 1, { state: "D", waitChannel: "balance_dirty_pages" }), row(1_001, 1)];
  const pressure = {
    cpu: { someAvg10: 0, fullAvg10: null },
    memory: { someAvg10: 0, fullAvg10: 0 },
    io: { someAvg10: 60, fullAvg10: 40 },
  };
  const moved = (bytes: number) => ({ "docker-stats": { blockReadBytes: 0, blockWriteBytes: bytes } as never });

  it("blames the own rate cap, else the neighbour that moves most", () => {
    expect(said({ containers: [web({ blkioThrottled: true })] }, waiting)).toBe("io-throttled at web");
    const shared = {
      facts: { pressure },
      containers: [web({}, moved(1_000)), { name: "batch", other: moved(2 ** 31) }],
    };
    expect(said(shared, waiting)).toBe("io-neighbour at batch");
    expect(said({ ...shared, facts: {} }, waiting)).toBeNull();
  });

  it("tells pauses at even intervals from single ones", () => {
    const pause = (s: number) => `${new Date(askedAtMs - s * 1_000).toISOString()} [gc] stop-the-world pause 1600ms`;
    const scene = (logs: string[]) => ({ containers: [{ ...web(), logs }] });
    expect(said(scene([16, 12, 8, 4].map(pause)), [row(1_000, 1)])).toBe("stall-periodic at web");
    expect(said(scene([pause(300)]), [row(1_000, 1)])).toBeNull();
  });
});

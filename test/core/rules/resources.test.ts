import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { Reading } from "../../../src/core/evidence.ts";
import { propose } from "../../../src/core/propose.ts";
import type { CgroupFacts, ContainerInspect, ProcessFacts, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const failed = '10.0.0.9 - - [01/Jan/2026:11:59:50 +0000] "GET /work HTTP/1.1" 500 -';

function web(
  logs: string[],
  inspect: Partial<ContainerInspect> = {},
  other: SceneContainer["other"] = {},
): SceneContainer {
  return { name: "web", inspect, logs: [...logs, failed], other };
}

const group: CgroupFacts = {
  version: 1,
  path: "/docker/web",
  memoryCurrentBytes: null,
  memoryPeakBytes: null,
  memoryLimitBytes: null,
  swapCurrentBytes: null,
  swapLimitBytes: null,
  anonBytes: null,
  fileBytes: null,
  shmemBytes: null,
  kernelBytes: null,
  inactiveFileBytes: null,
  limitHits: null,
  oomEvents: null,
  oomKills: null,
  underOom: null,
  oomKillDisabled: null,
  cpuPeriods: null,
  cpuThrottledPeriods: null,
  cpuThrottledMs: null,
  pidsCurrent: null,
  pidsLimit: null,
  pidsRefused: null,
  majorFaults: null,
  ioPressureFullAvg10: null,
  memoryPressureFullAvg10: null,
  cpuPressureSomeAvg10: null,
};

const process: ProcessFacts = {
  pid: 1_000,
  listeners: [{ address: "0.0.0.0", port: 8000 }],
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
};

function row(pid: number, ppid: number, more: Partial<ProcessRow> = {}): ProcessRow {
  return {
    pid,
    ppid,
    uid: "1000",
    state: "S",
    rssBytes: null,
    elapsedS: 500,
    waitChannel: null,
    command: "app",
    args: "app",
    cpuSeconds: 1,
    ...more,
  };
}

/** A scene with the host's process table beside it: main processes are 1000, 1001, … in order. */
function withProcesses(host: SceneHost, rows: ProcessRow[] | null): Reading[] {
  const readings = readingsOf(host);
  if (rows !== null)
    readings.push({
      source: "host-processes",
      host: "h1",
      containerId: null,
      read: "ps",
      atMs: askedAtMs,
      sha256: "0".repeat(64),
      outcome: { status: "ok", value: rows },
    } as Reading);
  return readings;
}

const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "t" };
const answer = (readings: Reading[]) => diagnose(questionAbout("web"), readings);
const causeOf = (readings: Reading[]) => answer(readings).diagnosis.rootCause?.cause ?? null;

describe("descriptors", () => {
  const emfile = "OSError: [Errno 24] Too many open files: '/etc/hosts'";

  it("tells a low limit from a leak by what is open", () => {
    const low = { ulimits: [{ name: "nofile", soft: 40, hard: 40 }] };
    const facts = { "process-facts": { ...process, openFiles: 40, openFilesLimit: 40 } };
    expect(causeOf(readingsOf({ containers: [web([emfile], low, facts)] }))).toBe("nofile-exhausted");
    const abandoned = Array.from({ length: 900 }, (_, at) => ({
      address: "172.30.0.2",
      port: 40_000 + at,
      remoteAddress: "172.30.0.9",
      remotePort: 80,
      state: "CLOSE_WAIT",
    }));
    const leak = { "process-facts": { ...process, openFiles: 1_024, connections: abandoned } };
    expect(causeOf(readingsOf({ containers: [web([emfile], {}, leak)] }))).toBe("fd-leak");
  });

  it("is silent when many files are open and none is refused", () => {
    const facts = { "process-facts": { ...process, openFiles: 700 } };
    expect(causeOf(readingsOf({ containers: [web([], {}, facts)] }))).toBeNull();
  });

  it("blames the host for used-up watches, not the disk and not the open-file limit", () => {
    const line = "Error: ENOSPC: System limit for number of file watchers reached, watch '/app'";
    const facts = { inotifyMaxUserWatches: 8192, inotifyMaxUserInstances: 128 };
    const said = answer(readingsOf({ facts, containers: [web([line])] })).diagnosis;
    expect(said.rootCause).toMatchObject({ cause: "inotify-limit", container: null });
  });
});

describe("processes", () => {
  const fork = "BlockingIOError: [Errno 11] Resource temporarily unavailable: cannot fork";
  const full = { ...group, pidsCurrent: 30, pidsLimit: 30, pidsRefused: 9 };

  it("raises the limit that the work itself meets", () => {
    const work = Array.from({ length: 29 }, (_, at) =>
      row(2_000 + at, 1_000, { command: `job${at % 3}`, elapsedS: 30 }),
    );
    const scene = { containers: [web([fork], { pidsLimit: 30 }, { cgroup: full })] };
    const conclusion = answer(withProcesses(scene, [row(1_000, 1), ...work]));
    expect(conclusion.diagnosis.rootCause?.cause).toBe("pids-limit");
    const { plan } = propose(conclusion, policy);
    expect(plan?.steps.map((step) => step.action.action)).toEqual(["update-pids-limit"]);
  });

  it("says zombies where the dead fill the limit", () => {
    const dead = Array.from({ length: 25 }, (_, at) => row(2_000 + at, 1_000, { state: "Z", command: "app" }));
    const scene = { containers: [web([fork], {}, { cgroup: full })] };
    expect(causeOf(withProcesses(scene, [row(1_000, 1), ...dead]))).toBe("zombie-pileup");
    expect(causeOf(withProcesses(scene, null))).toBe("pids-limit");
  });

  it("says the health command where children come at its rhythm", () => {
    const health = {
      healthcheck: {
        test: ["CMD-SHELL", "check &"],
        intervalMs: 5_000,
        timeoutMs: null,
        retries: null,
        startPeriodMs: null,
      },
    };
    const left = Array.from({ length: 20 }, (_, at) =>
      row(2_000 + at, 1_000, { command: "check", elapsedS: 3 + at * 5 }),
    );
    const scene = { containers: [web([fork], health, { cgroup: full })] };
    expect(causeOf(withProcesses(scene, [row(1_000, 1), ...left]))).toBe("probe-leaks-processes");
  });

  it("blames the other container of the same user, and would restart only that one", () => {
    const limit = { ulimits: [{ name: "nproc", soft: 50, hard: 50 }], user: "1000" };
    const others = Array.from({ length: 60 }, (_, at) => row(3_000 + at, 1_001));
    const scene: SceneHost = {
      containers: [web([fork], limit, { cgroup: { ...group, pidsCurrent: 3 } }), { name: "jobs" }],
    };
    const conclusion = answer(withProcesses(scene, [row(1_000, 1), row(1_001, 1), ...others]));
    expect(conclusion.diagnosis.rootCause).toMatchObject({ cause: "nproc-shared-uid", container: "jobs" });
    const { plan } = propose(conclusion, policy);
    expect(plan?.steps.map(({ action }) => [action.action, action.container])).toEqual([["restart", "jobs"]]);
  });

  it("is silent when forks were refused once and nothing fails by it now", () => {
    const scene = { containers: [web([], {}, { cgroup: { ...full, pidsCurrent: 4 } })] };
    expect(causeOf(withProcesses(scene, [row(1_000, 1)]))).toBeNull();
  });
});

describe("file-rights", () => {
  it("reads the reason for a refused write from the configuration", () => {
    const line = "OSError: [Errno 30] Read-only file system: '/var/cache/x'";
    expect(causeOf(readingsOf({ containers: [web([line], { readonlyRootfs: true })] }))).toBe("readonly-rootfs");
    expect(causeOf(readingsOf({ containers: [web([line])] }))).toBeNull();
  });

  it("tells a volume that the host turned read-only", () => {
    const line = "OSError: [Errno 30] Read-only file system: '/data/x'";
    const mounts = [{ type: "bind", name: null, source: "/srv/data", destination: "/data", readWrite: true }];
    const facts = { mounts: [{ device: "/dev/sdb1", target: "/srv/data", type: "ext4", options: "ro,relatime" }] };
    expect(causeOf(readingsOf({ facts, containers: [web([line], { mounts })] }))).toBe("volume-remounted-ro");
  });

  it("tells files of another user, and is silent for a path outside every mount", () => {
    const mounts = [{ type: "volume", name: "v", source: "/x", destination: "/data", readWrite: true }];
    const denied = "PermissionError: [Errno 13] Permission denied: '/data/x'";
    expect(causeOf(readingsOf({ containers: [web([denied], { mounts, user: "1000" })] }))).toBe("volume-wrong-owner");
    const elsewhere = "PermissionError: [Errno 13] Permission denied: '/opt/x'";
    expect(causeOf(readingsOf({ containers: [web([elsewhere], { mounts, user: "1000" })] }))).toBeNull();
  });

  it("tells a removed capability from a port that is kept for root", () => {
    const chown = "chown: changing ownership of '/data': Operation not permitted";
    expect(causeOf(readingsOf({ containers: [web([chown], { capDrop: ["ALL"] })] }))).toBe("cap-dropped");
    expect(causeOf(readingsOf({ containers: [web([chown])] }))).toBeNull();
    const bind = "listen tcp 0.0.0.0:80: bind: permission denied";
    expect(causeOf(readingsOf({ containers: [web([bind], { user: "1000" })] }))).toBe("low-port-denied");
    const high = "2026/01/01 11:59:36 E bind(5, {AF=2 0.0.0.0:8080}, 16): Permission denied";
    expect(causeOf(readingsOf({ containers: [web([high], { user: "1000" })] }))).not.toBe("low-port-denied");
    expect(causeOf(readingsOf({ containers: [web([bind], { capDrop: ["NET_BIND_SERVICE"] })] }))).toBe("cap-dropped");
  });
});

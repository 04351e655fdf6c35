import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose, withPlanReason } from "../../../src/core/propose.ts";
import type {
  CgroupFacts,
  ContainerInspect,
  DockerEvent,
  MemorySeries,
  ProcessFacts,
} from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const mib = 1024 * 1024;
const id = idOf("web");

/** A kill at web's own limit, so many seconds before the question. */
function kill(
  agoS: number,
  more: { limitKb?: number; process?: string; shmemKb?: number; anonKb?: number; rows?: string[] } = {},
): string {
  const at = (3_600 - agoS).toFixed(1);
  const { limitKb = 262_144, process = "app", shmemKb = 0, anonKb = limitKb - 900, rows = [] } = more;
  return [
    `[ ${at}00000] ${process} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`,
    `[ ${at}10000] memory: usage ${limitKb}kB, limit ${limitKb}kB, failcnt 31`,
    ...(rows.length === 0
      ? []
      : [
          `[ ${at}11000] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name`,
          ...rows.map((row) => `[ ${at}12000] ${row}`),
        ]),
    `[ ${at}20000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=${process},pid=${4_000 + Math.floor(agoS)},uid=0`,
    `[ ${at}30000] Memory cgroup out of memory: Killed process ${4_000 + Math.floor(agoS)} (${process}) total-vm:900000kB, anon-rss:${anonKb}kB, file-rss:0kB, shmem-rss:${shmemKb}kB, UID:0 pgtables:600kB oom_score_adj:0`,
  ].join("\n");
}

function event(action: string, agoS: number, attributes: Record<string, string> = {}): Partial<DockerEvent> {
  return { name: "web", action, atMs: askedAtMs - agoS * 1_000, attributes };
}

function web(
  inspect: Partial<ContainerInspect>,
  scene: Partial<SceneHost> & { logs?: string[]; other?: SceneHost["containers"][number]["other"] } = {},
): SceneHost {
  const { logs, other, ...rest } = scene;
  return {
    containers: [
      {
        name: "web",
        inspect: { memoryLimitBytes: 256 * mib, memorySwapBytes: 256 * mib, ...inspect },
        ...(logs === undefined ? {} : { logs }),
        ...(other === undefined ? {} : { other }),
      },
    ],
    ...rest,
  };
}

const dead = { status: "exited", exitCode: 137, oomKilled: true } as const;
const died = [event("oom", 60.1), event("die", 60, { exitCode: "137" })];
const cause = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis.rootCause?.cause ?? null;
const line = (agoS: number, text: string) => `${new Date(askedAtMs - agoS * 1_000).toISOString()} ${text}`;

describe("who sent 137", () => {
  it("the kernel, at the own limit", () => {
    expect(cause(web(dead, { events: died, kernel: kill(60.2) }))).toBe("cgroup-oom-main");
  });

  it("docker kill, though a child was killed for memory in the same run and the flag stays", () => {
    const events = [event("oom", 400), event("kill", 60.1, { signal: "9" }), event("die", 60, { exitCode: "137" })];
    expect(cause(web(dead, { events, kernel: kill(400) }))).toBe("manual-docker-kill");
  });

  it("somebody outside Docker, though the flag and an old event say memory", () => {
    const events = [event("oom", 400), event("die", 60, { exitCode: "137" })];
    expect(cause(web(dead, { events, kernel: kill(400) }))).toBe("external-sigkill");
  });

  it("somebody outside Docker, though a reload signal went through Docker before", () => {
    const events = [event("kill", 400, { signal: "1" }), event("die", 60, { exitCode: "137" })];
    expect(cause(web({ ...dead, oomKilled: false }, { events }))).toBe("external-sigkill");
  });

  it("a stop that ran out of its grace, however long that was", () => {
    const events = [
      event("kill", 360, { signal: "15" }),
      event("kill", 60.1, { signal: "9" }),
      event("die", 60, { exitCode: "137" }),
      event("stop", 59.9),
    ];
    expect(cause(web({ ...dead, oomKilled: false }, { events }))).toBe("stop-grace-exceeded");
  });

  it("memory by the engine's word where the kernel log cannot be read", () => {
    expect(cause(web(dead, { events: died, kernel: null }))).toBe("cgroup-oom-main");
  });

  it("nobody that can be told, where events and kernel log are missing", () => {
    const host = web({ ...dead, oomKilled: false }, { events: [], eventsCompleteSinceMs: null, kernel: null });
    expect(diagnose(questionAbout("web"), readingsOf(host)).diagnosis).toMatchObject({
      verdict: "inconclusive",
      suspects: [{ container: "web" }],
    });
  });

  it("the kernel, where its log has no times and the engine saw a memory kill too", () => {
    const untimed = kill(60.2).replaceAll(/^\[ [\d.]+\] /gm, "");
    expect(cause(web(dead, { events: died, kernel: untimed }))).toBe("cgroup-oom-main");
  });
});

describe("why the limit was met", () => {
  const heap = (value: string) => ({ env: [{ name: "JAVA_OPTS", value, digest: "x" }] });

  it("a heap option above the limit", () => {
    expect(cause(web({ ...dead, ...heap("-Xms64m -Xmx512m") }, { events: died, kernel: kill(60.2) }))).toBe(
      "jvm-heap-over-limit",
    );
    expect(
      cause(
        web({ ...dead, command: ["node", "--max-old-space-size=512", "a.js"] }, { events: died, kernel: kill(60.2) }),
      ),
    ).toBe("jvm-heap-over-limit");
  });

  it("not a heap option below the limit", () => {
    expect(cause(web({ ...dead, ...heap("-Xmx192m") }, { events: died, kernel: kill(60.2) }))).toBe("cgroup-oom-main");
  });

  it("shared_buffers above the limit, with shared memory in the killed process", () => {
    const inspect = { ...dead, command: ["postgres", "-c", "shared_buffers=1GB"] };
    expect(
      cause(
        web(inspect, { events: died, kernel: kill(60.2, { process: "postgres", anonKb: 9_000, shmemKb: 220_000 }) }),
      ),
    ).toBe("pg-shared-buffers-over-limit");
    expect(
      cause(
        web(inspect, { events: died, kernel: kill(60.2, { process: "postgres", anonKb: 220_000, shmemKb: 9_000 }) }),
      ),
    ).toBe("cgroup-oom-main");
  });

  it("files in memory, where all processes together are small", () => {
    const rows = ["[   4060]     0  4060      895      597    45056        0             0 dd"];
    expect(cause(web(dead, { events: died, kernel: kill(60.2, { anonKb: 1_024, rows }) }))).toBe("shm-tmpfs-oom");
    expect(cause(web(dead, { events: died, kernel: kill(60.2, { anonKb: 1_024 }) }))).toBe("cgroup-oom-main");
  });

  it("a change of the limit shortly before the first kill, not one after an earlier kill", () => {
    const lowered = [event("update", 300), ...died];
    expect(cause(web(dead, { events: lowered, kernel: kill(60.2) }))).toBe("limit-lowered-live");
    expect(cause(web(dead, { events: [event("oom", 900), ...lowered], kernel: `${kill(900)}\n${kill(60.2)}` }))).toBe(
      "cgroup-oom-main",
    );
    expect(cause(web(dead, { events: [...died, event("update", 20)], kernel: kill(60.2) }))).toBe("cgroup-oom-main");
  });

  const series = (sizes: number[]): MemorySeries => ({
    limitBytes: 256 * mib,
    points: sizes.map((size, at) => ({ atMs: askedAtMs - 60_000 - (sizes.length - at) * 30_000, bytes: size * mib })),
  });

  it("a leak, where recorded samples climb", () => {
    expect(
      cause(
        web(dead, {
          events: died,
          kernel: kill(60.2),
          other: { "memory-series": series([40, 70, 105, 140, 175, 210, 250]) },
        }),
      ),
    ).toBe("oom-leak");
  });

  it("a spike, where they are flat until the kill", () => {
    expect(
      cause(
        web(dead, {
          events: died,
          kernel: kill(60.2),
          other: { "memory-series": series([40, 41, 40, 42, 41, 40, 41]) },
        }),
      ),
    ).toBe("oom-spike");
  });

  it("neither, where they stop well before the limit was near", () => {
    expect(cause(web(dead, { events: died, kernel: kill(60.2), other: { "memory-series": series([40, 41]) } }))).toBe(
      "cgroup-oom-main",
    );
  });

  it("a spike, where the last it logged is a request that nobody else makes", () => {
    const usual = Array.from({ length: 9 }, (_, at) => line(100 - at, "request GET /items"));
    const shared = { events: died, kernel: kill(60.2) };
    expect(cause(web(dead, { ...shared, logs: [...usual, line(61, "request GET /export")] }))).toBe("oom-spike");
    expect(cause(web(dead, { ...shared, logs: usual }))).toBe("cgroup-oom-main");
  });

  it("a spike, where two of the usual lines ran into one", () => {
    const usual = Array.from({ length: 8 }, (_, at) => line(100 - at, "request GET /items"));
    const logs = [line(101, "request GET /itemsrequest GET /items"), ...usual, line(61, "request GET /export")];
    expect(cause(web(dead, { events: died, kernel: kill(60.2), logs }))).toBe("oom-spike");
  });
});

const group: CgroupFacts = {
  version: 1,
  path: "/docker/web",
  memoryCurrentBytes: 255 * mib,
  memoryPeakBytes: 256 * mib,
  memoryLimitBytes: 256 * mib,
  swapCurrentBytes: 0,
  swapLimitBytes: null,
  anonBytes: 250 * mib,
  fileBytes: null,
  shmemBytes: null,
  kernelBytes: null,
  inactiveFileBytes: null,
  limitHits: 900,
  oomEvents: null,
  oomKills: 0,
  underOom: false,
  oomKillDisabled: false,
  cpuPeriods: null,
  cpuThrottledPeriods: null,
  cpuThrottledMs: null,
  pidsCurrent: null,
  pidsLimit: null,
  pidsRefused: null,
  majorFaults: 10,
  ioPressureFullAvg10: null,
  memoryPressureFullAvg10: null,
  cpuPressureSomeAvg10: null,
};

describe("at the limit and alive", () => {
  const asks = { probes: [{ path: "/", failure: "timeout" as const, httpStatus: null }] };
  const alive = (cgroup: Partial<CgroupFacts>, inspect: Partial<ContainerInspect> = {}): SceneHost => {
    const host = web(inspect, { other: { cgroup: { ...group, ...cgroup } } });
    Object.assign(host.containers[0] as object, asks);
    return host;
  };

  it("hangs where killing is switched off and the group is under OOM", () => {
    expect(cause(alive({ underOom: true, oomKillDisabled: true }, { oomKillDisable: true }))).toBe(
      "oom-kill-disabled-hang",
    );
    expect(cause(alive({ underOom: false, oomKillDisabled: true }, { oomKillDisable: true }))).not.toBe(
      "oom-kill-disabled-hang",
    );
  });

  // This machine has no swap: the figures are those of a version 2 group that thrashes.
  it("thrashes where most of it lies in swap and it waits for pages", () => {
    const swapping = {
      version: 2 as const,
      swapCurrentBytes: 700 * mib,
      majorFaults: 400_000,
      memoryPressureFullAvg10: 62,
    };
    expect(cause(alive(swapping))).toBe("swap-thrash");
    expect(cause(alive({ ...swapping, majorFaults: 12, memoryPressureFullAvg10: 0 }))).not.toBe("swap-thrash");
  });

  it("is fine where the limit is full of page cache only", () => {
    const host = web(
      {},
      { other: { cgroup: { ...group, anonBytes: 3 * mib, fileBytes: 250 * mib, inactiveFileBytes: 248 * mib } } },
    );
    Object.assign(host.containers[0] as object, { probes: [{ path: "/items", httpStatus: 200, expectedStatus: 200 }] });
    expect(diagnose(questionAbout("web"), readingsOf(host)).diagnosis).toMatchObject({ verdict: "no-fault-found" });
  });
});

describe("killed inside a container that runs on", () => {
  const facts: ProcessFacts = {
    pid: 1_000,
    listeners: [{ address: "0.0.0.0", port: 5_432 }],
    connections: [],
    listenOverflows: 0,
    listenDrops: 0,
    openFiles: 5,
    openFilesLimit: 1_000,
    interfaces: [],
    state: "S",
    waitChannel: null,
    threads: 1,
    tcpRetransmits: 0,
    tcpOutSegments: 10,
  };
  const rows = (size: number) =>
    Array.from(
      { length: 6 },
      (_, at) => `[   ${5_000 + at}]   999  ${5_000 + at}   90000    ${size}    45056        0             0 postgres`,
    );

  it("one query's process of PostgreSQL, or many of them together", () => {
    const of = (rowsOf: string[]) =>
      cause(
        web(
          {},
          {
            events: [event("oom", 60)],
            kernel: kill(60.2, { process: "postgres", anonKb: 40_000, rows: rowsOf }),
            other: { "process-facts": facts },
          },
        ),
      );
    expect(of(rows(10_000))).toBe("pg-work-mem-fanout");
    expect(of(["[   5000]   999  5000   90000    60000    45056        0             0 postgres"])).toBe(
      "pg-backend-oom-recovery",
    );
  });

  it("any other child", () => {
    expect(cause(web({}, { events: [event("oom", 60)], kernel: kill(60.2, { process: "ffmpeg" }) }))).toBe(
      "cgroup-oom-child",
    );
  });

  it("nobody, where only a stale flag of an older engine is left", () => {
    expect(cause(web({ oomKilled: true, restartCount: 1 }, {}))).toBeNull();
  });
});

describe("a limit that was changed after the kill", () => {
  const up = {
    status: "running",
    running: true,
    oomKilled: true,
    memoryLimitBytes: 1_024 * mib,
    memorySwapBytes: 1_024 * mib,
    finishedAtMs: askedAtMs - 60_000,
    startedAtMs: askedAtMs - 50_000,
  } as const;
  const since = [...died, event("update", 52), event("start", 50)];
  const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "v1" };
  const answer = (host: SceneHost) => {
    const conclusion = diagnose(questionAbout("web"), readingsOf(host));
    return { told: conclusion.diagnosis.rootCause?.summary, plan: propose(conclusion, policy).plan };
  };

  it("is told as it was, by the kernel's record, and is not raised a second time", () => {
    expect(answer(web(up, { events: since, kernel: kill(60.2) }))).toEqual({
      told: "web was OOM-killed at its own memory limit of 256 MiB (268435456 bytes), which has been set to 1 GiB (1073741824 bytes) since, and was started again; it has been running since",
      plan: null,
    });
  });

  it("is left out where nobody says what it was, and is not raised a second time either", () => {
    const { told, plan } = answer(web(up, { events: since, kernel: null }));
    expect(told).toMatch(/at its own memory limit, which has been set to 1 GiB .* since, and was started again/);
    expect(plan).toBeNull();
  });

  it("is told with the start still to come", () => {
    const { told, plan } = answer(
      web({ ...up, ...dead, running: false, startedAtMs: null }, { events: since.slice(0, 3), kernel: kill(60.2) }),
    );
    expect(told).toMatch(/at its own memory limit of 256 MiB .*, which has been set to 1 GiB .* since$/);
    expect(plan?.steps.map(({ action }) => action.action)).toEqual(["start"]);
  });
});

describe("a kill for which no plan is proposed", () => {
  const conclusion = diagnose(questionAbout("web"), readingsOf(web(dead, { events: died, kernel: kill(60.2) })));
  const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "v1" };
  const reasons = (changed: Partial<typeof policy> | { protectedContainers: string[] }) =>
    withPlanReason(conclusion, { ...policy, ...changed }).advice.filter((line) => line.startsWith("No plan"));

  it("says that the container is protected, and what it would have been", () => {
    expect(reasons({ protectedContainers: ["w*"] })).toEqual([
      expect.stringMatching(
        /^No plan is proposed: web is protected by the policy; by hand it would be: raise the memory limit of web from 256 MiB to .*, then start web\.$/,
      ),
    ]);
  });

  it("says nothing where there is one", () => {
    expect(reasons({})).toEqual([]);
  });
});

describe("a kill that is over, behind a service whose health path answers", () => {
  it("is the answer: nothing else is wrong, and the asked service fails no more", () => {
    const url = { name: "API_URL", value: "http://web:9000", digest: "x" };
    const [peer] = web(
      { status: "running", restartCount: 1, startedAtMs: askedAtMs - 59_000, finishedAtMs: askedAtMs - 60_000 },
      { logs: [] },
    ).containers;
    const shop = { name: "shop", inspect: { env: [url] }, probes: [{ path: "/healthz", httpStatus: 200 }] };
    const events = [...died, event("start", 59)];
    const host: SceneHost = { containers: [peer as SceneHost["containers"][number], shop], events, kernel: kill(60.2) };
    const { rootCause } = diagnose(questionAbout("shop"), readingsOf(host)).diagnosis;
    expect([rootCause?.cause, rootCause?.container]).toEqual(["oom-self-healed", "web"]);
  });
});

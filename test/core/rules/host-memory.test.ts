import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import type { ContainerInspect, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "1" };
const refused =
  'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused';

interface Row {
  pid: number;
  rssPages: number;
  adj?: number;
  name: string;
}

/** The record of a kernel 5.15 for want of host memory, or at a group's limit; the first row is the victim. */
function record(rows: Row[], limited: string | null = null): string {
  const [victim] = rows as [Row, ...Row[]];
  const id = idOf("db");
  const where =
    limited === null
      ? `constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=${id},mems_allowed=0,global_oom`
      : `constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=${limited}`;
  const head = limited === null ? "Out of memory" : "Memory cgroup out of memory";
  return [
    `[ 3419.700000] kworker invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0`,
    ...(limited === null
      ? ["[ 3419.710000] 2096000 pages RAM"]
      : ["[ 3419.710000] memory: usage 524288kB, limit 524288kB, failcnt 900"]),
    "[ 3419.720000] Tasks state (memory values in pages):",
    "[ 3419.730000] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    ...rows.map(
      ({ pid, rssPages, adj = 0, name }, at) =>
        `[ 3419.74000${at}] [${String(pid).padStart(7)}]     0 ${pid} ${rssPages * 2} ${rssPages} 500000 0 ${adj} ${name}`,
    ),
    `[ 3419.750000] oom-kill:${where},task_memcg=/docker/${id},task=${victim.name},pid=${victim.pid},uid=999`,
    `[ 3419.760000] ${head}: Killed process ${victim.pid} (${victim.name}) total-vm:${victim.rssPages * 8}kB, anon-rss:${victim.rssPages * 4}kB, file-rss:0kB, shmem-rss:0kB, UID:999 pgtables:600kB oom_score_adj:${victim.adj ?? 0}`,
  ].join("\n");
}

type Scene = SceneHost & { processes: ProcessRow[] | null };

function scene(
  kernel: string | null,
  more: { db?: Partial<ContainerInspect>; batchPid?: number; processes?: ProcessRow[] | null } = {},
): Scene {
  return {
    containers: [
      {
        name: "web",
        inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }] },
        logs: [refused],
      },
      {
        name: "db",
        inspect: { status: "exited", exitCode: 137, oomKilled: false, finishedAtMs: askedAtMs - 180_000, ...more.db },
      },
      { name: "batch", inspect: { pid: more.batchPid ?? 7_000, oomScoreAdj: -900 } },
    ],
    events: [{ name: "db", action: "die", atMs: askedAtMs - 180_000, attributes: { exitCode: "137" } }],
    kernel,
    facts: { swapTotalBytes: 0 },
    processes: more.processes === undefined ? [row(7_000, 1), row(7_001, 7_000), row(1, 0)] : more.processes,
  };
}

function row(pid: number, ppid: number): ProcessRow {
  return {
    pid,
    ppid,
    uid: "0",
    state: "S",
    rssBytes: null,
    elapsedS: null,
    waitChannel: null,
    command: "x",
    args: "x",
    cpuSeconds: null,
  };
}

function answer(host: Scene) {
  const conclusion = diagnose(questionAbout("web"), readingsWith(host));
  return {
    ...conclusion.diagnosis,
    steps: propose(conclusion, policy).plan?.steps.map(({ action }) => `${action.action} ${action.container}`) ?? [],
  };
}

function readingsWith(host: Scene) {
  const readings = readingsOf(host);
  if (host.processes == null) return readings;
  const like = readings.find((entry) => entry.source === "host-facts");
  return [
    ...readings,
    {
      ...like,
      source: "host-processes",
      outcome: { status: "ok", value: host.processes },
    } as (typeof readings)[number],
  ];
}

const victim = { pid: 4_001, rssPages: 20_000, name: "postgres" };

describe("the host ran out of memory", () => {
  it("accuses the container whose child held the most and starts the victim", () => {
    const said = answer(scene(record([victim, { pid: 7_001, rssPages: 1_500_000, adj: -900, name: "python3" }])));
    expect(said.rootCause).toMatchObject({ cause: "host-oom-global", container: "batch", confidence: "confirmed" });
    expect(said.chain.at(-1)).toMatchObject({ from: "db", to: "batch" });
    expect(said.steps).toEqual(["start db"]);
  });

  // Recorded on Debian 12, kernel 6.1, Docker 20.10, control groups of version 2: the event came 21 s after the kill.
  it("finds the kill also where the starved engine told of the end long after it", () => {
    const told = record([victim, { pid: 7_001, rssPages: 1_500_000, adj: -900, name: "python3" }]);
    const late = [{ name: "db", action: "die", atMs: askedAtMs - 158_000, attributes: { exitCode: "137" } }];
    expect(answer({ ...scene(told), events: late }).rootCause).toMatchObject({
      cause: "host-oom-global",
      container: "batch",
    });
  });

  it("accuses many modest processes of one container where the killed one was the largest by itself", () => {
    const pool = Array.from({ length: 9 }, (_, at) => ({ pid: 7_001 + at, rssPages: 15_000, name: "worker" }));
    const told = record([victim, ...pool]);
    const processes = [row(7_000, 1), row(1, 0), ...pool.map(({ pid }) => row(pid, 7_000))];
    const said = answer(scene(told, { processes }));
    expect(said.rootCause).toMatchObject({ cause: "host-oom-global", container: "batch" });
    expect(said.rootCause?.summary).toContain("9 processes such as worker held 540000 kB");
    expect(said.steps).toEqual(["start db"]);
    const few = answer(scene(record([victim, ...pool.slice(0, 2)]), { processes }));
    expect(few.rootCause).toMatchObject({ cause: "host-oom-global", container: "db" });
  });

  it("says that the victim was only marked as the first to go, where its score was raised", () => {
    const kernel = record([
      { ...victim, rssPages: 3_000, adj: 1_000 },
      { pid: 7_000, rssPages: 1_500_000, name: "java" },
    ]);
    const said = answer(scene(kernel, { db: { oomScoreAdj: 1_000 } }));
    expect(said.rootCause).toMatchObject({ cause: "oom-victim-not-culprit", container: "batch" });
    expect(said.steps).toEqual(["start db"]);
  });

  it("blames a process outside all containers, such as a compiler, by its name", () => {
    const said = answer(scene(record([victim, { pid: 9_100, rssPages: 1_200_000, name: "cc1plus" }])));
    expect(said.rootCause).toMatchObject({ cause: "noisy-build-spike", container: null });
    expect(said.rootCause?.summary).toContain("cc1plus");
    expect(said.steps).toEqual(["start db"]);
  });

  it("does not call it a build where the host's processes were not seen", () => {
    const said = answer(
      scene(record([victim, { pid: 9_100, rssPages: 1_200_000, name: "python3" }]), { processes: null }),
    );
    expect(said.rootCause).toMatchObject({ cause: "host-oom-global", container: null });
  });

  it("accuses the victim itself where it was the biggest, and raises nothing", () => {
    const said = answer(
      scene(
        record([
          { ...victim, rssPages: 1_500_000 },
          { pid: 7_001, rssPages: 9_000, name: "python3" },
        ]),
      ),
    );
    expect(said.rootCause).toMatchObject({ cause: "host-oom-global", container: "db" });
    expect(said.steps).toEqual(["start db"]);
  });

  it("stays without an accusation of memory where the kernel log could not be read", () => {
    const host = scene(null);
    host.failed = [{ source: "kernel-log", reason: "permission denied" }];
    expect(answer(host)).toMatchObject({ verdict: "inconclusive", rootCause: null });
  });

  it("is not accused for a kill in a container on no path from the symptom", () => {
    const kernel = record([victim, { pid: 7_001, rssPages: 1_500_000, name: "python3" }]).replaceAll(
      idOf("db"),
      idOf("elsewhere"),
    );
    expect(answer(scene(kernel)).rootCause).toMatchObject({ cause: "external-sigkill", container: "db" });
  });
});

describe("a group above hit its limit", () => {
  it("accuses the biggest sibling although the victim has no limit of its own", () => {
    const said = answer(scene(record([victim, { pid: 7_001, rssPages: 100_000, name: "python3" }], "/tenant-a")));
    expect(said.rootCause).toMatchObject({ cause: "parent-cgroup-oom", container: "batch" });
    expect(said.steps).toEqual(["start db"]);
  });

  it("is not assumed where the limited group is the container's own", () => {
    const own = record([victim, { pid: 7_001, rssPages: 100_000, name: "python3" }], `/docker/${idOf("db")}`);
    expect(answer(scene(own, { db: { memoryLimitBytes: 512 * 1024 * 1024 } })).rootCause).toMatchObject({
      container: "db",
      cause: "cgroup-oom-main",
    });
  });
});

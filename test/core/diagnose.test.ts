import { expect, it } from "vitest";
import { buildReport } from "../../src/core/build-report.ts";
import { diagnose } from "../../src/core/diagnose.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "./scene.ts";

const mib = 1024 * 1024;
const noTimings = { totalMs: 0, connectMs: 0, gatherMs: 0, diagnoseMs: 0 };

/** The founding incident as its sources tell it. */
function foundingIncident(): SceneHost {
  const id = idOf("db");
  return {
    containers: [
      {
        name: "web",
        inspect: {
          env: [{ name: "DATABASE_URL", value: "postgres://app:[redacted]@db:5432/app", digest: "x" }],
          exposedPorts: [{ port: 8000, protocol: "tcp" }],
        },
        logs: [
          'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused',
        ],
        probes: [
          { path: "/healthz", httpStatus: 200, expectedStatus: 200 },
          { path: "/items", httpStatus: 500, expectedStatus: 200 },
        ],
      },
      {
        name: "db",
        inspect: {
          status: "exited",
          exitCode: 137,
          oomKilled: true,
          memoryLimitBytes: 256 * mib,
          memorySwapBytes: 256 * mib,
          finishedAtMs: askedAtMs - 180_000,
        },
      },
      { name: "web-old", inspect: { status: "exited", exitCode: 137, finishedAtMs: askedAtMs - 600_000 } },
    ],
    events: [
      { name: "db", action: "oom", atMs: askedAtMs - 180_100 },
      { name: "db", action: "die", atMs: askedAtMs - 180_000, attributes: { exitCode: "137" } },
    ],
    kernel: [
      `[ 3419.800000] postgres invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`,
      `[ 3419.850000] memory: usage 262144kB, limit 262144kB, failcnt 31`,
      `[ 3419.880000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=postgres,pid=14821,uid=999`,
      `[ 3419.890000] Memory cgroup out of memory: Killed process 14821 (postgres) total-vm:1048576kB, anon-rss:254400kB, file-rss:1200kB, shmem-rss:0kB, UID:999 pgtables:600kB oom_score_adj:0`,
    ].join("\n"),
  };
}

it("accuses the database that the kernel killed at its own limit, and rules web out", () => {
  const { diagnosis } = diagnose(questionAbout("web"), readingsOf(foundingIncident()));
  const report = buildReport(diagnosis, null, noTimings);
  expect(report).toMatchObject({
    verdict: "root-cause",
    rootCause: { cause: "cgroup-oom-main", container: "db", confidence: "confirmed" },
    chain: [{ from: "web", to: "db", proof: "log" }],
  });
  expect(report.rootCause?.summary).toContain("OOM-killed");
  expect(report.ruledOut.map((entry) => entry.container)).toEqual(["web"]);
  const ids = report.evidence.map((item) => item.id);
  expect(report.rootCause?.citations.every((id) => ids.includes(id))).toBe(true);
  const sources = report.rootCause?.citations.map((id) => report.evidence.find((item) => item.id === id)?.source);
  expect(new Set(sources)).toEqual(new Set(["docker-inspect", "docker-events", "kernel-log"]));
});

it("gives the same bytes for the same evidence", () => {
  const once = () =>
    JSON.stringify(
      buildReport(diagnose(questionAbout("web"), readingsOf(foundingIncident())).diagnosis, null, noTimings),
    );
  expect(once()).toBe(once());
});

it("says killed by docker kill, not memory, when the flag is left over from an older kill", () => {
  const scene = foundingIncident();
  scene.events = [
    { name: "db", action: "oom", atMs: askedAtMs - 1_200_000 },
    { name: "db", action: "kill", atMs: askedAtMs - 180_100, attributes: { signal: "9" } },
    { name: "db", action: "die", atMs: askedAtMs - 180_000, attributes: { exitCode: "137" } },
  ];
  scene.kernel = (scene.kernel ?? "").replaceAll("[ 3419.", "[ 2400.");
  const { diagnosis } = diagnose(questionAbout("web"), readingsOf(scene));
  expect(diagnosis.rootCause).toMatchObject({ cause: "manual-docker-kill", container: "db" });
});

it("stays without an accusation when the name is unknown, and names what is near", () => {
  const { diagnosis } = diagnose(questionAbout("wbe"), readingsOf(foundingIncident()));
  expect(diagnosis).toMatchObject({ verdict: "not-found", nearNames: [{ name: "web", host: "h1" }, {}, {}] });
});

it("takes one probe that works for luck where requests went on failing after the question", () => {
  const said = (secondsAfter: number, status: number) =>
    `${new Date(askedAtMs + secondsAfter * 1_000).toISOString()} 10.0.0.9 - - "GET /items HTTP/1.1" ${status} -`;
  const state = (...logs: string[]) =>
    diagnose(
      questionAbout("web"),
      readingsOf({ containers: [{ name: "web", logs, probes: [{ path: "/items", httpStatus: 200 }] }] }),
    ).symptom.state;
  expect(state(said(-60, 200), said(0.2, 500), said(0.5, 500), said(0.8, 500))).toBe("present");
  expect(state(said(-60, 200), said(-0.8, 500), said(-0.5, 500), said(-0.2, 500))).toBe("absent");
  expect(state(said(-60, 200), said(0.2, 500), said(0.5, 500), said(0.8, 200))).toBe("absent");
});

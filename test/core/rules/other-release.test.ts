import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { DockerEvent, ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;
const ask = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis;
const toDatabase = { env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }] };

describe("a shared server whose slots are taken", () => {
  const row = (pid: number, address: string): ProcessRow => ({
    pid,
    ppid: 1,
    uid: "999",
    state: "S",
    rssBytes: null,
    elapsedS: null,
    waitChannel: null,
    command: "postgres",
    args: `postgres: app shop ${address}(5${pid}) idle`,
    cpuSeconds: null,
  });
  const titles = [11, 12, 13, 14, 15, 16].map((pid) => row(pid, "172.30.0.4"));
  const web: SceneContainer = {
    name: "web",
    inspect: toDatabase,
    logs: ['connection to server at "db" (172.30.0.3), port 5432 failed: FATAL:  sorry, too many clients already'],
  };
  const db: SceneContainer = { name: "db", inspect: { image: "postgres:15" }, other: { "docker-top": titles } };
  const worker: SceneContainer = {
    name: "worker",
    inspect: { ...toDatabase, image: "worker:4", createdAtMs: at(120) },
  };
  const replaced = (image: string): Partial<DockerEvent> => ({
    name: "worker",
    actorId: idOf("worker before"),
    action: "destroy",
    atMs: at(125),
    attributes: { name: "worker", image },
  });

  it("blames the new release of the client that holds them", () => {
    const { rootCause } = ask({ containers: [web, db, worker], events: [replaced("worker:3")] });
    expect(rootCause).toMatchObject({ cause: "culprit-in-other-service", container: "worker" });
  });

  it("blames the client without its release when its image is the same", () => {
    const { rootCause } = ask({ containers: [web, db, worker], events: [replaced("worker:4")] });
    expect(rootCause).toMatchObject({ cause: "pg-too-many-connections", container: "worker" });
  });
});

describe("a leak and a deployment beside it", () => {
  const limit = 64 * 1024 * 1024;
  const web: SceneContainer = {
    name: "web",
    inspect: {
      status: "exited",
      exitCode: 137,
      oomKilled: true,
      memoryLimitBytes: limit,
      memorySwapBytes: limit,
      createdAtMs: at(7_000),
      startedAtMs: at(900),
      finishedAtMs: at(60),
    },
  };
  const edge: SceneContainer = {
    name: "edge",
    inspect: { createdAtMs: at(90), env: [{ name: "UPSTREAM", value: "http://web:8000", digest: "x" }] },
  };
  const kill = (uptime: number) => [
    `[ ${uptime}.100000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${idOf("web")},mems_allowed=0,oom_memcg=/docker/${idOf("web")},task_memcg=/docker/${idOf("web")},task=python3,pid=${uptime},uid=0`,
    `[ ${uptime}.200000] Memory cgroup out of memory: Killed process ${uptime} (python3) total-vm:90000kB, anon-rss:64000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:60kB oom_score_adj:0`,
  ];
  const events = [
    { name: "edge", action: "create", atMs: at(90), attributes: { name: "edge", image: "edge:9" } },
    { name: "web", action: "oom", atMs: at(60) },
    { name: "web", action: "die", atMs: at(60), attributes: { exitCode: "137" } },
  ];

  it("clears the deployment when the leak had killed before it", () => {
    const kernel = [...kill(2_400), ...kill(3_540)].join("\n");
    expect(ask({ containers: [web, edge], events, kernel }).rootCause).toMatchObject({
      cause: "delayed-leak-innocent-deploy",
      container: "web",
    });
  });

  it("says nothing of a leak after a single kill", () => {
    const told = ask({ containers: [web, edge], events, kernel: kill(3_540).join("\n") });
    expect(told.rootCause?.container).toBe("web");
    expect(told.rootCause?.cause).not.toBe("delayed-leak-innocent-deploy");
  });
});

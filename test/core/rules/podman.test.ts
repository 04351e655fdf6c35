import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { askedRestarts } from "../../../src/core/hands.ts";
import { propose } from "../../../src/core/propose.ts";
import type { DockerEvent } from "../../../src/core/readings.ts";
import type { ContainerView } from "../../../src/core/world.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;
const podman = { kind: "podman", version: "4.3.1", major: 4, liveRestore: false } as const;
const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "p" };

const ask = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host));

/** The order of events is as recorded on Podman 4.3.1 (Debian 12), through its compatible socket. */
function endedDatabase(engine: NonNullable<SceneHost["engine"]>, before: Partial<DockerEvent>[]): SceneHost {
  const ended = { status: "exited", exitCode: 137, startedAtMs: at(600), finishedAtMs: at(60) } as const;
  return {
    engine,
    containers: [
      { name: "web", logs: ['ERROR could not translate host name "db" to address: Name or service not known'] },
      { name: "db", inspect: { ...ended, networks: [] } },
    ],
    events: [
      { name: "db", action: "start", atMs: at(600) },
      ...before,
      { name: "db", action: "die", atMs: at(60), attributes: { exitCode: "137", containerExitCode: "137" } },
      { name: "db", action: "cleanup", atMs: at(59) },
    ],
  };
}

describe("a container that ended on Podman with exit 137", () => {
  it("accuses nobody of a kill from outside, because a stop leaves no event there", () => {
    const { diagnosis } = ask(endedDatabase(podman, []));
    expect(diagnosis.rootCause?.cause).not.toBe("external-sigkill");
    expect(diagnosis.gaps).toContainEqual(expect.objectContaining({ source: "docker-events", host: "h1" }));
    expect(ask(endedDatabase({}, [])).diagnosis.rootCause?.cause).toBe("external-sigkill");
  });

  it("was killed through the engine where the kill stands in the events, without its signal", () => {
    const { diagnosis } = ask(endedDatabase(podman, [{ name: "db", action: "kill", atMs: at(60.1) }]));
    expect(diagnosis.rootCause).toMatchObject({ cause: "manual-docker-kill", container: "db" });
  });
});

describe("a plan for Podman before version 5", () => {
  const limit = 64 * 1024 * 1024;
  const kernel = `[ 3540.000000] Memory cgroup out of memory: Killed process 77 (python3) total-vm:90000kB, anon-rss:60000kB, file-rss:1kB, shmem-rss:0kB
[ 3539.999000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/machine.slice/libpod-${idOf("db")}.scope,task_memcg=/machine.slice/libpod-${idOf("db")}.scope/container,task=python3,pid=77,uid=0
`;
  const host = (engine: NonNullable<SceneHost["engine"]>): SceneHost => {
    const scene = endedDatabase(engine, []);
    const [web, db] = scene.containers;
    const inspect = { ...db?.inspect, oomKilled: true, memoryLimitBytes: limit, memorySwapBytes: limit };
    return { ...scene, containers: [web as never, { name: "db", inspect }], kernel };
  };

  it("raises no limit, because its compatible socket knows no update", () => {
    const old = ask(host(podman));
    expect(old.diagnosis.rootCause).toMatchObject({ cause: "cgroup-oom-main", container: "db" });
    expect(propose(old, policy)).toMatchObject({ plan: null, why: expect.stringContaining("podman update") });
    const { plan } = propose(ask(host({ ...podman, version: "5.4.0", major: 5 })), policy);
    expect(plan?.steps[0]?.action.action).toBe("update-memory");
  });
});

describe("restarts that somebody asked for", () => {
  const view = (...actions: string[]) =>
    ({ events: actions.map((action, index) => ({ action, atMs: index })) }) as unknown as ContainerView;

  it("are told from those of Podman's restart policy by what came before", () => {
    expect(askedRestarts(view("start", "die", "restart", "start", "die", "restart", "start"))).toEqual([]);
    expect(askedRestarts(view("start", "restart", "die", "cleanup", "start"))).toHaveLength(1);
    expect(askedRestarts(view("start", "kill", "die", "stop", "start", "restart"))).toHaveLength(1);
  });
});

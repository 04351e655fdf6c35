import type { HostAction } from "../../src/core/actions.ts";
import type { Reading } from "../../src/core/evidence.ts";
import type { ContainerInspect } from "../../src/core/readings.ts";
import type { PlannedRead } from "../../src/core/reads.ts";
import { Fault } from "../../src/core/result.ts";
import type { ManagedHosts } from "../../src/hosts/directory.ts";
import type { Clock, HostPerformer, HostReader } from "../../src/ports.ts";
import type { ExecuteReads } from "../../src/room/investigate.ts";
import { askedAtMs, idOf, readingsOf, type SceneContainer } from "../core/scene.ts";

const mib = 1024 ** 2;

/** One host as the founding incident leaves it: `db` killed at its own limit, `web` failing because of it. */
export interface FakeHost {
  name: string;
  containers: Map<string, Partial<ContainerInspect>>;
  /** Every change that reached the engine, in order. */
  effects: HostAction[];
  unreachable: boolean;
  /** What the database-backed path answers; null means it follows `db`. */
  itemsStatus: number | null;
  /** Lines in the log of `web` beside the one that names `db`; a stamp at the head is its time. */
  webLogs: string[];
  /** The start is accepted and the container ends again at once. */
  diesAtStart: boolean;
  /** The answer to the next write gets lost after it was done. */
  losesAnswer: boolean;
  /** The engine refuses the next write with this sentence. */
  refuses: string | null;
  readings(): Reading[];
  act(action: HostAction): string;
}

export function fakeHost(clock: Clock, name = "h1"): FakeHost {
  const containers = new Map<string, Partial<ContainerInspect>>([
    [
      "web",
      {
        env: [{ name: "DATABASE_URL", value: "postgres://app:[redacted]@db:5432/app", digest: "x" }],
        exposedPorts: [{ port: 8000, protocol: "tcp" }],
      },
    ],
    [
      "db",
      {
        env: [{ name: "PGDATA", value: "/var/lib/postgresql/data", digest: "y" }],
        status: "exited",
        exitCode: 137,
        oomKilled: true,
        memoryLimitBytes: 256 * mib,
        memorySwapBytes: 256 * mib,
        finishedAtMs: askedAtMs - 180_000,
      },
    ],
    ["cache", {}],
  ]);
  const host: FakeHost = {
    name,
    containers,
    effects: [],
    unreachable: false,
    itemsStatus: null,
    webLogs: [],
    diesAtStart: false,
    losesAnswer: false,
    refuses: null,
    readings: () => readingsOf(scene(host)),
    act: (action) => act(host, clock, action),
  };
  return host;
}

function scene(host: FakeHost): Parameters<typeof readingsOf>[0] {
  const id = idOf("db");
  const running = host.containers.get("db")?.status === "running";
  const items = host.itemsStatus ?? (running ? 200 : 500);
  return {
    name: host.name,
    containers: [...host.containers].map(([name, inspect]): SceneContainer => {
      if (name !== "web") return { name, inspect };
      return {
        name,
        inspect,
        logs: [
          'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused',
          ...host.webLogs,
        ],
        probes: [
          { path: "/healthz", httpStatus: 200, expectedStatus: 200 },
          { path: "/items", httpStatus: items, expectedStatus: 200 },
        ],
      };
    }),
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

function act(host: FakeHost, clock: Clock, action: HostAction): string {
  const container = host.containers.get(action.container);
  if (container === undefined) throw new Fault("action-failed", `${action.container} is gone`, "ask for a new plan");
  if (host.refuses !== null) {
    const why = host.refuses;
    host.refuses = null;
    throw new Fault("action-failed", `the engine refused it: ${why}`, "look at the engine's log");
  }
  host.effects.push(action);
  apply(host, container, clock.nowMs(), action);
  if (host.losesAnswer) {
    host.losesAnswer = false;
    throw new Fault("action-failed", "its answer was lost", `docker inspect ${action.container}`);
  }
  return `${action.action} done`;
}

function apply(host: FakeHost, container: Partial<ContainerInspect>, nowMs: number, action: HostAction): void {
  switch (action.action) {
    case "update-memory":
      container.memoryLimitBytes = action.memoryBytes;
      container.memorySwapBytes = action.memorySwapBytes;
      return;
    case "update-pids-limit":
      container.pidsLimit = action.pidsLimit;
      return;
    case "update-restart-policy":
      container.restartPolicy = { name: action.restartPolicy, maximumRetryCount: action.maximumRetryCount };
      return;
    case "start":
    case "restart":
      container.startedAtMs = nowMs;
      container.status = host.diesAtStart ? "exited" : "running";
      if (host.diesAtStart) container.finishedAtMs = nowMs;
      else container.finishedAtMs = null;
      return;
    case "unpause":
      container.status = "running";
      return;
    case "connect-network":
      return;
  }
}

/** Answers planned reads from the hosts as they are at that moment. */
export function fakeReads(hosts: readonly FakeHost[]): ExecuteReads {
  return async (reads) => reads.flatMap((planned) => answersTo(hosts, planned));
}

function answersTo(hosts: readonly FakeHost[], planned: PlannedRead): Reading[] {
  const host = hosts.find((candidate) => candidate.name === planned.host);
  const { source, containerId } = planned;
  const about = { source, host: planned.host, containerId, read: source, atMs: askedAtMs, sha256: "" };
  const lost = (code: "unreachable" | "not-found", reason: string): Reading[] => [
    { ...about, outcome: { status: "failed", code, reason, fix: null } },
  ];
  if (host === undefined || host.unreachable) return lost("unreachable", "no answer");
  const found = host.readings().filter((reading) => {
    if (reading.source !== source || reading.containerId !== containerId) return false;
    if (planned.source !== "http-probe" || reading.outcome.status !== "ok") return true;
    return (reading.outcome.value as { path?: unknown }).path === planned.args.path;
  });
  if (found.length > 0) return found;
  return source === "docker-inspect" ? lost("not-found", "no such container") : [];
}

export function fakePerformer(hosts: readonly FakeHost[]): HostPerformer {
  return {
    async perform(plan, step) {
      const action = plan.actions[step];
      const host = hosts.find((candidate) => candidate.name === action?.host);
      if (action === undefined || host === undefined) throw new Fault("action-failed", "no such step", "none");
      if (host.unreachable) throw new Fault("host-unreachable", `${host.name} does not answer`, "check the host");
      return { readBack: host.act(action) };
    },
  };
}

export function fakeDirectory(hosts: readonly FakeHost[]): ManagedHosts {
  const extra = new Map<string, Parameters<ManagedHosts["put"]>[0]>();
  const labels = (name: string) => extra.get(name)?.labels ?? (name === "h1" ? { env: "prod" } : {});
  return {
    names: () => [...hosts.map((host) => host.name), ...extra.keys()],
    labels,
    async reader(name) {
      const host = hosts.find((candidate) => candidate.name === name);
      if (host === undefined || host.unreachable)
        throw new Fault("host-unreachable", `${name} does not answer`, "check the host");
      return { host: name } as HostReader;
    },
    lastConnectMs: () => 0,
    close: async () => {},
    config: (name) => extra.get(name) ?? null,
    put: async (config) => void extra.set(config.name, config),
    remove: async (name) => void extra.delete(name),
    check: async () => [
      { check: "reachable", ok: true, detail: "in 3 ms", fix: null, level: "ok" },
      { check: "kernel log", ok: false, detail: "permission denied", fix: "add the group adm", level: "warning" },
    ],
  };
}

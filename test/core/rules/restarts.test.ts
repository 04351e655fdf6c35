import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { DockerEvent } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const second = 1_000;
const at = (secondsAgo: number) => askedAtMs - secondsAgo * second;
const always = { name: "always", maximumRetryCount: 0 };

function ask(host: SceneHost) {
  return diagnose(questionAbout("api"), readingsOf(host)).diagnosis;
}

/** `runS` seconds up, `pauseS` down, over and over until just now. */
function runs(count: number, runS: number, pauseS: number, exitCode: string): Partial<DockerEvent>[] {
  return Array.from({ length: count }, (_, run) => {
    const diedAgo = (count - run) * (runS + pauseS);
    return [
      { name: "api", action: "start", atMs: at(diedAgo + runS) },
      { name: "api", action: "die", atMs: at(diedAgo), attributes: { exitCode } },
    ];
  }).flat();
}

const looping: SceneContainer = {
  name: "api",
  inspect: {
    status: "restarting",
    restarting: true,
    running: true,
    exitCode: 78,
    restartCount: 5,
    restartPolicy: always,
    finishedAtMs: at(2),
  },
  logs: ["settings.yaml: unknown key"],
};

describe("a container that ends again and again", () => {
  it("is a crash loop when every start fails the same way", () => {
    const { rootCause } = ask({ containers: [looping], events: runs(5, 0.2, 2, "78") });
    expect(rootCause).toMatchObject({ cause: "crash-loop-config", container: "api", confidence: "confirmed" });
  });

  it("came to its end each time when every run ended with exit 0, as far as the events show", () => {
    const done = { ...looping, logs: [], inspect: { ...looping.inspect, exitCode: 0 } };
    const { rootCause } = ask({ containers: [done], events: runs(5, 0.2, 2, "0") });
    expect(rootCause).toMatchObject({ cause: "completed-exit-0", container: "api", confidence: "confirmed" });
    expect(rootCause?.summary).toContain("its restart policy always starts it again each time, 5 times so far");
    const mixed = [...runs(5, 0.2, 2, "0").slice(2), ...runs(1, 0.2, 0.5, "1")];
    expect(ask({ containers: [done], events: mixed }).rootCause?.cause).toBe("crash-loop-config");
    expect(ask({ containers: [done], events: [] }).rootCause?.cause).toBe("crash-loop-config");
  });

  it("waits in the back-off once the delay is long and nothing says why", () => {
    const waiting = { ...looping, logs: [], inspect: { ...looping.inspect, restartCount: 9 } };
    expect(ask({ containers: [waiting], events: runs(5, 0.2, 20, "1") }).rootCause?.cause).toBe("backoff-window");
  });

  it("hides its crashes when it serves between them", () => {
    const serving: SceneContainer = {
      ...looping,
      inspect: { ...looping.inspect, status: "running", restarting: false, startedAtMs: at(3) },
      logs: [],
    };
    expect(ask({ containers: [serving], events: runs(4, 12, 0.2, "1") }).rootCause?.cause).toBe("masked-crashes");
  });

  it("is left alone when its restarts are long over", () => {
    const stable: SceneContainer = {
      name: "api",
      inspect: { restartCount: 40, restartPolicy: always, startedAtMs: at(864_000), finishedAtMs: at(864_001) },
    };
    expect(ask({ containers: [stable] }).rootCause).toBeNull();
  });

  it("is a consequence when its log blames a peer", () => {
    const blaming: SceneContainer = {
      ...looping,
      inspect: {
        ...looping.inspect,
        env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }],
      },
      logs: ['connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused'],
    };
    const { rootCause } = ask({ containers: [blaming, { name: "db" }], events: runs(5, 0.2, 2, "1") });
    expect(rootCause?.cause).not.toBe("crash-loop-config");
  });
});

describe("a container that ended by itself and stays down", () => {
  const ended: SceneContainer = {
    name: "api",
    inspect: { status: "exited", exitCode: 1, startedAtMs: at(300), finishedAtMs: at(60) },
  };
  const died = (exitCode: string) => [
    { name: "api", action: "start", atMs: at(300) },
    { name: "api", action: "die", atMs: at(60), attributes: { exitCode } },
  ];
  const policy = (name: string, maximumRetryCount: number, restartCount: number, exitCode = 1): SceneContainer => ({
    ...ended,
    inspect: { ...ended.inspect, exitCode, restartCount, restartPolicy: { name, maximumRetryCount } },
  });

  it.each([
    ["no-policy-after-crash", ended, died("1")],
    ["retries-exhausted", policy("on-failure", 3, 3), died("1")],
    ["on-failure-exit-0", policy("on-failure", 0, 0, 0), died("0")],
  ])("is %s", (cause, container, events) => {
    expect(ask({ containers: [container], events }).rootCause).toMatchObject({ cause, container: "api" });
  });

  const stop = { name: "api", action: "kill", atMs: at(61), attributes: { signal: "15" } };
  it.each([
    ["was told to stop", ended, [...died("1").slice(0, 1), stop, ...died("1").slice(1)]],
    ["was ended by a signal", { ...ended, inspect: { ...ended.inspect, exitCode: 139 } }, died("139")],
    ["has retries left", policy("on-failure", 5, 2), died("1")],
  ])("is none of these when it %s", (_, container, events) => {
    const told = ask({ containers: [container], events }).rootCause?.cause;
    expect(["no-policy-after-crash", "retries-exhausted", "on-failure-exit-0"]).not.toContain(told);
  });
});

describe("restarts that a helper asks for", () => {
  const check = {
    test: ["CMD-SHELL", "curl -f localhost:8000/wrong"],
    intervalMs: 1_000,
    timeoutMs: 1_000,
    retries: 1,
    startPeriodMs: 0,
  };
  const watched = (more: Partial<SceneContainer>): SceneContainer => ({
    name: "api",
    inspect: {
      healthcheck: check,
      health: {
        status: "unhealthy",
        failingStreak: 2,
        log: [{ startAtMs: at(2), endAtMs: at(1), exitCode: 22, output: "404" }],
      },
    },
    ...more,
  });
  const healed = [90, 60, 30].flatMap((ago) => [
    { name: "api", action: "health_status: unhealthy", atMs: at(ago + 2) },
    { name: "api", action: "restart", atMs: at(ago) },
  ]);

  it("are a loop about a wrong check when the service answers", () => {
    const serving = watched({ probes: [{ path: "/", httpStatus: 200 }] });
    expect(ask({ containers: [serving], events: healed }).rootCause?.cause).toBe("autoheal-loop");
  });

  it("come too early when it never gets ready", () => {
    const booting = watched({ probes: [{ path: "/", httpStatus: null, failure: "refused" }] });
    expect(ask({ containers: [booting], events: healed }).rootCause?.cause).toBe("start-period-short");
  });

  it("are not told of when the events are missing", () => {
    const serving = watched({ probes: [{ path: "/", httpStatus: 200 }] });
    const blind = ask({ containers: [serving], failed: [{ source: "docker-events", reason: "denied" }] });
    expect(blind.rootCause?.cause).not.toBe("autoheal-loop");
  });
});

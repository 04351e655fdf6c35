import { describe, expect, it } from "vitest";
import type { HostAction } from "../../src/core/actions.ts";
import type { ProbeResult } from "../../src/core/readings.ts";
import {
  comesToRest,
  compareSnapshots,
  type HostSnapshot,
  probeLines,
  type RunState,
  runLines,
  runStateOf,
  snapshotOf,
  type VerificationRound,
  verdictOf,
} from "../../src/core/verify.ts";
import { fakeHost } from "../fakes/fake-host.ts";
import { inspectOf } from "../fakes/three-steps.ts";
import { askedAtMs, idOf, readingsOf } from "./scene.ts";

const up: RunState = { status: "running", running: true, startedAtMs: 1_000, restartCount: 0, staysDown: false };
const ended: RunState = { ...up, status: "exited", running: false, staysDown: true };
const looping: RunState = { ...ended, status: "restarting", staysDown: false };
const answer = (httpStatus: number): ProbeResult => ({
  kind: "http",
  address: "10.0.0.2",
  port: 8000,
  path: "/items",
  failure: null,
  detail: "",
  httpStatus,
  expectedStatus: 200,
  durationMs: 2,
  bodyExcerpt: null,
  headers: {},
  certificate: null,
});

function round(db: RunState | null, status: number | null | "none" = 200): VerificationRound {
  const result = typeof status === "number" ? answer(status) : null;
  return {
    atMs: 0,
    containers: [{ name: "db", state: db }],
    probes: status === "none" ? [] : [{ container: "web", result }],
  };
}

const times = (count: number, one: VerificationRound) => Array.from({ length: count }, () => one);

describe("the verdict", () => {
  const cases: [string, VerificationRound[], boolean, string | null][] = [
    ["is open before enough looks", times(4, round(up)), false, null],
    ["is recovered after enough good looks in a row", times(5, round(up)), false, "recovered"],
    ["is recovered also where there is nothing to probe", times(5, round(up, "none")), false, "recovered"],
    [
      "forgets what was bad before the good ones",
      [...times(9, round(up, 500)), ...times(5, round(up))],
      false,
      "recovered",
    ],
    ["is open while one of the last looks failed", [...times(4, round(up)), round(up, 500)], false, null],
    ["starts again after a restart", [round(up), ...times(4, round({ ...up, restartCount: 1 }))], false, null],
    ["starts again after another start", [round(up), ...times(4, round({ ...up, startedAtMs: 2_000 }))], false, null],
    ["is not recovered when it ends and stays so", times(5, round(ended, 500)), false, "not-recovered"],
    ["is open while the engine may start it again", times(5, round(looping, 500)), false, null],
    ["is open when it has only just ended", [...times(4, round(up)), round(ended)], false, null],
    ["is not recovered when the time is over and it fails", times(9, round(up, 500)), true, "not-recovered"],
    [
      "is not recovered when the time is over and it restarts",
      [...times(4, round(up)), round({ ...up, restartCount: 3 })],
      true,
      "not-recovered",
    ],
    ["is not recovered when the time is over and it does not run", times(9, round(looping)), true, "not-recovered"],
    [
      "is inconclusive when the time is over and nothing could be read",
      times(9, round(null, null)),
      true,
      "inconclusive",
    ],
    [
      "is inconclusive when too few looks saw anything",
      [...times(3, round(null)), round(up, 500), round(up, 500)],
      true,
      "inconclusive",
    ],
    [
      "is not recovered when most looks saw it fail",
      [...times(2, round(null)), ...times(3, round(up, 500))],
      true,
      "not-recovered",
    ],
    ["is inconclusive when the good looks are not enough", times(4, round(up)), true, "inconclusive"],
    ["is open while a probe could not be made", times(5, round(up, null)), false, null],
    ["is inconclusive without any look", [], true, "inconclusive"],
  ];
  it.each(cases)("%s", (_, rounds, over, verdict) => {
    expect(verdictOf(rounds, 5, over)).toBe(verdict);
  });
});

it("says how often each path answered as it should, and what runs now", () => {
  const rounds = [round(up, 500), round(up), round(up)];
  expect(probeLines(rounds)).toEqual(["web: GET /items on port 8000 answered 200 (2 of 3 probes as expected)"]);
  expect(probeLines([round(up, null)])).toEqual([]);
  expect(runLines(rounds)).toEqual(["db is running, 0 restarts"]);
  expect(runLines([round(null)])).toEqual(["db could not be read"]);
  expect(runLines([round(ended)])).toEqual(["db is exited, 0 restarts; nothing starts it again by itself"]);
  expect(runLines([])).toEqual([]);
});

it("counts a container as running only when it is neither paused nor restarting", () => {
  const db = inspectOf(fakeHost({ nowMs: () => askedAtMs }), "web");
  expect(runStateOf(db)).toMatchObject({ running: true, staysDown: false });
  expect(runStateOf({ ...db, paused: true }).running).toBe(false);
  expect(runStateOf({ ...db, restarting: true }).running).toBe(false);
  expect(runStateOf({ ...db, running: false }).staysDown).toBe(true);
});

describe("a plan that ends a loop and starts nothing", () => {
  const target = { host: "h1", container: "job", containerId: "a".repeat(64) };
  const policy: HostAction = {
    action: "update-restart-policy",
    ...target,
    restartPolicy: "on-failure",
    maximumRetryCount: 5,
  };
  const start: HostAction = { action: "start", ...target };

  it("means that container to come to rest, and no other", () => {
    expect(comesToRest([policy], target.containerId)).toBe(true);
    expect(comesToRest([{ ...policy, restartPolicy: "no" }], target.containerId)).toBe(true);
    expect(comesToRest([{ ...policy, restartPolicy: "unless-stopped" }], target.containerId)).toBe(false);
    expect(comesToRest([start, policy], target.containerId)).toBe(false);
    expect(comesToRest([policy], "b".repeat(64))).toBe(false);
    expect(comesToRest([start], target.containerId)).toBe(false);
  });

  it("is good once that container stays down, while the others and the probes are judged as ever", () => {
    const rested = (state: RunState, status = 200): VerificationRound => {
      const { containers, probes } = round(up, status);
      return { atMs: 0, containers: [...containers, { name: "job", state, rests: true }], probes };
    };
    expect(verdictOf(times(5, rested(ended)), 5, false)).toBe("recovered");
    expect(verdictOf(times(5, rested(ended, 500)), 5, true)).toBe("not-recovered");
    expect(verdictOf(times(5, rested(looping)), 5, true)).toBe("not-recovered");
    const restarted = times(5, rested(ended)).map((one, at) => ({
      ...one,
      containers: one.containers.map((entry) => ({ ...entry, state: { ...ended, restartCount: at } })),
    }));
    expect(verdictOf(restarted, 5, true)).toBe("not-recovered");
  });
});

it.each([
  ["no", 0, 1, 0, true],
  ["always", 0, 0, 9, false],
  ["unless-stopped", 0, 1, 9, false],
  ["on-failure", 0, 0, 9, true],
  ["on-failure", 0, 1, 9, false],
  ["on-failure", 5, 1, 4, false],
  ["on-failure", 5, 1, 5, true],
] as const)(
  "knows whether %s:%i starts it again after exit %i and %i restarts",
  (name, most, exitCode, count, down) => {
    const db = inspectOf(fakeHost({ nowMs: () => askedAtMs }), "web");
    const policy = { name, maximumRetryCount: most };
    const state = { ...db, running: false, exitCode, restartCount: count, restartPolicy: policy };
    expect(runStateOf(state).staysDown).toBe(down);
    expect(runStateOf({ ...state, restarting: true }).staysDown).toBe(false);
  },
);

describe("the comparison", () => {
  const one = { id: "a", name: "db", status: "running", restartCount: 0, health: "healthy" };
  const at = (...containers: HostSnapshot["containers"]): HostSnapshot[] => [{ host: "h1", containers }];
  const cases: [string, HostSnapshot[], HostSnapshot[], string[]][] = [
    ["says nothing of what stayed", at(one), at(one), []],
    ["names another status", at(one), at({ ...one, status: "exited" }), ["db: running, now exited"]],
    ["names restarts", at(one), at({ ...one, restartCount: 2 }), ["db: 0 restarts, now 2"]],
    ["names another health", at(one), at({ ...one, health: "unhealthy" }), ["db: health healthy, now unhealthy"]],
    ["names another name", at(one), at({ ...one, name: "db2" }), ["db is now called db2"]],
    ["names what is gone", at(one), at(), ["db is gone"]],
    ["names what is new", at(), at(one), ["db is new: running"]],
    ["names a container that was made anew", at(one), at({ ...one, id: "b" }), ["db is gone", "db is new: running"]],
    ["leaves out what was not read before", at({ ...one, restartCount: null, health: null }), at(one), []],
    ["leaves out what was not read after", at(one), at({ ...one, restartCount: null, health: null }), []],
    [
      "names a host that was not read after",
      at(one),
      [],
      ["h1 could not be compared: its containers were not read afterwards"],
    ],
  ];
  it.each(cases)("%s", (_, before, after, changes) => {
    expect(compareSnapshots(before, after)).toEqual(changes);
  });

  it("is made of the list and the inspects beside it", () => {
    const readings = readingsOf({
      containers: [
        { name: "db", inspect: { restartCount: 3, health: { status: "healthy", failingStreak: 0, log: [] } } },
        { name: "web", inspect: { status: "exited" } },
      ],
    });
    expect(snapshotOf("h1", readings)).toEqual({
      host: "h1",
      containers: [
        { id: idOf("db"), name: "db", status: "running", restartCount: 3, health: "healthy" },
        { id: idOf("web"), name: "web", status: "exited", restartCount: 0, health: null },
      ],
    });
    const listOnly = readings.filter((reading) => reading.source === "docker-list");
    expect(snapshotOf("h1", listOnly)?.containers[0]).toMatchObject({ status: "running", restartCount: null });
    expect(snapshotOf("h2", readings)).toBeNull();
  });
});

describe("a plan that touched more than one container", () => {
  const both = (db: RunState | null, web: RunState | null): VerificationRound => ({
    atMs: 0,
    containers: [
      { name: "db", state: db },
      { name: "web", state: web },
    ],
    probes: [],
  });

  it("is not recovered while one of them is down, stays down, or could not be seen", () => {
    expect(verdictOf(times(5, both(up, up)), 5, false)).toBe("recovered");
    expect(verdictOf(times(5, both(up, ended)), 5, false)).toBe("not-recovered");
    expect(verdictOf(times(5, both(ended, up)), 5, false)).toBe("not-recovered");
    expect(verdictOf(times(5, both(up, looping)), 5, true)).toBe("not-recovered");
    expect(verdictOf(times(5, both(up, null)), 5, true)).toBe("inconclusive");
  });

  it("is not recovered when a single one of the last looks was bad and there is no time left", () => {
    expect(verdictOf([...times(4, round(up)), round(up, 500)], 5, true)).toBe("not-recovered");
  });

  it("compares each host and each container with itself, and says what one of them became", () => {
    const one = (id: string, status: string) => ({ id, name: id, status, restartCount: 0, health: null });
    const before: HostSnapshot[] = [
      { host: "h1", containers: [one("a", "running"), one("b", "running")] },
      { host: "h2", containers: [one("c", "running")] },
    ];
    const after: HostSnapshot[] = [
      { host: "h1", containers: [one("a", "running"), one("b", "exited")] },
      { host: "h2", containers: [one("c", "paused")] },
    ];
    expect(compareSnapshots(before, after)).toEqual(["b: running, now exited", "c: running, now paused"]);
  });
});

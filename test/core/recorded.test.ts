import { describe, expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import type { DockerEvent, EventWindow } from "../../src/core/readings.ts";
import { isKept, longestSeries, type Recording, widen } from "../../src/core/recorded.ts";

const event = (atMs: number, action = "die", actorId = "a"): DockerEvent => ({
  atMs,
  type: "container",
  action,
  actorId,
  name: null,
  attributes: {},
});
const window = (change: Partial<EventWindow> = {}): EventWindow => ({
  events: [event(800)],
  sinceMs: 100,
  untilMs: 1_000,
  completeSinceMs: 700,
  ...change,
});
const recording = (change: Partial<Recording> = {}): Recording => ({
  sinceMs: 50,
  coveredUntilMs: 950,
  gaps: [],
  events: [event(200)],
  ...change,
});

describe("several recordings of memory", () => {
  const series = (host: string, containerId: string, samples: number): Reading => {
    const points = Array.from({ length: samples }, (_, at) => ({ atMs: at, bytes: 1 }));
    const outcome = { status: "ok" as const, value: { points, limitBytes: null } };
    return { source: "memory-series", host, containerId, read: `${samples}`, atMs: 0, sha256: "", outcome };
  };

  it("leave the fuller one of each container, and everything else as it is", () => {
    const failed: Reading = {
      ...series("h1", "a", 0),
      containerId: null,
      outcome: { status: "failed", code: "timeout", reason: "late", fix: null },
    };
    const readings = [series("h1", "a", 3), series("h2", "a", 1), failed, series("h1", "a", 9), series("h1", "a", 9)];
    expect(longestSeries(readings).map(({ host, read }) => `${host} ${read}`)).toEqual(["h2 1", "h1 0", "h1 9"]);
    expect(longestSeries(readings)).toContain(failed);
  });
});

describe("a widened window", () => {
  const cases: [string, EventWindow, Recording, number | null][] = [
    ["is complete from its beginning when all of it was recorded", window(), recording(), 100],
    ["is complete from the beginning of the recording", window(), recording({ sinceMs: 300 }), 300],
    [
      "is complete only after the latest gap",
      window(),
      recording({
        gaps: [
          { fromMs: 150, untilMs: 180 },
          { fromMs: 400, untilMs: 450 },
        ],
      }),
      450,
    ],
    [
      "is not bothered by a gap that the engine remembers",
      window(),
      recording({ gaps: [{ fromMs: 710, untilMs: 720 }] }),
      100,
    ],
    [
      "is never complete from later than the engine proves",
      window(),
      recording({ gaps: [{ fromMs: 600, untilMs: 990 }] }),
      700,
    ],
    [
      "stays as it is when the recording ends before the engine's proof",
      window(),
      recording({ coveredUntilMs: 699 }),
      700,
    ],
    [
      "is widened when the recording just reaches the engine's proof",
      window(),
      recording({ coveredUntilMs: 700 }),
      100,
    ],
    ["stays as it is when the recording began after the engine's proof", window(), recording({ sinceMs: 700 }), 700],
    ["proves nothing where the engine proves nothing", window({ completeSinceMs: null }), recording(), null],
  ];
  it.each(cases)("%s", (_, read, recorded, completeSinceMs) => {
    expect(widen(read, recorded).completeSinceMs).toBe(completeSinceMs);
  });

  it("holds every event once, in order, and none from outside the window", () => {
    const events = [
      event(99),
      event(100),
      event(800),
      event(800, "oom"),
      event(800, "die", "b"),
      event(1_000),
      event(1_001),
    ];
    const widened = widen(window(), recording({ events: events.toReversed() }));
    expect(widened.events.map(({ atMs, action, actorId }) => `${atMs} ${action} ${actorId}`).sort()).toEqual([
      "100 die a",
      "1000 die a",
      "800 die a",
      "800 die b",
      "800 oom a",
    ]);
    expect(widened.events.map(({ atMs }) => atMs)).toEqual([100, 800, 800, 800, 1_000]);
    expect(widened).toMatchObject({ sinceMs: 100, untilMs: 1_000 });
  });
});

it("keeps what says something of a container's life, and not what health checks do every second", () => {
  const kept = ["die", "oom", "kill", "start", "stop", "update", "rename", "health_status: unhealthy", "health_status"];
  const left = ["exec_create: /bin/sh", "exec_start", "exec_die", "top", "attach", "dying", "undie"];
  expect(kept.filter((action) => isKept({ type: "container", action }))).toEqual(kept);
  expect(left.filter((action) => isKept({ type: "container", action }))).toEqual([]);
  expect(isKept({ type: "network", action: "disconnect" })).toBe(true);
  expect(isKept({ type: "network", action: "die" })).toBe(false);
  expect(isKept({ type: "volume", action: "destroy" })).toBe(true);
  expect(isKept({ type: "volume", action: "mount" })).toBe(false);
  expect(isKept({ type: "daemon", action: "reload" })).toBe(true);
  expect(isKept({ type: "image", action: "pull" })).toBe(false);
});

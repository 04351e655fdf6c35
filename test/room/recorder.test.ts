import { expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import type { DockerEvent, EventWindow, MemorySeries } from "../../src/core/readings.ts";
import type { PlannedRead } from "../../src/core/reads.ts";
import { Fault } from "../../src/core/result.ts";
import type { HostReader, Store } from "../../src/ports.ts";
import { createRecorder, type Recorder } from "../../src/room/recorder.ts";
import { openStore } from "../../src/store/store.ts";
import { askedAtMs, idOf, readingsOf } from "../core/scene.ts";
import { type FakeTime, fakeTime, settle } from "../fakes/fake-time.ts";

const minute = 60_000;

/** An engine whose memory and stream of events a test holds in its hands. */
interface Engine {
  remembered: DockerEvent[];
  completeSinceMs: number | null;
  /** Since when each connection asked. */
  connections: number[];
  emit(event: DockerEvent): void;
  lose(): void;
  bytes: number;
}

function die(atMs: number, action = "die"): DockerEvent {
  return { atMs, type: "container", action, actorId: idOf("db"), name: "db", attributes: {} };
}

function openEngine(time: FakeTime) {
  let onLine: (line: Buffer) => void = () => {};
  let onLost: (fault: Fault) => void = () => {};
  const engine: Engine = {
    remembered: [],
    completeSinceMs: null,
    connections: [],
    emit: (event) => onLine(Buffer.from(JSON.stringify(event))),
    lose: () => onLost(new Fault("read-failed", "the connection broke", "none")),
    bytes: 1_000,
  };
  const followEvents: HostReader["followEvents"] = (sinceMs, onEvent, signal) =>
    new Promise((resolve, reject) => {
      engine.connections.push(sinceMs);
      onLine = onEvent;
      onLost = reject;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  const answer = (planned: PlannedRead): Reading[] => {
    const nowMs = time.clock.nowMs();
    const about = { source: planned.source, host: planned.host, read: planned.source, atMs: nowMs, sha256: "" };
    const ok = (containerId: string | null, value: unknown) =>
      [{ ...about, containerId, outcome: { status: "ok", value } }] as Reading[];
    switch (planned.source) {
      case "host-clock":
        return ok(null, { hostTimeMs: nowMs, roundTripMs: 1 });
      case "docker-events": {
        const { sinceMs, untilMs } = planned.args;
        return ok(null, { events: engine.remembered, sinceMs, untilMs, completeSinceMs: engine.completeSinceMs });
      }
      case "cgroup":
        return planned.args.containers.flatMap(({ containerId }) =>
          ok(containerId, { memoryCurrentBytes: engine.bytes, inactiveFileBytes: 100, memoryLimitBytes: 4_000 }),
        );
    }
    const scene = readingsOf({ containers: [{ name: "db" }, { name: "old", inspect: { status: "exited" } }] });
    return scene.filter((reading) => reading.source === planned.source && reading.containerId === planned.containerId);
  };
  return { engine, followEvents, answer };
}

async function recording(more: { store?: Store; time?: FakeTime; owner?: string } = {}) {
  const time = more.time ?? fakeTime(askedAtMs);
  const store = more.store ?? (await openStore("file::memory:", { clock: time.clock }));
  const { engine, followEvents, answer } = openEngine(time);
  const warnings: string[] = [];
  const recorder: Recorder = createRecorder({
    store,
    clock: time.clock,
    scheduler: time.scheduler,
    hosts: {
      names: () => ["h1"],
      labels: () => ({}),
      reader: async () => ({ host: "h1", followEvents }) as unknown as HostReader,
      lastConnectMs: () => 0,
      close: async () => {},
    },
    executeReads: async (reads) => reads.flatMap(answer),
    parseEvent: (line) => JSON.parse(line) as DockerEvent,
    retentionMs: 48 * 60 * minute,
    owner: more.owner ?? "one",
    log: { info: () => {}, warn: (fields) => void warnings.push(String(fields["reason"])), error: () => {} },
  });
  return { recorder, engine, store, time, answer, warnings };
}

/** What an investigation of this moment gets from the recorder. */
async function widened({ recorder, time, answer }: Awaited<ReturnType<typeof recording>>) {
  const nowMs = time.clock.nowMs();
  const args = { sinceMs: nowMs - 24 * 60 * minute, untilMs: nowMs, engineStartedAtMs: null };
  const readings = [
    ...answer({ host: "h1", source: "docker-events", containerId: null, args }),
    ...answer({ host: "h1", source: "docker-list", containerId: null, args: null }),
  ];
  const extra = await recorder.recorded(readings, nowMs);
  const valueIn = (source: string) => {
    const found = extra.find((reading) => reading.source === source);
    return found?.outcome.status === "ok" ? found.outcome.value : null;
  };
  return {
    window: valueIn("docker-events") as EventWindow | null,
    series: valueIn("memory-series") as MemorySeries | null,
  };
}

it("remembers a kill that the engine has forgotten, and proves the time since it began", async () => {
  const all = await recording();
  const { recorder, engine, time } = all;
  engine.completeSinceMs = askedAtMs - minute;
  recorder.start();
  await settle();
  await time.advance(5_000);
  engine.emit(die(askedAtMs + 4_000, "oom"));
  engine.emit(die(askedAtMs + 4_001));
  engine.emit(die(askedAtMs + 4_002, "exec_die"));
  await time.advance(30 * minute);
  engine.remembered = [die(askedAtMs + 30 * minute, "exec_start")];
  engine.completeSinceMs = askedAtMs + 30 * minute - 15_000;
  const { window } = await widened(all);
  expect(window?.events.map((event) => event.action)).toEqual(["oom", "die", "exec_start"]);
  expect(window?.completeSinceMs).toBe(askedAtMs - minute);
  await recorder.stop();
});

it("closes a break from the engine's memory, and marks as a gap what that does not hold any more", async () => {
  const all = await recording();
  const { recorder, engine, time } = all;
  engine.completeSinceMs = askedAtMs - minute;
  recorder.start();
  await settle();
  await time.advance(10 * minute);
  engine.remembered = [die(askedAtMs + 10 * minute + 500)];
  engine.completeSinceMs = askedAtMs + 5 * minute;
  engine.lose();
  await settle();
  await time.advance(10_000);
  expect(engine.connections).toHaveLength(2);
  const whole = await widened(all);
  expect(whole.window?.completeSinceMs).toBe(askedAtMs - minute);
  expect(whole.window?.events).toHaveLength(1);

  await time.advance(10 * minute);
  engine.remembered = [];
  engine.completeSinceMs = askedAtMs + 25 * minute;
  engine.lose();
  await settle();
  await time.advance(20 * minute);
  expect((await widened(all)).window?.completeSinceMs).toBe(askedAtMs + 25 * minute);
  await recorder.stop();
});

it("samples what each running container really uses, every quarter of a minute", async () => {
  const all = await recording();
  const { recorder, engine, time } = all;
  recorder.start();
  await settle();
  engine.bytes = 3_100;
  await time.advance(31_000);
  const { series } = await widened(all);
  expect(series?.points.map((point) => point.bytes)).toEqual([900, 3_000, 3_000]);
  expect(series?.limitBytes).toBe(4_000);
  expect((series?.points[2]?.atMs ?? 0) - (series?.points[1]?.atMs ?? 0)).toBe(15_000);
  await recorder.stop();
});

it("is done by one replica at a time, and goes to the other within ten seconds of a death", async () => {
  const first = await recording({ owner: "one" });
  const second = await recording({ owner: "two", store: first.store, time: first.time });
  first.recorder.start();
  await settle();
  second.recorder.start();
  await first.time.advance(20_000);
  expect([first.engine.connections.length, second.engine.connections.length]).toEqual([1, 0]);
  await first.recorder.stop();
  await first.store.acquireLease("recorder:h1", "the dead", 6_000, first.time.clock.nowMs());
  await first.time.advance(10_000);
  expect(second.engine.connections).toHaveLength(1);
  await second.recorder.stop();
});

it("adds nothing where nothing was recorded", async () => {
  const all = await recording();
  expect(await widened(all)).toEqual({ window: null, series: null });
});

it("logs once an hour that a host cannot be followed, and at once when it is lost anew", async () => {
  const { recorder, engine, time, warnings } = await recording();
  recorder.start();
  await settle();
  for (let times = 0; times < 10; times++) {
    engine.lose();
    await time.advance(5_000);
  }
  expect(warnings).toEqual(["the connection broke"]);
  engine.emit(die(time.clock.nowMs()));
  engine.lose();
  await time.advance(5_000);
  expect(warnings).toHaveLength(2);
  await time.advance(60 * minute);
  engine.lose();
  await time.advance(5_000);
  expect(warnings).toHaveLength(3);
  await recorder.stop();
});

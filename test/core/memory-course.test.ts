import { describe, expect, it } from "vitest";
import { diagnose } from "../../src/core/diagnose.ts";
import { memoryCourse } from "../../src/core/memory-course.ts";
import type { MemorySeries } from "../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "./scene.ts";

const mib = 1024 ** 2;
const id = idOf("web");
const diedAtMs = askedAtMs - 60_000;
const startedAtMs = diedAtMs - 40 * 60_000;

const kernel = [
  "[ 3540.000000] app invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
  `[ 3540.020000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=app,pid=4060,uid=0`,
  "[ 3540.030000] Memory cgroup out of memory: Killed process 4060 (app) total-vm:900000kB, anon-rss:261000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:600kB oom_score_adj:0",
].join("\n");

/** web, killed at 256 MiB after 40 minutes; samples every 15 s of the hour before the question. */
function scene(bytesAt: (atMs: number) => number, more: Partial<SceneHost> = {}): SceneHost {
  const points = Array.from({ length: 240 }, (_, at) => askedAtMs - (240 - at) * 15_000).map((atMs) => ({
    atMs,
    bytes: bytesAt(atMs) * mib,
  }));
  const series: MemorySeries = { points, limitBytes: 256 * mib };
  return {
    containers: [
      {
        name: "web",
        inspect: {
          memoryLimitBytes: 256 * mib,
          status: "exited",
          exitCode: 137,
          oomKilled: true,
          startedAtMs,
          finishedAtMs: diedAtMs,
        },
        other: { "memory-series": series },
      },
    ],
    events: [
      { name: "web", action: "start", atMs: startedAtMs },
      { name: "web", action: "oom", atMs: diedAtMs - 100 },
      { name: "web", action: "die", atMs: diedAtMs, attributes: { exitCode: "137" } },
    ],
    kernel,
    ...more,
  };
}

const climb = (atMs: number) => 40 + (210 * Math.max(0, atMs - startedAtMs)) / (diedAtMs - startedAtMs);
const answer = (host: SceneHost) => {
  const conclusion = diagnose(questionAbout("web"), readingsOf(host));
  return { cause: conclusion.diagnosis.rootCause?.cause ?? null, drawn: memoryCourse(conclusion) };
};

describe("the course of memory", () => {
  it("is the run that was killed, with its start, its kill and its figures, which stand in a fact", () => {
    const { cause, drawn } = answer(scene(climb));
    expect(cause).toBe("oom-leak");
    expect(drawn?.course).toMatchObject({
      host: "h1",
      container: "web",
      shape: "leak",
      limitBytes: 256 * mib,
      startedAtMs,
      killedAtMs: diedAtMs,
    });
    const points = drawn?.course.points ?? [];
    expect(points[0]?.atMs).toBe(startedAtMs - 10 * 60_000);
    expect(drawn?.course.words).toMatch(/^its memory climbed from 40 MiB to 25\d(\.\d)? MiB over \d+ samples$/);
    for (const number of drawn?.course.words.match(/[\d.]+/g) ?? []) expect(drawn?.facts[0]?.text).toContain(number);
  });

  it("tells a flat line that met the limit at once from growth", () => {
    const { cause, drawn } = answer(scene((atMs) => (atMs % 30_000 === 0 ? 60 : 62)));
    expect([cause, drawn?.course.shape]).toEqual(["oom-spike", "spike"]);
    expect(drawn?.course.words).toMatch(/^its memory was flat, from 6\d MiB to 6\d MiB over \d+ samples, and then met/);
  });

  it("loses no peak when it is thinned", () => {
    const long = scene(climb);
    const points = Array.from({ length: 2_000 }, (_, at) => {
      const atMs = startedAtMs + at * 1_000;
      return { atMs, bytes: (at === 777 ? 255 : 60) * mib };
    });
    const [web] = long.containers;
    const containers = [{ ...web, name: "web", other: { "memory-series": { points, limitBytes: null } } }];
    const { drawn } = answer({ ...long, containers });
    expect(drawn?.course.points.length).toBeLessThanOrEqual(240);
    expect(drawn?.course.points).toContainEqual({ atMs: startedAtMs + 777_000, bytes: 255 * mib });
    expect(drawn?.course.limitBytes).toBe(256 * mib);
  });

  it("puts the samples on the host's clock, on which the kill stands", () => {
    const readings = readingsOf(scene(climb)).map((reading) =>
      reading.source === "host-clock"
        ? { ...reading, outcome: { status: "ok" as const, value: { hostTimeMs: askedAtMs + 30_000, roundTripMs: 1 } } }
        : reading,
    );
    const drawn = memoryCourse(diagnose(questionAbout("web"), readings));
    expect(drawn?.course.points.at(-1)?.atMs).toBe(askedAtMs - 15_000 + 30_000);
  });

  it("is nothing where nothing was sampled, and nothing for an answer that is not about memory", () => {
    const [web] = scene(climb).containers;
    const bare = { ...scene(climb), containers: [{ name: "web", inspect: web?.inspect ?? {} }] };
    expect(answer(bare)).toMatchObject({ cause: "cgroup-oom-main", drawn: null });
    const events = [
      { name: "web", action: "kill", atMs: diedAtMs - 50, attributes: { signal: "9" } },
      { name: "web", action: "die", atMs: diedAtMs, attributes: { exitCode: "137" } },
    ];
    expect(answer(scene(climb, { events, kernel: "" }))).toMatchObject({ cause: "manual-docker-kill", drawn: null });
  });
});

it("says as a gap that Prometheus did not answer, and still answers", () => {
  const failed = { source: "memory-series" as const, reason: "it could not be reached: ECONNREFUSED" };
  const { diagnosis } = diagnose(questionAbout("web"), readingsOf({ ...scene(climb), failed: [failed] }));
  expect(diagnosis.rootCause?.cause).toBe("oom-leak");
  expect(diagnosis.gaps.map(({ source, reason }) => [source, reason])).toContainEqual([
    "memory-series",
    "it could not be reached: ECONNREFUSED",
  ]);
});

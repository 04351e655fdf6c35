import { expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import { askedAtMs, idOf } from "../core/scene.ts";
import { alice, bob, fakeRoom, gib, incidentWithPlan, kinds } from "../fakes/fake-room.ts";

it("goes from the question over the approval to a verified recovery, and records it before it is said", async () => {
  const fake = await fakeRoom();
  const { room, host, store } = fake;
  const { incidentId, hash } = await incidentWithPlan(fake);
  expect(host.effects).toEqual([]);

  expect(await room.decide(incidentId, hash, alice, { verb: "approve", reason: null })).toMatchObject({
    refused: true,
    code: "not-an-approver",
  });
  expect(await room.decide(incidentId, hash, bob, { verb: "approve", reason: null })).toHaveProperty("said");
  await room.settled(incidentId);

  const entries = await room.entries(incidentId);
  expect(kinds(entries)).toEqual([
    "opened",
    "investigating",
    "diagnosed",
    "plan-proposed",
    "refused",
    "approved",
    "decided",
    "step-started",
    "step-done",
    "step-started",
    "step-done",
    "executed",
    "verifying",
    "verified",
  ]);
  expect(host.effects).toMatchObject([
    { action: "update-memory", container: "db", memoryBytes: gib },
    { action: "start", container: "db" },
  ]);
  expect(entries.at(-1)?.body).toMatchObject({
    kind: "verified",
    outcome: "recovered",
    probes: expect.arrayContaining(["web: GET /items on port 8000 answered 200 (5 of 5 probes as expected)"]),
    changes: ["db: exited, now running"],
  });
  expect(fake.errors).toEqual([]);
  const queued = await store.unsent(50);
  expect(queued.map((row) => row.key)).toEqual([`${incidentId}:1`]);
  expect((await store.verifyAudit()).ok).toBe(true);
});

it("records the course of memory with an answer about memory, cited like every other fact", async () => {
  const mib = 1024 ** 2;
  const killedAtMs = askedAtMs - 180_000;
  const points = Array.from({ length: 20 }, (_, at) => ({
    atMs: killedAtMs - (20 - at) * 15_000,
    bytes: (50 + at * 10) * mib,
  }));
  const series: Reading = {
    source: "memory-series",
    host: "h1",
    containerId: idOf("db"),
    read: "the event recorder",
    atMs: askedAtMs,
    sha256: "",
    outcome: { status: "ok", value: { points, limitBytes: 256 * mib } },
  };
  const fake = await fakeRoom({ deps: { recorded: async () => [series] } });
  const { incidentId } = await incidentWithPlan(fake);
  const diagnosed = (await fake.room.entries(incidentId)).find(({ body }) => body.kind === "diagnosed")?.body;
  if (diagnosed?.kind !== "diagnosed") throw new Error("not diagnosed");
  expect(diagnosed.report.rootCause?.cause).toBe("oom-leak");
  expect(diagnosed.memory).toMatchObject({ container: "db", shape: "leak", points });
  const cited = diagnosed.report.evidence.filter(({ id }) => diagnosed.memory?.cited.includes(id));
  expect(cited.map(({ source, text }) => [source, text])).toEqual([
    ["memory-series", "20 samples from 50 MiB to 240 MiB, limit 256 MiB; steepest step 10 MiB: a climb"],
  ]);
});

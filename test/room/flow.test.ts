import { expect, it } from "vitest";
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

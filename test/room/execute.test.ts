import { describe, expect, it } from "vitest";
import type { EntryBody } from "../../src/core/incident.ts";
import { replay } from "../../src/core/replay.ts";
import { isRefusal } from "../../src/core/result.ts";
import type { FakeRoom } from "../fakes/fake-room.ts";
import { alice, askAboutWeb, bob, carol, fakeRoom, gib, incidentWithPlan, kinds } from "../fakes/fake-room.ts";
import { settle } from "../fakes/fake-time.ts";

const approve = { verb: "approve" as const, reason: null };

async function bodyOf<K extends EntryBody["kind"]>({ room }: FakeRoom, incidentId: string, kind: K) {
  const found = (await room.entries(incidentId)).findLast((entry) => entry.body.kind === kind);
  return found?.body as Extract<EntryBody, { kind: K }> | undefined;
}

async function run(fake: FakeRoom, incidentId: string, hash: string): Promise<void> {
  await fake.room.decide(incidentId, hash, bob, approve);
  await fake.room.settled(incidentId);
}

async function stateOf({ room }: FakeRoom, incidentId: string): Promise<string | undefined> {
  return replay(await room.entries(incidentId))?.state;
}

describe("a plan whose world changed", () => {
  it("runs nothing, says what changed, and is made anew with one click", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const db = fake.host.containers.get("db");
    if (db) db.finishedAtMs = fake.time.clock.nowMs() - 1_000;
    await run(fake, incidentId, hash);
    expect(fake.host.effects).toEqual([]);
    expect((await bodyOf(fake, incidentId, "stale"))?.changed).toEqual([expect.stringContaining("db: end time was")]);
    expect(await fake.room.decide(incidentId, hash, carol, approve)).toMatchObject({ code: "plan-stale" });
    expect(await fake.room.decide(incidentId, hash, bob, { verb: "replan" })).toHaveProperty("said");
    await fake.room.settled(incidentId);
    const renewed = await bodyOf(fake, incidentId, "plan-proposed");
    expect(renewed?.plan.hash).not.toBe(hash);
    await run(fake, incidentId, renewed?.plan.hash ?? "");
    expect(await stateOf(fake, incidentId)).toBe("recovered");
  });

  it("stops before the second step when somebody acts in between, and does not count its own step as a change", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      const said = act(action);
      const db = fake.host.containers.get("db");
      if (db) db.restartPolicy = { name: "always", maximumRetryCount: 0 };
      return said;
    };
    await run(fake, incidentId, hash);
    expect(fake.host.effects.map((effect) => effect.action)).toEqual(["update-memory"]);
    expect((await bodyOf(fake, incidentId, "stale"))?.changed).toEqual(["db: restart policy was no, is always"]);
  });

  it("runs nothing when the host does not answer any more, or the container is another one", async () => {
    for (const change of [
      (fake: FakeRoom) => {
        fake.host.unreachable = true;
      },
      (fake: FakeRoom) => fake.host.containers.delete("db"),
    ]) {
      const fake = await fakeRoom();
      const { incidentId, hash } = await incidentWithPlan(fake);
      change(fake);
      await run(fake, incidentId, hash);
      expect(fake.host.effects).toEqual([]);
      expect((await bodyOf(fake, incidentId, "stale"))?.changed).toHaveLength(1);
    }
  });
});

describe("stopping", () => {
  it("begins no further step after an abort, a freeze, or a freeze switch that cannot be read", async () => {
    const ways: [string, (fake: FakeRoom, incidentId: string, hash: string) => Promise<unknown>, string][] = [
      ["abort", (fake, id, hash) => fake.room.decide(id, hash, alice, { verb: "abort" }), "it was asked to stop"],
      ["freeze", (fake) => fake.room.setFrozen(bob, true, "fire"), "acting is frozen by bob (fire)"],
      [
        "broken switch",
        (fake) => fake.store.putDocument("switch", "freeze", "{", 0),
        "acting is frozen by room137 (the freeze switch could not be read)",
      ],
    ];
    for (const [way, stop, why] of ways) {
      const fake = await fakeRoom();
      const { incidentId, hash } = await incidentWithPlan(fake);
      const perform = fake.deps.performer.perform;
      fake.deps.performer.perform = async (plan, step) => {
        const done = await perform(plan, step);
        await stop(fake, incidentId, hash);
        return done;
      };
      await run(fake, incidentId, hash);
      expect({ way, effects: fake.host.effects.length }).toEqual({ way, effects: 1 });
      expect(await bodyOf(fake, incidentId, "aborted")).toEqual({ kind: "aborted", hash, before: 1, why });
      expect(await stateOf(fake, incidentId)).toBe("stopped");
    }
  });

  it("refuses approvals while it is frozen, and only who may administer freezes and thaws", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    expect(await fake.room.setFrozen(alice, true, null)).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.setFrozen(bob, true, "maintenance")).toHaveProperty("said");
    expect((await fake.room.status(null)).frozen).toMatchObject({ by: "bob", reason: "maintenance" });
    expect(await fake.room.decide(incidentId, hash, bob, approve)).toMatchObject({ code: "frozen" });
    expect(await fake.room.setFrozen(bob, false, null)).toHaveProperty("said");
    await run(fake, incidentId, hash);
    expect(await stateOf(fake, incidentId)).toBe("recovered");
    const fleet = await fake.store.entries("fleet");
    expect(fleet.map((entry) => (entry.body as { text: string }).text)).toEqual([
      expect.stringContaining("was refused to freeze"),
      "froze all acting: maintenance",
      "unfroze all acting",
    ]);
    expect(await fake.room.decide("fleet", hash, bob, approve)).toMatchObject({ code: "unknown-incident" });
  });
});

describe("a step that breaks", () => {
  it("ends the run, with what the host shows afterwards", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    fake.host.refuses = "no space left on device";
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "step-failed")).toMatchObject({
      step: 0,
      reason: `the engine refused it: no space left on device; afterwards db shows HostConfig.Memory=${gib / 4}`,
    });
    expect(fake.host.effects).toEqual([]);
    expect(await stateOf(fake, incidentId)).toBe("stopped");
  });

  it("goes on when only the answer was lost, because the host shows that it was done", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    fake.host.losesAnswer = true;
    await run(fake, incidentId, hash);
    const done = (await fake.room.entries(incidentId)).filter((entry) => entry.body.kind === "step-done");
    expect(done.map((entry) => (entry.body as { resumed: boolean }).resumed)).toEqual([true, false]);
    expect(fake.host.effects).toHaveLength(2);
    expect(await stateOf(fake, incidentId)).toBe("recovered");
  });
});

describe("verification", () => {
  it("is not recovered when the path still fails although the steps were done", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    fake.host.itemsStatus = 500;
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "not-recovered",
      probes: expect.arrayContaining([expect.stringMatching(/^web: GET \/items on port 8000 answered 500/)]),
    });
  });

  it("is not recovered when the container ends again at once", async () => {
    const fake = await fakeRoom();
    fake.host.diesAtStart = true;
    const { incidentId, hash } = await incidentWithPlan(fake);
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({ outcome: "not-recovered" });
  });

  it("is inconclusive when the host is lost after the last step", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      const said = act(action);
      if (action.action === "start") fake.host.unreachable = true;
      return said;
    };
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "inconclusive",
      changes: ["h1 could not be compared: its containers were not read afterwards"],
    });
    expect(await stateOf(fake, incidentId)).toBe("unverified");
  });

  it("names what else changed on the host", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      Object.assign(fake.host.containers.get("cache") ?? {}, { status: "exited" });
      return act(action);
    };
    await run(fake, incidentId, hash);
    expect((await bodyOf(fake, incidentId, "verified"))?.changes).toEqual([
      "db: exited, now running",
      "cache: running, now exited",
    ]);
  });
});

describe("another plan", () => {
  it("with a chosen size runs with that size, and the old button is dead", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const size = { verb: "change-memory" as const, memoryBytes: 2 * gib };
    expect(await fake.room.decide(incidentId, hash, bob, size)).toHaveProperty("said");
    expect(await fake.room.decide(incidentId, hash, bob, approve)).toMatchObject({ code: "plan-superseded" });
    expect(fake.host.effects).toEqual([]);
    const changed = await bodyOf(fake, incidentId, "plan-proposed");
    await run(fake, incidentId, changed?.plan.hash ?? "");
    expect(fake.host.effects[0]).toMatchObject({ memoryBytes: 2 * gib, memorySwapBytes: 2 * gib });
    expect(await stateOf(fake, incidentId)).toBe("recovered");
  });

  it("that undoes the first needs an approval of its own, not by whoever asked to undo", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    await run(fake, incidentId, hash);
    expect(await fake.room.decide(incidentId, hash, bob, { verb: "undo" })).toHaveProperty("said");
    const undo = await bodyOf(fake, incidentId, "plan-proposed");
    expect(undo).toMatchObject({
      undoOf: hash,
      proposedFor: "UBOB",
      plan: {
        risk: "high",
        steps: [
          {
            action: { action: "update-memory", memoryBytes: gib / 4 },
            title: "set the memory limit of db back to 256 MiB",
          },
        ],
        risks: [expect.stringContaining("can kill"), expect.any(String)],
        preconditions: [{ container: "db", expect: { status: "running", memoryLimitBytes: gib } }],
      },
    });
    expect(fake.host.effects).toHaveLength(2);
    expect(await fake.room.decide(incidentId, hash, carol, approve)).toMatchObject({ code: "plan-superseded" });
    expect(await fake.room.decide(incidentId, undo?.plan.hash ?? "", bob, approve)).toMatchObject({
      code: "own-request",
    });
    await fake.room.decide(incidentId, undo?.plan.hash ?? "", carol, approve);
    await fake.room.settled(incidentId);
    expect(fake.host.effects[2]).toMatchObject({ action: "update-memory", memoryBytes: gib / 4 });
  });

  it("is not offered for a container that has one already: the second asker is led to the first", async () => {
    const fake = await fakeRoom();
    const first = await incidentWithPlan(fake);
    const second = await fake.room.ask(askAboutWeb({ by: carol }));
    if (isRefusal(second)) throw new Error(second.found);
    await fake.room.settled(second.incidentId);
    const entries = await fake.room.entries(second.incidentId);
    expect(kinds(entries)).toEqual(["opened", "investigating", "diagnosed", "refused"]);
    expect(entries.at(-1)?.body).toMatchObject({
      code: "plan-open-elsewhere",
      found: `db has an open plan already, in ${first.incidentId} (channel C1).`,
    });
    expect(await bodyOf(fake, second.incidentId, "diagnosed")).toMatchObject({ report: { plan: null } });
    await fake.room.decide(first.incidentId, first.hash, bob, { verb: "reject", reason: null });
    await fake.room.decide(second.incidentId, "", carol, { verb: "replan" });
    await fake.room.settled(second.incidentId);
    expect(await bodyOf(fake, second.incidentId, "plan-proposed")).toBeDefined();
  });

  it("is offered once when many ask at the same time", async () => {
    const fake = await fakeRoom();
    const asked = await Promise.all(Array.from({ length: 8 }, () => fake.room.ask(askAboutWeb())));
    const ids = asked.map((answer) => (isRefusal(answer) ? "" : answer.incidentId));
    await Promise.all(ids.map((id) => fake.room.settled(id)));
    const plans = await Promise.all(ids.map((id) => bodyOf(fake, id, "plan-proposed")));
    expect(plans.filter((plan) => plan !== undefined)).toHaveLength(1);
    expect(new Set(ids).size).toBe(8);
    expect(fake.errors).toEqual([]);
  });
});

describe("time", () => {
  it("reminds once at half time, and closes the buttons at the end of it", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    await fake.room.resume();
    await fake.time.advance(14 * 60_000);
    expect(await bodyOf(fake, incidentId, "approval-reminder")).toBeUndefined();
    await fake.time.advance(2 * 60_000);
    await fake.time.advance(13 * 60_000);
    expect(kinds(await fake.room.entries(incidentId)).slice(4)).toEqual(["approval-reminder"]);
    await fake.time.advance(2 * 60_000);
    await settle();
    expect(kinds(await fake.room.entries(incidentId)).slice(4)).toEqual(["approval-reminder", "expired"]);
    expect(await fake.room.decide(incidentId, hash, bob, approve)).toMatchObject({ code: "plan-expired" });
    expect((await fake.room.status(null)).pendingApprovals).toEqual([]);
    await fake.room.stop(0);
  });

  it("makes up at the start for what came due while nothing ran, and closes what is over", async () => {
    const fake = await fakeRoom();
    const { incidentId } = await incidentWithPlan(fake);
    await fake.time.advance(40 * 60_000);
    await fake.room.resume();
    expect(await stateOf(fake, incidentId)).toBe("stopped");
    await fake.room.stop(0);
    await fake.time.advance(25 * 3_600_000);
    const next = await fakeRoom({ time: fake.time, store: fake.store, host: fake.host });
    await next.room.resume();
    expect(await stateOf(fake, incidentId)).toBe("closed");
    expect((await next.room.status(null)).openIncidents).toEqual([]);
    await next.time.advance(5_000);
    expect(await fake.store.documents("open-incident")).toEqual([]);
    await next.room.stop(0);
  });

  it("does not carry out an approval that has become too old before it could begin", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    await fake.store.acquireLease(`exec:${incidentId}`, "another replica", 3_600_000, fake.time.clock.nowMs());
    await run(fake, incidentId, hash);
    expect(kinds(await fake.room.entries(incidentId)).at(-1)).toBe("decided");
    await fake.store.releaseLease(`exec:${incidentId}`, "another replica");
    await fake.time.advance(31 * 60_000);
    await fake.room.resume();
    await fake.room.settled(incidentId);
    expect((await bodyOf(fake, incidentId, "stale"))?.changed).toEqual([
      "the approval has expired before this step could begin",
    ]);
    expect(fake.host.effects).toEqual([]);
    await fake.room.stop(0);
  });
});

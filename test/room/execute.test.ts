import { describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { Fault, isRefusal } from "../../src/core/result.ts";
import type { Store } from "../../src/ports.ts";
import { createRoom } from "../../src/room.ts";
import type { FakeRoom } from "../fakes/fake-room.ts";
import {
  alice,
  askAboutWeb,
  bob,
  bodyOf,
  carol,
  fakeRoom,
  gib,
  incidentWithPlan,
  kinds,
  run,
  stateOf,
} from "../fakes/fake-room.ts";

const approve = { verb: "approve" as const, reason: null };

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
      ...["{", "{}", "null", '{"by":7}'].map((json): (typeof ways)[number] => [
        `a switch that holds ${json}`,
        (fake) => fake.store.putDocument("switch", "freeze", json, 0),
        "acting is frozen by room137 (the freeze switch could not be read)",
      ]),
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

  it("begins no step when the abort comes while its preconditions are being read", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const { executeReads } = fake.deps;
    let aborted = false;
    const deps = {
      ...fake.deps,
      executeReads: async (...wanted: Parameters<typeof executeReads>) => {
        const readings = await executeReads(...wanted);
        if (!aborted && kinds(await fake.store.entries(incidentId)).includes("step-done")) {
          aborted = true;
          await fake.room.decide(incidentId, hash, alice, { verb: "abort" });
        }
        return readings;
      },
    };
    const room = createRoom(deps);
    await room.decide(incidentId, hash, bob, approve);
    await room.settled(incidentId);
    expect(fake.host.effects.map((effect) => effect.action)).toEqual(["update-memory"]);
    expect(await bodyOf(fake, incidentId, "aborted")).toMatchObject({ before: 1, why: "it was asked to stop" });
  });

  it("refuses approvals while nobody can tell whether it is frozen", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    let readable = false;
    const store: Store = {
      ...fake.store,
      async document(kind, key) {
        if (kind === "switch" && !readable) throw new Fault("store-unavailable", "Reading: no answer.", "Wait.");
        return await fake.store.document(kind, key);
      },
    };
    const room = createRoom({ ...fake.deps, store });
    expect(await room.decide(incidentId, hash, bob, approve)).toMatchObject({
      code: "frozen",
      found: "Acting is frozen by room137 (the freeze switch could not be read).",
    });
    expect(fake.host.effects).toEqual([]);
    readable = true;
    expect(await room.decide(incidentId, hash, bob, approve)).toHaveProperty("said");
    await room.settled(incidentId);
    expect(fake.host.effects).toHaveLength(2);
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

describe("an audit that cannot be written", () => {
  it.each([
    ["decided", 0],
    ["step-started", 0],
    ["step-done", 1],
  ] as const)(
    "from '%s' on lets nothing begin, and the run goes on once it can be written again",
    async (from, effects) => {
      const fake = await fakeRoom();
      const { incidentId, hash } = await incidentWithPlan(fake);
      let full = true;
      let reached = false;
      const store: Store = {
        ...fake.store,
        // Reading goes on; the disk is full for this row and for everything after it.
        async append(requests, outbox) {
          reached ||= requests.some(({ body }) => body.kind === from);
          if (full && reached) throw new Fault("store-unavailable", "Appending: the disk is full.", "Free some space.");
          return await fake.store.append(requests, outbox);
        },
      };
      const room = createRoom({ ...fake.deps, store });
      const clicked = room.decide(incidentId, hash, bob, approve).then(
        () => "taken",
        (error: Fault) => error.code,
      );
      expect(await clicked).toBe(from === "decided" ? "store-unavailable" : "taken");
      await room.settled(incidentId);
      expect({ from, reached, effects: fake.host.effects.length }).toEqual({ from, reached: true, effects });
      expect(kinds(await fake.room.entries(incidentId))).not.toContain(from);

      full = false;
      if (from === "decided") await room.decide(incidentId, hash, bob, approve);
      await room.resume();
      await room.settled(incidentId);
      expect(fake.host.effects.map((effect) => effect.action)).toEqual(["update-memory", "start"]);
      expect(await stateOf(fake, incidentId)).toBe("recovered");
      await room.stop(0);
    },
  );
});

describe("a process that stops in order", () => {
  it("ends after the step it is at, and the next one goes on from there", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      void fake.room.stop(1_000);
      return act(action);
    };
    await run(fake, incidentId, hash);
    expect(kinds(await fake.room.entries(incidentId)).at(-1)).toBe("step-done");
    expect(fake.host.effects).toHaveLength(1);
    fake.host.act = act;
    const next = await fakeRoom({ store: fake.store, host: fake.host, time: fake.time });
    await next.room.resume();
    await next.room.settled(incidentId);
    expect(fake.host.effects.map((effect) => effect.action)).toEqual(["update-memory", "start"]);
    expect(await stateOf(fake, incidentId)).toBe("recovered");
    await next.room.stop(0);
  });
});

describe("breaking the glass", () => {
  it("runs at once on one word, with a row of its own before the decision", async () => {
    const { deps } = await fakeRoom();
    const breakGlass = { enabled: true, users: ["UALICE"] };
    const fake = await fakeRoom({
      config: { approvals: { ...deps.config.approvals, quorumByRisk: { low: 2, medium: 2, high: 2 }, breakGlass } },
    });
    const { incidentId, hash } = await incidentWithPlan(fake);
    const glass = { verb: "break-glass" as const, typed: "db", reason: "nobody else is awake" };
    expect(await fake.room.decide(incidentId, hash, bob, glass)).toMatchObject({ code: "not-an-approver" });
    expect(await fake.room.decide(incidentId, hash, alice, { ...glass, typed: "web" })).toMatchObject({
      code: "confirmation-wrong",
    });
    expect(await fake.room.decide(incidentId, hash, alice, glass)).toHaveProperty("said");
    await fake.room.settled(incidentId);
    expect(kinds(await fake.room.entries(incidentId)).slice(4, 8)).toEqual([
      "refused",
      "refused",
      "break-glass",
      "decided",
    ]);
    expect(await stateOf(fake, incidentId)).toBe("recovered");
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

describe("something that breaks unexpectedly", () => {
  it("ends in the truest state there is, is logged, and is not tried again for ever", async () => {
    const cases: [string, (fake: FakeRoom) => void, string, object][] = [
      [
        "while it is investigated",
        (fake) => {
          fake.deps.executeReads = async () => {
            throw new TypeError("bug");
          };
        },
        "stopped",
        { kind: "investigation-failed", reason: "something unexpected broke: bug" },
      ],
      [
        "while a step's preconditions are read",
        (fake) => breakReads(fake, (entries) => entries.includes("decided")),
        "stopped",
        { kind: "aborted", before: 0, why: "something unexpected broke: bug" },
      ],
      [
        "while it is verified",
        (fake) => breakReads(fake, (entries) => entries.includes("verifying")),
        "unverified",
        { kind: "verified", outcome: "inconclusive", probes: ["something unexpected broke: bug"] },
      ],
    ];
    for (const [when, sabotage, state, body] of cases) {
      const fake = await fakeRoom();
      sabotage(fake);
      const room = createRoom(fake.deps);
      const asked = await room.ask(askAboutWeb());
      if (isRefusal(asked)) throw new Error(asked.found);
      await room.settled(asked.incidentId);
      const plan = replay(await room.entries(asked.incidentId))?.plan;
      await room.decide(asked.incidentId, plan?.plan.hash ?? "", bob, approve);
      await room.settled(asked.incidentId);
      const entries = (await room.entries(asked.incidentId)).filter((entry) => entry.body.kind !== "refused");
      expect({ when, state: replay(entries)?.state }).toEqual({ when, state });
      expect(entries.at(-1)?.body).toMatchObject(body);
      expect(fake.errors.join()).toContain("bug");
    }
  });
});

/** From the moment the timeline says so, every read of a host breaks as a fault of the program would. */
function breakReads(fake: FakeRoom, when: (kinds: string[]) => boolean): void {
  const { executeReads } = fake.deps;
  fake.deps.executeReads = async (reads, readers) => {
    const [incident] = await fake.store.incidents({ limit: 1 });
    if (when(kinds(await fake.store.entries(incident?.incidentId ?? "")))) throw new TypeError("bug");
    return await executeReads(reads, readers);
  };
}

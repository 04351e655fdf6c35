import { describe, expect, it } from "vitest";
import { parseButtonValue } from "../../src/core/buttons.ts";
import { parseOutgoing } from "../../src/core/outgoing.ts";
import { isRefusal } from "../../src/core/result.ts";
import type { Announce, OutboxRow } from "../../src/ports.ts";
import { announce } from "../../src/render/announce.ts";
import {
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
import { settle } from "../fakes/fake-time.ts";

const approve = { verb: "approve" as const, reason: null };

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

  it("takes the buttons of an expired plan away, and the one that is left looks again and makes a new plan", async () => {
    const said: OutboxRow[] = [];
    const noted: Announce = (incident, entry) => {
      const rows = announce(incident, entry);
      said.push(...rows);
      return rows;
    };
    const fake = await fakeRoom({ deps: { announce: noted } });
    const { incidentId, hash } = await incidentWithPlan(fake);
    const card = () => buttonsOf(said, `${incidentId}:plan:1`);
    await fake.room.resume();
    expect(card().map(({ id }) => id)).toEqual(["plan_approve", "plan_reject", "plan_change", "plan_commands"]);
    await fake.time.advance(31 * 60_000);
    await settle();
    const [left, ...more] = card();
    expect({ id: left?.id, more }).toEqual({ id: "plan_new", more: [] });
    expect(fake.host.effects).toEqual([]);

    const value = parseButtonValue(left?.value ?? "");
    expect(value).toEqual({ incidentId, hash });
    expect(await fake.room.decide(incidentId, value?.hash ?? "", carol, { verb: "replan" })).toHaveProperty("said");
    await fake.room.settled(incidentId);
    const renewed = (await bodyOf(fake, incidentId, "plan-proposed"))?.plan.hash ?? "";
    const second = buttonsOf(said, `${incidentId}:plan:2`);
    expect(second.find(({ id }) => id === "plan_approve")?.value).toContain(renewed);
    await run(fake, incidentId, renewed);
    expect(await stateOf(fake, incidentId)).toBe("recovered");
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

/** The buttons of a card as it stands in the thread: of its post, or of the newest edit of it. */
function buttonsOf(said: readonly OutboxRow[], key: string): { id: string; value: string }[] {
  const card = said
    .map((row) => ({ row, outgoing: parseOutgoing(row.payload) }))
    .findLast(
      ({ row, outgoing }) =>
        (row.key === key && outgoing?.kind === "post") ||
        (outgoing?.kind === "update" && "key" in outgoing.message && outgoing.message.key === key),
    );
  const found = JSON.stringify(card?.outgoing).matchAll(/"action_id":"(\w+)"[^{}]*?"value":"([^"]+)"/g);
  return [...found].map(([, id = "", value = ""]) => ({ id, value }));
}

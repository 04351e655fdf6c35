import fc from "fast-check";
import { expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { isRefusal } from "../../src/core/result.ts";
import type { Decision, Person } from "../../src/room.ts";
import { bob, carol, type FakeRoom, fakeRoom, gib, incidentWithPlan, kinds, person } from "../fakes/fake-room.ts";
import { waitingPlan } from "../fakes/three-steps.ts";

const approve = { verb: "approve" as const, reason: null };

const waiting = (fake: FakeRoom, incidentId: string, quorum = 1) =>
  waitingPlan(fake, incidentId, { quorum, breakGlass: true });

/** The store of one replica, each call of which is held back for a seeded number of turns. */
function delayed(store: FakeRoom["store"], next: () => number): FakeRoom["store"] {
  return new Proxy(store, {
    get: (target, name: keyof FakeRoom["store"]) => {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        for (let turn = next() % 4; turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve));
        return await method(...args);
      };
    },
  });
}

function seeded(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state >> 8;
  };
}

it("runs each of 1,000 plans exactly once when two approvers click at two replicas at the same moment", async () => {
  const fake = await fakeRoom();
  const random = seeded(137);
  const replicas = await Promise.all(
    ["a", "b"].map((name) =>
      fakeRoom({
        host: fake.host,
        time: fake.time,
        store: fake.store,
        deps: { store: delayed(fake.store, random), newId: () => `replica-${name}` },
      }),
    ),
  );
  const before = structuredClone([...fake.host.containers]);
  let runs = 0;
  let second = 0;
  for (let race = 0; race < 1_000; race += 1) {
    fake.host.containers = new Map(structuredClone(before));
    fake.host.effects.length = 0;
    const incidentId = `i-race${race}`;
    const hash = await waiting(fake, incidentId);
    const answers = await Promise.all([
      replicas[0]?.room.decide(incidentId, hash, bob, approve),
      replicas[1]?.room.decide(incidentId, hash, carol, approve),
    ]);
    await Promise.all(replicas.map((replica) => replica.room.settled(incidentId)));
    const refused = answers.filter(isRefusal);
    second += refused.filter((refusal) => refusal.code === "already-decided").length;
    const told = kinds(await fake.store.entries(incidentId));
    const decisions = told.filter((kind) => kind === "decided").length;
    if (decisions === 1 && told.filter((kind) => kind === "verified").length === 1 && fake.host.effects.length === 3)
      runs += 1;
  }
  expect({ runs, second }).toEqual({ runs: 1_000, second: 1_000 });
}, 120_000);

it("counts two votes that come together as two, and decides once", async () => {
  const fake = await fakeRoom();
  for (let race = 0; race < 50; race += 1) {
    const incidentId = `i-quorum${race}`;
    const hash = await waiting(fake, incidentId, 2);
    const answers = await Promise.all([bob, carol, bob].map((who) => fake.room.decide(incidentId, hash, who, approve)));
    expect(answers.filter(isRefusal).map((refusal) => refusal.code)).toEqual(["already-voted"]);
    await fake.room.settled(incidentId);
    const told = kinds(await fake.store.entries(incidentId));
    expect(told.filter((kind) => kind === "approved" || kind === "decided")).toEqual([
      "approved",
      "approved",
      "decided",
    ]);
  }
});

it("either approves or rejects when both come together, never both", async () => {
  const fake = await fakeRoom();
  for (let race = 0; race < 50; race += 1) {
    const incidentId = `i-both${race}`;
    const hash = await waiting(fake, incidentId);
    const clicks: [Person, Decision][] = [
      [bob, approve],
      [carol, { verb: "reject", reason: null }],
    ];
    if (race % 2 === 1) clicks.reverse();
    await Promise.all(clicks.map(([who, decision]) => fake.room.decide(incidentId, hash, who, decision)));
    await fake.room.settled(incidentId);
    const told = kinds(await fake.store.entries(incidentId));
    expect(told.filter((kind) => kind === "decided" || kind === "rejected")).toHaveLength(1);
    expect(told).toContain("refused");
  }
});

it("lets no forged click run anything or break the room", async () => {
  const fake = await fakeRoom({
    config: {
      approvals: { ...(await fakeRoom()).deps.config.approvals, breakGlass: { enabled: true, users: ["UGLASS"] } },
    },
  });
  const { incidentId, hash } = await incidentWithPlan(fake);
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom(hash, hash.toUpperCase(), `${hash} `, "", "db", "fleet"),
  );
  const verb = fc.oneof(
    fc.record({ verb: fc.constantFrom("approve", "reject"), reason: fc.option(text) }),
    fc.record({ verb: fc.constantFrom("abort", "replan", "undo") }),
    fc.record({ verb: fc.oneof(text, fc.constantFrom("constructor", "execute", "Approve", null, 1)) }),
    fc.record({
      verb: fc.constant("change-memory"),
      memoryBytes: fc.oneof(fc.double(), fc.integer(), fc.constant(gib)),
    }),
    fc.record({ verb: fc.constant("break-glass"), typed: text, reason: text }),
  ) as fc.Arbitrary<Decision>;
  const stranger = fc
    .record({ userId: fc.constantFrom("UEVE", "", "ubob", "UBOB ", "UBOBX"), group: text, isBot: fc.boolean() })
    .map(({ userId, group, isBot }) => person(userId, { groups: [group], isBot }));
  const barred = fc
    .constantFrom<Partial<Person>>({ isBot: true }, { isGuest: true }, { isExternal: true }, { isDeactivated: true })
    .map((bar) => ({ ...bob, ...bar }));
  const who = fc.oneof(stranger, barred);
  const id = fc.oneof(fc.constant(incidentId), text);
  await fc.assert(
    fc.asyncProperty(id, text, who, verb, async (forgedId, forgedHash, by, decision) => {
      const answer = await fake.room.decide(forgedId, forgedHash, by, decision);
      expect(answer).toMatchObject({ refused: true, found: expect.any(String), next: expect.any(String) });
    }),
    { numRuns: 3_000, seed: 137 },
  );
  expect(fake.host.effects).toEqual([]);
  expect(fake.errors).toEqual([]);
  const incident = replay(await fake.store.entries(incidentId));
  expect(incident).toMatchObject({ state: "waiting-for-approval", plan: { status: "open", votes: [] } });
  expect(incident?.refusedEntries).toBeLessThanOrEqual(1_000);
}, 120_000);

it("takes no right hash from an approver for anything but what it is, whatever is written around it", async () => {
  const fake = await fakeRoom();
  const { incidentId, hash } = await incidentWithPlan(fake);
  const wrong = fc
    .tuple(fc.nat({ max: hash.length - 1 }), fc.constantFrom(..."0123456789abcdefABCDEFg \u0000"))
    .map(([at, char]) => `${hash.slice(0, at)}${char}${hash.slice(at + 1)}`)
    .filter((forged) => forged !== hash);
  await fc.assert(
    fc.asyncProperty(wrong, async (forged) => {
      expect(await fake.room.decide(incidentId, forged, bob, approve)).toMatchObject({ code: "plan-superseded" });
    }),
    { numRuns: 300, seed: 137 },
  );
  expect(fake.host.effects).toEqual([]);
});

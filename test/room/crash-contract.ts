import fc from "fast-check";
import { expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import type { Clock, Store } from "../../src/ports.ts";
import type { RoomDeps } from "../../src/room.ts";
import { askedAtMs } from "../core/scene.ts";
import { askAboutWeb, bob, type FakeRoom, fakeRoom, kinds } from "../fakes/fake-room.ts";
import { fakeTime, settle } from "../fakes/fake-time.ts";
import { type Mortal, mortal } from "../fakes/mortal.ts";
import { waitingPlan } from "../fakes/three-steps.ts";

const incidentId = "i-crash1";
let lives = 0;

/** One storage engine under the deaths. */
export interface Ground {
  /** Empty, as a first start finds it. */
  open(clock: Clock): Promise<Store>;
  /** Lets what a dead process held by the server's own clock run out; the test's clock is moved by itself. */
  outliveLeases(): Promise<void>;
}

/** One life of a process: it takes up what it finds, bob approves what waits, and it works until nothing is left to do. */
async function live(fake: FakeRoom, dieAt: number | null): Promise<Mortal> {
  const body = mortal(fake.deps, dieAt);
  lives += 1;
  const life = lives;
  const deps: Partial<RoomDeps> = { ...body.deps, newId: () => `life${life}` };
  const { room } = await fakeRoom({ deps, host: fake.host, time: fake.time, store: fake.store });
  const done = async (what: () => Promise<unknown>) => {
    if (!body.isDead()) await what().catch((error: Error) => expect(error.message).toContain("killed"));
  };
  await done(() => room.resume());
  const known = (await fake.store.incidents({ limit: 9 }))[0]?.incidentId ?? null;
  if (known === null) await done(() => room.ask(askAboutWeb()));
  const id = known ?? (await fake.store.incidents({ limit: 9 }))[0]?.incidentId;
  if (id !== undefined) {
    await fake.time.advance(60_000);
    await room.settled(id);
    const plan = replay(await fake.store.entries(id))?.plan;
    if (plan?.status === "open") {
      await done(() => room.decide(id, plan.plan.hash, bob, { verb: "approve", reason: null }));
      await room.settled(id);
    }
  }
  await fake.time.advance(30_000);
  await settle();
  if (id !== undefined) await room.settled(id);
  await room.stop(0);
  await body.arrived();
  return body;
}

/** Each step had its effect once, the timeline says so once, and each of its entries was said once. */
async function expectOneEffectEach(fake: FakeRoom, actions: string[], after: string): Promise<void> {
  expect({ after, effects: fake.host.effects.map((effect) => effect.action) }).toEqual({ after, effects: actions });
  const incidents = await fake.store.incidents({ limit: 9 });
  expect({ after, incidents: incidents.length }).toEqual({ after, incidents: 1 });
  const entries = await fake.store.entries(incidents[0]?.incidentId ?? "");
  const told = kinds(entries);
  const count = (kind: string) => told.filter((other) => other === kind).length;
  expect({ after, state: replay(entries)?.state, told }).toMatchObject({ after, state: "recovered" });
  expect({ after, done: count("step-done") }).toEqual({ after, done: actions.length });
  expect({ after, once: ["decided", "executed", "verified"].map(count) }).toEqual({ after, once: [1, 1, 1] });
  expect((await fake.store.verifyAudit()).ok).toBe(true);
  const lane: string[] = [];
  for (let rows = await fake.store.unsent(9); rows.length > 0; rows = await fake.store.unsent(9)) {
    for (const row of rows) {
      lane.push(row.key);
      await fake.store.markSent(row.id, "", 0);
    }
  }
  expect({ after, lane }).toEqual({ after, lane: entries.map((entry) => `${entry.incidentId}:${entry.seq}`) });
}

/**
 * Dies once at every point that a whole life passes, in a world of its own each time, and prints what came of each. How
 * often a lease is renewed depends on how fast the store is, so the points are counted as they come: the first life that
 * does not reach its death was the last.
 */
async function everyDeath(
  openWorld: () => Promise<FakeRoom>,
  { outliveLeases }: Ground,
  steps: string[],
  title: string,
): Promise<void> {
  const table: string[] = [];
  for (let at = 0; ; at += 1) {
    const fake = await openWorld();
    const body = await live(fake, at);
    const before = fake.host.effects.length;
    const where = body.isDead() ? `${body.passed.at(-1)}` : "nothing";
    if (body.isDead()) {
      await outliveLeases();
      await live(fake, null);
    }
    await expectOneEffectEach(fake, steps, `death ${where}`);
    await fake.store.close();
    if (!body.isDead()) break;
    const done = `${before} of ${steps.length} before, ${fake.host.effects.length} after`;
    table.push(`${String(at + 1).padStart(3)}  ${where.padEnd(52)} ${done.padEnd(26)} recovered`);
  }
  console.log([`${title}: ${table.length} deaths`, ...table].join("\n"));
  expect(table.length).toBeGreaterThan(80);
}

/** What has to hold on every storage engine, wherever the process dies. */
export function crashContract(makeGround: () => Promise<Ground>, deaths: { series: number }): void {
  const worldOf = async (ground: Ground): Promise<FakeRoom> => {
    const time = fakeTime(askedAtMs);
    return await fakeRoom({ time, store: await ground.open(time.clock) });
  };

  it("has each of three steps done once, whatever write or host call the process dies at", async () => {
    const ground = await makeGround();
    const openWorld = async () => {
      const fake = await worldOf(ground);
      await waitingPlan(fake, incidentId);
      return fake;
    };
    await everyDeath(openWorld, ground, ["update-memory", "update-restart-policy", "start"], "three approved steps");
  }, 300_000);

  it("answers a question once, from asking to recovery, whatever write or host call the process dies at", async () => {
    const ground = await makeGround();
    await everyDeath(() => worldOf(ground), ground, ["update-memory", "start"], "from the question to recovery");
  }, 300_000);

  it("survives dying again and again while it takes up what an earlier death left", async () => {
    const ground = await makeGround();
    const series = fc.array(fc.nat({ max: 45 }), { minLength: 2, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(series, async (lives) => {
        const fake = await worldOf(ground);
        await waitingPlan(fake, incidentId);
        for (const dieAt of lives) {
          await live(fake, dieAt);
          await ground.outliveLeases();
        }
        await live(fake, null);
        await expectOneEffectEach(fake, ["update-memory", "update-restart-policy", "start"], `deaths ${lives.join()}`);
        await fake.store.close();
      }),
      { numRuns: deaths.series, seed: 137 },
    );
  }, 300_000);
}

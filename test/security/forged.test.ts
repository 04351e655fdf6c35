import { expect, it } from "vitest";
import { hostFormId } from "../../handlers/host-modal.ts";
import { registerHandlers } from "../../handlers/index.ts";
import { breakGlassFormId, changeFormId, reasonFormId } from "../../handlers/plan-modals.ts";
import { investigateFormId } from "../../handlers/shortcuts.ts";
import { actionIds, buttonValue, parseButtonValue } from "../../src/core/buttons.ts";
import { replay } from "../../src/core/replay.ts";
import type { Person } from "../../src/room.ts";
import type { SlackEdge } from "../../src/slack/edge.ts";
import { alice, bob, carol, type FakeRoom, fakeRoom, person } from "../fakes/fake-room.ts";
import { waitingPlan } from "../fakes/three-steps.ts";
import { type Chance, chance } from "./chance.ts";

/** How many forgeries are made in one run: clicks, commands, mentions and forms together. */
const runs = Number(process.env["ROOM137_FORGERIES"] ?? 100_000);
/** A refused click is a row, and a click reads its whole timeline: so that none grows long, there is a new one at times. */
const perIncident = 50;

const approvers = [bob, carol];
const others = [
  alice,
  person("UEVE"),
  person("UBOT", { isBot: true, groups: ["SONCALL"] }),
  person("UGUEST", { isGuest: true, groups: ["SONCALL"] }),
  person("UGONE", { isDeactivated: true, groups: ["SONCALL"] }),
  person("UAWAY", { isExternal: true, groups: ["SONCALL"] }),
];

type Listener = (request: Record<string, unknown>) => Promise<void>;
type Surface = "command" | "action" | "view" | "event" | "shortcut";

/** The handlers as they are registered on Bolt, called as Bolt would, with people as Slack knows them. */
function surfaces(fake: FakeRoom) {
  const listeners = new Map<string, Listener>();
  const broken: string[] = [];
  let told = 0;
  const keep = (surface: Surface) => (name: string | RegExp, listener: Listener) =>
    void listeners.set(surface === "event" ? `event ${String(name)}` : surface, listener);
  const people = new Map([...approvers, ...others].map((one) => [one.userId, one]));
  const edge = {
    app: Object.fromEntries(
      (["command", "action", "view", "event", "shortcut"] as const).map((surface) => [surface, keep(surface)]),
    ),
    api: { call: async () => ({ ok: true, data: {} }) },
    people: { person: async (userId: string) => people.get(userId) ?? person(userId), forgetGroup: () => {} },
    whisper: async () => {
      told += 1;
    },
    store: fake.store,
    lost: () => {},
    onBeat: () => {},
  } as unknown as SlackEdge;
  const log = {
    info: () => {},
    warn: () => {},
    error: (fields: Record<string, unknown>, message: string) =>
      void broken.push(`${message}: ${String(fields["err"])}`),
  };
  registerHandlers(edge, { room: fake.room, clock: fake.time.clock, log });
  return { listeners, broken, told: () => told };
}

interface Forgery {
  surface: string;
  request: Record<string, unknown>;
}

/** Somebody who may not, or an approver whose words are not those of this plan. */
function sender(random: Chance, named: string, plan: Plan): Person {
  const parsed = parseButtonValue(named);
  const genuine = parsed?.incidentId === plan.incidentId && parsed.hash === plan.hash;
  return random.pick(genuine ? others : [...others, ...approvers]);
}

interface Plan {
  incidentId: string;
  hash: string;
}

const contextOf = (random: Chance) => ({
  requestKey: `k${random.below(1e9)}`,
  receivedAtMs: 0,
  resumed: random.below(20) === 0,
});
const channelOf = (random: Chance) => random.pick(["C1", "C2", "D1", "constructor", random.text()]);
const namedBy = (random: Chance, plan: Plan) => {
  const genuine = buttonValue(plan.incidentId, plan.hash, 1);
  return random.pick([genuine, random.mutated(genuine), random.mutated(genuine), random.text()]);
};

function click(random: Chance, plan: Plan): Forgery {
  const value = namedBy(random, plan);
  const ids = Object.values(actionIds);
  const action = { action_id: random.pick([...ids, random.mutated(random.pick(ids)), "constructor"]), value };
  const body = {
    user: { id: sender(random, value, plan).userId },
    channel: random.pick([{ id: channelOf(random) }, undefined]),
    container: random.pick([{ thread_ts: random.text() }, undefined]),
    trigger_id: random.pick(["1.2.x", undefined]),
  };
  return { surface: "action", request: { body, action, context: contextOf(random) } };
}

function form(random: Chance, plan: Plan): Forgery {
  const value = namedBy(random, plan);
  const forms = [reasonFormId, changeFormId, breakGlassFormId, hostFormId, investigateFormId];
  const said = () => ({ value: { value: random.pick(["db", "1g", "99999g", "because", random.text()]) } });
  const blocks = ["reason", "typed", "memory", "name", "address", "service", random.text()];
  const some = blocks.slice(0, random.below(7)).map((block) => [block, random.pick([said(), null, {}])]);
  const values = random.pick([
    Object.fromEntries(blocks.map((block) => [block, said()])),
    Object.fromEntries(some),
    null,
  ]);
  const view = {
    callback_id: random.pick([...forms, random.mutated(random.pick(forms)), "__proto__"]),
    private_metadata: random.pick([`${channelOf(random)}|1.0|${value}`, random.mutated(`C1|1.0|${value}`), value]),
    state: { values },
  };
  const body = {
    type: random.pick(["view_submission", "view_submission", "view_closed"]),
    user: { id: sender(random, value, plan).userId },
  };
  return { surface: "view", request: { ack: async () => {}, body, view, context: contextOf(random) } };
}

function command(random: Chance, plan: Plan): Forgery {
  const words = [`note ${random.text()}`, "freeze", "can-i approve db", "export md", "check h1", "add x", "list"];
  const typed = {
    command: random.pick(["/timeline", "/hosts", "/room137", random.mutated("/why-500"), "/guardrails"]),
    text: random.pick([random.text(), random.mutated(random.pick(words)), `${plan.incidentId} ${random.text()}`]),
    user_id: random.pick(others).userId,
    channel_id: channelOf(random),
    trigger_id: "1.2.x",
  };
  return { surface: "command", request: { command: typed, context: contextOf(random) } };
}

function mention(random: Chance, plan: Plan): Forgery {
  const verbs = ["approve", `approve ${plan.hash}`, "note x", "can-i approve db", "timeline", random.text()];
  const event = {
    user: random.pick([random.pick(others).userId, undefined, 7]),
    channel: random.pick([channelOf(random), null]),
    text: `<@UROOM> ${random.mutated(random.pick(verbs))}`,
    ts: "2.0",
    thread_ts: random.pick(["1.0", undefined, 3]),
  };
  return { surface: "event app_mention", request: { event, context: contextOf(random) } };
}

it(`lets none of ${runs} forged or mutated clicks, forms, commands and mentions run anything or break anything`, async () => {
  const approvals = (await fakeRoom()).deps.config.approvals;
  const fake = await fakeRoom({
    config: { approvals: { ...approvals, breakGlass: { enabled: true, users: ["UGLASS"] } } },
  });
  const { listeners, broken, told } = surfaces(fake);
  const random = chance(137);
  const waiting = async (at: number) => {
    const incidentId = `i-forge${at}`;
    return { incidentId, hash: await waitingPlan(fake, incidentId, { breakGlass: true }) };
  };
  let plan = await waiting(0);
  const made = new Map<string, number>();
  const check = async () => {
    const plans = replay(await fake.store.entries(plan.incidentId))?.plans ?? [];
    // The person who asked may reject, change or renew a plan: that stops it and runs nothing.
    const standing = plans.filter(({ status }) => !["open", "rejected", "superseded"].includes(status));
    const voted = plans.filter(({ votes, approvers }) => votes.length + approvers.length > 0);
    const begun = plans.flatMap(({ steps }) => steps).filter((step) => step.state !== "waiting");
    expect({ plans: plans.length > 0, standing, voted, begun }).toEqual({
      plans: true,
      standing: [],
      voted: [],
      begun: [],
    });
  };
  for (let at = 1; at <= runs; at += 1) {
    if (at % perIncident === 0) {
      await check();
      await fake.store.deleteDocument("open-incident", plan.incidentId);
      plan = await waiting(at);
    }
    const { surface, request } = random.pick([click, click, form, command, mention])(random, plan);
    made.set(surface, (made.get(surface) ?? 0) + 1);
    const listener = listeners.get(surface);
    if (listener === undefined) throw new Error(`nobody listens to ${surface}`);
    await listener(request);
  }
  await check();
  expect(fake.host.effects).toEqual([]);
  // The same way in is open to whom it is meant for, or nothing was shown.
  const { incidentId, hash } = await waiting(runs + 1);
  const action = { action_id: actionIds.approve, value: buttonValue(incidentId, hash, 1) };
  await listeners.get("action")?.({ body: { user: { id: bob.userId }, channel: { id: "C1" } }, action, context: {} });
  await fake.room.settled(incidentId);
  expect(fake.host.effects.map((effect) => effect.action)).toEqual(["update-memory", "update-restart-policy", "start"]);
  console.log(
    `${runs} forgeries (${[...made].map(([surface, count]) => `${count} ${surface}`).join(", ")}): ${told()} answers, 0 runs`,
  );
  expect(broken).toEqual([]);
  expect(fake.errors).toEqual([]);
}, 600_000);

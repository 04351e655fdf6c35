import { afterEach, describe, expect, it } from "vitest";
import { actionIds, buttonValue } from "../../src/core/buttons.ts";
import type { TimelineEntry } from "../../src/core/incident.ts";
import { replay } from "../../src/core/replay.ts";
import { refuse } from "../../src/core/result.ts";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { planCard } from "../../src/render/plan-card.ts";
import { foundingPlan, opening, proposal, story } from "../render/story.ts";
import { messagesIn, type OpenEdge, openEdge, row, settle, until } from "../slack/open-edge.ts";

const channel = "C0INCIDENTS";
const incidentId = "i-7f3a";
let open: OpenEdge;
afterEach(async () => {
  expect(open.slack.ledgers().flags).toEqual([]);
  await open.close();
});

interface Card {
  ts: string;
  blockId: string;
  raw: JsonObject;
}

/** The real card of a real plan, posted; the room knows the plan behind it. */
async function showCard(more: Parameters<typeof proposal>[1] = {}): Promise<Card> {
  const entries: TimelineEntry[] = story([...opening, proposal(foundingPlan, more)], incidentId);
  open.fake.answers.entries = async (id) => (id === incidentId ? entries : []);
  const incident = replay(entries);
  if (incident?.plan == null) throw new Error("the story has no plan");
  const { text, blocks } = planCard(incident, incident.plan);
  await open.edge.store.enqueue([
    row(incidentId, "plan:1", channel, { kind: "post", thread: null, text, blocks }, open.clock.nowMs()),
  ]);
  await until(open.clock, () => messagesIn(open, channel).length === 1);
  const message = messagesIn(open, channel)[0];
  const actions = (message?.blocks ?? []).find((block) => block["type"] === "actions");
  return { ts: message?.ts ?? "", blockId: String(actions?.["block_id"]), raw: { blocks: message?.blocks ?? [] } };
}

const press = (card: Card, actionId: string, user = "U0BEN") =>
  open.slack.people.act(user, { channel, ts: card.ts, blockId: card.blockId, actionId, confirmed: true });
const modalOf = (user: string) => open.slack.world.stacks.get(user)?.[0];
const told = () => messagesIn(open, channel).filter((one) => one.ephemeralFor !== null);

describe.each(["socket", "http"] as const)("the plan card over %s", (transport) => {
  it("asks Slack's own confirm dialog before Approve, and hands the click on with the exact plan", async () => {
    open = await openEdge({ transport });
    const card = await showCard();
    const click = { channel, ts: card.ts, blockId: card.blockId, actionId: actionIds.approve };
    expect(await open.slack.people.act("U0BEN", click)).toMatchObject({ error: "confirmation_required" });
    expect(await press(card, actionIds.approve)).toMatchObject({ ok: true });
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]).toMatchObject({
      incidentId,
      hash: foundingPlan.hash,
      decision: { verb: "approve", reason: null },
      by: { userId: "U0BEN", groups: ["S0ONCALL"] },
    });
    expect(told()).toEqual([]);
  });

  it("opens a form in place of the dialog where a reason is required", async () => {
    open = await openEdge({ transport });
    const card = await showCard({ requireReason: true });
    open.fake.answers.decide = async (id, hash, by, decision) => {
      if (by.userId === "U0ANA") return refuse("own-request", "You asked for it.", "It waits.", "Ask somebody else.");
      if (decision.verb !== "approve" || decision.reason === null)
        return refuse("reason-required", "A reason is needed.", "Nothing ran.", "Write one.");
      open.fake.decisions.push({ incidentId: id, hash, by, decision });
      return { said: "approve noted" };
    };
    await press(card, actionIds.approveWithReason, "U0ANA");
    await until(open.clock, () => told().length === 1);
    expect(modalOf("U0ANA")).toBeUndefined();
    expect(await press(card, actionIds.approveWithReason)).toMatchObject({ ok: true });
    await until(open.clock, () => modalOf("U0BEN") !== undefined);
    expect(JSON.stringify(modalOf("U0BEN")?.body)).toContain("set the memory limit of db on");
    const viewId = modalOf("U0BEN")?.id ?? "";
    const values = { reason: { value: "db must be back before the shop opens" } };
    expect(await open.slack.people.submit("U0BEN", { viewId, values })).toMatchObject({ outcome: "closed" });
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]).toMatchObject({
      hash: foundingPlan.hash,
      decision: { verb: "approve", reason: "db must be back before the shop opens" },
    });
  });

  it("takes another memory size within what is shown, and says in the form what is wrong with any other", async () => {
    open = await openEdge({ transport });
    const card = await showCard();
    await press(card, actionIds.change);
    await until(open.clock, () => modalOf("U0BEN") !== undefined);
    expect(JSON.stringify(modalOf("U0BEN")?.body)).toContain("448 MiB to 5 GiB");
    expect(JSON.stringify(modalOf("U0BEN")?.body)).toContain('"initial_value":"1g"');
    const viewId = modalOf("U0BEN")?.id ?? "";
    for (const value of ["lots", "64m", "6g"]) {
      const answer = await open.slack.people.submit("U0BEN", { viewId, values: { memory: { value } } });
      expect(answer).toMatchObject({ outcome: "errors" });
    }
    expect(modalOf("U0BEN")?.errors).toEqual({ memory: "Choose a size from 448 MiB to 5 GiB." });
    await open.slack.people.submit("U0BEN", { viewId, values: { memory: { value: "2g" } } });
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]?.decision).toEqual({ verb: "change-memory", memoryBytes: 2 * 1024 ** 3 });
    await until(open.clock, () => told().length === 1);
    expect(told()[0]).toMatchObject({ text: "change-memory noted", ephemeralFor: "U0BEN" });
  });
});

describe("the plan card", () => {
  it("shows the commands to one person", async () => {
    open = await openEdge();
    const card = await showCard();
    await press(card, actionIds.showCommands, "U0ANA");
    await until(open.clock, () => modalOf("U0ANA") !== undefined);
    expect(JSON.stringify(modalOf("U0ANA")?.body)).toContain("docker update --memory 1073741824");
  });

  it("rejects, and tells a refusal to nobody but the one who clicked", async () => {
    open = await openEdge();
    const card = await showCard();
    await press(card, actionIds.reject);
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]?.decision).toEqual({ verb: "reject", reason: null });
    open.fake.answers.decide = async () =>
      refuse("own-request", "You asked for it.", "It waits.", "Ask somebody else.");
    await press(card, actionIds.approve, "U0ANA");
    await until(open.clock, () => told().length === 1);
    expect(told()[0]).toMatchObject({
      ephemeralFor: "U0ANA",
      text: "You asked for it.\nIt waits.\nAsk somebody else.",
    });
  });

  it("opens the reason form when the room turns out to want one", async () => {
    open = await openEdge();
    const card = await showCard();
    open.fake.answers.decide = async () =>
      refuse("reason-required", "A reason is needed.", "Nothing ran.", "Write one.");
    await press(card, actionIds.approve);
    await until(open.clock, () => modalOf("U0BEN") !== undefined);
    expect(JSON.stringify(modalOf("U0BEN")?.body)).toContain("Reason");
  });

  it("breaks the glass only with a typed confirmation and a reason, both judged by the room", async () => {
    open = await openEdge();
    const card = await showCard({ breakGlass: true });
    await press(card, actionIds.breakGlass);
    await until(open.clock, () => modalOf("U0BEN") !== undefined);
    expect(JSON.stringify(modalOf("U0BEN")?.body)).toContain("Type db to confirm");
    const viewId = modalOf("U0BEN")?.id ?? "";
    const values = { typed: { value: "db" }, reason: { value: "nobody else is awake" } };
    await open.slack.people.submit("U0BEN", { viewId, values });
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]?.decision).toEqual({
      verb: "break-glass",
      typed: "db",
      reason: "nobody else is awake",
    });
  });

  it("decides once for a click that Slack delivers twice", async () => {
    open = await openEdge();
    const card = await showCard();
    open.slack.inject({ kind: "duplicate-envelopes", times: 1 });
    await press(card, actionIds.approve);
    await until(open.clock, () => open.fake.decisions.length === 1);
    await open.clock.advance(10_000);
    await settle();
    expect(open.fake.decisions).toHaveLength(1);
  });

  it.each([
    "",
    "approve",
    `${incidentId}:zz:1`,
    `${incidentId}:${"a".repeat(64)}`,
    "i-7f3a'; drop table timeline;--:aaaaaaaaaaaa:1",
    "x".repeat(2_000),
  ])("hands nothing on for the forged value %j", async (value) => {
    open = await openEdge();
    const card = await showCard();
    open.slack.inject({ kind: "switch", name: "staleClicks", on: true });
    const forged = JSON.parse(
      JSON.stringify(card.raw).replaceAll(/"value":"i-[^"]*"/g, `"value":${JSON.stringify(value)}`),
    );
    const click = { channel, ts: card.ts, blockId: card.blockId, confirmed: true, staleMessage: forged };
    await open.slack.people.act("U0BEN", { ...click, actionId: actionIds.approve });
    await until(open.clock, () => told().length === 1);
    expect(told()[0]?.text).toContain("This button belongs to no plan that room137 knows.");
    expect(open.fake.decisions).toEqual([]);
  });

  it("leaves the judging of a well-formed forgery to the room, and opens no form for it", async () => {
    open = await openEdge();
    const card = await showCard();
    open.slack.inject({ kind: "switch", name: "staleClicks", on: true });
    const value = buttonValue("i-other", "f".repeat(64), 9);
    const forged = JSON.parse(JSON.stringify(card.raw).replaceAll(/"value":"i-[^"]*"/g, `"value":"${value}"`));
    const click = { channel, ts: card.ts, blockId: card.blockId, confirmed: true, staleMessage: forged };
    await open.slack.people.act("U0BEN", { ...click, actionId: actionIds.approve });
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]).toMatchObject({ incidentId: "i-other", hash: "f".repeat(64) });
    await open.slack.people.act("U0BEN", { ...click, actionId: actionIds.change });
    await until(open.clock, () => told().length === 1);
    expect(modalOf("U0BEN")).toBeUndefined();
  });

  it("says who clicked as they are now: a guest, a bot, somebody who left", async () => {
    open = await openEdge();
    const card = await showCard();
    open.slack.world.channels.get(channel)?.members.add("U0GUEST").add("U0DEPLOY").add("U0GONE");
    for (const user of ["U0GUEST", "U0DEPLOY", "U0GONE"]) await press(card, actionIds.approve, user);
    await until(open.clock, () => open.fake.decisions.length === 3);
    const by = Object.fromEntries(open.fake.decisions.map((one) => [one.by.userId, one.by]));
    expect(by).toMatchObject({
      U0GUEST: { isGuest: true, isBot: false },
      U0DEPLOY: { isBot: true },
      U0GONE: { isDeactivated: true },
    });
  });

  it("follows a change of the group at once", async () => {
    open = await openEdge();
    const card = await showCard();
    await press(card, actionIds.reject);
    await until(open.clock, () => open.fake.decisions.length === 1);
    open.slack.changeGroup("S0ONCALL", ["U0CHI"]);
    await settle();
    await press(card, actionIds.reject);
    await until(open.clock, () => open.fake.decisions.length === 2);
    expect(open.fake.decisions.map((one) => one.by.groups)).toEqual([["S0ONCALL"], []]);
  });

  it("cannot open a form for a click that a crash left behind, and says to press again", async () => {
    open = await openEdge({ start: false });
    const body = {
      type: "block_actions",
      team: { id: "T0LOCAL" },
      user: { id: "U0BEN" },
      channel: { id: channel },
      container: { type: "message", channel_id: channel, message_ts: "1.1" },
      trigger_id: "1.2.x",
      actions: [
        {
          type: "button",
          action_id: actionIds.approveWithReason,
          action_ts: "5.5",
          value: buttonValue(incidentId, foundingPlan.hash, 1),
        },
      ],
    };
    const nowMs = open.clock.nowMs();
    await open.store.putDocument(
      "inbox",
      "1.2.x:5.5",
      JSON.stringify({ body, receivedAtMs: nowMs - 1_000, owner: "test" }),
      nowMs,
    );
    open.fake.answers.entries = async () => story([...opening, proposal(foundingPlan)], incidentId);
    open.fake.answers.decide = async () =>
      refuse("reason-required", "A reason is needed.", "Nothing ran.", "Write one.");
    await open.edge.start();
    await until(open.clock, () => told().length === 1);
    expect(told()[0]?.text).toContain("Press the button again.");
  });
});

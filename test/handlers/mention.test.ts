import { afterEach, describe, expect, it } from "vitest";
import { messagesIn, type OpenEdge, openEdge, until } from "../slack/open-edge.ts";

const channel = "C0INCIDENTS";
let open: OpenEdge;
/** Frames put onto the socket by a test are acked too; the room, which never sent them, notes that as odd. */
let forgedFrames = false;
afterEach(async () => {
  const flags = open.slack.ledgers().flags.filter((flag) => !(forgedFrames && flag.code === "unknown-ack"));
  forgedFrames = false;
  expect(flags).toEqual([]);
  await open.close();
});

function say(text: string, threadTs?: string, user = "U0ANA"): string {
  const said = open.slack.people.say(user, { channel, text, ...(threadTs === undefined ? {} : { threadTs }) });
  return said.ok ? said.ts : "";
}
const private_ = () => messagesIn(open, channel).filter((one) => one.ephemeralFor !== null);

describe.each(["socket", "http"] as const)("a mention over %s", (transport) => {
  it("in a thread opens an incident there, notes, and explains", async () => {
    open = await openEdge({ transport });
    const threadTs = say("web is broken again");
    say("@room137 why-500 `web` on prod-1", threadTs);
    await until(open.clock, () => open.fake.asks.length === 1);
    expect(open.fake.asks[0]).toMatchObject({
      service: "web",
      host: "prod-1",
      symptom: "http-500",
      command: "/why-500 `web` on prod-1",
      place: { channel, threadTs },
    });
    say("@room137 note it began at 3 & <b>", threadTs);
    await until(open.clock, () => open.fake.notes.length === 1);
    expect(open.fake.notes[0]).toMatchObject({ text: "it began at 3 & <b>", by: { userId: "U0ANA" } });
    say("@room137 frezee", threadTs);
    await until(open.clock, () => private_().some((one) => one.text.includes("Did you mean @room137 freeze ?")));
    expect(private_().every((one) => one.ephemeralFor === "U0ANA" && one.threadTs === threadTs)).toBe(true);
  });
});

describe("a mention", () => {
  it.each([
    ["@room137 /why web", "any"],
    ["@room137 WHY-500 web", "http-500"],
    ["hey @room137 why web", "any"],
    ["why web @room137", "any"],
  ])("%s asks", async (text, symptom) => {
    open = await openEdge();
    say(text);
    await until(open.clock, () => open.fake.asks.length === 1);
    expect(open.fake.asks[0]).toMatchObject({ service: "web", symptom, place: { channel, threadTs: null } });
  });

  it.each(["@room137", "@room137 help"])("%s shows help to the one who asked", async (text) => {
    open = await openEdge();
    say(text);
    await until(open.clock, () => private_().length === 1);
    expect(private_()[0]?.text).toContain("/why-500 web");
  });

  it("cannot open a form, and says what to do", async () => {
    open = await openEdge();
    say("@room137 hosts add");
    await until(open.clock, () => private_().length === 1);
    expect(private_()[0]?.text).toContain("Type /hosts add in the channel.");
  });

  it("by a bot is not answered", async () => {
    open = await openEdge();
    const event = {
      type: "app_mention",
      user: "U0DEPLOY",
      bot_id: "B1",
      channel,
      text: "<@U0ROOM137> why web",
      ts: "1.1",
    };
    forgedFrames = true;
    const payload = { type: "event_callback", event_id: "Ev9", team_id: "T0LOCAL", event };
    open.slack.inject({ kind: "raw-frame", text: JSON.stringify({ type: "events_api", envelope_id: "e9", payload }) });
    say("@room137 note after");
    await until(open.clock, () => open.fake.notes.length === 1);
    expect(open.fake.asks).toEqual([]);
  });
});

describe("message shortcuts", () => {
  it("put a message into the timeline, with who wrote it", async () => {
    open = await openEdge();
    const ts = say("db was restarted by hand", undefined, "U0BEN");
    await open.slack.people.shortcut("U0ANA", { callbackId: "add_to_timeline", channel, ts });
    await until(open.clock, () => open.fake.notes.length === 1);
    expect(open.fake.notes[0]).toMatchObject({
      text: "db was restarted by hand",
      from: "a message by ben",
      by: { userId: "U0ANA" },
    });
  });

  it("investigate what a message is about, once a person has said which service", async () => {
    open = await openEdge();
    const ts = say("`checkout` returns 500, maybe db:5432?");
    await open.slack.people.shortcut("U0ANA", { callbackId: "investigate_message", channel, ts });
    await until(open.clock, () => open.slack.world.stacks.get("U0ANA")?.length === 1);
    const view = open.slack.world.stacks.get("U0ANA")?.[0];
    const shown = JSON.stringify(view?.body);
    expect(shown).toContain('"initial_value":"checkout"');
    expect(shown).toContain("The message also names db.");
    expect(open.fake.asks).toEqual([]);
    const viewId = view?.id ?? "";
    const wrong = { service: { value: "two words" }, host: { value: null } };
    expect(await open.slack.people.submit("U0ANA", { viewId, values: wrong })).toMatchObject({ outcome: "errors" });
    const values = { service: { value: "checkout" }, host: { value: null } };
    expect(await open.slack.people.submit("U0ANA", { viewId, values })).toMatchObject({ outcome: "closed" });
    await until(open.clock, () => open.fake.asks.length === 1);
    expect(open.fake.asks[0]).toMatchObject({ service: "checkout", symptom: "any", place: { channel, threadTs: ts } });
  });
});

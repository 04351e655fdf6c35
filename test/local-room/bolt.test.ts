import { App, HTTPReceiver, SocketModeReceiver } from "@slack/bolt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRoomClock } from "../../src/local-room/clock.ts";
import type { Attack } from "../../src/local-room/transport/attacks.ts";
import { freePort, openRoom, type TestRoom } from "./open-room.ts";

const quiet = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  getLevel: () => "error" as never,
  setName() {},
};
const plain = (text: string) => ({ type: "plain_text" as const, text });
const form = {
  type: "modal" as const,
  callback_id: "host_form",
  title: plain("Add a host"),
  submit: plain("Add"),
  blocks: [
    {
      type: "input" as const,
      block_id: "name",
      label: plain("Name"),
      element: { type: "plain_text_input" as const, action_id: "text", min_length: 2 },
    },
  ],
};

/** One tiny bot, as it would be written for Slack. Nothing in it knows about the room. */
function listeners(app: App): string[] {
  const heard: string[] = [];
  app.command("/hosts", async ({ ack, client, body }) => {
    await ack();
    await client.views.open({ trigger_id: body.trigger_id, view: form });
  });
  app.command("/why-500", async ({ ack, respond, command, client }) => {
    await ack();
    const posted = await client.chat.postMessage({
      channel: command.channel_id,
      text: `@${command.user_name} asked about ${command.text}`,
      blocks: [
        {
          type: "actions",
          block_id: "plan",
          elements: [
            {
              type: "button",
              action_id: "approve",
              text: plain("Approve"),
              value: "plan_1",
              confirm: { title: plain("Sure?"), text: plain("Starts db"), confirm: plain("Yes"), deny: plain("No") },
            },
          ],
        },
      ],
      unfurl_links: false,
      unfurl_media: false,
    });
    await client.chat.postMessage({
      channel: command.channel_id,
      thread_ts: posted.ts ?? "",
      text: "evidence",
      unfurl_links: false,
      unfurl_media: false,
    });
    await respond({ text: "only for you", response_type: "ephemeral" });
  });
  app.action("approve", async ({ ack, body, respond }) => {
    await ack();
    await respond({ text: `approved by ${body.user.id}`, replace_original: true });
  });
  app.view("host_form", async ({ ack, view, client, body }) => {
    const name = view.state.values["name"]?.["text"]?.value ?? "";
    if (name === "taken") return ack({ response_action: "errors", errors: { name: "That host exists." } });
    await ack();
    await client.chat.postMessage({
      channel: body.user.id,
      text: `added ${name}`,
      unfurl_links: false,
      unfurl_media: false,
    });
  });
  app.shortcut("investigate_message", async ({ ack, shortcut }) => {
    await ack();
    heard.push(`shortcut ${shortcut.type}`);
  });
  app.event("app_mention", async ({ event, say }) => {
    await say({ text: `heard ${event.text}`, thread_ts: event.thread_ts ?? event.ts });
  });
  app.event("app_home_opened", async ({ event, client }) => {
    await client.views.publish({
      user_id: event.user,
      view: { type: "home", blocks: [{ type: "header", text: plain("Open incidents") }] },
    });
  });
  app.event("subteam_members_changed", async ({ event }) => {
    heard.push(`group ${event.subteam_id}`);
  });
  return heard;
}

async function startBot({ room }: TestRoom, transport: "socket" | "http", port: number) {
  const clientOptions = { slackApiUrl: room.apiUrl };
  const receiver =
    transport === "socket"
      ? new SocketModeReceiver({
          appToken: room.appToken,
          logger: quiet,
          installerOptions: { clientOptions: { ...clientOptions } },
        })
      : new HTTPReceiver({ signingSecret: room.signingSecret, port, logger: quiet });
  const app = new App({ token: room.botToken, receiver, clientOptions, logger: quiet, deferInitialization: true });
  const heard = listeners(app);
  await app.init();
  await app.start(port);
  return { app, heard };
}

describe.each(["socket", "http"] as const)("a real Bolt app over %s", (transport) => {
  let test: TestRoom;
  let bot: Awaited<ReturnType<typeof startBot>>;
  beforeEach(async () => {
    // Bolt compares signatures with the system's clock, so the frozen one starts there.
    const port = await freePort();
    test = await openRoom({
      transport,
      appOrigin: `http://127.0.0.1:${port}`,
      clock: createRoomClock({ frozenAtMs: Date.now() }),
    });
    bot = await startBot(test, transport, port);
    if (transport === "socket")
      await test.room.waitForEntry((entry) => entry.kind === "connection" && entry.name === "open");
  });
  afterEach(async () => {
    await test.room.stop();
    await bot.app.stop();
  });

  it("answers a command, a confirmed click by another person, and replaces the card", async () => {
    const { room } = test;
    expect(await room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why-500 web" })).toMatchObject({
      ok: true,
    });
    const card = await room.waitForMessage((message) => String(message["text"]).includes("asked about web"));
    await room.waitForMessage((message) => message["text"] === "only for you");
    const reply = await room.waitForMessage((message) => message["text"] === "evidence");
    expect(reply).toMatchObject({ thread_ts: card["ts"], parent_user_id: "U0ROOM137" });
    const click = { channel: "C0INCIDENTS", ts: String(card["ts"]), blockId: "plan", actionId: "approve" };
    expect(await room.people.act("U0BEN", click)).toMatchObject({ ok: false, error: "confirmation_required" });
    expect(await room.people.act("U0BEN", { ...click, confirmed: true })).toMatchObject({ ok: true });
    const replaced = await room.waitForMessage((message) => message["text"] === "approved by U0BEN");
    expect(replaced).toMatchObject({ ts: card["ts"], edited: { user: "U0ROOM137" } });
    expect(replaced["blocks"]).toBeUndefined();
    expect(room.ledgers().flags).toEqual([]);
  });

  it("opens a modal, checks it as a client does, shows the app's errors, then takes it", async () => {
    const { room } = test;
    await room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/hosts add" });
    await room.waitForEntry((entry) => entry.name === "views.open" && entry.ok);
    const viewId = room.world.stacks.get("U0ANA")?.[0]?.id ?? "";
    const submit = (value: string | null) => room.people.submit("U0ANA", { viewId, values: { name: { text: value } } });
    expect(await submit(null)).toMatchObject({
      ok: false,
      fieldErrors: { name: "Please complete this required field." },
    });
    expect(await submit("x")).toMatchObject({ ok: false, error: "invalid_fields" });
    expect(await submit("taken")).toMatchObject({ ok: true, outcome: "errors" });
    expect(room.world.stacks.get("U0ANA")?.[0]?.errors).toEqual({ name: "That host exists." });
    expect(await submit("prod-1")).toMatchObject({ ok: true, outcome: "closed" });
    expect(room.world.stacks.get("U0ANA")).toEqual([]);
    await room.waitForMessage((message, channel) => message["text"] === "added prod-1" && channel === "D0ANA");
  });

  it("hears mentions, shortcuts, Home and group changes", async () => {
    const { room } = test;
    const said = room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "@room137 why-500 web & <db> #general" });
    const heard = await room.waitForMessage((message) => String(message["text"]).startsWith("heard"));
    expect(heard["text"]).toBe("heard <@U0ROOM137> why-500 web &amp; &lt;db&gt; <#C0GENERAL|general>");
    const ts = said.ok ? said.ts : "";
    expect(heard["thread_ts"]).toBe(ts);
    expect(
      await room.people.shortcut("U0BEN", { callbackId: "investigate_message", channel: "C0INCIDENTS", ts }),
    ).toMatchObject({ ok: true });
    expect(bot.heard).toEqual(["shortcut message_action"]);
    room.people.openHome("U0ANA", {});
    await room.waitForEntry((entry) => entry.name === "views.publish");
    expect(room.world.homes.get("U0ANA")?.body).toMatchObject({ type: "home" });
    room.changeGroup("S0ONCALL", ["U0ANA"]);
    await room.waitForEntry(
      (entry) =>
        JSON.stringify(entry.detail).includes("subteam_members_changed") &&
        (entry.kind === "ack" || entry.kind === "http-event" || entry.kind === "envelope"),
    );
  });

  it("refuses commands in threads and undeclared ones, and sends nothing", async () => {
    const { room } = test;
    const envelopes = () =>
      room.journal().filter((entry) => entry.kind === "envelope" || entry.kind === "http-event").length;
    const before = envelopes();
    expect(
      await room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/hosts", threadTs: "1.1" }),
    ).toMatchObject({ error: "command_in_thread" });
    expect(await room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/nope" })).toMatchObject({
      error: "unknown_command",
    });
    expect(envelopes()).toBe(before);
  });

  it("says so when the bot has no listener and three seconds pass", async () => {
    const { room } = test;
    const asked = room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/guardrails" });
    await room.waitForEntry((entry) => (transport === "http" ? true : entry.name === "slash_commands"));
    await room.advance(3_000);
    expect(await asked).toMatchObject({ ok: false, error: "operation_timeout" });
  });
});

describe("a real HTTP listener under attack", () => {
  it.each([
    ["wrong-secret", 401],
    ["stale", 401],
    ["replayed", 401],
    ["changed-body", 401],
    ["missing-headers", 401],
    ["unknown-path", 404],
  ] as [Attack, number][])("turns down %s with %i", async (kind, status) => {
    const port = await freePort();
    const test = await openRoom({
      transport: "http",
      appOrigin: `http://127.0.0.1:${port}`,
      clock: createRoomClock({ frozenAtMs: Date.now() }),
    });
    const { app } = await startBot(test, "http", port);
    expect(await test.room.attack(kind)).toBe(status);
    expect(await test.room.verifyUrl()).toBe(true);
    expect(await test.room.sslCheck()).toBe(200);
    await app.stop();
    await test.room.stop();
  });
});

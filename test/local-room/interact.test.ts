import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { elementState } from "../../src/local-room/interact/inputs.ts";
import type { ControlValue, JsonObject } from "../../src/local-room/protocol.ts";
import { connectApp, lastPayload, openRoom, type TestRoom } from "./open-room.ts";

let test: TestRoom;
beforeEach(async () => {
  test = await openRoom();
});
afterEach(() => test.room.stop());

const plain = (text: string): JsonObject => ({ type: "plain_text", text });
const option = (value: string): JsonObject => ({ text: plain(value), value });
const input = (blockId: string, element: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: "input",
  block_id: blockId,
  label: plain(blockId),
  element: { action_id: "in", ...element },
  ...more,
});
const modal = (blocks: JsonObject[], more: JsonObject = {}): JsonObject => ({
  type: "modal",
  callback_id: "form",
  title: plain("T"),
  submit: plain("Go"),
  blocks,
  ...more,
});

async function openModal(view: JsonObject): Promise<string> {
  await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/hosts add" });
  const opened = await test.call("views.open", {
    trigger_id: String(lastPayload(test, "slash_commands")["trigger_id"]),
    view,
  });
  expect(opened).toMatchObject({ ok: true });
  return String((opened["view"] as JsonObject)["id"]);
}

async function postButton(more: JsonObject = {}, args: JsonObject = {}): Promise<string> {
  const button = { type: "button", action_id: "go", text: plain("Go"), value: "id_1", ...more };
  const answer = await test.call("chat.postMessage", {
    channel: "C0INCIDENTS",
    text: "card",
    blocks: [{ type: "actions", block_id: "row", elements: [button] }],
    ...args,
  });
  expect(answer).toMatchObject({ ok: true });
  return String(answer["ts"]);
}
const click = (ts: string, more: object = {}) =>
  test.room.people.act("U0BEN", { channel: "C0INCIDENTS", ts, blockId: "row", actionId: "go", ...more });

describe("slash commands", () => {
  it("carry exactly Slack's fields, with people and channels escaped to ids", async () => {
    await test.room.people.command("U0ANA", { channel: "C0ONCALL", text: "/why-500 web on @ben in #general @on-call" });
    const payload = lastPayload(test, "slash_commands");
    expect(Object.keys(payload).toSorted()).toEqual([
      "api_app_id",
      "channel_id",
      "channel_name",
      "command",
      "is_enterprise_install",
      "response_url",
      "team_domain",
      "team_id",
      "text",
      "token",
      "trigger_id",
      "user_id",
      "user_name",
    ]);
    expect(payload).toMatchObject({
      channel_name: "privategroup",
      is_enterprise_install: "false",
      text: "web on <@U0BEN|ben> in <#C0GENERAL|general> <!subteam^S0ONCALL|@on-call>",
      user_name: "ana",
    });
    expect(payload["trigger_id"]).toMatch(/^\d+\.\d+\.[0-9a-f]+$/);
    await test.room.people.command("U0ANA", { channel: "D0ANA", text: "/why web" });
    expect(lastPayload(test, "slash_commands")["channel_name"]).toBe("directmessage");
  });

  it("show the body of the ack: private unless it says in_channel", async () => {
    const app = await connectApp(test, () => ({ text: "help" }));
    await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/room137 help" });
    expect(await test.room.waitForMessage((message) => message["text"] === "help")).toMatchObject({
      is_ephemeral: true,
    });
    app.socket.terminate();
  });

  it("refuse people who are not in the channel", async () => {
    expect(await test.room.people.command("U0GUEST", { channel: "C0INCIDENTS", text: "/why web" })).toMatchObject({
      error: "not_in_channel",
    });
    expect(await test.room.people.command("U0GUEST", { channel: "C0ONCALL", text: "/why web" })).toMatchObject({
      error: "channel_not_found",
    });
    expect(await test.room.people.command("U0ANA", { channel: "C0OLD", text: "/why web" })).toMatchObject({
      error: "is_archived",
    });
  });
});

describe("response URLs", () => {
  const send = async (url: unknown, body: JsonObject) => {
    const response = await fetch(String(url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return [response.status, ((await response.json()) as JsonObject)["error"]];
  };
  const issue = async () => {
    await test.room.people.command("U0ANA", { channel: "C0GENERAL", text: "/why web" });
    return lastPayload(test, "slash_commands")["response_url"];
  };

  it("take five answers, even where the bot is no member, and then no more", async () => {
    const url = await issue();
    for (let use = 0; use < 5; use++) expect(await send(url, { text: `answer ${use}` })).toEqual([200, undefined]);
    expect(await send(url, { text: "one too many" })).toEqual([404, "used_url"]);
  });

  it("die after thirty minutes, not a millisecond before", async () => {
    const url = await issue();
    await test.room.advance(30 * 60_000);
    expect(await send(url, { text: "just in time" })).toEqual([200, undefined]);
    await test.room.advance(1);
    expect(await send(url, { text: "late" })).toEqual([404, "expired_url"]);
    expect(await send(`${test.room.url}/commands/T0LOCAL/1/none`, { text: "x" })).toEqual([404, "invalid_url"]);
  });

  it("check blocks, and a refused answer costs no use", async () => {
    const url = await issue();
    for (let use = 0; use < 6; use++)
      expect(await send(url, { text: "x", blocks: [{ type: "header" }] })).toEqual([400, "invalid_blocks"]);
    expect(await send(url, { text: "fine", response_type: "in_channel" })).toEqual([200, undefined]);
    expect(await test.room.waitForMessage((message) => message["text"] === "fine")).toMatchObject({
      subtype: "bot_message",
    });
  });

  it("of a click replace or delete what was clicked, and are limited to one a second", async () => {
    const ts = await postButton();
    await click(ts);
    const url = lastPayload(test, "interactive")["response_url"];
    expect(await send(url, { text: "done", replace_original: true })).toEqual([200, undefined]);
    const replaced = await test.room.waitForMessage((message) => message["text"] === "done");
    expect(replaced["ts"]).toBe(ts);
    await test.room.advance(1_000);
    test.room.setRateMode("floor");
    expect((await send(url, { text: "a" }))[0]).toBe(200);
    expect((await send(url, { text: "b" }))[0]).toBe(429);
    await test.room.advance(1_000);
    expect(await send(url, { delete_original: true })).toEqual([200, undefined]);
    expect(test.room.world.messages.get("C0INCIDENTS")?.some((message) => message.ts === ts)).toBe(false);
  });
});

describe("clicks", () => {
  it("carry container, message, state and the button", async () => {
    const parent = String((await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "parent" }))["ts"]);
    const ts = await postButton({ style: "danger" }, { thread_ts: parent });
    await click(ts);
    expect(lastPayload(test, "interactive")).toMatchObject({
      type: "block_actions",
      user: { id: "U0BEN", username: "ben", team_id: "T0LOCAL" },
      container: { type: "message", message_ts: ts, channel_id: "C0INCIDENTS", is_ephemeral: false, thread_ts: parent },
      channel: { id: "C0INCIDENTS", name: "incidents" },
      message: { ts, text: "card", bot_id: "B0ROOM137" },
      state: { values: {} },
      actions: [{ type: "button", action_id: "go", block_id: "row", value: "id_1", style: "danger" }],
    });
  });

  it("on a button that is gone do nothing, unless stale pages are switched on: then the old one is sent", async () => {
    const ts = await postButton();
    const stale = test.room.world.messages.get("C0INCIDENTS")?.at(-1);
    const staleMessage = { ts, text: "card", blocks: stale?.blocks ?? [] } as JsonObject;
    await test.call("chat.update", { channel: "C0INCIDENTS", ts, text: "decided" });
    expect(await click(ts, { staleMessage })).toMatchObject({ error: "element_not_found" });
    test.room.inject({ kind: "switch", name: "staleClicks", on: true });
    expect(await click(ts, { staleMessage })).toMatchObject({ error: "dispatch_failed" });
    expect(lastPayload(test, "interactive")).toMatchObject({ message: { text: "card" }, actions: [{ value: "id_1" }] });
  });

  it("reach only what the person can see", async () => {
    await test.call("chat.postEphemeral", {
      channel: "C0INCIDENTS",
      user: "U0ANA",
      text: "psst",
      blocks: [{ type: "actions", block_id: "row", elements: [{ type: "button", action_id: "go", text: plain("x") }] }],
    });
    const ts = test.room.world.messages.get("C0INCIDENTS")?.at(-1)?.ts ?? "";
    expect(await click(ts)).toMatchObject({ error: "message_not_found" });
    await test.room.people.act("U0ANA", { channel: "C0INCIDENTS", ts, blockId: "row", actionId: "go" });
    const payload = lastPayload(test, "interactive");
    expect(payload).toMatchObject({ container: { is_ephemeral: true } });
    expect(payload["message"]).toBeUndefined();
  });

  it("on a select send the chosen option, and only one that exists", async () => {
    const select = {
      type: "static_select",
      action_id: "go",
      placeholder: plain("pick"),
      options: [option("a"), option("b")],
    };
    const answer = await test.call("chat.postMessage", {
      channel: "C0INCIDENTS",
      text: "x",
      blocks: [{ type: "actions", block_id: "row", elements: [select] }],
    });
    const ts = String(answer["ts"]);
    expect(await click(ts, { value: "z" })).toMatchObject({ error: "option_not_found" });
    await click(ts, { value: "b" });
    expect(lastPayload(test, "interactive")).toMatchObject({
      actions: [{ type: "static_select", selected_option: { value: "b" } }],
      state: { values: { row: { go: { selected_option: { value: "b" } } } } },
    });
  });
});

describe("an element's state", () => {
  it.each([
    ["plain_text_input", {}, "x", { value: "x" }, { value: null }],
    ["plain_text_input", { initial_value: "start" }, "", { value: null }, { value: "start" }],
    ["number_input", {}, "4", { value: "4" }, { value: null }],
    [
      "datepicker",
      { initial_date: "2026-01-01" },
      "2026-11-21",
      { selected_date: "2026-11-21" },
      { selected_date: "2026-01-01" },
    ],
    ["timepicker", {}, "03:07", { selected_time: "03:07" }, { selected_time: null }],
    ["datetimepicker", {}, "1795000000", { selected_date_time: 1_795_000_000 }, { selected_date_time: null }],
    ["static_select", { options: [option("a")] }, "a", { selected_option: option("a") }, { selected_option: null }],
    ["radio_buttons", { options: [option("a")] }, null, { selected_option: null }, { selected_option: null }],
    ["users_select", { initial_user: "U1" }, "U2", { selected_user: "U2" }, { selected_user: "U1" }],
    ["conversations_select", {}, "C1", { selected_conversation: "C1" }, { selected_conversation: null }],
    ["channels_select", {}, "C1", { selected_channel: "C1" }, { selected_channel: null }],
    [
      "checkboxes",
      { options: [option("a"), option("b")] },
      ["b"],
      { selected_options: [option("b")] },
      { selected_options: [] },
    ],
    [
      "multi_static_select",
      { option_groups: [{ options: [option("a")] }] },
      ["a"],
      { selected_options: [option("a")] },
      { selected_options: [] },
    ],
    ["multi_users_select", {}, ["U1", "U2"], { selected_users: ["U1", "U2"] }, { selected_users: [] }],
    ["multi_conversations_select", {}, ["C1"], { selected_conversations: ["C1"] }, { selected_conversations: [] }],
    ["multi_channels_select", {}, ["C1"], { selected_channels: ["C1"] }, { selected_channels: [] }],
    ["file_input", {}, ["F1"], { files: [{ id: "F1" }] }, { files: [] }],
  ] as [string, JsonObject, ControlValue, JsonObject, JsonObject][])(
    "of %s holds what Slack would send",
    (type, more, value, entered, untouched) => {
      expect(elementState({ type, ...more }, value, [])).toEqual({ type, ...entered });
      expect(elementState({ type, ...more }, undefined, [])).toEqual({ type, ...untouched });
    },
  );
});

describe("modals", () => {
  const submit = (viewId: string, values: Record<string, Record<string, ControlValue>>) =>
    test.room.people.submit("U0ANA", { viewId, values });
  let answer: JsonObject | null | undefined;
  const connect = () =>
    connectApp(test, (envelope) => ((envelope["payload"] as JsonObject)["type"] === "view_submission" ? answer : null));

  it.each([
    ["email_text_input", {}, "nobody", "nobody@example.com"],
    ["url_text_input", {}, "javascript:alert(1)", "https://x.example/"],
    ["number_input", { is_decimal_allowed: false, min_value: "2", max_value: "8" }, "9", "8"],
    ["number_input", { is_decimal_allowed: false }, "1.5", "1"],
    ["plain_text_input", { max_length: 3 }, "four", "odd"],
    ["datepicker", {}, "21.11.2026", "2026-11-21"],
    ["timepicker", {}, "25:00", "23:59"],
    ["multi_users_select", { max_selected_items: 1 }, ["U0ANA", "U0BEN"], ["U0ANA"]],
  ] as [string, JsonObject, ControlValue, ControlValue][])(
    "check %s before anything is sent",
    async (type, more, wrong, right) => {
      const viewId = await openModal(modal([input("f", { type, ...more })]));
      const view = await submit(viewId, { f: { in: wrong } });
      expect(view).toMatchObject({ error: "invalid_fields", fieldErrors: { f: expect.any(String) } });
      expect(test.room.journal().some((entry) => entry.name === "interactive")).toBe(false);
      expect(await submit(viewId, { f: { in: right } })).toMatchObject({ error: "dispatch_failed" });
    },
  );

  it("stay open with trouble when the app does not answer in three seconds", async () => {
    const app = await connect();
    answer = undefined;
    const viewId = await openModal(modal([input("f", { type: "plain_text_input" }, { optional: true })]));
    const submitted = submit(viewId, {});
    await app.frame((frame) => frame["type"] === "interactive");
    await test.room.advance(3_000);
    expect(await submitted).toMatchObject({ error: "operation_timeout" });
    expect(test.room.world.stacks.get("U0ANA")?.[0]?.trouble).toContain("trouble connecting");
  });

  it.each([
    [null, { outcome: "closed" }, 0],
    [{ response_action: "clear" }, { outcome: "cleared" }, 0],
    [{ response_action: "errors", errors: { f: "no" } }, { outcome: "errors" }, 1],
    [{ response_action: "update", view: modal([input("g", { type: "plain_text_input" })]) }, { outcome: "updated" }, 1],
    [{ response_action: "push", view: modal([input("g", { type: "plain_text_input" })]) }, { outcome: "pushed" }, 2],
    [{ response_action: "errors", errors: { nowhere: "no" } }, { error: "ack_refused" }, 1],
    [{ response_action: "errors", errors: { f: 7 } }, { error: "ack_refused" }, 1],
    [{ response_action: "update", view: { type: "modal" } }, { error: "ack_refused" }, 1],
    [{ response_action: "dance" }, { error: "ack_refused" }, 1],
  ] as [JsonObject | null, JsonObject, number][])("after the answer %j are %j", async (ack, expected, open) => {
    await connect();
    answer = ack;
    const viewId = await openModal(modal([input("f", { type: "plain_text_input" })]));
    expect(await submit(viewId, { f: { in: "x" } })).toMatchObject(expected);
    expect(test.room.world.stacks.get("U0ANA")).toHaveLength(open);
    expect(test.room.ledgers().flags).toHaveLength("error" in expected ? 1 : 0);
  });

  it("tell the app of closing only when it asked, and forget the view", async () => {
    await connect();
    const quietly = await openModal(modal([input("f", { type: "plain_text_input" })]));
    await test.room.people.close("U0ANA", { viewId: quietly });
    expect(test.room.journal().some((entry) => entry.name === "interactive")).toBe(false);
    const asked = await openModal(modal([input("f", { type: "plain_text_input" })], { notify_on_close: true }));
    await test.room.people.close("U0ANA", { viewId: asked });
    const entry = test.room
      .journal()
      .find((one) => one.kind === "envelope" && JSON.stringify(one.detail).includes("view_closed"));
    expect(entry).toBeDefined();
    expect(
      await test.call("views.update", { view_id: asked, view: modal([input("f", { type: "plain_text_input" })]) }),
    ).toMatchObject({ error: "not_found" });
  });

  it("load options from the app and take one of them", async () => {
    await connectApp(test, (envelope) =>
      (envelope["payload"] as JsonObject)["type"] === "block_suggestion"
        ? { options: [option("web"), option("db")] }
        : null,
    );
    const viewId = await openModal(modal([input("f", { type: "external_select", min_query_length: 0 })]));
    const offered = await test.room.people.suggest("U0ANA", { viewId, blockId: "f", actionId: "in", query: "w" });
    expect(offered).toMatchObject({
      ok: true,
      options: [
        { text: "web", value: "web" },
        { text: "db", value: "db" },
      ],
    });
    await submit(viewId, { f: { in: "db" } });
    const sent = test.room
      .journal()
      .findLast((one) => one.kind === "envelope" && JSON.stringify(one.detail).includes("view_submission"));
    expect(JSON.stringify(sent?.detail)).toContain(
      '"selected_option":{"text":{"type":"plain_text","text":"db"},"value":"db"}',
    );
  });
});

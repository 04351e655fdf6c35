import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { differences } from "./differences.ts";
import { connectApp, eventOf, manifestText, openRoom, payloadOf, type TestRoom } from "./open-room.ts";
import * as slack from "./slack-samples.ts";
import { answers, badArguments, missingScope, refused, unknownMethod } from "./web-samples.ts";

/** Field by field: whatever the room sends has every documented field, in its documented type and form, and no other. */
let test: TestRoom;
let app: Awaited<ReturnType<typeof connectApp>>;
beforeEach(async () => {
  test = await openRoom();
  const options = { options: [{ text: plain, value: "web" }] };
  app = await connectApp(test, (frame) => (payloadOf(frame)["type"] === "block_suggestion" ? options : null));
});
afterEach(async () => {
  app.socket.terminate();
  await test.room.stop();
});

const plain: JsonObject = { type: "plain_text", text: "Go" };
const elements: JsonObject[] = [
  { type: "button", action_id: "go", text: plain, value: "id_1" },
  { type: "static_select", action_id: "pick", options: [{ text: plain, value: "a" }] },
];
const blocks: JsonObject[] = [{ type: "actions", block_id: "row", elements }];
const modal: JsonObject = {
  type: "modal",
  callback_id: "form",
  title: plain,
  submit: plain,
  private_metadata: "opaque",
  notify_on_close: true,
  blocks: [
    { type: "input", block_id: "reason", label: plain, element: { type: "plain_text_input", action_id: "in" } },
    {
      type: "input",
      block_id: "host",
      label: plain,
      element: { type: "external_select", action_id: "find", min_query_length: 0 },
    },
  ],
};
const channel = "C0INCIDENTS";

async function card(): Promise<string> {
  return String((await test.call("chat.postMessage", { channel, text: "card", blocks }))["ts"]);
}
const envelopeOf = (type: string) => app.frame((frame) => payloadOf(frame)?.["type"] === type);
const eventOfType = (type: string) =>
  app.frame((frame) => frame["type"] === "events_api" && eventOf(frame)["type"] === type);

async function openModal(): Promise<JsonObject> {
  await test.room.people.command("U0ANA", { channel, text: "/why web" });
  const frame = await app.frame((one) => one["type"] === "slash_commands");
  return test.call("views.open", { trigger_id: String(payloadOf(frame)["trigger_id"]), view: modal });
}

describe("what arrives over the socket has the documented shape", () => {
  it("hello and disconnect", async () => {
    expect(differences(app.frames[0], slack.hello)).toEqual([]);
    test.room.inject({ kind: "disconnect", reason: "warning", connection: "all" });
    expect(differences(await app.frame((frame) => frame["type"] === "disconnect"), slack.disconnect)).toEqual([]);
  });

  it("a slash command", async () => {
    await test.room.people.command("U0ANA", { channel, text: "/why web" });
    const frame = await app.frame((one) => one["type"] === "slash_commands");
    expect(differences(frame, slack.requestEnvelope("slash_commands", slack.slashCommand))).toEqual([]);
  });

  it.each([
    ["a button", { actionId: "go" }, slack.buttonClick],
    ["a select", { actionId: "pick", value: "a" }, slack.selectClick],
  ])("block_actions of %s in a message", async (_, request, sample) => {
    const ts = await card();
    await test.room.people.act("U0ANA", { channel, ts, blockId: "row", ...request });
    expect(differences(await envelopeOf("block_actions"), slack.requestEnvelope("interactive", sample))).toEqual([]);
  });

  it("view_submission", async () => {
    const { id } = (await openModal())["view"] as JsonObject;
    const place = { viewId: String(id), blockId: "host", actionId: "find" };
    await test.room.people.suggest("U0ANA", { ...place, query: "we" });
    await test.room.people.submit("U0ANA", {
      viewId: String(id),
      values: { reason: { in: "because" }, host: { find: "web" } },
    });
    const frame = await envelopeOf("view_submission");
    expect(differences(frame, slack.requestEnvelope("interactive", slack.viewSubmission))).toEqual([]);
    const suggestion = await envelopeOf("block_suggestion");
    expect(differences(suggestion, slack.requestEnvelope("interactive", slack.blockSuggestion))).toEqual([]);
  });

  it("view_closed", async () => {
    const { id } = (await openModal())["view"] as JsonObject;
    await test.room.people.close("U0ANA", { viewId: String(id) });
    const frame = await envelopeOf("view_closed");
    expect(differences(frame, slack.requestEnvelope("interactive", slack.viewClosed))).toEqual([]);
  });

  it("shortcuts on a message and global ones", async () => {
    const said = test.room.people.say("U0BEN", { channel, text: "web is slow" });
    const ts = said.ok ? said.ts : "";
    await test.room.people.shortcut("U0ANA", { callbackId: "investigate_message", channel, ts });
    await test.room.people.shortcut("U0ANA", { callbackId: "open_form" });
    const onMessage = await envelopeOf("message_action");
    expect(differences(onMessage, slack.requestEnvelope("interactive", slack.messageShortcut))).toEqual([]);
    const global = await envelopeOf("shortcut");
    expect(differences(global, slack.requestEnvelope("interactive", slack.globalShortcut))).toEqual([]);
  });

  const events: readonly (readonly [type: string, happens: () => unknown, sample: object])[] = [
    ["message", () => test.room.people.say("U0ANA", { channel, text: "web is slow" }), slack.messageEvent],
    ["app_mention", () => test.room.people.say("U0ANA", { channel, text: "@room137 why web" }), slack.mentionEvent],
    ["app_home_opened", () => test.room.people.openHome("U0ANA", { tab: "messages" }), slack.homeEvent],
    [
      "member_joined_channel",
      () => test.control("join", { actor: "U0ANA", channel, user: "U0GUEST" }),
      slack.joinedEvent,
    ],
    ["channel_archive", () => test.room.archiveChannel(channel, "U0ANA"), slack.archiveEvent],
    ["subteam_members_changed", () => test.room.changeGroup("S0ONCALL", ["U0BEN", "U0ANA"]), slack.groupEvent],
  ];

  it.each(events)("the event %s", async (type, happens, sample) => {
    await happens();
    expect(differences(await eventOfType(type), slack.eventEnvelope(sample))).toEqual([]);
  });

  it("the notice of too many events, which has no inner event", async () => {
    test.room.inject({ kind: "app-rate-limited" });
    const { retry_attempt: _attempt, retry_reason: _reason, ...envelope } = slack.eventEnvelope(slack.rateLimitedEvent);
    expect(differences(await envelopeOf("app_rate_limited"), envelope)).toEqual([]);
  });
});

describe("what the Web API answers has the documented shape", () => {
  const upload = async (): Promise<JsonObject> => {
    const ticket = await test.call("files.getUploadURLExternal", { filename: "web.log", length: "5" });
    await fetch(String(ticket["upload_url"]), { method: "POST", body: "12345" });
    return ticket;
  };
  const complete = async (): Promise<JsonObject> => {
    const { file_id: id } = await upload();
    return test.call("files.completeUploadExternal", { files: [{ id: String(id) }], channel_id: channel });
  };
  const history = async (): Promise<JsonObject> => {
    for (const text of ["web is slow", "still slow"]) test.room.people.say("U0ANA", { channel, text });
    return test.call("conversations.history", { channel, limit: "1" });
  };
  const thread = async (): Promise<JsonObject> => {
    const said = test.room.people.say("U0ANA", { channel, text: "web is slow" });
    const ts = said.ok ? said.ts : "";
    await test.call("chat.postMessage", { channel, text: "card", blocks, thread_ts: ts });
    return test.call("conversations.replies", { channel, ts });
  };
  const shared = async (): Promise<JsonObject> => {
    const [file] = (await complete())["files"] as JsonObject[];
    await test.room.advance(60_000);
    return test.call("files.info", { file: String(file?.["id"]) });
  };

  const calls: Record<keyof typeof answers, () => Promise<JsonObject>> = {
    "apps.connections.open": () => test.call("apps.connections.open", {}, test.room.appToken),
    "auth.test": () => test.call("auth.test"),
    "chat.postMessage": () => test.call("chat.postMessage", { channel, text: "card", blocks }),
    "chat.update": async () => test.call("chat.update", { channel, ts: await card(), text: "card", blocks }),
    "chat.postEphemeral": () => test.call("chat.postEphemeral", { channel, user: "U0ANA", text: "card" }),
    "chat.getPermalink": async () => test.call("chat.getPermalink", { channel, message_ts: await card() }),
    "conversations.info": () => test.call("conversations.info", { channel }),
    "conversations.history": history,
    "conversations.replies": thread,
    "users.info": () => test.call("users.info", { user: "U0ANA", include_locale: "true" }),
    "usergroups.users.list": () => test.call("usergroups.users.list", { usergroup: "S0ONCALL" }),
    "files.getUploadURLExternal": upload,
    "files.completeUploadExternal": complete,
    "files.info": shared,
    "views.open": openModal,
  };

  it.each(Object.keys(calls) as (keyof typeof calls)[])("%s", async (method) => {
    expect(differences(await calls[method](), answers[method])).toEqual([]);
  });

  it("refusals", async () => {
    expect(differences(await test.call("chat.postMessage", { channel: "C0SECRET", text: "x" }), refused)).toEqual([]);
    expect(differences(await test.call("chat.postMessage", { text: "x" }), badArguments)).toEqual([]);
    expect(differences(await test.call("no.such"), unknownMethod)).toEqual([]);
    const narrow = await openRoom({ manifest: manifestText("socket") });
    expect(differences(await narrow.call("bookmarks.list", { channel_id: channel }), missingScope)).toEqual([]);
    await narrow.room.stop();
  });
});

describe("the comparison itself", () => {
  it.each([
    [{ a: 1 }, { a: 1, b: "x" }, ["/b: missing"]],
    [{ a: 1, b: "x" }, { a: 1 }, ["/b: not documented"]],
    [{ a: "1" }, { a: 1 }, ["/a: text (words), not number"]],
    [{ a: null }, { a: {} }, ["/a: null, not object"]],
    [{ a: ["U0ANA", "C0OPS"] }, { a: ["U0BEN"] }, ["/a/1: text (id C), not text (id U)"]],
    [{ a: [] }, { a: [1] }, ["/a: empty"]],
    [{ a: [1] }, { a: [] }, ["/a: not empty"]],
    [{ ts: "1763683200.1" }, { ts: "1763683200.000100" }, ["/ts: text (words), not text (timestamp)"]],
    [{ C0ANA: { a: 1 } }, { C0BEN: { a: "x" } }, ["/C0ANA/a: number, not text (words)"]],
  ])("%j against %j", (actual, sample, expected) => {
    expect(differences(actual, sample)).toEqual(expected);
  });
});

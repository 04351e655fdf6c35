import { expect } from "vitest";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import type { TestRoom } from "./open-room.ts";

/** A call, the error it must get, and what has to happen before; `setup` answers more arguments. */
export type Setup = (test: TestRoom) => Promise<JsonObject | undefined> | JsonObject | undefined;
export type Case = [error: string, method: string, args: JsonObject, setup?: Setup];

export const section = (text: string): JsonObject => ({ type: "section", text: { type: "plain_text", text } });
export const modal = (more: JsonObject = {}): JsonObject => ({
  type: "modal",
  title: { type: "plain_text", text: "T" },
  blocks: [section("x")],
  ...more,
});
export const home: JsonObject = { type: "home", blocks: [section("x")] };
export const posted: Setup = async ({ call }) => {
  const answer = await call("chat.postMessage", { channel: "C0INCIDENTS", text: "one" });
  return { ts: answer["ts"] ?? null, message_ts: answer["ts"] ?? null, timestamp: answer["ts"] ?? null };
};
const byPerson: Setup = ({ room }) => {
  const said = room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "mine" });
  return said.ok ? { ts: said.ts } : undefined;
};
const ephemeral: Setup = async ({ call }) => {
  const answer = await call("chat.postEphemeral", { channel: "C0INCIDENTS", user: "U0ANA", text: "psst" });
  return { ts: answer["message_ts"] ?? null };
};
export const switchOn =
  (name: "editWindowClosed" | "planWithoutUserGroups" | "canvasLocked", then?: Setup): Setup =>
  async (open) => {
    open.room.inject({ kind: "switch", name, on: true });
    return then?.(open);
  };
export const after =
  (...calls: [string, JsonObject][]): Setup =>
  async ({ call }) => {
    for (const [method, args] of calls) expect(await call(method, args)).toMatchObject({ ok: true });
    return undefined;
  };
export const inC = { channel: "C0INCIDENTS" };
export const longText = (length: number) => "x".repeat(length);

export const chat: Case[] = [
  ["channel_not_found", "chat.postMessage", { channel: "C0NOWHERE", text: "x" }],
  ["channel_not_found", "chat.postMessage", { channel: "C0SECRET", text: "x" }],
  ["not_in_channel", "chat.postMessage", { channel: "C0GENERAL", text: "x" }],
  ["is_archived", "chat.postMessage", { channel: "C0OLD", text: "x" }],
  ["cannot_dm_bot", "chat.postMessage", { channel: "U0DEPLOY", text: "x" }],
  ["user_disabled", "chat.postMessage", { channel: "U0GONE", text: "x" }],
  ["no_text", "chat.postMessage", inC],
  ["invalid_arguments", "chat.postMessage", { text: "x" }],
  ["invalid_blocks_format", "chat.postMessage", { ...inC, blocks: "[{" }],
  ["invalid_blocks", "chat.postMessage", { ...inC, text: "x", blocks: [section(longText(3001))] }],
  ["markdown_text_conflict", "chat.postMessage", { ...inC, text: "x", markdown_text: "y" }],
  ["msg_too_long", "chat.postMessage", { ...inC, markdown_text: longText(12_001) }],
  [
    "too_many_attachments",
    "chat.postMessage",
    { ...inC, text: "x", attachments: Array.from({ length: 101 }, () => ({ text: "a" })) },
  ],
  ["invalid_metadata_format", "chat.postMessage", { ...inC, text: "x", metadata: "nothing" }],
  ["invalid_metadata_schema", "chat.postMessage", { ...inC, text: "x", metadata: { event_type: "a" } }],
  [
    "invalid_metadata_schema",
    "chat.postMessage",
    { ...inC, text: "x", metadata: { event_type: "a", event_payload: { deep: { deeper: { deepest: 1 } } } } },
  ],
  [
    "metadata_too_large",
    "chat.postMessage",
    { ...inC, text: "x", metadata: { event_type: "a", event_payload: { x: longText(9_000) } } },
  ],
  ["message_not_found", "chat.update", { ...inC, ts: "1.000001", text: "x" }],
  ["message_not_found", "chat.update", { ...inC, text: "x" }, ephemeral],
  ["cant_update_message", "chat.update", { ...inC, text: "x" }, byPerson],
  ["msg_too_long", "chat.update", { ...inC, text: longText(4_001) }, posted],
  ["is_inactive", "chat.update", { channel: "C0OLD", ts: "1.000001", text: "x" }],
  ["edit_window_closed", "chat.update", { ...inC, text: "x" }, switchOn("editWindowClosed", posted)],
  [
    "block_mismatch",
    "chat.update",
    { ...inC, text: "x", blocks: [section("plain")] },
    async ({ call }) => {
      const rich: JsonObject = {
        type: "rich_text",
        elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "log" }] }],
      };
      return { ts: (await call("chat.postMessage", { ...inC, text: "x", blocks: [rich] }))["ts"] ?? null };
    },
  ],
  ["cant_delete_message", "chat.delete", inC, byPerson],
  ["message_not_found", "chat.delete", { ...inC, ts: "1.000001" }],
  ["user_not_in_channel", "chat.postEphemeral", { ...inC, user: "U0GUEST", text: "x" }],
  ["not_in_channel", "chat.postEphemeral", { channel: "C0GENERAL", user: "U0ANA", text: "x" }],
  ["msg_too_long", "chat.postEphemeral", { ...inC, user: "U0ANA", text: "é".repeat(2_001) }],
  ["message_not_found", "chat.getPermalink", { ...inC, message_ts: "1.000001" }],
];

export const later: Case[] = [
  ["time_in_past", "chat.scheduleMessage", { ...inC, text: "x", post_at: "1" }],
  ["time_too_far", "chat.scheduleMessage", { ...inC, text: "x", post_at: String(4_000_000_000) }],
  [
    "restricted_too_many",
    "chat.scheduleMessage",
    { ...inC, text: "x", post_at: "1795300000" },
    async (open) => {
      for (let index = 0; index < 30; index++)
        await open.call("chat.scheduleMessage", { ...inC, text: "x", post_at: "1795300000" });
      return undefined;
    },
  ],
  ["invalid_scheduled_message_id", "chat.deleteScheduledMessage", { ...inC, scheduled_message_id: "Q1" }],
  ["missing_recipient_user_id", "chat.startStream", { ...inC, thread_ts: "1.000001" }],
  ["missing_recipient_team_id", "chat.startStream", { ...inC, thread_ts: "1.000001", recipient_user_id: "U0ANA" }],
  ["message_not_in_streaming_state", "chat.appendStream", { ...inC, markdown_text: "x" }, posted],
  ["message_not_found", "chat.stopStream", { ...inC, ts: "1.000001" }],
  ["no_text", "chat.appendStream", inC, (open) => stream(open)],
  ["streaming_state_conflict", "chat.update", { ...inC, text: "x" }, (open) => stream(open)],
  [
    "stopped_by_user",
    "chat.appendStream",
    { ...inC, markdown_text: "x" },
    async (open) => {
      const started = await stream(open);
      const message = open.room.world.messages.get("C0INCIDENTS")?.find((one) => one.ts === started["ts"]);
      if (message) message.streaming = "stopped";
      return started;
    },
  ],
];

async function stream({ call }: TestRoom): Promise<JsonObject> {
  const parent = await call("chat.postMessage", { ...inC, text: "parent" });
  const args = { ...inC, thread_ts: String(parent["ts"]), recipient_user_id: "U0ANA", recipient_team_id: "T0LOCAL" };
  return { ts: (await call("chat.startStream", args))["ts"] ?? null };
}

export const conversations: Case[] = [
  ["channel_not_found", "conversations.info", { channel: "C0SECRET" }],
  ["invalid_types", "conversations.list", { types: "secret" }],
  ["invalid_cursor", "conversations.list", { cursor: "bm8=" }],
  ["invalid_limit", "conversations.list", { limit: "-1" }],
  ["user_not_found", "users.conversations", { user: "U0NOBODY" }],
  ["not_in_channel", "conversations.history", { channel: "C0GENERAL" }],
  ["invalid_ts_oldest", "conversations.history", { ...inC, oldest: "yesterday" }],
  ["invalid_ts_latest", "conversations.history", { ...inC, latest: "tomorrow" }],
  ["thread_not_found", "conversations.replies", { ...inC, ts: "1.000001" }],
  ["users_list_not_supplied", "conversations.open", {}],
  ["missing_scope", "conversations.open", { users: "U0ANA,U0BEN" }],
  ["user_not_found", "conversations.open", { users: "U0NOBODY" }],
  ["method_not_supported_for_channel_type", "conversations.open", inC],
  ["method_not_supported_for_channel_type", "conversations.join", { channel: "C0ONCALL" }],
  ["is_archived", "conversations.join", { channel: "C0OLD" }],
  ["no_user", "conversations.invite", inC],
  ["user_not_found", "conversations.invite", { ...inC, users: "U0GONE" }],
  ["cant_invite_self", "conversations.invite", { ...inC, users: "U0ROOM137" }],
  ["already_in_channel", "conversations.invite", { ...inC, users: "U0ANA" }],
  ["name_taken", "conversations.create", { name: "general" }],
  ["invalid_name_maxlength", "conversations.create", { name: longText(81) }],
  ["invalid_name_required", "conversations.create", { name: "---" }],
  ["invalid_name_specials", "conversations.create", { name: "War Room!" }],
  ["not_authorized", "conversations.rename", { ...inC, name: "other" }],
  ["too_long", "conversations.setTopic", { ...inC, topic: longText(251) }],
  ["method_not_supported_for_channel_type", "conversations.setPurpose", { channel: "D0ANA", purpose: "x" }],
  ["already_archived", "conversations.archive", { channel: "C0OLD" }],
  ["cant_archive_general", "conversations.archive", { channel: "C0GENERAL" }],
];

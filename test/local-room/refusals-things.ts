import { expect } from "vitest";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { lastPayload, type TestRoom } from "./open-room.ts";
import {
  after,
  type Case,
  home,
  inC,
  longText,
  modal,
  posted,
  type Setup,
  section,
  switchOn,
} from "./refusals-talk.ts";

export const people: Case[] = [
  ["user_not_found", "users.info", { user: "U0NOBODY" }],
  ["users_not_found", "users.lookupByEmail", { email: "nobody@example.com" }],
  ["no_such_subteam", "usergroups.users.list", { usergroup: "S0NONE" }],
  ["plan_upgrade_required", "usergroups.list", {}, switchOn("planWithoutUserGroups")],
  ["plan_upgrade_required", "usergroups.users.list", { usergroup: "S0ONCALL" }, switchOn("planWithoutUserGroups")],
  ["bot_not_found", "bots.info", { bot: "B0OTHER" }],
];

const react = async (open: TestRoom) => {
  const target = (await posted(open)) ?? {};
  await open.call("reactions.add", { ...inC, ...target, name: "eyes" });
  return target;
};
export const marks: Case[] = [
  ["invalid_name", "reactions.add", { ...inC, name: "not an emoji" }, posted],
  ["already_reacted", "reactions.add", { ...inC, name: "eyes" }, react],
  ["no_reaction", "reactions.remove", { ...inC, name: "tada" }, react],
  ["no_item_specified", "reactions.remove", { ...inC, name: "tada" }],
  ["bad_timestamp", "reactions.add", { ...inC, name: "eyes", timestamp: "now" }],
  ["message_not_found", "reactions.add", { ...inC, name: "eyes", timestamp: "1.000001" }],
  [
    "too_many_emoji",
    "reactions.add",
    { ...inC, name: "one-more" },
    async (open) => {
      const target = (await posted(open)) ?? {};
      for (let index = 0; index < 50; index++)
        await open.call("reactions.add", { ...inC, ...target, name: `emoji_${index}` });
      return target;
    },
  ],
  [
    "already_pinned",
    "pins.add",
    inC,
    async (open) => {
      const target = (await posted(open)) ?? {};
      await open.call("pins.add", { ...inC, ...target });
      return target;
    },
  ],
  ["no_pin", "pins.remove", inC, posted],
  [
    "too_many_pins",
    "pins.add",
    inC,
    async (open) => {
      const target = (await posted(open)) ?? {};
      for (let index = 0; index < 100; index++)
        await open.call("pins.add", { ...inC, ...((await posted(open)) ?? {}) });
      return target;
    },
  ],
  ["invalid_link", "bookmarks.add", { channel_id: "C0INCIDENTS", title: "t", type: "link", link: "javascript:x" }],
  ["invalid_bookmark_type", "bookmarks.add", { channel_id: "C0INCIDENTS", title: "t", type: "folder" }],
  [
    "invalid_arguments",
    "bookmarks.add",
    { channel_id: "C0INCIDENTS", title: longText(257), type: "link", link: "https://x.example" },
  ],
  ["not_found", "bookmarks.edit", { channel_id: "C0INCIDENTS", bookmark_id: "Bk1" }],
];

const trigger: Setup = async (open) => ({ trigger_id: await triggerOf(open) });
export async function triggerOf(open: TestRoom): Promise<string> {
  // Nobody is connected: the dispatch fails, but the trigger in the recorded payload is a real one.
  await open.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/hosts add" });
  return String(lastPayload(open, "slash_commands")["trigger_id"]);
}
export const views: Case[] = [
  ["invalid_trigger_id", "views.open", { trigger_id: "1.2.3", view: modal() }],
  [
    "exchanged_trigger_id",
    "views.open",
    { view: modal() },
    async (open) => {
      const id = await triggerOf(open);
      expect(await open.call("views.open", { trigger_id: id, view: modal() })).toMatchObject({ ok: true });
      return { trigger_id: id };
    },
  ],
  [
    "expired_trigger_id",
    "views.open",
    { view: modal() },
    async (open) => {
      const id = await triggerOf(open);
      await open.room.advance(3_001);
      return { trigger_id: id };
    },
  ],
  ["invalid_arguments", "views.open", { view: modal({ title: { type: "plain_text", text: longText(25) } }) }, trigger],
  ["view_too_large", "views.open", { view: modal({ private_metadata: longText(260_000) }) }, trigger],
  ["not_found", "views.update", { view_id: "V1", view: modal() }],
  [
    "hash_conflict",
    "views.update",
    { hash: "1.old", view: modal() },
    async (open) => {
      const opened = await open.call("views.open", { trigger_id: await triggerOf(open), view: modal() });
      return { view_id: (opened["view"] as JsonObject)["id"] ?? null };
    },
  ],
  [
    "duplicate_external_id",
    "views.open",
    { view: modal({ external_id: "one" }) },
    async (open) => {
      await open.call("views.open", { trigger_id: await triggerOf(open), view: modal({ external_id: "one" }) });
      return trigger(open);
    },
  ],
  [
    "hash_conflict",
    "views.publish",
    { user_id: "U0ANA", view: home, hash: "1.old" },
    after(["views.publish", { user_id: "U0ANA", view: home }]),
  ],
  ["invalid_arguments", "views.publish", { user_id: "U0GONE", view: home }],
];

const upload = { filename: "a.log", length: "5" };
export const files: Case[] = [
  ["invalid_arguments", "files.getUploadURLExternal", { filename: "a.log", length: "0" }],
  ["unknown_snippet_type", "files.getUploadURLExternal", { ...upload, snippet_type: "klingon" }],
  [
    "snippet_too_large",
    "files.getUploadURLExternal",
    { filename: "a.log", length: String(1024 * 1024 + 1), snippet_type: "text" },
  ],
  ["file_too_large", "files.getUploadURLExternal", { filename: "a.log", length: String(64 * 1024 * 1024 + 1) }],
  ["alt_txt_too_large", "files.getUploadURLExternal", { ...upload, alt_txt: longText(1_001) }],
  [
    "file_not_found",
    "files.completeUploadExternal",
    {},
    async ({ call }) => ({ files: [{ id: (await call("files.getUploadURLExternal", upload))["file_id"] ?? null }] }),
  ],
  ["not_in_channel", "files.completeUploadExternal", { channel_id: "C0GENERAL" }, uploaded],
  ["channel_not_found", "files.completeUploadExternal", { channel_id: "C0SECRET" }, uploaded],
  [
    "invalid_blocks_format",
    "files.completeUploadExternal",
    { ...{ channel_id: "C0INCIDENTS" }, blocks: "[{" },
    uploaded,
  ],
  [
    "invalid_arguments",
    "files.completeUploadExternal",
    { channels: "C0INCIDENTS,C0ONCALL", thread_ts: "1.1" },
    uploaded,
  ],
  ["file_not_found", "files.info", { file: "F1" }],
  ["file_not_found", "files.delete", { file: "F1" }],
  [
    "cant_delete_file",
    "files.delete",
    {},
    async (open) => {
      const done = (await uploaded(open)) as { files: { id: string }[] };
      await open.call("files.completeUploadExternal", done as unknown as JsonObject);
      const file = open.room.world.files.get(done.files[0]?.id ?? "");
      if (file) file.user = "U0ANA";
      return { file: done.files[0]?.id ?? null };
    },
  ],
];

async function uploaded({ call }: TestRoom): Promise<JsonObject> {
  const ticket = await call("files.getUploadURLExternal", upload);
  const sent = await fetch(String(ticket["upload_url"]), { method: "POST", body: "12345" });
  expect(await sent.text()).toBe("OK - 5");
  return { files: [{ id: ticket["file_id"] ?? null }] };
}

const canvas = { channel_id: "C0INCIDENTS", document_content: { type: "markdown", markdown: "# x" } };
const canvasId: Setup = async ({ call }) => ({
  canvas_id: (await call("conversations.canvases.create", canvas))["canvas_id"] ?? null,
});
const change = (markdown: string): JsonObject => ({
  operation: "insert_at_end",
  document_content: { type: "markdown", markdown },
});
export const app: Case[] = [
  ["any_code_you_like", "api.test", { error: "any_code_you_like" }],
  ["unknown_method", "chat.shout", {}],
  ["invalid_manifest", "apps.manifest.validate", { manifest: { display_information: {} } }],
  ["invalid_manifest", "apps.manifest.validate", { manifest: "a: [" }],
  ["invalid_arguments", "blocks.validate", {}],
  ["invalid_json", "blocks.validate", { blocks: "[{" }],
  ["payload_too_large", "blocks.validate", { blocks: [section(longText(100_001))] }],
  ["invalid_blocks", "blocks.validate", { blocks: [{ type: "header" }] }],
  [
    "invalid_arguments",
    "assistant.threads.setStatus",
    { channel_id: "C0INCIDENTS", thread_ts: "1.1", status: "x", loading_messages: [] },
  ],
  ["channel_canvas_already_exists", "conversations.canvases.create", canvas, canvasId],
  ["canvas_too_large", "canvases.edit", { changes: [change(longText(1024 * 1024))] }, canvasId],
  ["canvas_not_found", "canvases.edit", { canvas_id: "F1", changes: [change("x")] }],
  ["invalid_arguments", "canvases.edit", { changes: [change("x"), change("y")] }, canvasId],
  ["canvas_editing_locked", "canvases.edit", { changes: [change("x")] }, switchOn("canvasLocked", canvasId)],
];

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { whoIsNotified } from "../../src/local-room/ledgers/notified.ts";
import { parseManifest } from "../../src/local-room/manifest.ts";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { createWorld, type Message } from "../../src/local-room/world.ts";
import { escapeMrkdwn } from "../../src/slack/blocks/encode.ts";
import { manifestText, openRoom, type TestRoom } from "./open-room.ts";

let test: TestRoom;
beforeEach(async () => {
  test = await openRoom();
});
afterEach(() => test.room.stop());

const x = (length: number) => "x".repeat(length);
const inC = { channel: "C0INCIDENTS" };
const bookmark = { channel_id: "C0INCIDENTS", type: "link", title: "t", link: "https://x.example" };
const link = (length: number) => `https://x.example/${x(length - "https://x.example/".length)}`;
const day = 24 * 3600;
const inDays = (days: number, seconds = 0) =>
  String(Math.floor(Date.UTC(2026, 10, 21, 0, 25, 13) / 1000) + days * day + seconds);

/** Each limit at minus one, exact and plus one. `arg` makes the arguments for a size. */
const limits: [what: string, method: string, limit: number, error: string, arg: (size: number) => JsonObject][] = [
  ["markdown_text", "chat.postMessage", 12_000, "msg_too_long", (size) => ({ ...inC, markdown_text: x(size) })],
  [
    "attachments",
    "chat.postMessage",
    100,
    "too_many_attachments",
    (size) => ({ ...inC, text: "x", attachments: Array.from({ length: size }, () => ({ text: "a", fallback: "a" })) }),
  ],
  [
    "ephemeral bytes",
    "chat.postEphemeral",
    4_000,
    "msg_too_long",
    (size) => ({ ...inC, user: "U0ANA", text: x(size) }),
  ],
  ["topic", "conversations.setTopic", 250, "too_long", (size) => ({ ...inC, topic: x(size) })],
  ["purpose", "conversations.setPurpose", 250, "too_long", (size) => ({ ...inC, purpose: x(size) })],
  ["channel name", "conversations.create", 80, "invalid_name_maxlength", (size) => ({ name: x(size) })],
  [
    "alt text",
    "files.getUploadURLExternal",
    1_000,
    "alt_txt_too_large",
    (size) => ({ filename: "a.png", length: "5", alt_txt: x(size) }),
  ],
  [
    "snippet",
    "files.getUploadURLExternal",
    1024 * 1024,
    "snippet_too_large",
    (size) => ({ filename: "a.log", length: String(size), snippet_type: "text" }),
  ],
  ["bookmark title", "bookmarks.add", 256, "invalid_arguments", (size) => ({ ...bookmark, title: x(size) })],
  ["bookmark link", "bookmarks.add", 2_048, "invalid_arguments", (size) => ({ ...bookmark, link: link(size) })],
  [
    "seconds ahead",
    "chat.scheduleMessage",
    120 * day,
    "time_too_far",
    (size) => ({ ...inC, text: "x", post_at: inDays(0, size) }),
  ],
  [
    "total of a message's blocks",
    "chat.postMessage",
    12_000,
    "msg_blocks_too_long",
    (size) => ({ ...inC, text: "x", blocks: sections(size) }),
  ],
];

function sections(size: number): JsonObject[] {
  const parts = Array.from({ length: Math.ceil(size / 3_000) }, (_, index) => Math.min(3_000, size - index * 3_000));
  return parts.map((length) => ({ type: "section", text: { type: "plain_text", text: x(length) } }));
}

describe("each limit of the room", () => {
  it.each(limits)("%s of %s is %i", async (_what, method, limit, error, arg) => {
    expect(await test.call(method, arg(limit - 1))).toMatchObject({ ok: true });
    // Another name or place, so that "taken" does not hide what is asked about.
    test.room.world.channels.delete(
      [...test.room.world.channels.values()].find((channel) => channel.name === x(limit - 1))?.id ?? "",
    );
    expect(await test.call(method, arg(limit))).toMatchObject({ ok: true });
    expect(await test.call(method, arg(limit + 1))).toMatchObject({ ok: false, error });
  });

  it("chat.update takes 4,000 characters, chat.postMessage cuts above 40,000 and says so", async () => {
    const ts = String((await test.call("chat.postMessage", { ...inC, text: "x" }))["ts"]);
    expect(await test.call("chat.update", { ...inC, ts, text: x(4_000) })).toMatchObject({ ok: true });
    expect(await test.call("chat.update", { ...inC, ts, text: x(4_001) })).toMatchObject({ error: "msg_too_long" });
    expect((await test.call("chat.postMessage", { ...inC, text: x(40_000) }))["warning"]).toBeUndefined();
    const cut = await test.call("chat.postMessage", { ...inC, text: x(40_001) });
    expect(cut).toMatchObject({ ok: true, warning: "message_truncated", message: { text: x(40_000) } });
  });

  it("refuses blocks with Slack's own wording and pointer", async () => {
    const answer = await test.call("chat.postMessage", {
      ...inC,
      text: "x",
      blocks: [{ type: "section", text: { type: "mrkdwn", text: x(3_001) } }],
    });
    expect(answer).toEqual({
      ok: false,
      error: "invalid_blocks",
      errors: ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"],
      response_metadata: { messages: ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"] },
    });
    const view = { type: "modal", title: { type: "plain_text", text: x(25) }, blocks: [] };
    const refused = await test.call("views.open", { trigger_id: "1.2.3", view });
    expect(refused).toMatchObject({ error: "invalid_arguments" });
    expect(JSON.stringify(refused["response_metadata"])).toContain("[json-pointer:/view/title/text]");
  });

  it("asks for an image that cannot be had, or a file that is not there, to be left out", async () => {
    const image = (more: JsonObject) => ({ ...inC, text: "x", blocks: [{ type: "image", alt_text: "a", ...more }] });
    expect(await test.call("chat.postMessage", image({ slack_file: { id: "F0NONE" } }))).toMatchObject({
      errors: ["invalid slack file [json-pointer:/blocks/0/slack_file]"],
    });
    test.room.inject({ kind: "switch", name: "imageDownloadsFail", on: true });
    expect(await test.call("chat.postMessage", image({ image_url: "https://x.example/a.png" }))).toMatchObject({
      errors: ["downloading image failed [json-pointer:/blocks/0/image_url]"],
    });
  });

  it("answers an expired trigger in its older shape when told to", async () => {
    test.room.inject({ kind: "switch", name: "oldExpiredTriggerShape", on: true });
    await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/hosts add" });
    const payload = test.room.journal().findLast((entry) => entry.name === "slash_commands")?.detail[
      "payload"
    ] as JsonObject;
    const view = { type: "modal", title: { type: "plain_text", text: "T" }, blocks: [{ type: "divider" }] };
    await test.room.advance(3_001);
    expect(await test.call("views.open", { trigger_id: String(payload["trigger_id"]), view })).toMatchObject({
      error: "invalid_arguments",
      response_metadata: { messages: ["[ERROR] `trigger_id` expired [json-pointer:/trigger_id]"] },
    });
  });
});

describe("hostile text", () => {
  const seed = defaultSeed(manifestText("socket"));
  const world = createWorld(seed, parseManifest(seed.manifest), 0);
  const hostile = fc
    .array(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom(
          "<!channel>",
          "<!here|x>",
          "<@U0BEN>",
          "<!subteam^S0ONCALL>",
          "@here",
          "@everyone",
          "@ben",
          "#general",
          "&lt;!here&gt;",
          "```",
          "<",
          ">",
          "|",
          "\u202e",
          "\0",
        ),
      ),
    )
    .map((parts) => parts.join(""));
  const message = (more: Partial<Message>) =>
    ({
      channel: "C0INCIDENTS",
      ts: "1.1",
      threadTs: null,
      user: "U0ROOM137",
      ephemeralFor: null,
      text: "",
      blocks: null,
      attachments: null,
      linkNames: false,
      parse: "none",
      ...more,
    }) as Message;

  it("never notifies anybody once it is escaped, verbatim or in rich text", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const escaped = escapeMrkdwn(text);
        const blocks: JsonObject[] = [
          { type: "section", text: { type: "mrkdwn", text: escaped, verbatim: true } },
          { type: "section", text: { type: "plain_text", text } },
          { type: "rich_text", elements: [{ type: "rich_text_preformatted", elements: [{ type: "text", text }] }] },
        ];
        expect(whoIsNotified(world, message({ text: escaped, blocks }), null)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});

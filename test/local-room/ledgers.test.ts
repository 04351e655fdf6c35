import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { openRoom, type TestRoom } from "./open-room.ts";

let test: TestRoom;
beforeEach(async () => {
  test = await openRoom();
});
afterEach(() => test.room.stop());

const quiet = { unfurl_links: false, unfurl_media: false };
const post = async (args: JsonObject) => {
  const answer = await test.call("chat.postMessage", { channel: "C0INCIDENTS", ...quiet, ...args });
  expect(answer).toMatchObject({ ok: true });
  return String(answer["ts"]);
};
const notified = () => test.room.ledgers().notifications.map(({ reason, users }) => [reason, ...users]);
const rules = () => [...new Set(test.room.ledgers().lint.map((entry) => entry.rule))];
const section = (text: string, more: JsonObject = {}): JsonObject => ({
  type: "section",
  text: { type: "mrkdwn", text, ...more },
});
const button = (more: JsonObject = {}): JsonObject => ({
  type: "button",
  action_id: "a",
  text: { type: "plain_text", text: "Go" },
  value: "plan_1",
  ...more,
});
const row = (...elements: JsonObject[]): JsonObject => ({
  type: "actions",
  elements: elements.map((element, index) => ({ ...element, action_id: `a${index}` })),
});

describe("the notification ledger", () => {
  it.each([
    ["a person", { text: "<@U0BEN>" }, [["user-mention", "U0BEN"]]],
    ["a group", { text: "<!subteam^S0ONCALL>" }, [["group-mention", "U0BEN", "U0CHI"]]],
    ["everyone here", { text: "<!here>" }, [["here", "U0ANA", "U0BEN", "U0CHI"]]],
    ["the channel", { text: "<!channel>" }, [["channel", "U0ANA", "U0BEN", "U0CHI"]]],
    ["a bare name under link_names", { text: "@ben look", link_names: true }, [["auto-parsed", "U0BEN"]]],
    [
      "a bare @here in a block that is not verbatim",
      { text: "x", blocks: [section("@here")] },
      [["auto-parsed", "U0ANA", "U0BEN", "U0CHI"]],
    ],
    [
      "a person in rich text",
      {
        text: "x",
        blocks: [
          {
            type: "rich_text",
            elements: [{ type: "rich_text_section", elements: [{ type: "user", user_id: "U0CHI" }] }],
          },
        ],
      },
      [["user-mention", "U0CHI"]],
    ],
  ] as [string, JsonObject, string[][]][])("names who is called by %s", async (_what, args, expected) => {
    await post(args);
    expect(notified()).toEqual(expected);
  });

  it.each([
    ["escaped text", { text: "&lt;!channel&gt; &lt;@U0BEN&gt;" }],
    ["a bare name without link_names", { text: "@here @ben" }],
    ["a verbatim block", { text: "x", blocks: [section("@here &lt;!here&gt;", { verbatim: true })] }],
    [
      "preformatted rich text",
      {
        text: "x",
        blocks: [
          {
            type: "rich_text",
            elements: [
              { type: "rich_text_preformatted", elements: [{ type: "text", text: "<!channel> @here <@U0BEN>" }] },
            ],
          },
        ],
      },
    ],
    ["bots and people who left", { text: "<@U0DEPLOY> <@U0GONE>" }],
  ] as [string, JsonObject][])("stays empty for %s", async (_what, args) => {
    await post(args);
    expect(notified()).toEqual([]);
  });

  it("counts thread followers and DMs, and of an edit only what it adds", async () => {
    const said = test.room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "broken" });
    const ts = await post({ text: "<@U0BEN> look", thread_ts: said.ok ? said.ts : "" });
    expect(notified()).toEqual([
      ["user-mention", "U0BEN"],
      ["thread-follower", "U0ANA"],
    ]);
    await test.call("chat.update", { channel: "C0INCIDENTS", ts, text: "<@U0BEN> <@U0CHI> look" });
    expect(notified().slice(2)).toEqual([["user-mention", "U0CHI"]]);
    await post({ channel: "U0CHI", text: "hello" });
    expect(notified().at(-1)).toEqual(["direct-message", "U0CHI"]);
  });

  it("counts an ephemeral message for its reader only", async () => {
    await test.call("chat.postEphemeral", { channel: "C0INCIDENTS", user: "U0ANA", text: "<!channel>" });
    expect(notified()).toEqual([["channel", "U0ANA"]]);
  });
});

describe("the lint ledger", () => {
  it("is silent about a message as it should be", async () => {
    await post({
      text: "summary",
      blocks: [
        section("*x*", { verbatim: true }),
        row(button({ style: "primary" }), button({ style: "danger", confirm: confirm() })),
      ],
    });
    expect(rules()).toEqual([]);
  });

  const confirm = (): JsonObject => ({
    title: { type: "plain_text", text: "t" },
    text: { type: "plain_text", text: "t" },
    confirm: { type: "plain_text", text: "y" },
    deny: { type: "plain_text", text: "n" },
  });

  it.each([
    ["missing-text", { blocks: [section("x", { verbatim: true })] }],
    ["unfurl", { text: "x", unfurl_links: true }],
    ["mrkdwn-not-verbatim", { text: "x", blocks: [section("x")] }],
    ["long-text", { text: "x".repeat(4_001) }],
    ["danger-without-confirm", { text: "x", blocks: [row(button({ style: "danger" }))] }],
    ["several-primary", { text: "x", blocks: [row(button({ style: "primary" }), button({ style: "primary" }))] }],
    ["value-not-opaque", { text: "x", blocks: [row(button({ value: "docker restart web" }))] }],
    ["many-attachments", { text: "x", attachments: Array.from({ length: 21 }, () => ({ text: "a", fallback: "a" })) }],
    ["unknown-thread", { text: "x", thread_ts: "1.000001" }],
  ] as [string, JsonObject][])("names %s", async (rule, args) => {
    await post(args);
    expect(rules()).toEqual([rule]);
  });

  it("names a reply to a reply, and puts it in the parent's thread as Slack does", async () => {
    const parent = await post({ text: "parent" });
    const reply = await post({ text: "reply", thread_ts: parent });
    await post({ text: "deeper", thread_ts: reply });
    expect(rules()).toEqual(["reply-to-reply"]);
    expect(await test.room.waitForMessage((message) => message["text"] === "deeper")).toMatchObject({
      thread_ts: parent,
    });
  });

  it("names a changed block that keeps its id", async () => {
    const block = (text: string): JsonObject => ({ ...section(text, { verbatim: true }), block_id: "same" });
    const ts = await post({ text: "x", blocks: [block("one")] });
    await test.call("chat.update", { channel: "C0INCIDENTS", ts, text: "x", blocks: [block("two")] });
    expect(rules()).toEqual(["block-id-reused"]);
  });

  it("names the sixth message of a minute in a channel, not replies", async () => {
    const parent = await post({ text: "0" });
    for (let index = 0; index < 6; index++) await post({ text: String(index), thread_ts: parent });
    for (let index = 1; index < 5; index++) await post({ text: String(index) });
    expect(rules()).toEqual([]);
    await post({ text: "6" });
    expect(rules()).toEqual(["too-many-posts"]);
  });

  it("names an ephemeral decision after ten minutes, once", async () => {
    await test.call("chat.postEphemeral", {
      channel: "C0INCIDENTS",
      user: "U0ANA",
      text: "x",
      blocks: [row(button({ style: "primary" }))],
    });
    await test.room.advance(10 * 60_000);
    expect(rules()).toEqual([]);
    await test.room.advance(1);
    expect([rules(), rules(), test.room.ledgers().lint.length]).toEqual([
      ["stale-ephemeral-decision"],
      ["stale-ephemeral-decision"],
      1,
    ]);
  });
});

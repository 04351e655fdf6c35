import { afterEach, describe, expect, it } from "vitest";
import { type Outgoing, parseSent } from "../../src/core/outgoing.ts";
import { createRoomClock } from "../../src/local-room/clock.ts";
import type { Fault } from "../../src/local-room/protocol.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/store/store.ts";
import { messagesIn, type OpenEdge, openEdge, postRow, row, settle, startMs, until } from "./open-edge.ts";

const channel = "C0INCIDENTS";
const root = { key: "i-1:root" };
let open: OpenEdge;
afterEach(() => open.close());

const texts = (at = channel) => messagesIn(open, at).map((message) => message.text);
const calls = (method: string) =>
  open.slack.journal().filter((entry) => entry.kind === "call" && entry.name === method);
const say = (part: string, text = part, thread: typeof root | null = root) =>
  open.edge.store.enqueue([postRow("i-1", part, channel, thread, text, open.clock.nowMs())]);
const queue = (part: string, outgoing: Outgoing, at = channel) =>
  open.edge.store.enqueue([row("i-1", part, at, outgoing, open.clock.nowMs())]);
const edit = (part: string, text: string) => queue(part, { kind: "update", message: root, text, blocks: [] });
const sent = async (part: string) => parseSent((await open.store.sentResult(`i-1:${part}`)) ?? "");

describe("the outbox", () => {
  it("shows the root message without any time passing", async () => {
    open = await openEdge();
    await say("root", "Looking at web", null);
    for (let turns = 0; turns < 200 && texts().length === 0; turns++) await settle();
    expect(texts()).toEqual(["Looking at web"]);
    expect(open.clock.nowMs()).toBe(startMs);
  });

  it("marks every post with its key, and keeps links and previews out", async () => {
    open = await openEdge();
    await say("root", "See https://example.com @here", null);
    await until(open.clock, () => texts().length === 1);
    expect(messagesIn(open, channel)[0]?.metadata).toEqual({
      event_type: "room137_post",
      event_payload: { incident_id: "i-1", key: "i-1:root" },
    });
    expect(open.slack.ledgers().notifications).toEqual([]);
    expect(open.slack.ledgers().lint).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["lost answers", { kind: "lost-answer", method: "chat.postMessage", times: 3 }],
    ["server errors", { kind: "http-error", method: "chat.postMessage", times: 3, status: 503 }],
    ["half-done calls", { kind: "api-error", method: "chat.postMessage", times: 3, error: "fatal_error" }],
    ["rate limits", { kind: "rate-limited", method: "chat.postMessage", times: 3, retryAfterSeconds: 7 }],
  ])("posts once each, in order, through %s", async (_name, fault) => {
    open = await openEdge();
    open.slack.inject(fault);
    await say("root", "root", null);
    for (const part of ["a", "b", "c", "d"]) await say(part);
    await until(open.clock, () => texts().length >= 5);
    await open.clock.advance(60_000);
    await settle();
    expect(texts()).toEqual(["root", "a", "b", "c", "d"]);
    const [parent, ...replies] = messagesIn(open, channel);
    expect(replies.map((reply) => reply.threadTs)).toEqual(replies.map(() => parent?.ts));
    expect(open.fake.posted).toHaveLength(1);
  });

  it("finds a post again that was made just before a crash", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    let dead = false;
    // It dies between Slack's answer and the note of it: nothing it still does reaches the store.
    const wrapStore = (inner: Store): Store =>
      new Proxy(inner, {
        get:
          (target, name: keyof Store) =>
          (...args: never[]) => {
            if (dead) return new Promise(() => {});
            if (name === "markSent") dead = texts().includes("a");
            return dead ? new Promise(() => {}) : (target[name] as (...all: never[]) => unknown)(...args);
          },
      });
    open = await openEdge({ clock, store, wrapStore });
    const { slack } = open;
    await say("root", "root", null);
    await until(clock, () => texts().length === 1);
    await say("a");
    await until(clock, () => dead);
    const next = await openEdge({
      clock,
      store,
      edge: { config: { mode: "socket", botToken: slack.botToken, appToken: slack.appToken, apiUrl: slack.apiUrl } },
    });
    await next.edge.store.enqueue([postRow("i-1", "b", channel, root, "b", clock.nowMs())]);
    await until(clock, () => texts().length >= 3);
    await clock.advance(60_000);
    await settle();
    expect(texts()).toEqual(["root", "a", "b"]);
    expect(await store.sentResult("i-1:a")).toBe(
      JSON.stringify({ channel, ts: messagesIn({ slack }, channel)[1]?.ts }),
    );
    await store.close();
  });

  it("brings the whole thread, in order and once, after an outage of ten minutes", async () => {
    open = await openEdge();
    await say("root", "root", null);
    await say("before");
    await until(open.clock, () => texts().length === 2);
    open.slack.inject({ kind: "lost-answer", method: "chat.postMessage", times: 1 });
    await say("cut off");
    await until(open.clock, () => texts().length === 3);
    open.slack.inject({ kind: "outage", on: true });
    const parts = Array.from({ length: 20 }, (_, index) => `during ${index}`);
    const endMs = open.clock.nowMs() + 600_000;
    for (const part of parts) {
      await say(part);
      await edit(`edit ${part}`, `root, ${part}`);
      const nextMs = open.clock.nowMs() + 600_000 / parts.length;
      await until(open.clock, () => open.clock.nowMs() >= nextMs, 2_000);
    }
    await until(open.clock, () => open.clock.nowMs() >= endMs, 1_000);
    open.slack.inject({ kind: "outage", on: false });
    await until(open.clock, () => texts().length === 3 + parts.length && texts()[0] === "root, during 19", 500);
    await open.clock.advance(120_000);
    await settle();
    expect(texts()).toEqual(["root, during 19", "before", "cut off", ...parts]);
    // One edit in three seconds at most, while the thread catches up.
    expect(calls("chat.update").filter((entry) => entry.ok).length).toBeLessThan(parts.length / 2);
  });

  it("sends of several edits only the newest, and lets the thread go on meanwhile", async () => {
    open = await openEdge();
    await say("root", "root", null);
    await until(open.clock, () => texts().length === 1);
    open.slack.inject({ kind: "rate-limited", method: "chat.update", times: 1, retryAfterSeconds: 30 });
    for (let revision = 1; revision <= 30; revision++) await edit(`edit ${revision}`, `revision ${revision}`);
    await say("a");
    await until(open.clock, () => texts().length === 2);
    expect(texts()[0]).toBe("root");
    await until(open.clock, () => texts()[0] === "revision 30");
    expect(calls("chat.update").filter((entry) => entry.ok)).toHaveLength(1);
    expect(await open.store.documents("slack-edit")).toEqual([]);
    await edit("edit 31", "revision 31");
    await until(open.clock, () => texts()[0] === "revision 31");
  });

  it("keeps edits over a restart", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    open = await openEdge({ clock, store });
    await say("root", "root", null);
    await until(clock, () => texts().length === 1);
    open.slack.inject({ kind: "http-error", method: "chat.update", times: 1_000, status: 500 });
    await edit("edit", "edited");
    await until(clock, () => calls("chat.update").length > 1);
    await open.stopEdge();
    expect(await store.documents("slack-edit")).toHaveLength(1);
    open.slack.inject({ kind: "clear" });
    const { slack } = open;
    const next = await openEdge({
      clock,
      store,
      edge: { config: { mode: "socket", botToken: slack.botToken, appToken: slack.appToken, apiUrl: slack.apiUrl } },
    });
    await until(clock, () => texts()[0] === "edited");
    await next.close();
    await store.close();
  });

  it("waits for an invitation, then says everything", async () => {
    open = await openEdge();
    const general = open.slack.world.channels.get("C0GENERAL");
    await open.edge.store.enqueue([postRow("i-1", "root", "C0GENERAL", null, "root", open.clock.nowMs())]);
    await open.edge.store.enqueue([postRow("i-1", "a", "C0GENERAL", root, "a", open.clock.nowMs())]);
    await until(open.clock, () => open.log.lines.some((line) => line.fields["code"] === "not_in_channel"));
    await open.clock.advance(600_000);
    expect(texts("C0GENERAL")).toEqual([]);
    general?.members.add("U0ROOM137");
    await until(open.clock, () => texts("C0GENERAL").length === 2);
    expect(texts("C0GENERAL")).toEqual(["root", "a"]);
  });

  it("drops what belongs into an archived channel, and does not hold anybody up", async () => {
    open = await openEdge();
    const rows = ["root", "a"].map((part) =>
      postRow("i-1", part, "C0OLD", part === "root" ? null : root, part, open.clock.nowMs()),
    );
    await open.edge.store.enqueue(rows);
    await queue("edit", { kind: "update", message: root, text: "edited", blocks: [] }, "C0OLD");
    let gone: unknown = null;
    await until(open.clock, () => {
      void sent("a").then((result) => {
        gone = result;
      });
      return gone !== null;
    });
    expect(await sent("root")).toEqual({ dropped: "is_archived" });
    expect(gone).toEqual({ dropped: "root was dropped" });
    await open.clock.advance(60_000);
    await settle();
    expect(await open.store.documents("slack-edit")).toEqual([]);
    expect(await open.store.unsent(10)).toEqual([]);
  });

  it("sends the older form to a workspace without a block type, and remembers", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "blocks-not-rolled-out", types: ["container"] });
    const child = { type: "section", text: { type: "mrkdwn", text: "inside", verbatim: true } };
    const blocks = [
      { type: "container", title: { type: "plain_text", text: "Evidence", emoji: false }, child_blocks: [child] },
    ];
    await queue("root", { kind: "post", thread: null, text: "one", blocks });
    await queue("next", { kind: "post", thread: null, text: "two", blocks });
    await until(open.clock, () => texts().length === 2);
    for (const message of messagesIn(open, channel)) expect(JSON.stringify(message.blocks)).toContain("inside");
    expect(calls("chat.postMessage").filter((entry) => !entry.ok)).toHaveLength(1);
  });

  it("says at least the words when Slack refuses the blocks", async () => {
    open = await openEdge();
    await queue("root", { kind: "post", thread: null, text: "the summary", blocks: [{ type: "no_such_block" }] });
    await queue("bad", { kind: "post", thread: root, text: "x".repeat(9_000), blocks: [{ type: "section" }] });
    await until(open.clock, () => texts().length === 2);
    expect(texts()[0]).toBe("the summary");
    expect(texts()[1]?.length).toBeLessThanOrEqual(4_000);
    expect(texts()[1]).toMatch(/more characters$/);
  });

  it("puts a file into the thread once, though the answer was lost", async () => {
    open = await openEdge();
    await say("root", "root", null);
    open.slack.inject({ kind: "lost-answer", method: "files.completeUploadExternal", times: 1 });
    const file = {
      kind: "file",
      filename: "web.log",
      title: "web.log",
      text: "line 1\nline 2\n",
      comment: null,
    } as const;
    await queue("log", { ...file, thread: root });
    await say("after");
    await until(open.clock, () => texts().includes("after") && messagesIn(open, channel).length === 3);
    await open.clock.advance(60_000);
    await settle();
    const shared = messagesIn(open, channel).filter((message) => message.files.length > 0);
    expect(shared).toHaveLength(1);
    expect(shared[0]?.threadTs).toBe(messagesIn(open, channel)[0]?.ts);
    expect([...open.slack.world.files.values()].filter((one) => one.completed)).toHaveLength(1);
  });

  it("puts a picture into the thread once, though the answer was lost, and tells who does not see it", async () => {
    open = await openEdge();
    await say("root", "root", null);
    open.slack.inject({ kind: "lost-answer", method: "files.completeUploadExternal", times: 1 });
    const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0xff]).toString("base64");
    const named = { filename: "memory-db.png", title: "Memory of db", altText: "Memory climbed to 256 MiB." };
    await queue("memory", { kind: "image", thread: root, ...named, png, comment: "It climbed." });
    await say("after");
    await until(open.clock, () => texts().includes("after") && messagesIn(open, channel).length === 3);
    await open.clock.advance(60_000);
    await settle();
    const shared = messagesIn(open, channel).filter((message) => message.files.length > 0);
    expect(shared.map(({ text, threadTs }) => [text, threadTs])).toEqual([
      ["It climbed.", messagesIn(open, channel)[0]?.ts],
    ]);
    const files = [...open.slack.world.files.values()].filter((one) => one.completed);
    expect(files.map(({ mimetype, altText, title }) => [mimetype, altText, title])).toEqual([
      ["image/png", "Memory climbed to 256 MiB.", "Memory of db"],
    ]);
    expect(Buffer.from(files[0]?.bytes ?? []).toString("base64")).toBe(png);
  });

  it("lets nothing of the thread wait for a picture that the workspace does not take", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "api-error", method: "files.getUploadURLExternal", times: 50, error: "missing_scope" });
    await say("root", "root", null);
    const image: Outgoing = {
      kind: "image",
      thread: root,
      filename: "memory.png",
      title: "Memory",
      altText: "Memory",
      png: "iVBORw0KGgo=",
      comment: "Memory",
    };
    const waiting = row("i-1", "memory", channel, image, open.clock.nowMs());
    await open.edge.store.enqueue([{ ...waiting, lane: "i-1:pictures" }]);
    await say("plan");
    await until(open.clock, () => texts().includes("plan"));
    expect(texts()).toEqual(["root", "plan"]);
  });

  it("says in the thread that a file will not come, and where its content is", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "api-error", method: "files.getUploadURLExternal", times: 50, error: "missing_scope" });
    await say("root", "root", null);
    const file = { kind: "file", filename: "web.md", title: "web.md", text: "# web", comment: null } as const;
    await queue("export", { ...file, thread: root });
    await say("after");
    await until(open.clock, () => texts().includes("after"));
    expect(texts()).toHaveLength(3);
    expect(texts()[1]).toMatch(/^web\.md could not be put here as a file: Slack said missing_scope\./);
    expect(texts()[1]).toContain("room137 timeline export i-1 --format md");
    expect(messagesIn(open, channel)[1]?.threadTs).toBe(messagesIn(open, channel)[0]?.ts);
    expect(open.slack.ledgers().lint).toEqual([]);
  });

  it("whispers to one person, and gives up when that person is not there", async () => {
    open = await openEdge();
    await queue("hint", { kind: "ephemeral", userId: "U0ANA", thread: null, text: "for you", blocks: [] });
    await queue("lost", { kind: "ephemeral", userId: "U0GUEST", thread: null, text: "not here", blocks: [] });
    await say("after", "after", null);
    await until(open.clock, () => texts().includes("after"));
    expect(messagesIn(open, channel).map((one) => [one.text, one.ephemeralFor])).toEqual([
      ["for you", "U0ANA"],
      ["after", null],
    ]);
  });

  it("drops what it cannot read, aloud", async () => {
    open = await openEdge();
    const broken = { key: "k", incidentId: null, channel, lane: "l", payload: "{", queuedAtMs: startMs };
    await open.edge.store.enqueue([broken, { ...broken, key: "k2", payload: '{"kind":"explode"}' }]);
    await open.edge.store.enqueue([
      { ...broken, key: "k3", payload: '{"kind":"post","thread":null,"text":"ok","blocks":[]}' },
    ]);
    await until(open.clock, () => texts().length === 1);
    expect(await open.store.sentResult("k")).toBe('{"dropped":"malformed payload"}');
    expect(open.log.lines.filter((line) => line.level === "error")).toHaveLength(2);
  });

  it("waits out a revoked token and goes on when a new one was given", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "api-error", method: "chat.postMessage", times: 2, error: "token_expired" });
    await say("root", "root", null);
    await until(open.clock, () => texts().length === 1, 5_000);
    expect(open.clock.nowMs() - startMs).toBeGreaterThanOrEqual(120_000);
  });

  it("never posts faster than Slack allows, in ten channels' worth of lanes, and is never throttled", async () => {
    open = await openEdge({ room: { rateMode: "floor" } });
    const rows = Array.from({ length: 20 }, (_, index) =>
      postRow(`i-${index}`, "root", index % 2 === 0 ? channel : "C0ONCALL", null, `${index}`, open.clock.nowMs()),
    );
    await open.edge.store.enqueue(rows);
    await until(open.clock, () => texts().length + texts("C0ONCALL").length === 20);
    const throttled = open.slack.buckets().buckets.reduce((sum, bucket) => sum + bucket.throttled, 0);
    expect(throttled).toBe(0);
    expect(open.clock.nowMs() - startMs).toBeLessThan(13_000);
  });

  it("sends what is queued before it stops", async () => {
    open = await openEdge();
    await say("root", "root", null);
    for (const part of ["a", "b", "c"]) await say(part);
    await open.stopEdge(20_000);
    expect(texts()).toEqual(["root", "a", "b", "c"]);
  });
});

describe("a 429 on one method", () => {
  it("leaves the others working: a modal opens at once while posting has to wait", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "rate-limited", method: "chat.postMessage", times: 1, retryAfterSeconds: 300 });
    await say("root", "root", null);
    await until(open.clock, () => calls("chat.postMessage").length === 1);
    const beforeMs = open.clock.nowMs();
    await open.slack.people.command("U0ANA", { channel, text: "/hosts add" });
    for (let turns = 0; turns < 200 && calls("views.open").length === 0; turns++) await settle();
    expect(calls("views.open")).toMatchObject([{ ok: true }]);
    expect(open.clock.nowMs()).toBe(beforeMs);
    await open.edge.store.enqueue([postRow("i-2", "root", "C0ONCALL", null, "elsewhere", open.clock.nowMs())]);
    await until(open.clock, () => texts("C0ONCALL").length === 1);
    expect(texts()).toEqual([]);
    await until(open.clock, () => texts().length === 1, 1_000);
    expect(open.clock.nowMs() - beforeMs).toBeGreaterThanOrEqual(300_000);
  });

  it("tells a person at once when Slack itself holds the modal back too long", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "rate-limited", method: "views.open", times: 1, retryAfterSeconds: 30 });
    await open.slack.people.command("U0ANA", { channel, text: "/hosts add" });
    await until(open.clock, () => messagesIn(open, channel).length === 1);
    await open.slack.people.command("U0ANA", { channel, text: "/hosts add" });
    await until(open.clock, () => messagesIn(open, channel).length === 2);
    for (const told of messagesIn(open, channel)) {
      expect(told.ephemeralFor).toBe("U0ANA");
      expect(told.text).toContain("The form could not be opened. Slack said ratelimited.");
    }
    expect(calls("views.open")).toHaveLength(1);
  });
});

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogLevel, WebAPIPlatformError, WebAPIRateLimitedError, WebClient } from "@slack/web-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diffJournals, readJournal, replayCalls } from "../../src/local-room/replay.ts";
import { openRoom, type TestRoom } from "./open-room.ts";

let test: TestRoom;
let web: WebClient;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "local-room-"));
  test = await openRoom({ journalFile: join(folder, "journal.jsonl") });
  web = new WebClient(test.room.botToken, {
    slackApiUrl: test.room.apiUrl,
    retryConfig: { retries: 0 },
    logLevel: LogLevel.ERROR,
    rejectRateLimitedCalls: true,
  });
});
afterEach(async () => {
  await test.room.stop();
  rmSync(folder, { recursive: true });
});

const where = { channel: "C0INCIDENTS", unfurl_links: false, unfurl_media: false };

describe("the real Web API client", () => {
  it("pages through a channel's history without losing or doubling a message", async () => {
    for (let index = 0; index < 25; index++) await web.chat.postMessage({ ...where, text: String(index) });
    const seen: string[] = [];
    for await (const page of web.paginate("conversations.history", { channel: "C0INCIDENTS", limit: 4 })) {
      const messages = (page as { messages?: { text: string }[] }).messages ?? [];
      expect(messages.length).toBeLessThanOrEqual(4);
      seen.push(...messages.map((message) => message.text));
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => String(24 - index)));
  });

  it("reads a thread parent first, with its counts and the metadata it asked for", async () => {
    const metadata = { event_type: "room137_entry", event_payload: { incident_id: "i1", key: "k1" } };
    const parent = await web.chat.postMessage({ ...where, text: "parent", metadata });
    const reply = await web.chat.postMessage({ ...where, text: "reply", thread_ts: parent.ts ?? "" });
    const thread = await web.conversations.replies({
      channel: "C0INCIDENTS",
      ts: parent.ts ?? "",
      include_all_metadata: true,
    });
    expect(thread.messages?.map((message) => message.text)).toEqual(["parent", "reply"]);
    expect(thread.messages?.[0]).toMatchObject({ reply_count: 1, latest_reply: reply.ts, metadata });
    const without = await web.conversations.replies({ channel: "C0INCIDENTS", ts: parent.ts ?? "" });
    expect(without.messages?.[0]?.metadata).toBeUndefined();
    await web.chat.update({ channel: "C0INCIDENTS", ts: parent.ts ?? "", text: "edited" });
    const again = await web.conversations.history({ channel: "C0INCIDENTS", include_all_metadata: true });
    expect(again.messages?.[0]).toMatchObject({ text: "edited", metadata, edited: { user: "U0ROOM137" } });
    await web.chat.delete({ channel: "C0INCIDENTS", ts: parent.ts ?? "" });
    expect((await web.conversations.history({ channel: "C0INCIDENTS" })).messages?.[0]).toMatchObject({
      subtype: "tombstone",
    });
  });

  it("uploads a file in three steps; it shows up in the thread later", async () => {
    const parent = await web.chat.postMessage({ ...where, text: "parent" });
    const log = "psycopg2.OperationalError\n".repeat(50);
    await web.filesUploadV2({
      channel_id: "C0INCIDENTS",
      thread_ts: parent.ts ?? "",
      content: log,
      filename: "db.log",
      title: "db log",
    });
    expect(test.room.world.messages.get("C0INCIDENTS")).toHaveLength(1);
    await test.room.advance(400);
    const shared = await test.room.waitForMessage((message) => message["subtype"] === "file_share");
    expect(shared).toMatchObject({
      thread_ts: parent.ts,
      files: [{ name: "db.log", title: "db log", size: log.length }],
    });
  });

  it("never shares a file that is no image but has alt text, and flags it", async () => {
    await web.filesUploadV2({ channel_id: "C0INCIDENTS", content: "x", filename: "a.log", alt_text: "a log" });
    await test.room.advance(400);
    expect(test.room.world.messages.get("C0INCIDENTS")).toEqual([]);
    expect(test.room.ledgers().flags).toMatchObject([{ code: "file-never-shared" }]);
  });

  it("gets its errors and Retry-After as its own error classes", async () => {
    const refused = web.chat.postMessage({ channel: "C0GENERAL", text: "x" });
    await expect(refused).rejects.toSatisfy(
      (error) => error instanceof WebAPIPlatformError && error.data.error === "not_in_channel",
    );
    test.room.inject({ kind: "rate-limited", method: "chat.postMessage", times: 1, retryAfterSeconds: 7 });
    const limited = web.chat.postMessage({ ...where, text: "x" });
    await expect(limited).rejects.toSatisfy(
      (error) => error instanceof WebAPIRateLimitedError && error.retryAfter === 7,
    );
    expect(test.room.buckets().buckets.reduce((sum, bucket) => sum + bucket.throttled, 0)).toBe(1);
  });

  it("loses an answer although the message is there", async () => {
    test.room.inject({ kind: "lost-answer", method: "chat.postMessage", times: 1 });
    await expect(web.chat.postMessage({ ...where, text: "twice?" })).rejects.toThrow();
    expect(test.room.world.messages.get("C0INCIDENTS")).toHaveLength(1);
  });

  it("waits out latency on the room's clock, and sees injected errors", async () => {
    test.room.inject({ kind: "latency", method: "auth.test", times: 1, delayMs: 5_000 });
    const slow = web.auth.test();
    // Another call has gone through: the slow one has been taken in by then, as it was sent first on its own socket.
    await test.call("api.test");
    let answered = false;
    void slow.then(() => {
      answered = true;
    });
    await test.call("api.test");
    expect(answered).toBe(false);
    await test.room.advance(5_000);
    expect((await slow).ok).toBe(true);
    test.room.inject({ kind: "api-error", method: "*", times: 1, error: "internal_error" });
    await expect(web.auth.test()).rejects.toThrow(/internal_error/);
  });

  it("leaves a journal on disk in which every line is JSON and no token stands", async () => {
    await web.chat.postMessage({ ...where, text: `my token is ${test.room.botToken}` });
    const written = readFileSync(join(folder, "journal.jsonl"), "utf8");
    const names = written
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names).toContain("chat.postMessage");
    expect(written).not.toContain(test.room.botToken);
  });

  it("says at the start that a journal cannot be written, and goes on when it breaks later", async () => {
    await expect(openRoom({ journalFile: join(folder, "none", "journal.jsonl") })).rejects.toThrow(/none/);
    const file = join(folder, "gone.jsonl");
    const open = await openRoom({ journalFile: file });
    rmSync(file);
    mkdirSync(file);
    expect(await open.call("auth.test")).toMatchObject({ ok: true });
    expect(open.room.ledgers().flags.map((flag) => flag.code)).toEqual(["journal-not-written"]);
    await open.room.stop();
  });

  it("replays a journal against another room and says where the two differ", async () => {
    const parent = await web.chat.postMessage({ ...where, text: "parent" });
    await web.chat.postMessage({ ...where, text: "reply", thread_ts: parent.ts ?? "" });
    await web.chat.postMessage({ channel: "C0GENERAL", text: "x" }).catch(() => {});
    const recorded = readJournal(readFileSync(join(folder, "journal.jsonl"), "utf8"));
    const again = await openRoom();
    await replayCalls(recorded, { apiUrl: again.room.apiUrl, token: again.room.botToken });
    expect(diffJournals(recorded, again.room.journal())).toEqual([]);
    const texts = (open: TestRoom) => open.room.world.messages.get("C0INCIDENTS")?.map((message) => message.text);
    expect(texts(again)).toEqual(texts(test));
    await again.call("auth.test", {}, "xoxb-wrong");
    expect(diffJournals(recorded, again.room.journal())).toEqual([
      { at: 3, left: null, right: { name: "auth.test", ok: false, error: "invalid_auth" } },
    ]);
    expect(() => readJournal('{"a":1}\n{"b"')).toThrow(/line 2/);
    await again.room.stop();
  });

  it("degrades: a block type that is not rolled out is an unsupported type", async () => {
    test.room.inject({ kind: "blocks-not-rolled-out", types: ["table"] });
    const table = { type: "table", rows: [[{ type: "raw_text", text: "a" }]] };
    const answer = await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "x", blocks: [table] });
    expect(answer).toMatchObject({
      error: "invalid_blocks",
      errors: [expect.stringMatching(/^unsupported type: table \[json-pointer:\/blocks\/0/)],
    });
  });

  it("schedules a message, shows a status until the next post, and streams", async () => {
    const postAt = Math.floor(Date.UTC(2026, 10, 21, 0, 30) / 1000);
    await web.chat.scheduleMessage({ channel: "C0INCIDENTS", post_at: postAt, text: "later" });
    await test.room.advance(600_000);
    const later = await test.room.waitForMessage((message) => message["text"] === "later");
    await web.assistant.threads.setStatus({
      channel_id: "C0INCIDENTS",
      thread_ts: String(later["ts"]),
      status: "is investigating…",
    });
    expect(test.room.world.channels.get("C0INCIDENTS")?.status.size).toBe(1);
    await web.chat.postMessage({ ...where, text: "found it", thread_ts: String(later["ts"]) });
    expect(test.room.world.channels.get("C0INCIDENTS")?.status.size).toBe(0);
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { connectApp, eventOf, manifestText, openRoom, payloadOf, type TestRoom } from "./open-room.ts";

let test: TestRoom;
beforeEach(async () => {
  test = await openRoom();
});
afterEach(() => test.room.stop());

const isEvent = (frame: JsonObject) => frame?.["type"] === "events_api";
const mention = () => test.room.people.say("U0ANA", { channel: "C0ONCALL", text: "@room137 help" });
const mentions = (frames: JsonObject[]) =>
  frames.filter((frame) => isEvent(frame) && eventOf(frame)["type"] === "app_mention");
const closed = (socket: WebSocket) => new Promise<number>((resolve) => socket.once("close", resolve));
const flags = () => test.room.ledgers().flags.map((flag) => flag.code);

describe("connections", () => {
  it("greets with the number of connections and how long this one lives", async () => {
    await connectApp(test);
    const second = await connectApp(test);
    expect(second.frames[0]).toMatchObject({
      type: "hello",
      num_connections: 2,
      connection_info: { app_id: "A0ROOM137" },
      debug_info: { approximate_connection_time: 18_060 },
    });
  });

  it("honours a ticket once and for half a minute", async () => {
    const status = (url: string) =>
      new Promise<number>((resolve) => {
        const socket = new WebSocket(url);
        socket.on("open", () => resolve(101));
        socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
        socket.on("error", () => {});
      });
    const once = String((await test.call("apps.connections.open", {}, test.room.appToken))["url"]);
    expect([await status(once), await status(once)]).toEqual([101, 403]);
    const late = String((await test.call("apps.connections.open", {}, test.room.appToken))["url"]);
    await test.room.advance(30_001);
    expect(await status(late)).toBe(403);
  });

  it("turns the eleventh away", async () => {
    for (let count = 0; count < 10; count++) await connectApp(test);
    const eleventh = await connectApp(test);
    expect(eleventh.frames[0]).toMatchObject({ type: "disconnect", reason: "too_many_websockets" });
  });

  it("warns, asks for a refresh ten seconds later, sends nothing more there, and closes", async () => {
    const old = await connectApp(test);
    test.room.inject({ kind: "disconnect", reason: "warning", connection: "one" });
    await old.frame((frame) => frame["reason"] === "warning");
    await test.room.advance(10_000);
    await old.frame((frame) => frame["reason"] === "refresh_requested");
    const fresh = await connectApp(test);
    for (let count = 0; count < 5; count++) mention();
    await fresh.frame((frame) => mentions(fresh.frames).length === 5 && frame !== null);
    expect(mentions(old.frames)).toEqual([]);
    const gone = closed(old.socket);
    test.room.inject({ kind: "switch", name: "lingerAfterClose", on: false });
    await test.room.advance(10_000);
    expect(await gone).toBe(1000);
  });

  it("delivers to a connection that is being refreshed when told to", async () => {
    const old = await connectApp(test);
    await connectApp(test);
    test.room.inject({ kind: "disconnect", reason: "refresh_requested", connection: "one" });
    await old.frame((frame) => frame["type"] === "disconnect");
    test.room.inject({ kind: "deliver-during-close", times: 1 });
    mention();
    expect(await old.frame(isEvent)).toMatchObject({ type: "events_api" });
  });

  it("pings, answers pings, and answers late when told to", async () => {
    const { socket } = await connectApp(test);
    const pinged = new Promise((resolve) => socket.once("ping", resolve));
    await test.room.advance(15_000);
    await pinged;
    const pong = () => new Promise((resolve) => socket.once("pong", resolve));
    const prompt = pong();
    socket.ping("now");
    await prompt;
    test.room.inject({ kind: "slow-pongs", delayMs: 6_000 });
    const slow = pong();
    socket.ping("later");
    // The frame after the ping shows that the ping has arrived.
    socket.send(JSON.stringify({ envelope_id: "marker" }));
    await test.room.waitForEntry((entry) => entry.name === "unknown-ack");
    await test.room.advance(6_000);
    await slow;
  });

  it("keeps the TCP connection for a while after the close handshake, as Slack does", async () => {
    const { socket } = await connectApp(test);
    const gone = closed(socket);
    socket.close();
    const marker = await Promise.race([gone, test.call("auth.test").then(() => "still open")]);
    expect(marker).toBe("still open");
    await test.room.advance(5_000);
    await gone;
  });

  it("is cut by an outage, and nothing answers until it ends", async () => {
    const { socket } = await connectApp(test);
    const gone = closed(socket);
    test.room.inject({ kind: "outage", on: true });
    await gone;
    expect((await fetch(`${test.room.apiUrl}auth.test`, { method: "POST" })).status).toBe(503);
    test.room.inject({ kind: "outage", on: false });
    expect(await test.call("auth.test")).toMatchObject({ ok: true });
  });
});

describe("envelopes", () => {
  it("go to exactly one connection, spread over all, the same way for the same seed", async () => {
    const run = async (open: TestRoom) => {
      const apps = [await connectApp(open), await connectApp(open), await connectApp(open)];
      for (let count = 0; count < 30; count++) {
        open.room.people.say("U0ANA", { channel: "C0ONCALL", text: `@room137 ${count}` });
      }
      const acked = () => open.room.journal().filter((entry) => entry.kind === "ack").length;
      await open.room.waitForEntry(() => acked() >= 30);
      return apps.map((app) => mentions(app.frames).length);
    };
    const spread = await run(test);
    const again = await openRoom();
    expect(await run(again)).toEqual(spread);
    await again.room.stop();
    expect(Math.min(...spread)).toBeGreaterThan(0);
  });

  it("come again after 0 s, 60 s and 300 s when not acked, with the same event id, and no more", async () => {
    const app = await connectApp(test, () => undefined);
    mention();
    const seen = () => mentions(app.frames).map((frame) => [frame["retry_attempt"], frame["retry_reason"]]);
    const attempt = (count: number) =>
      app.frame(
        (frame) => isEvent(frame) && eventOf(frame)["type"] === "app_mention" && frame["retry_attempt"] === count,
      );
    await attempt(0);
    await test.room.advance(3_000);
    await attempt(1);
    await test.room.advance(3_000 + 60_000);
    await attempt(2);
    await test.room.advance(3_000 + 300_000);
    await attempt(3);
    await test.room.advance(3_600_000);
    await test.call("auth.test");
    expect(seen()).toEqual([
      [0, ""],
      [1, "timeout"],
      [2, "timeout"],
      [3, "timeout"],
    ]);
    expect(new Set(mentions(app.frames).map((frame) => payloadOf(frame)["event_id"])).size).toBe(1);
    expect(new Set(mentions(app.frames).map((frame) => frame["envelope_id"])).size).toBe(4);
  });

  it("of commands are never tried again", async () => {
    const app = await connectApp(test, () => undefined);
    const asked = test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web" });
    await app.frame((frame) => frame["type"] === "slash_commands");
    await test.room.advance(3_000);
    expect(await asked).toMatchObject({ ok: false, error: "operation_timeout" });
    await test.room.advance(3_600_000);
    expect(app.frames.filter((frame) => frame["type"] === "slash_commands")).toHaveLength(1);
  });

  it("fail at once when nobody is connected", async () => {
    expect(await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web" })).toMatchObject({
      error: "dispatch_failed",
    });
  });

  it("come twice with one id when told to, and both acks are fine", async () => {
    const app = await connectApp(test);
    test.room.inject({ kind: "duplicate-envelopes", times: 1 });
    test.room.people.openHome("U0ANA", {});
    await test.room.waitForEntry((entry) => entry.error === "not_waiting");
    const ids = app.frames.filter(isEvent).map((frame) => frame["envelope_id"]);
    expect([ids.length, new Set(ids).size]).toEqual([2, 1]);
    expect(flags()).toEqual([]);
  });

  it("flags acks that Slack would not understand", async () => {
    const app = await connectApp(test, (frame) => (isEvent(frame) ? { text: "no" } : null));
    test.room.people.openHome("U0ANA", {});
    const event = await app.frame(isEvent);
    await test.room.waitForEntry((entry) => entry.kind === "ack");
    app.socket.send(JSON.stringify({ envelope_id: event["envelope_id"] }));
    app.socket.send(JSON.stringify({ envelope_id: "unknown" }));
    app.socket.send("not json");
    await test.room.waitForEntry((entry) => entry.name === "malformed-ack");
    expect(flags()).toEqual(["ack-payload-on-event", "second-ack", "unknown-ack", "malformed-ack"]);
  });

  it("of an app_rate_limited notice have no inner event; raw frames go through as they are", async () => {
    const app = await connectApp(test);
    test.room.inject({ kind: "app-rate-limited" });
    const notice = await app.frame(isEvent);
    expect(payloadOf(notice)).toMatchObject({ type: "app_rate_limited", team_id: "T0LOCAL" });
    expect(payloadOf(notice)["event"]).toBeUndefined();
    test.room.inject({ kind: "raw-frame", text: "null" });
    await app.frame((frame) => frame === null);
  });

  it("show up in the journal with the time the ack took, and without a secret", async () => {
    await connectApp(test);
    test.room.people.openHome("U0ANA", {});
    const ack = await test.room.waitForEntry((entry) => entry.kind === "ack");
    expect(ack.tookMs).toBe(0);
    const written = JSON.stringify(test.room.journal());
    expect(written).not.toContain(test.room.botToken);
    expect(written).not.toContain(test.room.appToken);
    expect(written).not.toMatch(/ticket=[\w-]{8}/);
  });
});

describe("events", () => {
  it("arrive as app_mention and as message, and a bot's own message is echoed", async () => {
    const app = await connectApp(test);
    mention();
    const types = () => app.frames.filter(isEvent).map((frame) => eventOf(frame)["type"]);
    await app.frame(() => types().length === 2);
    expect(types().toSorted()).toEqual(["app_mention", "message"]);
    const message = eventOf(await app.frame((frame) => isEvent(frame) && eventOf(frame)["type"] === "message"));
    expect(message).toMatchObject({ channel_type: "group", user: "U0ANA", text: "<@U0ROOM137> help", team: "T0LOCAL" });
    expect(message["blocks"]).toMatchObject([{ type: "rich_text" }]);
    expect(message["client_msg_id"]).toMatch(/^[0-9a-f-]{36}$/);
    await test.call("chat.postMessage", { channel: "C0ONCALL", text: "own" });
    const own = await app.frame((frame) => isEvent(frame) && eventOf(frame)["text"] === "own");
    expect(eventOf(own)).toMatchObject({ bot_id: "B0ROOM137", app_id: "A0ROOM137" });
  });

  it("tell of edits, deletions, joins and reactions, and stop at channels the bot is not in", async () => {
    const app = await connectApp(test);
    const posted = await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "one" });
    const where = { channel: "C0INCIDENTS", ts: String(posted["ts"]) };
    await test.call("chat.update", { ...where, text: "two" });
    await test.control("reaction", { actor: "U0ANA", ...where, name: "eyes" });
    await test.call("chat.delete", where);
    await test.control("join", { actor: "U0GUEST", channel: "C0INCIDENTS" });
    test.room.people.say("U0ANA", { channel: "C0GENERAL", text: "@room137 not here" });
    test.room.people.openHome("U0ANA", {});
    await app.frame((frame) => isEvent(frame) && eventOf(frame)["type"] === "app_home_opened");
    const names = app.frames
      .filter(isEvent)
      .map((frame) => `${eventOf(frame)["type"]} ${eventOf(frame)["subtype"] ?? ""}`.trim());
    expect(names).toEqual([
      "message",
      "message message_changed",
      "reaction_added",
      "message message_deleted",
      "member_joined_channel",
      "message channel_join",
      "app_home_opened",
    ]);
  });

  it("come only for what the manifest subscribes to and its scopes cover", async () => {
    const narrow = await openRoom({ manifest: manifestText("socket") });
    const app = await connectApp(narrow);
    narrow.room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "nothing for the bot" });
    narrow.room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "@room137 hello" });
    await app.frame(isEvent);
    narrow.room.people.openHome("U0ANA", {});
    await app.frame((frame) => isEvent(frame) && eventOf(frame)["type"] === "app_home_opened");
    expect(app.frames.filter(isEvent).map((frame) => eventOf(frame)["type"])).toEqual([
      "app_mention",
      "app_home_opened",
    ]);
    await narrow.room.stop();
  });
});

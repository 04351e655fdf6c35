import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRoomClock } from "../../src/local-room/clock.ts";
import { messagesIn, moving, type OpenEdge, openEdge, settle, startMs, until } from "./open-edge.ts";

const channel = "C0INCIDENTS";
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => void rejections.push(reason);
let open: OpenEdge;

beforeEach(() => {
  rejections.length = 0;
  process.on("unhandledRejection", onRejection);
});
afterEach(async () => {
  await open.close();
  process.off("unhandledRejection", onRejection);
  expect(rejections).toEqual([]);
});

const connections = () => open.slack.journal().filter((entry) => entry.kind === "connection");
const openNow = () =>
  connections().filter((entry) => entry.name === "open").length -
  connections().filter((entry) => entry.name === "closed").length;
const ask = (text = "/why-500 web") => open.slack.people.command("U0ANA", { channel, text });

describe("the socket receiver", () => {
  it("keeps two connections", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    expect(open.edge.ready()).toBe(true);
  });

  it("opens the next connection before it lets the old one go, and misses nothing meanwhile", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    open.slack.inject({ kind: "deliver-during-close", times: 1 });
    open.slack.inject({ kind: "disconnect", reason: "refresh_requested", connection: "all" });
    const asked = await ask();
    expect(asked).toMatchObject({ ok: true });
    await until(open.clock, () => connections().filter((entry) => entry.name === "open").length === 4);
    const firstClosed = connections().findIndex((entry) => entry.name === "closed");
    const opened = connections().slice(0, firstClosed === -1 ? undefined : firstClosed);
    expect(opened.filter((entry) => entry.name === "open")).toHaveLength(4);
    await until(open.clock, () => openNow() === 2);
    expect(await ask()).toMatchObject({ ok: true });
    await until(open.clock, () => open.fake.asks.length === 2);
    expect(open.slack.ledgers().flags).toEqual([]);
  });

  it("is back at once after both connections were reset", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    open.slack.inject({ kind: "drop-connections", connection: "all" });
    // No time passes on the clock: the first new attempt does not wait.
    for (let turns = 0; turns < 500 && connections().filter((entry) => entry.name === "open").length < 4; turns++)
      await settle();
    expect(openNow()).toBe(2);
    expect(await ask()).toMatchObject({ ok: true });
  });

  it.each(["null", "[]", "42", "not json", '{"type":"events_api"}', '{"type":"events_api","envelope_id":7}', "{}"])(
    "survives the frame %s",
    async (text) => {
      open = await openEdge();
      await until(open.clock, () => openNow() === 2);
      open.slack.inject({ kind: "raw-frame", text });
      expect(await ask()).toMatchObject({ ok: true });
      expect(openNow()).toBe(2);
    },
  );

  it("acks events without an inner event", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "app-rate-limited" });
    const ack = await open.slack.waitForEntry((entry) => entry.kind === "ack" && entry.name === "events_api");
    expect(ack.ok).toBe(true);
    expect(await ask()).toMatchObject({ ok: true });
  });

  it("comes back by itself after an outage of ten minutes, with bounded pauses and no unhandled rejection", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    open.slack.inject({ kind: "outage", on: true });
    const endMs = open.clock.nowMs() + 600_000;
    await until(open.clock, () => open.clock.nowMs() >= endMs, 1_000);
    expect(open.edge.ready()).toBe(false);
    const attempts = open.slack.journal().filter((entry) => entry.name === "apps.connections.open").length;
    expect(attempts).toBeGreaterThan(20);
    expect(attempts).toBeLessThan(150);
    open.slack.inject({ kind: "outage", on: false });
    const backMs = open.clock.nowMs();
    await until(open.clock, () => open.edge.ready() && openNow() === 2);
    expect(open.clock.nowMs() - backMs).toBeLessThanOrEqual(30_000);
    expect(await ask()).toMatchObject({ ok: true });
  });

  it("renews a connection that got a warning, once, though the request to go follows", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    open.slack.inject({ kind: "disconnect", reason: "warning", connection: "one" });
    await until(open.clock, () => connections().filter((entry) => entry.name === "open").length === 3);
    await open.clock.advance(60_000);
    await settle();
    expect(connections().filter((entry) => entry.name === "open")).toHaveLength(3);
    expect(openNow()).toBe(2);
  });

  it("says at start which token is wrong, without waiting for the deadline", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    open = await openEdge({ clock, start: false });
    open.slack.inject({ kind: "api-error", method: "apps.connections.open", times: 2, error: "invalid_auth" });
    await expect(open.edge.start()).rejects.toMatchObject({
      code: "slack-unavailable",
      message: expect.stringContaining("invalid_auth"),
      next: expect.stringContaining("SLACK_APP_TOKEN"),
    });
    expect(clock.nowMs()).toBe(startMs);
  });

  it("gives up the start at its deadline when Slack does not answer", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    open = await openEdge({ clock, start: false });
    open.slack.inject({ kind: "outage", on: true });
    await expect(moving(clock, open.edge.start())).rejects.toMatchObject({ code: "slack-unavailable" });
    expect(clock.nowMs() - startMs).toBeLessThan(90_000);
  });

  it("stops in order: nothing more is taken, what is in hand is finished and told, the sockets are closed", async () => {
    open = await openEdge();
    await until(open.clock, () => openNow() === 2);
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const original = open.fake.room.ask;
    open.fake.answers.ask = async (request) => {
      await gate;
      return await original(request);
    };
    expect(await ask()).toMatchObject({ ok: true });
    const stopping = open.edge.stop(20_000);
    await settle();
    expect(open.edge.ready()).toBe(false);
    const late = ask("/why web");
    finish();
    await moving(open.clock, stopping);
    expect(messagesIn(open, channel).map((message) => message.text)).toEqual(["Asked: /why-500 web"]);
    await until(open.clock, () => openNow() === 0);
    expect(await moving(open.clock, late)).toMatchObject({ ok: false });
    expect(await open.store.documents("inbox")).toEqual([]);
  });
});

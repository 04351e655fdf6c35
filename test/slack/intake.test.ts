import { afterEach, describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import { Fault } from "../../src/core/result.ts";
import { createRoomClock } from "../../src/local-room/clock.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/store/store.ts";
import { messagesIn, type OpenEdge, openEdge, settle, startMs, until } from "./open-edge.ts";

const channel = "C0INCIDENTS";
const opened: OpenEdge[] = [];
const openIt: typeof openEdge = async (options) => {
  const one = await openEdge(options);
  opened.push(one);
  return one;
};
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const ask = ({ slack }: OpenEdge, text = "/why-500 web") => slack.people.command("U0ANA", { channel, text });

describe.each(["socket", "http"] as const)("what comes in over %s", (transport) => {
  it("is acked before it is worked on, however long that takes", async () => {
    const open = await openIt({ transport });
    open.fake.answers.ask = () => new Promise(() => {});
    for (let times = 0; times < 50; times++) {
      const answer = await ask(open, `/why-500 web-${times}`);
      expect(answer).toMatchObject({ ok: true });
      expect("ackMs" in answer && answer.ackMs).toBe(0);
    }
    await until(open.clock, () => open.edge.ready());
    expect((await open.store.documents("inbox")).length).toBe(50);
  });

  it("is recorded before it is acked", async () => {
    const recorded: number[] = [];
    let open: OpenEdge | null = null;
    const wrapStore = (store: Store): Store => ({
      ...store,
      async putDocument(...args) {
        if (args[0] === "inbox")
          recorded.push(open?.slack.journal().filter((entry) => entry.kind === "ack").length ?? -1);
        return await store.putDocument(...args);
      },
    });
    open = await openIt({ transport, wrapStore });
    await ask(open);
    expect(recorded).toEqual([0]);
  });

  it("tells the person and does nothing when it cannot be recorded", async () => {
    let broken = false;
    const wrapStore = (store: Store): Store => ({
      ...store,
      firstSeen: async (...args) => {
        if (broken) throw new Fault("store-unavailable", "disk full", "free some");
        return await store.firstSeen(...args);
      },
    });
    const open = await openIt({ transport, wrapStore });
    broken = true;
    expect(await ask(open)).toMatchObject({ ok: true });
    await settle();
    expect(messagesIn(open, channel)).toMatchObject([
      { text: expect.stringContaining("cannot write to its store"), ephemeralFor: "U0ANA" },
    ]);
    expect(open.fake.asks).toEqual([]);
  });

  it("comes again when it is an event that could not be recorded, and is then done once", async () => {
    let failures = 1;
    const wrapStore = (store: Store): Store => ({
      ...store,
      firstSeen: async (...args) => {
        if (args[0].startsWith("in:Ev") && failures-- > 0) throw new Fault("store-unavailable", "busy", "wait");
        return await store.firstSeen(...args);
      },
    });
    const open = await openIt({ transport, wrapStore });
    open.slack.people.say("U0ANA", { channel, text: "@room137 why-500 web" });
    await until(open.clock, () => open.fake.asks.length === 1);
    await open.clock.advance(400_000);
    await settle();
    expect(open.fake.asks).toHaveLength(1);
  });

  it("is taken up after a crash between record and work, once", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    const first = await openIt({ transport, clock, store });
    first.fake.answers.ask = () => new Promise(() => {});
    expect(await ask(first)).toMatchObject({ ok: true });
    await settle();
    // It dies here: nothing it still does reaches the store.
    await first.slack.stop();
    opened.splice(opened.indexOf(first), 1);
    const second = await openIt({ transport, clock, store });
    await until(clock, () => second.fake.asks.length === 1);
    expect(second.fake.asks[0]).toMatchObject({ service: "web", by: { userId: "U0ANA" } });
    await until(clock, () => messagesIn(second, channel).length === 1);
    expect(await store.documents("inbox")).toEqual([]);
    await clock.advance(300_000);
    expect(second.fake.asks).toHaveLength(1);
    await store.close();
  });

  it("is not opened twice when the crash came after the incident was opened", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    const body = { command: "/why-500", text: "web", user_id: "U0ANA", channel_id: channel, trigger_id: "1.2.x" };
    await store.putDocument(
      "inbox",
      "1.2.x:",
      JSON.stringify({ body, receivedAtMs: startMs - 5_000, owner: "test" }),
      startMs,
    );
    const second = await openIt({ transport, clock, store, start: false });
    const place = { incidentId: "i-0007", service: "web", state: "investigating", channel, threadTs: null };
    second.fake.answers.status = async () => ({
      frozen: null,
      openIncidents: [{ ...place, openedAtMs: startMs - 4_000 }],
      pendingApprovals: [],
      hosts: [],
      version: "0",
    });
    second.fake.answers.entries = async () => [
      {
        incidentId: "i-0007",
        seq: 1,
        atMs: startMs - 4_000,
        actor: { kind: "person", userId: "U0ANA", name: "ana" },
        hash: "",
        body: {
          kind: "opened",
          target: { service: "web", symptom: "http-500", host: null },
          room: null,
          command: "/why-500 web",
        },
      },
    ];
    await second.edge.start();
    await until(clock, () => second.log.lines.some((line) => line.message.startsWith("taking up")));
    for (let left = 1; left > 0; left = (await store.documents("inbox")).length) await settle();
    expect(second.fake.asks).toEqual([]);
    await store.close();
  });

  it("is dropped with a log line when it is from long before the restart", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    const body = { command: "/why-500", text: "web", user_id: "U0ANA", channel_id: channel, trigger_id: "1.2.x" };
    await store.putDocument(
      "inbox",
      "1.2.x:",
      JSON.stringify({ body, receivedAtMs: startMs - 7_200_000, owner: "test" }),
      startMs,
    );
    const second = await openIt({ transport, clock, store });
    expect(second.log.lines.map((line) => line.message)).toContain(
      "a request from before the restart is too old to be worked on",
    );
    expect(await store.documents("inbox")).toEqual([]);
    expect(second.fake.asks).toEqual([]);
    await store.close();
  });
});

describe("a request of another process", () => {
  it("is left to it for two minutes, and then taken up by exactly one of those who are left", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    const body = {
      type: "event_callback",
      event_id: "Ev5",
      team_id: "T0LOCAL",
      event: { type: "app_mention", user: "U0ANA", channel, text: "<@U0ROOM137> note once", ts: "1.1" },
    };
    await store.putDocument("inbox", "Ev5", JSON.stringify({ body, receivedAtMs: startMs, owner: "dead" }), startMs);
    const one = await openIt({ clock, store, edge: { owner: "one" } });
    const two = await openIt({ clock, store, edge: { owner: "two" } });
    const notes = () => one.fake.notes.length + two.fake.notes.length;
    await clock.advance(119_000);
    await settle();
    expect(notes()).toBe(0);
    await until(clock, () => notes() > 0);
    await clock.advance(300_000);
    await settle();
    expect(notes()).toBe(1);
    await one.close();
    await two.close();
    opened.length = 0;
    await store.close();
  });
});

describe("duplicates", () => {
  it("of an envelope are acked and worked on once", async () => {
    const open = await openIt();
    open.slack.inject({ kind: "duplicate-envelopes", times: 3 });
    await ask(open);
    await ask(open, "/why db");
    open.slack.people.say("U0ANA", { channel, text: "@room137 note it is slow" });
    await until(open.clock, () => open.fake.notes.length === 1 && open.fake.asks.length === 2);
    await open.clock.advance(400_000);
    await settle();
    expect(open.fake.asks).toHaveLength(2);
    expect(open.fake.notes).toHaveLength(1);
    expect(open.slack.ledgers().flags).toEqual([]);
  });

  it("in two processes at once leave one winner", async () => {
    const clock = createRoomClock({ frozenAtMs: startMs });
    const store = await openStore("file::memory:", { clock });
    const one = await openIt({ clock, store, edge: { owner: "one" } });
    const two = await openIt({ clock, store, edge: { owner: "two" } });
    const body = {
      type: "event_callback",
      event_id: "Ev1",
      team_id: "T0LOCAL",
      event: { type: "app_mention", user: "U0ANA", channel, text: "<@U0ROOM137> note once", ts: "1.1" },
    };
    const frame = JSON.stringify({ type: "events_api", envelope_id: "e-1", payload: body });
    one.slack.inject({ kind: "raw-frame", text: frame });
    two.slack.inject({ kind: "raw-frame", text: frame });
    await until(clock, () => one.fake.notes.length + two.fake.notes.length > 0);
    await clock.advance(5_000);
    await settle();
    expect(one.fake.notes.length + two.fake.notes.length).toBe(1);
    await one.close();
    await two.close();
    opened.length = 0;
    await store.close();
  });
});

describe("a flood of mentions", () => {
  it("waits as records in its own order, behind what a person types, and what hangs frees its place", async () => {
    const open = await openIt();
    const begun: string[] = [];
    await ask(open, "/hosts add");
    await until(open.clock, () => open.slack.world.stacks.get("U0ANA")?.length === 1);
    const viewId = open.slack.world.stacks.get("U0ANA")?.[0]?.id ?? "";
    open.fake.answers.note = async (_incident, _by, text) => {
      begun.push(text);
      return await new Promise(() => {});
    };
    for (let n = 0; n < limits.inboxHands + 2; n += 1) {
      open.slack.people.say("U0ANA", { channel, text: `@room137 note ${n}` });
      await settle();
    }
    await until(open.clock, () => begun.length === limits.inboxHands);
    expect(await ask(open)).toMatchObject({ ok: true });
    expect((await open.store.documents("inbox")).length).toBe(limits.inboxHands + 3);
    expect(open.fake.asks).toEqual([]);
    // A form is answered all the same: Slack would show the person an error after three seconds.
    const typed = {
      name: "prod-3",
      address: "10.0.0.7",
      port: "ssh",
      user: "room137",
      hostKey: "SHA256:x",
      identityFile: "/k",
    };
    const values = Object.fromEntries(Object.entries(typed).map(([field, value]) => [field, { value }]));
    expect(await open.slack.people.submit("U0ANA", { viewId, values })).toMatchObject({ outcome: "errors" });
    expect(open.fake.asks).toEqual([]);
    await open.clock.advance(limits.inboxHandMs);
    await until(open.clock, () => begun.length === limits.inboxHands + 2);
    expect(open.fake.asks).toHaveLength(1);
    expect(begun.slice(-2)).toEqual([`${limits.inboxHands}`, `${limits.inboxHands + 1}`]);
  });
});

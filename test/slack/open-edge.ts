import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { registerHandlers } from "../../handlers/index.ts";
import type { Outgoing } from "../../src/core/outgoing.ts";
import { createRoomClock, type RoomClock } from "../../src/local-room/clock.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { type RoomOptions, startLocalRoom } from "../../src/local-room/server.ts";
import type { Log, OutboxRow, Store } from "../../src/ports.ts";
import type { AskRequest, Decision, Person, Room } from "../../src/room.ts";
import { createSlackEdge, type EdgeDeps, type SlackEdge } from "../../src/slack/edge.ts";
import { openStore } from "../../src/store/store.ts";
import { freePort, manifestText } from "../local-room/open-room.ts";

export const startMs = Date.UTC(2026, 10, 21, 0, 25, 13);
export type Transport = "socket" | "http";

export interface Logged {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

/** Keeps what was logged, to look at when a test wants to know. */
export function keepingLog(): Log & { lines: Logged[] } {
  const lines: Logged[] = [];
  const at = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, fields, message });
  return { lines, info: at("info"), warn: at("warn"), error: at("error") };
}

/** A room that notes what it was called with and answers what it is told to. */
export interface FakeRoom {
  room: Room;
  asks: AskRequest[];
  decisions: { incidentId: string; hash: string; by: Person; decision: Decision }[];
  notes: { incidentId: string; by: Person; text: string; from: string | null }[];
  posted: { incidentId: string; channel: string; threadTs: string }[];
  /** Replaces single verbs. */
  answers: Partial<Room>;
}

export function fakeRoom(tell: (rows: OutboxRow[]) => Promise<void>, nowMs: () => number): FakeRoom {
  const fake: Omit<FakeRoom, "room"> = { asks: [], decisions: [], notes: [], posted: [], answers: {} };
  const defaults: Partial<Room> = {
    async ask(request) {
      const incidentId = `i-${String(fake.asks.push(request)).padStart(4, "0")}`;
      if (request.place === null) return { incidentId };
      await tell([postRow(incidentId, "root", request.place.channel, null, `Asked: ${request.command}`, nowMs())]);
      return { incidentId };
    },
    async decide(incidentId, hash, by, decision) {
      fake.decisions.push({ incidentId, hash, by, decision });
      return { said: `${decision.verb} noted` };
    },
    async note(incidentId, by, text, from) {
      fake.notes.push({ incidentId, by, text, from });
      return { said: "Noted." };
    },
    async posted(incidentId, place) {
      fake.posted.push({ incidentId, ...place });
    },
    findIncident: async ({ incident }) => ({ incidentId: incident ?? "i-0001" }),
    entries: async () => [],
    status: async () => ({ frozen: null, openIncidents: [], pendingApprovals: [], hosts: [], version: "0.1.0" }),
    hosts: async () => [],
    canI: async (_by, verb, target) => ({ said: `Yes, you may ${verb} ${target}.` }),
  };
  const verbs = new Proxy({} as Room, {
    get: (_target, verb: keyof Room) => fake.answers[verb] ?? defaults[verb] ?? missing(verb),
  });
  return { ...fake, room: verbs };
}

function missing(verb: string) {
  return () => {
    throw new Error(`the fake room was asked to ${verb}, which this test did not expect`);
  };
}

export function postRow(
  incidentId: string,
  part: string,
  channel: string,
  thread: { key: string } | null,
  text: string,
  queuedAtMs: number,
  blocks: readonly object[] = [],
): OutboxRow {
  const outgoing: Outgoing = { kind: "post", thread, text, blocks };
  return row(incidentId, part, channel, outgoing, queuedAtMs);
}

export function row(
  incidentId: string,
  part: string,
  channel: string,
  outgoing: Outgoing,
  queuedAtMs: number,
): OutboxRow {
  const key = `${incidentId}:${part}`;
  return { key, incidentId, channel, lane: incidentId, payload: JSON.stringify(outgoing), queuedAtMs };
}

export type OpenEdge = Awaited<ReturnType<typeof openEdge>>;

/** The real edge with the real handlers, Bolt and SDK, against the real local room; clock, timers and chance injected. */
export async function openEdge(
  options: {
    transport?: Transport;
    room?: Partial<RoomOptions>;
    clock?: RoomClock;
    store?: Store;
    groups?: string[];
    edge?: Partial<EdgeDeps>;
    /** False: a test starts it by itself. */
    start?: boolean;
    wrapStore?: (store: Store) => Store;
  } = {},
) {
  const transport = options.transport ?? "socket";
  const clock = options.clock ?? createRoomClock({ frozenAtMs: startMs });
  const port = transport === "http" ? await freePort() : 0;
  const slack = await startLocalRoom({
    seed: defaultSeed(manifestText(transport)),
    port: 0,
    clock,
    random: 7,
    rateMode: "off",
    transport,
    appOrigin: `http://127.0.0.1:${port}`,
    ...options.room,
  });
  const store = options.store ?? (await openStore("file::memory:", { clock }));
  const log = keepingLog();
  const common = { botToken: slack.botToken, apiUrl: slack.apiUrl };
  const edge: SlackEdge = createSlackEdge({
    config:
      transport === "socket"
        ? { mode: "socket", appToken: slack.appToken, ...common }
        : { mode: "http", signingSecret: slack.signingSecret, ...common },
    groups: options.groups ?? ["S0ONCALL"],
    store: options.wrapStore?.(store) ?? store,
    clock,
    timers: clock,
    log,
    owner: "test",
    random: () => 0.5,
    onPosted: (incidentId, place) => fake.room.posted(incidentId, place),
    ...options.edge,
  });
  const fake = fakeRoom((rows) => edge.store.enqueue(rows), clock.nowMs);
  registerHandlers(edge, { room: fake.room, clock, log });
  const server = createServer((request, response) => {
    if (!edge.handle(request, response)) response.writeHead(404).end();
  });
  if (transport === "http") await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  if (options.start !== false) await edge.start();
  return {
    slack,
    edge,
    fake,
    store,
    clock,
    log,
    port: (server.address() as AddressInfo | null)?.port ?? 0,
    /** The bot goes; Slack and the store stay. */
    async stopEdge(deadlineMs = 5_000) {
      await moving(clock, edge.stop(deadlineMs));
    },
    async close() {
      await moving(clock, edge.stop(1_000));
      server.closeAllConnections();
      server.close();
      await slack.stop();
      if (options.store === undefined) await store.close();
    },
  };
}

/** Lets time pass on the virtual clock until the work has ended. */
export async function moving<T>(clock: RoomClock, work: Promise<T>, stepMs = 250): Promise<T> {
  let ended = false;
  const watched = work.finally(() => {
    ended = true;
  });
  watched.catch(() => {});
  for (let steps = 0; !ended && steps < 20_000; steps++) {
    await settle();
    if (!ended) await clock.advance(stepMs);
  }
  return await watched;
}

/** Moves the clock in steps until it holds, with real turns in between for sockets and files. */
export async function until(clock: RoomClock, holds: () => boolean, stepMs = 100, atMostMs = 3_600_000): Promise<void> {
  const endMs = clock.nowMs() + atMostMs;
  while (!holds()) {
    if (clock.nowMs() > endMs) throw new Error("it did not come to hold in the time given");
    await settle();
    if (!holds()) await clock.advance(stepMs);
  }
}

/** Lets what is in the air on loopback arrive: a handful of turns of the event loop, no waiting. */
export async function settle(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Messages of a channel as people see them: text, thread, author. */
export function messagesIn({ slack }: Pick<OpenEdge, "slack">, channel: string) {
  return [...(slack.world.messages.get(channel) ?? [])];
}

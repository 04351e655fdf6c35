import type { EntryBody, TimelineEntry } from "../../src/core/incident.ts";
import { replay } from "../../src/core/replay.ts";
import type { HostPerformer, Store } from "../../src/ports.ts";
import { type AskRequest, createRoom, type Person, type Room, type RoomDeps } from "../../src/room.ts";
import { openStore } from "../../src/store/store.ts";
import { askedAtMs } from "../core/scene.ts";
import { type FakeHost, fakeDirectory, fakeHost, fakePerformer, fakeReads } from "./fake-host.ts";
import { type FakeTime, fakeTime } from "./fake-time.ts";

export const gib = 1024 ** 3;

export interface FakeRoom {
  room: Room;
  deps: RoomDeps;
  store: Store;
  host: FakeHost;
  time: FakeTime;
  /** Error lines the room logged. */
  errors: string[];
}

export type ConfigChange = Partial<RoomDeps["config"]>;

/** A room on an in-memory SQLite and one fake host, with a clock that stands still. */
export async function fakeRoom(
  more: { config?: ConfigChange; deps?: Partial<RoomDeps>; host?: FakeHost; time?: FakeTime; store?: Store } = {},
): Promise<FakeRoom> {
  const time = more.time ?? fakeTime(askedAtMs);
  const store = more.store ?? (await openStore("file::memory:", { clock: time.clock }));
  const host = more.host ?? fakeHost(time.clock);
  const errors: string[] = [];
  const deps = { ...fakeDeps(time, store, host, errors), ...more.deps };
  deps.config = { ...deps.config, ...more.config };
  return { room: createRoom(deps), deps, store, host, time, errors };
}

function fakeDeps(time: FakeTime, store: Store, host: FakeHost, errors: string[]): RoomDeps {
  return {
    store,
    hosts: fakeDirectory([host]),
    performer: fakePerformer([host]) satisfies HostPerformer,
    clock: time.clock,
    scheduler: time.scheduler,
    config: fakeConfig,
    policyVersion: "p1",
    executeReads: fakeReads([host]),
    announce: (incident, entry) => [
      {
        key: `${incident.incidentId}:${entry.seq}`,
        incidentId: incident.incidentId,
        channel: incident.room?.channel ?? "none",
        lane: incident.incidentId,
        payload: JSON.stringify(entry.body),
        queuedAtMs: entry.atMs,
      },
    ],
    exporters: {
      json: (incident, entries) => ({
        filename: `${incident.incidentId}.json`,
        contentType: "application/json",
        text: JSON.stringify(entries),
      }),
    },
    guardrails: async (hosts) => ({
      schemaVersion: 1,
      hosts: hosts.map((name) => ({ host: name, findings: [] })),
      gaps: [],
    }),
    parseHost: () => ["needs an address"],
    newId: countingIds(),
    log: { info: () => {}, warn: () => {}, error: (fields) => errors.push(JSON.stringify(fields)) },
    metrics: { count: () => {} },
    version: "0.0.0-test",
  };
}

const fakeConfig: RoomDeps["config"] = {
  hosts: [],
  services: {
    web: {
      hosts: null,
      container: null,
      port: 8000,
      probes: [
        { path: "/healthz", expect: 200 },
        { path: "/items", expect: 200 },
      ],
      dependsOn: [],
    },
  },
  channels: {},
  approvals: {
    approvers: ["UBOB", "UCAROL", "SONCALL"],
    quorum: 1,
    quorumByRisk: { low: 1, medium: 1, high: 1 },
    allowSelfApproval: false,
    expiresAfterMs: 30 * 60_000,
    requireReason: false,
    rules: [],
    breakGlass: { enabled: false, users: [] },
  },
  policy: { maxMemoryBytes: 8 * gib, maxHostMemoryPercent: 80, protectedContainers: [] },
};

let rooms = 0;

/** Different for every room of a test file, the same in every run of it. */
function countingIds(): () => string {
  rooms += 1;
  const room = rooms;
  let count = 0;
  return () => {
    count += 1;
    return `${room.toString(36).padStart(3, "r")}${count.toString(36).padStart(3, "0")}`;
  };
}

export function person(userId: string, more: Partial<Person> = {}): Person {
  const who = { isBot: false, isGuest: false, isDeactivated: false, isExternal: false };
  return { userId, name: userId.slice(1).toLowerCase(), groups: [], ...who, ...more };
}

export const alice = person("UALICE");
export const bob = person("UBOB");
export const carol = person("UCAROL");

export function askAboutWeb(more: Partial<AskRequest> = {}): AskRequest {
  return {
    service: "web",
    symptom: "http-500",
    host: null,
    by: alice,
    place: { channel: "C1", threadTs: null },
    command: "/why-500 web",
    ...more,
  };
}

/** Asks about web and waits for the plan. */
export async function incidentWithPlan(
  { room }: Pick<FakeRoom, "room">,
  request = askAboutWeb(),
): Promise<{ incidentId: string; hash: string }> {
  const asked = await room.ask(request);
  if (!("incidentId" in asked)) throw new Error(`refused: ${asked.found}`);
  await room.settled(asked.incidentId);
  const proposed = (await room.entries(asked.incidentId)).findLast((entry) => entry.body.kind === "plan-proposed");
  if (proposed?.body.kind !== "plan-proposed") throw new Error("no plan was proposed");
  return { incidentId: asked.incidentId, hash: proposed.body.plan.hash };
}

export function kinds(entries: readonly TimelineEntry[]): string[] {
  return entries.map((entry) => entry.body.kind);
}

export async function bodyOf<K extends EntryBody["kind"]>({ room }: FakeRoom, incidentId: string, kind: K) {
  const found = (await room.entries(incidentId)).findLast((entry) => entry.body.kind === kind);
  return found?.body as Extract<EntryBody, { kind: K }> | undefined;
}

export async function run(fake: FakeRoom, incidentId: string, hash: string): Promise<void> {
  await fake.room.decide(incidentId, hash, bob, { verb: "approve", reason: null });
  await fake.room.settled(incidentId);
}

export async function stateOf({ room }: FakeRoom, incidentId: string): Promise<string | undefined> {
  return replay(await room.entries(incidentId))?.state;
}

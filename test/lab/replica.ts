import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerInspect } from "../../src/core/readings.ts";
import type { HostPerformer, HostReader, Scheduler, Store } from "../../src/ports.ts";
import { createRecorder } from "../../src/room/recorder.ts";
import type { Room } from "../../src/room.ts";
import { createRoom } from "../../src/room.ts";
import { openStore } from "../../src/store/store.ts";
import { type FakeHost, fakeHost, fakePerformer, fakeReads } from "../fakes/fake-host.ts";
import { bob, fakeRoom } from "../fakes/fake-room.ts";

/**
 * A replica as a process of its own: `replica.ts <database url> <host file> <incident> <plan hash> <mode>`. It approves
 * and works for real, on a host that lives in a file, until the point its mode names; there it says so and hangs, to be
 * killed. Modes: `before <step>`, `after <step>`, `verify`, `record`.
 */
const clock = { nowMs: () => Date.now() };
const scheduler: Scheduler = {
  wait: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

/** A host that several processes share: as it is at each look, with all its effects. */
export function sharedHost(path: string): FakeHost {
  const host = fakeHost(clock);
  const load = () => {
    const kept = JSON.parse(readFileSync(path, "utf8")) as {
      containers: [string, Partial<ContainerInspect>][];
      effects: FakeHost["effects"];
    };
    host.containers = new Map(kept.containers);
    host.effects = kept.effects;
  };
  const { readings, act } = host;
  return Object.assign(host, {
    readings: () => {
      load();
      return readings();
    },
    act: (action: Parameters<FakeHost["act"]>[0]) => {
      load();
      const readBack = act(action);
      saveHost(path, host);
      return readBack;
    },
  });
}

export function saveHost(path: string, host: Pick<FakeHost, "containers" | "effects">): void {
  writeFileSync(path, JSON.stringify({ containers: [...host.containers], effects: host.effects }));
}

/** A room over a real store and real time, on the shared host. */
export async function openReplica(
  store: Store,
  path: string,
  more: { id: string; performer?: HostPerformer },
): Promise<{ room: Room; errors: string[] }> {
  const host = sharedHost(path);
  const fake = await fakeRoom({ store, host });
  const newId = () => `${more.id}-${randomUUID()}`;
  const performer = more.performer ?? fakePerformer([host]);
  return { room: createRoom({ ...fake.deps, clock, scheduler, performer, newId }), errors: fake.errors };
}

/** What a replica would record of a host, with an event stream that never ends. */
export function openRecorder(store: Store, path: string, owner: string, onFollowing: () => void) {
  const host = sharedHost(path);
  return createRecorder({
    store,
    clock,
    scheduler,
    owner,
    hosts: {
      names: () => ["h1"],
      labels: () => ({}),
      lastConnectMs: () => 0,
      close: async () => {},
      reader: async () =>
        ({
          host: "h1",
          followEvents: (_since: number, _onEvent: unknown, signal: AbortSignal) => {
            onFollowing();
            return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
          },
        }) as unknown as HostReader,
    },
    executeReads: fakeReads([host]),
    parseEvent: () => null,
    retentionMs: 3_600_000,
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
}

async function live(url: string, path: string, incidentId: string, hash: string, mode: string): Promise<void> {
  const reached = () => void process.stdout.write(`reached ${mode}\n`);
  const forEver = () => new Promise<never>(() => setInterval(() => {}, 60_000));
  const store = await openStore(url, { clock });
  if (mode === "record") return openRecorder(store, path, `dies-${process.pid}`, reached).start();
  const [where, at] = mode.split(" ");
  const working = fakePerformer([sharedHost(path)]);
  const performer: HostPerformer = {
    async perform(plan, step) {
      const here = String(step) === at;
      if (here && where === "before") {
        reached();
        return await forEver();
      }
      const done = await working.perform(plan, step);
      if (here && where === "after") {
        reached();
        return await forEver();
      }
      return done;
    },
  };
  const { room } = await openReplica(store, path, { id: `dies${process.pid}-`, performer });
  await room.decide(incidentId, hash, bob, { verb: "approve", reason: null });
  if (where !== "verify") return;
  const verifying = async () => (await store.entries(incidentId)).some((entry) => entry.body.kind === "verifying");
  while (!(await verifying())) await sleep(20);
  reached();
}

if (process.argv[1] === import.meta.filename) {
  const [url = "", path = "", incidentId = "", hash = "", mode = ""] = process.argv.slice(2);
  await live(url, path, incidentId, hash, mode);
}

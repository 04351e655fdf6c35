import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadConfig } from "../../src/config.ts";
import type { TimelineEntry } from "../../src/core/incident.ts";
import { parseOutgoing } from "../../src/core/outgoing.ts";
import { replay } from "../../src/core/replay.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { createLocalRoom, type MountedRoom, type RoomOptions } from "../../src/local-room/server.ts";
import type { HostPerformer } from "../../src/ports.ts";
import { type Parts, systemClock } from "../../src/program.ts";
import { announce } from "../../src/render/announce.ts";
import { type Service, startService } from "../../src/serve.ts";
import { type FakeHost, fakeDirectory, fakePerformer, fakeReads } from "../fakes/fake-host.ts";

export const channel = "C0INCIDENTS";
export const asker = "U0ANA";
export const approvers = ["U0BEN", "U0CHI"] as const;

/** The local room on a port of its own, in the place of Slack: what is started here knows nothing of it but its address. */
export async function openSlack(options: Pick<RoomOptions, "transport" | "appOrigin"> = { transport: "socket" }) {
  const manifest = readFileSync(
    new URL(`../../manifests/slack-app.${options.transport}.yaml`, import.meta.url),
    "utf8",
  );
  const room = createLocalRoom({ seed: defaultSeed(manifest), rateMode: "burst", random: 7, ...options });
  const server = createServer((request, response) => {
    if (!room.handle(request, response)) response.writeHead(404).end();
  });
  server.on("upgrade", (request, socket, head) => {
    if (!room.upgrade(request, socket, head)) socket.destroy();
  });
  const port = await listening(server);
  room.setUrl(`http://127.0.0.1:${port}`);
  return {
    room,
    port,
    async close() {
      await room.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** room137 as `npm start` runs it, with that room as its Slack and a host in memory that several may share. */
export async function startOnFakeHost(given: {
  room: MountedRoom;
  /** How Slack is reached: through a link of the test's own. */
  apiUrl: string;
  databaseUrl: string;
  name: string;
  host: FakeHost;
  transport?: RoomOptions["transport"];
  aroundStep?: (
    step: number,
    perform: () => ReturnType<HostPerformer["perform"]>,
  ) => ReturnType<HostPerformer["perform"]>;
  onReads?: () => void;
}): Promise<Service> {
  const { room, host } = given;
  const env = {
    ROOM137_CONFIG: "room137.yaml",
    ROOM137_DATABASE_URL: given.databaseUrl,
    SLACK_BOT_TOKEN: room.botToken,
    ...(given.transport === "http" ? { SLACK_SIGNING_SECRET: room.signingSecret } : { SLACK_APP_TOKEN: room.appToken }),
    SLACK_API_URL: given.apiUrl,
    HOSTNAME: given.name,
    PORT: "0",
    LOG_LEVEL: "silent",
  };
  const world = { env, readFile: (path: string) => (path === "room137.yaml" ? yaml : null) };
  const working = fakePerformer([host]);
  const around = given.aroundStep ?? ((_, perform) => perform());
  const reads = fakeReads([host]);
  const assemble = (config: Parts["config"]): Parts => ({
    config,
    hosts: fakeDirectory([host]),
    clock: systemClock,
    performer: { perform: (plan, step) => around(step, () => working.perform(plan, step)) },
    executeReads: async (...wanted) => {
      given.onReads?.();
      return await reads(...wanted);
    },
  });
  const terminal = { print() {}, complain() {}, version: "lab" };
  return await startService(loadConfig(world), { world, terminal, assemble });
}

const yaml = `hosts:
  - { name: h1, local: true }
services:
  web:
    port: 8000
    probes: [{ path: /healthz, expect: 200 }, { path: /items, expect: 200 }]
approvals:
  approvers: [${approvers.join(", ")}]
recorder: { enabled: false }
`;

/** Every message of an incident as people should see it at the end, from its timeline alone, in order. */
export function expectedThread(entries: readonly TimelineEntry[]): { key: string; text: string }[] {
  const messages = new Map<string, string>();
  for (const [at, entry] of entries.entries()) {
    const incident = replay(entries.slice(0, at + 1));
    for (const { key, payload } of incident === null ? [] : announce(incident, entry)) {
      const outgoing = parseOutgoing(payload);
      if (outgoing?.kind === "post") messages.set(key, outgoing.text);
      if (outgoing?.kind === "update" && "key" in outgoing.message) messages.set(outgoing.message.key, outgoing.text);
    }
  }
  return [...messages].map(([key, text]) => ({ key, text }));
}

/** Every message of an incident as it stands in the room, oldest first. */
export function shownThread(room: MountedRoom, incidentId: string): { key: string; text: string }[] {
  return (room.world.messages.get(channel) ?? [])
    .map((message) => ({ payload: message.metadata?.["event_payload"] as Record<string, unknown>, message }))
    .filter(({ payload }) => payload?.["incident_id"] === incidentId)
    .map(({ payload, message }) => ({ key: String(payload["key"]), text: message.text }));
}

/** The newest message's button of that action; null while there is none. */
export function buttonIn(room: MountedRoom, actionId: string) {
  for (const { ts, blocks } of (room.world.messages.get(channel) ?? []).toReversed()) {
    for (const block of (blocks ?? []) as Record<string, unknown>[]) {
      for (const element of (block["elements"] ?? []) as Record<string, unknown>[]) {
        if (element["action_id"] !== actionId) continue;
        return { channel, ts, blockId: String(block["block_id"]), actionId, value: String(element["value"]) };
      }
    }
  }
  return null;
}

export function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

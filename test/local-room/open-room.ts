import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import WebSocket from "ws";
import { parse, stringify } from "yaml";
import { createRoomClock } from "../../src/local-room/clock.ts";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { type RoomOptions, startLocalRoom } from "../../src/local-room/server.ts";

export const manifestText = (transport: "socket" | "http") =>
  readFileSync(new URL(`../../manifests/slack-app.${transport}.yaml`, import.meta.url), "utf8");

/** Our manifest with more scopes and events, for the methods that the bot itself does not use. */
export function widerManifest(
  transport: "socket" | "http",
  more: { scopes?: string[]; events?: string[]; homeTab?: boolean } = {},
): string {
  const manifest = parse(manifestText(transport));
  manifest.oauth_config.scopes.bot.push(...(more.scopes ?? everyScope));
  manifest.settings.event_subscriptions.bot_events.push(...(more.events ?? everyEvent));
  if (more.homeTab !== undefined) manifest.features.app_home.home_tab_enabled = more.homeTab;
  manifest.features.shortcuts.push({
    name: "Open a form",
    type: "global",
    callback_id: "open_form",
    description: "A global shortcut",
  });
  return stringify(manifest);
}

export const everyScope = [
  "channels:history",
  "groups:history",
  "im:history",
  "im:read",
  "im:write",
  "channels:manage",
  "groups:write",
  "channels:join",
  "channels:write.invites",
  "users:read.email",
  "reactions:read",
  "reactions:write",
  "pins:read",
  "pins:write",
  "bookmarks:read",
  "bookmarks:write",
  "files:read",
  "canvases:write",
  "team:read",
];
export const everyEvent = [
  "message.channels",
  "message.groups",
  "message.im",
  "reaction_added",
  "reaction_removed",
  "file_shared",
  "member_left_channel",
];

export const startMs = Date.UTC(2026, 10, 21, 0, 25, 13);

/** A room on a frozen clock with a fixed seed, and a bare way to call it. */
export async function openRoom(options: Partial<RoomOptions> & { manifest?: string } = {}) {
  const transport = options.transport ?? "socket";
  const { manifest, ...rest } = options;
  const room = await startLocalRoom({
    seed: defaultSeed(manifest ?? widerManifest(transport)),
    port: 0,
    clock: createRoomClock({ frozenAtMs: startMs }),
    random: 7,
    rateMode: "off",
    transport,
    ...rest,
  });
  /** A form-encoded call with the bot token; complex values as JSON, as the SDK sends them. */
  const call = async (
    method: string,
    args: JsonObject = {},
    token: string | null = room.botToken,
  ): Promise<JsonObject> => {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(args))
      form.set(name, typeof value === "string" ? value : JSON.stringify(value));
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(room.apiUrl + method, { method: "POST", headers, body: form });
    return (await response.json()) as JsonObject;
  };
  const control = async (name: string, body: JsonObject): Promise<JsonObject> => {
    const response = await fetch(`${room.url}/_twin/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await response.json()) as JsonObject;
  };
  return { room, call, control };
}

export type TestRoom = Awaited<ReturnType<typeof openRoom>>;

/** A bare Socket Mode app: keeps what it gets, acks what `answer` says (undefined: no ack). */
export async function connectApp(
  { room, call }: TestRoom,
  answer: (envelope: JsonObject) => JsonObject | null | undefined = () => null,
): Promise<{
  socket: WebSocket;
  frames: JsonObject[];
  frame: (matches: (frame: JsonObject) => boolean) => Promise<JsonObject>;
}> {
  const opened = await call("apps.connections.open", {}, room.appToken);
  const socket = new WebSocket(String(opened["url"]));
  const frames: JsonObject[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as JsonObject;
    frames.push(frame);
    for (const look of waiting) look();
    if (frame?.["envelope_id"] === undefined) return;
    const payload = answer(frame);
    if (payload !== undefined)
      socket.send(JSON.stringify({ envelope_id: frame["envelope_id"], ...(payload === null ? {} : { payload }) }));
  });
  socket.on("error", () => {});
  const frame = (matches: (frame: JsonObject) => boolean) =>
    new Promise<JsonObject>((resolve) => {
      const look = () => {
        const index = frames.findIndex(matches);
        if (index < 0) return;
        waiting.delete(look);
        resolve(frames[index] as JsonObject);
      };
      waiting.add(look);
      look();
    });
  await frame((one) => one["type"] === "hello" || one["type"] === "disconnect");
  return { socket, frames, frame };
}

export const payloadOf = (frame: JsonObject) => frame["payload"] as JsonObject;
export const eventOf = (frame: JsonObject) => payloadOf(frame)["event"] as JsonObject;

/** The payload that was last dispatched, whether or not an app was there to get it. */
export function lastPayload({ room }: TestRoom, name: "slash_commands" | "interactive"): JsonObject {
  const entry = room.journal().findLast((one) => one.kind === "envelope" && one.name === name);
  if (!entry) throw new Error(`nothing was dispatched as ${name}`);
  return (entry.detail["payload"] ?? (entry.detail["envelope"] as JsonObject)["payload"]) as JsonObject;
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

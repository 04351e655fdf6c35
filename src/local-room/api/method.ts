import { blocksTotalChars, type Tier } from "../limits.ts";
import { isObject } from "../manifest.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { parseJson } from "../transport/json.ts";
import type { Channel } from "../world.ts";

/** One Web API method: what it needs before it runs, and what it does. Errors are values, with Slack's own codes. */
export interface Method {
  tier: Tier;
  /** Any one of them will do; empty: none is needed. */
  scopes: readonly string[];
  token: "bot" | "app" | "any" | "none";
  /** Whether GET works too. */
  get?: boolean;
  /** false: the reference names forms only, and JSON arguments count as absent. */
  json?: boolean;
  required?: readonly string[];
  run(call: Call): Answer | Promise<Answer>;
}

export interface Call {
  room: Room;
  args: Args;
}
/** Strings in forms, anything in JSON. */
export type Args = Readonly<Record<string, unknown>>;
export type Answer = JsonObject & { ok: boolean };
export type Failure = JsonObject & { ok: false; error: string };

export const ok = (fields: object = {}): Answer => ({ ok: true, ...(fields as JsonObject) });
export const fail = (error: string, fields: object = {}): Failure => ({ ok: false, error, ...(fields as JsonObject) });
export const invalidArguments = (message: string): Failure =>
  fail("invalid_arguments", { response_metadata: { messages: [`[ERROR] ${message}`] } });
export const isFailure = (value: unknown): value is Failure =>
  isObject(value) && value["ok"] === false && typeof value["error"] === "string";

export function text(args: Args, name: string): string | null {
  const value = args[name];
  if (typeof value === "string") return value === "" ? null : value;
  return typeof value === "number" ? String(value) : null;
}

export function number(args: Args, name: string): number | null {
  const value = Number(text(args, name) ?? Number.NaN);
  return Number.isFinite(value) ? value : null;
}

export function flag(args: Args, name: string): boolean | null {
  const value = args[name];
  if (value === undefined || value === null || value === "") return null;
  return value === true || value === "true" || value === "1" || value === 1;
}

/** Comma-separated in forms, a list in JSON. */
export function items(args: Args, name: string): string[] {
  const value = args[name];
  if (Array.isArray(value)) return value.map(String);
  return typeof value === "string" && value !== "" ? value.split(",").map((item) => item.trim()) : [];
}

/** A complex value: JSON in forms. `undefined` is absent; `"malformed"` is not JSON. */
export function structured(args: Args, name: string): unknown {
  const value = args[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") return value;
  const parsed = parseJson(value);
  return parsed === undefined ? "malformed" : parsed;
}

/** What the validator needs to know of this workspace. */
export const validateOptions = (room: Room) => ({
  unsupportedTypes: room.faults.unsupportedBlocks(),
  scopes: room.manifest.botScopes,
  totalBudget: blocksTotalChars,
});

/** A channel the bot can see; a private one without the bot looks like none at all. */
export function visibleChannel(room: Room, id: string | null): Channel | Failure {
  const channel = id === null ? undefined : room.world.channels.get(id);
  if (!channel || (channel.type !== "public" && !channel.members.has(room.world.botUserId)))
    return fail("channel_not_found");
  return channel;
}

/** A channel the bot may write to. */
export function writableChannel(room: Room, id: string | null): Channel | Failure {
  const channel = visibleChannel(room, id);
  if (isFailure(channel)) return channel;
  if (channel.archived) return fail("is_archived");
  if (!channel.members.has(room.world.botUserId)) return fail("not_in_channel");
  return channel;
}

/** The scope depends on the kind of channel, e.g. `groups:read` for private ones. */
export function missingChannelScope(room: Room, channel: Channel, verb: "read" | "history" | "write"): Failure | null {
  const family = { public: "channels", private: "groups", im: "im" }[channel.type];
  return missingScope(room, [
    `${family}:${verb}`,
    ...(verb === "write" && channel.type === "public" ? ["channels:manage"] : []),
  ]);
}

export function missingScope(room: Room, accepted: readonly string[]): Failure | null {
  if (accepted.length === 0 || accepted.some((scope) => room.manifest.botScopes.includes(scope))) return null;
  return fail("missing_scope", { needed: accepted.join(","), provided: room.manifest.botScopes.join(",") });
}

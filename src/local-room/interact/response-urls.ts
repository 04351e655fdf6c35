import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "../api/body.ts";
import { readContent } from "../api/content.ts";
import { type Args, flag, isFailure, text } from "../api/method.ts";
import { handlesKept, responseUrlLifetimeMs, responseUrlUses } from "../limits.ts";
import { isObject } from "../manifest.ts";
import { forgetOldest } from "../oldest.ts";
import { edit, post, remove, threadOf } from "../posting.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { parseJson } from "../transport/json.ts";
import { findMessage } from "../world.ts";

/** Where an answer to a command or click goes. Works even where the bot is no member. */
export interface ResponseUrls {
  issue(about: ResponseTarget): string;
  find(token: string): Issued | null;
}

export interface ResponseTarget {
  kind: "commands" | "actions";
  channel: string;
  user: string;
  /** The message that was clicked; null for commands. */
  sourceTs: string | null;
  threadTs: string | null;
}
interface Issued {
  about: ResponseTarget;
  expiresAtMs: number;
  uses: number;
}

export function createResponseUrls(deps: { nowMs: () => number; url: () => string; teamId: string }): ResponseUrls {
  const issued = new Map<string, Issued>();
  return {
    issue(about) {
      const token = randomBytes(18).toString("base64url");
      issued.set(token, { about, expiresAtMs: deps.nowMs() + responseUrlLifetimeMs, uses: 0 });
      forgetOldest(issued, handlesKept);
      return `${deps.url()}/${about.kind}/${deps.teamId}/${issued.size}/${token}`;
    },
    find: (token) => issued.get(token) ?? null,
  };
}

/** `/commands/…` and `/actions/…`. Five uses in thirty minutes; then 404. */
export async function serveResponseUrl(room: Room, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "").split("?")[0] ?? "";
  const body = await readBody(request);
  const args = body === null ? null : argumentsOf(request.headers["content-type"] ?? "", body.toString());
  const [status, answer, retryAfter] =
    request.method === "POST" ? respond(room, path, args) : [405, { ok: false, error: "method_not_allowed" }, null];
  const error = typeof answer["error"] === "string" ? answer["error"] : null;
  room.journal.record({
    kind: "response-url",
    name: path.split("/")[1] ?? "",
    ok: status === 200,
    error,
    detail: { status, args: (args ?? {}) as JsonObject },
  });
  room.journal.changed("call");
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    ...(retryAfter === null ? {} : { "retry-after": String(retryAfter) }),
  });
  response.end(JSON.stringify(answer));
}

type Reply = [status: number, answer: JsonObject, retryAfterSeconds: number | null];
const refuse = (status: number, error: string): Reply => [status, { ok: false, error }, null];

function respond(room: Room, path: string, args: Args | null): Reply {
  const issued = room.responseUrls.find(path.split("/").at(-1) ?? "");
  if (room.faults.outage()) return refuse(503, "service_unavailable");
  if (!issued) return refuse(404, "invalid_url");
  if (room.clock.nowMs() > issued.expiresAtMs) return refuse(404, "expired_url");
  if (issued.uses >= responseUrlUses) return refuse(404, "used_url");
  const wait = room.rate.takeWebhook(path);
  if (wait !== null) return [429, { ok: false, error: "rate_limited" }, wait];
  if (args === null) return refuse(400, "invalid_payload");
  const problem = carryOut(room, issued.about, args);
  if (problem) return [400, problem, null];
  issued.uses += 1;
  return [200, { ok: true }, null];
}

function argumentsOf(contentType: string, body: string): Args | null {
  if (contentType.startsWith("application/x-www-form-urlencoded")) {
    const payload = new URLSearchParams(body).get("payload");
    const parsed = payload === null ? undefined : parseJson(payload);
    return isObject(parsed) ? parsed : null;
  }
  const parsed = parseJson(body);
  return isObject(parsed) ? parsed : null;
}

/** What an answer in this shape does to the channel; also used for the body of an acked command. null when done. */
export function carryOut(room: Room, about: ResponseTarget, args: Args): JsonObject | null {
  const channel = room.world.channels.get(about.channel);
  if (!channel || channel.archived) return { ok: false, error: "channel_not_found" };
  const source = about.sourceTs === null ? null : findMessage(room.world, channel.id, about.sourceTs);
  if (flag(args, "delete_original") === true) {
    if (!source) return { ok: false, error: "message_not_found" };
    remove(room, channel, source);
    return null;
  }
  const content = readContent(room, args, { parse: "none" });
  if (isFailure(content)) return content;
  const { warnings: _warnings, ...draft } = content;
  if (flag(args, "replace_original") === true && source) {
    edit(room, channel, source, { ...draft, edited: { user: room.world.botUserId, ts: room.nextTs() } });
    return null;
  }
  const inChannel = text(args, "response_type") === "in_channel";
  const wanted = text(args, "thread_ts") ?? (flag(args, "replace_original") === false ? about.threadTs : null);
  post(room, channel, {
    ...draft,
    user: room.world.botUserId,
    fromApp: true,
    subtype: inChannel ? "bot_message" : null,
    threadTs: threadOf(room, channel, wanted).threadTs,
    ephemeralFor: inChannel ? null : about.user,
  });
  return null;
}

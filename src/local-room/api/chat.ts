import { ephemeralTextBytes, updateTextChars } from "../limits.ts";
import { messageJson, permalinkOf } from "../message-json.ts";
import { edit, post, remove, threadOf } from "../posting.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { type Channel, findMessage, type Message } from "../world.ts";
import { type Content, lintArguments, readContent } from "./content.ts";
import { openDm } from "./direct.ts";
import {
  type Answer,
  type Args,
  type Call,
  type Failure,
  fail,
  flag,
  isFailure,
  type Method,
  ok,
  structured,
  text,
  visibleChannel,
  writableChannel,
} from "./method.ts";

const write = { scopes: ["chat:write"], token: "bot" } as const;

export const chatMethods: Record<string, Method> = {
  "chat.postMessage": { ...write, tier: "special", required: ["channel"], run: postMessage },
  "chat.update": { ...write, tier: 3, required: ["channel", "ts"], run: update },
  "chat.delete": { ...write, tier: 3, required: ["channel", "ts"], run: deleteMessage },
  "chat.postEphemeral": { ...write, tier: 4, required: ["channel", "user"], run: postEphemeral },
  "chat.getPermalink": {
    scopes: [],
    token: "bot",
    tier: "special",
    get: true,
    json: false,
    required: ["channel", "message_ts"],
    run: getPermalink,
  },
};

function postMessage({ room, args }: Call): Answer {
  const found = destination(room, text(args, "channel"));
  if (isFailure(found)) return found;
  const content = readContent(room, args, { parse: "none" });
  if (isFailure(content)) return content;
  const message = postContent(room, found.channel, args, content);
  const warnings = [...content.warnings, ...found.warnings];
  return ok({
    channel: found.channel.id,
    ts: message.ts,
    message: messageJson(room, message, { metadata: true }),
    ...(warnings.length > 0 ? { warning: warnings.join(","), response_metadata: { warnings } } : {}),
  });
}

/** Posts checked content as the app; also how a scheduled message comes out. */
export function postContent(room: Room, channel: Channel, args: Args, content: Content): Message {
  const wanted = text(args, "thread_ts");
  const { threadTs, odd } = threadOf(room, channel, wanted);
  const broadcast = threadTs !== null && flag(args, "reply_broadcast") === true;
  const { warnings: _warnings, ...draft } = content;
  const message = post(room, channel, {
    ...draft,
    user: room.world.botUserId,
    fromApp: true,
    threadTs,
    broadcast,
    subtype: broadcast ? "thread_broadcast" : null,
  });
  lintArguments(room, args, content, message);
  const where = { channel: channel.id, ts: message.ts };
  if (odd === "reply") room.ledgers.lint("reply-to-reply", `thread_ts ${wanted} is itself a reply`, where);
  if (odd === "unknown") room.ledgers.lint("unknown-thread", `thread_ts ${wanted} names no message`, where);
  return message;
}

/** By id; a name works with a warning; a user's id opens the DM. */
function destination(room: Room, wanted: string | null): { channel: Channel; warnings: string[] } | Failure {
  if (wanted !== null && /^[UW][A-Z0-9]+$/.test(wanted)) {
    const channel = openDm(room, wanted);
    return isFailure(channel) ? channel : { channel, warnings: [] };
  }
  const byName = [...room.world.channels.values()].find(
    (channel) => channel.name !== "" && channel.name === wanted?.replace(/^#/, ""),
  );
  const channel = writableChannel(room, byName?.id ?? wanted);
  return isFailure(channel) ? channel : { channel, warnings: byName ? ["channel_by_name"] : [] };
}

function update({ room, args }: Call): Answer {
  const found = ownMessage(room, args, "cant_update_message");
  if (isFailure(found)) return found;
  const { channel, message } = found;
  if (room.faults.on("editWindowClosed")) return fail("edit_window_closed");
  if ((text(args, "text") ?? "").length > updateTextChars) return fail("msg_too_long");
  const content = readContent(room, args, { parse: "client" });
  if (isFailure(content)) return content;
  if (message.streaming === "open") return fail("streaming_state_conflict");
  if (
    isRichText(message.blocks) &&
    content.blocks !== null &&
    !content.blocks.some((block) => block["type"] === "rich_text")
  ) {
    return fail("block_mismatch");
  }
  edit(room, channel, message, {
    text: content.text,
    // Text alone takes blocks and attachments away.
    blocks: content.blocks,
    attachments: content.attachments,
    metadata: structured(args, "metadata") === undefined ? message.metadata : content.metadata,
    parse: content.parse,
    linkNames: content.linkNames,
    edited: { user: room.world.botUserId, ts: room.nextTs() },
  });
  return ok({
    channel: channel.id,
    ts: message.ts,
    text: message.text,
    message: messageJson(room, message, { metadata: true }),
  });
}

/** The documented refusal is read as: a message made of rich text only may not lose all of it. */
const isRichText = (blocks: JsonObject[] | null) =>
  blocks !== null && blocks.length > 0 && blocks.every((block) => block["type"] === "rich_text");

function deleteMessage({ room, args }: Call): Answer {
  const found = ownMessage(room, args, "cant_delete_message");
  if (isFailure(found)) return found;
  remove(room, found.channel, found.message);
  return ok({ channel: found.channel.id, ts: found.message.ts });
}

function ownMessage(room: Room, args: Args, otherwise: string): { channel: Channel; message: Message } | Failure {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  if (channel.archived) return fail(otherwise === "cant_update_message" ? "is_inactive" : otherwise);
  const message = findMessage(room.world, channel.id, text(args, "ts") ?? "");
  if (!message || message.ephemeralFor !== null || message.tombstone) return fail("message_not_found");
  return message.fromApp ? { channel, message } : fail(otherwise);
}

function postEphemeral({ room, args }: Call): Answer {
  const channel = writableChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const user = room.world.users.get(text(args, "user") ?? "");
  if (!user || user.deleted || !channel.members.has(user.id)) return fail("user_not_in_channel");
  if (Buffer.byteLength(text(args, "text") ?? "") > ephemeralTextBytes) return fail("msg_too_long");
  const content = readContent(room, args, { parse: "none" });
  if (isFailure(content)) return content;
  const { warnings: _warnings, metadata: _metadata, ...draft } = content;
  const { threadTs } = threadOf(room, channel, text(args, "thread_ts"));
  const message = post(room, channel, {
    ...draft,
    user: room.world.botUserId,
    fromApp: true,
    threadTs,
    ephemeralFor: user.id,
  });
  return ok({ message_ts: message.ts });
}

function getPermalink({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const message = findMessage(room.world, channel.id, text(args, "message_ts") ?? "");
  if (!message || message.ephemeralFor !== null) return fail("message_not_found");
  return ok({ channel: channel.id, permalink: permalinkOf(room, message) });
}

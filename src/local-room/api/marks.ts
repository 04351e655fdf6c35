import { emitEvent } from "../events.ts";
import { bookmarkLinkChars, bookmarkTitleChars, pinsPerChannel, reactionsPerMessage } from "../limits.ts";
import { messageJson } from "../message-json.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { type Channel, findMessage, type Message } from "../world.ts";
import {
  type Answer,
  type Args,
  type Call,
  type Failure,
  fail,
  isFailure,
  type Method,
  ok,
  text,
  visibleChannel,
  writableChannel,
} from "./method.ts";

/** Reactions, pins and bookmarks. */
export const markMethods: Record<string, Method> = {
  "reactions.add": {
    tier: 3,
    scopes: ["reactions:write"],
    token: "bot",
    required: ["channel", "timestamp", "name"],
    run: addReaction,
  },
  "reactions.remove": { tier: 2, scopes: ["reactions:write"], token: "bot", required: ["name"], run: removeReaction },
  "reactions.get": {
    tier: 3,
    scopes: ["reactions:read"],
    token: "bot",
    get: true,
    json: false,
    required: ["channel", "timestamp"],
    run: getReactions,
  },
  "pins.add": { tier: 2, scopes: ["pins:write"], token: "bot", required: ["channel"], run: addPin },
  "pins.remove": { tier: 2, scopes: ["pins:write"], token: "bot", required: ["channel"], run: removePin },
  "pins.list": {
    tier: 2,
    scopes: ["pins:read"],
    token: "bot",
    get: true,
    json: false,
    required: ["channel"],
    run: listPins,
  },
  "bookmarks.add": {
    tier: 2,
    scopes: ["bookmarks:write"],
    token: "bot",
    required: ["channel_id", "title", "type"],
    run: addBookmark,
  },
  "bookmarks.edit": {
    tier: 2,
    scopes: ["bookmarks:write"],
    token: "bot",
    required: ["channel_id", "bookmark_id"],
    run: editBookmark,
  },
  "bookmarks.list": { tier: 3, scopes: ["bookmarks:read"], token: "bot", required: ["channel_id"], run: listBookmarks },
  "bookmarks.remove": {
    tier: 2,
    scopes: ["bookmarks:write"],
    token: "bot",
    required: ["channel_id", "bookmark_id"],
    run: removeBookmark,
  },
};

function target(room: Room, args: Args): { channel: Channel; message: Message } | Failure {
  const channel = writableChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const ts = text(args, "timestamp");
  if (ts === null) return fail("no_item_specified");
  if (!/^\d+\.\d+$/.test(ts)) return fail("bad_timestamp");
  const message = findMessage(room.world, channel.id, ts);
  return message && message.ephemeralFor === null ? { channel, message } : fail("message_not_found");
}

function addReaction({ room, args }: Call): Answer {
  const found = target(room, args);
  if (isFailure(found)) return found;
  const name = (text(args, "name") ?? "").replaceAll(":", "");
  if (!emojiName.test(name)) return fail("invalid_name");
  if (found.message.reactions.get(name)?.has(room.world.botUserId)) return fail("already_reacted");
  if (!found.message.reactions.has(name) && found.message.reactions.size >= reactionsPerMessage)
    return fail("too_many_emoji");
  react(room, found.message, room.world.botUserId, name);
  return ok();
}

function removeReaction({ room, args }: Call): Answer {
  const found = target(room, args);
  if (isFailure(found)) return found;
  const name = (text(args, "name") ?? "").replaceAll(":", "");
  if (!emojiName.test(name)) return fail("invalid_name");
  return unreact(room, found.message, room.world.botUserId, name) ? ok() : fail("no_reaction");
}

export const emojiName = /^[a-z0-9_'+-]+(::skin-tone-[2-6])?$/;

/** Also what people do in the page. */
export function react(room: Room, message: Message, user: string, name: string): void {
  const users = message.reactions.get(name) ?? new Set();
  users.add(user);
  message.reactions.set(name, users);
  announce(room, message, user, name, "reaction_added");
}

export function unreact(room: Room, message: Message, user: string, name: string): boolean {
  const users = message.reactions.get(name);
  if (!users?.delete(user)) return false;
  if (users.size === 0) message.reactions.delete(name);
  announce(room, message, user, name, "reaction_removed");
  return true;
}

function announce(room: Room, message: Message, user: string, reaction: string, type: string): void {
  room.journal.changed("reaction", { channel: message.channel });
  const item = { type: "message", channel: message.channel, ts: message.ts };
  const channel = room.world.channels.get(message.channel) ?? null;
  emitEvent(room, { type, user, reaction, item, item_user: message.user, event_ts: room.nextTs() }, channel);
}

function getReactions({ room, args }: Call): Answer {
  const found = target(room, args);
  if (isFailure(found)) return found;
  return ok({ type: "message", channel: found.channel.id, message: messageJson(room, found.message, {}) });
}

function addPin({ room, args }: Call): Answer {
  const found = target(room, args);
  if (isFailure(found)) return found;
  if (found.message.pinned) return fail("already_pinned");
  const pinned = (room.world.messages.get(found.channel.id) ?? []).filter((message) => message.pinned).length;
  if (pinned >= pinsPerChannel) return fail("too_many_pins");
  found.message.pinned = true;
  room.journal.changed("message", { channel: found.channel.id });
  return ok();
}

function removePin({ room, args }: Call): Answer {
  const found = target(room, args);
  if (isFailure(found)) return found;
  if (!found.message.pinned) return fail("no_pin");
  found.message.pinned = false;
  room.journal.changed("message", { channel: found.channel.id });
  return ok();
}

function listPins({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const pinned = (room.world.messages.get(channel.id) ?? []).filter((message) => message.pinned);
  return ok({
    items: pinned.map((message) => ({
      type: "message",
      channel: channel.id,
      created: 0,
      created_by: room.world.botUserId,
      message: messageJson(room, message, {}),
    })),
  });
}

function addBookmark({ room, args }: Call): Answer {
  const channel = writableChannel(room, text(args, "channel_id"));
  if (isFailure(channel)) return channel;
  if (text(args, "type") !== "link") return fail("invalid_bookmark_type");
  const problem = bookmarkProblem(text(args, "title") ?? "", text(args, "link"));
  if (problem) return problem;
  const id = room.random.id("Bk");
  const bookmark: JsonObject = {
    id,
    channel_id: channel.id,
    title: text(args, "title"),
    link: text(args, "link"),
    emoji: text(args, "emoji") ?? "",
    type: "link",
    date_created: Math.floor(room.clock.nowMs() / 1000),
    app_id: room.world.appId,
  };
  room.world.bookmarks.set(id, bookmark);
  room.journal.changed("channel", { channel: channel.id });
  return ok({ bookmark });
}

function editBookmark({ room, args }: Call): Answer {
  const found = bookmarkOf(room, args);
  if (isFailure(found)) return found;
  const title = text(args, "title") ?? String(found["title"]);
  const link = text(args, "link") ?? String(found["link"]);
  const problem = bookmarkProblem(title, link);
  if (problem) return problem;
  const bookmark = { ...found, title, link };
  room.world.bookmarks.set(String(found["id"]), bookmark);
  return ok({ bookmark });
}

function bookmarkProblem(title: string, link: string | null): Failure | null {
  if (title.length === 0 || title.length > bookmarkTitleChars) return invalid("title", bookmarkTitleChars);
  if (link === null || !/^https?:\/\/\S+$/.test(link)) return fail("invalid_link");
  return link.length > bookmarkLinkChars ? invalid("link", bookmarkLinkChars) : null;
}

const invalid = (field: string, max: number) =>
  fail("invalid_arguments", {
    response_metadata: { messages: [`[ERROR] must be less than ${max + 1} characters [json-pointer:/${field}]`] },
  });

function bookmarkOf(room: Room, args: Args): JsonObject | Failure {
  const channel = writableChannel(room, text(args, "channel_id"));
  if (isFailure(channel)) return channel;
  const bookmark = room.world.bookmarks.get(text(args, "bookmark_id") ?? "");
  return bookmark && bookmark["channel_id"] === channel.id ? bookmark : fail("not_found");
}

function listBookmarks({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel_id"));
  if (isFailure(channel)) return channel;
  return ok({
    bookmarks: [...room.world.bookmarks.values()].filter((bookmark) => bookmark["channel_id"] === channel.id),
  });
}

function removeBookmark({ room, args }: Call): Answer {
  const found = bookmarkOf(room, args);
  if (isFailure(found)) return found;
  room.world.bookmarks.delete(String(found["id"]));
  return ok();
}

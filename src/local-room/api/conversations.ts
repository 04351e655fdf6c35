import { emitEvent } from "../events.ts";
import { historyNonMarketplace, pageMax } from "../limits.ts";
import { messageJson } from "../message-json.ts";
import type { JsonObject } from "../protocol.ts";
import { channelTypeOf, findMessage, type Message, repliesOf } from "../world.ts";
import { channelJson } from "./channel-json.ts";
import { manageMethods } from "./channel-manage.ts";
import { openDm } from "./direct.ts";
import {
  type Answer,
  type Call,
  fail,
  flag,
  isFailure,
  items,
  type Method,
  missingChannelScope,
  number,
  ok,
  text,
  visibleChannel,
} from "./method.ts";
import { page } from "./paging.ts";

const read = ["channels:read", "groups:read", "im:read"];
const history = ["channels:history", "groups:history", "im:history"];

export const conversationMethods: Record<string, Method> = {
  "conversations.info": {
    tier: 3,
    scopes: read,
    token: "bot",
    get: true,
    json: false,
    required: ["channel"],
    run: info,
  },
  "conversations.list": {
    tier: 2,
    scopes: read,
    token: "bot",
    get: true,
    json: false,
    run: (call) => listChannels(call, null),
  },
  "users.conversations": { tier: 3, scopes: read, token: "bot", get: true, json: false, run: usersConversations },
  "conversations.members": {
    tier: 4,
    scopes: read,
    token: "bot",
    get: true,
    json: false,
    required: ["channel"],
    run: members,
  },
  "conversations.history": {
    tier: 3,
    scopes: history,
    token: "bot",
    get: true,
    required: ["channel"],
    run: channelHistory,
  },
  "conversations.replies": {
    tier: 3,
    scopes: history,
    token: "bot",
    get: true,
    json: false,
    required: ["channel", "ts"],
    run: replies,
  },
  "conversations.open": {
    tier: 3,
    scopes: ["im:write", "mpim:write", "channels:manage", "groups:write"],
    token: "bot",
    run: open,
  },
  ...manageMethods,
};

function info({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  return (
    missingChannelScope(room, channel, "read") ??
    ok({ channel: channelJson(room, channel, flag(args, "include_num_members") === true) })
  );
}

function listChannels({ room, args }: Call, memberId: string | null): Answer {
  const types = items(args, "types");
  const wanted = types.length > 0 ? types : ["public_channel"];
  if (wanted.some((type) => !["public_channel", "private_channel", "im", "mpim"].includes(type)))
    return fail("invalid_types");
  const kinds = { public: "public_channel", private: "private_channel", im: "im" } as const;
  const bot = room.world.botUserId;
  const found = [...room.world.channels.values()].filter(
    (channel) =>
      wanted.includes(kinds[channel.type]) &&
      missingChannelScope(room, channel, "read") === null &&
      (channel.type === "public" || channel.members.has(bot)) &&
      (memberId === null || channel.members.has(memberId)) &&
      !(flag(args, "exclude_archived") === true && channel.archived),
  );
  const cut = page(room, args, found, pageMax);
  if (isFailure(cut)) return cut;
  return ok({
    channels: cut.items.map((channel) => channelJson(room, channel, true)),
    response_metadata: { next_cursor: cut.next },
  });
}

function usersConversations(call: Call): Answer {
  const user = text(call.args, "user") ?? call.room.world.botUserId;
  return call.room.world.users.has(user) ? listChannels(call, user) : fail("user_not_found");
}

function members({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const missing = missingChannelScope(room, channel, "read");
  if (missing) return missing;
  const cut = page(room, args, [...channel.members], pageMax);
  if (isFailure(cut)) return cut;
  return ok({ members: cut.items, response_metadata: { next_cursor: cut.next } });
}

function channelHistory(call: Call): Answer {
  const { room, args } = call;
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const missing = missingChannelScope(room, channel, "history");
  if (missing) return missing;
  if (!channel.members.has(room.world.botUserId)) return fail("not_in_channel");
  const all = (room.world.messages.get(channel.id) ?? []).filter(
    (message) =>
      message.ephemeralFor === null &&
      (message.threadTs === null || message.threadTs === message.ts || message.broadcast),
  );
  const pins = all.filter((message) => message.pinned).length;
  const fields = { pin_count: pins, channel_actions_ts: null, channel_actions_count: 0 };
  return messagePage(call, all.toReversed(), { fields });
}

function replies(call: Call): Answer {
  const { room, args } = call;
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const missing = missingChannelScope(room, channel, "history");
  if (missing) return missing;
  if (!channel.members.has(room.world.botUserId)) return fail("not_in_channel");
  const named = findMessage(room.world, channel.id, text(args, "ts") ?? "");
  const parent =
    named && named.ephemeralFor === null
      ? (findMessage(room.world, channel.id, named.threadTs ?? named.ts) ?? named)
      : null;
  if (!parent) return fail("thread_not_found");
  return messagePage(call, repliesOf(room.world, channel.id, parent.ts), { parent });
}

/** The parent of a thread comes first on every page, as in conversations.replies. */
function messagePage({ room, args }: Call, all: Message[], more: { parent?: Message; fields?: JsonObject }): Answer {
  const oldest = text(args, "oldest") ?? "0";
  const latest = text(args, "latest");
  if (!isTs(oldest)) return fail("invalid_ts_oldest");
  if (latest !== null && !isTs(latest)) return fail("invalid_ts_latest");
  const inclusive = flag(args, "inclusive") === true;
  const within = all.filter((message) => {
    const after = compareTs(message.ts, oldest);
    const before = latest === null ? -1 : compareTs(message.ts, latest);
    return (after > 0 || (inclusive && after === 0)) && (before < 0 || (inclusive && before === 0));
  });
  const cap = room.rate.mode() === "non-marketplace" ? historyNonMarketplace : 999;
  const cut = page(room, { ...args, limit: Math.min(number(args, "limit") ?? cap, cap) }, within, cap);
  if (isFailure(cut)) return cut;
  const metadata = flag(args, "include_all_metadata") === true;
  const shown = [...(more.parent ? [more.parent] : []), ...cut.items];
  return ok({
    messages: shown.map((message) => messageJson(room, message, { metadata })),
    has_more: cut.next !== "",
    ...more.fields,
    ...(cut.next === "" ? {} : { response_metadata: { next_cursor: cut.next } }),
  });
}

const isTs = (value: string) => /^\d+(\.\d+)?$/.test(value);

function compareTs(left: string, right: string): number {
  const [leftSeconds = "0", leftMicros = "0"] = left.split(".");
  const [rightSeconds = "0", rightMicros = "0"] = right.split(".");
  return (
    Number(leftSeconds) - Number(rightSeconds) || Number(leftMicros.padEnd(6, "0")) - Number(rightMicros.padEnd(6, "0"))
  );
}

function open({ room, args }: Call): Answer {
  const id = text(args, "channel");
  if (id !== null) {
    const channel = visibleChannel(room, id);
    if (isFailure(channel)) return channel;
    return channel.type === "im" ? ok({ channel: { id } }) : fail("method_not_supported_for_channel_type");
  }
  const users = items(args, "users");
  const [user] = users;
  if (user === undefined) return fail("users_list_not_supplied");
  // Group DMs are no part of this room: to the app it looks as if nobody had granted them.
  if (users.length > 1)
    return fail("missing_scope", { needed: "mpim:write", provided: room.manifest.botScopes.join(",") });
  const channel = openDm(room, user);
  if (isFailure(channel)) return channel.error === "channel_not_found" ? fail("user_not_found") : channel;
  emitEvent(room, { type: "im_created", user, channel: { id: channel.id } });
  return ok({
    channel: { id: channel.id, ...(flag(args, "return_im") ? { is_im: channelTypeOf(channel) === "im", user } : {}) },
  });
}

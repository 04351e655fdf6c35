import { channelNameChars, topicChars } from "../limits.ts";
import { addMember, archive } from "../membership.ts";
import type { Room } from "../room.ts";
import type { Channel } from "../world.ts";
import { channelJson } from "./channel-json.ts";
import { newChannel } from "./direct.ts";
import {
  type Answer,
  type Call,
  type Failure,
  fail,
  flag,
  isFailure,
  items,
  type Method,
  missingScope,
  ok,
  text,
  visibleChannel,
} from "./method.ts";

const manage = ["channels:manage", "groups:write"];

export const manageMethods: Record<string, Method> = {
  "conversations.join": { tier: 3, scopes: ["channels:join"], token: "bot", required: ["channel"], run: join },
  "conversations.invite": {
    tier: 3,
    scopes: ["channels:write.invites", "groups:write.invites", ...manage],
    token: "bot",
    required: ["channel"],
    run: invite,
  },
  "conversations.create": { tier: 2, scopes: manage, token: "bot", required: ["name"], run: create },
  "conversations.rename": { tier: 2, scopes: manage, token: "bot", required: ["channel", "name"], run: rename },
  "conversations.setTopic": {
    tier: 2,
    scopes: ["channels:write.topic", "groups:write.topic", ...manage],
    token: "bot",
    required: ["channel"],
    run: (call) => describe(call, "topic"),
  },
  "conversations.setPurpose": {
    tier: 2,
    scopes: ["channels:write.topic", "groups:write.topic", ...manage],
    token: "bot",
    required: ["channel"],
    run: (call) => describe(call, "purpose"),
  },
  "conversations.archive": { tier: 2, scopes: manage, token: "bot", required: ["channel"], run: archiveChannel },
};

/** A named channel that the bot is in and that is still open. */
function managed(room: Room, id: string | null): Channel | Failure {
  const channel = visibleChannel(room, id);
  if (isFailure(channel)) return channel;
  if (channel.type === "im") return fail("method_not_supported_for_channel_type");
  if (channel.archived) return fail("is_archived");
  return channel.members.has(room.world.botUserId) ? channel : fail("not_in_channel");
}

function join({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  if (channel.type !== "public") return fail("method_not_supported_for_channel_type");
  if (channel.archived) return fail("is_archived");
  const already = !addMember(room, channel, room.world.botUserId, null);
  const warning = already
    ? { warning: "already_in_channel", response_metadata: { warnings: ["already_in_channel"] } }
    : {};
  return ok({ channel: channelJson(room, channel, true), ...warning });
}

function invite({ room, args }: Call): Answer {
  const channel = managed(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const users = items(args, "users");
  if (users.length === 0) return fail("no_user");
  for (const id of users) {
    const user = room.world.users.get(id);
    if (!user || user.deleted) return fail("user_not_found");
    if (id === room.world.botUserId) return fail("cant_invite_self");
    if (channel.members.has(id)) return fail("already_in_channel");
  }
  for (const id of users) addMember(room, channel, id, room.world.botUserId);
  return ok({ channel: channelJson(room, channel, true) });
}

function create({ room, args }: Call): Answer {
  const name = text(args, "name") ?? "";
  const problem = nameProblem(room, name);
  if (problem) return problem;
  const isPrivate = flag(args, "is_private") === true;
  const missing = missingScope(room, [isPrivate ? "groups:write" : "channels:manage"]);
  if (missing) return missing;
  const bot = room.world.botUserId;
  const channel = newChannel(room, {
    id: room.random.id("C"),
    name,
    type: isPrivate ? "private" : "public",
    members: [bot],
    creator: bot,
  });
  room.journal.changed("channel", { channel: channel.id });
  return ok({ channel: channelJson(room, channel, true) });
}

function rename({ room, args }: Call): Answer {
  const channel = managed(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const name = text(args, "name") ?? "";
  const problem = nameProblem(room, name);
  if (problem) return problem;
  if (channel.creator !== room.world.botUserId) return fail("not_authorized");
  channel.name = name;
  room.journal.changed("channel", { channel: channel.id });
  return ok({ channel: channelJson(room, channel, true) });
}

function nameProblem(room: Room, name: string): Failure | null {
  if (name.length > channelNameChars) return fail("invalid_name_maxlength");
  if (!/[\p{L}\p{N}]/u.test(name)) return fail("invalid_name_required");
  if (/[A-Z\s.]/.test(name) || !/^[\p{L}\p{N}_-]+$/u.test(name)) return fail("invalid_name_specials");
  const taken = [...room.world.channels.values()].some((channel) => channel.name === name);
  return taken ? fail("name_taken") : null;
}

function describe({ room, args }: Call, field: "topic" | "purpose"): Answer {
  const channel = managed(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const value = text(args, field) ?? "";
  if (value.length > topicChars) return fail("too_long");
  channel[field] = value;
  room.journal.changed("channel", { channel: channel.id });
  return ok({ channel: channelJson(room, channel, false) });
}

function archiveChannel({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  if (channel.type === "im") return fail("method_not_supported_for_channel_type");
  if (channel.archived) return fail("already_archived");
  if (channel.name === "general") return fail("cant_archive_general");
  if (!channel.members.has(room.world.botUserId)) return fail("not_in_channel");
  archive(room, channel, room.world.botUserId);
  return ok();
}

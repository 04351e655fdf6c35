import type { JsonObject } from "./protocol.ts";
import type { Room } from "./room.ts";
import { type Channel, channelTypeOf, type Message } from "./world.ts";

/**
 * Sends an event to the app if the manifest subscribes to it, the scopes cover it and, where it has a channel, the bot
 * is in that channel.
 */
export function emitEvent(room: Room, event: JsonObject, channel: Channel | null = null): void {
  const subscription = subscriptionOf(String(event["type"]), channel);
  if (!room.manifest.botEvents.includes(subscription)) return;
  const scopes = eventScopes[subscription];
  if (scopes && !scopes.some((scope) => room.manifest.botScopes.includes(scope))) return;
  if (channel && !channel.members.has(room.world.botUserId) && !seenFromOutside.has(subscription)) return;
  room.delivery.sendEvent(wrapEvent(room, event));
}

function wrapEvent(room: Room, event: JsonObject): JsonObject {
  const { world } = room;
  return {
    token: room.access.verificationToken,
    team_id: world.team.id,
    context_team_id: world.team.id,
    context_enterprise_id: null,
    api_app_id: world.appId,
    event,
    type: "event_callback",
    event_id: room.random.id("Ev"),
    event_time: Math.floor(room.clock.nowMs() / 1000),
    authorizations: [
      {
        enterprise_id: null,
        team_id: world.team.id,
        user_id: world.botUserId,
        is_bot: true,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel: false,
    event_context: `4-${room.random.hex(24)}`,
  };
}

/** A posted message as events: `message` for everybody's, `app_mention` besides when a person names the bot. */
export function emitMessage(room: Room, message: Message, json: JsonObject, channel: Channel): void {
  const common = { ...json, channel: channel.id, event_ts: message.ts };
  emitEvent(room, { ...common, channel_type: channelTypeOf(channel) }, channel);
  const mentionsBot = message.text.includes(`<@${room.world.botUserId}`);
  if (!mentionsBot || message.fromApp || channel.type === "im" || message.subtype !== null) return;
  const { subtype: _none, ...mention } = common as JsonObject;
  emitEvent(room, { ...mention, type: "app_mention" }, channel);
}

function subscriptionOf(type: string, channel: Channel | null): string {
  if (type !== "message" || !channel) return type;
  return { public: "message.channels", private: "message.groups", im: "message.im" }[channel.type];
}

/** Any one of the scopes will do. [D reference/events] */
const eventScopes: Record<string, string[]> = {
  app_mention: ["app_mentions:read"],
  "message.channels": ["channels:history"],
  "message.groups": ["groups:history"],
  "message.im": ["im:history"],
  member_joined_channel: ["channels:read", "groups:read"],
  member_left_channel: ["channels:read", "groups:read"],
  channel_archive: ["channels:read"],
  channel_rename: ["channels:read"],
  subteam_members_changed: ["usergroups:read"],
  reaction_added: ["reactions:read"],
  reaction_removed: ["reactions:read"],
  file_shared: ["files:read"],
  pin_added: ["pins:read"],
};

/** Channel events that an app gets for public channels it is not in. */
const seenFromOutside = new Set(["channel_archive", "channel_rename"]);

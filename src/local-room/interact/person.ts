import type { ControlRefusal, JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { Ack } from "../transport/delivery.ts";
import { type Channel, channelNameIn } from "../world.ts";

/** What every interaction payload says about the app, the team and the person. */
export function interaction(room: Room, user: string, viewId: string | null): JsonObject {
  const { team, appId, users } = room.world;
  const name = users.get(user)?.name ?? user;
  return {
    team: { id: team.id, domain: team.domain },
    user: { id: user, username: name, name, team_id: team.id },
    api_app_id: appId,
    token: room.access.verificationToken,
    trigger_id: room.triggers.issue({ user, viewId }),
    enterprise: null,
    is_enterprise_install: false,
  };
}

export const channelRef = (channel: Channel): JsonObject => ({
  id: channel.id,
  name: channelNameIn(channel, "command"),
});

export const refusal = (error: string, message: string): ControlRefusal => ({ ok: false, error, message });

/** How Slack tells a person that the app did not answer; null when it did. The wording is ours. */
export function unanswered(ack: Ack, what: string): ControlRefusal | null {
  switch (ack.kind) {
    case "acked":
      return null;
    case "timeout":
      return refusal(
        "operation_timeout",
        `${what} failed with the error "operation_timeout": the app did not answer within three seconds.`,
      );
    case "unreachable":
      return refusal("dispatch_failed", `${what} failed with the error "dispatch_failed": the app is not connected.`);
    case "refused":
      return refusal(
        "dispatch_failed",
        `${what} failed with the error "dispatch_failed": the app answered with HTTP ${ack.status}.`,
      );
  }
}

/** A person who may act in a channel, or why not. */
export function memberChannel(room: Room, user: string, channelId: string): Channel | ControlRefusal {
  const channel = room.world.channels.get(channelId);
  if (!channel || (channel.type !== "public" && !channel.members.has(user)))
    return refusal("channel_not_found", "There is no such channel, or you cannot see it.");
  if (channel.archived) return refusal("is_archived", "This channel is archived: nothing can be posted in it.");
  if (!channel.members.has(user)) return refusal("not_in_channel", "Join this channel first.");
  return channel;
}

export const isRefusal = (value: object): value is ControlRefusal => "ok" in value && value.ok === false;

import { emitEvent } from "./events.ts";
import { post } from "./posting.ts";
import type { Room } from "./room.ts";
import type { Channel } from "./world.ts";

/** false when the person was in already. The app hears of it once it is in the channel itself. */
export function addMember(room: Room, channel: Channel, user: string, inviter: string | null): boolean {
  if (channel.members.has(user)) return false;
  channel.members.add(user);
  room.journal.changed("channel", { channel: channel.id });
  const letter = { public: "C", private: "G", im: "D" }[channel.type];
  const ts = room.nextTs();
  const event = {
    type: "member_joined_channel",
    user,
    channel: channel.id,
    channel_type: letter,
    team: room.world.team.id,
    event_ts: ts,
  };
  emitEvent(room, inviter === null ? event : { ...event, inviter }, channel);
  post(room, channel, {
    user,
    text: `<@${user}> has joined the channel`,
    subtype: channel.type === "private" ? "group_join" : "channel_join",
  });
  return true;
}

export function removeMember(room: Room, channel: Channel, user: string): boolean {
  if (!channel.members.delete(user)) return false;
  room.journal.changed("channel", { channel: channel.id });
  emitEvent(
    room,
    { type: "member_left_channel", user, channel: channel.id, team: room.world.team.id, event_ts: room.nextTs() },
    channel,
  );
  return true;
}

export function archive(room: Room, channel: Channel, user: string): void {
  channel.archived = true;
  room.journal.changed("channel", { channel: channel.id });
  emitEvent(
    room,
    { type: "channel_archive", channel: channel.id, user, is_moved: 0, event_ts: room.nextTs() },
    channel,
  );
}

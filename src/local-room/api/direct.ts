import type { Room } from "../room.ts";
import type { Channel } from "../world.ts";
import { type Failure, fail } from "./method.ts";

/** The DM between the bot and a person, made when it is first needed. */
export function openDm(room: Room, userId: string): Channel | Failure {
  const { world } = room;
  const user = world.users.get(userId);
  if (!user) return fail("channel_not_found");
  if (user.isBot) return fail("cannot_dm_bot");
  if (user.deleted) return fail("user_disabled");
  const existing = [...world.channels.values()].find((channel) => channel.type === "im" && channel.members.has(userId));
  if (existing) return existing;
  const channel = newChannel(room, {
    id: room.random.id("D"),
    name: "",
    type: "im",
    members: [userId, world.botUserId],
    creator: world.botUserId,
  });
  room.journal.changed("channel", { channel: channel.id });
  return channel;
}

export function newChannel(
  room: Room,
  about: { id: string; name: string; type: Channel["type"]; members: string[]; creator: string },
): Channel {
  const channel: Channel = {
    ...about,
    archived: false,
    members: new Set(about.members),
    topic: "",
    purpose: "",
    createdSeconds: Math.floor(room.clock.nowMs() / 1000),
    canvasId: null,
    status: new Map(),
  };
  room.world.channels.set(channel.id, channel);
  room.world.messages.set(channel.id, []);
  return channel;
}

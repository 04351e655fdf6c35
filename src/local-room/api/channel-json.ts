import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { Channel } from "../world.ts";

/** A channel as conversations.info and conversations.list answer it. */
export function channelJson(room: Room, channel: Channel, withCount: boolean): JsonObject {
  const { world } = room;
  const other = [...channel.members].find((member) => member !== world.botUserId) ?? "";
  if (channel.type === "im") {
    return {
      id: channel.id,
      created: channel.createdSeconds,
      is_im: true,
      is_org_shared: false,
      user: other,
      is_user_deleted: world.users.get(other)?.deleted ?? false,
      is_archived: false,
    };
  }
  const isPrivate = channel.type === "private";
  return {
    id: channel.id,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: !isPrivate,
    is_group: isPrivate,
    is_im: false,
    is_mpim: false,
    is_private: isPrivate,
    created: channel.createdSeconds,
    creator: channel.creator,
    is_archived: channel.archived,
    is_general: channel.name === "general",
    unlinked: 0,
    is_shared: false,
    is_ext_shared: false,
    is_org_shared: false,
    is_pending_ext_shared: false,
    pending_shared: [],
    pending_connected_team_ids: [],
    shared_team_ids: [world.team.id],
    is_member: channel.members.has(world.botUserId),
    context_team_id: world.team.id,
    updated: channel.createdSeconds * 1000,
    topic: sayingJson(channel, channel.topic),
    purpose: sayingJson(channel, channel.purpose),
    previous_names: [],
    ...(withCount ? { num_members: channel.members.size } : {}),
  };
}

/** A topic or purpose; nobody set an empty one. */
const sayingJson = (channel: Channel, value: string): JsonObject =>
  value === ""
    ? { value, creator: "", last_set: 0 }
    : { value, creator: channel.creator, last_set: channel.createdSeconds };

import type { JsonObject } from "./protocol.ts";
import type { Room } from "./room.ts";
import { type Message, repliesOf, type StoredFile } from "./world.ts";

/** A message in the shape of conversations.history and of events. Metadata only where it was asked for. */
export function messageJson(room: Room, message: Message, options: { metadata?: boolean }): JsonObject {
  const { world } = room;
  const json: JsonObject = {
    type: "message",
    user: message.user,
    ts: message.ts,
    text: message.text,
    team: world.team.id,
  };
  if (message.subtype) json["subtype"] = message.subtype;
  if (message.clientMsgId) json["client_msg_id"] = message.clientMsgId;
  if (message.fromApp) Object.assign(json, { bot_id: world.botId, app_id: world.appId, bot_profile: botProfile(room) });
  if (message.blocks) json["blocks"] = message.blocks;
  if (message.attachments) json["attachments"] = message.attachments;
  if (message.edited) json["edited"] = message.edited;
  if (message.files.length > 0) json["files"] = filesJson(room, message.files);
  if (message.ephemeralFor) json["is_ephemeral"] = true;
  if (message.pinned) json["pinned_to"] = [message.channel];
  if (message.streaming) json["streaming_state"] = message.streaming === "open" ? "in_progress" : "completed";
  if (options.metadata && message.metadata) json["metadata"] = message.metadata;
  if (message.reactions.size > 0) {
    json["reactions"] = [...message.reactions].map(([name, users]) => ({ name, users: [...users], count: users.size }));
  }
  Object.assign(json, threadFields(room, message));
  return json;
}

function threadFields(room: Room, message: Message): JsonObject {
  if (message.threadTs === null) return {};
  if (message.threadTs !== message.ts) {
    const parent = room.world.messages.get(message.channel)?.findLast((other) => other.ts === message.threadTs);
    return { thread_ts: message.threadTs, ...(parent ? { parent_user_id: parent.user } : {}) };
  }
  const replies = repliesOf(room.world, message.channel, message.ts);
  const authors = [...new Set(replies.map((reply) => reply.user))];
  return {
    thread_ts: message.ts,
    reply_count: replies.length,
    reply_users_count: authors.length,
    reply_users: authors,
    latest_reply: replies.at(-1)?.ts ?? message.ts,
    is_locked: false,
    subscribed: false,
  };
}

function botProfile(room: Room): JsonObject {
  const { world } = room;
  return {
    id: world.botId,
    app_id: world.appId,
    name: room.manifest.name,
    deleted: false,
    updated: 0,
    team_id: world.team.id,
    icons: {},
  };
}

export function filesJson(room: Room, ids: readonly string[]): JsonObject[] {
  return ids.flatMap((id) => {
    const file = room.world.files.get(id);
    return file ? [fileJson(room, file)] : [];
  });
}

export function fileJson(room: Room, file: StoredFile): JsonObject {
  const { world } = room;
  const link = `${room.url()}/files-pri/${world.team.id}-${file.id}/${encodeURIComponent(file.name)}`;
  return {
    id: file.id,
    created: file.createdSeconds,
    timestamp: file.createdSeconds,
    name: file.name,
    title: file.title,
    mimetype: file.mimetype,
    filetype: file.snippetType ?? file.name.split(".").at(-1) ?? "text",
    pretty_type: file.mimetype,
    user: file.user,
    user_team: world.team.id,
    editable: file.snippetType !== null,
    size: file.sizeBytes,
    mode: file.snippetType ? "snippet" : "hosted",
    is_external: false,
    external_type: "",
    is_public: false,
    public_url_shared: false,
    display_as_bot: false,
    username: "",
    url_private: link,
    url_private_download: link,
    permalink: `${room.url()}/files/${file.user}/${file.id}`,
    comments_count: 0,
    is_starred: false,
    shares: sharesJson(room, file),
    ...sharedIn(room, file),
    has_more_shares: false,
    has_rich_preview: false,
    file_access: "visible",
    ...(file.altText === null ? {} : { alt_txt: file.altText }),
  };
}

/** Ids of the places a file was shared in, by kind. */
function sharedIn({ world }: Room, file: StoredFile): JsonObject {
  const of = (type: string) => file.channels.filter((id) => world.channels.get(id)?.type === type);
  return { channels: of("public"), groups: of("private"), ims: of("im") };
}

/** The messages that show a file, by channel. Empty until the share has happened, which is after the upload's answer. */
function sharesJson({ world }: Room, file: StoredFile): JsonObject {
  const shares: { public?: JsonObject; private?: JsonObject } = {};
  for (const id of file.channels) {
    const channel = world.channels.get(id);
    const messages = (world.messages.get(id) ?? []).filter((message) => message.files.includes(file.id));
    if (!channel || messages.length === 0) continue;
    const kind = channel.type === "public" ? "public" : "private";
    const share = {
      reply_users: [],
      reply_users_count: 0,
      reply_count: 0,
      channel_name: channel.name,
      team_id: world.team.id,
      share_user_id: file.user,
    };
    const found = messages.map(({ ts, threadTs }) => ({ ...share, ts, ...(threadTs ? { thread_ts: threadTs } : {}) }));
    shares[kind] = { ...shares[kind], [id]: found };
  }
  return shares;
}

export const permalinkOf = (room: Room, message: Message) => {
  const thread = message.threadTs !== null && message.threadTs !== message.ts;
  const link = `${room.url()}/archives/${message.channel}/p${message.ts.replace(".", "")}`;
  return thread ? `${link}?thread_ts=${message.threadTs}&cid=${message.channel}` : link;
};

import { type RenderOptions, renderBlocks, renderText, renderView } from "../../slack/blocks/render.ts";
import { stackOf, viewJson } from "../interact/view-stack.ts";
import { messagesShown } from "../limits.ts";
import { isObject } from "../manifest.ts";
import { messageJson, permalinkOf } from "../message-json.ts";
import type { ChannelState, FileState, MessageState, RoomState, ViewState } from "../protocol.ts";
import type { Room } from "../room.ts";
import { type Channel, isVisibleTo, type Message, repliesOf, type View } from "../world.ts";

/** The whole room as one person sees it. */
export function roomState(room: Room, actor: string, actorLocked: boolean): RoomState {
  const { world, manifest } = room;
  const channels = [...world.channels.values()].filter((channel) => isVisibleTo(channel, actor));
  const home = world.homes.get(actor);
  return {
    seq: room.journal.lastSeq(),
    nowMs: room.clock.nowMs(),
    clockFrozen: room.clock.frozen(),
    team: world.team,
    app: {
      id: world.appId,
      name: manifest.name,
      botUserId: world.botUserId,
      homeTab: manifest.homeTab,
      transport: room.delivery.kind,
      connections: room.delivery.connections(),
    },
    me: actor,
    actorLocked,
    users: [...world.users.values()].map((user) => ({
      id: user.id,
      name: user.name,
      displayName: user.realName,
      tz: user.tz,
      isBot: user.isBot ?? false,
      isGuest: user.isGuest ?? false,
      deleted: user.deleted ?? false,
    })),
    userGroups: [...world.userGroups.values()],
    channels: channels.map((channel) => channelState(room, channel, actor)),
    messages: Object.fromEntries(channels.map((channel) => [channel.id, topLevel(room, channel, actor)])),
    modals: stackOf(room, actor).map((view) => viewState(room, view, actor)),
    home: home ? viewState(room, home, actor) : null,
    commands: manifest.commands.map(({ command, description, usageHint }) => ({ command, description, usageHint })),
    shortcuts: manifest.shortcuts,
  };
}

function channelState(room: Room, channel: Channel, actor: string): ChannelState {
  const other = [...channel.members].find((member) => member !== actor) ?? actor;
  return {
    id: channel.id,
    name: channel.type === "im" ? (room.world.users.get(other)?.realName ?? other) : channel.name,
    type: channel.type,
    archived: channel.archived,
    isMember: channel.members.has(actor),
    botIsMember: channel.members.has(room.world.botUserId),
    members: [...channel.members],
    topic: channel.topic,
    status: Object.fromEntries([...channel.status].map(([ts, status]) => [ts, status.text])),
  };
}

const seenBy = (message: Message, actor: string) => message.ephemeralFor === null || message.ephemeralFor === actor;

function topLevel(room: Room, channel: Channel, actor: string): MessageState[] {
  const all = room.world.messages.get(channel.id) ?? [];
  const shown = all.filter(
    (message) =>
      seenBy(message, actor) && (message.threadTs === null || message.threadTs === message.ts || message.broadcast),
  );
  return shown.slice(-messagesShown).map((message) => messageState(room, message, actor));
}

export function messageState(room: Room, message: Message, actor: string): MessageState {
  const isParent = message.threadTs === message.ts;
  const replies = isParent
    ? (room.world.messages.get(message.channel) ?? []).filter(
        (other) => other.threadTs === message.ts && other !== message && seenBy(other, actor),
      )
    : [];
  const options = renderOptions(room, actor);
  return {
    channel: message.channel,
    ts: message.ts,
    threadTs: message.threadTs,
    user: message.user,
    raw: messageJson(room, message, { metadata: true }),
    rendered: message.blocks ? renderBlocks(message.blocks, "message", options) : renderText(message.text, options),
    ephemeral: message.ephemeralFor !== null,
    edited: message.edited !== null,
    tombstone: message.tombstone,
    broadcast: message.broadcast,
    reactions: [...message.reactions].map(([name, users]) => ({ name, users: [...users] })),
    files: filesOf(room, message.files),
    pinned: message.pinned,
    replyCount: isParent ? repliesOf(room.world, message.channel, message.ts).length : 0,
    replies: replies.map((reply) => messageState(room, reply, actor)),
    permalink: permalinkOf(room, message),
  };
}

function filesOf(room: Room, ids: readonly string[]): FileState[] {
  return ids.flatMap((id) => {
    const file = room.world.files.get(id);
    if (!file) return [];
    const { name, title, mimetype, sizeBytes, altText } = file;
    return [{ id, name, title, mimetype, sizeBytes, altText, url: `/_twin/files/${id}` }];
  });
}

function viewState(room: Room, view: View, actor: string): ViewState {
  const raw = viewJson(room, view);
  return {
    id: view.id,
    type: view.type,
    title: view.type === "modal" ? plainText(view.body["title"]) : null,
    submit: plainText(view.body["submit"]),
    close: plainText(view.body["close"]),
    raw,
    rendered: renderView(raw, renderOptions(room, actor)),
    errors: view.errors,
    trouble: view.trouble,
  };
}

const plainText = (value: unknown) => (isObject(value) && typeof value["text"] === "string" ? value["text"] : null);

function renderOptions(room: Room, actor: string): RenderOptions {
  const { world } = room;
  return {
    timeZone: world.users.get(actor)?.tz ?? "UTC",
    nowMs: room.clock.nowMs(),
    names: {
      user: (id) => world.users.get(id)?.realName ?? null,
      channel: (id) => {
        const channel = world.channels.get(id);
        return channel && isVisibleTo(channel, actor) ? channel.name : null;
      },
      usergroup: (id) => world.userGroups.get(id)?.handle ?? null,
    },
    fileUrl: (file) => {
      const found = [...world.files.keys()].find((id) => id === file.id || (file.url ?? "").includes(`-${id}/`));
      return found === undefined ? null : `/_twin/files/${found}`;
    },
  };
}

/** A page loaded again has lost its ephemeral messages, as in Slack. */
export function forgetEphemerals(room: Room, actor: string): void {
  for (const [channel, messages] of room.world.messages) {
    room.world.messages.set(
      channel,
      messages.filter((message) => message.ephemeralFor !== actor),
    );
  }
}

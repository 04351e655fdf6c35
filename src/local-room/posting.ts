import { emitEvent, emitMessage } from "./events.ts";
import { list } from "./manifest.ts";
import { messageJson } from "./message-json.ts";
import type { JsonObject } from "./protocol.ts";
import type { Room } from "./room.ts";
import { type Channel, channelTypeOf, findMessage, type Message, repliesOf } from "./world.ts";

export type Draft = Partial<Omit<Message, "channel" | "ts" | "reactions">> & { user: string; text: string };

/** Stores a message, tells the ledgers and everybody who listens. The one way a message comes to be. */
export function post(room: Room, channel: Channel, draft: Draft): Message {
  const message: Message = {
    threadTs: null,
    fromApp: false,
    subtype: null,
    attachments: null,
    metadata: null,
    edited: null,
    tombstone: false,
    broadcast: false,
    ephemeralFor: null,
    pinned: false,
    files: [],
    clientMsgId: null,
    streaming: null,
    linkNames: false,
    parse: "none",
    ...draft,
    blocks: draft.blocks ? withBlockIds(room, draft.blocks) : null,
    channel: channel.id,
    ts: room.nextTs(),
    reactions: new Map(),
    postedAtMs: room.clock.nowMs(),
  };
  room.world.messages.get(channel.id)?.push(message);
  room.ledgers.posted(message, null);
  clearStatus(room, channel, message);
  if (message.ephemeralFor !== null) {
    room.journal.changed("ephemeral", { channel: channel.id, actor: message.ephemeralFor });
    return message;
  }
  room.journal.changed("message", { channel: channel.id });
  emitMessage(room, message, messageJson(room, message, { metadata: true }), channel);
  return message;
}

/** Applies an edit; the event carries both versions, as `message_changed` does. */
export function edit(room: Room, channel: Channel, message: Message, change: Partial<Message>): void {
  const before = { ...message };
  const previous = messageJson(room, message, {});
  Object.assign(message, change);
  if (change.blocks) message.blocks = withBlockIds(room, change.blocks);
  room.ledgers.posted(message, before);
  room.journal.changed(message.ephemeralFor === null ? "message" : "ephemeral", {
    channel: channel.id,
    ...(message.ephemeralFor === null ? {} : { actor: message.ephemeralFor }),
  });
  if (message.ephemeralFor !== null) return;
  const ts = room.nextTs();
  emitEvent(
    room,
    {
      type: "message",
      subtype: "message_changed",
      message: messageJson(room, message, { metadata: true }),
      previous_message: previous,
      channel: channel.id,
      hidden: true,
      ts,
      event_ts: ts,
      channel_type: channelTypeOf(channel),
    },
    channel,
  );
}

/** A parent with replies leaves a tombstone; everything else is gone. */
export function remove(room: Room, channel: Channel, message: Message): void {
  const previous = messageJson(room, message, {});
  const hasReplies = repliesOf(room.world, channel.id, message.ts).length > 0;
  if (hasReplies) {
    Object.assign(message, {
      tombstone: true,
      text: "This message was deleted.",
      blocks: null,
      attachments: null,
      files: [],
    });
    message.subtype = "tombstone";
    message.user = "USLACKBOT";
    message.fromApp = false;
  } else {
    const all = room.world.messages.get(channel.id) ?? [];
    room.world.messages.set(
      channel.id,
      all.filter((other) => other !== message),
    );
  }
  room.journal.changed("message", { channel: channel.id });
  if (message.ephemeralFor !== null) return;
  const ts = room.nextTs();
  const event = {
    type: "message",
    subtype: "message_deleted",
    previous_message: previous,
    channel: channel.id,
    hidden: true,
    deleted_ts: message.ts,
    ts,
    event_ts: ts,
    channel_type: channelTypeOf(channel),
  };
  emitEvent(room, event, channel);
}

/** The thread a reply belongs to: replies to replies end up in the parent's thread, and are flagged as lint. */
export function threadOf(
  room: Room,
  channel: Channel,
  threadTs: string | null,
): { threadTs: string | null; odd: "unknown" | "reply" | null } {
  if (threadTs === null) return { threadTs: null, odd: null };
  const target = findMessage(room.world, channel.id, threadTs);
  if (!target || target.ephemeralFor !== null) return { threadTs, odd: "unknown" };
  if (target.threadTs !== null && target.threadTs !== target.ts) return { threadTs: target.threadTs, odd: "reply" };
  target.threadTs = target.ts;
  return { threadTs, odd: null };
}

/** Slack fills in what the app left out; ids must be stable from then on. Nested blocks have ids of their own. */
export function withBlockIds(room: Room, blocks: readonly JsonObject[]): JsonObject[] {
  return blocks.map((block) => {
    const named: JsonObject = {
      ...block,
      block_id: block["block_id"] ?? room.random.id("b").slice(0, 5) + room.random.hex(4),
    };
    for (const key of ["elements", "blocks"] as const) {
      if (!Array.isArray(block[key])) continue;
      named[key] = block[key].map((item) => withActionId(room, item as JsonObject));
    }
    for (const key of ["accessory", "element"] as const) {
      if (block[key]) named[key] = withActionId(room, block[key] as JsonObject);
    }
    return named;
  });
}

function withActionId(room: Room, element: JsonObject): JsonObject {
  const nested = list(element["elements"]).length > 0 && typeof element["block_id"] === "string";
  if (nested) return element;
  const acts = interactiveTypes.has(String(element["type"]));
  return acts && element["action_id"] === undefined ? { ...element, action_id: room.random.hex(5) } : element;
}

const interactiveTypes = new Set([
  "button",
  "overflow",
  "checkboxes",
  "radio_buttons",
  "datepicker",
  "timepicker",
  "datetimepicker",
  "plain_text_input",
  "email_text_input",
  "url_text_input",
  "number_input",
  "rich_text_input",
  "file_input",
  "static_select",
  "external_select",
  "users_select",
  "conversations_select",
  "channels_select",
  "multi_static_select",
  "multi_external_select",
  "multi_users_select",
  "multi_conversations_select",
  "multi_channels_select",
  "feedback_buttons",
  "icon_button",
  "workflow_button",
]);

function clearStatus(room: Room, channel: Channel, message: Message): void {
  const status = message.fromApp ? channel.status.get(message.threadTs ?? message.ts) : undefined;
  if (!status) return;
  status.cancel();
  channel.status.delete(message.threadTs ?? message.ts);
  room.journal.changed("status", { channel: channel.id });
}

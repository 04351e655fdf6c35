import { scheduleAheadSeconds, scheduledPerChannelPerFiveMinutes } from "../limits.ts";
import { messageJson } from "../message-json.ts";
import { edit, post, threadOf } from "../posting.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { type Channel, findMessage, type Message } from "../world.ts";
import { postContent } from "./chat.ts";
import { blocksProblem, readContent } from "./content.ts";
import {
  type Answer,
  type Call,
  type Failure,
  fail,
  isFailure,
  type Method,
  number,
  ok,
  structured,
  text,
  writableChannel,
} from "./method.ts";

const write = { scopes: ["chat:write"], token: "bot" } as const;

/** Messages that come later (scheduled) or bit by bit (streams). */
export const streamMethods: Record<string, Method> = {
  "chat.scheduleMessage": { ...write, tier: 3, required: ["channel", "post_at"], run: schedule },
  "chat.deleteScheduledMessage": { ...write, tier: 3, required: ["channel", "scheduled_message_id"], run: unschedule },
  "chat.startStream": { ...write, tier: 2, required: ["channel", "thread_ts"], run: start },
  "chat.appendStream": { ...write, tier: 4, required: ["channel", "ts"], run: append },
  "chat.stopStream": { ...write, tier: 2, required: ["channel", "ts"], run: stop },
};

function schedule({ room, args }: Call): Answer {
  const channel = writableChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const content = readContent(room, args, { parse: "none" });
  if (isFailure(content)) return content;
  const postAt = number(args, "post_at") ?? 0;
  const nowSeconds = room.clock.nowMs() / 1000;
  if (postAt <= nowSeconds) return fail("time_in_past");
  if (postAt > nowSeconds + scheduleAheadSeconds) return fail("time_too_far");
  const near = [...room.world.scheduled.values()].filter(
    (other) => other.channel === channel.id && Math.abs(other.postAt - postAt) < 300,
  );
  if (near.length >= scheduledPerChannelPerFiveMinutes) return fail("restricted_too_many");
  const id = room.random.id("Q");
  const cancel = room.clock.after(postAt * 1000 - room.clock.nowMs(), () => {
    room.world.scheduled.delete(id);
    if (!channel.archived && channel.members.has(room.world.botUserId)) postContent(room, channel, args, content);
  });
  room.world.scheduled.set(id, { id, channel: channel.id, postAt, args: {}, cancel });
  return ok({
    channel: channel.id,
    scheduled_message_id: id,
    post_at: postAt,
    message: { text: content.text, type: "delayed_message" },
  });
}

function unschedule({ room, args }: Call): Answer {
  const scheduled = room.world.scheduled.get(text(args, "scheduled_message_id") ?? "");
  if (!scheduled || scheduled.channel !== text(args, "channel")) return fail("invalid_scheduled_message_id");
  scheduled.cancel();
  room.world.scheduled.delete(scheduled.id);
  return ok();
}

function start({ room, args }: Call): Answer {
  const channel = writableChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  if (channel.type !== "im" && text(args, "recipient_user_id") === null) return fail("missing_recipient_user_id");
  if (channel.type !== "im" && text(args, "recipient_team_id") === null) return fail("missing_recipient_team_id");
  const { threadTs } = threadOf(room, channel, text(args, "thread_ts"));
  const message = post(room, channel, {
    user: room.world.botUserId,
    fromApp: true,
    text: text(args, "markdown_text") ?? "",
    threadTs,
    streaming: "open",
  });
  return ok({ channel: channel.id, ts: message.ts });
}

function append({ room, args }: Call): Answer {
  const found = streamOf(room, args);
  if (isFailure(found)) return found;
  const more = text(args, "markdown_text");
  if (more === null && structured(args, "chunks") === undefined) return fail("no_text");
  edit(room, found.channel, found.message, { text: found.message.text + (more ?? "") });
  return ok({ channel: found.channel.id, ts: found.message.ts });
}

function stop({ room, args }: Call): Answer {
  const found = streamOf(room, args);
  if (isFailure(found)) return found;
  const blocks = structured(args, "blocks");
  if (blocks === "malformed") return fail("invalid_blocks_format");
  const problem = blocks === undefined ? null : blocksProblem(room, blocks);
  if (problem) return problem;
  const { channel, message } = found;
  edit(room, channel, message, {
    text: message.text + (text(args, "markdown_text") ?? ""),
    blocks: Array.isArray(blocks) ? (blocks as JsonObject[]) : message.blocks,
    streaming: "done",
  });
  return ok({ channel: channel.id, ts: message.ts, message: messageJson(room, message, { metadata: true }) });
}

function streamOf(room: Room, args: Call["args"]): { channel: Channel; message: Message } | Failure {
  const channel = writableChannel(room, text(args, "channel"));
  if (isFailure(channel)) return channel;
  const message = findMessage(room.world, channel.id, text(args, "ts") ?? "");
  if (!message?.fromApp) return fail("message_not_found");
  if (message.streaming === "stopped") return fail("stopped_by_user");
  return message.streaming === "open" ? { channel, message } : fail("message_not_in_streaming_state");
}

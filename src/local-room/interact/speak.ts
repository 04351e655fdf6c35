import { messageJson } from "../message-json.ts";
import { post, threadOf } from "../posting.ts";
import type { CommandRequest, DispatchAnswer, MessageAnswer, MessageRequest, ShortcutRequest } from "../protocol.ts";
import type { Room } from "../room.ts";
import { channelNameIn, findMessage } from "../world.ts";
import { compose, escapeCommand } from "./compose.ts";
import { channelRef, interaction, isRefusal, memberChannel, refusal, unanswered } from "./person.ts";
import { carryOut } from "./response-urls.ts";

/** A person writes in a channel or thread. */
export function say(room: Room, actor: string, request: MessageRequest): MessageAnswer {
  const channel = memberChannel(room, actor, request.channel);
  if (isRefusal(channel)) return channel;
  if (request.text.trim() === "") return refusal("no_text", "Write something first.");
  const { text, blocks } = compose(room.world, request.text);
  const { threadTs, odd } = threadOf(room, channel, request.threadTs ?? null);
  if (odd === "unknown") return refusal("thread_not_found", "That thread is gone.");
  const broadcast = threadTs !== null && request.alsoToChannel === true;
  const message = post(room, channel, {
    user: actor,
    text,
    blocks,
    threadTs,
    broadcast,
    subtype: broadcast ? "thread_broadcast" : null,
    clientMsgId: room.random.uuid(),
  });
  return { ok: true, ts: message.ts };
}

/** A slash command. Nothing is sent where Slack's client would refuse it. */
export async function runCommand(room: Room, actor: string, request: CommandRequest): Promise<DispatchAnswer> {
  const channel = memberChannel(room, actor, request.channel);
  if (isRefusal(channel)) return channel;
  const [, name = "", typed = ""] = /^(\/\S+)\s*([\s\S]*)$/.exec(request.text.trim()) ?? [];
  const command = room.manifest.commands.find((candidate) => candidate.command === name.toLowerCase());
  if (!command) return refusal("unknown_command", `${name || request.text} is not a valid command.`);
  if (request.threadTs !== undefined)
    return refusal("command_in_thread", `${name} is not supported in threads. Sorry!`);
  if (!room.manifest.botScopes.includes("commands"))
    return refusal("missing_scope", "The app has no `commands` scope.");
  const about = { kind: "commands", channel: channel.id, user: actor, sourceTs: null, threadTs: null } as const;
  const payload = {
    token: room.access.verificationToken,
    team_id: room.world.team.id,
    team_domain: room.world.team.domain,
    channel_id: channel.id,
    channel_name: channelNameIn(channel, "command"),
    user_id: actor,
    user_name: room.world.users.get(actor)?.name ?? actor,
    command: command.command,
    text: command.shouldEscape ? escapeCommand(room.world, typed) : typed,
    api_app_id: room.world.appId,
    is_enterprise_install: "false",
    response_url: room.responseUrls.issue(about),
    trigger_id: room.triggers.issue({ user: actor, viewId: null }),
  };
  const ack = await room.delivery.request("command", payload);
  if (ack.kind !== "acked") return unanswered(ack, command.command) ?? refusal("dispatch_failed", command.command);
  const body = ack.body ?? {};
  if (body["response_type"] === "in_channel")
    post(room, channel, { user: actor, text: compose(room.world, request.text).text });
  if (body["text"] !== undefined || body["blocks"] !== undefined) {
    const problem = carryOut(room, about, body);
    if (problem)
      room.journal.flag(
        "ack-body-refused",
        `the body of the ack to ${command.command} was refused: ${JSON.stringify(problem)}`,
      );
  }
  return { ok: true, ackMs: ack.tookMs };
}

/** A message shortcut (with channel and ts) or a global one. */
export async function runShortcut(room: Room, actor: string, request: ShortcutRequest): Promise<DispatchAnswer> {
  const shortcut = room.manifest.shortcuts.find((candidate) => candidate.callbackId === request.callbackId);
  if (!shortcut) return refusal("unknown_shortcut", "The app's manifest has no such shortcut.");
  const common = { callback_id: shortcut.callbackId, ...interaction(room, actor, null) };
  if (shortcut.type === "global") {
    const ack = await room.delivery.request("interactive", { type: "shortcut", action_ts: room.nextTs(), ...common });
    return unanswered(ack, shortcut.name) ?? { ok: true, ackMs: ack.kind === "acked" ? ack.tookMs : 0 };
  }
  const channel = room.world.channels.get(request.channel ?? "");
  const message = channel ? findMessage(room.world, channel.id, request.ts ?? "") : null;
  const hidden = message !== null && message.ephemeralFor !== null;
  if (!channel || !message || hidden || (channel.type !== "public" && !channel.members.has(actor))) {
    return refusal("message_not_found", "That message is gone.");
  }
  const about = {
    kind: "actions",
    channel: channel.id,
    user: actor,
    sourceTs: message.ts,
    threadTs: message.threadTs,
  } as const;
  const ack = await room.delivery.request("interactive", {
    type: "message_action",
    action_ts: room.nextTs(),
    ...common,
    channel: channelRef(channel),
    message_ts: message.ts,
    message: messageJson(room, message, { metadata: true }),
    response_url: room.responseUrls.issue(about),
  });
  return unanswered(ack, shortcut.name) ?? { ok: true, ackMs: ack.kind === "acked" ? ack.tookMs : 0 };
}

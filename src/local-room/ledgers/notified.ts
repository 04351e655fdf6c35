import { type Notification, notifications } from "../../slack/blocks/mrkdwn.ts";
import type { NotificationEntry } from "../protocol.ts";
import { type Message, repliesOf, type World } from "../world.ts";

type Notified = Pick<NotificationEntry, "users" | "reason" | "text" | "pointer">;

/**
 * Whose phone a message would buzz. Mentions count in the fallback text too, even where blocks are shown: whether Slack
 * notifies from there is not documented, and the harsher reading finds more. An edit only counts for what it adds.
 */
export function whoIsNotified(world: World, message: Message, before: Message | null): Notified[] {
  const known = new Set(before ? notifications(payloadOf(before)).map(keyOf) : []);
  const mentions = notifications(payloadOf(message))
    .filter((mention) => !known.has(keyOf(mention)))
    .map((mention) => ({
      users: peopleOnly(world, message, usersOf(world, message, mention)),
      reason: reasonOf(mention),
      text: mention.id ?? mention.who,
      pointer: mention.pointer,
    }));
  return before ? mentions : [...mentions, ...followers(world, message), ...direct(world, message)];
}

const keyOf = (mention: Notification) => `${mention.who} ${mention.id ?? ""} ${mention.why}`;

function payloadOf(message: Message) {
  return {
    text: message.text,
    blocks: message.blocks ?? undefined,
    attachments: message.attachments ?? undefined,
    link_names: message.linkNames,
    parse: message.parse,
  };
}

function usersOf(world: World, message: Message, mention: Notification): string[] {
  const members = [...(world.channels.get(message.channel)?.members ?? [])];
  switch (mention.who) {
    case "user":
      return [...world.users.values()]
        .filter((user) => user.id === mention.id || user.name === mention.id)
        .map((user) => user.id);
    case "subteam":
      return (
        [...world.userGroups.values()].find((group) => group.id === mention.id || group.handle === mention.id)?.users ??
        []
      );
    case "here":
    case "channel":
      return members;
    case "everyone":
      return [...world.users.keys()];
  }
}

function reasonOf(mention: Notification): Notified["reason"] {
  if (mention.why !== "mention") return "auto-parsed";
  const reasons = {
    user: "user-mention",
    subteam: "group-mention",
    here: "here",
    channel: "channel",
    everyone: "everyone",
  } as const;
  return reasons[mention.who];
}

function peopleOnly(world: World, message: Message, ids: readonly string[]): string[] {
  const audience = message.ephemeralFor === null ? ids : ids.filter((id) => id === message.ephemeralFor);
  return audience.filter((id) => {
    const user = world.users.get(id);
    return user !== undefined && !user.isBot && !user.deleted && id !== message.user;
  });
}

function followers(world: World, message: Message): Notified[] {
  if (message.threadTs === null || message.threadTs === message.ts || message.ephemeralFor !== null) return [];
  const parent = world.messages.get(message.channel)?.find((other) => other.ts === message.threadTs);
  const authors = [...repliesOf(world, message.channel, message.threadTs), ...(parent ? [parent] : [])].map(
    (other) => other.user,
  );
  return [
    { users: peopleOnly(world, message, [...new Set(authors)]), reason: "thread-follower", text: "", pointer: "" },
  ];
}

function direct(world: World, message: Message): Notified[] {
  const channel = world.channels.get(message.channel);
  if (channel?.type !== "im" || message.ephemeralFor !== null) return [];
  return [{ users: peopleOnly(world, message, [...channel.members]), reason: "direct-message", text: "", pointer: "" }];
}

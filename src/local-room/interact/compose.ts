import type { JsonObject } from "../protocol.ts";
import type { World } from "../world.ts";

/** What Slack's composer makes of typed text: mentions and links as ids, the rest escaped, and the same as rich text. */
export function compose(world: World, typed: string): { text: string; blocks: JsonObject[] } {
  const parts = [...split(world, typed)];
  return {
    text: parts.map((part) => part.text).join(""),
    blocks: [
      { type: "rich_text", elements: [{ type: "rich_text_section", elements: parts.map((part) => part.element) }] },
    ],
  };
}

/** Commands with `should_escape`: people and channels arrive as ids with their names; everything else stays as typed. */
export function escapeCommand(world: World, typed: string): string {
  return typed.replace(tokens, (token) => {
    const user = token.startsWith("@") ? userNamed(world, token.slice(1)) : null;
    if (user) return `<@${user.id}|${user.name}>`;
    const group = token.startsWith("@") ? groupNamed(world, token.slice(1)) : null;
    if (group) return `<!subteam^${group.id}|@${group.handle}>`;
    const channel = token.startsWith("#") ? channelNamed(world, token.slice(1)) : null;
    return channel ? `<#${channel.id}|${channel.name}>` : token;
  });
}

interface Part {
  text: string;
  element: JsonObject;
}

const tokens = /@[\p{L}\p{N}._-]*[\p{L}\p{N}]|#[\p{L}\p{N}_-]+|https?:\/\/[^\s<>|]+/gu;

function* split(world: World, typed: string): Generator<Part> {
  let done = 0;
  for (const match of typed.matchAll(tokens)) {
    const part = resolve(world, match[0]);
    if (!part) continue;
    if (match.index > done) yield plain(typed.slice(done, match.index));
    yield part;
    done = match.index + match[0].length;
  }
  if (done < typed.length || done === 0) yield plain(typed.slice(done));
}

function resolve(world: World, token: string): Part | null {
  if (token.startsWith("http")) return { text: `<${escapeText(token)}>`, element: { type: "link", url: token } };
  if (token.startsWith("#")) {
    const channel = channelNamed(world, token.slice(1));
    return channel
      ? { text: `<#${channel.id}|${channel.name}>`, element: { type: "channel", channel_id: channel.id } }
      : null;
  }
  const name = token.slice(1);
  if (name === "here" || name === "channel" || name === "everyone")
    return { text: `<!${name}>`, element: { type: "broadcast", range: name } };
  const user = userNamed(world, name);
  if (user) return { text: `<@${user.id}>`, element: { type: "user", user_id: user.id } };
  const group = groupNamed(world, name);
  return group
    ? { text: `<!subteam^${group.id}|@${group.handle}>`, element: { type: "usergroup", usergroup_id: group.id } }
    : null;
}

function plain(typed: string): Part {
  const text = withEmojiNames(typed);
  return { text: escapeText(text), element: { type: "text", text } };
}

const userNamed = (world: World, name: string) =>
  [...world.users.values()].find((user) => user.name === name && !user.deleted);
const groupNamed = (world: World, name: string) =>
  [...world.userGroups.values()].find((group) => group.handle === name);
const channelNamed = (world: World, name: string) =>
  [...world.channels.values()].find((channel) => channel.name === name && channel.type === "public");

const escapeText = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Slack stores emoji by name. The ones people use in incident rooms; all others stay characters. */
const emojiNames: Record<string, string> = {
  "👍": "+1",
  "👎": "-1",
  "👀": "eyes",
  "✅": "white_check_mark",
  "🔥": "fire",
  "🚨": "rotating_light",
  "🙏": "pray",
  "🎉": "tada",
  "🔴": "red_circle",
  "🟠": "large_orange_circle",
  "🟢": "large_green_circle",
  "⚠️": "warning",
  "❌": "x",
  "🤔": "thinking_face",
  "😀": "grinning",
};
const withEmojiNames = (text: string) =>
  Object.entries(emojiNames).reduce((all, [char, name]) => all.replaceAll(char, `:${name}:`), text);

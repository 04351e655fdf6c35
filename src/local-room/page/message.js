import { append, fromRendered, h } from "./dom.js";
import { fileElement } from "./files.js";
import { emoji, icon } from "./icons.js";
import { avatar, nameOf } from "./people.js";
import { clockTime, dayAndTime, fullTime, tsToMs } from "./time.js";

/**
 * @typedef {import("../protocol.ts").MessageState} MessageState
 * @typedef {import("./room.js").Room} Room
 */

/** Messages of one author closer together than this share one heading. */
const SAME_HEADING_MS = 5 * 60 * 1000;
const FACES_IN_SUMMARY = 3;

/**
 * Whether a message continues the one above it, so that name and avatar need not be repeated.
 *
 * @param {MessageState} message
 * @param {MessageState | undefined} above
 */
export function continues(message, above) {
  if (!above || above.user !== message.user || above.tombstone || message.tombstone) return false;
  if (above.ephemeral || message.ephemeral || above.replyCount > 0) return false;
  return tsToMs(message.ts) - tsToMs(above.ts) < SAME_HEADING_MS;
}

/**
 * One message. Everything inside is reached by Tab, the message itself by the arrow keys of its list.
 *
 * @param {Room} room
 * @param {MessageState} message
 * @param {{ inThread: boolean, compact: boolean }} where
 */
export function messageElement(room, message, { inThread, compact }) {
  const atMs = tsToMs(message.ts);
  const name = nameOf(room.state, message.user);
  const time = clockTime(atMs, room.timeZone);
  const classes = ["post", compact && "compact", message.ephemeral && "ephemeral", message.pinned && "pinned"];
  const label = `${name}, ${time}${message.ephemeral ? ", only visible to you" : ""}${message.edited ? ", edited" : ""}`;
  const article = h(
    "article",
    {
      class: classes.filter(Boolean).join(" "),
      "data-ts": message.ts,
      "data-channel": message.channel,
      "data-focus": "message",
      tabindex: "-1",
      "aria-label": label,
    },
    compact ? h("span", { class: "gutter", "aria-hidden": "true" }, time) : avatar(room.state, message.user),
  );
  const body = h("div", { class: "post-body" });
  append(body, [
    message.ephemeral && h("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
    message.pinned && h("p", { class: "pin-mark" }, "Pinned"),
    message.broadcast &&
      !inThread &&
      h(
        "button",
        { type: "button", class: "quiet thread-link", "data-act": "thread", "data-focus": "thread-link" },
        "Replied in a thread",
      ),
    message.broadcast && inThread && h("p", { class: "pin-mark" }, "Also sent to the channel"),
    !compact && heading(room, message, name, time),
    content(message),
    ...message.files.map((file) => fileElement(file)),
    reactions(room, message),
    !inThread && message.replyCount > 0 && threadSummary(room, message),
  ]);
  article.append(body);
  if (!message.tombstone) article.append(toolbar(message, inThread));
  return article;
}

/**
 * @param {Room} room
 * @param {MessageState} message
 * @param {string} name
 * @param {string} time
 */
function heading(room, message, name, time) {
  const isBot = room.state.users.some((user) => user.id === message.user && user.isBot);
  return h(
    "p",
    { class: "heading" },
    h("span", { class: "name" }, name),
    isBot && h("span", { class: "app-mark" }, "App"),
    h(
      "a",
      {
        class: "time",
        href: message.permalink,
        title: fullTime(tsToMs(message.ts), room.timeZone),
        "data-act": "permalink",
        "data-focus": "time",
      },
      time,
    ),
  );
}

/** @param {MessageState} message */
function content(message) {
  if (message.tombstone) return h("p", { class: "tombstone" }, "This message was deleted.");
  const holder = h("div", { class: "content" }, fromRendered(message.rendered));
  if (message.edited) holder.append(h("span", { class: "edited" }, "(edited)"));
  return holder;
}

/**
 * @param {Room} room
 * @param {MessageState} message
 */
function reactions(room, message) {
  if (message.reactions.length === 0) return null;
  return h(
    "div",
    { class: "reactions" },
    ...message.reactions.map(({ name, users }) => {
      const mine = users.includes(room.actor);
      const who = users.map((id) => nameOf(room.state, id)).join(", ");
      return h(
        "button",
        {
          type: "button",
          class: "reaction",
          "data-act": "react",
          "data-name": name,
          "data-focus": `react-${name}`,
          "aria-pressed": mine ? "true" : "false",
          "aria-label": `${name.replaceAll("_", " ")}: ${users.length}, ${who}`,
          title: `${who} reacted with :${name}:`,
        },
        h("span", { "aria-hidden": "true" }, emoji(name)),
        h("span", { "aria-hidden": "true" }, users.length),
      );
    }),
  );
}

/**
 * @param {Room} room
 * @param {MessageState} message
 */
function threadSummary(room, message) {
  const replies = message.replies.filter((reply) => !reply.tombstone);
  const last = replies.at(-1);
  const people = [...new Set(replies.map((reply) => reply.user))].slice(0, FACES_IN_SUMMARY);
  const count = `${message.replyCount} ${message.replyCount === 1 ? "reply" : "replies"}`;
  const when = last ? `last reply ${dayAndTime(tsToMs(last.ts), room.nowMs(), room.timeZone)}` : "";
  return h(
    "button",
    {
      type: "button",
      class: "thread-summary",
      "data-act": "thread",
      "data-focus": "thread",
    },
    h("span", { class: "faces" }, ...people.map((id) => avatar(room.state, id, "small"))),
    h("span", { class: "reply-count" }, count),
    when !== "" && h("span", { class: "last-reply" }, ` · ${when}`),
  );
}

/**
 * Not in the tab order until its message is the active one: a thousand messages must not mean three thousand stops.
 *
 * @param {MessageState} message
 * @param {boolean} inThread
 */
function toolbar(message, inThread) {
  /** @param {string} act @param {string} label @param {SVGSVGElement} picture @param {boolean} menu */
  const tool = (act, label, picture, menu) =>
    h(
      "button",
      {
        type: "button",
        class: "tool",
        "data-act": act,
        "data-focus": `tool-${act}`,
        tabindex: "-1",
        "aria-label": label,
        title: label,
        "aria-haspopup": menu ? "menu" : null,
        "aria-expanded": menu ? "false" : null,
      },
      picture,
    );
  return h(
    "div",
    { class: "toolbar", role: "group", "aria-label": "Message actions" },
    !message.ephemeral && tool("add-reaction", "Add reaction", icon("react"), true),
    !inThread && !message.ephemeral && tool("thread", "Reply in thread", icon("reply"), false),
    tool("more", "More actions", icon("more"), true),
  );
}

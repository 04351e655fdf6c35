import { emoji, icon, REACTION_CHOICES } from "./icons.js";
import { openMenu } from "./menu.js";

/**
 * What a person can do with a message: react, open its thread, and the "More actions" menu with the app's shortcuts.
 *
 * @typedef {import("../protocol.ts").MessageState} MessageState
 * @typedef {import("./room.js").Room} Room
 *
 * @param {Room} room
 * @param {HTMLElement} list
 * @param {boolean} inThread
 */
export function messageActs(room, list, inThread) {
  list.addEventListener("click", (event) => {
    const origin = /** @type {HTMLElement} */ (event.target);
    const button = /** @type {HTMLElement | null} */ (origin.closest("[data-act]"));
    const article = /** @type {HTMLElement | null} */ (origin.closest("article"));
    const message = article && room.message(article.dataset.channel ?? "", article.dataset.ts ?? "");
    if (!button || !message) return;
    switch (button.dataset.act) {
      case "thread":
        return room.openThread(message.channel, message.threadTs ?? message.ts);
      case "permalink":
        event.preventDefault();
        return room.goTo(message.permalink);
      case "react":
        return react(room, message, button.dataset.name ?? "", button.getAttribute("aria-pressed") === "true");
      case "add-reaction":
        return openMenu(
          button,
          "Add reaction",
          REACTION_CHOICES.map((name) => ({
            label: name.replaceAll("_", " "),
            picture: document.createTextNode(emoji(name)),
            run: () => react(room, message, name, false),
          })),
        );
      case "more":
        return openMenu(button, "More actions", moreItems(room, message, inThread));
    }
  });
}

/**
 * @param {Room} room
 * @param {MessageState} message
 * @param {boolean} inThread
 * @returns {import("./menu.js").MenuItem[]}
 */
function moreItems(room, message, inThread) {
  /** @type {import("./menu.js").MenuItem[]} */
  const items = [];
  if (!inThread && !message.ephemeral)
    items.push({
      label: "Reply in thread",
      picture: icon("reply"),
      run: () => room.openThread(message.channel, message.threadTs ?? message.ts),
    });
  items.push({
    label: "Copy link",
    picture: icon("link"),
    run: () => copyLink(room, message),
  });
  const shortcuts = room.state.shortcuts.filter((shortcut) => shortcut.type === "message");
  if (shortcuts.length > 0 && !message.ephemeral) items.push("line");
  if (!message.ephemeral)
    for (const shortcut of shortcuts)
      items.push({
        label: shortcut.name,
        hint: room.state.app.name,
        picture: icon("bolt"),
        run: async () => {
          const answer = await room.send("shortcut", {
            callbackId: shortcut.callbackId,
            channel: message.channel,
            ts: message.ts,
          });
          if (!answer.ok) room.notice(answer.message);
        },
      });
  return items;
}

/**
 * @param {Room} room
 * @param {MessageState} message
 */
async function copyLink(room, message) {
  const url = new URL(message.permalink, location.href).href;
  try {
    await navigator.clipboard.writeText(url);
    room.announce("Link copied");
  } catch {
    room.notice(`Copying is not allowed here. The link is ${url}`);
  }
}

/**
 * @param {Room} room
 * @param {MessageState} message
 * @param {string} name
 * @param {boolean} remove
 */
async function react(room, message, name, remove) {
  const answer = await room.send("reaction", {
    channel: message.channel,
    ts: message.ts,
    name,
    remove,
  });
  if (!answer.ok) room.notice(answer.message);
}

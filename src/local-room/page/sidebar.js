import { byId, h, reconcile } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./people.js";

/**
 * The left column: App Home, channels, direct messages.
 *
 * @typedef {import("../protocol.ts").ChannelState} ChannelState
 * @typedef {import("./room.js").Room} Room
 *
 * @param {Room} room
 */
export function createSidebar(room) {
  const nav = byId("nav");
  const back = h(
    "button",
    {
      type: "button",
      class: "icon-button phone-only",
      "aria-label": "Back to the conversation",
    },
    icon("back"),
  );
  const title = h("span", { class: "nav-title" });
  const apps = h("ul", { class: "nav-list", "aria-label": "Apps" });
  const channels = h("ul", { class: "nav-list", "aria-label": "Channels" });
  const direct = h("ul", {
    class: "nav-list",
    "aria-label": "Direct messages",
  });
  const directHeading = h("h2", { class: "nav-heading" }, "Direct messages");
  nav.append(
    h("div", { class: "nav-head" }, back, title),
    h("h2", { class: "nav-heading" }, "Apps"),
    apps,
    h("h2", { class: "nav-heading" }, "Channels"),
    channels,
    directHeading,
    direct,
  );
  back.addEventListener("click", () => room.show("main"));
  nav.addEventListener("keydown", moveWithArrows);

  return {
    draw() {
      const { state } = room;
      title.textContent = state.team.name;
      reconcile(apps, state.app.homeTab ? ["home"] : [], {
        key: (key) => key,
        signature: () => String(room.place === "home"),
        make: () =>
          item("home", `${state.app.name} Home`, icon("home"), room.place === "home", 0, () => room.go("home")),
      });
      drawChannels(
        channels,
        state.channels.filter((channel) => channel.type !== "im" && !channel.archived),
      );
      const ims = state.channels.filter((channel) => channel.type === "im");
      directHeading.hidden = ims.length === 0;
      drawChannels(direct, ims);
    },
  };

  /**
   * @param {HTMLElement} list
   * @param {ChannelState[]} items
   */
  function drawChannels(list, items) {
    reconcile(list, items, {
      key: (channel) => channel.id,
      signature: (channel) =>
        JSON.stringify([
          channel.name,
          channel.type,
          channel.isMember,
          room.place === channel.id,
          room.unread(channel.id),
        ]),
      make: (channel) =>
        item(
          channel.id,
          channel.name,
          pictureOf(room, channel),
          room.place === channel.id,
          room.unread(channel.id),
          () => room.go(channel.id),
        ),
    });
  }
}

/**
 * @param {Room} room
 * @param {ChannelState} channel
 */
function pictureOf(room, channel) {
  if (channel.type === "public") return icon("hash");
  if (channel.type === "private") return icon("lock");
  const other = channel.members.find((id) => id !== room.actor) ?? room.actor;
  return avatar(room.state, other, "small");
}

/**
 * @param {string} key
 * @param {string} name
 * @param {Node} picture
 * @param {boolean} current
 * @param {number} unread
 * @param {() => void} run
 */
function item(key, name, picture, current, unread, run) {
  const button = h(
    "button",
    {
      type: "button",
      class: unread > 0 ? "nav-item unread" : "nav-item",
      "data-focus": `nav-${key}`,
      "aria-current": current ? "page" : null,
    },
    picture,
    h("span", { class: "nav-name" }, name),
    unread > 0 && h("span", { class: "count" }, unread, h("span", { class: "sr-only" }, " unread")),
  );
  button.addEventListener("click", run);
  return h("li", {}, button);
}

/** @param {KeyboardEvent} event */
function moveWithArrows(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const nav = /** @type {HTMLElement} */ (event.currentTarget);
  const items = /** @type {HTMLElement[]} */ ([...nav.querySelectorAll(".nav-item")]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  items[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  event.preventDefault();
}

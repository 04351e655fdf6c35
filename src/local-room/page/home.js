import { byId, fromRendered, h, replaceKeepingFocus } from "./dom.js";
import { wireElements } from "./elements.js";

/**
 * App Home: what the bot published for the person who acts.
 *
 * @typedef {import("./room.js").Room} Room
 *
 * @param {Room} room
 */
export function createHome(room) {
  const holder = byId("home-view");
  let content = h("div", { class: "home-content" });
  let drawn = "";
  holder.append(content);
  wireElements(room, holder, () => ({ viewId: room.state.home?.id }));

  return {
    draw() {
      const { home, app } = room.state;
      const signature = JSON.stringify([room.actor, home?.id ?? null, home?.rendered ?? null]);
      if (signature === drawn) return;
      drawn = signature;
      const next = h("div", { class: "home-content", tabindex: "-1" });
      if (home) next.append(fromRendered(home.rendered));
      else
        next.append(
          h("h2", {}, "Nothing here yet"),
          h("p", {}, `${app.name} publishes its Home when it is opened. If this stays empty, it may not be running.`),
        );
      replaceKeepingFocus(content, next, undefined);
      content = next;
    },
  };
}

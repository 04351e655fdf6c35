import { read } from "./api.js";
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { createActivity } from "./inspector-activity.js";
import { createControls } from "./inspector-controls.js";
import { bucketTable, lintTable, notificationTable } from "./inspector-tables.js";

/**
 * The drawer that shows what happened underneath: calls and envelopes, ledgers, rate limits, clock and faults. It asks
 * the server only while it is open.
 *
 * @typedef {import("./room.js").Room} Room
 * @typedef {import("../protocol.ts").Ledgers} Ledgers
 * @typedef {import("../protocol.ts").Buckets} Buckets
 */

const COALESCE_MS = 250;
const TABS = /** @type {const} */ (["Activity", "Notifications", "Lint", "Rate limits", "Clock and faults"]);

/** @param {Room} room */
export function createInspector(room) {
  const drawer = byId("inspector");
  const opener = byId("open-inspector");
  const title = h("h2", { id: "inspector-title", tabindex: "-1" }, "Inspector");
  const close = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "Close the inspector",
      title: "Close (Escape)",
    },
    icon("close"),
  );
  const tabs = h("div", {
    class: "tabs",
    role: "tablist",
    "aria-label": "Inspector",
  });
  const panel = h("div", {
    class: "inspector-panel",
    role: "tabpanel",
    id: "inspector-panel",
    tabindex: "0",
  });
  const activity = createActivity(room);
  const controls = createControls(room);
  let at = 0;
  let drawn = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  opener.append(icon("gauge"));
  opener.setAttribute("aria-label", "Inspector: calls, ledgers, limits, faults");
  opener.title = "Inspector";
  drawer.append(h("div", { class: "inspector-head" }, title, close), tabs, panel);
  opener.addEventListener("click", () => toggle(drawer.hidden !== false));
  close.addEventListener("click", () => toggle(false));
  drawer.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) toggle(false);
  });
  const buttons = TABS.map((name, index) => {
    const tab = h(
      "button",
      {
        type: "button",
        role: "tab",
        class: "tab",
        id: `tab-${index}`,
        "aria-controls": "inspector-panel",
      },
      name,
    );
    tab.addEventListener("click", () => choose(index));
    return tab;
  });
  tabs.append(...buttons);
  tabs.addEventListener("keydown", (event) => {
    const to = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: TABS.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose((to + TABS.length) % TABS.length);
    buttons[at]?.focus();
  });

  /** @param {boolean} open */
  function toggle(open) {
    drawer.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("with-inspector", open);
    if (open) {
      choose(at);
      title.focus();
    } else opener.focus();
  }

  /** @param {number} index */
  function choose(index) {
    at = index;
    drawn = "";
    for (const [position, tab] of buttons.entries()) {
      tab.setAttribute("aria-selected", String(position === at));
      tab.tabIndex = position === at ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `tab-${at}`);
    panel.replaceChildren(...(at === 0 ? [activity.element] : at === 4 ? [controls.element] : []));
    update();
  }

  async function update() {
    const asked = at;
    if (asked === 0) return activity.update();
    if (asked === 4) return controls.update();
    const body = (await read(asked === 3 ? "buckets" : "ledgers")).body;
    if (asked !== at) return;
    const text = JSON.stringify(body);
    if (text === drawn) return;
    drawn = text;
    const where = panel.scrollTop;
    panel.replaceChildren(body ? tableOf(asked, body) : h("p", { class: "nothing" }, "The room does not answer."));
    panel.scrollTop = where;
  }

  /** @param {number} index @param {unknown} body */
  function tableOf(index, body) {
    if (index === 3) return bucketTable(room, /** @type {Buckets} */ (body));
    const ledgers = /** @type {Ledgers} */ (body);
    return index === 1 ? notificationTable(room, ledgers.notifications) : lintTable(room, ledgers);
  }

  return {
    /** Something happened: look again, soon. */
    touch() {
      if (drawer.hidden) return;
      clearTimeout(timer);
      timer = setTimeout(update, COALESCE_MS);
    },
  };
}

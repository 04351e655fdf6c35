import { createComposer } from "./composer.js";
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { createMessageList } from "./message-list.js";

/**
 * The pane with one thread.
 *
 * @typedef {import("./room.js").Room} Room
 *
 * @param {Room} room
 */
export function createThread(room) {
  const pane = byId("thread");
  const place = h("p", { class: "place-topic" });
  const close = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "Close thread",
      title: "Close thread (Escape)",
    },
    icon("close"),
  );
  const back = h(
    "button",
    {
      type: "button",
      class: "icon-button phone-only",
      "aria-label": "Back to the channel",
    },
    icon("back"),
  );
  const title = h("h2", { id: "thread-title", tabindex: "-1" }, "Thread");
  const list = h("div", { class: "stream" });
  const scroller = h("div", { class: "scroller" }, list);
  const status = h("p", { class: "thread-status", role: "status" });
  const footer = h("div", { class: "compose" });
  pane.append(
    h(
      "div",
      { class: "place" },
      back,
      h("div", { class: "place-words" }, title, place),
      h("div", { class: "place-actions" }, close),
    ),
    scroller,
    status,
    footer,
  );
  const messages = createMessageList(room, { list, scroller, inThread: true });
  const composer = createComposer(room, footer, {
    id: "thread-input",
    where: () => (room.thread ? { channel: room.thread.channel, threadTs: room.thread.ts } : null),
    label: () => "Reply…",
  });
  close.addEventListener("click", () => room.closeThread());
  back.addEventListener("click", () => room.closeThread());
  pane.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    room.closeThread();
  });

  return {
    draw() {
      const thread = room.thread;
      const parent = thread && room.message(thread.channel, thread.ts);
      pane.hidden = !thread;
      if (!thread) return;
      const channel = room.channel(thread.channel);
      place.textContent = channel ? (channel.type === "im" ? channel.name : `#${channel.name}`) : "";
      messages.draw(`${thread.channel}/${thread.ts}`, parent ? [parent, ...parent.replies] : []);
      const words = channel?.status[thread.ts];
      status.textContent = words ? `${room.state.app.name} ${words}` : "";
      composer.draw();
    },
    /** On a phone the message box would bring up the keyboard over the thread. */
    focus() {
      if (matchMedia("(width <= 760px)").matches) title.focus();
      else composer.focus();
    },
    reveal: messages.reveal,
  };
}

import { h, reconcile } from "./dom.js";
import { wireElements } from "./elements.js";
import { continues, messageElement } from "./message.js";
import { messageActs } from "./message-acts.js";
import { dayKey, dayName, tsToMs } from "./time.js";

/**
 * A list of messages: the channel's or a thread's. Only what changed is redrawn; who reads at the bottom stays at the
 * bottom, who reads further up is not moved.
 *
 * @typedef {import("../protocol.ts").MessageState} MessageState
 * @typedef {import("./room.js").Room} Room
 * @typedef {{ kind: "day", key: string, name: string } | { kind: "count", text: string } | { kind: "message", message: MessageState, compact: boolean }} Row
 */

/** Closer than this to the end counts as reading the end. */
const END_PX = 60;

/**
 * @param {Room} room
 * @param {{ list: HTMLElement, scroller: HTMLElement, inThread: boolean, onUnseen?(unseen: boolean): void }} parts
 */
export function createMessageList(room, { list, scroller, inThread, onUnseen }) {
  let atEnd = true;
  let lastTs = "";
  let activeTs = "";
  let shown = "";

  scroller.addEventListener("scroll", () => {
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END_PX;
    if (atEnd) onUnseen?.(false);
  });
  // Messages off screen have estimated heights, pictures and previews arrive later: stay at the end while they settle.
  const observer = new ResizeObserver(() => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  });
  observer.observe(list);
  observer.observe(scroller);

  messageActs(room, list, inThread);
  wireElements(room, list, (element) => {
    const article = element.closest("article");
    return { channel: article?.dataset.channel, ts: article?.dataset.ts };
  });
  list.addEventListener("focusin", (event) => activate(/** @type {HTMLElement} */ (event.target).closest("article")));
  list.addEventListener("keydown", onKey);

  /** @param {Element | null} article */
  function activate(article) {
    if (!(article instanceof HTMLElement)) return;
    activeTs = article.dataset.ts ?? "";
    setTabStops();
  }

  function setTabStops() {
    const articles = articlesOf(list);
    const active = articles.find((article) => article.dataset.ts === activeTs) ?? articles.at(-1);
    for (const article of list.querySelectorAll("article.active")) if (article !== active) setActive(article, false);
    if (active) setActive(active, true);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const article = event.target;
    if (!(article instanceof HTMLElement) || article.tagName !== "ARTICLE") return;
    const articles = articlesOf(list);
    const at = articles.indexOf(article);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: articles.length - 1,
    }[event.key];
    if (to !== undefined) articles[to]?.focus();
    else if ((event.key === "Enter" || event.key === "ArrowRight") && !inThread)
      /** @type {HTMLElement | null} */ (article.querySelector(".tool[data-act=thread]"))?.click();
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))
      /** @type {HTMLElement | null} */ (article.querySelector("[data-act=more]"))?.click();
    else return;
    event.preventDefault();
  }

  return {
    /**
     * @param {string} place Changes when another channel or thread is shown; the list then starts at its end.
     * @param {readonly MessageState[]} messages
     */
    draw(place, messages) {
      const moved = place !== shown;
      shown = place;
      if (moved) {
        atEnd = true;
        activeTs = "";
        onUnseen?.(false);
      }
      const today = dayKey(room.nowMs(), room.timeZone);
      reconcile(list, rowsOf(room, messages, inThread), {
        key: keyOf,
        signature: (row) => (row.kind === "message" ? signatureOf(room, row, today) : JSON.stringify(row)),
        make: (row) => make(room, row, inThread),
        carry,
      });
      setTabStops();
      const newest = messages.at(-1)?.ts ?? "";
      if (atEnd || (newest > lastTs && messages.at(-1)?.user === room.actor)) {
        atEnd = true;
        scroller.scrollTop = scroller.scrollHeight;
      } else if (!moved && newest > lastTs) onUnseen?.(true);
      lastTs = newest;
    },
    /** Scrolls to a message and puts the focus on it. @param {string} ts */
    reveal(ts) {
      const article = articlesOf(list).find((candidate) => candidate.dataset.ts === ts);
      if (!article) return false;
      atEnd = false;
      article.scrollIntoView({ block: "center" });
      article.focus({ preventScroll: true });
      article.classList.add("found");
      return true;
    },
    toEnd() {
      atEnd = true;
      scroller.scrollTop = scroller.scrollHeight;
      articlesOf(list).at(-1)?.focus({ preventScroll: true });
      onUnseen?.(false);
    },
  };
}

/** @param {HTMLElement} list */
function articlesOf(list) {
  return /** @type {HTMLElement[]} */ ([...list.querySelectorAll("article")]);
}

/**
 * @param {Element} article
 * @param {boolean} active
 */
function setActive(article, active) {
  article.classList.toggle("active", active);
  for (const stop of [article, ...article.querySelectorAll(".tool")])
    stop.setAttribute("tabindex", active ? "0" : "-1");
}

/**
 * @param {Room} room
 * @param {readonly MessageState[]} messages
 * @param {boolean} inThread
 * @returns {Row[]}
 */
function rowsOf(room, messages, inThread) {
  /** @type {Row[]} */
  const rows = [];
  let day = "";
  for (const [index, message] of messages.entries()) {
    const atMs = tsToMs(message.ts);
    const itsDay = dayKey(atMs, room.timeZone);
    const newDay = itsDay !== day;
    if (newDay && !inThread)
      rows.push({
        kind: "day",
        key: itsDay,
        name: dayName(atMs, room.nowMs(), room.timeZone),
      });
    day = itsDay;
    const above = newDay || (inThread && index === 1) ? undefined : messages[index - 1];
    rows.push({ kind: "message", message, compact: continues(message, above) });
    if (inThread && index === 0) rows.push({ kind: "count", text: replyWords(messages.length - 1) });
  }
  return rows;
}

/** @param {number} count */
function replyWords(count) {
  if (count === 0) return "No replies yet";
  return `${count} ${count === 1 ? "reply" : "replies"}`;
}

/** @param {Row} row */
function keyOf(row) {
  if (row.kind === "message") return row.message.ts + (row.message.ephemeral ? "e" : "");
  return row.kind === "day" ? row.key : "count";
}

/**
 * What a message looks like, as a string. `raw` is left out: what of it shows is in `rendered`.
 *
 * @param {Room} room
 * @param {Extract<Row, { kind: "message" }>} row
 * @param {string} today because "last reply today" is not true tomorrow
 */
function signatureOf(room, { message, compact }, today) {
  let look = looks.get(message);
  if (look === undefined) {
    const { raw: _raw, replies, ...shown } = message;
    look = JSON.stringify([shown, replies.map((reply) => [reply.ts, reply.user, reply.tombstone])]);
    looks.set(message, look);
  }
  return `${compact} ${room.actor} ${room.timeZone} ${today} ${look}`;
}

/** Each state brings new objects, and one state is drawn several times. @type {WeakMap<MessageState, string>} */
const looks = new WeakMap();

/**
 * @param {Room} room
 * @param {Row} row
 * @param {boolean} inThread
 */
function make(room, row, inThread) {
  if (row.kind === "day") return h("h2", { class: "day" }, h("span", {}, row.name));
  if (row.kind === "count") return h("p", { class: "reply-divider" }, h("span", {}, row.text));
  return messageElement(room, row.message, { inThread, compact: row.compact });
}

/**
 * An edited message keeps what the reader had opened or half filled in.
 *
 * @param {HTMLElement} from
 * @param {HTMLElement} to
 */
function carry(from, to) {
  const opened = [...from.querySelectorAll("details")].map((details) => details.open);
  for (const [index, details] of [...to.querySelectorAll("details")].entries())
    details.open = opened[index] ?? details.open;
  for (const field of from.querySelectorAll("input, textarea, select")) {
    const { blockId, actionId } = /** @type {HTMLElement} */ (field).dataset;
    if (!actionId) continue;
    const same = [...to.querySelectorAll("input, textarea, select")].find((candidate) => {
      const data = /** @type {HTMLElement} */ (candidate).dataset;
      return data.blockId === blockId && data.actionId === actionId;
    });
    if (field instanceof HTMLTextAreaElement && same instanceof HTMLTextAreaElement) same.value = field.value;
    if (field instanceof HTMLInputElement && same instanceof HTMLInputElement && field.value !== field.defaultValue)
      same.value = field.value;
  }
  if (from.classList.contains("found")) to.classList.add("found");
}

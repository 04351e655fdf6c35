import { read } from "./api.js";
import { h } from "./dom.js";
import { clockTimeWithSeconds } from "./time.js";

/**
 * The journal, newest first: each call, envelope and ack with how long it took.
 *
 * @typedef {import("../protocol.ts").JournalEntry} JournalEntry
 * @typedef {import("../protocol.ts").JournalPage} JournalPage
 * @typedef {import("./room.js").Room} Room
 */

const PAGE_ENTRIES = 200;
const MOST_ENTRIES = 500;
/** Slack drops what is not acknowledged in 3 seconds; above one second there is too little left for a bad day. */
const LATE_MS = 3_000;
const SLOW_MS = 1_000;

/** @param {Room} room */
export function createActivity(room) {
  const list = h("ol", { class: "journal", "aria-label": "Newest first" });
  const filter = h("input", {
    type: "search",
    id: "journal-filter",
    placeholder: "Filter, for example chat.update",
    autocomplete: "off",
  });
  const onlyTrouble = h("input", { type: "checkbox", id: "journal-trouble" });
  const element = h(
    "div",
    {},
    h(
      "div",
      { class: "journal-tools" },
      h("label", { class: "sr-only", for: "journal-filter" }, "Filter the activity"),
      filter,
      h("label", { class: "also", for: "journal-trouble" }, onlyTrouble, "Only late or failed"),
    ),
    list,
  );
  const withChanges = h("input", { type: "checkbox", id: "journal-changes" });
  element.firstElementChild?.append(
    h("label", { class: "also", for: "journal-changes" }, withChanges, "Every change to the room"),
  );
  let lastSeq = 0;
  let reading = false;
  filter.addEventListener("input", applyFilter);
  onlyTrouble.addEventListener("change", applyFilter);
  withChanges.addEventListener("change", applyFilter);

  function applyFilter() {
    for (const row of list.children) if (row instanceof HTMLElement) row.hidden = !matches(row);
  }

  /** @param {HTMLElement} row */
  function matches(row) {
    if (!withChanges.checked && row.dataset.kind === "change") return false;
    if (onlyTrouble.checked && !row.classList.contains("trouble")) return false;
    return (row.querySelector("summary")?.textContent ?? "").toLowerCase().includes(filter.value.trim().toLowerCase());
  }

  async function update() {
    if (reading) return;
    reading = true;
    const { body } = await read(`journal?since=${lastSeq}&limit=${PAGE_ENTRIES}`);
    reading = false;
    const page = /** @type {JournalPage | null} */ (body);
    if (!page) return;
    // A room that was restarted counts from one again.
    if (page.lastSeq < lastSeq) {
      lastSeq = 0;
      list.replaceChildren();
      return update();
    }
    for (const entry of page.entries) {
      if (entry.seq <= lastSeq) continue;
      lastSeq = entry.seq;
      const row = entryRow(room, entry);
      row.hidden = !matches(row);
      list.prepend(row);
    }
    while (list.childElementCount > MOST_ENTRIES) list.lastElementChild?.remove();
  }

  return { element, update };
}

/**
 * @param {Room} room
 * @param {JournalEntry} entry
 */
function entryRow(room, entry) {
  const speed = speedOf(entry);
  const trouble = !entry.ok || speed !== "";
  const took = entry.tookMs === null ? "" : `${Math.round(entry.tookMs).toLocaleString("en-GB")} ms`;
  const warning = { late: "too late", slow: "slow", "": "" }[speed];
  const detail = h("pre", { class: "detail", tabindex: "0" });
  const row = h(
    "details",
    {},
    h(
      "summary",
      {},
      h("span", { class: "journal-time" }, clockTimeWithSeconds(entry.atMs, room.timeZone)),
      h("span", { class: `journal-kind kind-${entry.kind}` }, entry.kind),
      h("span", { class: "journal-name" }, entry.name),
      entry.error && h("span", { class: "journal-error" }, entry.error),
      h("span", { class: `took ${speed}` }, took, warning && ` ${warning}`),
    ),
    detail,
  );
  row.addEventListener("toggle", () => {
    if (row.open) detail.textContent = JSON.stringify(entry.detail, null, 2);
  });
  return h("li", { class: trouble ? "trouble" : "", "data-kind": entry.kind }, row);
}

/**
 * @param {JournalEntry} entry
 * @returns {"late" | "slow" | ""}
 */
function speedOf({ kind, tookMs }) {
  if (tookMs === null || (kind !== "envelope" && kind !== "ack" && kind !== "http-event")) return "";
  return tookMs > LATE_MS ? "late" : tookMs > SLOW_MS ? "slow" : "";
}

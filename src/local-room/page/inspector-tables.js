import { h } from "./dom.js";
import { nameOf } from "./people.js";
import { clockTimeWithSeconds } from "./time.js";

/**
 * The two ledgers and the rate limits, as tables.
 *
 * @typedef {import("../protocol.ts").Ledgers} Ledgers
 * @typedef {import("../protocol.ts").NotificationEntry} NotificationEntry
 * @typedef {import("../protocol.ts").Buckets} Buckets
 * @typedef {import("./room.js").Room} Room
 */

/**
 * @param {Room} room
 * @param {NotificationEntry[]} entries
 */
export function notificationTable(room, entries) {
  if (entries.length === 0) return nothing("Nobody's phone would have buzzed.");
  return table(
    "Who would have been notified, and why",
    ["Time", "By", "Notified", "Why", "Because of"],
    entries
      .toReversed()
      .map((entry) => [
        clockTimeWithSeconds(entry.atMs, room.timeZone),
        nameOf(room.state, entry.author),
        entry.users.map((id) => nameOf(room.state, id)).join(", "),
        entry.reason.replaceAll("-", " "),
        entry.text === "" ? "" : h("code", {}, entry.text),
      ]),
  );
}

/**
 * @param {Room} room
 * @param {Ledgers} ledgers
 */
export function lintTable(room, { lint, flags }) {
  if (lint.length === 0 && flags.length === 0) return nothing("No advice broken, no protocol mistakes.");
  const rows = [
    ...flags.map((flag) => ({
      seq: flag.seq,
      atMs: flag.atMs,
      kind: "mistake",
      rule: flag.code,
      words: flag.message,
      at: "",
    })),
    ...lint.map((entry) => ({
      seq: entry.seq,
      atMs: entry.atMs,
      kind: "advice",
      rule: entry.rule,
      words: entry.message,
      at: entry.pointer ?? "",
    })),
  ].toSorted((a, b) => b.seq - a.seq);
  return table(
    "Advice that was not followed, and mistakes in the protocol",
    ["Time", "Kind", "Rule", "What", "Where"],
    rows.map((row) => [
      clockTimeWithSeconds(row.atMs, room.timeZone),
      row.kind,
      row.rule,
      row.words,
      row.at && h("code", {}, row.at),
    ]),
  );
}

/**
 * @param {Room} room
 * @param {Buckets} buckets
 */
export function bucketTable(room, { mode, buckets }) {
  const holder = h("div", {}, h("p", { class: "panel-note" }, "Mode: ", h("strong", {}, mode)));
  if (buckets.length === 0) holder.append(nothing("Nothing has been called yet."));
  else
    holder.append(
      table(
        "Rate limits, per minute",
        ["Method", "For", "Used", "Of", "Refused"],
        buckets.map((bucket) => [
          h("code", {}, bucket.method),
          room.channel(bucket.key ?? "")?.name ?? bucket.key ?? "",
          h("meter", {
            min: 0,
            max: bucket.limitPerMinute,
            value: bucket.used,
            high: bucket.limitPerMinute * 0.8,
            "aria-label": `${bucket.used} of ${bucket.limitPerMinute} used`,
          }),
          `${bucket.used} / ${bucket.limitPerMinute}`,
          h("span", { class: bucket.throttled > 0 ? "took late" : "" }, bucket.throttled),
        ]),
      ),
    );
  return holder;
}

/** @param {string} words */
function nothing(words) {
  return h("p", { class: "nothing" }, words);
}

/**
 * @param {string} caption
 * @param {string[]} columns
 * @param {import("./dom.js").Child[][]} rows
 */
function table(caption, columns, rows) {
  return h(
    "table",
    { class: "ledger" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))))),
  );
}

import { visible } from "../slack/blocks/encode.ts";
import type { Postmortem } from "./postmortem.ts";

const COLUMNS = ["seq", "at_utc", "after_seconds", "who", "user_id", "kind", "what", "evidence", "hash"];

/** The timeline as RFC 4180: every cell quoted, CRLF. The evidence itself follows as rows of kind `evidence`. */
export function postmortemCsv(report: Postmortem): string {
  const items = new Map(report.diagnosis?.evidence.map((item) => [item.id, item]) ?? []);
  const rows = report.timeline.map((row) => [
    String(row.seq),
    row.at,
    String(row.afterMs / 1_000),
    row.who,
    row.userId ?? "",
    row.kind,
    row.what,
    row.evidence.join(" "),
    row.hash,
  ]);
  const evidence = [...items.values()].map((item) => [
    "",
    item.at,
    "",
    "room137",
    "",
    "evidence",
    `${item.id} ${item.source}, ${item.container === null ? "" : `${item.container} on `}${item.host}, ${item.read}: ${item.text}`,
    item.id,
    "",
  ]);
  return [COLUMNS, ...rows, ...evidence].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/**
 * Spreadsheets run a cell that begins with one of these as a formula, quoted or not; an apostrophe makes it text
 * (OWASP, CSV injection). Full-width forms are read as the plain ones in some locales. A negative number is a number.
 */
function cell(text: string): string {
  const shown = visible(text, "show");
  const starts = /^\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/.test(shown) && !/^-\d+(\.\d+)?$/.test(shown);
  return `"${(starts ? `'${shown}` : shown).replaceAll('"', '""')}"`;
}

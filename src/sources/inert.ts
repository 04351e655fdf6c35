/**
 * Text that does nothing on a terminal: escape sequences go, other control characters and the marks that turn the
 * direction of writing become U+FFFD. Line breaks and tabs stay. Linear: no sequence is looked at longer than its bound.
 */
export function inert(text: string): string {
  if (!active.test(text)) return text;
  return text.replace(escapes, "").replace(controls, "\ufffd");
}

/** Cuts to a number of UTF-8 bytes, on a character's edge, and says so. */
export function bounded(text: string, maxBytes: number): string {
  // A UTF-16 unit is at most three bytes, so short text needs no counting.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= maxBytes) return text;
  const kept = bytes
    .subarray(0, maxBytes)
    .toString("utf8")
    .replace(/\ufffd+$/, "");
  return `${kept}… [cut, ${bytes.length} bytes]`;
}

const active = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const escapes =
  /\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,2048}(?:\x07|\x1b\\)|[PX^_][^\x1b\n]{0,2048}\x1b\\|[ -/]?[0-~])/g;
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

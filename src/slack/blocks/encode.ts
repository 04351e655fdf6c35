/**
 * Sink encoders. Text is encoded exactly once, where it leaves; what a sink does not understand is shown, not dropped.
 *
 * Slack's control sequences live between `<` and `>`, and `&` starts an entity, so these three are all that mrkdwn needs
 * (Slack docs: messaging/formatting-message-text). `rich_text` and `plain_text` are literal and must not be escaped.
 */
export function escapeMrkdwn(text: string): string {
  return text.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character);
}

/** Undoes `escapeMrkdwn`. Slack knows these three entities and no others. */
export function unescapeMrkdwn(text: string): string {
  return text.replace(/&(amp|lt|gt);/g, (entity) => DECODED[entity] ?? entity);
}

/**
 * Makes control, bidirectional and zero-width characters visible (`\x1b`, `\u202e`), as well as halves of surrogate
 * pairs. `lines: "show"` is for text that must stay on one line: a line break becomes `\n`, so that data cannot start a
 * line that looks like ours.
 */
export function visible(text: string, lines: "keep" | "show"): string {
  const joined = lines === "keep" ? text.replace(/\r\n/g, "\n") : text;
  return joined.replace(HIDDEN, (character) => {
    if (lines === "keep" && (character === "\n" || character === "\t")) return character;
    return spellOut(character);
  });
}

/** For `plain_text` and the literal strings of Block Kit: one line, nothing hidden, not escaped. */
export function plain(text: string): string {
  return visible(text, "show");
}

/**
 * Data inside mrkdwn. There is no escape for `*`, `_`, `~`, a backtick, a leading `>` or `:name:`, so where they would
 * format they are replaced by a look-alike. Names such as `my_db` stay as they are and can be copied. Log text does not
 * belong here: it goes into `rich_text`, which is literal.
 */
export function inertMrkdwn(text: string): string {
  const literal = plain(text)
    .replace(/[*~`_]/g, (marker, index: number, whole: string) =>
      isWordCharacter(whole[index - 1]) && isWordCharacter(whole[index + 1]) ? marker : (LOOK_ALIKES[marker] ?? marker),
    )
    .replace(/:(?=(?!\d+:)[a-z0-9_+'-]{1,100}:|100:|1234:)/gi, LOOK_ALIKES[":"] as string)
    .replace(/^\s*>/, (start) => start.replace(">", LOOK_ALIKES[">"] as string));
  return escapeMrkdwn(literal);
}

/** UTF-16 units after escaping: how Slack's limits are counted here. */
export function escapedLength(text: string): number {
  let length = text.length;
  for (const [found] of text.matchAll(/[&<>]/g)) length += (ENTITIES[found]?.length ?? 1) - 1;
  return length;
}

/** The visible mark of a cut. Names the number of UTF-16 units left out. */
export function cutMark(left: number): string {
  return `… ${left.toLocaleString("en-US")} more characters`;
}

/**
 * Cuts so that the escaped result, mark included, counts at most `max`. Cuts between graphemes, looks only at the start
 * of the text and near the cut, and so takes the same time for 10 MB as for 10 kB. Text that fits is returned as it is.
 */
export function cutToLength(text: string, max: number, mark: (left: number) => string = cutMark): string {
  if (indexOfBudget(text, max) === text.length) return text;
  const longestMark = escapedLength(mark(text.length));
  // A mark longer than the whole room would leave nothing of the text: then an ellipsis has to do.
  const end = graphemeBoundary(text, indexOfBudget(text, Math.max(0, max - longestMark)));
  if (end > 0) return text.slice(0, end) + mark(text.length - end);
  return text.slice(0, graphemeBoundary(text, indexOfBudget(text, Math.max(0, max - 1)))) + (max > 0 ? "…" : "");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};
const DECODED: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
};
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  "*": "\u2217", // asterisk operator
  _: "\u02cd", // modifier letter low macron
  "~": "\u223c", // tilde operator
  "`": "\u02cb", // modifier letter grave accent
  ":": "\u2236", // ratio
  ">": "\u203a", // single right-pointing angle quotation mark
};

/**
 * C0, DEL, C1, soft hyphen, Arabic letter mark, Hangul fillers, Mongolian vowel separator, zero-width and bidi
 * controls, line and paragraph separators, byte order mark, interlinear marks, tag characters, lone surrogates.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: single code points, never sequences
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function spellOut(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (SHORT[character] !== undefined) return SHORT[character];
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
}

function isWordCharacter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

/** The longest prefix whose escaped form counts at most `budget`, as an index; may fall inside a grapheme. */
function indexOfBudget(text: string, budget: number): number {
  let room = budget;
  for (let index = 0; index < text.length; index++) {
    room -= ENTITIES[text[index] as string]?.length ?? 1;
    if (room < 0) return index;
  }
  return text.length;
}

/** Longest grapheme looked at. Real ones are far shorter; beyond it (stacked accents) a code point boundary will do. */
const GRAPHEME_WINDOW = 128;
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

function graphemeBoundary(text: string, index: number): number {
  if (index >= text.length) return text.length;
  const start = codePointBoundary(text, Math.max(0, index - GRAPHEME_WINDOW));
  const segment = segmenter.segment(text.slice(start, index + GRAPHEME_WINDOW)).containing(index - start);
  const boundary = start + (segment?.index ?? 0);
  return boundary === start && start > 0 ? codePointBoundary(text, index) : boundary;
}

function codePointBoundary(text: string, index: number): number {
  const splitsPair = /[\ud800-\udbff]/.test(text[index - 1] ?? "") && /[\udc00-\udfff]/.test(text[index] ?? "");
  return splitsPair ? index - 1 : index;
}

/**
 * Text that a database cannot hold, made holdable: Postgres refuses NUL, and both lose a lone surrogate. Such a
 * character, and the escape character itself, is stored as U+001A and four hex digits. Equal texts stay equal, so
 * comparing in SQL still works.
 */
export function encodeParameter(value: unknown): unknown {
  return typeof value === "string" && unsafe.test(value) ? value.replace(everyUnsafe, escaped) : value;
}

export function decodeText(text: string): string {
  if (!text.includes(escapeCharacter)) return text;
  return text.replace(everyEscape, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const escapeCharacter = "\u001a";
const unsafe = /[\0\u001a\p{Surrogate}]/u;
const everyUnsafe = /[\0\u001a\p{Surrogate}]/gu;
const everyEscape = /\u001a([0-9a-f]{4})/g;

function escaped(character: string): string {
  return escapeCharacter + character.charCodeAt(0).toString(16).padStart(4, "0");
}

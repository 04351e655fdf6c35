import { refuse } from "../src/core/result.ts";
import type { Asked, CommandHandler, HandlerDeps, Reply } from "./asked.ts";
import { room137Help } from "./help.ts";
import { room137Words } from "./room137.ts";
import { meantWord, typedText, wordsOf } from "./words.ts";

/** The words of `/timeline` that also stand by themselves after a mention. */
const timelineWords = ["note", "export"];

/**
 * `@room137 why-500 web`: every command without its slash, and the words of `/room137` and `/timeline` by themselves.
 * The one way in a thread, where slash commands do not exist.
 */
export async function mention(
  who: Asked,
  raw: string,
  botUserId: string | null,
  commands: Readonly<Record<string, CommandHandler>>,
  deps: HandlerDeps,
): Promise<Reply> {
  const text = typedText(afterMention(raw, botUserId));
  const [first] = wordsOf(text);
  if (first === undefined) return room137Help;
  const word = first.replace(/^\//, "").toLowerCase();
  const rest = text
    .slice(text.indexOf(first) + first.length)
    .replace(/^[`'"*_~]+/, "")
    .trim();
  const direct = commands[`/${word}`];
  if (direct !== undefined) return await direct({ ...who, name: `/${word}`, text: rest }, deps);
  const via = timelineWords.includes(word) ? "/timeline" : room137Words.includes(word) ? "/room137" : null;
  const handler = via === null ? undefined : commands[via];
  if (via !== null && handler !== undefined) {
    return await handler({ ...who, name: via, text: `${word} ${rest}`.trim() }, deps);
  }
  return notUnderstood(first, word, commands);
}

/** What follows the mention; where it stands at the end, what comes before it. */
function afterMention(raw: string, botUserId: string | null): string {
  const mentions = botUserId === null ? /<@[UW][A-Z0-9]+(?:\|[^>]*)?>/ : new RegExp(`<@${botUserId}(?:\\|[^>]*)?>`);
  const found = mentions.exec(raw);
  if (found === null) return raw;
  const after = raw.slice(found.index + found[0].length).trim();
  return after === "" ? raw.slice(0, found.index) : after;
}

function notUnderstood(first: string, word: string, commands: Readonly<Record<string, CommandHandler>>): Reply {
  const known = [...Object.keys(commands).map((name) => name.slice(1)), ...timelineWords, ...room137Words];
  const near = meantWord(word, known);
  const next = near === null ? "Try @room137 why-500 web, or @room137 help." : `Did you mean @room137 ${near} ?`;
  return refuse("unknown-command", `room137 does not know "${first.slice(0, 40)}".`, "Nothing was done.", next);
}

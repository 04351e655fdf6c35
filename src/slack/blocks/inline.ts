import type { RichTextElement } from "@slack/types";
import { cutMark, cutToLength, escapedLength, escapeMrkdwn, inertMrkdwn, plain } from "./encode.ts";
import { safeUrl } from "./render-node.ts";

/**
 * A line of ours with data in it, not yet encoded for any sink. A plain string is never one of these: it has to pass
 * through `fmt` or `data`, where it counts as data and can neither notify, nor link, nor format.
 */
export interface Rich {
  readonly parts: readonly Part[];
}

type Style = "bold" | "italic" | "strike" | "code";
type Part =
  | { readonly kind: "ours"; readonly text: string }
  | { readonly kind: "data"; readonly text: string }
  | { readonly kind: "style"; readonly style: Style; readonly inner: Rich }
  | Token;
type Token =
  | { readonly kind: "user" | "usergroup" | "channel"; readonly id: string }
  | { readonly kind: "link"; readonly url: string; readonly label: string }
  | {
      readonly kind: "date";
      readonly unixSeconds: number;
      readonly fallback: string;
    };

/** The literal text of the template is ours; every interpolated string or number is data. */
export function fmt(strings: TemplateStringsArray, ...values: readonly (Rich | string | number)[]): Rich {
  const parts = strings.flatMap((text, index) => {
    const value = values[index];
    const ours: Part[] = text === "" ? [] : [{ kind: "ours", text }];
    return value === undefined ? ours : [...ours, ...rich(value).parts];
  });
  return { parts };
}

/** Text from hosts, logs or people: shown on one line, with nothing hidden in it. */
export function data(text: string | number): Rich {
  return { parts: [{ kind: "data", text: plain(String(text)) }] };
}

export function rich(value: Rich | string | number): Rich {
  return typeof value === "object" ? value : data(value);
}

export function join(values: readonly (Rich | string)[], separator: string): Rich {
  const ours: Part = { kind: "ours", text: separator };
  return {
    parts: values.flatMap((value, index) => (index === 0 ? rich(value).parts : [ours, ...rich(value).parts])),
  };
}

export const bold = (value: Rich | string): Rich => styled("bold", value);
export const strike = (value: Rich | string): Rich => styled("strike", value);
/** For names, values and commands within a line. Whole logs go into `preformatted`. */
export const code = (value: Rich | string): Rich => styled("code", value);

/** A live mention. Anything that is not a user id becomes inert text. */
export function mentionUser(id: string): Rich {
  return mention("user", /^[UW][A-Z0-9]{2,20}$/, id);
}

/** A live mention of a user group. Only for an explicit act of a person: it notifies all of its members. */
export function mentionGroup(id: string): Rich {
  return mention("usergroup", /^S[A-Z0-9]{2,20}$/, id);
}

export function mentionChannel(id: string): Rich {
  return mention("channel", /^[CDG][A-Z0-9]{2,20}$/, id);
}

/** A link to an address of ours; never for one that data brought. Without http or https only its label remains. */
export function link(url: string, label: string): Rich {
  const safe = /^https?:\/\//i.test(url) ? safeUrl(url) : null;
  // A bar ends the address in mrkdwn.
  if (safe === null) return data(label);
  return {
    parts: [{ kind: "link", url: safe.replaceAll("|", "%7C"), label: plain(label) }],
  };
}

/** Shown in each viewer's own zone; the fallback says UTC. */
export function dateTime(atMs: number): Rich {
  const at = new Date(atMs);
  if (Number.isNaN(at.getTime())) return data("unknown time");
  const fallback = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return {
    parts: [{ kind: "date", unixSeconds: Math.floor(atMs / 1_000), fallback }],
  };
}

export interface Cut {
  readonly text: string;
  readonly wasCut: boolean;
}

/** mrkdwn of at most `max` units, mark included. Tokens are whole or absent, and what was opened is closed. */
export function toMrkdwn(value: Rich, max: number): Cut {
  const whole = mrkdwnOf(value.parts, Number.POSITIVE_INFINITY);
  if (whole.text.length <= max) return { text: whole.text, wasCut: false };
  const total = toPlain(value).length;
  const kept = mrkdwnOf(value.parts, Math.max(0, max - cutMark(total).length));
  return {
    text: (kept.text + cutMark(Math.max(1, total - kept.shown))).slice(0, max),
    wasCut: true,
  };
}

/** The words alone, for `plain_text`, `text` of terminals and lengths. */
export function toPlain(value: Rich): string {
  return value.parts.map(plainOf).join("");
}

/** The same for `plain_text` objects, cut with a mark. */
export function toPlainCut(value: Rich, max: number): Cut {
  const whole = toPlain(value);
  const text = cutToLength(whole, max);
  return { text, wasCut: text !== whole };
}

/** Elements for `rich_text`, which is literal: nothing is escaped, nothing is replaced. */
export function toRichText(value: Rich, style: Partial<Record<Style, true>> = {}): RichTextElement[] {
  return value.parts.flatMap((part) => richTextOf(part, style));
}

const DATE_FORMAT = "{date_short_pretty} at {time_secs}";
const MARKERS = { bold: "*", italic: "_", strike: "~", code: "`" } as const;

function styled(style: Style, value: Rich | string): Rich {
  return { parts: [{ kind: "style", style, inner: rich(value) }] };
}

function mention(kind: "user" | "usergroup" | "channel", form: RegExp, id: string): Rich {
  return form.test(id) ? { parts: [{ kind, id }] } : data(id);
}

function richTextOf(part: Part, style: Partial<Record<Style, true>>): RichTextElement[] {
  const styling = Object.keys(style).length === 0 ? {} : { style };
  switch (part.kind) {
    case "ours":
    case "data":
      return part.text === "" ? [] : [{ type: "text", text: part.text, ...styling }];
    case "style":
      return toRichText(part.inner, { ...style, [part.style]: true });
    case "user":
      return [{ type: "user", user_id: part.id, ...styling }];
    case "usergroup":
      return [{ type: "usergroup", usergroup_id: part.id, ...styling }];
    case "channel":
      return [{ type: "channel", channel_id: part.id, ...styling }];
    case "link":
      return [{ type: "link", url: part.url, text: part.label, ...styling }];
    case "date":
      return [
        {
          type: "date",
          timestamp: part.unixSeconds,
          format: DATE_FORMAT,
          fallback: part.fallback,
          ...styling,
        },
      ];
  }
}

function plainOf(part: Part): string {
  switch (part.kind) {
    case "ours":
    case "data":
      return part.text;
    case "style":
      return toPlain(part.inner);
    case "user":
    case "usergroup":
      return `@${part.id}`;
    case "channel":
      return `#${part.id}`;
    case "link":
      return part.label;
    case "date":
      return part.fallback;
  }
}

interface Encoded {
  readonly text: string;
  /** Units of plain text that are in it. */
  readonly shown: number;
  readonly full: boolean;
}

function mrkdwnOf(parts: readonly Part[], room: number, inCode = false): Encoded {
  let [text, shown] = ["", 0];
  for (const part of parts) {
    const next = partOf(part, room - text.length, inCode);
    text += next.text;
    shown += next.shown;
    if (!next.full) return { text, shown, full: false };
  }
  return { text, shown, full: true };
}

function partOf(part: Part, room: number, inCode: boolean): Encoded {
  if (part.kind === "ours" || part.kind === "data") {
    const kept = escapedLength(part.text) <= room ? part.text : cutToLength(part.text, room, () => "");
    const encode = inCode ? inertCode : part.kind === "data" ? inertMrkdwn : escapeMrkdwn;
    return { text: encode(kept), shown: kept.length, full: kept === part.text };
  }
  if (part.kind === "style") {
    const marker = MARKERS[part.style];
    const inner = mrkdwnOf(part.inner.parts, room - 2, inCode || part.style === "code");
    // Markers around nothing, and markers inside code, would be shown as they are.
    if (inner.text.trim() === "" || inCode) return inner;
    return { ...inner, text: marker + inner.text + marker };
  }
  const token = tokenOf(part);
  return token.length <= room
    ? { text: token, shown: plainOf(part).length, full: true }
    : { text: "", shown: 0, full: false };
}

/** Within code only a backtick and a line break have a meaning. */
function inertCode(text: string): string {
  return escapeMrkdwn(text.replaceAll("`", "\u02cb").replaceAll("\n", " "));
}

function tokenOf(part: Token): string {
  switch (part.kind) {
    case "user":
      return `<@${part.id}>`;
    case "usergroup":
      return `<!subteam^${part.id}>`;
    case "channel":
      return `<#${part.id}>`;
    case "link":
      return `<${escapeMrkdwn(part.url)}|${inertMrkdwn(part.label)}>`;
    case "date":
      return `<!date^${part.unixSeconds}^${DATE_FORMAT}|${part.fallback}>`;
  }
}

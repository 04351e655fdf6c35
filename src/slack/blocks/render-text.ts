import { formatDate } from "./dates.ts";
import { type MrkdwnNode, parseMrkdwn } from "./mrkdwn-parser.ts";
import { el, type RenderChild, type RenderTag, safeUrl } from "./render-node.ts";
import { type Fields, isFields } from "./schema.ts";

export interface RenderOptions {
  /** IANA zone of the viewer. */
  readonly timeZone: string;
  /** For `{ago}`, "today" and "yesterday". */
  readonly nowMs: number;
  /** Display names; null or a missing function shows the id. */
  readonly names?: {
    user?(id: string): string | null;
    channel?(id: string): string | null;
    usergroup?(id: string): string | null;
  };
  /** Where the page serves a Slack file; null shows its alt text only. */
  readonly fileUrl?: (file: { readonly id?: string; readonly url?: string }) => string | null;
}

/** A text object. `plain_text` shows emoji names unless `emoji: false`; mrkdwn is parsed as Slack would parse it. */
export function renderTextObject(value: unknown, options: RenderOptions): RenderChild[] {
  if (!isFields(value) || typeof value["text"] !== "string") return [];
  if (value["type"] !== "mrkdwn") return lines(value["text"]);
  return renderNodes(parseMrkdwn(value["text"], { verbatim: value["verbatim"] === true }), options);
}

export function renderNodes(nodes: readonly MrkdwnNode[], options: RenderOptions): RenderChild[] {
  return nodes.flatMap((node) => renderNode(node, options));
}

/** The `elements` of a `rich_text` block. */
export function renderRichText(value: unknown, options: RenderOptions): RenderChild[] {
  return list(value).flatMap((part) => (isFields(part) ? [renderPart(part, options)] : []));
}

/** Text with its line breaks as `br`. */
export function lines(text: string): RenderChild[] {
  return text.split("\n").flatMap((line, index) => (index === 0 ? [line] : [el("br"), line]));
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const TAGS = {
  bold: "b",
  italic: "i",
  strike: "s",
  quote: "blockquote",
  code: "code",
  fence: "pre",
} as const;

function renderNode(node: MrkdwnNode, options: RenderOptions): RenderChild[] {
  switch (node.kind) {
    case "text":
      return lines(node.text);
    case "bold":
    case "italic":
    case "strike":
    case "quote":
    case "code":
      return [el(TAGS[node.kind], {}, renderNodes(node.children, options))];
    case "fence":
      return [
        el(
          "pre",
          {},
          node.children.flatMap((child) => (child.kind === "text" ? [child.text] : renderNode(child, options))),
        ),
      ];
    case "link":
      return [link(node.url, [node.label])];
    case "user":
    case "subteam":
    case "channel":
      return [mention(node.kind === "subteam" ? "usergroup" : node.kind, node.id, node.label, options)];
    case "broadcast":
      return [broadcast(node.range)];
    case "name":
      return [el("span", { class: "mention", "data-name": node.name }, [node.sign + node.name])];
    case "date":
      return [date(node.unixSeconds, node.format, node.url, node.fallback, options)];
    case "emoji":
      return [emoji(node.name)];
  }
}

function mention(
  kind: "user" | "channel" | "usergroup",
  id: string,
  label: string | null,
  options: RenderOptions,
): RenderChild {
  const name = options.names?.[kind]?.(id) ?? label ?? id;
  const attribute = {
    user: "data-user-id",
    channel: "data-channel-id",
    usergroup: "data-usergroup-id",
  } as const;
  return el("span", { class: "mention", [attribute[kind]]: id }, [(kind === "channel" ? "#" : "@") + name]);
}

function broadcast(range: string): RenderChild {
  return el("span", { class: "mention broadcast", "data-broadcast": range }, [`@${range}`]);
}

function date(
  seconds: number,
  format: string,
  url: string | null,
  fallback: string,
  options: RenderOptions,
): RenderChild {
  const shown = formatDate(seconds, format, options);
  const iso = isoOf(seconds);
  // The fallback names the zone, so it makes the better tooltip and stands in where the date cannot be shown.
  const time = el("time", { datetime: iso, "data-unix": String(seconds), title: fallback }, [shown ?? fallback]);
  return url === null ? time : link(url, [time]);
}

function isoOf(seconds: number): string | null {
  const at = new Date(seconds * 1_000);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/** Always names where it goes: a link whose text pretends to be another address must be seen through. */
export function link(url: unknown, children: readonly RenderChild[]): RenderChild {
  const href = safeUrl(url);
  if (href === null) return el("span", {}, children);
  return el(
    "a",
    {
      href,
      title: href,
      rel: "noopener noreferrer nofollow",
      target: "_blank",
    },
    children,
  );
}

/** The fixed set the program uses; any other name is shown as it is written. */
const EMOJI: Readonly<Record<string, string>> = {
  red_circle: "🔴",
  large_orange_circle: "🟠",
  white_check_mark: "✅",
  eyes: "👀",
  warning: "⚠️",
  x: "❌",
  hourglass_flowing_sand: "⏳",
  lock: "🔒",
  mag: "🔍",
  thumbsup: "👍",
  "+1": "👍",
  wave: "👋",
};

function emoji(name: string): RenderChild {
  const character = EMOJI[name];
  if (character === undefined) return `:${name}:`;
  return el("span", { role: "img", "aria-label": name.replaceAll("_", " "), "data-name": name }, [character]);
}

function renderPart(part: Fields, options: RenderOptions): RenderChild {
  const elements = list(part["elements"]);
  switch (part["type"]) {
    case "rich_text_preformatted":
      return el(
        "pre",
        {},
        elements.flatMap((element) => renderInline(element, options, "keep")),
      );
    case "rich_text_quote":
      return el(
        "blockquote",
        {},
        elements.flatMap((element) => renderInline(element, options, "break")),
      );
    case "rich_text_list": {
      const indent = typeof part["indent"] === "number" ? ` indent-${part["indent"]}` : "";
      const items = elements.filter(isFields).map((item) => el("li", {}, inlines(item, options)));
      return el(part["style"] === "ordered" ? "ol" : "ul", { class: `rich-list${indent}` }, items);
    }
    default:
      return el("p", {}, inlines(part, options));
  }
}

function inlines(section: Fields, options: RenderOptions): RenderChild[] {
  return list(section["elements"]).flatMap((element) => renderInline(element, options, "break"));
}

function renderInline(element: unknown, options: RenderOptions, breaks: "keep" | "break"): RenderChild[] {
  if (!isFields(element)) return [];
  return styled(inlineContent(element, options, breaks), element["style"]);
}

function inlineContent(element: Fields, options: RenderOptions, breaks: "keep" | "break"): RenderChild[] {
  const text = typeof element["text"] === "string" ? element["text"] : "";
  switch (element["type"]) {
    case "text":
      return breaks === "keep" ? [text] : lines(text);
    case "link":
      return [link(element["url"], [text === "" ? String(element["url"]) : text])];
    case "user":
      return [mention("user", String(element["user_id"]), null, options)];
    case "usergroup":
      return [mention("usergroup", String(element["usergroup_id"]), null, options)];
    case "channel":
      return [mention("channel", String(element["channel_id"]), null, options)];
    case "broadcast":
      return [broadcast(String(element["range"]))];
    case "date": {
      const [format, fallback] = [String(element["format"]), String(element["fallback"] ?? "")];
      const url = typeof element["url"] === "string" ? element["url"] : null;
      return [date(Number(element["timestamp"]), format, url, fallback, options)];
    }
    case "emoji":
      return [emoji(String(element["name"]))];
    case "color":
      return [String(element["value"])];
    default:
      return [text];
  }
}

function styled(children: RenderChild[], style: unknown): RenderChild[] {
  if (!isFields(style)) return children;
  const tags: [string, RenderTag][] = [
    ["code", "code"],
    ["bold", "b"],
    ["italic", "i"],
    ["strike", "s"],
    ["underline", "u"],
  ];
  return tags.reduce((inner, [name, tag]) => (style[name] === true ? [el(tag, {}, inner)] : inner), children);
}

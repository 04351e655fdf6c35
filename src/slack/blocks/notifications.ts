import { type MrkdwnNode, type ParseOptions, parseMrkdwn } from "./mrkdwn-parser.ts";
import { type Fields, isFields } from "./schema.ts";

export interface Notification {
  readonly who: "user" | "subteam" | "here" | "channel" | "everyone";
  /** The id; the bare name where Slack would look the name up; null for broadcasts. */
  readonly id: string | null;
  readonly why: "mention" | "auto-parse" | "link_names" | "parse_full";
  /** JSON pointer to the text or element that notifies. */
  readonly pointer: string;
}

/**
 * Everybody a message payload would notify, and why. Where Slack's behaviour is not documented this takes the worse
 * reading: mentions in `text` count although there are blocks, and mentions inside code count.
 */
export function notifications(payload: unknown): Notification[] {
  if (!isFields(payload)) return [];
  const why = nameLookup(payload);
  const found: Notification[] = [];
  const topLevel = { verbatim: why === null, linkNames: why !== null };
  collect(payload["text"], "/text", topLevel, why, found);
  // Standard Markdown has no verbatim switch, and Slack translates it itself.
  collect(payload["markdown_text"], "/markdown_text", { verbatim: false }, why, found);
  walk(payload["blocks"], "/blocks", why, found);
  const attachments: unknown[] = Array.isArray(payload["attachments"]) ? payload["attachments"] : [];
  for (const [index, attachment] of attachments.entries()) {
    walkAttachment(attachment, `/attachments/${index}`, why, found);
  }
  return found;
}

type Why = "link_names" | "parse_full" | null;

function nameLookup(payload: Fields): Why {
  if (payload["parse"] === "full") return "parse_full";
  const linked = payload["link_names"];
  return linked === true || linked === 1 || linked === "1" || linked === "true" ? "link_names" : null;
}

function walkAttachment(value: unknown, at: string, why: Why, found: Notification[]): void {
  if (!isFields(value)) return;
  for (const name of ["pretext", "title", "text", "fallback", "footer"]) {
    collect(value[name], `${at}/${name}`, { verbatim: false, linkNames: why !== null }, why, found);
  }
  const fields: unknown[] = Array.isArray(value["fields"]) ? value["fields"] : [];
  for (const [index, field] of fields.entries()) {
    if (isFields(field)) collect(field["value"], `${at}/fields/${index}/value`, { verbatim: false }, why, found);
  }
  walk(value["blocks"], `${at}/blocks`, why, found);
}

function walk(value: unknown, at: string, why: Why, found: Notification[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item, `${at}/${index}`, why, found);
    return;
  }
  if (!isFields(value)) return;
  switch (value["type"]) {
    case "mrkdwn": {
      const verbatim = value["verbatim"] === true;
      collect(value["text"], `${at}/text`, { verbatim, linkNames: !verbatim && why !== null }, why, found);
      return;
    }
    case "markdown":
      collect(value["text"], `${at}/text`, { verbatim: false, linkNames: why !== null }, why, found);
      return;
    case "user":
      found.push({
        who: "user",
        id: String(value["user_id"]),
        why: "mention",
        pointer: at,
      });
      return;
    case "usergroup":
      found.push({
        who: "subteam",
        id: String(value["usergroup_id"]),
        why: "mention",
        pointer: at,
      });
      return;
    case "broadcast":
      found.push({
        who: value["range"] as "here",
        id: null,
        why: "mention",
        pointer: at,
      });
      return;
  }
  for (const [name, field] of Object.entries(value)) walk(field, `${at}/${name}`, why, found);
}

function collect(text: unknown, pointer: string, options: ParseOptions, why: Why, found: Notification[]): void {
  if (typeof text !== "string") return;
  visit(parseMrkdwn(text, options));

  function visit(nodes: readonly MrkdwnNode[]): void {
    for (const node of nodes) {
      if (node.kind === "user" || node.kind === "subteam") {
        found.push({ who: node.kind, id: node.id, why: "mention", pointer });
      } else if (node.kind === "broadcast") {
        found.push({
          who: node.range,
          id: null,
          why: node.bare ? (why ?? "auto-parse") : "mention",
          pointer,
        });
      } else if (node.kind === "name" && node.sign === "@") {
        found.push({
          who: "user",
          id: node.name,
          why: why ?? "auto-parse",
          pointer,
        });
      } else if ("children" in node) visit(node.children);
    }
  }
}

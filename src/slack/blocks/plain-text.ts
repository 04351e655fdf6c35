import { parseMrkdwn, textOf } from "./mrkdwn-parser.ts";
import { type Fields, isFields } from "./schema.ts";

/** The words of blocks in reading order, for a terminal, a file, or the top-level `text`; one block a paragraph. */
export function plainText(blocks: readonly unknown[]): string {
  return blocks
    .map(blockText)
    .filter((text) => text !== "")
    .join("\n");
}

function blockText(block: unknown): string {
  if (!isFields(block)) return "";
  switch (block["type"]) {
    case "divider":
    case "actions":
    case "context_actions":
      return "";
    case "rich_text":
      return lines(list(block["elements"]).map(richPart));
    case "context":
      return list(block["elements"]).map(textObject).filter(Boolean).join(" · ");
    case "section":
      return lines([textObject(block["text"]), ...list(block["fields"]).map(field)]);
    case "image":
      return `[${text(block["alt_text"])}]`;
    case "input":
      return textObject(block["label"]);
    case "table":
    case "data_table":
      return lines([text(block["caption"]), ...list(block["rows"]).map((row) => list(row).map(cell).join(" | "))]);
    case "container":
      return lines([textObject(block["title"]), textObject(block["subtitle"]), plainText(list(block["child_blocks"]))]);
    case "task_card":
      return lines([
        `${text(block["title"])} (${text(block["status"])})`,
        blockText(block["details"]),
        blockText(block["output"]),
      ]);
    case "plan":
      return lines([text(block["title"]), plainText(list(block["tasks"]))]);
    case "carousel":
      return plainText(list(block["elements"]));
    case "data_visualization":
      return lines([text(block["title"]), ...chartLines(block["chart"])]);
    default:
      return lines(
        [block["title"], block["subtitle"], block["body"], block["text"]].map((one) => text(one) || textObject(one)),
      );
  }
}

/** One line per series, or per segment of a pie. */
export function chartLines(chart: unknown): string[] {
  if (!isFields(chart)) return [];
  const point = (one: unknown): string => (isFields(one) ? `${text(one["label"])} ${String(one["value"])}` : "");
  const series = list(chart["series"]).filter(isFields);
  return [
    ...list(chart["segments"]).map(point),
    ...series.map((one) => `${text(one["name"])}: ${list(one["data"]).map(point).join(", ")}`),
  ];
}

function textObject(value: unknown): string {
  if (!isFields(value)) return "";
  if (value["type"] === "image") return `[${text(value["alt_text"])}]`;
  return value["type"] === "mrkdwn" ? textOf(parseMrkdwn(text(value["text"]))) : text(value["text"]);
}

function field(value: unknown): string {
  return textObject(value).replace("\n", ": ");
}

function cell(value: unknown): string {
  return isFields(value) && value["type"] === "rich_text"
    ? blockText(value)
    : isFields(value)
      ? text(value["text"])
      : "";
}

function richPart(part: unknown): string {
  if (!isFields(part)) return "";
  if (part["type"] !== "rich_text_list") return list(part["elements"]).map(inline).join("");
  const sign = (index: number): string => (part["style"] === "ordered" ? `${index + 1}.` : "•");
  return list(part["elements"])
    .map((item, index) => `${sign(index)} ${richPart(item)}`)
    .join("\n");
}

function inline(value: unknown): string {
  if (!isFields(value)) return "";
  const signs: readonly (readonly [name: string, sign: string])[] = [
    ["text", ""],
    ["fallback", ""],
    ["user_id", "@"],
    ["usergroup_id", "@"],
    ["channel_id", "#"],
    ["range", "@"],
    ["url", ""],
  ];
  if (value["type"] === "emoji") return `:${text(value["name"])}:`;
  const found = signs.find(([name]) => text((value as Fields)[name]) !== "");
  return found === undefined ? "" : found[1] + text(value[found[0]]);
}

function lines(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

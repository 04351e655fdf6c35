import type { KnownBlock, RichTextBlock } from "@slack/types";
import { preformatted, richText, section } from "./build.ts";
import { bold, fmt, rich } from "./inline.ts";
import { fitBlocks, type MessageBlock } from "./message.ts";
import { chartLines, plainText } from "./plain-text.ts";
import { isFields } from "./schema.ts";

/**
 * The same message in older blocks, for a workspace that answered `unsupported type`. Keeps every word and every
 * button; collapsing, columns and drawings are what is lost. Stays within the limits of a message.
 */
export function degrade(blocks: readonly MessageBlock[], unsupportedTypes: readonly string[]): MessageBlock[] {
  return fitBlocks(blocks.flatMap((block) => older(block, unsupportedTypes))).blocks;
}

function older(block: MessageBlock, unsupported: readonly string[]): MessageBlock[] {
  if (!unsupported.includes(block.type)) return [block];
  const named = block.block_id === undefined ? {} : { blockId: block.block_id };
  switch (block.type) {
    case "container": {
      const title = block.title?.text ?? plainText([block.rich_text_title]);
      return [section(bold(title), named), ...block.child_blocks.flatMap((child) => older(child, unsupported))];
    }
    case "table":
    case "data_table":
      return [grid(block.rows, named)];
    case "data_visualization":
      return [section(bold(block.title), named), preformatted(chartLines(block.chart).join("\n"))];
    case "alert":
      return [section(fmt`${bold(ALERTS[block.level ?? "default"])} ${plainText([block])}`, named)];
    case "task_card":
      return [
        section(fmt`${bold(block.title)} (${STATUS[block.status]})`, named),
        ...present(block.details),
        ...present(block.output),
      ];
    case "plan": {
      const tasks = (block.tasks ?? []).flatMap((task) =>
        isTask(task) ? older(task, [...unsupported, "task_card"]) : [],
      );
      return [section(bold(block.title), named), ...tasks];
    }
    case "card":
      return [richText([rich(plainText([block]))], named), ...buttons(block.actions)];
    case "carousel":
      return block.elements.flatMap((card) => older(card, [...unsupported, "card"]));
    case "context_actions":
    case "divider":
      return [];
    case "actions":
    case "context":
    case "file":
    case "header":
    case "image":
    case "input":
    case "markdown":
    case "rich_text":
    case "section":
    case "video": {
      const words = plainText([block]);
      return words === "" ? [] : [richText(words.split("\n"), named)];
    }
  }
}

const ALERTS = {
  default: "Note:",
  info: "Note:",
  warning: "Warning:",
  error: "Error:",
  success: "Done:",
} as const;
const STATUS = {
  pending: "waiting",
  in_progress: "in progress",
  complete: "done",
  error: "failed",
} as const;

type Task = Extract<KnownBlock, { type: "task_card" }>;

function isTask(task: Task | Record<string, unknown>): task is Task {
  return task["type"] === "task_card";
}

function present(block: RichTextBlock | undefined): RichTextBlock[] {
  return block === undefined ? [] : [block];
}

function buttons(elements: Extract<KnownBlock, { type: "card" }>["actions"]): MessageBlock[] {
  return elements === undefined || elements.length === 0 ? [] : [{ type: "actions", elements }];
}

/** Columns padded with spaces: rich text shows preformatted text in a fixed pitch. */
function grid(rows: readonly (readonly unknown[])[], named: { blockId?: string }): RichTextBlock {
  const texts = rows.map((row) => row.map((cell) => cellText(cell)));
  const width = (column: number): number => Math.max(...texts.map((row) => row[column]?.length ?? 0));
  const widths = (texts[0] ?? []).map((_, column) => width(column));
  const lines = texts.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return preformatted(lines.join("\n"), { ...named, maxLines: rows.length });
}

function cellText(cell: unknown): string {
  if (!isFields(cell)) return "";
  return (cell["type"] === "rich_text" ? plainText([cell]) : String(cell["text"] ?? "")).replaceAll("\n", " ");
}

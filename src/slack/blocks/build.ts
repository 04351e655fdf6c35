import type {
  ActionsBlock,
  ActionsBlockElement,
  ContainerBlock,
  ContextBlock,
  DividerBlock,
  HeaderBlock,
  ImageBlock,
  InputBlock,
  InputBlockElement,
  KnownBlock,
  MrkdwnElement,
  PlainTextElement,
  RichTextBlock,
  RichTextBlockElement,
  SectionBlock,
  SectionBlockAccessory,
  TableBlock,
  TaskCardBlock,
} from "@slack/types";
import { cutMark, cutToLength, escapedLength, plain, visible } from "./encode.ts";
import { rememberFullText } from "./full-text.ts";
import { fmt, type Rich, rich, toMrkdwn, toPlain, toPlainCut, toRichText } from "./inline.ts";
import { LIMITS, type LimitName } from "./limits.ts";

/** A line: a plain string is data and is shown literally. */
export type Line = Rich | string;
interface Named {
  readonly blockId?: string;
}

export function header(text: Line, named: Named = {}): HeaderBlock {
  const cut = toPlainCut(rich(text), LIMITS.headerText);
  return finish({ type: "header", text: plainTextObject(text, "headerText"), ...id(named) }, cut.wasCut, [text]);
}

/** mrkdwn, always verbatim. Shown whole unless `expand: false`: a summary behind "see more" is not read at 3 a.m. */
export function section(
  text: Line,
  options: Named & {
    readonly accessory?: SectionBlockAccessory;
    readonly expand?: boolean;
  } = {},
): SectionBlock {
  const cut = mrkdwnObject(text, "sectionText");
  const accessory = options.accessory === undefined ? {} : { accessory: options.accessory };
  const block: SectionBlock = {
    type: "section",
    text: cut.object,
    expand: options.expand ?? true,
    ...accessory,
  };
  return finish({ ...block, ...id(options) }, cut.wasCut, [text]);
}

/** Pairs of name and value in two columns. More than ten: the last says how many are missing. */
export function fields(pairs: readonly (readonly [name: string, value: Line])[], named: Named = {}): SectionBlock {
  const lines = pairs.map(([name, value]) => fmt`${boldName(name)}\n${rich(value)}`);
  const shown = atMost(lines, LIMITS.sectionFields);
  const objects = shown.map((line) => mrkdwnObject(line, "sectionField"));
  const wasCut = lines.length > LIMITS.sectionFields || objects.some((one) => one.wasCut);
  return finish({ type: "section", fields: objects.map((one) => one.object), ...id(named) }, wasCut, lines);
}

export function context(lines: readonly Line[], named: Named = {}): ContextBlock {
  const shown = atMost(lines, LIMITS.contextElements).map((line) => mrkdwnObject(line, "text"));
  const wasCut = lines.length > LIMITS.contextElements || shown.some((one) => one.wasCut);
  return finish({ type: "context", elements: shown.map((one) => one.object), ...id(named) }, wasCut, lines);
}

export function divider(): DividerBlock {
  return { type: "divider" };
}

/** Throws a RangeError above 25 elements: a button that is left out would be a choice that is taken away. */
export function actions(elements: readonly ActionsBlockElement[], named: Named = {}): ActionsBlock {
  requireAtMost(elements.length, "actionsElements");
  return { type: "actions", elements: [...elements], ...id(named) };
}

/** Lines of rich text: literal, no formatting but ours, nothing in it is parsed. */
export function richText(lines: readonly Line[], named: Named = {}): RichTextBlock {
  const elements = lines.map((line): RichTextBlockElement => {
    const inline = toRichText(rich(line));
    return {
      type: "rich_text_section",
      elements: inline.length === 0 ? [{ type: "text", text: " " }] : inline,
    };
  });
  return { type: "rich_text", elements, ...id(named) };
}

export function bullets(items: readonly Line[], named: Named & { readonly ordered?: boolean } = {}): RichTextBlock {
  const elements = richText(items).elements.filter((element) => element.type === "rich_text_section");
  const style = named.ordered === true ? "ordered" : "bullet";
  return {
    type: "rich_text",
    elements: [{ type: "rich_text_list", style, elements }],
    ...id(named),
  };
}

/** Raw log text: the only place for it in a message. Keeps line breaks, shows hidden characters, cuts with a mark. */
export function preformatted(
  text: string,
  options: Named & {
    readonly maxLines?: number;
    readonly maxLength?: number;
  } = {},
): RichTextBlock {
  const whole = visible(text, "keep");
  const shown = cutLines(whole, options.maxLines ?? PREFORMATTED_LINES, options.maxLength ?? LIMITS.text);
  const block: RichTextBlock = {
    type: "rich_text",
    elements: [
      {
        type: "rich_text_preformatted",
        elements: [{ type: "text", text: shown === "" ? "(empty)" : shown }],
      },
    ],
    ...id(options),
  };
  return shown === whole ? block : rememberFullText(block, whole);
}

/** Inline no more than this; the rest is read in a file. */
const PREFORMATTED_LINES = 20;

/** An image by Slack file id: Slack would have to download any other, and refuses the message when it cannot. */
export function image(fileId: string, altText: string, options: Named & { readonly title?: Line } = {}): ImageBlock {
  const title = options.title === undefined ? {} : { title: plainTextObject(options.title, "imageTitle") };
  const alt = cutToLength(plain(altText), LIMITS.altText);
  return {
    type: "image",
    slack_file: { id: fileId },
    alt_text: alt === "" ? "image" : alt,
    ...title,
    ...id(options),
  };
}

export function input(
  label: Line,
  element: InputBlockElement,
  options: {
    readonly blockId: string;
    readonly hint?: Line;
    readonly optional?: boolean;
    readonly dispatch?: boolean;
  },
): InputBlock {
  return {
    type: "input",
    ...id(options),
    label: plainTextObject(label, "inputLabel"),
    element,
    ...(options.hint === undefined ? {} : { hint: plainTextObject(options.hint, "inputHint") }),
    ...(options.optional === undefined ? {} : { optional: options.optional }),
    ...(options.dispatch === undefined ? {} : { dispatch_action: options.dispatch }),
  };
}

/** The first row are the column names. Cells are literal; rows that do not fit are counted in a last row. */
export function table(columns: readonly string[], rows: readonly (readonly Line[])[], named: Named = {}): TableBlock {
  const width = Math.min(columns.length, LIMITS.tableCells);
  const all = [columns, ...rows].map((row) =>
    Array.from({ length: width }, (_, column) => cellText(row[column] ?? "")),
  );
  const shown = rowsThatFit(all);
  const left = all.length - shown.length;
  if (left > 0) shown.push(Array.from({ length: width }, (_, column) => (column === 0 ? `… ${left} more rows` : "–")));
  const cells = shown.map((row) => row.map((text) => ({ type: "raw_text" as const, text })));
  const block: TableBlock = { type: "table", rows: cells, ...id(named) };
  const wasCut = left > 0 || columns.length > width;
  if (!wasCut) return block;
  return rememberFullText(
    block,
    [columns, ...rows].map((row) => row.map((cell) => toPlain(rich(cell))).join(" | ")).join("\n"),
  );
}

type ContainerChild = ContainerBlock["child_blocks"][number];

/** Collapsible: for "all evidence". Throws a RangeError above ten children. */
export function container(
  title: Line,
  blocks: readonly ContainerChild[],
  options: Named & { collapsed?: boolean } = {},
): ContainerBlock {
  requireAtMost(blocks.length, "containerBlocks");
  return {
    type: "container",
    title: plainTextObject(title, "containerTitle"),
    child_blocks: [...blocks],
    is_collapsible: true,
    default_collapsed: options.collapsed ?? true,
    ...id(options),
  };
}

export function taskCard(
  task: {
    readonly id: string;
    readonly title: Line;
    readonly status: TaskCardBlock["status"];
    readonly details?: Line;
  },
  named: Named = {},
): TaskCardBlock {
  const title = cutToLength(toPlain(rich(task.title)), LIMITS.cardTitle);
  const details = task.details === undefined ? {} : { details: richText([task.details]) };
  const block = {
    type: "task_card",
    task_id: task.id,
    title: title || "task",
    status: task.status,
  } as const;
  return { ...block, ...details, ...id(named) };
}

/** A literal label. Never empty: Slack refuses an empty text. */
export function plainTextObject(text: Line, max: LimitName): PlainTextElement {
  const cut = toPlainCut(rich(text), LIMITS[max]).text;
  return {
    type: "plain_text",
    text: cut.trim() === "" ? "–" : cut,
    emoji: false,
  };
}

export function requireAtMost(actual: number, limit: LimitName): void {
  if (actual > LIMITS[limit]) throw new RangeError(`${limit}: ${actual} is above ${LIMITS[limit]}`);
}

function mrkdwnObject(text: Line, max: LimitName): { object: MrkdwnElement; wasCut: boolean } {
  const cut = toMrkdwn(rich(text), LIMITS[max]);
  return {
    object: {
      type: "mrkdwn",
      text: cut.text.trim() === "" ? "–" : cut.text,
      verbatim: true,
    },
    wasCut: cut.wasCut,
  };
}

function boldName(name: string): Rich {
  return { parts: [{ kind: "style", style: "bold", inner: rich(name) }] };
}

function id(named: Named): { block_id?: string } {
  if (named.blockId === undefined) return {};
  requireAtMost(escapedLength(named.blockId), "blockId");
  return { block_id: named.blockId };
}

function finish<T extends KnownBlock>(block: T, wasCut: boolean, lines: readonly Line[]): T {
  return wasCut ? rememberFullText(block, lines.map((line) => toPlain(rich(line))).join("\n")) : block;
}

function atMost(lines: readonly Line[], max: number): readonly Line[] {
  if (lines.length <= max) return lines;
  return [...lines.slice(0, max - 1), fmt`… ${String(lines.length - max + 1)} more`];
}

function cutLines(text: string, maxLines: number, maxLength: number): string {
  let [end, count] = [-1, 0];
  while (count < maxLines) {
    end = text.indexOf("\n", end + 1);
    if (end === -1) return cutToLength(text, maxLength);
    count++;
  }
  const mark = `\n${cutMark(text.length - end)}`;
  if (end + 1 >= text.length) return cutToLength(text, maxLength);
  const head = text.slice(0, end);
  return escapedLength(head) + mark.length <= maxLength ? head + mark : cutToLength(text, maxLength);
}

/** Cells longer than this are cut: a table is for reading across. */
const CELL_LENGTH = 200;

function cellText(cell: Line): string {
  const text = cutToLength(toPlain(rich(cell)), CELL_LENGTH);
  return text.trim() === "" ? "–" : text;
}

/** Leaves room for one more row that names the rest. */
function rowsThatFit(rows: readonly string[][]): string[][] {
  const cost = (row: readonly string[]): number => row.reduce((sum, text) => sum + escapedLength(text), 0);
  const total = rows.reduce((sum, row) => sum + cost(row), 0);
  if (rows.length <= LIMITS.tableRows && total <= LIMITS.tableCharacters) return [...rows];
  const shown: string[][] = [];
  let room = LIMITS.tableCharacters - CELL_LENGTH;
  for (const row of rows.slice(0, LIMITS.tableRows - 1)) {
    room -= cost(row);
    if (room < 0) break;
    shown.push(row);
  }
  return shown;
}

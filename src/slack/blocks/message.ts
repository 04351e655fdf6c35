import type { KnownBlock, RichTextBlock } from "@slack/types";
import { context, type Line } from "./build.ts";
import { countedLength } from "./count.ts";
import { cutToLength } from "./encode.ts";
import { fullTextOf } from "./full-text.ts";
import { fmt, rich, toMrkdwn, toPlain } from "./inline.ts";
import { LIMITS } from "./limits.ts";
import { plainText } from "./plain-text.ts";

/**
 * A chart as Slack takes it (D reference/block-kit/blocks/data-visualization-block, June 2026); `@slack/types` 3.2.0
 * does not have it yet.
 */
export interface DataVisualizationBlock {
  readonly type: "data_visualization";
  readonly block_id?: string;
  readonly title: string;
  readonly chart: Chart;
}
type Chart =
  | { readonly type: "pie"; readonly segments: readonly Point[] }
  | {
      readonly type: "bar" | "area" | "line";
      readonly series: readonly {
        readonly name: string;
        readonly data: readonly Point[];
      }[];
      readonly axis_config: {
        readonly categories: readonly string[];
        readonly x_label?: string;
        readonly y_label?: string;
      };
    };
interface Point {
  readonly label: string;
  readonly value: number;
}

export type MessageBlock = KnownBlock | DataVisualizationBlock;

export interface Message {
  /** The whole summary as mrkdwn: what notifications show and screen readers read instead of the blocks. */
  readonly text: string;
  readonly blocks: MessageBlock[];
  /** Everything, when something had to be cut: goes to a file in the thread. null: nothing was cut. */
  readonly overflow: string | null;
}

/** A message that Slack takes, whatever is put in: cut with a visible mark, buttons kept before evidence. */
export function message(spec: { readonly text: Line; readonly blocks: readonly MessageBlock[] }): Message {
  const summary = rich(spec.text);
  const fallback = toPlain(summary).trim() === "" ? rich(plainText(spec.blocks)) : summary;
  // 4,000 is a recommendation when posting, but chat.update refuses more, and every message may be updated.
  const text = toMrkdwn(fallback, LIMITS.messageTextRecommended);
  const fitted = fitBlocks(spec.blocks);
  const cut = text.wasCut || fitted.wasCut || spec.blocks.some((block) => fullTextOf(block) !== null);
  const whole = [text.wasCut ? toPlain(fallback) : "", ...spec.blocks.map(fullOf)].filter((part) => part !== "");
  return {
    text: text.text.trim() === "" ? "(no text)" : text.text,
    blocks: fitted.blocks,
    overflow: cut ? whole.join("\n\n") : null,
  };
}

/** At most 50 blocks and 11,000 counted characters. What people act on is kept before what they read. */
export function fitBlocks(blocks: readonly MessageBlock[]): {
  blocks: MessageBlock[];
  wasCut: boolean;
} {
  if (blocks.length <= LIMITS.messageBlocks && countedLength(blocks) <= LIMITS.messageBudgetBuilt) {
    return { blocks: [...blocks], wasCut: false };
  }
  const room = {
    blocks: LIMITS.messageBlocks - 1,
    characters: LIMITS.messageBudgetBuilt - MARK_LENGTH,
  };
  const kept = new Map<MessageBlock, MessageBlock>();
  const byWeight = [
    ...blocks.filter((block) => ACTED_ON.has(block.type)),
    ...blocks.filter((block) => !ACTED_ON.has(block.type)),
  ];
  for (const block of byWeight) {
    const fitting = countedLength(block) <= room.characters ? block : cutRichText(block, room.characters);
    if (fitting === null || room.blocks === 0) continue;
    kept.set(block, fitting);
    room.blocks -= 1;
    room.characters -= countedLength(fitting);
  }
  return { blocks: withMark(blocks, kept), wasCut: true };
}

const ACTED_ON = new Set(["actions", "input", "header"]);
/** What the mark may count. */
const MARK_LENGTH = 120;
/** A shorter piece of a log says nothing. */
const SHORTEST_PIECE = 200;

/** The mark stands where the first block was left out or cut. */
function withMark(blocks: readonly MessageBlock[], kept: ReadonlyMap<MessageBlock, MessageBlock>): MessageBlock[] {
  const whole = blocks.reduce((sum, block) => sum + fullOf(block).length, 0);
  const shown = blocks.reduce((sum, block) => sum + plainText([kept.get(block)]).length, 0);
  const left = Math.max(1, whole - shown).toLocaleString("en-US");
  const mark = context([fmt`… ${left} more characters: the whole text is in the file in this thread`]);
  const result: MessageBlock[] = [];
  let marked = false;
  for (const block of blocks) {
    const shownAs = kept.get(block);
    if (shownAs !== undefined) result.push(shownAs);
    if (shownAs === block || marked) continue;
    result.push(mark);
    marked = true;
  }
  return result;
}

/** A rich text block whose only part is one run of text (a log) can be shortened; any other is kept or left out. */
function cutRichText(block: MessageBlock, room: number): RichTextBlock | null {
  if (block.type !== "rich_text" || room < SHORTEST_PIECE) return null;
  const part = block.elements[0];
  if (block.elements.length !== 1 || part?.type !== "rich_text_preformatted" || part.elements.length !== 1) return null;
  const run = part.elements[0];
  if (run?.type !== "text") return null;
  return {
    ...block,
    elements: [{ ...part, elements: [{ ...run, text: cutToLength(run.text, room) }] }],
  };
}

function fullOf(block: MessageBlock): string {
  return fullTextOf(block) ?? plainText([block]);
}

import { fmt, join, type Rich } from "../slack/blocks/inline.ts";
import type { MessageBlock } from "../slack/blocks/message.ts";
import { plainText } from "../slack/blocks/plain-text.ts";

/**
 * What blocks say, as lines for the top-level `text`: screen readers and phones read that instead of the blocks. Each
 * line is data again, so nothing that was literal in a block becomes alive here.
 */
export function spoken(blocks: readonly MessageBlock[], lead: Rich | null = null): Rich {
  const lines = plainText(blocks)
    .split("\n")
    .filter((line) => line.trim() !== "");
  const body = join(lines, "\n");
  return lead === null ? body : fmt`${lead}\n${body}`;
}

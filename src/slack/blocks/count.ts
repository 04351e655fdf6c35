import { escapedLength } from "./encode.ts";
import { LIMITS } from "./limits.ts";
import { isFields } from "./schema.ts";

/**
 * What a message's blocks count towards `msg_blocks_too_long`: the escaped length of everything people can read, plus a
 * surcharge per header. Slack does not document the rule; this was measured by third parties (bolt-js 2509, 2867).
 */
export function countedLength(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + countedLength(item), 0);
  if (!isFields(value)) return 0;
  let sum = value["type"] === "header" ? LIMITS.headerSurcharge : 0;
  for (const [name, field] of Object.entries(value)) {
    if (typeof field !== "string") sum += countedLength(field);
    else if (READABLE.has(name)) sum += value["type"] === "mrkdwn" ? field.length : escapedLength(field);
  }
  return sum;
}

/** Keys whose strings are shown; ids, values and addresses are not counted. */
const READABLE = new Set(["text", "title", "alt_text", "caption", "label", "name", "fallback", "x_label", "y_label"]);

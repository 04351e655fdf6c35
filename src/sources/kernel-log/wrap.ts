import { readOomMessage } from "./oom-message.ts";
import type { Prefixed } from "./prefix.ts";

export const MAX_WRAPPED_LINES = 8;

/**
 * Puts what a terminal, a mail or a logger broke off a message back behind it. A line is only taken if it has no
 * prefix of its own, begins no record, and the message tells more with it than without; so text that merely follows
 * is left alone. `next` gives the line at an offset; `lines` is how many were taken.
 */
export function joinWrapped(
  first: Prefixed,
  next: (offset: number) => Prefixed | null,
): { message: string; lines: number } {
  let best = { message: first.message.trimEnd(), lines: 0 };
  if (!WRAPPABLE.test(first.message) && first.message.length > MAX_STUB_CHARS) return best;
  let told: number | null = null;
  let message = first.message;
  for (let taken = 1; taken <= MAX_WRAPPED_LINES; taken++) {
    const line = next(taken);
    const rest = line?.message.trim() ?? "";
    if (line === null || line.prefixed || rest === "" || isRecordStart(rest)) break;
    told ??= tells(best.message);
    const cutValue = isValueRest(message, rest, first.prefixed);
    if (told > 0 && !cutValue && !FIGURES_REST.test(rest)) break;
    message = BEGINS_A_WORD.test(rest) ? `${message.trimEnd()} ${rest}` : message + rest;
    const tellsNow = tells(message);
    if (tellsNow > told || cutValue) best = { message: message.trimEnd(), lines: taken };
    else if (told > 0) break;
    told = tellsNow;
  }
  return best;
}

/** Whether a message begins with the first words of a record's line: it is never the rest of another. */
export function isRecordStart(message: string): boolean {
  return RECORD_START.test(message);
}

const RECORD_START =
  /^(?:Memory cgroup out|Out of memory|Kill(?:ed)? process \d|oom-kill:|oom_reaper:|Tasks? in \/|(?:memory|memory\+swap|swap|kmem): usage|\[\s*pid\s*\]|\[\s*\d+\]\s+\d+\s+\d+|.{1,15} invoked oom-killer)/;
const WRAPPABLE = /^(?:Memory cgroup|Out of|Kill|oom-k|Tasks? in\b|.{1,15} invoked\b)/;
/** What is left of a first line that was broken within its first words. */
const MAX_STUB_CHARS = 24;
/** A line broken between words lost its blank; one broken at a column did not. */
const BEGINS_A_WORD = /^(?:(?:total-vm|vsz|anon-rss|file-rss|shmem-rss|UID|pgtables|oom_score_adj):|\()/;
/** What can follow in the middle of the figures: the rest of a key or of a figure. */
const FIGURES_REST = /^[\s,]*(?:\S{0,20}(?:kB|B,|:-?\d)|B$|\d{1,9},? (?:pgtables|total-vm):)/;

/** How much a message tells: 0 for no record. */
function tells(message: string): number {
  const read = readOomMessage(message);
  if (read === null) return 0;
  return read.kind === "killed" ? 1 + Object.values(read.figures).filter((figure) => figure !== null).length : 1;
}

/**
 * A value at the very end of a message may go on. The limit's group is the task's own or one above it, so a group
 * that is neither is cut; behind a prefix, where a line without one cannot be another message, its rest follows.
 */
function isValueRest(message: string, rest: string, prefixed: boolean): boolean {
  if (/(?:,uid=\d+|oom_score_adj:-?\d*)$/.test(message)) return /^\d{1,9}$/.test(rest);
  const read = message.startsWith("Task in") ? readOomMessage(message) : null;
  if (read?.kind !== "task-in") return false;
  const { taskCgroup, limitedCgroup } = read;
  if (taskCgroup.startsWith(limitedCgroup + rest)) return true;
  return prefixed && !`${taskCgroup}/`.startsWith(`${limitedCgroup}/`) && /^[^\s=:]{1,256}$/.test(rest);
}

import type { KernelClock, KernelFault, KernelLog, OomTask } from "../../core/kernel-log.ts";
import { toEpochMs } from "./clock.ts";
import { faultNeedles, readFault } from "./faults.ts";
import { type OomMessage, readOomMessage } from "./oom-message.ts";
import { collectRecords } from "./records.ts";
import { endOf, type LogicalLine, type LogText, openText, startOf } from "./scan.ts";
import { type RowReader, rowReader } from "./task-table.ts";

/**
 * Reads kernel log text (dmesg, /dev/kmsg, journalctl, syslog, in any of their formats) of kernels 3.x to 6.x, cgroup
 * v1 and v2. Never throws; takes time linear in the length of the text. The text may be cut, wrapped, interleaved,
 * repeated, mixed with other logs, or hostile: only what the kernel itself can have written counts.
 */
export function parseKernelLog(raw: string, clock: KernelClock = {}): KernelLog {
  const source = openText(raw);
  const records = collectRecords(clock);
  const faults: KernelFault[] = [];
  let index = 0;
  const torn = tornHead(source);
  readLines(source, records.addTask, (line, start) => {
    index++;
    const message = isKernels(line) && !(torn && start === 0) ? readOomMessage(line.message) : null;
    if (message !== null) {
      records.add(message, { index, stamp: line.stamp, caller: line.caller, prefixed: line.prefixed });
      return message;
    }
    const fault = readFault(line, clock);
    if (fault?.kind === "oom-reaper" && fault.pid !== null) records.confirm(fault.pid);
    if (fault !== null) faults.push(fault);
    return null;
  });
  const { kills, truncated } = records.finish();
  const edge = (which: "first" | "last") => {
    const stamp = source.edgeStamp(which, (candidate) => toEpochMs(candidate, clock) !== null);
    return stamp === null ? null : toEpochMs(stamp, clock);
  };
  return {
    kills,
    faults,
    firstAtMs: edge("first"),
    lastAtMs: edge("last"),
    lines: countLines(source.text),
    suppressed: faults.some((fault) => fault.kind === "messages-lost"),
    truncated,
  };
}

/**
 * Goes through the text from needle to needle and gives every line found to `take`, which says what it was. Behind a
 * table's header it goes line by line, because a row has no word to look for.
 */
function readLines(
  source: LogText,
  addTask: (task: OomTask) => void,
  take: (line: LogicalLine, start: number) => OomMessage | null,
): void {
  const { text } = source;
  const nextHit = hitsFrom(text);
  let row: RowReader | null = null;
  let strangers = 0;
  let at = 0;
  while (at < text.length) {
    const end = row === null ? text.length : endOf(text, at);
    const task = row === null ? null : row(text.slice(at, end));
    if (task !== null) addTask(task);
    const hit = task === null ? nextHit(at) : null;
    if (hit === null || hit >= end) {
      if (task === null && ++strangers > MAX_STRANGERS) row = null;
      at = end + 1;
      continue;
    }
    const start = startOf(text, hit);
    const line = source.lineAt(start);
    const message = take(line, start);
    if (message?.kind === "table") row = rowReader(message.columns);
    else if (message !== null && TABLE_ENDS.has(message.kind)) row = null;
    if (message !== null) strangers = 0;
    at = line.end + 1;
  }
}

/**
 * Whether the text begins in the middle of its first line. It shows where the lines behind it have a
 * prefix and it has none, or where the kernel's capital letter is gone: what is left of its words would be told as a name
 * or as another kind of kill. Bare messages cut inside a name cannot be told from whole ones.
 */
function tornHead(source: LogText): boolean {
  const first = source.lineAt(0);
  if (first.prefixed) return false;
  return prefixedSoon(source, first.end + 1) || /^\s*(?:ut )?of memory|^\s*out of memory/.test(first.message);
}

/** Whether one of the next lines has a prefix; /dev/kmsg prints lines without one between its records. */
function prefixedSoon(source: LogText, from: number): boolean {
  let at = from;
  for (let looked = 0; looked < HEAD_LINES && at < source.text.length; looked += 1) {
    const line = source.lineAt(at);
    if (line.prefixed) return true;
    at = line.end + 1;
  }
  return false;
}

/** Where the first needle at or behind a place is, or null. Asked in the order of the text, it searches once. */
function hitsFrom(text: string): (at: number) => number | null {
  const needle = new RegExp(NEEDLES, "g");
  let found = -1;
  return (at) => {
    if (found < at) {
      needle.lastIndex = at;
      found = needle.exec(text)?.index ?? text.length;
    }
    return found < text.length ? found : null;
  };
}

const TABLE_ENDS = new Set<OomMessage["kind"]>(["summary", "choice", "killed", "invoked"]);

const HEAD_LINES = 8;

/** How many lines without a row end a table: other CPUs may print in between. */
const MAX_STRANGERS = 64;

/**
 * One of these is in every line that matters, also where it is broken in the middle of the words; all other lines are
 * skipped without a look. Kept narrow, because other logs talk of memory and of killing all day.
 */
const NEEDLES = [
  "invoked(?: oo| ?o?\\r?\\n)",
  "oom-kill(?:er)?:",
  "oom-ki?l?l?\\r?\\n",
  "ut of [Mm]emory(?::| \\(| and no|\\r?\\n)",
  "[Kk]ill(?:ed?)?(?: pr| ?p?\\r?\\n)",
  "total-vm:",
  "Tasks? in /",
  "kB, limit ",
  "total_vm",
  " pages RAM",
  "(?:Free|Total) swap ",
  "deadlocked on memory",
  '"MESSAGE" ?: ?\\[',
  'apparmor=\\\\"DENIED',
  ...faultNeedles.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")),
].join("|");

/** A message without a writer is taken at its word: it comes from dmesg, or was pasted without prefixes. */
function isKernels(line: LogicalLine): boolean {
  return line.program === null || line.program === "kernel";
}

function countLines(text: string): number {
  let lines = text === "" || text.endsWith("\n") ? 0 : 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

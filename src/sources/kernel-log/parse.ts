import type { KernelClock, KernelFault, KernelLog, OomTask } from "../../core/kernel-log.ts";
import { toEpochMs } from "./clock.ts";
import { faultNeedles, readFault } from "./faults.ts";
import { readOomMessage } from "./oom-message.ts";
import { collectRecords } from "./records.ts";
import { endOf, type LogicalLine, openText, startOf } from "./scan.ts";
import { type RowReader, rowReader } from "./task-table.ts";

/**
 * Reads kernel log text (dmesg, /dev/kmsg, journalctl, syslog, in any of their formats) of kernels 3.x to 6.x, cgroup
 * v1 and v2. Never throws; takes time linear in the length of the text. The text may be cut, wrapped, interleaved,
 * repeated, mixed with other logs, or hostile: only what the kernel itself can have written counts.
 */
export function parseKernelLog(raw: string, clock: KernelClock = {}): KernelLog {
  const source = openText(raw);
  const { text } = source;
  const records = collectRecords(clock);
  const faults: KernelFault[] = [];
  let row: RowReader | null = null;
  let strangers = 0;
  let index = 0;

  function take(line: LogicalLine): void {
    index++;
    const message = isKernels(line) ? readOomMessage(line.message) : null;
    if (message === null) {
      const fault = readFault(line, clock);
      if (fault === null) return;
      if (fault.kind === "oom-reaper" && fault.pid !== null) records.confirm(fault.pid);
      faults.push(fault);
      return;
    }
    records.add(message, { index, stamp: line.stamp, caller: line.caller, prefixed: line.prefixed });
    row = message.kind === "table" ? rowReader(message.columns) : isTableEnd(message.kind) ? null : row;
    strangers = 0;
  }

  const needle = new RegExp(NEEDLES, "g");
  let at = 0;
  while (at < text.length) {
    if (row !== null && strangers < MAX_STRANGERS) {
      const end = endOf(text, at);
      const task: OomTask | null = (row as RowReader)(text.slice(at, end));
      if (task !== null) records.addTask(task);
      else strangers++;
      needle.lastIndex = at;
      const hit = task === null ? needle.exec(text) : null;
      at = hit !== null && hit.index < end ? follow(hit.index) : end + 1;
      continue;
    }
    needle.lastIndex = at;
    const hit = needle.exec(text);
    if (hit === null) break;
    at = follow(hit.index);
  }

  function follow(hit: number): number {
    const line = source.lineAt(startOf(text, hit));
    take(line);
    return line.end + 1;
  }

  const finished = records.finish();
  const usable = (stamp: Parameters<typeof toEpochMs>[0]) => toEpochMs(stamp, clock) !== null;
  const first = source.edgeStamp("first", usable);
  const last = source.edgeStamp("last", usable);
  return {
    kills: finished.kills,
    faults,
    firstAtMs: first === null ? null : toEpochMs(first, clock),
    lastAtMs: last === null ? null : toEpochMs(last, clock),
    lines: countLines(text),
    suppressed: faults.some((fault) => fault.kind === "messages-lost"),
    truncated: finished.truncated,
  };
}

/** How many lines without a row end a table: other CPUs may print in between. */
const MAX_STRANGERS = 64;

/** One of these is in every line that matters; all other lines are skipped without a look. */
const NEEDLES = [
  "invoked oom",
  "oom-kill",
  "ut of memory",
  "Kill",
  "kill process",
  "total-vm:",
  "Task in",
  "Tasks in",
  "kB, limit ",
  "total_vm",
  " pages RAM",
  "Free swap ",
  "Total swap ",
  ...faultNeedles,
]
  .map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
  .concat(`"MESSAGE" ?: ?\\[`, `apparmor=\\\\"DENIED`)
  .join("|");

/** A message without a writer is taken at its word: it comes from dmesg, or was pasted without prefixes. */
function isKernels(line: LogicalLine): boolean {
  return line.program === null || line.program === "kernel";
}

function isTableEnd(kind: string): boolean {
  return kind === "summary" || kind === "choice" || kind === "killed" || kind === "invoked";
}

function countLines(text: string): number {
  let lines = text === "" || text.endsWith("\n") ? 0 : 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

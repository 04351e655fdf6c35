import { limits } from "../../core/limits.ts";
import type { Stamp } from "./clock.ts";
import { openEnvelope } from "./envelope.ts";
import { type Prefixed, splitPrefix } from "./prefix.ts";
import { isRecordStart, joinWrapped, MAX_WRAPPED_LINES } from "./wrap.ts";

/** A message with everything that was wrapped away from it, and where the text goes on behind it. */
export type LogicalLine = Prefixed & { end: number };

/**
 * Text that is read only where something is found. A line is taken from the text when it is asked for; what is in
 * front of it and behind it is looked at only to undo wrapping.
 */
export type LogText = {
  text: string;
  /** The message that the line at `start` belongs to. */
  lineAt(start: number): LogicalLine;
  /** Stamp of the first (or, backwards, last) line that has one. */
  edgeStamp(edge: "first" | "last", usable: (stamp: Stamp) => boolean): Stamp | null;
};

const EDGE_LINES = 64;

export function openText(raw: string): LogText {
  const text = clean(raw);
  const ago = sinceLast(text);

  function lineAt(start: number): LogicalLine {
    const physical = lineFrom(text, start);
    const envelope = openEnvelope(physical, (offset) => neighbour(text, start, offset));
    if (envelope !== null) return { ...envelope, end: endOf(text, start) };
    const alone = splitPrefix(physical);
    const head = alone.prefixed || isRecordStart(alone.message) ? null : headBefore(start);
    const joined = head === null ? null : joinFrom(head.at, head.line);
    // Unless the line before really goes on up to here, the line stands for itself.
    if (joined !== null && joined.end > start) return joined;
    return joinFrom(start, alone);
  }

  /** The nearest line in front that begins with a prefix, if the line at `start` can be the rest of it. */
  function headBefore(start: number): { at: number; line: Prefixed } | null {
    let at = start;
    for (let back = 0; back < MAX_WRAPPED_LINES && at > 0; back++) {
      at = startBefore(text, at);
      const line = splitPrefix(lineFrom(text, at));
      if (line.prefixed || isRecordStart(line.message)) return { at, line };
      if (line.message.trim() === "") return null;
    }
    return null;
  }

  function joinFrom(start: number, first: Prefixed): LogicalLine {
    const { message, lines } = joinWrapped(first, (offset) => {
      const next = neighbour(text, start, offset);
      return next === null ? null : splitPrefix(next);
    });
    let end = endOf(text, start);
    for (let i = 0; i < lines; i++) end = endOf(text, end + 1);
    return {
      ...first,
      message,
      stamp: ago(start, adopt(text, start, first)),
      end,
    };
  }

  function edgeStamp(edge: "first" | "last", usable: (stamp: Stamp) => boolean): Stamp | null {
    let at = edge === "first" ? 0 : startOf(text, text.length - 1);
    for (let i = 0; i < EDGE_LINES && at >= 0 && at < text.length; i++) {
      const physical = lineFrom(text, at);
      const line = openEnvelope(physical, (offset) => neighbour(text, at, offset)) ?? splitPrefix(physical);
      const stamp = ago(at, line.stamp);
      if (usable(stamp)) return stamp;
      if (edge === "last" && at === 0) break;
      at = edge === "first" ? endOf(text, at) + 1 : startBefore(text, at);
    }
    return null;
  }

  return { text, lineAt, edgeStamp };
}

const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;

/** Colours, the NUL bytes a crash leaves in a log file, a byte order mark, and old line ends. */
function clean(raw: string): string {
  let text = raw;
  if (text.includes("\u001b")) text = text.replace(ANSI, "");
  if (text.includes("\0")) text = text.replaceAll("\0", "");
  if (text.startsWith("\uFEFF")) text = text.slice(1);
  if (!text.includes("\n") && text.includes("\r")) text = text.replaceAll("\r", "\n");
  return text;
}

export function endOf(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

export function startOf(text: string, at: number): number {
  return at <= 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
}

function startBefore(text: string, start: number): number {
  return startOf(text, start - 1);
}

function lineFrom(text: string, start: number): string {
  let end = Math.min(endOf(text, start), start + limits.kernelLogLineChars);
  while (end > start && text.charCodeAt(end - 1) === 13) end--;
  return text.slice(start, end);
}

function neighbour(text: string, start: number, offset: number): string | null {
  let at = start;
  for (let i = 0; i > offset; i--) {
    if (at === 0) return null;
    at = startBefore(text, at);
  }
  for (let i = 0; i < offset; i++) {
    at = endOf(text, at) + 1;
    if (at >= text.length) return null;
  }
  return lineFrom(text, at);
}

/** A clock alone on its line belongs to the message on the next. */
function adopt(text: string, start: number, line: Prefixed): Stamp {
  if (line.prefixed || start === 0) return line.stamp;
  const before = splitPrefix(lineFrom(text, startBefore(text, start)));
  return before.prefixed && before.message.trim() === "" ? before.stamp : line.stamp;
}

/**
 * `dmesg --human` prints minutes, and in between only seconds since the line before. Returns what gives such a line
 * its clock by adding up; asked in the order of the text, the whole text is walked once.
 */
function sinceLast(text: string): (at: number, stamp: Stamp) => Stamp {
  let cursor = 0;
  let localMs: number | null = null;
  return (at, stamp) => {
    if (stamp.sinceLastSeconds === null) return stamp;
    if (at < cursor) return stamp;
    while (cursor <= at && cursor < text.length) {
      const found = splitPrefix(text.slice(cursor, Math.min(endOf(text, cursor), cursor + 64))).stamp;
      if (found.localMs !== null) localMs = found.localMs;
      else if (localMs !== null) localMs += (found.sinceLastSeconds ?? 0) * 1000;
      cursor = endOf(text, cursor) + 1;
    }
    return localMs === null ? stamp : { ...stamp, localMs: Math.round(localMs), hasYear: false };
  };
}

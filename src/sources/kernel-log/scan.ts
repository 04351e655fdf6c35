import { limits } from "../../core/limits.ts";
import { noStamp, type Stamp } from "./clock.ts";
import { openEnvelope } from "./envelope.ts";
import { type Prefixed, splitPrefix } from "./prefix.ts";

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

const WRAP_LINES = 8;
const EDGE_LINES = 64;

export function openText(raw: string): LogText {
  const text = clean(raw);
  const ago = sinceLast(text);

  function lineAt(start: number): LogicalLine {
    const physical = lineFrom(text, start);
    const envelope = openEnvelope(physical, (offset) => neighbour(text, start, offset));
    if (envelope !== null) return { ...envelope, end: endOf(text, start) };
    let at = start;
    let line = splitPrefix(physical);
    for (let back = 0; !line.prefixed && !RECORD_START.test(line.message) && back < WRAP_LINES && at > 0; back++) {
      at = startBefore(text, at);
      const before = splitPrefix(lineFrom(text, at));
      if (before.message === "" && !before.prefixed) break;
      line = before;
    }
    // Nothing in front explains the line: it stands for itself.
    if (!line.prefixed && !RECORD_START.test(line.message)) {
      at = start;
      line = splitPrefix(physical);
    }
    const joined = joinWrapped(text, at, line);
    return joined.end > start
      ? { ...joined, stamp: ago(at, adopt(text, at, joined)) }
      : { ...splitPrefix(physical), end: endOf(text, start) };
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

/** The first words of the messages that make a record: such a line is never the rest of another. */
const RECORD_START =
  /^(?:Memory cgroup|Out of|Kill(?:ed)? process \d|oom-kill:|oom_reaper:|Tasks? in \/|(?:memory|memory\+swap|swap|kmem): usage|\[\s*pid\s*\]|\[\s*\d+\]\s+\d+\s+\d+|.{1,15} invoked oom-killer)/;
const KEY = /^(?:total-vm|vsz|anon-rss|file-rss|shmem-rss|UID|pgtables|oom_score_adj)\b/;

/** Puts the rest of a message that a terminal, a mail or a logger broke over several lines behind its first line. */
function joinWrapped(text: string, start: number, first: Prefixed): LogicalLine {
  let message = first.message;
  let end = endOf(text, start);
  for (let i = 0; i < WRAP_LINES && WRAPPABLE.test(message); i++) {
    if (end + 1 >= text.length) break;
    const next = splitPrefix(lineFrom(text, end + 1));
    if (next.prefixed || next.message.trim() === "" || RECORD_START.test(next.message)) break;
    const rest = next.message.trim();
    if (!goesOn(message, rest, first.prefixed)) break;
    message = KEY.test(rest) || rest.startsWith("(") ? `${message.trimEnd()} ${rest}` : message + rest;
    end = endOf(text, end + 1);
  }
  return { ...first, message: message.trimEnd(), end };
}

const WRAPPABLE = /^(?:Memory cgroup|Out of|Kill(?:ed)?\b|oom-|Tasks? in\b|.{0,15} ?invoked)/;

/** Whether `rest` can be what is missing from `message`. */
function goesOn(message: string, rest: string, prefixed: boolean): boolean {
  if (message.startsWith("oom-"))
    return !/,uid=\d/.test(message) || (/,uid=\d{1,9}$/.test(message) && /^\d+$/.test(rest));
  if (/^Tasks? in\b/.test(message)) {
    return !/ (?:limit of\s*\/|group set)/.test(message) || (prefixed && /^[^\s=]+$/.test(rest));
  }
  if (/oom_score_adj:-?\d+$/.test(message) && /invoked|Killed/.test(message)) return false;
  if (KEY.test(rest)) return true;
  if (/invoked/.test(message)) return /(?:invoked|invoked oom-k?i?l?l?e?)$/.test(message);
  if (!/Kill(?:ed)?\s*process\s*\d+.*\)/.test(message))
    return /^(?:Memory cgroup out of memory|Out of memory)/.test(squeeze(message))
      ? KILL_REST.test(rest)
      : prefixed || KILL_REST.test(rest);
  // Behind the name only the rest of a key or a figure can follow.
  return (
    /(?:[:,)]|-vm|-rss|\w)$/.test(message) &&
    /^(?:[a-z_-]{0,16}:)?-?\d*(?:kB|B)?(?:[\s,]|$)/.test(rest) &&
    !/[^\x20-\x7e]/.test(rest)
  );
}

const KILL_REST =
  /^(?:[a-zA-Z ]{0,40}:? ?)?(?:Kill(?:ed)?|ill(?:ed)?|l{1,2}(?:ed)?|ed|d)?\s*(?:p?r?o?c?e?s?s)?\s*\d*\s*\(|^\d+ \(/;

function squeeze(message: string): string {
  return message.replace(/\s+/g, " ");
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

export const noClock: Stamp = noStamp;

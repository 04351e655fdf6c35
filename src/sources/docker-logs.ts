import { limits } from "../core/limits.ts";
import type { LogLine, LogText } from "../core/readings.ts";
import type { RawReply } from "../ports.ts";
import { bounded, inert } from "./inert.ts";
import { type EvidenceSource, type Parsed, type ReadContext, replyFailure, toReading } from "./reading.ts";

/** The newest lines of one container, oldest first. */
export const dockerLogs: EvidenceSource<"docker-logs"> = {
  name: "docker-logs",
  async read(reader, planned, context) {
    const { sinceMs, untilMs } = planned.args;
    let tail = Math.min(planned.args.tail, limits.logLines);
    const readTail = (lines: number): Promise<RawReply> =>
      reader.docker({ read: "logs", id: planned.containerId ?? "", tail: lines, sinceMs, untilMs }, context.signal);
    let reply = await readTail(tail);
    // A cut answer lacks its end, which is the newest and the part that matters: ask for less.
    while (reply.ok && reply.truncated && tail > 1) {
      tail = Math.max(1, Math.floor(tail / 16));
      reply = await readTail(tail);
    }
    const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: reply.read };
    return toReading(about, parsedReply(reply, tail, context), context);
  },
};

/**
 * Takes the engine's bytes, framed (without a terminal) or raw (with one), each line beginning with Docker's timestamp.
 * `tail` is how many lines were asked for: as many lines as asked for means that there may be older ones.
 */
export function parseLogs(body: Buffer, tail: number, context: Pick<ReadContext, "redactor">): LogText {
  const raw = isFramed(body) ? framedLines(body) : rawLines(body);
  const newest = newestWithin(raw, limits.logBytes);
  const redacted = context.redactor.lines(newest.map((line) => inert(line.text)));
  const lines = newest.map((line, index): LogLine => {
    return { ...line, text: bounded(redacted[index] ?? "", limits.logLineBytes) };
  });
  return { lines, truncated: newest.length < raw.length || raw.length >= tail };
}

function parsedReply(reply: RawReply, tail: number, context: ReadContext): Parsed<"docker-logs"> {
  const failure = replyFailure(reply);
  if (failure !== null) return { status: "failed", ...failure, fix: failure.fix ?? fixFor(failure.reason) };
  if (!reply.ok) return { status: "failed", code: "failed", reason: "no answer", fix: null };
  const value = parseLogs(reply.body, tail, context);
  if (value.lines.length === 0) return { status: "empty", hashed: "" };
  const hashed = value.lines.map((line) => `${line.atMs} ${line.stream} ${line.text}`).join("\n");
  return { status: "ok", value, hashed };
}

/** Drivers such as `none` and `syslog` keep nothing that could be read. */
function fixFor(reason: string): string | null {
  const unreadable = /does not support reading/i.test(reason);
  return unreadable ? "use the json-file, local or journald logging driver for this container" : null;
}

/** A frame is `[stream, 0, 0, 0, length big-endian]` and its payload; with timestamps raw text begins with a digit. */
function isFramed(body: Buffer): boolean {
  return body.length >= 8 && (body[0] ?? 9) <= 2 && body[1] === 0 && body[2] === 0 && body[3] === 0;
}

type StreamName = LogLine["stream"];

function framedLines(body: Buffer): LogLine[] {
  const lines: LogLine[] = [];
  const open = new Map<StreamName, LogLine>();
  let at = 0;
  while (at + 8 <= body.length) {
    const stream = streamOf(body[at] ?? 0);
    const end = Math.min(body.length, at + 8 + body.readUInt32BE(at + 4));
    addFrame(body.subarray(at + 8, end), stream, lines, open);
    at = end;
  }
  return lines;
}

/**
 * One frame is one message. The engine splits lines above 16 KiB into several messages, each with a timestamp of its
 * own; all but the last lack the line break, so the next message of that stream goes on with the same line.
 */
function addFrame(payload: Buffer, stream: StreamName, lines: LogLine[], open: Map<StreamName, LogLine>): void {
  const ended = payload.at(-1) === newline;
  const line = lineOf(ended ? payload.subarray(0, -1) : payload, stream);
  const begun = open.get(stream);
  if (begun === undefined) lines.push(line);
  else if (begun.text.length < boundedText) begun.text += line.text;
  if (ended) open.delete(stream);
  else open.set(stream, begun ?? line);
}

function rawLines(body: Buffer): LogLine[] {
  const lines: LogLine[] = [];
  let at = 0;
  while (at < body.length) {
    const found = body.indexOf(newline, at);
    const end = found < 0 ? body.length : found;
    lines.push(lineOf(body.subarray(at, body[end - 1] === carriageReturn ? end - 1 : end), "unknown"));
    at = end + 1;
  }
  return lines;
}

function lineOf(bytes: Buffer, stream: StreamName): LogLine {
  // Only the beginning of a line is decoded; a margin lets a secret across the edge be seen whole before the cut.
  const head = bytes
    .subarray(0, boundedText + timestampChars)
    .toString("utf8")
    .replace(/\r$/, "");
  const space = head.indexOf(" ");
  const stamp = space > 0 && space <= timestampChars ? head.slice(0, space) : head.length <= timestampChars ? head : "";
  const atMs = /^\d{4}-\d\d-\d\dT/.test(stamp) ? Date.parse(stamp) : Number.NaN;
  if (Number.isNaN(atMs)) return { atMs: null, stream, text: head };
  return { atMs, stream, text: head.slice(stamp.length + 1) };
}

function newestWithin(lines: LogLine[], maxBytes: number): LogLine[] {
  let bytes = 0;
  let first = Math.max(0, lines.length - limits.logLines);
  for (let index = lines.length - 1; index >= first; index--) {
    bytes += Math.min(limits.logLineBytes, lines[index]?.text.length ?? 0);
    if (bytes > maxBytes) first = index + 1;
  }
  return lines.slice(first);
}

function streamOf(code: number): StreamName {
  return code === 2 ? "stderr" : code === 1 ? "stdout" : "unknown";
}

const newline = 10;
const carriageReturn = 13;
const timestampChars = 40;
const boundedText = limits.logLineBytes + 1_024;

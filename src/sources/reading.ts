import { createHash } from "node:crypto";
import type { FailureCode, Reading, SourceValues } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import type { PlannedRead, PlannedSource } from "../core/reads.ts";
import type { Clock, DockerRead, HostReader, RawOutput, RawReply } from "../ports.ts";
import type { Redactor } from "./redact.ts";

export interface ReadContext {
  clock: Clock;
  redactor: Redactor;
  /** Aborts when the deadline of this read has passed. */
  signal: AbortSignal;
}

/** One way to learn something about a host. Never throws for what a host answered. */
export interface EvidenceSource<S extends PlannedSource> {
  name: S;
  /** An array where one read serves many containers. */
  read(reader: HostReader, planned: PlannedRead<S>, context: ReadContext): Promise<Reading<S> | Reading<S>[]>;
}

export type Failure = { code: FailureCode; reason: string; fix: string | null };

/** What a parser found in one answer. `hashed` are the redacted bytes it looked at. */
export type Parsed<S extends PlannedSource> =
  | { status: "ok"; value: SourceValues[S]; hashed: string }
  | { status: "empty"; hashed: string }
  | ({ status: "failed" } & Failure);

export function toReading<S extends PlannedSource>(
  about: { source: S; host: string; containerId: string | null; read: string },
  parsed: Parsed<S>,
  context: Pick<ReadContext, "clock" | "redactor">,
): Reading<S> {
  const frame = {
    source: about.source,
    host: about.host,
    containerId: about.containerId,
    read: context.redactor.text(about.read),
    atMs: context.clock.nowMs(),
  };
  if (parsed.status === "failed") {
    const reason = context.redactor.text(shortReason(parsed.reason));
    return {
      ...frame,
      sha256: sha256(reason),
      outcome: { status: "failed", code: parsed.code, reason, fix: parsed.fix },
    };
  }
  const outcome =
    parsed.status === "empty" ? { status: "empty" as const } : { status: "ok" as const, value: parsed.value };
  return { ...frame, sha256: sha256(parsed.hashed), outcome };
}

/** Reads one Docker API answer that is JSON, masks it, and parses the masked form. */
export async function readJson<S extends PlannedSource>(
  reader: HostReader,
  planned: PlannedRead<S>,
  read: DockerRead,
  context: ReadContext,
  parse: (masked: unknown) => SourceValues[S] | null,
): Promise<Reading<S>> {
  const reply = await reader.docker(read, context.signal);
  const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: reply.read };
  const json = jsonOf(reply);
  if ("code" in json) return toReading(about, { status: "failed", ...json }, context);
  const masked = context.redactor.json(json.value);
  return toReading(about, parsedFrom(masked, parse), context);
}

/** Runs a parser over masked JSON: null means empty, an exception means the answer had a shape nobody expected. */
export function parsedFrom<S extends PlannedSource, T>(
  masked: T,
  parse: (masked: T) => SourceValues[S] | null,
): Parsed<S> {
  const hashed = typeof masked === "string" ? masked : JSON.stringify(masked);
  try {
    const value = parse(masked);
    return value === null ? { status: "empty", hashed } : { status: "ok", value, hashed };
  } catch (error) {
    return { status: "failed", code: "malformed", reason: `the answer could not be understood: ${error}`, fix: null };
  }
}

/** The JSON of a complete answer with status 2xx, or why there is none. */
export function jsonOf(reply: RawReply): { value: unknown } | Failure {
  const failure = replyFailure(reply);
  if (failure !== null) return failure;
  if (!reply.ok) return { code: "failed", reason: "no answer", fix: null };
  if (reply.truncated) {
    const reason = `the answer is larger than ${reply.body.length} bytes`;
    return { code: "too-large", reason, fix: null };
  }
  try {
    return { value: JSON.parse(reply.body.toString("utf8")) };
  } catch {
    return { code: "malformed", reason: "the engine's answer is not JSON", fix: null };
  }
}

/** Null for an answer with status 2xx. */
export function replyFailure(reply: RawReply): Failure | null {
  if (!reply.ok) return { code: reply.code, reason: reply.reason, fix: reply.fix };
  if (reply.status >= 200 && reply.status < 300) return null;
  const reason = `the engine answered ${reply.status}: ${messageOf(reply.body)}`;
  switch (reply.status) {
    case 401:
    case 403:
      return { code: "permission-denied", reason, fix: `allow ${reply.read.split("?")[0]} in the socket proxy` };
    case 404:
      return { code: "not-found", reason, fix: null };
    case 400:
    case 405:
    case 501:
      return { code: "unsupported", reason, fix: null };
    case 504:
      return { code: "timeout", reason, fix: null };
  }
  return { code: "failed", reason, fix: null };
}

/** Null when the command ran; what it printed on stderr is for the source to judge. */
export function outputFailure(output: RawOutput): Failure | null {
  return output.ok ? null : { code: output.code, reason: output.reason, fix: output.fix };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function messageOf(body: Buffer): string {
  const text = body.subarray(0, 2_000).toString("utf8");
  try {
    const message: unknown = JSON.parse(text)?.message;
    if (typeof message === "string") return message;
  } catch {
    // A proxy in front of the engine may answer with anything.
  }
  return text;
}

function shortReason(reason: string): string {
  const line = reason.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length > limits.factTextChars ? `${line.slice(0, limits.factTextChars)}…` : line;
}

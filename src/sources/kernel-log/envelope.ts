import { noStamp, type Stamp } from "./clock.ts";
import { type Prefixed, splitPrefix } from "./prefix.ts";

/** Reads the physical line at an offset from the one at hand: -1 is the line before. Null outside the text. */
export type Neighbour = (offset: number) => string | null;

const MAX_NEIGHBOURS = 120;
const JSON_LINE = /^\s*\{.*\}\s*,?\s*$/s;
const JSON_FIELD = /^\s*"(?:MESSAGE|msg)"\s*:/;
const EXPORT_FIELD = /^\s*MESSAGE=/;

/**
 * The record a line holds, or belongs to, where the text is not lines of messages but records with fields:
 * `journalctl -o json`, `json-pretty`, `verbose` and `export`, `dmesg --json`, Docker's json-file log. Null for a
 * plain line.
 */
export function openEnvelope(line: string, neighbour: Neighbour): Prefixed | null {
  if (JSON_LINE.test(line)) return fromJson(line.trim().replace(/,$/, ""));
  if (JSON_FIELD.test(line)) return fromJson(enclosingObject(line, neighbour));
  if (EXPORT_FIELD.test(line)) return fromFields(enclosingEntry(line, neighbour));
  return null;
}

function fromJson(text: string): Prefixed | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return fromFields(value as Record<string, unknown>);
  } catch {
    return null;
  }
}

/** The lines between the brace before and the brace after. Both tools print one field a line. */
function enclosingObject(line: string, neighbour: Neighbour): string {
  const around = gather(
    line,
    neighbour,
    (other) => /\{\s*$/.test(other),
    (other) => /^\s*\}/.test(other),
  );
  return `{${around.join("\n").replace(/,\s*$/, "")}}`;
}

/** An export entry ends at a blank line; a verbose entry begins at a line that is not indented. */
function enclosingEntry(line: string, neighbour: Neighbour): Record<string, unknown> {
  const indented = /^\s/.test(line);
  const ends = (other: string) => other.trim() === "" || (indented && !/^\s/.test(other));
  const fields: Record<string, unknown> = {};
  for (const other of gather(line, neighbour, ends, ends)) {
    const at = other.indexOf("=");
    if (at > 0) fields[other.slice(0, at).trim()] ??= other.slice(at + 1);
  }
  return fields;
}

function gather(
  line: string,
  neighbour: Neighbour,
  begins: (line: string) => boolean,
  ends: (line: string) => boolean,
): string[] {
  const lines = [line];
  for (let i = 1; i < MAX_NEIGHBOURS; i++) {
    const other = neighbour(-i);
    if (other === null || begins(other)) break;
    lines.unshift(other);
  }
  for (let i = 1; i < MAX_NEIGHBOURS; i++) {
    const other = neighbour(i);
    if (other === null || ends(other)) break;
    lines.push(other);
  }
  return lines;
}

function fromFields(fields: Record<string, unknown>): Prefixed | null {
  const text = messageOf(fields["MESSAGE"] ?? fields["msg"] ?? fields["log"]);
  if (text === null) return null;
  const inner = splitPrefix(text.trimEnd());
  const outer = stampOf(fields);
  const stamp = outer.printed === null ? inner.stamp : merge(outer, inner.stamp);
  return {
    ...inner,
    stamp,
    program: programOf(fields) ?? inner.program,
    prefixed: true,
  };
}

/** The journal writes a message that is not clean UTF-8 as a list of bytes. */
function messageOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || !value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)) return null;
  return Buffer.from(value as number[]).toString("utf8");
}

function programOf(fields: Record<string, unknown>): string | null {
  const transport = fields["_TRANSPORT"];
  const identifier = fields["SYSLOG_IDENTIFIER"];
  const facility = fields["fac"];
  if (typeof facility === "string") return facility === "kern" ? "kernel" : "user";
  if (transport === "kernel") return typeof identifier === "string" ? identifier : "kernel";
  // Any program may call itself kernel; only the journal itself writes the transport.
  if (typeof transport === "string") return identifier === "kernel" ? "user" : String(identifier ?? "user");
  return typeof identifier === "string" ? identifier : null;
}

function stampOf(fields: Record<string, unknown>): Stamp {
  const realtime = fields["__REALTIME_TIMESTAMP"] ?? fields["_SOURCE_REALTIME_TIMESTAMP"];
  const monotonic = numberOf(fields["_SOURCE_MONOTONIC_TIMESTAMP"]);
  if (numberOf(realtime) !== null) {
    const utcMs = Math.floor((numberOf(realtime) as number) / 1000);
    return {
      ...noStamp,
      printed: String(realtime),
      utcMs,
      kernelSeconds: monotonic === null ? null : monotonic / 1e6,
    };
  }
  if (monotonic !== null)
    return {
      ...noStamp,
      printed: String(monotonic),
      kernelSeconds: monotonic / 1e6,
    };
  const time = fields["time"];
  if (typeof time === "number") return { ...noStamp, printed: time.toFixed(6), kernelSeconds: time };
  return typeof time === "string" ? splitPrefix(`${time.trim()} `).stamp : noStamp;
}

function merge(outer: Stamp, inner: Stamp): Stamp {
  return {
    ...outer,
    kernelSeconds: outer.kernelSeconds ?? inner.kernelSeconds,
  };
}

function numberOf(value: unknown): number | null {
  if (typeof value !== "number" && (typeof value !== "string" || !/^\d{1,20}$/.test(value))) return null;
  return Number(value);
}

import type { HostReader } from "../ports.ts";
import type { ReadContext } from "./reading.ts";
import { type Failure, outputFailure } from "./reading.ts";

export interface ReadFiles {
  /** By path; a file that is missing or unreadable is not in it. */
  files: Map<string, string>;
  read: string;
  failure: Failure | null;
}

/** Reads many small files in one command. The exit code is no matter: some of them are missing on most hosts. */
export async function readFiles(reader: HostReader, paths: string[], context: ReadContext): Promise<ReadFiles> {
  const output = await reader.run({ command: "files", paths }, context.signal);
  if (!output.ok) return { files: new Map(), read: output.read, failure: outputFailure(output) };
  const files = parseFiles(output.stdout.toString("utf8"), paths);
  if (files.size > 0) return { files, read: output.read, failure: null };
  const reason = output.stderr.toString("utf8") || "none of the files could be read";
  const code = /permission denied/i.test(reason) ? "permission-denied" : "not-found";
  return { files, read: output.read, failure: { code, reason, fix: null } };
}

/**
 * Splits what `head -v` prints: `==> path <==`, the content, and a blank line before the next header. Only the asked-for
 * paths in the asked-for order count as headers, so a file cannot pretend to be the next one.
 */
export function parseFiles(text: string, paths: readonly string[]): Map<string, string> {
  const found: { path: string; from: number; at: number }[] = [];
  let at = 0;
  for (const path of paths) {
    const header = `==> ${path} <==\n`;
    const index = text.startsWith(header, at) ? at : text.indexOf(`\n${header}`, at);
    if (index < 0) continue;
    const start = text[index] === "\n" ? index + 1 : index;
    found.push({ path, at: start, from: start + header.length });
    at = start + header.length - 1;
  }
  return new Map(
    found.map(({ path, from }, index) => {
      const next = found[index + 1];
      return [path, next === undefined ? text.slice(from) : text.slice(from, Math.max(from, next.at - 1))];
    }),
  );
}

/** `name value` lines: memory.stat, vmstat, cpu.stat, events files, /proc/meminfo (`Name:  value kB`). */
export function keyValues(text: string | undefined): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of (text ?? "").split("\n")) {
    const match = /^([\w().]+):?\s+(\d+)/.exec(line);
    if (match !== null) values.set(match[1] ?? "", Number(match[2]));
  }
  return values;
}

/** The first number of a file; null for `max`, for nothing, and for what is not there. */
export function firstNumber(text: string | undefined): number | null {
  const match = /^\s*(-?\d+(?:\.\d+)?)/.exec(text ?? "");
  return match === null ? null : Number(match[1]);
}

/** avg10 in percent of a pressure file (kernel 4.20 and later, where PSI is switched on). */
export function pressure(text: string | undefined): { someAvg10: number | null; fullAvg10: number | null } {
  const average = (kind: string) => {
    const match = new RegExp(`^${kind} avg10=(\\d+(?:\\.\\d+)?)`, "m").exec(text ?? "");
    return match === null ? null : Number(match[1]);
  };
  return { someAvg10: average("some"), fullAvg10: average("full") };
}

/** What a hash is taken over: every file with its name. */
export function hashedFiles(files: ReadonlyMap<string, string>): string {
  return [...files].map(([path, content]) => `${path}\n${content}`).join("\n");
}

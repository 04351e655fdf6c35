import type { ExecResult } from "./link.ts";

/** Keeps what a command prints up to a limit on both streams together; beyond it `onFull` is called once. */
export function collectOutput(maxBytes: number, onFull: () => void) {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let room = maxBytes;
  let truncated = false;
  const take = (kept: Buffer[]) => (chunk: Buffer) => {
    if (truncated) return;
    kept.push(chunk.subarray(0, room));
    truncated = chunk.length > room;
    room -= Math.min(room, chunk.length);
    if (truncated) onFull();
  };
  return {
    stdout: take(chunks.stdout),
    stderr: take(chunks.stderr),
    result: (exitCode: number): ExecResult => ({
      ok: true,
      exitCode,
      stdout: Buffer.concat(chunks.stdout),
      stderr: Buffer.concat(chunks.stderr),
      truncated,
    }),
  };
}

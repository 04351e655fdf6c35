import type { Duplex } from "node:stream";
import type { FailureCode } from "../core/evidence.ts";

/** Why a read of a host brought nothing. `lost` is true when the connection died under it: a read may be tried again. */
export interface Failure {
  ok: false;
  code: FailureCode;
  reason: string;
  /** The one command or setting that cures it. */
  fix: string | null;
  lost: boolean;
}

export type ExecResult =
  | {
      ok: true;
      exitCode: number;
      stdout: Buffer;
      stderr: Buffer;
      truncated: boolean;
    }
  | Failure;

export type DialFailure = "refused" | "timeout" | "reset" | "unreachable" | "dns" | "closed" | "denied" | "missing";

/** `forbidden` means that the way is closed (no forwarding), so nothing is known about the far end. */
export type DialResult =
  | { ok: true; stream: Duplex }
  | {
      ok: false;
      kind: DialFailure | "forbidden";
      detail: string;
      lost: boolean;
    };

export interface ExecOptions {
  maxBytes: number;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** The way to one host: the same four verbs over SSH and on this machine. Throws `Fault` when it cannot connect. */
export interface HostLink {
  host: string;
  /** The user that commands and sockets are used as, for messages. */
  user: string;
  local: boolean;
  /** Grows with every new connection: what was learnt about the last one may not hold for this one. */
  generation(): number;
  /** Resolves with the milliseconds it took, 0 when the connection was there. */
  connect(): Promise<number>;
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** A running command's stdin and stdout as one stream. */
  execStream(argv: readonly string[], timeoutMs: number): Promise<DialResult>;
  dialUnix(path: string, timeoutMs: number): Promise<DialResult>;
  dialTcp(address: string, port: number, timeoutMs: number, signal?: AbortSignal): Promise<DialResult>;
  close(): Promise<void>;
}

export function failure(code: FailureCode, reason: string, fix: string | null = null, lost = false): Failure {
  return { ok: false, code, reason, fix, lost };
}

/** One signal for a deadline and a caller's wish; `reason` of the signal tells which it was. */
export function deadline(timeoutMs: number, signal?: AbortSignal): AbortSignal {
  const limit = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

export function abortFailure(signal: AbortSignal, what: string, timeoutMs: number): Failure {
  const timedOut = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
  return timedOut
    ? failure("timeout", `${what} did not finish within ${timeoutMs} ms`)
    : failure("failed", `${what} was cancelled`);
}

/**
 * Which kind of connection failure a text means. OpenSSH puts the C library's text into a refused channel
 * (channels.c, channel_post_connecting), Node puts it into `code`.
 */
export function dialFailureKind(text: string): DialFailure | null {
  if (/ECONNREFUSED|connection refused/i.test(text)) return "refused";
  if (/ETIMEDOUT|timed out/i.test(text)) return "timeout";
  if (/ECONNRESET|EPIPE|reset by peer/i.test(text)) return "reset";
  if (/ENOTFOUND|EAI_AGAIN|unknown host|name or service|name resolution|no address associated/i.test(text))
    return "dns";
  if (/EHOSTUNREACH|ENETUNREACH|no route to host|network is unreachable|host is down/i.test(text)) return "unreachable";
  if (/EACCES|EPERM|permission denied/i.test(text)) return "denied";
  if (/ENOENT|no such file/i.test(text)) return "missing";
  return null;
}

export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(errorText).join("; ");
  if (!(error instanceof Error)) return String(error);
  const { code, message } = error as NodeJS.ErrnoException;
  return !code || message.includes(code) ? message || String(code) : `${code} ${message}`;
}

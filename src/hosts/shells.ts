import { randomBytes } from "node:crypto";
import type ssh2 from "ssh2";
import { limits } from "../core/limits.ts";
import { abortFailure, type ExecOptions, type ExecResult, failure } from "./link.ts";

type Limited = ExecOptions & { signal: AbortSignal };

export interface KeptShells {
  /** Null when this server gives no plain shell (a forced command): then each command needs a session of its own. */
  run(line: string, options: Limited): Promise<ExecResult | null>;
}

/**
 * A few shells kept open on one connection. Starting a session costs sshd a fork and the user's start files, often
 * 10 to 100 ms a command and more on a busy host; a shell that is there already costs about one. Each command's end is
 * marked on both streams by a token made for it, which no output can know. `line` only ever comes from `shellLine`.
 */
export function createKeptShells(open: (signal: AbortSignal) => Promise<ssh2.ClientChannel | null>): KeptShells {
  const pool = createPool(open);
  return {
    async run(line, options) {
      const channel = await pool.take(options.signal);
      if (channel === null) return null;
      const result = await runIn(channel, line, options);
      pool.giveBack(result.ok && !result.truncated ? channel : null);
      return result;
    },
  };
}

/**
 * Opens one shell, and another only where a command has waited for the ones that are there: the commands of a gathering
 * are done by one shell before a second session would have started.
 */
function createPool(open: (signal: AbortSignal) => Promise<ssh2.ClientChannel | null>) {
  const idle: ssh2.ClientChannel[] = [];
  const waiting = new Set<() => void>();
  let most: number = limits.keptShells;
  let shells = 0;
  let opening = false;

  const wakeNext = () => {
    const [next] = waiting;
    next?.();
  };

  async function openOne(signal: AbortSignal): Promise<ssh2.ClientChannel | null> {
    shells += 1;
    opening = true;
    const channel = await greeted(open, signal);
    opening = false;
    if (channel !== null) return channel;
    shells -= 1;
    // A server that gives no more shells keeps those it gave; one that gives none is not asked again.
    if (!signal.aborted) most = shells;
    wakeNext();
    return null;
  }

  return {
    /** Null when there is no shell to be had, or the signal aborts. */
    async take(signal: AbortSignal): Promise<ssh2.ClientChannel | null> {
      for (let patient = true; most > 0 && !signal.aborted; ) {
        for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
          if (kept.writable) return kept;
          shells -= 1;
        }
        if (shells === 0 || (!patient && !opening && shells < most)) {
          const channel = await openOne(signal);
          if (channel !== null) return channel;
        } else {
          // While one is being opened nobody's patience runs out.
          const wasOpening = opening;
          patient = (await turn(waiting, signal)) || wasOpening;
        }
      }
      return null;
    },
    /** Null for a shell that is gone. */
    giveBack(channel: ssh2.ClientChannel | null): void {
      if (channel === null) shells -= 1;
      else idle.push(channel);
      wakeNext();
    },
  };
}

/** Resolves true when woken, false when the patience is over or the signal aborts. */
function turn(waiting: Set<() => void>, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (woken: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      waiting.delete(wake);
      resolve(woken);
    };
    const wake = () => done(true);
    const giveUp = () => done(false);
    const timer = setTimeout(giveUp, limits.shellPatienceMs);
    signal.addEventListener("abort", giveUp, { once: true });
    waiting.add(wake);
  });
}

async function greeted(
  open: (signal: AbortSignal) => Promise<ssh2.ClientChannel | null>,
  signal: AbortSignal,
): Promise<ssh2.ClientChannel | null> {
  const channel = await open(signal);
  if (channel === null) return null;
  const hello = await runIn(channel, ":", {
    maxBytes: 1_000,
    timeoutMs: limits.shellHelloMs,
    signal: AbortSignal.timeout(limits.shellHelloMs),
  });
  return hello.ok && hello.exitCode === 0 && hello.stdout.length === 0 ? channel : null;
}

/** One command in an open shell. Whatever goes wrong, the shell is gone afterwards, so nothing runs into the next. */
function runIn(channel: ssh2.ClientChannel, line: string, options: Limited): Promise<ExecResult> {
  const token = randomBytes(16).toString("hex");
  const out = untilToken(token);
  const err = untilToken(token);
  return new Promise((resolve) => {
    const finish = (result: ExecResult) => {
      options.signal.removeEventListener("abort", onAbort);
      channel.off("data", onOut).off("close", onLost);
      channel.stderr.off("data", onErr);
      if (!result.ok || result.truncated) channel.destroy();
      resolve(result);
    };
    const full = () => {
      const stdout = Buffer.concat(out.chunks).subarray(0, options.maxBytes);
      finish({
        ok: true,
        exitCode: 0,
        stdout,
        stderr: Buffer.concat(err.chunks).subarray(0, options.maxBytes),
        truncated: true,
      });
    };
    const check = () => {
      const [stdout, stderr] = [out.done(), err.done()];
      if (stdout !== null && stderr !== null)
        finish({ ok: true, exitCode: stdout.exitCode, stdout: stdout.text, stderr: stderr.text, truncated: false });
      else if (out.bytes() + err.bytes() > options.maxBytes + 2 * limits.shellTokenBytes) full();
    };
    const onOut = (chunk: Buffer) => {
      out.take(chunk);
      check();
    };
    const onErr = (chunk: Buffer) => {
      err.take(chunk);
      check();
    };
    const onAbort = () => finish(abortFailure(options.signal, "the command", options.timeoutMs));
    const onLost = () => finish(failure("unreachable", "the SSH connection was lost during the command", null, true));
    options.signal.addEventListener("abort", onAbort, { once: true });
    channel.on("data", onOut).on("close", onLost);
    channel.stderr.on("data", onErr);
    channel.write(`${line} </dev/null; printf '\\n%s %s\\n' ${token} $?; printf '\\n%s 0\\n' ${token} >&2\n`);
  });
}

/** Collects one stream until its last line is `<token> <exit code>`. */
function untilToken(token: string) {
  const chunks: Buffer[] = [];
  let size = 0;
  const ending = new RegExp(`\\n${token} (\\d{1,3})\\n$`);
  return {
    chunks,
    bytes: () => size,
    take(chunk: Buffer) {
      chunks.push(chunk);
      size += chunk.length;
    },
    done(): { text: Buffer; exitCode: number } | null {
      const last = chunks.at(-1);
      if (last === undefined || last.at(-1) !== 10) return null;
      const tail = last.length >= limits.shellTokenBytes ? last : Buffer.concat(chunks);
      const match = ending.exec(tail.subarray(-limits.shellTokenBytes).toString("latin1"));
      if (match === null) return null;
      const whole = Buffer.concat(chunks);
      return { text: whole.subarray(0, whole.length - match[0].length), exitCode: Number(match[1]) };
    },
  };
}

import type ssh2 from "ssh2";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Clock } from "../ports.ts";
import { channelSocket } from "./channel.ts";
import { shellLine } from "./commands.ts";
import {
  abortFailure,
  type DialResult,
  deadline,
  dialFailureKind,
  type ExecOptions,
  type ExecResult,
  errorText,
  failure,
  type HostLink,
} from "./link.ts";
import { createSlots, type Slots } from "./slots.ts";
import { connectSsh, type SshTarget } from "./ssh-connect.ts";

interface Live {
  client: ssh2.Client;
  slots: Slots;
  connectMs: number;
}

/** One kept SSH connection. It is opened on first use, shared, and opened again on the next use after a loss. */
export function createSshLink(deps: { target: SshTarget; clock: Clock; random?: () => number }): HostLink {
  const { target, clock, random = Math.random } = deps;
  let live: Promise<Live> | null = null;
  let generation = 0;
  let failures = 0;
  let refusal: { fault: unknown; untilMs: number } | null = null;
  let closed = false;

  function connected(): Promise<Live> {
    if (closed) return Promise.reject(new Fault("host-unreachable", `${target.host} was closed`, "ask again"));
    if (live) return live;
    // A host that just refused is not asked again at once: sshd and fail2ban count failed logins.
    if (refusal && clock.nowMs() < refusal.untilMs) return Promise.reject(refusal.fault);
    live = open();
    return live;
  }

  async function open(): Promise<Live> {
    const startMs = clock.nowMs();
    try {
      const client = await connectSsh(target);
      generation += 1;
      failures = 0;
      refusal = null;
      client.once("close", () => {
        live = null;
      });
      if (closed) client.end();
      return { client, slots: createSlots(limits.sshChannels), connectMs: Math.max(1, clock.nowMs() - startMs) };
    } catch (fault) {
      live = null;
      const delayMs = Math.min(limits.reconnectDelayMaxMs, limits.reconnectDelayMs * 2 ** failures);
      failures += 1;
      refusal = { fault, untilMs: clock.nowMs() + delayMs * (0.5 + random() / 2) };
      throw fault;
    }
  }

  return {
    host: target.host,
    user: target.user,
    local: false,
    generation: () => generation,
    async connect() {
      const startedWith = generation;
      const { connectMs } = await connected();
      return generation === startedWith ? 0 : connectMs;
    },
    async exec(argv, options) {
      const limit = deadline(options.timeoutMs, options.signal);
      const line = shellLine(argv);
      const { client, slots } = await connected();
      return execOn(client, slots, line, { ...options, signal: limit });
    },
    async execStream(argv, timeoutMs) {
      const limit = deadline(timeoutMs);
      const line = shellLine(argv);
      const { client, slots } = await connected();
      const opened = await openExec(client, slots, line, limit, timeoutMs);
      return opened.ok ? { ok: true, stream: channelSocket(opened.channel, opened.release) } : opened;
    },
    async dialUnix(path, timeoutMs) {
      const { client } = await connected();
      return dialChannel(deadline(timeoutMs), timeoutMs, (done) => client.openssh_forwardOutStreamLocal(path, done));
    },
    async dialTcp(address, port, timeoutMs, signal) {
      const { client } = await connected();
      return dialChannel(deadline(timeoutMs, signal), timeoutMs, (done) =>
        client.forwardOut("127.0.0.1", 0, address, port, done),
      );
    },
    async close() {
      closed = true;
      const last = await live?.catch(() => null);
      last?.client.end();
    },
  };
}

type Opened = { ok: true; channel: ssh2.ClientChannel; release: () => void } | Extract<DialResult, { ok: false }>;
type Opener = (done: (error: Error | undefined, channel: ssh2.ClientChannel) => void) => void;

/** Opens a session channel. Where sshd's MaxSessions is lower than our limit, learns it and waits for a free place. */
async function openExec(
  client: ssh2.Client,
  slots: Slots,
  line: string,
  limit: AbortSignal,
  timeoutMs: number,
): Promise<Opened> {
  for (;;) {
    let release: () => void;
    try {
      release = await slots.acquire(limit);
    } catch {
      return { ok: false, kind: "timeout", detail: `no channel became free within ${timeoutMs} ms`, lost: false };
    }
    const opened = await openChannel(limit, timeoutMs, (done) => client.exec(line, done));
    if (opened.ok) return { ok: true, channel: opened.channel, release };
    const full = opened.kind === "forbidden" && slots.shrink();
    release();
    if (!full) return opened;
  }
}

async function dialChannel(limit: AbortSignal, timeoutMs: number, opener: Opener): Promise<DialResult> {
  const opened = await openChannel(limit, timeoutMs, opener);
  return opened.ok ? { ok: true, stream: channelSocket(opened.channel) } : opened;
}

function openChannel(
  limit: AbortSignal,
  timeoutMs: number,
  opener: Opener,
): Promise<{ ok: true; channel: ssh2.ClientChannel } | Extract<DialResult, { ok: false }>> {
  return new Promise((resolve) => {
    const tooLate = () =>
      resolve({ ok: false, kind: "timeout", detail: `no answer within ${timeoutMs} ms`, lost: false });
    limit.addEventListener("abort", tooLate, { once: true });
    const settle = (error: unknown, channel?: ssh2.ClientChannel) => {
      limit.removeEventListener("abort", tooLate);
      if (error || !channel) return resolve(openFailure(error));
      if (limit.aborted) return channel.destroy();
      resolve({ ok: true, channel });
    };
    try {
      opener((error, channel) => settle(error, channel));
    } catch (error) {
      settle(error);
    }
  });
}

/**
 * sshd answers a refused forward with a reason number and a text. 2 (connect failed) carries the C library's text for
 * TCP; for Unix sockets, and where MaxSessions is reached, it is only `open failed` (serverloop.c, server_input_channel_open).
 */
function openFailure(error: unknown): Extract<DialResult, { ok: false }> {
  const detail = errorText(error).replace("(SSH) Channel open failure: ", "");
  const reason = (error as { reason?: number | string }).reason;
  const kind = dialFailureKind(detail);
  if (/not connected|no response|connection lost|unexpected/i.test(detail)) {
    return { ok: false, kind: "closed", detail: "the SSH connection was lost", lost: true };
  }
  return { ok: false, kind: reason === 1 ? "forbidden" : (kind ?? "forbidden"), detail, lost: false };
}

async function execOn(
  client: ssh2.Client,
  slots: Slots,
  line: string,
  options: ExecOptions & { signal: AbortSignal },
): Promise<ExecResult> {
  const { maxBytes, timeoutMs, signal } = options;
  const opened = await openExec(client, slots, line, signal, timeoutMs);
  if (!opened.ok) {
    if (signal.aborted) return abortFailure(signal, "the command", timeoutMs);
    if (opened.lost) return failure("unreachable", opened.detail, null, true);
    return failure(
      "permission-denied",
      `the server runs no commands for this key: ${opened.detail}`,
      "allow sessions in sshd_config (MaxSessions)",
    );
  }
  const { channel, release } = opened;
  return new Promise((resolve) => {
    const streams = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let bytes = 0;
    let truncated = false;
    let exitCode: number | null = null;
    const finish = (result: ExecResult) => {
      signal.removeEventListener("abort", onAbort);
      release();
      channel.destroy();
      resolve(result);
    };
    const output = (code: number): ExecResult => ({
      ok: true,
      exitCode: code,
      stdout: Buffer.concat(streams.stdout),
      stderr: Buffer.concat(streams.stderr),
      truncated,
    });
    const onAbort = () => finish(abortFailure(signal, "the command", timeoutMs));
    const take = (chunks: Buffer[]) => (chunk: Buffer) => {
      if (truncated) return;
      const room = maxBytes - bytes;
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      bytes += Math.min(chunk.length, room);
      if (chunk.length <= room) return;
      truncated = true;
      finish(output(0));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) return onAbort();
    channel.on("data", take(streams.stdout));
    channel.stderr.on("data", take(streams.stderr));
    channel.on("exit", (code: number | null, killedBy?: string) => {
      exitCode = code ?? (killedBy ? 128 : null);
    });
    channel.on("error", () => {});
    channel.once("close", () => {
      if (exitCode === null)
        finish(failure("unreachable", "the SSH connection was lost during the command", null, true));
      else finish(output(exitCode));
    });
    channel.end();
  });
}

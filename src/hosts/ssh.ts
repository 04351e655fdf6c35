import { setTimeout as sleep } from "node:timers/promises";
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
import { collectOutput } from "./output.ts";
import { createKeptShells, type KeptShells } from "./shells.ts";
import { createSlots, type Slots } from "./slots.ts";
import { connectSsh, type SshTarget } from "./ssh-connect.ts";

interface Live {
  client: ssh2.Client;
  slots: Slots;
  shells: KeptShells;
  connectMs: number;
  /** Whether a command has run on this connection. */
  ranCommands: boolean;
}

/** One kept SSH connection. It is opened on first use, shared, and opened again on the next use after a loss. */
export function createSshLink(deps: { target: SshTarget; clock: Clock; random?: () => number }): HostLink {
  const { target } = deps;
  const kept = keepConnection(deps);
  return {
    host: target.host,
    user: target.user,
    local: false,
    generation: kept.generation,
    async connect() {
      const startedWith = kept.generation();
      const { connectMs } = await kept.live();
      return kept.generation() === startedWith ? 0 : connectMs;
    },
    async exec(argv, options) {
      const signal = deadline(options.timeoutMs, options.signal);
      const line = shellLine(argv);
      const live = await kept.live();
      return (await live.shells.run(line, { ...options, signal })) ?? execOn(live, line, { ...options, signal });
    },
    async execStream(argv, timeoutMs) {
      const limit = deadline(timeoutMs);
      const line = shellLine(argv);
      const opened = await openExec(await kept.live(), line, limit, timeoutMs, channelSocket);
      return opened.ok ? { ok: true, stream: opened.value } : opened;
    },
    async dialUnix(path, timeoutMs) {
      const { client } = await kept.live();
      return dialChannel(deadline(timeoutMs), timeoutMs, (done) => client.openssh_forwardOutStreamLocal(path, done));
    },
    async dialTcp(address, port, timeoutMs, signal) {
      const { client } = await kept.live();
      return dialChannel(deadline(timeoutMs, signal), timeoutMs, (done) =>
        client.forwardOut("127.0.0.1", 0, address, port, done),
      );
    },
    close: kept.close,
  };
}

/** `live` is shared by all who ask meanwhile; `generation` grows with every new connection. */
function keepConnection(deps: { target: SshTarget; clock: Clock; random?: () => number }) {
  const { target, clock, random = Math.random } = deps;
  let live: Promise<Live> | null = null;
  let generation = 0;
  let failures = 0;
  let refusal: { fault: unknown; untilMs: number } | null = null;
  let closed = false;

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
      const connectMs = Math.max(1, clock.nowMs() - startMs);
      const fresh: Live = {
        client,
        slots: createSlots(limits.sshChannels),
        shells: createKeptShells(openShell),
        connectMs,
        ranCommands: false,
      };
      return fresh;

      async function openShell(signal: AbortSignal): Promise<ssh2.ClientChannel | null> {
        const shell = await openExec(fresh, "exec sh", signal, limits.commandTimeoutMs, (channel, release) =>
          channel.once("close", release),
        );
        return shell.ok ? shell.value : null;
      }
    } catch (fault) {
      live = null;
      const delayMs = Math.min(limits.reconnectDelayMaxMs, limits.reconnectDelayMs * 2 ** failures);
      failures += 1;
      refusal = { fault, untilMs: clock.nowMs() + delayMs * (0.5 + random() / 2) };
      throw fault;
    }
  }

  return {
    generation: () => generation,
    live(): Promise<Live> {
      if (closed) return Promise.reject(new Fault("host-unreachable", `${target.host} was closed`, "ask again"));
      // A host that just refused is not asked again at once: sshd and fail2ban count failed logins.
      if (!live && refusal && clock.nowMs() < refusal.untilMs) return Promise.reject(refusal.fault);
      live ??= open();
      return live;
    },
    async close(): Promise<void> {
      closed = true;
      const last = await live?.catch(() => null);
      last?.client.end();
    },
  };
}

type Opened<T> = { ok: true; value: T } | Extract<DialResult, { ok: false }>;
type Opener = (done: (error: Error | undefined, channel: ssh2.ClientChannel) => void) => void;

/**
 * Opens a session channel. A refusal has two harmless meanings where commands have run before: sshd has not yet cleared
 * the last session away, so it is asked again; or MaxSessions is lower than our limit, so fewer are used from then on.
 */
async function openExec<T>(
  live: Live,
  line: string,
  limit: AbortSignal,
  timeoutMs: number,
  adopt: (channel: ssh2.ClientChannel, release: () => void) => T,
): Promise<Opened<T>> {
  for (let tries = 1; ; tries += 1) {
    let release: () => void;
    try {
      release = await live.slots.acquire(limit);
    } catch {
      return { ok: false, kind: "timeout", detail: `no channel became free within ${timeoutMs} ms`, lost: false };
    }
    const opened = await openChannel(
      limit,
      timeoutMs,
      (done) => live.client.exec(line, done),
      (channel) => adopt(channel, release),
    );
    if (opened.ok) {
      live.ranCommands = true;
      return opened;
    }
    const others = live.slots.inUse() > 1;
    const again = opened.kind === "forbidden" && (live.ranCommands || others) && tries < limits.channelRetries;
    if (again && others && tries >= limits.channelRetries / 2) live.slots.shrink();
    else if (again) await sleep(limits.channelRetryDelayMs);
    release();
    if (!again) return opened;
  }
}

async function dialChannel(limit: AbortSignal, timeoutMs: number, opener: Opener): Promise<DialResult> {
  const opened = await openChannel(limit, timeoutMs, opener, (channel) => channelSocket(channel));
  return opened.ok ? { ok: true, stream: opened.value } : opened;
}

/** `adopt` runs within the callback: a quick command's exit and close may be in the very next bytes. */
function openChannel<T>(
  limit: AbortSignal,
  timeoutMs: number,
  opener: Opener,
  adopt: (channel: ssh2.ClientChannel) => T,
): Promise<Opened<T>> {
  return new Promise((resolve) => {
    const tooLate = () =>
      resolve({ ok: false, kind: "timeout", detail: `no answer within ${timeoutMs} ms`, lost: false });
    limit.addEventListener("abort", tooLate, { once: true });
    const settle = (error: unknown, channel?: ssh2.ClientChannel) => {
      limit.removeEventListener("abort", tooLate);
      if (error || !channel) resolve(openFailure(error));
      else if (limit.aborted) channel.destroy();
      else resolve({ ok: true, value: adopt(channel) });
    };
    try {
      opener(settle);
    } catch (error) {
      settle(error);
    }
    if (limit.aborted) tooLate();
  });
}

/**
 * sshd answers a refused forward with a reason number and a text. 2 (connect failed) carries the C library's text for
 * TCP; for Unix sockets, and where MaxSessions is reached, it is only `open failed` (serverloop.c, server_input_channel_open).
 */
function openFailure(error: unknown): Extract<DialResult, { ok: false }> {
  const detail = errorText(error).replace("(SSH) Channel open failure: ", "");
  if (/not connected|no response|connection lost/i.test(detail)) {
    return { ok: false, kind: "closed", detail: "the SSH connection was lost", lost: true };
  }
  const prohibited = (error as { reason?: unknown }).reason === 1;
  return { ok: false, kind: prohibited ? "forbidden" : (dialFailureKind(detail) ?? "forbidden"), detail, lost: false };
}

async function execOn(live: Live, line: string, options: ExecOptions & { signal: AbortSignal }): Promise<ExecResult> {
  const { timeoutMs, signal } = options;
  const opened = await openExec(live, line, signal, timeoutMs, (channel, release) =>
    collect(channel, options).finally(release),
  );
  if (opened.ok) return opened.value;
  if (signal.aborted) return abortFailure(signal, "the command", timeoutMs);
  if (opened.lost) return failure("unreachable", opened.detail, null, true);
  return failure(
    "permission-denied",
    `the server runs no commands for this key: ${opened.detail}`,
    "allow sessions in sshd_config (MaxSessions)",
  );
}

function collect(channel: ssh2.ClientChannel, options: ExecOptions & { signal: AbortSignal }): Promise<ExecResult> {
  const { signal, timeoutMs } = options;
  return new Promise((resolve) => {
    const output = collectOutput(options.maxBytes, () => finish(output.result(0)));
    let exitCode: number | null = null;
    const finish = (result: ExecResult) => {
      signal.removeEventListener("abort", onAbort);
      channel.destroy();
      resolve(result);
    };
    const onAbort = () => finish(abortFailure(signal, "the command", timeoutMs));
    signal.addEventListener("abort", onAbort, { once: true });
    channel.on("data", output.stdout);
    channel.stderr.on("data", output.stderr);
    channel.on("exit", (code: number | null, killedBy?: string) => {
      exitCode = code ?? (killedBy ? 128 : null);
    });
    channel.on("error", () => {});
    channel.once("close", () => {
      if (exitCode !== null) finish(output.result(exitCode));
      else finish(failure("unreachable", "the SSH connection was lost during the command", null, true));
    });
    channel.end();
  });
}

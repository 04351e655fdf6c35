import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { accountName } from "../config/environment.ts";
import { limits } from "../core/limits.ts";
import {
  abortFailure,
  type DialResult,
  deadline,
  dialFailureKind,
  type ExecResult,
  errorText,
  failure,
  type HostLink,
} from "./link.ts";
import { collectOutput } from "./output.ts";

/** This machine, without SSH: the same verbs by child processes (argument lists, no shell) and sockets. */
export function createLocalLink(host: string): HostLink {
  return {
    host,
    user: accountName() ?? `user ${process.getuid?.()}`,
    local: true,
    generation: () => 1,
    connect: async () => 0,
    exec: (argv, options) =>
      argv[0] === "head"
        ? printFiles(argv.slice(argv.indexOf("--") + 1))
        : runProgram(argv, options.maxBytes, deadline(options.timeoutMs, options.signal), options.timeoutMs),
    execStream: async () => ({
      ok: false,
      kind: "forbidden",
      detail: "not needed on this machine",
      lost: false,
    }),
    dialUnix: (path, timeoutMs) => dial(connect({ path }), timeoutMs, deadline(timeoutMs)),
    dialTcp: (address, port, timeoutMs, signal) =>
      dial(connect({ host: address, port, noDelay: true }), timeoutMs, deadline(timeoutMs, signal)),
    close: async () => {},
  };
}

function dial(socket: Socket, timeoutMs: number, limit: AbortSignal): Promise<DialResult> {
  return new Promise((resolve) => {
    const tooLate = () => {
      resolve({
        ok: false,
        kind: "timeout",
        detail: `no answer within ${timeoutMs} ms`,
        lost: false,
      });
      socket.destroy();
    };
    limit.addEventListener("abort", tooLate, { once: true });
    socket.once("connect", () => {
      limit.removeEventListener("abort", tooLate);
      resolve({ ok: true, stream: socket });
    });
    socket.once("error", (error) => {
      limit.removeEventListener("abort", tooLate);
      const detail = errorText(error);
      resolve({
        ok: false,
        kind: dialFailureKind(detail) ?? "closed",
        detail,
        lost: false,
      });
    });
    if (limit.aborted) tooLate();
  });
}

function runProgram(
  argv: readonly string[],
  maxBytes: number,
  limit: AbortSignal,
  timeoutMs: number,
): Promise<ExecResult> {
  const [program, ...args] = argv as [string, ...string[]];
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      // Nothing of our own environment goes along: it holds tokens.
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL: "C",
        TZ: "UTC",
      },
    });
    const output = collectOutput(maxBytes, () => finish(output.result(0)));
    const finish = (result: ExecResult) => {
      limit.removeEventListener("abort", onAbort);
      child.kill("SIGKILL");
      resolve(result);
    };
    const onAbort = () => finish(abortFailure(limit, argv.join(" "), timeoutMs));
    child.stdout.on("data", output.stdout);
    child.stderr.on("data", output.stderr);
    child.once("error", (error: NodeJS.ErrnoException) =>
      finish(error.code === "ENOENT" ? output.result(127) : failure("failed", errorText(error))),
    );
    child.once("close", (code) => finish(output.result(code ?? 128)));
    limit.addEventListener("abort", onAbort, { once: true });
    if (limit.aborted) onAbort();
  });
}

/** What `head -v -c` prints for these files, without starting a program: most reads of a host are this one. */
async function printFiles(paths: readonly string[]): Promise<ExecResult> {
  const texts = await Promise.all(paths.map(readStart));
  const stdout: Buffer[] = [];
  const stderr: string[] = [];
  texts.forEach((text, index) => {
    const path = paths[index];
    if (typeof text === "string") stderr.push(`head: cannot open '${path}' for reading: ${text}\n`);
    else stdout.push(Buffer.from(`${stdout.length > 0 ? "\n" : ""}==> ${path} <==\n`), text);
  });
  return {
    ok: true,
    exitCode: stderr.length > 0 ? 1 : 0,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.from(stderr.join("")),
    truncated: false,
  };
}

async function readStart(path: string): Promise<Buffer | string> {
  try {
    await using file = await open(path, "r");
    const chunks: Buffer[] = [];
    // Kernel files have no size and answer in pieces: read until they end.
    for (let bytes = 0; bytes < limits.fileBytes; ) {
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.alloc(limits.fileBytes - bytes),
      });
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    return Buffer.concat(chunks);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === "ENOENT" ? "No such file or directory" : code === "EACCES" ? "Permission denied" : errorText(error);
  }
}

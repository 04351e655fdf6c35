import { execFile, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { COMMAND_OUTPUT_BYTES, COMMAND_TIMEOUT_MS, POLL_INTERVAL_MS, TERMINATE_TIMEOUT_MS } from "./limits.ts";

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and reports how it went; never throws. A program that is not there has code 127. */
export function attempt(
  file: string,
  args: readonly string[],
  options: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<Output> {
  return new Promise((resolve) => {
    execFile(
      file,
      [...args],
      {
        timeout: options.timeoutMs ?? COMMAND_TIMEOUT_MS,
        killSignal: "SIGKILL",
        maxBuffer: COMMAND_OUTPUT_BYTES,
        env: { ...process.env, LC_ALL: "C", ...options.env },
      },
      (error, stdout, stderr) => {
        const code =
          error === null ? 0 : typeof error.code === "number" ? error.code : error.code === "ENOENT" ? 127 : -1;
        const note = code === -1 || code === 127 ? (error?.message ?? "") : "";
        resolve({ code, stdout, stderr: stderr + note });
      },
    );
  });
}

/** Runs a program and returns what it printed; throws with its own words when it fails. */
export async function run(
  file: string,
  args: readonly string[],
  options: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<string> {
  const output = await attempt(file, args, options);
  if (output.code === 0) return output.stdout;
  const words = (output.stderr.trim() || output.stdout.trim()).split("\n").slice(-5).join("\n");
  throw new Error(`${file} ${args.slice(0, 3).join(" ")} ended with ${output.code}: ${words}`);
}

/** A process is named by its pid and its start time: a pid alone may have been given to somebody else since. */
export interface ProcessId {
  what: string;
  pid: number;
  startTicks: string;
}

/** Starts a program in its own session with its output in a file, so that it outlives us if it is meant to. */
export function startDaemon(what: string, file: string, args: readonly string[], logFile: string): ProcessId {
  const log = openSync(logFile, "a");
  try {
    const child = spawn(file, [...args], {
      detached: true,
      stdio: ["ignore", log, log],
    });
    child.on("error", () => {});
    child.unref();
    if (child.pid === undefined) throw new Error(`${file} could not be started`);
    return { what, pid: child.pid, startTicks: startTicks(child.pid) ?? "" };
  } finally {
    closeSync(log);
  }
}

export function isAlive(id: ProcessId): boolean {
  return id.startTicks !== "" && startTicks(id.pid) === id.startTicks;
}

export function ourselves(): ProcessId {
  return {
    what: "owner",
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? "",
  };
}

/** The processes and all their descendants, youngest first. */
export function familyOf(roots: readonly ProcessId[]): ProcessId[] {
  const table = processTable();
  const members = new Set(roots.filter(isAlive).map((root) => root.pid));
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const entry of table) if (members.has(entry.parent)) members.add(entry.pid);
  }
  members.delete(process.pid);
  return table.filter((entry) => members.has(entry.pid)).reverse();
}

const ENGINE_PROGRAMS = ["dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "runc", "sshd"];

/** The engine's programs that run on behalf of a folder; an editor or a shell with the same path is left alone. */
export function engineProcesses(dir: string): ProcessId[] {
  return processTable().filter(({ pid }) => {
    try {
      const program = readlinkSync(`/proc/${pid}/exe`).replace(" (deleted)", "").split("/").at(-1) ?? "";
      return ENGINE_PROGRAMS.includes(program) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${dir}/`);
    } catch {
      return false;
    }
  });
}

/** Asks politely, waits, then insists. A process that is gone or whose pid is somebody else's now is left alone. */
export async function terminate(ids: readonly ProcessId[], timeoutMs: number = TERMINATE_TIMEOUT_MS): Promise<void> {
  signalAll(ids, "SIGTERM");
  if (await eventually(() => !ids.some(isAlive), timeoutMs)) return;
  signalAll(ids, "SIGKILL");
  await eventually(() => !ids.some(isAlive), TERMINATE_TIMEOUT_MS);
}

/** True as soon as the condition holds, false when the time is up first. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) return false;
    await delay(POLL_INTERVAL_MS);
  }
  return true;
}

function signalAll(ids: readonly ProcessId[], signal: NodeJS.Signals): void {
  for (const id of ids) {
    try {
      if (isAlive(id)) process.kill(id.pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  }
}

interface TableEntry extends ProcessId {
  parent: number;
}

function processTable(): TableEntry[] {
  return readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : null;
    return stat === null ? [] : [stat];
  });
}

function startTicks(pid: number): string | null {
  return readStat(pid)?.startTicks ?? null;
}

/** A zombie counts as gone: it holds nothing, and only its parent can remove it. */
function readStat(pid: number): TableEntry | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return null;
    const what = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
    return {
      what,
      pid,
      parent: Number(fields[1]),
      startTicks: fields[19] ?? "",
    };
  } catch {
    return null;
  }
}

import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { ReadCommand } from "../ports.ts";

export interface CommandForm {
  /** Tried in order: the next one only when the program does not know an option of the last (BusyBox). */
  argvs: string[][];
  maxBytes: number;
}

/**
 * The argument lists of the closed set. Kernel seconds are kept exact: plain `dmesg` prints seconds since boot and
 * `short-unix` prints epoch microseconds, while `dmesg -T` drifts by the time spent suspended (dmesg(1)).
 */
export function commandForm(command: ReadCommand): CommandForm {
  switch (command.command) {
    case "kernel-log":
      return {
        argvs: [kernelLogArgv(command.via)],
        maxBytes: limits.kernelLogBytes,
      };
    case "files":
      return {
        argvs: [["head", "-v", "-c", String(limits.fileBytes), "--", ...checkedPaths(command.paths)]],
        maxBytes: limits.commandOutputBytes,
      };
    case "descriptors":
      return {
        argvs: [["env", "LC_ALL=C", "TZ=UTC", "ls", "-l", `/proc/${checkedPid(command.pid)}/fd`]],
        maxBytes: limits.commandOutputBytes,
      };
    case "disk":
      return {
        argvs: [english("df", "-PkT"), english("df", "-Pk")],
        maxBytes: limits.commandOutputBytes,
      };
    case "inodes":
      return {
        argvs: [english("df", "-Pi")],
        maxBytes: limits.commandOutputBytes,
      };
    case "clock":
      return { argvs: [["date", "-u", "+%s.%N"]], maxBytes: 1_000 };
    case "processes":
      return {
        argvs: [
          english("ps", "-ewwo", "pid,ppid,uid,stat,rss,etimes,times,wchan:32,comm,args"),
          english("ps", "-o", "pid,ppid,user,stat,rss,etime,time,comm,args"),
        ],
        maxBytes: limits.commandOutputBytes,
      };
  }
}

function kernelLogArgv(via: "dmesg" | "sudo-dmesg" | "journalctl" | "sudo-journalctl"): string[] {
  const journal = ["journalctl", "-k", "-o", "short-unix", "--no-pager", "-n", String(limits.journalLines)];
  switch (via) {
    case "dmesg":
      return english("dmesg");
    case "sudo-dmesg":
      return english("sudo", "-n", "dmesg");
    case "journalctl":
      return english(...journal);
    case "sudo-journalctl":
      return english("sudo", "-n", ...journal);
  }
}

function english(...argv: string[]): string[] {
  return ["env", "LC_ALL=C", "TZ=UTC", ...argv];
}

/** Left out of /proc although they are below it: memory, secrets, endless streams, and ways back to the file system. */
const forbiddenSegments =
  /(^|\/)(\.\.|environ|mem|pagemap|kcore|kmsg|kallsyms|root|cwd|exe|fd|map_files|trace_pipe)(\/|$)/;
const allowedPath = /^\/(proc|sys\/fs\/cgroup|sys\/kernel)\/[A-Za-z0-9_.:@\\-][A-Za-z0-9_.:@\\/-]*$/;

export function isReadablePath(path: string): boolean {
  return path.length < 1_024 && allowedPath.test(path) && !forbiddenSegments.test(path);
}

function checkedPaths(paths: readonly string[]): string[] {
  const bad = paths.find((path) => !isReadablePath(path));
  if (bad !== undefined || paths.length === 0 || paths.length > limits.filesPerCommand) {
    const what = bad === undefined ? `${paths.length} files` : JSON.stringify(bad.slice(0, 100));
    throw new Fault("internal", `refused to read ${what} from a host`, "report this as a bug");
  }
  return [...paths];
}

function checkedPid(pid: number): number {
  if (!Number.isSafeInteger(pid) || pid < 1)
    throw new Fault("internal", `${pid} is no process id`, "report this as a bug");
  return pid;
}

/**
 * Writes an argument list as the one string that SSH's exec request carries. Only for lists made in this folder:
 * anything a POSIX shell, csh or fish would read as more than one word is refused, not escaped.
 */
export function shellLine(argv: readonly string[]): string {
  return argv.map(shellWord).join(" ");
}

function shellWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  if (/^[A-Za-z0-9_@%+=:,./\\{} -]+$/.test(word)) return `'${word}'`;
  throw new Fault(
    "internal",
    `refused to send ${JSON.stringify(word.slice(0, 100))} to a host`,
    "report this as a bug",
  );
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { answers } from "../../engine.ts";
import type { Lab } from "../../lab.ts";
import { eventually, isAlive, startDaemon } from "../../processes.ts";

/** The lab's own dockerd, by the pid file it wrote, with the arguments it was started with. */
export function daemonOf(lab: Lab): { pid: number; args: string[] } {
  const pid = Number(readFileSync(join(lab.dir, "dockerd.pid"), "utf8").trim());
  const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  if (!args.some((arg) => arg.includes(lab.dir))) throw new Error(`pid ${pid} is not the dockerd of ${lab.dir}`);
  return { pid, args };
}

/** Ends the lab's dockerd with this signal and waits until it is gone. */
export async function endDaemon(lab: Lab, signal: "SIGTERM" | "SIGKILL"): Promise<string[]> {
  const { pid, args } = daemonOf(lab);
  process.kill(pid, signal);
  if (!(await eventually(() => !exists(pid), 30_000))) throw new Error("dockerd did not end");
  return args;
}

/** Starts it again; the lab's takedown finds it by the lab's folder in its arguments. */
export async function startDaemonAgain(lab: Lab, args: readonly string[]): Promise<void> {
  const [file = "dockerd", ...rest] = args;
  const id = startDaemon("dockerd", file, rest, join(lab.dir, "dockerd.log"));
  await eventually(async () => !isAlive(id) || (await answers(lab.dockerSocket)), 30_000);
  if (!(await answers(lab.dockerSocket))) throw new Error("dockerd did not come back");
}

export async function bounceDaemon(lab: Lab): Promise<void> {
  await startDaemonAgain(lab, await endDaemon(lab, "SIGTERM"));
}

function exists(pid: number): boolean {
  try {
    // A zombie that nobody collects is gone as far as its socket is concerned.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

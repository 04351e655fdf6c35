import { spawn } from "node:child_process";
import { once } from "node:events";
import { LOCK_TIMEOUT_MS } from "./limits.ts";

/**
 * Runs the work while this process, alone on the machine, holds the lock file. The kernel's lock is held by a `flock`
 * child that ends when its standard input closes, so that it is released however we end.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const seconds = String(LOCK_TIMEOUT_MS / 1000);
  const holder = spawn("flock", ["-x", "-w", seconds, file, "sh", "-c", "echo held; exec cat"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const ended = new Promise<string>((resolve) => {
    holder.once("error", () => resolve("flock (package util-linux) could not be started"));
    holder.once("exit", () => resolve(`${file} is held by another process`));
  });
  const outcome = await Promise.race([ended, once(holder.stdout, "data").then(() => null)]);
  if (outcome !== null) throw new Error(outcome);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

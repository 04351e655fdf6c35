import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { LOCK_TIMEOUT_MS } from "./limits.ts";
import { eventually, isAlive, ourselves, type ProcessId } from "./processes.ts";

/** Runs the work while this process, alone on the machine, holds the lock file. A dead holder's lock is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  if (!(await eventually(() => tryLock(file), LOCK_TIMEOUT_MS))) throw new Error(`${file} is held by another process`);
  try {
    return await work();
  } finally {
    rmSync(file, { recursive: true, force: true });
  }
}

/**
 * The lock is a folder made in one step with its holder's name inside: a file that is created empty and then written
 * would look abandoned in between.
 */
export function tryLock(file: string, holder: ProcessId = ourselves()): boolean {
  const draft = `${file}.${process.pid}.${counter++}`;
  mkdirSync(draft, { recursive: true });
  writeFileSync(`${draft}/holder.json`, JSON.stringify(holder));
  try {
    renameSync(draft, file);
    return true;
  } catch {
    rmSync(draft, { recursive: true, force: true });
    takeAway(file);
    return false;
  }
}

let counter = 0;

function takeAway(file: string): void {
  try {
    const holder = JSON.parse(readFileSync(`${file}/holder.json`, "utf8")) as ProcessId;
    if (isAlive(holder)) return;
    // Only one of several waiting processes can remove the name, and only then is the folder empty.
    unlinkSync(`${file}/holder.json`);
    rmSync(file, { recursive: true, force: true });
  } catch {
    // Somebody else took it away or is just releasing it; the next attempt sees.
  }
}

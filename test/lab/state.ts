import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subnet } from "./engine.ts";
import type { ProcessId } from "./processes.ts";
import type { SshLogin } from "./sshd.ts";

/** All that is needed to use a lab, or to take it down, from another process. Kept in the lab's folder. */
export interface LabState {
  name: string;
  dir: string;
  /** null for a detached lab, which belongs to nobody. */
  owner: ProcessId | null;
  keep: boolean;
  privateEngine: boolean;
  dockerSocket: string | null;
  subnet: Subnet | null;
  processes: ProcessId[];
  users: string[];
  sshdCount: number;
  /** null until the lab is wholly up. */
  ssh: SshLogin | null;
}

/** The state of the lab in this folder, or null when there is none that can be read. */
export function readState(dir: string): LabState | null {
  try {
    return JSON.parse(readFileSync(join(dir, "state.json"), "utf8")) as LabState;
  } catch {
    return null;
  }
}

/** Written before what it names is used, and in one step: a crash at any moment leaves a state that can be swept. */
export function writeState(state: LabState): void {
  const draft = join(state.dir, "state.json.draft");
  writeFileSync(draft, JSON.stringify(state, null, 2));
  renameSync(draft, join(state.dir, "state.json"));
}

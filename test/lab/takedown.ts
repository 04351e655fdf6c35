import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { programPath } from "./apt.ts";
import { answers, isInside } from "./engine.ts";
import { attempt, engineProcesses, familyOf, terminate } from "./processes.ts";
import { type LabState, readState } from "./state.ts";

/** Removes whatever the lab in this folder left on the machine, from its state on disk alone. Safe to repeat. */
export async function takeDown(dir: string, options: { keep: boolean }): Promise<void> {
  if (!existsSync(dir)) return;
  const state = readState(dir);
  if (state !== null) await removeContainers(state);
  await endProcesses(state, dir);
  await unmountBelow(dir);
  if (state !== null) await removeBridges(state);
  for (const user of state?.users ?? []) await attempt(programPath("userdel") ?? "userdel", [user]);
  if (options.keep) {
    rmSync(join(dir, "engine"), { recursive: true, force: true });
    rmSync(join(dir, "state.json"), { force: true });
  } else {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** In a private engine everything is the lab's; in one that was there before, only what carries the lab's label. */
async function removeContainers(state: LabState): Promise<void> {
  const socket = state.dockerSocket ?? join(state.dir, "docker.sock");
  if (!existsSync(socket) || !(await answers(socket))) return;
  const docker = (...args: string[]) => attempt("docker", ["-H", `unix://${socket}`, ...args]);
  const filter = state.privateEngine ? [] : ["--filter", `label=room137.lab=${state.name}`];
  const idsOf = async (...args: string[]) =>
    (await docker(...args, "--quiet", ...filter)).stdout.split("\n").filter(Boolean);
  const containers = await idsOf("ps", "--all");
  if (containers.length > 0) await docker("rm", "--force", "--volumes", ...containers);
  // The predefined networks are listed too; the engine refuses to remove them.
  for (const network of await idsOf("network", "ls")) await docker("network", "rm", network);
  for (const volume of await idsOf("volume", "ls")) await docker("volume", "rm", "--force", volume);
}

/**
 * dockerd first, while its containerd still answers; then containerd and every sshd. Sessions of an sshd and the
 * processes of a container whose engine died are not children of anything we started, hence the second look.
 */
async function endProcesses(state: LabState | null, dir: string): Promise<void> {
  const started = state?.processes ?? [];
  const family = familyOf([...started, ...engineProcesses(dir)]);
  await terminate(started.filter((id) => id.what === "dockerd"));
  await terminate(started.filter((id) => id.what !== "dockerd"));
  await terminate([...family, ...familyOf(engineProcesses(dir))], 2_000);
}

async function unmountBelow(dir: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) =>
      (line.split(" ")[1] ?? "").replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((path) => path.startsWith(`${dir}/`));
  for (const path of mounts.reverse()) await attempt("umount", ["--lazy", path]);
}

/** The lab's bridge, and those of its networks that dockerd could not remove any more. */
async function removeBridges(state: LabState): Promise<void> {
  const { subnet } = state;
  if (subnet === null) return;
  for (const line of (await attempt("ip", ["-o", "-4", "addr", "show"])).stdout.split("\n")) {
    const [, device, , address] = line.trim().split(/\s+/);
    if (device === undefined || address === undefined) continue;
    const ours = device === subnet.bridge || (/^br-[0-9a-f]{12}$/.test(device) && isInside(subnet, address));
    if (ours) await attempt("ip", ["link", "delete", device]);
  }
}

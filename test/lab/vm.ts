import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePrograms, programPath } from "./apt.ts";
import { LAB_IMAGE } from "./images.ts";
import { type Lab, labDir } from "./lab.ts";
import { VM_BOOT_TIMEOUT_MS, VM_COMMAND_TIMEOUT_MS, VM_FIRST_WORD_TIMEOUT_MS, VM_PATIENCE } from "./limits.ts";
import { attempt, eventually, isAlive, type ProcessId, run, startDaemon, terminate } from "./processes.ts";
import { ensureDisk, type VmDisk } from "./vm-disk.ts";

const SOCKET = "/run/docker.sock";
const PORT = 22137;

interface Machine {
  dir: string;
  disk: VmDisk;
  qemu: ProcessId;
  tunnel: ProcessId | null;
}

/**
 * A lab on a whole machine: a real boot, systemd, control groups of version 2, and memory that can run out. Its network
 * reaches nothing outside and is reached through one loopback port only.
 */
export async function startVm(log: (line: string) => void): Promise<Lab> {
  await ensurePrograms({ "qemu-system-x86_64": "qemu-system-x86", debootstrap: "debootstrap" }, log);
  const disk = await ensureDisk(log);
  const dir = labDir("vm");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "known_hosts"), `[127.0.0.1]:${PORT} ${disk.hostPublicKey}\n`);
  log("booting the machine");
  const machine: Machine = { dir, disk, qemu: await startQemu(dir, disk), tunnel: null };
  try {
    await connect(machine);
  } catch (error) {
    await powerOff(machine);
    throw error;
  }
  return labOf(machine);
}

/** Waits for the guest, keeps one connection to it, and forwards its engine's socket to a file here. */
async function connect(machine: Machine): Promise<void> {
  const { dir, qemu } = machine;
  const forward = ["-o", "StreamLocalBindUnlink=yes", "-L", `${socketOf(machine)}:${SOCKET}`];
  const master = [...sshOptions(machine), "-M", "-N", ...forward, "root@127.0.0.1"];
  const isUp = async () => {
    if (machine.tunnel === null || !isAlive(machine.tunnel))
      machine.tunnel = startDaemon("ssh", "ssh", master, join(dir, "tunnel.log"));
    return !isAlive(qemu) || (await attempt("docker", [...clientOf(machine), "version"])).code === 0;
  };
  if (!(await eventually(isUp, VM_BOOT_TIMEOUT_MS)) || !isAlive(qemu))
    throw new Error(`the machine did not come up; see ${join(dir, "console")} and ${join(dir, "tunnel.log")}`);
}

async function powerOff(machine: Machine): Promise<void> {
  await ssh(machine, "systemctl poweroff");
  await eventually(() => !isAlive(machine.qemu), VM_BOOT_TIMEOUT_MS);
  await terminate([machine.qemu, ...(machine.tunnel === null ? [] : [machine.tunnel])]);
}

async function reboot(machine: Machine, how: "orderly" | "hard"): Promise<void> {
  const bootId = async () => (await ssh(machine, "cat /proc/sys/kernel/random/boot_id")).stdout;
  const before = await bootId();
  await ssh(machine, how === "orderly" ? "systemctl reboot" : "sync; echo b >/proc/sysrq-trigger");
  if (machine.tunnel !== null) await terminate([machine.tunnel]);
  const again = async () => ![before, ""].includes(await bootId());
  if (!(await eventually(again, VM_BOOT_TIMEOUT_MS))) throw new Error("the machine did not come back");
  await connect(machine);
}

/** Inside another virtual machine KVM may be there and not work: the guest's kernel then says nothing at all. */
async function startQemu(dir: string, disk: VmDisk): Promise<ProcessId> {
  const console = join(dir, "console");
  const start = (kvm: boolean) =>
    startDaemon("qemu", programPath("nice") ?? "nice", ["-n", "5", ...qemuCommand(disk, kvm)], console);
  if (hasKvm()) {
    const fast = start(true);
    const speaks = () => readFileSync(console, "utf8").includes("Linux version");
    if ((await eventually(() => !isAlive(fast) || speaks(), VM_FIRST_WORD_TIMEOUT_MS)) && isAlive(fast)) return fast;
    await terminate([fast], 0);
  }
  return start(false);
}

function qemuCommand(disk: VmDisk, kvm: boolean): string[] {
  return [
    ...[programPath("qemu-system-x86_64") ?? "qemu-system-x86_64", "-display", "none", "-serial", "stdio"],
    ...(kvm ? ["-enable-kvm", "-cpu", "host,arch-capabilities=off"] : ["-cpu", "max"]),
    ...["-m", "1536", "-smp", "1", "-kernel", disk.kernel, "-initrd", disk.initrd],
    ...["-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 systemd.show_status=0 apparmor=0"],
    ...["-drive", `file=${disk.image},format=raw,if=virtio`],
    ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${PORT}-:22`, "-device", "virtio-net-pci,netdev=net"],
  ];
}

function hasKvm(): boolean {
  try {
    accessSync("/dev/kvm", constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function ssh(machine: Machine, command: string) {
  return attempt("ssh", [...sshOptions(machine), "root@127.0.0.1", command]);
}

function sshOptions({ dir, disk }: Machine): string[] {
  const options = [
    ...["BatchMode=yes", "StrictHostKeyChecking=yes", `UserKnownHostsFile=${join(dir, "known_hosts")}`],
    ...["ConnectTimeout=30", "ServerAliveInterval=15", "LogLevel=ERROR", `ControlPath=${join(dir, "control")}`],
  ];
  return ["-F", "none", "-p", String(PORT), "-i", disk.identityFile, ...options.flatMap((option) => ["-o", option])];
}

function socketOf({ dir }: Machine): string {
  return join(dir, "docker.sock");
}

function clientOf(machine: Machine): string[] {
  return ["-H", `unix://${socketOf(machine)}`];
}

function labOf(machine: Machine): Lab {
  const { disk, dir } = machine;
  const docker = (...args: string[]) =>
    run("docker", [...clientOf(machine), ...args], { timeoutMs: VM_COMMAND_TIMEOUT_MS });
  const host = (...command: string[]) =>
    run("ssh", [...sshOptions(machine), "root@127.0.0.1", command.map(quoted).join(" ")], {
      timeoutMs: VM_COMMAND_TIMEOUT_MS,
    });
  const oneSshd = () => Promise.reject(new Error("the machine has one sshd of its own"));
  return {
    name: "vm",
    dir,
    dockerSocket: SOCKET,
    ssh: {
      ...{ host: "127.0.0.1", port: PORT, user: "ops", hostKey: disk.hostPublicKey },
      ...{ identityFile: disk.identityFile, strangerIdentityFile: disk.identityFile },
    },
    docker,
    patience: VM_PATIENCE,
    host,
    get: async (url) => {
      const answer = await host("curl", "-s", "-m", "20", "-w", "\n%{http_code}", url).catch(() => null);
      const at = answer?.lastIndexOf("\n") ?? -1;
      return answer === null ? null : { status: Number(answer.slice(at + 1)), body: answer.slice(0, at) };
    },
    reboot: (how) => reboot(machine, how),
    run: async ({ name, args = [], command }) =>
      (await docker("run", "--detach", "--name", name, ...args, LAB_IMAGE, ...command)).trim(),
    startSshd: oneSshd,
    stopSshd: oneSshd,
    stop: () => powerOff(machine),
  };
}

/** For the guest's shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

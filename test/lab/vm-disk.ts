import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { aptMirror, programPath, release } from "./apt.ts";
import { cacheDir } from "./image-root.ts";
import { ensureImage } from "./images.ts";
import { BOOTSTRAP_TIMEOUT_MS, ENGINE_START_TIMEOUT_MS, IMPORT_TIMEOUT_MS } from "./limits.ts";
import { attempt, eventually, familyOf, run, startDaemon, terminate } from "./processes.ts";

export interface VmDisk {
  image: string;
  kernel: string;
  initrd: string;
  identityFile: string;
  /** The guest's own public key, as `known_hosts` holds it after the address. */
  hostPublicKey: string;
}

/** What the guest has: systemd, the engine, sshd, and what the host setup in `manifests/host-setup` asks for. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "dbus", "udev", "kmod", "linux-image-cloud-amd64", "initramfs-tools"],
  ...[
    "docker.io",
    "apparmor",
    "openssh-server",
    "sudo",
    "haproxy",
    "procps",
    "iproute2",
    "iptables",
    "curl",
    "python3",
  ],
];

/** The guest's address in QEMU's user network, and its name server: nothing outside can be asked. */
const ADDRESS = "10.0.2.15";

/**
 * The disk of the lab's machine, built on first use (some minutes). It is used in place: what a run leaves stays. Remove
 * its folder to have it built anew.
 */
export async function ensureDisk(log: (line: string) => void): Promise<VmDisk> {
  const folder = join(cacheDir(), "vm");
  const disk = {
    image: join(folder, "disk.img"),
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd"),
    identityFile: join(folder, "id_ed25519"),
  };
  if (!existsSync(disk.image)) await build(folder, disk, log);
  return { ...disk, hostPublicKey: (await readFile(join(folder, "host_key.pub"), "utf8")).trim() };
}

async function build(folder: string, disk: Omit<VmDisk, "hostPublicKey">, log: (line: string) => void): Promise<void> {
  const system = release();
  if (system?.id !== "debian") throw new Error("the machine is built with debootstrap, which needs Debian here");
  const root = join(folder, "root");
  mkdirSync(folder, { recursive: true });
  rmSync(root, { recursive: true, force: true });
  log("building the machine's disk with debootstrap (some minutes, once)");
  const from = await aptMirror(system.codename);
  const args = ["--variant=minbase", `--include=${PACKAGES.join(",")}`, system.codename, root, from];
  try {
    await run(programPath("debootstrap") ?? "debootstrap", args, { timeoutMs: BOOTSTRAP_TIMEOUT_MS });
    await settle(root, folder, disk.identityFile);
    await fillEngine(root, log);
    const boot = readdirSync(join(root, "boot"));
    const named = (prefix: string) => join(root, "boot", boot.find((name) => name.startsWith(prefix)) ?? prefix);
    await copyFile(named("vmlinuz-"), disk.kernel);
    await copyFile(named("initrd.img-"), disk.initrd);
    await copyFile(join(root, "etc/ssh/ssh_host_ed25519_key.pub"), join(folder, "host_key.pub"));
    const draft = `${disk.image}.draft`;
    await run("mkfs.ext4", ["-q", "-F", "-d", root, draft, "8G"], { timeoutMs: IMPORT_TIMEOUT_MS });
    renameSync(draft, disk.image);
  } finally {
    await attempt("umount", ["--recursive", "--lazy", root]);
    for (const mount of ["proc", "sys"]) await attempt("umount", ["--recursive", "--lazy", join(root, mount)]);
    rmSync(root, { recursive: true, force: true });
  }
}

/** Settings of the guest: its address, who may log in, what starts. */
async function settle(root: string, folder: string, identityFile: string): Promise<void> {
  const write = (path: string, lines: string[], mode = 0o644) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), `${lines.join("\n")}\n`, { mode });
  };
  write("etc/hostname", ["prod-1"]);
  write("etc/hosts", ["127.0.0.1 localhost prod-1"]);
  write("etc/resolv.conf", [`nameserver ${ADDRESS}`]);
  write("etc/fstab", ["/dev/vda / ext4 errors=remount-ro 0 1"]);
  write("etc/systemd/network/10-eth0.network", ["[Match]", "Name=eth0", "[Network]", `Address=${ADDRESS}/24`]);
  // Opening a session of systemd for each login takes an emulated processor many seconds.
  write("etc/ssh/sshd_config.d/lab.conf", ["UsePAM no", "UseDNS no"]);
  write("etc/systemd/system/nameserver.service", [
    ...["[Service]", "ExecStart=/usr/bin/python3 /usr/local/lib/nameserver.py", "Restart=always"],
    ...["[Install]", "WantedBy=multi-user.target"],
  ]);
  write("usr/local/lib/nameserver.py", NAMESERVER);
  rmSync(identityFile, { force: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "room137 lab", "-f", identityFile]);
  const key = (await readFile(join(folder, "id_ed25519.pub"), "utf8")).trim();
  const inside = (...command: string[]) => run("chroot", [root, ...command]);
  await inside("useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", "ops");
  await inside("usermod", "--append", "--groups", "docker,systemd-journal", "ops");
  write("root/.ssh/authorized_keys", [key], 0o600);
  write("home/ops/.ssh/authorized_keys", [key]);
  await inside("systemctl", "enable", "systemd-networkd", "docker", "ssh", "nameserver");
  await inside("systemctl", "mask", "haproxy", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer");
  for (const path of ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"])
    rmSync(join(root, path), { recursive: true, force: true });
}

/** The lab's image goes in here, by the guest's own engine on this machine's kernel: the guest may be slow. */
async function fillEngine(root: string, log: (line: string) => void): Promise<void> {
  // The engine unpacks layers behind a root of its own, which needs a mount point to start from.
  await run("mount", ["--bind", root, root]);
  await run("mount", ["-t", "proc", "proc", join(root, "proc")]);
  await run("mount", ["--rbind", "/sys", join(root, "sys")]);
  await run("mount", ["--make-rslave", join(root, "sys")]);
  const socket = join(root, "run/docker.sock");
  const command = [root, "dockerd", "--host=unix:///run/docker.sock", "--bridge=none", "--iptables=false"];
  const engine = startDaemon("dockerd", "chroot", command, join(root, "var/log/dockerd.log"));
  try {
    const answers = async () => (await attempt("docker", ["-H", `unix://${socket}`, "version"])).code === 0;
    if (!(await eventually(answers, ENGINE_START_TIMEOUT_MS))) throw new Error(`the engine did not start in ${root}`);
    await ensureImage(socket, log);
  } finally {
    await terminate(familyOf([engine]));
  }
  for (const path of ["run", "var/lib/docker/network"]) {
    rmSync(join(root, path), { recursive: true, force: true });
    mkdirSync(join(root, path), { recursive: true });
  }
}

/** Answers every question with "no such name", as the lab's own name server does. */
const NAMESERVER = [
  "import socket",
  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
  's.bind(("0.0.0.0", 53))',
  "while True:",
  "    q, who = s.recvfrom(4096)",
  '    s.sendto(q[:2] + b"\\x81\\x83" + q[4:6] + bytes(6) + q[12:], who)',
];

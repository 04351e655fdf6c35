import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { aptMirror, programPath, release } from "./apt.ts";
import { APT_TIMEOUT_MS, BOOTSTRAP_TIMEOUT_MS, IMPORT_TIMEOUT_MS, PULL_TIMEOUT_MS } from "./limits.ts";
import { withLock } from "./locks.ts";
import { attempt, run } from "./processes.ts";

const PACKAGES = [
  "postgresql",
  "python3",
  "python3-psycopg2",
  "python3-redis",
  "redis-server",
  "nginx-light",
  "procps",
  "iproute2",
  "iptables",
  "openssl",
  "socat",
  "curl",
];

/** What a container never reads. LLVM is PostgreSQL's just-in-time compiler, a third of the image, and switched off. */
const REMOVED = [
  "var/cache/apt",
  "var/lib/apt/lists",
  "var/cache/debconf",
  "var/lib/postgresql",
  "usr/share/doc",
  "usr/share/man",
  "usr/share/info",
  "usr/share/locale",
  "usr/share/i18n",
];
const REMOVED_PATTERNS = [
  { folder: "usr/lib/x86_64-linux-gnu", name: /^libLLVM/ },
  { folder: "usr/lib/aarch64-linux-gnu", name: /^libLLVM/ },
  { folder: "var/log", name: /\.log$/ },
];

type System = NonNullable<ReturnType<typeof release>>;

/**
 * Path of the packed root file system that the lab's image is imported from; built on first use, for about a minute, by
 * one process at a time. Its base comes from a registry when one answers the engine, else from debootstrap.
 */
export async function imageRoot(dockerSocket: string, log: (line: string) => void): Promise<string> {
  const system = release();
  if (system === null) throw new Error("the image is built with debootstrap, which needs Debian or Ubuntu");
  const own = ownBase();
  const recipe = JSON.stringify({
    system,
    PACKAGES,
    REMOVED,
    arch: process.arch,
    layout: 1,
    ...(own === null ? {} : { own }),
  });
  const file = join(cacheDir(), `root-${sha256(recipe)}.tar`);
  mkdirSync(cacheDir(), { recursive: true });
  return withLock(`${file}.lock`, async () => {
    if (await isReadableTar(file)) return file;
    await buildRoot(file, async (folder) => {
      if (await fillFromRegistry(dockerSocket, own ?? `${system.id}:${system.codename}`, folder, log)) return;
      log("building the image root with debootstrap (about a minute, once)");
      await fillFromMirror(folder, system);
    });
    return file;
  });
}

async function buildRoot(file: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const folder = `${file}.building`;
  const packed = `${file}.packing`;
  rmSync(folder, { recursive: true, force: true });
  try {
    await fill(folder);
    slim(folder);
    await run("tar", ["-C", folder, "--numeric-owner", "-cf", packed, "."], { timeoutMs: IMPORT_TIMEOUT_MS });
    renameSync(packed, file);
  } finally {
    // A broken debootstrap leaves proc mounted in its root, and a removal through that mount would be a bad surprise.
    await attempt("umount", ["-l", `${folder}/proc`]);
    await attempt("umount", ["-l", `${folder}/sys`]);
    rmSync(folder, { recursive: true, force: true });
    rmSync(packed, { force: true });
  }
}

/**
 * Pulls the base, installs the packages in a container of it and unpacks that. False, with the reason told, where no
 * registry answers or the base cannot install from here. The container has the machine's network: the lab's own bridge
 * leads nowhere.
 */
async function fillFromRegistry(
  dockerSocket: string,
  base: string,
  folder: string,
  log: (line: string) => void,
): Promise<boolean> {
  const container = `room137-image-root-${process.pid}`;
  const docker = (timeoutMs: number, ...args: string[]) =>
    run("docker", ["-H", `unix://${dockerSocket}`, ...args], { timeoutMs });
  try {
    await docker(PULL_TIMEOUT_MS, "pull", "--quiet", base);
    log(`building the image root from ${base} (about a minute, once)`);
    const install = 'apt-get -q update && exec apt-get -q -y --no-install-recommends install "$@"';
    const network = ["--network", "host", "--env", "DEBIAN_FRONTEND=noninteractive"];
    const command = ["sh", "-c", install, "install", ...PACKAGES];
    await docker(APT_TIMEOUT_MS, "run", "--name", container, ...network, base, ...command);
    mkdirSync(folder, { recursive: true });
    await docker(IMPORT_TIMEOUT_MS, "export", "--output", `${folder}.exported`, container);
    await run("tar", ["-C", folder, "--numeric-owner", "-xf", `${folder}.exported`], { timeoutMs: IMPORT_TIMEOUT_MS });
    return true;
  } catch (error) {
    log(`no base image from a registry: ${error instanceof Error ? error.message : error}`);
    rmSync(folder, { recursive: true, force: true });
    return false;
  } finally {
    rmSync(`${folder}.exported`, { force: true });
    await attempt("docker", ["-H", `unix://${dockerSocket}`, "rm", "--force", container]);
  }
}

async function fillFromMirror(folder: string, system: System): Promise<void> {
  const components = system.id === "ubuntu" ? ["--components=main,universe"] : [];
  const args = ["--variant=minbase", ...components, `--include=${PACKAGES.join(",")}`, system.codename, folder];
  const debootstrap = programPath("debootstrap") ?? "debootstrap";
  await run(debootstrap, [...args, await aptMirror(system.codename)], {
    timeoutMs: BOOTSTRAP_TIMEOUT_MS,
    env: { PATH: `/usr/sbin:/sbin:${process.env["PATH"] ?? "/usr/bin:/bin"}` },
  });
}

function slim(folder: string): void {
  for (const path of REMOVED) rmSync(join(folder, path), { recursive: true, force: true });
  for (const { folder: sub, name } of REMOVED_PATTERNS) {
    for (const entry of listOf(join(folder, sub)))
      if (name.test(entry)) rmSync(join(folder, sub, entry), { force: true });
  }
  // apt and dpkg expect these to exist when somebody installs one more package in a container.
  for (const path of ["var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/lib/postgresql"]) {
    mkdirSync(join(folder, path), { recursive: true });
  }
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A file cut short by a full disk or a pulled plug must be built again, not imported. */
async function isReadableTar(file: string): Promise<boolean> {
  return (await attempt("tar", ["-tf", file, "./etc/os-release", "./usr/bin/python3"])).code === 0;
}

/** The base image a machine with a registry or a mirror of its own names; it must be able to `apt-get install`. */
function ownBase(): string | null {
  return process.env["ROOM137_LAB_BASE"] || null;
}

export function cacheDir(): string {
  const own = process.env["ROOM137_LAB_CACHE"];
  if (own !== undefined && own !== "") return own;
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "room137-lab");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

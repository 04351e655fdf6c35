import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { aptMirror, programPath, release } from "./apt.ts";
import { BOOTSTRAP_TIMEOUT_MS, IMPORT_TIMEOUT_MS } from "./limits.ts";
import { withLock } from "./locks.ts";
import { attempt, run } from "./processes.ts";

export const LAB_IMAGE = "room137/lab:latest";

const APPS = join(import.meta.dirname, "apps");

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

/** Gives the engine the lab's image: the cached root file system plus the programs in `apps`, as one layer more. */
export async function ensureImage(
  docker: (...args: string[]) => Promise<string>,
  log: (line: string) => void,
): Promise<void> {
  const root = await cachedRoot(log);
  const version = appsHash();
  const known = (
    await docker("image", "ls", "--quiet", "--filter", `label=room137.lab.apps=${version}`, LAB_IMAGE)
  ).trim();
  if (known !== "") return;
  log("importing the image");
  const base = (await docker("import", root)).trim();
  const container = (await docker("create", base, "/bin/true")).trim();
  try {
    await docker("cp", `${APPS}/.`, `${container}:/opt/lab`);
    const env = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1";
    const label = `LABEL room137.lab.apps=${version}`;
    await docker("commit", "--change", env, "--change", label, "--change", "CMD []", container, LAB_IMAGE);
  } finally {
    await docker("rm", "--force", container);
  }
}

/** Path of the packed root file system; built on first use, for about a minute, by one process at a time. */
async function cachedRoot(log: (line: string) => void): Promise<string> {
  const system = release();
  if (system === null) throw new Error("the image is built with debootstrap, which needs Debian or Ubuntu");
  const recipe = JSON.stringify({
    system,
    PACKAGES,
    REMOVED,
    arch: process.arch,
    layout: 1,
  });
  const file = join(cacheDir(), `root-${sha256(recipe)}.tar`);
  mkdirSync(cacheDir(), { recursive: true });
  return withLock(`${file}.lock`, async () => {
    if (await isReadableTar(file)) return file;
    log("building the image root with debootstrap (about a minute, once)");
    await buildRoot(file, system);
    return file;
  });
}

async function buildRoot(file: string, system: { id: "debian" | "ubuntu"; codename: string }): Promise<void> {
  const folder = `${file}.building`;
  const packed = `${file}.packing`;
  rmSync(folder, { recursive: true, force: true });
  try {
    const components = system.id === "ubuntu" ? ["--components=main,universe"] : [];
    const args = ["--variant=minbase", ...components, `--include=${PACKAGES.join(",")}`, system.codename, folder];
    const debootstrap = programPath("debootstrap") ?? "debootstrap";
    const path = {
      env: {
        PATH: `/usr/sbin:/sbin:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
      },
    };
    await run(debootstrap, [...args, await aptMirror(system.codename)], {
      timeoutMs: BOOTSTRAP_TIMEOUT_MS,
      ...path,
    });
    slim(folder);
    await run("tar", ["-C", folder, "--numeric-owner", "-cf", packed, "."], {
      timeoutMs: IMPORT_TIMEOUT_MS,
    });
    renameSync(packed, file);
  } finally {
    // A broken debootstrap leaves proc mounted in its root, and a removal through that mount would be a bad surprise.
    await attempt("umount", ["-l", `${folder}/proc`]);
    await attempt("umount", ["-l", `${folder}/sys`]);
    rmSync(folder, { recursive: true, force: true });
    rmSync(packed, { force: true });
  }
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

function cacheDir(): string {
  const own = process.env["ROOM137_LAB_CACHE"];
  if (own !== undefined && own !== "") return own;
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "room137-lab");
}

function appsHash(): string {
  const entries = readdirSync(APPS, { withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
  return sha256(files.map((name) => `${name}\n${readFileSync(join(APPS, name), "utf8")}`).join("\n"));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { APT_TIMEOUT_MS } from "./limits.ts";
import { attempt, run } from "./processes.ts";

/** The programs of a private engine, and the Debian package that brings each. */
const ENGINE_PROGRAMS: Record<string, string> = { dockerd: "docker.io", containerd: "docker.io" };

/** The programs every lab stands on. */
const PROGRAMS: Record<string, string> = {
  docker: "docker.io",
  sshd: "openssh-server",
  "ssh-keygen": "openssh-client",
  debootstrap: "debootstrap",
  ip: "iproute2",
  iptables: "iptables",
};

const SEARCH_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The full path of a program, or null. sbin is searched too, whatever the caller's PATH says; sshd needs a full path. */
export function programPath(name: string): string | null {
  return SEARCH_PATH.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? null;
}

/** The release this machine runs, or null where it is neither Debian nor Ubuntu. */
export function release(): {
  id: "debian" | "ubuntu";
  codename: string;
} | null {
  if (!existsSync("/etc/os-release")) return null;
  const fields = new Map(
    readFileSync("/etc/os-release", "utf8")
      .split("\n")
      .map((line) => line.split("=", 2).map((part) => part.replaceAll('"', "")) as [string, string]),
  );
  const id = fields.get("ID");
  const codename = fields.get("VERSION_CODENAME");
  if ((id !== "debian" && id !== "ubuntu") || codename === undefined) return null;
  return { id, codename };
}

/** Debian packages to install. Beside an engine that is there, another one's packages would only conflict. */
export function missingPackages(needsEngine: boolean): string[] {
  const programs = Object.entries(needsEngine ? { ...PROGRAMS, ...ENGINE_PROGRAMS } : PROGRAMS);
  return [...new Set(programs.filter(([program]) => programPath(program) === null).map(([, name]) => name))];
}

/** Installs Debian packages by name; only on a machine that is ours to change, as root. */
export async function installPackages(packages: readonly string[], log: (line: string) => void): Promise<void> {
  log(`installing ${packages.join(", ")}`);
  const options = { timeoutMs: APT_TIMEOUT_MS, env: { DEBIAN_FRONTEND: "noninteractive" } };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", [...wait, "-q", "update"], options);
  await withoutServices(() =>
    run("apt-get", [...wait, "-q", "-y", "--no-install-recommends", "install", ...packages], options),
  );
}

export async function ensurePackages(needsEngine: boolean, log: (line: string) => void): Promise<void> {
  await install(missingPackages(needsEngine), log);
  const left = missingPackages(needsEngine);
  if (left.length > 0) throw new Error(`still missing after apt-get install: ${left.join(", ")}`);
}

/** For what one test needs besides: programs, and the Debian package that brings each. */
export async function ensurePrograms(programs: Record<string, string>, log: (line: string) => void): Promise<void> {
  const missing = () => Object.entries(programs).filter(([program]) => programPath(program) === null);
  await install([...new Set(missing().map(([, name]) => name))], log);
  if (missing().length > 0) throw new Error(`still missing after apt-get install: ${missing().join(", ")}`);
}

async function install(packages: string[], log: (line: string) => void): Promise<void> {
  if (packages.length === 0) return;
  log(`installing ${packages.join(", ")}`);
  const options = { timeoutMs: APT_TIMEOUT_MS, env: { DEBIAN_FRONTEND: "noninteractive" } };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", [...wait, "-q", "update"], options);
  await withoutServices(() =>
    run("apt-get", [...wait, "-q", "-y", "--no-install-recommends", "install", ...packages], options),
  );
}

const SERVICE_POLICY = "/usr/sbin/policy-rc.d";

/** Debian starts a service as it is installed unless this file says 101; the lab runs its own dockerd and sshd. */
async function withoutServices(work: () => Promise<unknown>): Promise<void> {
  const isOurs = !existsSync(SERVICE_POLICY);
  if (isOurs) writeFileSync(SERVICE_POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs) rmSync(SERVICE_POLICY, { force: true });
  }
}

/** The mirror this machine's apt uses for its own release. apt itself reads both forms of its source lists. */
export async function aptMirror(codename: string): Promise<string> {
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const targets = await attempt("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  for (const line of targets.stdout.split("\n")) {
    const [uri, suite, component] = line.split("|");
    if (uri !== undefined && suite === codename && component === "main") return uri;
  }
  throw new Error(`apt has no source for ${codename} main; add one, then try again`);
}

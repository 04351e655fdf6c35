import { existsSync, readFileSync } from "node:fs";
import { APT_TIMEOUT_MS } from "./limits.ts";
import { attempt, run } from "./processes.ts";

/** The system's programs the lab stands on, and the Debian package that brings each. */
const PROGRAMS: Record<string, string> = {
  dockerd: "docker.io",
  docker: "docker.io",
  containerd: "docker.io",
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
export function release(): { id: "debian" | "ubuntu"; codename: string } | null {
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

export function missingPackages(): string[] {
  const missing = Object.keys(PROGRAMS).filter((program) => programPath(program) === null);
  return [...new Set(missing.map((program) => PROGRAMS[program] as string))];
}

/** Installs what is missing. A distribution's own service is kept from starting: the lab runs its own daemons. */
export async function ensurePackages(log: (line: string) => void): Promise<void> {
  const packages = missingPackages();
  if (packages.length === 0) return;
  log(`installing ${packages.join(", ")}`);
  const options = { timeoutMs: APT_TIMEOUT_MS, env: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" } };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", [...wait, "-q", "update"], options);
  await run("apt-get", [...wait, "-q", "-y", "--no-install-recommends", "install", ...packages], options);
  const left = missingPackages();
  if (left.length > 0) throw new Error(`still missing after apt-get install: ${left.join(", ")}`);
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

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { programPath } from "./apt.ts";
import { SSHD_START_TIMEOUT_MS } from "./limits.ts";
import { attempt, eventually, isAlive, type ProcessId, run, startDaemon } from "./processes.ts";

export interface SshLogin {
  host: string;
  port: number;
  user: string;
  identityFile: string;
  /** Fingerprint of the server's key, as OpenSSH prints it: `SHA256:…`. */
  hostKey: string;
  /** A key of the same kind that this server does not accept. */
  strangerIdentityFile: string;
}

export interface SshdOptions {
  /** "none" forbids TCP and Unix socket forwarding, so that only running commands is left. */
  forwarding?: "all" | "none";
  /** root, or a user of this machine made for the lab: no password, no group, no right to the Docker socket. */
  user?: "root" | "unprivileged";
  /** sshd's MaxSessions: commands that may run at once on one connection. */
  maxSessions?: number;
  /** The port of an sshd that was ended, to come back with another host key. A free one otherwise. */
  port?: number;
  /** A folder whose programs its sessions find before the system's. */
  programs?: string;
}

export interface Sshd extends SshLogin {
  process: ProcessId;
}

/** Starts one more sshd on a loopback port with a host key of its own. `unprivilegedUser` is asked for when needed. */
export async function startSshd(
  dir: string,
  name: string,
  options: SshdOptions,
  unprivilegedUser: () => Promise<string>,
): Promise<Sshd> {
  const folder = join(dir, "ssh", name);
  mkdirSync(folder, { recursive: true });
  for (const key of ["host_key", "client_key", "stranger_key"]) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", `room137 lab ${key}`, "-f", join(folder, key)]);
  }
  writeFileSync(join(folder, "authorized_keys"), readFileSync(join(folder, "client_key.pub")));
  const user = options.user === "unprivileged" ? await unprivilegedUser() : "root";
  const port = options.port ?? (await freePort());
  const config = join(folder, "sshd_config");
  writeFileSync(
    config,
    sshdConfig({
      folder,
      port,
      user,
      forwarding: options.forwarding ?? "all",
      maxSessions: options.maxSessions ?? 10,
      pam: await isLocked(user),
      programs: options.programs ?? null,
    }),
  );
  // Debian's sshd separates its privileges in this folder and refuses to start without it.
  mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const log = join(folder, "sshd.log");
  const sshd = startDaemon("sshd", programPath("sshd") ?? "/usr/sbin/sshd", ["-D", "-e", "-f", config], log);
  if (!(await eventually(() => !isAlive(sshd) || canConnect(port), SSHD_START_TIMEOUT_MS)) || !isAlive(sshd)) {
    throw new Error(
      `sshd did not start; its log ends with:\n${(await attempt("tail", ["-n", "5", log])).stdout.trim()}`,
    );
  }
  return {
    host: "127.0.0.1",
    port,
    user,
    identityFile: join(folder, "client_key"),
    strangerIdentityFile: join(folder, "stranger_key"),
    hostKey: await fingerprint(join(folder, "host_key.pub")),
    process: sshd,
  };
}

async function fingerprint(publicKeyFile: string): Promise<string> {
  const printed = await run("ssh-keygen", ["-l", "-E", "sha256", "-f", publicKeyFile]);
  return printed.split(" ")[1] ?? "";
}

function sshdConfig(o: {
  folder: string;
  port: number;
  user: string;
  forwarding: "all" | "none";
  maxSessions: number;
  pam: boolean;
  programs: string | null;
}): string {
  const allowed = o.forwarding === "all" ? "yes" : "no";
  const lines = [
    "ListenAddress 127.0.0.1",
    `Port ${o.port}`,
    `HostKey ${o.folder}/host_key`,
    `PidFile ${o.folder}/sshd.pid`,
    `AuthorizedKeysFile ${o.folder}/authorized_keys`,
    `AllowUsers ${o.user}`,
    "PermitRootLogin prohibit-password",
    "AuthenticationMethods publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    // The lab's folder is below /tmp, which everybody may write to.
    "StrictModes no",
    `UsePAM ${o.pam ? "yes" : "no"}`,
    `AllowTcpForwarding ${allowed}`,
    `AllowStreamLocalForwarding ${allowed}`,
    `MaxSessions ${o.maxSessions}`,
    "UseDNS no",
    "PrintMotd no",
    "LogLevel VERBOSE",
    ...(o.programs === null
      ? []
      : [`SetEnv PATH=${o.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Without PAM sshd refuses an account whose password field starts with "!", whatever the key says. */
async function isLocked(user: string): Promise<boolean> {
  const line = (await attempt("getent", ["shadow", user])).stdout;
  return (line.split(":")[1] ?? "").startsWith("!");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Makes the user for `user: "unprivileged"`; its password field is "*": no password fits, and it is not locked. */
export async function addUnprivilegedUser(name: string, dir: string): Promise<void> {
  const home = join(dir, "home");
  if (!existsSync(home)) mkdirSync(home, { recursive: true, mode: 0o755 });
  const args = ["--system", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", "--password", "*", name];
  await run(programPath("useradd") ?? "useradd", args);
}

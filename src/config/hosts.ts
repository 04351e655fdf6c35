import { z } from "zod";
import { lookUpAlias, type SshAlias } from "./ssh-config.ts";

interface HostBase {
  name: string;
  dockerSocket: string;
  /** Null when the config names none: acting then uses `dockerSocket`. */
  remediateDockerSocket: string | null;
  kernelLog: KernelLogWay;
  labels: Record<string, string>;
}

export type KernelLogWay = "auto" | "dmesg" | "sudo-dmesg" | "journalctl" | "sudo-journalctl" | "none";

export interface LocalHostConfig extends HostBase {
  local: true;
}

export interface SshHostConfig extends HostBase {
  local: false;
  /** What is connected to, after `~/.ssh/config`. */
  address: string;
  /** What the config file says, when that was an alias. */
  alias: string | null;
  port: number;
  user: string;
  identityFile: string | null;
  /** ssh-agent socket; only set when no identity file is known. */
  agentSocket: string | null;
  /** Null when left out: acting then uses the reading credential, which the doctor says. */
  remediateIdentityFile: string | null;
  remediateUser: string | null;
  /** `SHA256:…` or a public key line. */
  hostKey: string | null;
  knownHostsFile: string | null;
}

export type HostConfig = LocalHostConfig | SshHostConfig;

const absolutePath = z
  .string()
  .regex(/^(\/|~\/)[A-Za-z0-9_.@+/-]*$/, "must be an absolute path of letters, digits and _ . @ + -");

const hostKeyText = z
  .string()
  .regex(
    /^(SHA256:[A-Za-z0-9+/]{43}=?|(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( .*)?)$/,
    "must be a fingerprint (SHA256: and 43 characters, as `ssh-keygen -lf` prints it) or a whole public key line",
  );

const knownHosts = z.strictObject({ knownHostsFile: absolutePath });

/** One host as written in the file; `/hosts add` uses the same schema. */
export const hostInputSchema = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, "must be letters, digits and _ . -"),
  local: z.boolean().optional(),
  address: z
    .string()
    .regex(/^[A-Za-z0-9_.:%-]+$/, "must be a host name, an address or an alias of ~/.ssh/config")
    .optional(),
  port: z.int().min(1).max(65_535).optional(),
  user: z
    .string()
    .regex(/^[a-zA-Z0-9_][a-zA-Z0-9_.@-]*\$?$/, "must be a user name")
    .optional(),
  identityFile: absolutePath.optional(),
  remediateIdentityFile: absolutePath.optional(),
  remediateUser: z
    .string()
    .regex(/^[a-zA-Z0-9_][a-zA-Z0-9_.@-]*\$?$/, "must be a user name")
    .optional(),
  hostKey: z.union([hostKeyText, knownHosts]).optional(),
  knownHostsFile: absolutePath.optional(),
  dockerSocket: absolutePath.optional(),
  remediateDockerSocket: absolutePath.optional(),
  kernelLog: z.enum(["auto", "dmesg", "sudo-dmesg", "journalctl", "sudo-journalctl", "none"]).default("auto"),
  labels: z.record(z.string(), z.string()).default({}),
});

export type HostInput = z.infer<typeof hostInputSchema>;

export interface HostSurroundings {
  /** Parsed `~/.ssh/config`, empty when there is none. */
  sshConfig: SshAlias[];
  home: string | null;
  /** `~/.ssh/known_hosts`, null when there is none. */
  knownHosts: string | null;
  /** Login name for hosts that name none. */
  userName: string | null;
  agentSocket: string | null;
  /** DOCKER_HOST. */
  dockerHost: string | null;
}

/** What is missing or contradictory in one host, as `path` inside the host and a sentence. */
export interface HostProblem {
  key: string;
  problem: string;
}

const defaultSocket = "/var/run/docker.sock";

/** Fills in `~/.ssh/config`, the agent and `DOCKER_HOST`. Problems instead of a host where something is missing. */
export function resolveHost(input: HostInput, around: HostSurroundings): HostConfig | HostProblem[] {
  const base = {
    name: input.name,
    kernelLog: input.kernelLog,
    labels: input.labels,
    remediateDockerSocket: input.remediateDockerSocket ? expandHome(input.remediateDockerSocket, around) : null,
  };
  if (input.local === true) {
    const strangers = (["address", "port", "user", "identityFile", "hostKey", "remediateIdentityFile"] as const).filter(
      (key) => input[key] !== undefined,
    );
    if (strangers.length > 0) {
      return strangers.map((key) => ({
        key,
        problem: "has no meaning together with `local: true`",
      }));
    }
    const named = input.dockerSocket ? expandHome(input.dockerSocket, around) : null;
    return {
      ...base,
      local: true,
      dockerSocket: named ?? localSocket(around.dockerHost),
    };
  }
  return resolveSshHost(input, base, around);
}

function resolveSshHost(
  input: HostInput,
  base: Pick<HostConfig, "name" | "kernelLog" | "labels" | "remediateDockerSocket">,
  around: HostSurroundings,
): SshHostConfig | HostProblem[] {
  if (!input.address)
    return [
      {
        key: "name",
        problem: "needs an `address`, or `local: true` for this machine",
      },
    ];
  const alias = lookUpAlias(around.sshConfig, input.address);
  const problems: HostProblem[] = [];
  if (alias.proxy) {
    problems.push({
      key: "address",
      problem: `is an alias of ~/.ssh/config that uses ${alias.proxy}, which is not supported: give an address that this machine reaches itself`,
    });
  }
  const user = input.user ?? alias.user ?? around.userName;
  if (!user) problems.push({ key: "name", problem: "needs a `user`" });
  if (input.hostKey !== undefined && input.knownHostsFile !== undefined) {
    problems.push({
      key: "knownHostsFile",
      problem: "and `hostKey` are both given: keep one",
    });
  }
  const path = (file: string | null | undefined) => (file ? expandHome(file, around) : null);
  const identityFile = path(input.identityFile ?? alias.identityFile);
  const knownHostsFile = typeof input.hostKey === "object" ? input.hostKey.knownHostsFile : input.knownHostsFile;
  if (problems.length > 0) return problems;
  return {
    ...base,
    local: false,
    address: alias.hostName ?? input.address,
    alias: alias.hostName ? input.address : null,
    port: input.port ?? alias.port ?? 22,
    user: user as string,
    identityFile,
    agentSocket: identityFile ? null : around.agentSocket,
    remediateIdentityFile: path(input.remediateIdentityFile),
    remediateUser: input.remediateUser ?? null,
    hostKey: typeof input.hostKey === "string" ? input.hostKey : null,
    // Without a key of its own a host is known by what ssh itself has accepted for this user.
    knownHostsFile: path(knownHostsFile) ?? (input.hostKey === undefined ? around.knownHosts : null),
    dockerSocket: path(input.dockerSocket) ?? defaultSocket,
  };
}

function localSocket(dockerHost: string | null): string {
  return dockerHost?.startsWith("unix:///") ? dockerHost.slice("unix://".length) : defaultSocket;
}

function expandHome(path: string, around: HostSurroundings): string {
  return path.startsWith("~/") && around.home ? `${around.home}/${path.slice(2)}` : path;
}

import { readFile } from "node:fs/promises";
import { type Socket, connect as tcpConnect } from "node:net";
import ssh2 from "ssh2";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import {
  fingerprint,
  type HostKey,
  judgeHostKey,
  type KeyPolicy,
  keyType,
  knownHostKeys,
  parseKeyLine,
} from "./known-hosts.ts";
import { dialFailureKind, errorText } from "./link.ts";

/** Where and as whom to log in: the reading or the acting side of one configured host. */
export interface SshTarget {
  host: string;
  address: string;
  alias: string | null;
  port: number;
  user: string;
  identityFile: string | null;
  agentSocket: string | null;
  hostKey: string | null;
  knownHostsFile: string | null;
}

/** What a key type is called when it signs: an ssh-rsa key signs as rsa-sha2-* (RFC 8332). */
const keyFamilies: Record<string, string[]> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

/**
 * Opens one connection: TCP, key exchange, host key check, login.
 * Throws `Fault` host-unreachable, host-key-unknown, host-key-changed or login-refused.
 */
export async function connectSsh(target: SshTarget): Promise<ssh2.Client> {
  const [policy, credential] = await Promise.all([keyPolicy(target), readCredential(target)]);
  if (policy.by !== "fingerprint") {
    const known = policy.by === "keys" ? policy.accepted.flatMap((key) => keyFamilies[key.type] ?? []) : [];
    return logIn(target, policy, credential, known);
  }
  // A fingerprint does not say its key's type, and the server shows one key only: ask for the other types in turn.
  let refused: unknown;
  for (const types of ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]) {
    try {
      return await logIn(target, policy, credential, keyFamilies[types] ?? []);
    } catch (error) {
      // After the first refusal only that one is told: that a server has no key of some type is nobody's news.
      const keyRefused = error instanceof Fault && error.code === "host-key-changed";
      if (refused === undefined && !keyRefused) throw error;
      refused ??= error;
    }
  }
  throw refused;
}

async function keyPolicy(target: SshTarget): Promise<KeyPolicy> {
  if (target.hostKey?.startsWith("SHA256:")) return { by: "fingerprint", fingerprint: target.hostKey };
  if (target.hostKey) {
    const key = parseKeyLine(target.hostKey);
    if (!key)
      throw new Fault("config-invalid", `the hostKey of ${target.host} is not a public key`, keyAdvice(target, null));
    return { by: "keys", accepted: [key], revoked: [] };
  }
  if (!target.knownHostsFile) return { by: "nothing" };
  const text = await readFile(target.knownHostsFile, "utf8").catch((error) => {
    throw new Fault(
      "host-key-unknown",
      `the known hosts of ${target.host} could not be read: ${errorText(error)}`,
      `create ${target.knownHostsFile}, or put the host's key into the config as hostKey`,
    );
  });
  const names = target.alias ? [target.address, target.alias] : [target.address];
  return {
    by: "keys",
    ...knownHostKeys(text, names, target.port),
  };
}

interface Credential {
  privateKey?: Buffer;
  agent?: string;
}

async function readCredential(target: SshTarget): Promise<Credential> {
  const file = target.identityFile;
  if (!file) {
    if (target.agentSocket) return { agent: target.agentSocket };
    throw loginFault(target, "no key is configured and no ssh-agent runs", "set identityFile for this host");
  }
  const privateKey = await readFile(file).catch((error) => {
    throw loginFault(
      target,
      `the key could not be read: ${errorText(error)}`,
      `create ${file}, readable by room137 only`,
    );
  });
  const parsed = ssh2.utils.parseKey(privateKey);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error || !key) {
    if (/passphrase|encrypted/i.test(errorText(key))) {
      throw loginFault(
        target,
        `the key ${file} is protected by a passphrase`,
        `make a key without one for room137 (ssh-keygen -t ed25519 -N "" -f <file>), or load it into ssh-agent and leave identityFile out`,
      );
    }
    throw loginFault(
      target,
      `${file} is not a private key: ${errorText(key)}`,
      "set identityFile to an OpenSSH private key",
    );
  }
  if (!key.isPrivateKey()) throw loginFault(target, `${file} is a public key`, "set identityFile to the private key");
  return { privateKey };
}

async function logIn(
  target: SshTarget,
  policy: KeyPolicy,
  credential: Credential,
  firstKeyTypes: readonly string[],
): Promise<ssh2.Client> {
  const sock = await openTcp(target);
  const client = new ssh2.Client();
  let keyFault: Fault | null = null;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      client.destroy();
      sock.destroy();
      reject(keyFault ?? loginError(target, error));
    };
    client.once("ready", () => resolve(client));
    // Stays for the life of the client: an error event without a listener would end the process.
    client.on("error", fail);
    client.once("close", () => fail(new Error("the server closed the connection during the handshake")));
    client.connect({
      sock,
      username: target.user,
      ...credential,
      readyTimeout: limits.connectTimeoutMs,
      keepaliveInterval: limits.keepaliveIntervalMs,
      algorithms: { serverHostKey: keyOrder(firstKeyTypes) as ssh2.ServerHostKeyAlgorithm[] },
      hostVerifier: (blob: Buffer) => {
        keyFault = keyFaultOf(target, policy, blob);
        return keyFault === null;
      },
    });
  });
}

/** The wanted types first, so that a server with several keys shows the one that is known. */
function keyOrder(first: readonly string[]): string[] {
  return [...new Set([...first, ...Object.values(keyFamilies).flat()])];
}

function openTcp(target: SshTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Without noDelay small requests wait up to 40 ms for Nagle's algorithm and the delayed acknowledgement.
    const sock = tcpConnect({
      host: target.address,
      port: target.port,
      noDelay: true,
    });
    const timer = setTimeout(
      () => sock.destroy(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })),
      limits.connectTimeoutMs,
    );
    sock.once("error", (error) => {
      clearTimeout(timer);
      reject(unreachableFault(target, error));
    });
    sock.once("connect", () => {
      clearTimeout(timer);
      sock.removeAllListeners("error");
      resolve(sock);
    });
  });
}

function unreachableFault(target: SshTarget, error: unknown): Fault {
  const where = `${target.address}:${target.port}`;
  const text = errorText(error);
  const kind = dialFailureKind(text);
  const next =
    kind === "dns"
      ? "check the address in the config"
      : kind === "refused"
        ? "start sshd there (sudo systemctl start ssh), or correct the port in the config"
        : "check that the host is up and that a firewall lets this machine in";
  return new Fault("host-unreachable", `could not connect to ${target.host} at ${where}: ${text}`, next, {
    cause: error,
  });
}

function loginError(target: SshTarget, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const level = (error as { level?: string }).level;
  if (level === "client-authentication" || level === "agent") {
    const which = target.identityFile ? `the key ${target.identityFile}` : "every key of the ssh-agent";
    return loginFault(
      target,
      `the server refused ${which} for user ${target.user}`,
      `append the public key to ~${target.user}/.ssh/authorized_keys on ${target.host}`,
    );
  }
  const text = errorText(error);
  const next = /reset|closed the connection|ended/i.test(text)
    ? "look at sshd's log there; too many connections at once end like this (MaxStartups)"
    : "look at sshd's log there (sudo journalctl -u ssh -n 50)";
  return new Fault(
    "host-unreachable",
    `${target.host} at ${target.address}:${target.port} did not finish the SSH handshake: ${text}`,
    next,
    { cause: error },
  );
}

function loginFault(target: SshTarget, what: string, next: string): Fault {
  return new Fault("login-refused", `could not log in to ${target.host} as ${target.user}: ${what}`, next);
}

function keyFaultOf(target: SshTarget, policy: KeyPolicy, blob: Buffer): Fault | null {
  const seen = `${keyType(blob) ?? "a key of unknown type"} ${fingerprint(blob)}`;
  switch (judgeHostKey(policy, blob)) {
    case "accepted":
      return null;
    case "unknown":
      return new Fault(
        "host-key-unknown",
        `the host key of ${target.host} is not known; it shows ${seen}`,
        keyAdvice(target, fingerprint(blob)),
      );
    case "changed":
      return new Fault(
        "host-key-changed",
        `the host key of ${target.host} is not the expected one (${expected(policy)}); it shows ${seen}`,
        `find out why before anything else: somebody may be in between. If the host was set up anew: ${keyAdvice(target, fingerprint(blob))}`,
      );
    case "revoked":
      return new Fault(
        "host-key-changed",
        `the host key of ${target.host} is marked @revoked in ${target.knownHostsFile}; it shows ${seen}`,
        "give the host a new key; do not connect to it with this one",
      );
  }
}

function expected(policy: KeyPolicy): string {
  switch (policy.by) {
    case "nothing":
      return "none";
    case "fingerprint":
      return policy.fingerprint;
    case "keys":
      return policy.accepted.map((key: HostKey) => fingerprint(key.blob)).join(", ");
  }
}

function keyAdvice(target: SshTarget, seen: string | null): string {
  const value = seen ? `"${seen}"` : "the line that `ssh-keyscan <address>` prints, without the address";
  return `compare with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the host itself, then set hostKey: ${value} for ${target.host}`;
}

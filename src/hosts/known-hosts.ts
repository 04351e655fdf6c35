import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`. */
  type: string;
  blob: Buffer;
}

export type KeyJudgement = "accepted" | "unknown" | "changed" | "revoked";

/** What a host's key must be. */
export type KeyPolicy =
  | { by: "fingerprint"; fingerprint: string }
  | { by: "keys"; accepted: HostKey[]; revoked: HostKey[] }
  | { by: "nothing" };

export function judgeHostKey(policy: KeyPolicy, blob: Buffer): KeyJudgement {
  switch (policy.by) {
    case "nothing":
      return "unknown";
    case "fingerprint":
      return fingerprint(blob) === policy.fingerprint.replace(/=+$/, "") ? "accepted" : "changed";
    case "keys":
      if (policy.revoked.some((key) => key.blob.equals(blob))) return "revoked";
      if (policy.accepted.some((key) => key.blob.equals(blob))) return "accepted";
      return policy.accepted.length === 0 ? "unknown" : "changed";
  }
}

/** As `ssh-keygen -l` prints it: `SHA256:` and base64 without padding. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** The type inside a key blob: a length and a name (RFC 4253, 6.6). Null for bytes that are no key. */
export function keyType(blob: Buffer): string | null {
  if (blob.length < 4) return null;
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 64 || blob.length < 4 + length) return null;
  return blob.toString("latin1", 4, 4 + length);
}

/** A public key line as in `ssh_host_ed25519_key.pub` or an authorized_keys file, comment optional. */
export function parseKeyLine(line: string): HostKey | null {
  const [type, base64] = line.trim().split(/\s+/);
  if (!type || !base64 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return null;
  const blob = Buffer.from(base64, "base64");
  return keyType(blob) === type ? { type, blob } : null;
}

/**
 * The keys a known_hosts text has for a host: plain, wildcard, negated and hashed names, `[host]:port`, `@revoked`
 * (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Certificate authorities are left out: ssh2 cannot check certificates.
 */
export function knownHostKeys(
  text: string,
  names: readonly string[],
  port: number,
): { accepted: HostKey[]; revoked: HostKey[] } {
  const found = { accepted: [] as HostKey[], revoked: [] as HostKey[] };
  const wanted = names.map((name) => (port === 22 ? name : `[${name}]:${port}`).toLowerCase());
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith("@") ? fields.shift() : null;
    const [hosts, ...key] = fields;
    if (!hosts || hosts.startsWith("#") || marker === "@cert-authority") continue;
    const parsed = parseKeyLine(key.join(" "));
    if (!parsed || !wanted.some((name) => namesHost(hosts, name))) continue;
    (marker === "@revoked" ? found.revoked : found.accepted).push(parsed);
  }
  return found;
}

function namesHost(field: string, name: string): boolean {
  if (field.startsWith("|1|")) return hashedNameMatches(field, name);
  let matched = false;
  for (const pattern of field.toLowerCase().split(",")) {
    if (pattern.startsWith("!")) {
      if (wildcard(pattern.slice(1)).test(name)) return false;
    } else if (wildcard(pattern).test(name)) matched = true;
  }
  return matched;
}

function hashedNameMatches(field: string, name: string): boolean {
  const [, , salt, hash] = field.split("|");
  if (!salt || !hash) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** Runs of `*` become one, so a hostile file cannot make the expression slow. */
function wildcard(pattern: string): RegExp {
  const body = pattern
    .replace(/\*+/g, "*")
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${body}$`);
}

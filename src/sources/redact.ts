import { createHash } from "node:crypto";
import type { EnvVar } from "../core/readings.ts";
import { maskKeyBlocks, maskTokens } from "./redact-tokens.ts";

/** What stands where a secret stood. */
export const mask = "[redacted]";

export interface RedactorOptions {
  /** Extra regular expressions of the config; what they match is masked. */
  patterns?: readonly RegExp[];
  /** Secret values known already. */
  literals?: Iterable<string>;
}

/**
 * Masks secrets where text enters. It learns: values found under secret names in an environment are also masked where
 * the same text shows up later, so environments are read before logs.
 */
export interface Redactor {
  text(text: string): string;
  /** Line count is kept, and a private key that spans lines is found. */
  lines(lines: string[]): string[];
  env(name: string, value: string): EnvVar;
  /** A deep copy with every string masked by its name and its content. */
  json(value: unknown): unknown;
  learn(literals: Iterable<string>): void;
}

export function createRedactor(options: RedactorOptions = {}): Redactor {
  const patterns = (options.patterns ?? []).map(asGlobal);
  const literals = new Set<string>();
  const learn = (found: Iterable<string>) => {
    for (const literal of found) if (worthLearning(literal)) literals.add(literal);
  };
  learn(options.literals ?? []);
  const text = (value: string) => maskLiterals(redactText(value, patterns), literals);
  return {
    text,
    learn,
    lines: (lines) => {
      const masked = text(lines.join("\n")).split("\n");
      // Only an extra pattern or a literal with a line break in it can change the number of lines.
      return masked.length === lines.length ? masked : lines.map(text);
    },
    env: (name, value) => {
      const masked = redactEnv(name, value);
      learn(secretsOf(name, value));
      return { ...masked, value: masked.value === value ? text(value) : masked.value };
    },
    json: (value) => redactJson(value, text),
  };
}

/** Masks what looks like a secret. Linear in the length of the text, and masking twice changes nothing. */
export function redactText(text: string, extraPatterns: readonly RegExp[] = []): string {
  let masked = suspicious.test(text) ? maskBuiltIn(text) : text;
  for (const pattern of extraPatterns) masked = masked.replace(asGlobal(pattern), mask);
  return masked;
}

/**
 * Masks one environment variable or label. A value under a secret name is masked whole; where it is an address or a
 * connection string, host, port and path stay, because a diagnosis needs them. The digest is of the true value.
 */
export function redactEnv(name: string, value: string): EnvVar {
  return { name, value: maskedValue(name, value), digest: digestOf(value) };
}

/** Masks strings of a JSON value by the name they stand under (`Env`, `Cmd`, `Labels`, secret names) and by content. */
export function redactJson(value: unknown, text: (value: string) => string = redactText, name = ""): unknown {
  if (typeof value === "string") {
    return isSecretName(name) && value !== "" ? maskedValue(name, value) : text(value);
  }
  if (Array.isArray(value)) return redactArray(value, text, name);
  if (typeof value !== "object" || value === null) return value;
  const masked: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) masked[key] = redactJson(inner, text, key);
  return masked;
}

/** Masks an argument list: also `--password x`, where name and value are two arguments. */
export function redactArguments(args: readonly string[], text: (value: string) => string = redactText): string[] {
  return args.map((argument, index) => {
    const before = args[index - 1];
    const isValue = before !== undefined && secretFlag.test(before) && !before.includes("=");
    return isValue && !argument.startsWith("-") ? mask : text(argument);
  });
}

/** Text that may hold a secret; most lines do not, and one test is cheaper than the whole battery. */
const suspicious =
  /pass|pwd|secret|token|key|cred|auth|cookie|bearer|identified|:\/\/|eyJ|A[KS]IA|xox|xapp-|gh[pousr]_|github_pat|glpat|sk[-_]|AIza|npm_| -[pau]/i;

const secretName =
  /SECRET|PASS|TOKEN|KEY|CREDENTIAL|DSN|PWD|COOKIE|PRIVATE|WEBHOOK|(?:^|[_.-])(?:AUTH|SALT)$|AUTHORIZATION|BASICAUTH/i;
const secretFlag = /^--?[\w-]{0,40}(?:pass|pwd|secret|token|api-?key|auth)[\w-]{0,40}$|^-(?:a)$/i;
const keyWords =
  "passw(?:or)?d|passphrase|(?<![a-z])pass|pgpass|db_?pass|(?<![a-z/])pwd|secret|token(?!s|iz)|credentials?|api[_-]?key|access[_-]?key|" +
  "private[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|account[_-]?key|requirepass|masterauth";
/** The value runs to its closing quote or the end of the line; it needs no closing quote, so nothing is tried twice. */
const quoted = `"(?:\\\\.|[^"\\\\\\n])*|'(?:\\\\.|[^'\\\\\\n])*|\\\\+"[^"\\\\\\n]*`;
const bare = `(?![=>]|\\[redacted)[^\\s,;&"'\\\\<>]+`;
const assigned = new RegExp(
  `((?:${keyWords})[\\w.-]{0,40}(?:\\\\{0,3}["'])?[ \\t]{0,4}(?:=>|:=|[=:])[ \\t]{0,4})(${quoted}|${bare})`,
  "gi",
);
const flagged = new RegExp(
  `((?<![\\w-])--?[\\w-]{0,40}(?:${keyWords})[\\w-]{0,40}[ \\t]{1,4}|(?:requirepass|masterauth)[ \\t]{1,4})(?!-)(${quoted}|${bare})`,
  "gi",
);
const sqlSecret = /((?:password|identified by)[ \t]{1,4}')((?:''|[^'\n])*)/gi;
const shortFlag =
  /(\b(?:mysql(?:dump|admin|check)?|mariadb|sshpass)\b[^\n[]{0,200}?[ \t]-p[ \t]?|\bredis-cli\b[^\n[]{0,200}?[ \t]-a[ \t]{1,4}|\bcurl\b[^\n[]{0,200}?[ \t](?:-u|--user)[ \t]{1,4})(?![\s-]|\[redacted)(\S+)/g;
const headerLine =
  /((?:authorization|(?:set-)?cookie|x-api-key)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?)(?!\[redacted)([^"'\s][^"'\r\n]*)/gi;
/** A port before the first slash is an address, not a password. The bounds keep hostile text linear. */
const urlSecret = /(:\/\/)(?!\[redacted)([^\s/:@"'<>]{0,256}):(?!\d{1,5}(?:[/?#]|$))([^\s@"'<>]{1,256})@/g;

function maskBuiltIn(text: string): string {
  let masked = maskKeyBlocks(text);
  if (masked.includes("://")) masked = masked.replace(urlSecret, `$1${mask}@`);
  masked = masked.replace(headerLine, `$1${mask}`);
  masked = masked.replace(assigned, maskAssigned);
  masked = masked.replace(flagged, maskAssigned);
  masked = masked.replace(sqlSecret, `$1${mask}`);
  masked = masked.replace(shortFlag, `$1${mask}`);
  return maskTokens(masked);
}

/** Keeps the opening quote, so that JSON stays JSON. */
function maskAssigned(_match: string, lead: string, value: string): string {
  const quote = /^\\*["']/.exec(value)?.[0] ?? "";
  return value.length === quote.length ? lead + value : lead + quote + mask;
}

function maskedValue(name: string, value: string): string {
  if (value === "") return value;
  const address = maskAddress(value);
  if (address !== null) return redactText(address);
  if (!isSecretName(name)) return redactText(value);
  if (/_(?:FILE|PATH|DIR)$/i.test(name) && value.startsWith("/")) return value;
  if (/\b(?:host|server|data source)[ \t]?=/i.test(value)) return redactText(value);
  return mask;
}

/** The address without its user and password; null when the value is no address. */
function maskAddress(value: string): string | null {
  const scheme = /^(?:jdbc:)?[a-z][a-z0-9+.-]{0,30}:\/\//i.exec(value)?.[0];
  if (scheme === undefined) {
    const goMysql = /^[^@\s]{1,512}@(?=(?:tcp|unix|udp)?\()/.exec(value)?.[0];
    return goMysql === undefined ? null : `${mask}@${value.slice(goMysql.length)}`;
  }
  const rest = value.slice(scheme.length);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? "";
  // A password with a raw slash moves the at sign behind the first slash.
  const rawSlash = /^[^:]*:(?!\d{0,5}$)/.test(authority) && !authority.includes("[");
  const at = authority.includes("@") || !rawSlash ? authority.lastIndexOf("@") : rest.lastIndexOf("@");
  return at < 0 ? value : `${scheme}${mask}@${rest.slice(at + 1)}`;
}

/** The literal secrets inside a variable: the value under a secret name, and the password of an address. */
function secretsOf(name: string, value: string): string[] {
  const found: string[] = [];
  const password = /:\/\/[^\s/:@]{0,256}:([^\s@]{1,256})@/.exec(value)?.[1];
  if (password !== undefined) found.push(password, decoded(password));
  if (isSecretName(name) && maskedValue(name, value) === mask) found.push(value);
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Short and everyday words are no use as literals: masking `postgres` everywhere would blind the diagnosis. */
function worthLearning(literal: string): boolean {
  return literal.length >= 6 && !everyday.has(literal.toLowerCase()) && !mask.includes(literal);
}

const everyday = new Set(
  (
    "postgres postgresql password mariadb mongodb rabbitmq elastic elasticsearch redis-server database default " +
    "example changeme disabled enabled localhost production development staging testing service public private " +
    "secret string required optional unknown internal external"
  ).split(" "),
);

function maskLiterals(text: string, literals: ReadonlySet<string>): string {
  let masked = text;
  for (const literal of literals) if (masked.includes(literal)) masked = masked.replaceAll(literal, mask);
  return masked;
}

function redactArray(values: unknown[], text: (value: string) => string, name: string): unknown[] {
  const strings = values.every((value) => typeof value === "string");
  if (!strings) return values.map((value) => redactJson(value, text, name));
  if (name === "Env") return values.map((pair) => redactPair(pair, text));
  return redactArguments(values, text);
}

function redactPair(pair: string, text: (value: string) => string): string {
  const at = pair.indexOf("=");
  if (at < 0) return pair;
  const value = maskedValue(pair.slice(0, at), pair.slice(at + 1));
  return `${pair.slice(0, at)}=${value === mask ? value : text(value)}`;
}

function isSecretName(name: string): boolean {
  return name !== "" && secretName.test(name);
}

function digestOf(value: string): string {
  return createHash("sha256").update(value).digest("hex").slice(0, 12);
}

function asGlobal(pattern: RegExp): RegExp {
  return pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`);
}

import { createHash } from "node:crypto";
import {
  type DatabaseConfig,
  databaseConfig,
  type Env,
  isClearText,
  type LogLevel,
  listenConfig,
  logLevel,
  type SlackConfig,
  slackConfig,
  surroundings,
  value,
  wrong,
} from "./config/environment.ts";
import {
  type HostConfig,
  type HostInput,
  type HostSurroundings,
  hostInputSchema,
  resolveHost,
} from "./config/hosts.ts";
import { type ConfigProblem, nearest, problemsOf, readYaml, type YamlText } from "./config/read-yaml.ts";
import { type ConfigFile, fileSchema } from "./config/schema.ts";
import { parseSshConfig } from "./config/ssh-config.ts";
import type { ActionName } from "./core/actions.ts";
import { limits } from "./core/limits.ts";
import { canonicalJson, type Risk } from "./core/plan.ts";

export type { DatabaseConfig, LogLevel, SlackConfig } from "./config/environment.ts";
export type { HostConfig, SshHostConfig } from "./config/hosts.ts";

export interface Config {
  /** The file that was read; null when there was none at the default path. */
  path: string | null;
  slack: SlackConfig;
  database: DatabaseConfig;
  listen: { port: number; address: string };
  logLevel: LogLevel;
  hosts: HostConfig[];
  services: Record<string, ServiceConfig>;
  /** Which hosts a channel may see; a channel that is not here sees all. */
  channels: Record<string, { hosts: string[] }>;
  approvals: ApprovalsConfig;
  policy: PolicyConfig;
  redactionPatterns: string[];
  prometheus: { url: string } | null;
  recorder: { enabled: boolean; retentionMs: number };
  localRoom: { tokens: Record<string, string> };
  /** Lines to print at start: what is unusual about this configuration. */
  notices: string[];
}

export interface ServiceConfig {
  /** Null: wherever a container of that name is found. */
  hosts: string[] | null;
  /** Null: the service's own name. Holds `=` when it is a label selector. */
  container: string | null;
  port: number | null;
  probes: { path: string; expect: number }[];
  dependsOn: string[];
}

export type Verb = "look" | "note" | "approve" | "administer";

export interface ApprovalRule {
  who: string[];
  verbs: Verb[];
  /** Labels a host must all have. */
  hosts: Record<string, string>;
  containers: string[];
  actions: ActionName[];
  deny: boolean;
}

export interface ApprovalsConfig {
  /** User ids and user group ids; empty: nobody may approve. */
  approvers: string[];
  quorum: number;
  quorumByRisk: Record<Risk, number>;
  allowSelfApproval: boolean;
  expiresAfterMs: number;
  requireReason: boolean;
  rules: ApprovalRule[];
  breakGlass: { enabled: boolean; users: string[] };
}

export interface PolicyConfig {
  /** Null: only the share of the host limits. */
  maxMemoryBytes: number | null;
  maxHostMemoryPercent: number;
  protectedContainers: string[];
}

export interface ConfigWorld {
  env: Env;
  /** The text of a file, null when it does not exist. Throws when it cannot be read. */
  readFile(path: string): string | null;
}

/**
 * Reads the environment, the config file and `~/.ssh/config`. No file at the default path means no hosts.
 * Throws `Fault` config-invalid whose message lists every problem as `file:line:column: what`.
 */
export function loadConfig(world: ConfigWorld): Config {
  const { env } = world;
  const asked = value(env, "ROOM137_CONFIG");
  const path = asked ?? "./room137.yaml";
  const text = readText(world, path);
  if (text === null && asked !== null) {
    throw wrong(`the config file ${asked} does not exist`, "correct ROOM137_CONFIG, or unset it to use ./room137.yaml");
  }
  const slack = slackConfig(env);
  const file = parseFile(text ?? "", path, hostSurroundings(world));
  return {
    path: text === null ? null : path,
    slack,
    database: databaseConfig(env),
    listen: listenConfig(env),
    logLevel: logLevel(env),
    ...file,
    notices: notices(slack, file.approvals),
  };
}

/** One host as a person or a form gives it, by the same rules as the file. Problems instead of a host when it is wrong. */
export function parseHost(input: unknown, world: ConfigWorld): HostConfig | string[] {
  const parsed = hostInputSchema.safeParse(input);
  if (!parsed.success) {
    const yaml = readYaml("");
    return problemsOf(hostInputSchema, parsed.error.issues, yaml).map((problem) => problem.message);
  }
  const host = resolveHost(parsed.data, hostSurroundings(world));
  return Array.isArray(host) ? host.map(({ key, problem }) => `${key} ${problem}`) : host;
}

/** Names the rules a plan was judged by: it changes when, and only when, the policy or the approvals change. */
export function policyVersion(config: Pick<Config, "policy" | "approvals">): string {
  const bound = canonicalJson({ policy: config.policy, approvals: config.approvals });
  return createHash("sha256").update(bound).digest("hex");
}

function hostSurroundings(world: ConfigWorld): HostSurroundings {
  const around = surroundings(world.env);
  const text = around.home ? readText(world, `${around.home}/.ssh/config`) : null;
  const knownHosts = around.home ? `${around.home}/.ssh/known_hosts` : null;
  return {
    ...around,
    sshConfig: text === null ? [] : parseSshConfig(text),
    knownHosts: knownHosts !== null && readText(world, knownHosts) !== null ? knownHosts : null,
  };
}

function readText(world: ConfigWorld, path: string): string | null {
  let text: string | null;
  try {
    text = world.readFile(path);
  } catch (error) {
    throw wrong(
      `${path} could not be read: ${(error as Error).message}`,
      "make it readable for the user room137 runs as",
    );
  }
  if (text !== null && text.length > limits.configBytes) {
    throw wrong(`${path} is larger than ${limits.configBytes} bytes`, "check that this is the right file");
  }
  return text;
}

type FileConfig = Omit<Config, "path" | "slack" | "database" | "listen" | "logLevel" | "notices">;

function parseFile(text: string, path: string, around: HostSurroundings): FileConfig {
  const yaml = readYaml(text);
  if (yaml.problems.length > 0) throw invalid(path, yaml.problems);
  const parsed = fileSchema.safeParse(yaml.value, { reportInput: true });
  if (!parsed.success) throw invalid(path, problemsOf(fileSchema, parsed.error.issues, yaml));
  const problems: ConfigProblem[] = [];
  const hosts = parsed.data.hosts.flatMap((input, index) => {
    const host = resolveHost(input as HostInput, around);
    if (!Array.isArray(host)) return [host];
    problems.push(
      ...host.map(({ key, problem }) => ({
        ...yaml.at(["hosts", index], key),
        message: `"${key}" of host ${input.name} ${problem}`,
      })),
    );
    return [];
  });
  problems.push(...crossProblems(parsed.data, yaml));
  if (problems.length > 0) throw invalid(path, problems);
  return assemble(parsed.data, hosts);
}

/** What no single value shows: names given twice, and references to hosts that are not there. */
function crossProblems(file: ConfigFile, yaml: YamlText): ConfigProblem[] {
  const names = file.hosts.map((host) => host.name);
  const twice = file.hosts.flatMap((host, index) =>
    names.indexOf(host.name) < index
      ? [{ ...yaml.at(["hosts", index], "name"), message: `there is already a host called "${host.name}"` }]
      : [],
  );
  const unknownHosts = (section: string, name: string, hosts: readonly string[]) =>
    hosts.flatMap((host, index) => {
      if (names.includes(host)) return [];
      const near = nearest(host, names);
      const hint = near ? `; did you mean "${near}"?` : "";
      return [
        {
          ...yaml.at([section, name, "hosts", index]),
          message: `${section}.${name} names the host "${host}", which is not configured${hint}`,
        },
      ];
    });
  return [
    ...twice,
    ...Object.entries(file.services).flatMap(([name, service]) => unknownHosts("services", name, service.hosts ?? [])),
    ...Object.entries(file.channels).flatMap(([name, channel]) => unknownHosts("channels", name, channel.hosts)),
  ];
}

function assemble(file: ConfigFile, hosts: HostConfig[]): FileConfig {
  const { approvals, policy } = file;
  const services = Object.entries(file.services).map(([name, service]): [string, ServiceConfig] => [
    name,
    {
      hosts: service.hosts ?? null,
      container: service.container ?? null,
      port: service.port ?? null,
      probes: service.probes,
      dependsOn: service.dependsOn,
    },
  ]);
  return {
    hosts,
    services: Object.fromEntries(services),
    channels: file.channels,
    approvals: {
      approvers: approvals.approvers,
      quorum: approvals.quorum,
      quorumByRisk: {
        low: approvals.quorumByRisk.low ?? approvals.quorum,
        medium: approvals.quorumByRisk.medium ?? approvals.quorum,
        high: approvals.quorumByRisk.high ?? approvals.quorum,
      },
      allowSelfApproval: approvals.allowSelfApproval,
      expiresAfterMs: approvals.expiresAfter,
      requireReason: approvals.requireReason,
      rules: approvals.rules,
      breakGlass: approvals.breakGlass,
    },
    policy: {
      maxMemoryBytes: policy.maxMemory ?? null,
      maxHostMemoryPercent: policy.maxHostMemoryPercent,
      protectedContainers: policy.protectedContainers,
    },
    redactionPatterns: file.redaction.patterns,
    prometheus: file.prometheus ?? null,
    recorder: { enabled: file.recorder.enabled, retentionMs: file.recorder.retentionHours * 3_600_000 },
    localRoom: file.localRoom,
  };
}

function invalid(path: string, problems: readonly ConfigProblem[]) {
  const lines = [...problems]
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .map((problem) => `${path}:${problem.line}:${problem.column}: ${problem.message}`);
  return wrong(lines.join("\n"), `correct ${path}; every key is shown in manifests/room137.example.yaml`);
}

function notices(slack: SlackConfig, approvals: ApprovalsConfig): string[] {
  const found: string[] = [];
  if (slack.mode !== "local-room" && slack.apiUrl) {
    const clear = isClearText(slack.apiUrl) ? ", in clear text" : "";
    found.push(`the bot token is sent to ${slack.apiUrl}, which is not Slack's own API (SLACK_API_URL)${clear}`);
  }
  if (approvals.allowSelfApproval) found.push("approvals.allowSelfApproval is on: whoever asks may approve alone");
  if (approvals.breakGlass.enabled) found.push("approvals.breakGlass is enabled");
  return found;
}

import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { type Commands, exitCode, type Terminal } from "./cli.ts";
import { type Config, type ConfigWorld, loadConfig } from "./config.ts";
import type { Symptom } from "./core/diagnosis.ts";
import { hazardsOf, type Level } from "./core/guardrails/hazards.ts";
import { limits } from "./core/limits.ts";
import { replay } from "./core/replay.ts";
import { Fault, isRefusal } from "./core/result.ts";
import { checkHost } from "./hosts/doctor.ts";
import type { Log, Metrics, Store } from "./ports.ts";
import { assembleParts, assembleRoom, type Parts, systemClock } from "./program.ts";
import { exporters } from "./render/exports.ts";
import { diagnosisText, type TerminalStyle } from "./render/terminal.ts";
import { guardrailsText, hostCheckText, hostsText, kernelLogText } from "./render/terminal-hosts.ts";
import { surveyHosts } from "./room/survey.ts";
import { parseComposeFile } from "./sources/compose-file.ts";
import { toKernelLogJson } from "./sources/kernel-log/json.ts";
import { parseKernelLog } from "./sources/kernel-log/parse.ts";
import { openStore } from "./store/store.ts";

interface CommandDeps {
  world: ConfigWorld;
  terminal: Terminal;
  style: TerminalStyle;
  stdin: NodeJS.ReadableStream;
  start(): Promise<number>;
  drill(): Promise<number>;
}

const quietLog: Log = { info() {}, warn() {}, error() {} };
const noMetrics: Metrics = { count() {} };

/** The terminal's commands. JSON goes to stdout alone; everything a person should know besides goes to stderr. */
export function createCommands(deps: CommandDeps): Commands {
  return {
    start: deps.start,
    drill: deps.drill,
    doctor: (json) => doctor(deps, json),
    why: (service, symptom, host, json) => why(deps, service, symptom, host, json),
    hostsList: (json) => hostsList(deps, json),
    hostsCheck: (host, json) => hostsCheck(deps, host, json),
    guardrails: (host, json) => guardrails(deps, host, json),
    lint: (files, json) => lint(deps, files, json),
    timelineList: (json) => timelineList(deps, json),
    timelineExport: (incident, format) => timelineExport(deps, incident, format),
    auditVerify: (noted, json) => auditVerify(deps, noted, json),
    kernelLog: (file, json) => kernelLog(deps, file, json),
  };
}

/** The configuration; where it names no host, this machine's engine stands in. */
export function configured(world: ConfigWorld, complain: (line: string) => void): Config {
  const config = loadConfig(world);
  if (config.hosts.length > 0) return config;
  const socket = world.env["DOCKER_HOST"]?.replace(/^unix:\/\//, "") ?? "/var/run/docker.sock";
  if (!socket.startsWith("/")) return config;
  complain(`no host is configured, so this machine's engine is used as host "local" (${socket})`);
  return {
    ...config,
    hosts: [
      { name: "local", local: true, dockerSocket: socket, remediateDockerSocket: null, kernelLog: "auto", labels: {} },
    ],
  };
}

async function withParts<T>(deps: CommandDeps, use: (parts: Parts) => Promise<T>): Promise<T> {
  return closing(assembleParts(configured(deps.world, deps.terminal.complain)), use);
}

async function closing<T>(parts: Parts, use: (parts: Parts) => Promise<T>): Promise<T> {
  try {
    return await use(parts);
  } finally {
    await parts.hosts.close();
  }
}

/** For what is only about records: hosts are not asked, so none needs to be configured. */
function withStore<T>(deps: CommandDeps, use: (store: Store, parts: Parts) => Promise<T>): Promise<T> {
  return closing(assembleParts(loadConfig(deps.world)), async (parts) => {
    const store = await openStore(storeUrl(parts.config), { clock: systemClock });
    try {
      return await use(store, parts);
    } finally {
      await store.close();
    }
  });
}

export function storeUrl({ database }: Pick<Config, "database">): string {
  return database.kind === "postgres" ? database.url : `file:${database.path}`;
}

function why(
  deps: CommandDeps,
  service: string,
  symptom: Symptom,
  host: string | null,
  json: boolean,
): Promise<number> {
  return withParts(deps, async (parts) => {
    requireHost(parts, host);
    if (service.trim() === "")
      throw new Fault("config-invalid", "no service was named", "name a container or a compose service");
    const store = await openStore("file::memory:", { clock: systemClock });
    const room = assembleRoom(parts, {
      store,
      world: deps.world,
      log: quietLog,
      metrics: noMetrics,
      version: deps.terminal.version,
    });
    const report = await room.answer({
      service,
      symptom,
      host,
      by: { userId: null },
      place: null,
      command: `${symptom === "http-500" ? "why-500" : "why"} ${service}`,
    });
    deps.terminal.print(json ? JSON.stringify(report, null, 2) : diagnosisText(report, deps.style).trimEnd());
    return exitCode.answered;
  });
}

function requireHost(parts: Parts, host: string | null): void {
  const names = parts.hosts.names();
  if (names.length === 0)
    throw new Fault("config-invalid", "no host is configured", "add one under hosts: in room137.yaml");
  if (host === null || names.includes(host)) return;
  throw new Fault("config-invalid", `there is no host called ${host.slice(0, 80)}`, `use one of ${names.join(", ")}`);
}

function hostsList(deps: CommandDeps, json: boolean): Promise<number> {
  return withParts(deps, async (parts) => {
    const listed = parts.config.hosts.map((host) => ({
      name: host.name,
      address: host.local ? "this machine" : `${host.user}@${host.address}:${host.port}`,
      local: host.local,
      labels: host.labels,
    }));
    const lines = listed.map((host) => ({
      ...host,
      ok: null,
      detail: Object.entries(host.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(" "),
    }));
    deps.terminal.print(
      json ? JSON.stringify({ schemaVersion: 1, hosts: listed }, null, 2) : hostsText(lines, deps.style).trimEnd(),
    );
    return exitCode.answered;
  });
}

function hostsCheck(deps: CommandDeps, host: string | null, json: boolean): Promise<number> {
  return withParts(deps, async (parts) => {
    requireHost(parts, host);
    const chosen = parts.config.hosts.filter((config) => host === null || config.name === host);
    const results = await Promise.all(
      chosen.map(async (config) => ({ host: config.name, checks: await checkHost(config, systemClock) })),
    );
    if (json) deps.terminal.print(JSON.stringify({ schemaVersion: 1, hosts: results }, null, 2));
    else
      for (const result of results)
        deps.terminal.print(hostCheckText(result.host, result.checks.map(plainCheck), deps.style).trimEnd());
    const unreached = results.every((result) =>
      result.checks.some((check) => check.check === "reachable" && !check.ok),
    );
    return unreached ? exitCode.unreachable : exitCode.answered;
  });
}

function plainCheck<T extends { ok: boolean; level: "ok" | Level }>(check: T): T & { level: Level } {
  return { ...check, level: check.level === "ok" ? "info" : check.level };
}

function guardrails(deps: CommandDeps, host: string | null, json: boolean): Promise<number> {
  return withParts(deps, async (parts) => {
    requireHost(parts, host);
    const report = await surveyHosts(parts, host === null ? parts.hosts.names() : [host]);
    deps.terminal.print(json ? JSON.stringify(report, null, 2) : guardrailsText(report, deps.style).trimEnd());
    return exitCode.answered;
  });
}

async function lint(deps: CommandDeps, files: string[], json: boolean): Promise<number> {
  const findings: {
    file: string;
    line: number;
    column: number;
    service: string;
    rule: string;
    level: Level;
    found: string;
    fix: string;
  }[] = [];
  for (const file of files) {
    const { services, problems } = parseComposeFile((await readText(deps, file)).toString("utf8"));
    const first = problems[0];
    if (first !== undefined)
      throw new Fault(
        "config-invalid",
        `reading ${file}:${first.line}:${first.column}: ${first.message}`,
        "correct the file",
      );
    for (const { workload, line, column } of services) {
      for (const { rule, level, found, fix } of hazardsOf(workload))
        findings.push({ file, line, column, service: workload.name, rule, level, found, fix });
    }
  }
  if (json) deps.terminal.print(JSON.stringify({ schemaVersion: 1, findings }, null, 2));
  else if (findings.length === 0) deps.terminal.print("nothing found");
  else
    for (const { file, line, column, service, rule, level, found, fix } of findings)
      deps.terminal.print(`${file}:${line}:${column}: ${level}: ${service}: ${found} [${rule}]; ${fix}`);
  return findings.some((finding) => finding.level === "error") ? exitCode.findings : exitCode.answered;
}

function timelineList(deps: CommandDeps, json: boolean): Promise<number> {
  return withStore(deps, async (store) => {
    const rows = await store.incidents({ limit: limits.listedIncidents });
    const incidents = await Promise.all(
      rows.map(async (row) => ({
        ...row,
        openedAt: new Date(row.openedAtMs).toISOString(),
        state: replay(await store.entries(row.incidentId))?.state ?? "unknown",
      })),
    );
    if (json)
      deps.terminal.print(
        JSON.stringify({ schemaVersion: 1, incidents: incidents.map(({ openedAtMs: _, ...row }) => row) }, null, 2),
      );
    else if (incidents.length === 0) deps.terminal.print("no incident is recorded yet");
    else
      for (const row of incidents)
        deps.terminal.print(`${row.incidentId}  ${row.openedAt}  ${row.state.padEnd(20)}  ${row.service}`);
    return exitCode.answered;
  });
}

function timelineExport(deps: CommandDeps, incident: string, given: string): Promise<number> {
  const format = given.toLowerCase();
  if (!Object.hasOwn(exporters, format)) {
    throw new Fault(
      "config-invalid",
      `there is no export format ${given.slice(0, 40)}`,
      `use one of ${Object.keys(exporters).join(", ")}`,
    );
  }
  return withStore(deps, async (store, parts) => {
    const room = assembleRoom(parts, {
      store,
      world: deps.world,
      log: quietLog,
      metrics: noMetrics,
      version: deps.terminal.version,
    });
    const exported = await room.export(incident, format, { kind: "terminal" });
    if (isRefusal(exported))
      throw new Fault(
        "config-invalid",
        `exporting ${incident.slice(0, 40)}: ${exported.found}`,
        "see room137 timeline list",
      );
    deps.terminal.print(exported.text.trimEnd());
    return exitCode.answered;
  });
}

function auditVerify(deps: CommandDeps, noted: string | null, json: boolean): Promise<number> {
  const match = noted === null ? null : /^(\d+):([0-9a-f]{64})$/.exec(noted);
  if (noted !== null && match === null)
    throw new Fault(
      "config-invalid",
      "the noted head is not <position>:<hash>",
      "use the head that an earlier audit verify printed",
    );
  return withStore(deps, async (store) => {
    const verdict = await store.verifyAudit(
      match === null ? undefined : { position: Number(match[1]), hash: match[2] ?? "" },
    );
    if (json) deps.terminal.print(JSON.stringify({ schemaVersion: 1, ...verdict }, null, 2));
    else {
      for (const problem of verdict.problems)
        deps.terminal.print(`${problem.incidentId} row ${problem.seq}: ${problem.problem}`);
      deps.terminal.print(
        `${verdict.ok ? "the chain is whole" : "THE CHAIN IS BROKEN"}: ${verdict.rows} rows; head ${verdict.head.position}:${verdict.head.hash}`,
      );
    }
    return verdict.ok ? exitCode.answered : exitCode.findings;
  });
}

async function kernelLog(deps: CommandDeps, file: string, json: boolean): Promise<number> {
  const log = parseKernelLog((await readText(deps, file)).toString("utf8"), { nowMs: systemClock.nowMs() });
  deps.terminal.print(json ? JSON.stringify(toKernelLogJson(log), null, 2) : kernelLogText(log, deps.style).trimEnd());
  return exitCode.answered;
}

async function readText(deps: CommandDeps, file: string): Promise<Buffer> {
  try {
    return file === "-" ? await buffer(deps.stdin) : await readFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Fault(
      "config-invalid",
      `reading ${file}: ${reason}`,
      "name a file that can be read, or - for standard input",
    );
  }
}

/** Configuration, store and every host, in one answer. */
function doctor(deps: CommandDeps, json: boolean): Promise<number> {
  return withParts(deps, async (parts) => {
    const { config } = parts;
    const checks = [
      {
        check: "configuration",
        ok: true,
        level: "info" as Level,
        detail: config.path ?? "no file, defaults",
        fix: null as string | null,
      },
      {
        check: "slack",
        ok: true,
        level: "info" as Level,
        detail:
          config.slack.mode === "local-room" ? "not configured: the local room is used" : `${config.slack.mode} mode`,
        fix: null,
      },
      {
        check: "approvers",
        ok: config.approvals.approvers.length > 0 || config.approvals.rules.length > 0,
        level: "warning" as Level,
        detail:
          config.approvals.approvers.length > 0
            ? `${config.approvals.approvers.length} configured`
            : "nobody may approve a plan",
        fix: "name user or group ids under approvals.approvers",
      },
      await storeCheck(config),
    ];
    const hosts = await Promise.all(
      config.hosts.map(async (host) => ({
        host: host.name,
        checks: (await checkHost(host, systemClock)).map(plainCheck),
      })),
    );
    if (json) deps.terminal.print(JSON.stringify({ schemaVersion: 1, checks, hosts }, null, 2));
    else
      for (const group of [{ host: "room137", checks }, ...hosts])
        deps.terminal.print(`${hostCheckText(group.host, group.checks, deps.style).trimEnd()}\n`);
    const failed = [...checks, ...hosts.flatMap((host) => host.checks)].some(
      (check) => !check.ok && check.level === "error",
    );
    return failed ? exitCode.findings : exitCode.answered;
  });
}

async function storeCheck(
  config: Config,
): Promise<{ check: string; ok: boolean; level: Level; detail: string; fix: string | null }> {
  const { database } = config;
  const shown = database.kind === "postgres" ? "postgres" : database.path;
  try {
    const store = await openStore(storeUrl(config), { clock: systemClock });
    await store.checkWritable();
    await store.close();
    return { check: "store", ok: true, level: "info", detail: `${shown} is writable`, fix: null };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { check: "store", ok: false, level: "error", detail: error.message, fix: error.next };
  }
}

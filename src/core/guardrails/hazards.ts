import { humanBytes } from "../rule.ts";
import { type Engine, engineOf, sizeBytes, type Workload } from "./workload.ts";

export type Level = "error" | "warning" | "info";

/** One hazard: what was found, in which words of the configuration, and what to set instead. */
export interface Hazard {
  rule: string;
  level: Level;
  found: string;
  fix: string;
  /** The setting it rests on, for example `HostConfig.Memory=268435456`. */
  evidence: string;
}

type Check = (workload: Workload, engine: Engine) => Hazard | null;

const mib = 1024 * 1024;
const gib = 1024 * mib;

/**
 * The least an engine should be given, and below what it is an error. PostgreSQL: 128 MB shared_buffers by default plus
 * work_mem and processes; MySQL 8's defaults are made for 512 MB; Elasticsearch wants a heap of at most half its memory.
 */
const floors: Partial<Record<Engine, { errorBytes: number; advisedBytes: number; name: string }>> = {
  postgres: { errorBytes: 512 * mib, advisedBytes: gib, name: "PostgreSQL" },
  mysql: { errorBytes: 512 * mib, advisedBytes: gib, name: "MySQL" },
  elasticsearch: { errorBytes: gib, advisedBytes: 2 * gib, name: "Elasticsearch" },
  mongodb: { errorBytes: 512 * mib, advisedBytes: gib, name: "MongoDB" },
  jvm: { errorBytes: 256 * mib, advisedBytes: 512 * mib, name: "the JVM" },
  node: { errorBytes: 96 * mib, advisedBytes: 256 * mib, name: "Node.js" },
};

const memoryFloor: Check = (workload, engine) => {
  const floor = floors[engine];
  const limit = workload.memoryLimitBytes;
  if (floor === undefined || limit === null || limit >= floor.advisedBytes) return null;
  return {
    rule: "memory-floor",
    level: limit < floor.errorBytes ? "error" : "warning",
    found: `${floor.name} with a memory limit of ${humanBytes(limit)}: it will be killed under load`,
    fix: `set the limit to at least ${humanBytes(floor.advisedBytes)}`,
    evidence: `memory limit ${limit}`,
  };
};

const sharedBuffers: Check = (workload, engine) => {
  const limit = workload.memoryLimitBytes;
  const text =
    engine === "postgres"
      ? setting(
          workload,
          /shared_buffers\s*=\s*'?([\d.]+\s*[kKmMgGtT]?[bB]?)/,
          /^(POSTGRES_SHARED_BUFFERS|POSTGRESQL_SHARED_BUFFERS|SHARED_BUFFERS)$/,
        )
      : null;
  // A bare number counts pages of 8 kB (PostgreSQL, guc units).
  const bytes = text === null ? null : /^\d+$/.test(text.trim()) ? Number(text) * 8_192 : sizeBytes(text);
  if (limit === null || bytes === null || bytes <= limit * 0.4) return null;
  return {
    rule: "shared-buffers-over-limit",
    level: "error",
    found: `shared_buffers of ${humanBytes(bytes)} in a memory limit of ${humanBytes(limit)}: fine at start, killed once the buffers are warm`,
    fix: `keep shared_buffers near 25 % of the limit (${humanBytes(Math.floor(limit / 4))}), or raise the limit to ${humanBytes(bytes * 4)}`,
    evidence: `shared_buffers=${text?.trim()}, memory limit ${limit}`,
  };
};

const jvmHeap: Check = (workload) => {
  const limit = workload.memoryLimitBytes;
  const text = setting(
    workload,
    /-Xmx(\d+[kKmMgG]?)/,
    /^(JAVA_.*OPT.*|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|ES_JAVA_OPTS|CATALINA_OPTS|KAFKA_HEAP_OPTS|MAVEN_OPTS|JVM_.*|.*_JAVA_OPTS)$/,
  );
  const bytes = text === null ? null : sizeBytes(text);
  if (limit === null || bytes === null || bytes <= limit * 0.75) return null;
  return {
    rule: "jvm-heap-over-limit",
    level: bytes >= limit ? "error" : "warning",
    found: `a JVM heap of up to ${humanBytes(bytes)} in a memory limit of ${humanBytes(limit)}: metaspace, threads and buffers come on top`,
    fix: `keep -Xmx at 75 % of the limit or less, or use -XX:MaxRAMPercentage=75`,
    evidence: `-Xmx${text}, memory limit ${limit}`,
  };
};

const nodeHeap: Check = (workload) => {
  const limit = workload.memoryLimitBytes;
  const text = setting(workload, /--max[-_]old[-_]space[-_]size[= ](\d+)/, /^NODE_OPTIONS$/);
  if (limit === null || text === null || Number(text) * mib <= limit * 0.85) return null;
  return {
    rule: "node-heap-over-limit",
    level: Number(text) * mib >= limit ? "error" : "warning",
    found: `a Node.js heap of up to ${text} MiB in a memory limit of ${humanBytes(limit)}: the kernel kills before Node collects`,
    fix: "keep --max-old-space-size at 75 % of the limit",
    evidence: `--max-old-space-size=${text}, memory limit ${limit}`,
  };
};

const redisMaxmemory: Check = (workload, engine) => {
  const limit = workload.memoryLimitBytes;
  if (engine !== "redis" || limit === null) return null;
  const text = setting(workload, /--?maxmemory[= ]'?(\d+\s*[kmgKMG]?[bB]?)/, /^REDIS_MAXMEMORY$/);
  const bytes = text === null ? null : sizeBytes(text);
  if (bytes !== null && bytes > 0 && bytes <= limit * 0.75) return null;
  if (bytes === null || bytes === 0) {
    return {
      rule: "redis-without-maxmemory",
      level: "warning",
      found: `Redis without maxmemory in a memory limit of ${humanBytes(limit)}: it grows until the kernel kills it`,
      fix: `set maxmemory to ${humanBytes(Math.floor(limit / 2))} and a maxmemory-policy`,
      evidence: `memory limit ${limit}, no maxmemory`,
    };
  }
  return {
    rule: "redis-maxmemory-over-limit",
    level: bytes >= limit ? "error" : "warning",
    found: `Redis maxmemory of ${humanBytes(bytes)} in a memory limit of ${humanBytes(limit)}: saving forks and needs more`,
    fix: "keep maxmemory at half to three quarters of the limit",
    evidence: `maxmemory ${text}, memory limit ${limit}`,
  };
};

const goMemoryLimit: Check = (workload) => {
  const limit = workload.memoryLimitBytes;
  const text = workload.env.find((variable) => variable.name === "GOMEMLIMIT")?.value ?? null;
  const bytes = text === null ? null : sizeBytes(text);
  if (limit === null || bytes === null || bytes <= limit * 0.95) return null;
  return {
    rule: "gomemlimit-over-limit",
    level: bytes > limit ? "error" : "warning",
    found: `GOMEMLIMIT of ${humanBytes(bytes)} in a memory limit of ${humanBytes(limit)}`,
    fix: "set GOMEMLIMIT 5 to 10 % below the limit",
    evidence: `GOMEMLIMIT=${text}, memory limit ${limit}`,
  };
};

const noLimit: Check = (workload) =>
  workload.memoryLimitBytes !== null
    ? null
    : {
        rule: "no-memory-limit",
        level: "warning",
        found: "no memory limit: it can take all memory of the host, and the kernel then kills whatever looks biggest",
        fix: "set deploy.resources.limits.memory (or mem_limit)",
        evidence: "memory limit 0",
      };

/** A policy that starts again without end turns a limit that is too tight into a crash loop. */
const tightWithRestart: Check = (workload, engine) => {
  const floor = floors[engine];
  const limit = workload.memoryLimitBytes;
  if (
    floor === undefined ||
    limit === null ||
    limit >= floor.errorBytes ||
    !/^(always|unless-stopped|on-failure)/.test(workload.restart)
  )
    return null;
  return {
    rule: "restart-with-tight-limit",
    level: "error",
    found: `restart policy ${workload.restart} with a limit that is too tight: each start is killed again, a crash loop instead of a recovery`,
    fix: "raise the limit first; a restart policy does not cure it",
    evidence: `restart ${workload.restart}, memory limit ${limit}`,
  };
};

const noRestart: Check = (workload, engine) =>
  (workload.restart === "no" || workload.restart === "") &&
  ["postgres", "mysql", "redis", "mongodb", "elasticsearch"].includes(engine)
    ? {
        rule: "no-restart-policy",
        level: "info",
        found: "no restart policy: after one crash, or a restart of the host, it stays down",
        fix: "set restart: unless-stopped",
        evidence: "restart no",
      }
    : null;

const killDisabled: Check = (workload) =>
  workload.oomKillDisable
    ? {
        rule: "oom-kill-disabled",
        level: "error",
        found: "the out-of-memory killer is switched off: at the limit its processes hang instead of ending",
        fix: "remove oom_kill_disable",
        evidence: "oom_kill_disable true",
      }
    : null;

const unboundedLog: Check = (workload) =>
  (workload.logDriver === "json-file" || workload.logDriver === null) && workload.logMaxSize === null
    ? {
        rule: "unbounded-log",
        level: "info",
        found: "its log file has no size limit and can fill the host's disk",
        fix: 'set logging.options max-size: "10m" and max-file: "3"',
        evidence: "logging max-size not set",
      }
    : null;

const nearLimit: Check = (workload) => {
  const { live, memoryLimitBytes: limit } = workload;
  if (live === null || limit === null || live.usedBytes < limit * 0.75) return null;
  const percent = Math.floor((live.usedBytes / limit) * 100);
  return {
    rule: "near-limit",
    level: live.usedBytes >= limit * 0.9 ? "error" : "warning",
    found: `uses ${percent} % of its memory limit of ${humanBytes(limit)}, reclaimable cache not counted`,
    fix: "raise the limit before it is killed, or find what grows",
    evidence: `memory ${live.usedBytes} of ${limit}`,
  };
};

const killedInside: Check = (workload) =>
  (workload.live?.oomKills ?? 0) > 0
    ? {
        rule: "killed-at-limit",
        level: "error",
        found: `the kernel has killed ${workload.live?.oomKills} of its processes at the limit since it was started`,
        fix: "ask /why for it",
        evidence: `oom_kill ${workload.live?.oomKills}`,
      }
    : null;

const checks: readonly Check[] = [
  killedInside,
  memoryFloor,
  tightWithRestart,
  sharedBuffers,
  jvmHeap,
  nodeHeap,
  redisMaxmemory,
  goMemoryLimit,
  killDisabled,
  nearLimit,
  noLimit,
  noRestart,
  unboundedLog,
];

const order: readonly Level[] = ["error", "warning", "info"];

/** Every hazard of one workload, worst first. */
export function hazardsOf(workload: Workload): Hazard[] {
  const engine = engineOf(workload);
  const found = checks.map((check) => check(workload, engine)).filter((hazard) => hazard !== null);
  return found.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

/** A number in the command line, or in the environment under one of the usual names. */
function setting(workload: Workload, inText: RegExp, variable: RegExp): string | null {
  const inCommand = inText.exec(workload.words.join(" "))?.[1];
  if (inCommand !== undefined) return inCommand;
  for (const { name, value } of workload.env) {
    if (!variable.test(name)) continue;
    const found = inText.exec(value)?.[1] ?? (sizeBytes(value) === null ? undefined : value);
    if (found !== undefined) return found;
  }
  return null;
}

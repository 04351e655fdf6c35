import type { ContainerView } from "../world.ts";

/** What the memory and restart hazards are judged by: the same for a running container and for a compose service. */
export interface Workload {
  name: string;
  image: string;
  /** Entrypoint and command as words. */
  words: string[];
  env: { name: string; value: string }[];
  memoryLimitBytes: number | null;
  /** Memory plus swap; -1 unlimited; null where it is not set. */
  memorySwapBytes: number | null;
  shmSizeBytes: number | null;
  restart: string;
  oomKillDisable: boolean;
  pidsLimit: number | null;
  logDriver: string | null;
  logMaxSize: string | null;
  hasHealthcheck: boolean;
  stopGraceSeconds: number | null;
  /** Present for a running container only. */
  live: { usedBytes: number; limitHits: number | null; oomKills: number | null } | null;
}

export function workloadOf(view: ContainerView): Workload | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  const cgroup = view.cgroup?.value;
  const used = cgroup?.memoryCurrentBytes ?? null;
  return {
    name: view.name,
    image: inspect.image,
    words: [...inspect.entrypoint, ...inspect.command],
    env: inspect.env,
    memoryLimitBytes: inspect.memoryLimitBytes,
    memorySwapBytes: inspect.memorySwapBytes,
    shmSizeBytes: inspect.shmSizeBytes,
    restart: inspect.restartPolicy.name,
    oomKillDisable: inspect.oomKillDisable,
    pidsLimit: inspect.pidsLimit,
    logDriver: inspect.logDriver,
    logMaxSize: inspect.logOptions["max-size"] ?? null,
    hasHealthcheck: inspect.healthcheck !== null && inspect.healthcheck.test[0] !== "NONE",
    stopGraceSeconds: inspect.stopTimeoutS,
    // Page cache can be reclaimed, so it is not what the limit will be hit by.
    live:
      used === null
        ? null
        : {
            usedBytes: Math.max(0, used - (cgroup?.inactiveFileBytes ?? 0)),
            limitHits: cgroup?.limitHits ?? null,
            oomKills: cgroup?.oomKills ?? null,
          },
  };
}

export type Engine = "postgres" | "mysql" | "redis" | "elasticsearch" | "mongodb" | "jvm" | "node" | "go" | "unknown";

const engines: { engine: Engine; is: RegExp }[] = [
  { engine: "postgres", is: /(^|[^a-z])(postgres|postgresql|postgis|timescaledb|pgvector)/ },
  { engine: "mysql", is: /(^|[^a-z])(mysql|mariadb|percona)/ },
  { engine: "elasticsearch", is: /(^|[^a-z])(elasticsearch|opensearch)/ },
  { engine: "mongodb", is: /(^|[^a-z])mongo(d|db)?([^a-z]|$)/ },
  { engine: "redis", is: /(^|[^a-z])(redis|valkey|keydb)/ },
  {
    engine: "jvm",
    is: /(^|[^a-z])(java|openjdk|temurin|corretto|jre|tomcat|kafka|cassandra|jenkins|keycloak)([^a-z]|$)/,
  },
  { engine: "node", is: /(^|[^a-z])(node|npm|yarn|pnpm)([^a-z]|$)/ },
  { engine: "go", is: /(^|[^a-z])golang/ },
];

/** By image, program and telltale settings. `redis-exporter`, `postgres-exporter` and clients are not the engine. */
export function engineOf(workload: Workload): Engine {
  const image = workload.image.toLowerCase().replace(/@.*$/, "");
  const program = (workload.words[0] ?? "").toLowerCase();
  if (/exporter|backup|adminer|pgadmin|client|operator/.test(image)) return "unknown";
  const settings = workload.env.map((variable) => variable.name);
  if (settings.includes("PGDATA") || settings.includes("POSTGRES_DB")) return "postgres";
  const words = workload.words.join(" ").toLowerCase();
  const found =
    engines.find(({ is }) => is.test(image)) ??
    engines.find(({ is }) => is.test(program)) ??
    engines.find(({ engine, is }) => engine !== "node" && is.test(words));
  if (found !== undefined) return found.engine;
  if (settings.some((name) => /^(JAVA_OPTS|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS)$/.test(name))) return "jvm";
  return settings.includes("NODE_OPTIONS") || settings.includes("NODE_ENV") ? "node" : "unknown";
}

/** Bytes of `512m`, `1g`, `1.5GiB`, `64MB`, `268435456`; null when it is not a size. */
export function sizeBytes(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?\s*$/i.exec(text);
  if (match === null) return null;
  const power = ["", "k", "m", "g", "t"].indexOf((match[2] ?? "").toLowerCase());
  return Math.round(Number(match[1]) * 1024 ** power);
}

import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { sizeBytes, type Workload } from "../core/guardrails/workload.ts";
import { limits } from "../core/limits.ts";

export interface ComposeService {
  workload: Workload;
  line: number;
  column: number;
}

export interface ComposeFile {
  services: ComposeService[];
  /** What keeps the file from being read, with its place. */
  problems: { line: number; column: number; message: string }[];
}

/** Reads the services of a compose file: merges and anchors resolved, `${NAME:-default}` replaced by its default. */
export function parseComposeFile(text: string): ComposeFile {
  const lines = new LineCounter();
  if (text.length > limits.configBytes) return broken(`larger than ${limits.configBytes} bytes`);
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const problems = document.errors.map((error) => ({
    ...place(lines, error.pos[0]),
    message: error.message.split("\n")[0] ?? "",
  }));
  if (problems.length > 0) return { services: [], problems };
  const services = document.get("services");
  if (!isMap(services)) return broken("there is no services: section");
  const plain = (document.toJS({ maxAliasCount: 1_000 }) as { services: Record<string, unknown> }).services;
  return {
    problems: [],
    services: (services as YAMLMap).items.flatMap((item) => {
      const name = isScalar(item.key) ? String(item.key.value) : null;
      const offset = isScalar(item.key) ? (item.key.range?.[0] ?? 0) : 0;
      return name === null ? [] : [{ workload: workloadOf(name, asRecord(plain[name])), ...place(lines, offset) }];
    }),
  };
}

function broken(message: string): ComposeFile {
  return { services: [], problems: [{ line: 1, column: 1, message }] };
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function workloadOf(name: string, service: Record<string, unknown>): Workload {
  const deploy = asRecord(service["deploy"]);
  const bounds = asRecord(asRecord(deploy["resources"])["limits"]);
  const logging = asRecord(service["logging"]);
  const healthcheck = asRecord(service["healthcheck"]);
  return {
    name,
    image: text(service["image"]) ?? "",
    words: [...words(service["entrypoint"]), ...words(service["command"])],
    env: environment(service["environment"]),
    memoryLimitBytes: size(bounds["memory"]) ?? size(service["mem_limit"]),
    memorySwapBytes: service["memswap_limit"] === -1 ? -1 : size(service["memswap_limit"]),
    shmSizeBytes: size(service["shm_size"]),
    restart: text(service["restart"]) ?? restartOf(asRecord(deploy["restart_policy"])),
    oomKillDisable: service["oom_kill_disable"] === true,
    pidsLimit: typeof service["pids_limit"] === "number" ? service["pids_limit"] : null,
    logDriver: text(logging["driver"]),
    logMaxSize: text(asRecord(logging["options"])["max-size"]),
    hasHealthcheck: healthcheck["test"] !== undefined && healthcheck["disable"] !== true,
    stopGraceSeconds: null,
    live: null,
  };
}

function restartOf(policy: Record<string, unknown>): string {
  const condition = text(policy["condition"]);
  return condition === null || condition === "none" ? "no" : condition === "any" ? "always" : condition;
}

function environment(value: unknown): { name: string; value: string }[] {
  if (Array.isArray(value)) {
    return value
      .filter((entry) => typeof entry === "string")
      .map((entry) => {
        const at = entry.indexOf("=");
        return at === -1
          ? { name: entry, value: "" }
          : { name: entry.slice(0, at), value: defaulted(entry.slice(at + 1)) };
      });
  }
  return Object.entries(asRecord(value)).map(([name, entry]) => ({ name, value: defaulted(String(entry ?? "")) }));
}

function words(value: unknown): string[] {
  if (typeof value === "string") return defaulted(value).split(/\s+/).filter(Boolean);
  return Array.isArray(value) ? value.map((word) => defaulted(String(word))) : [];
}

/** Zero means no limit, as it does for the engine. */
function size(value: unknown): number | null {
  const bytes = typeof value === "number" ? value : typeof value === "string" ? sizeBytes(defaulted(value)) : null;
  return bytes === null || bytes <= 0 ? null : bytes;
}

function text(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? defaulted(String(value))
    : null;
}

function defaulted(value: string): string {
  return value.replace(
    /\$\{[A-Za-z_][A-Za-z0-9_]*(?::?-([^}]*))?[^}]*\}/g,
    (_, fallback: string | undefined) => fallback ?? "",
  );
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

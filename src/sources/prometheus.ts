import type { Reading } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import type { ContainerSummary, MemorySeries } from "../core/readings.ts";
import type { Clock } from "../ports.ts";
import { inert } from "./inert.ts";
import { list, object, text } from "./json.ts";
import { type Failure, sha256 } from "./reading.ts";
import type { Redactor } from "./redact.ts";

export interface PrometheusDeps {
  /** Base address, with the path prefix it may be served under. A user and a password in it become basic auth. */
  url: string;
  clock: Clock;
  redactor: Pick<Redactor, "text">;
  timeoutMs?: number;
}

/** A long stretch coarsely, and its end finely: a leak takes hours, a spike seconds. */
const stretches = [
  { backMs: limits.eventsLookbackMs, stepMs: 60_000 },
  { backMs: 3_600_000, stepMs: 15_000 },
];

/**
 * Memory over time of listed containers as cAdvisor exports it: the working set, which is what the kernel cannot take
 * back at once, else the usage. Series are told apart by cAdvisor's `id` label, which holds the container's whole id and
 * so belongs to one host only; a name may stand on several. Never throws: what fails is a failed reading a host.
 */
export function createPrometheus(
  deps: PrometheusDeps,
): (lists: readonly Reading[], nowMs: number) => Promise<Reading[]> {
  return async (readings, nowMs) => {
    const lists = readings.filter(({ source, outcome }) => source === "docker-list" && outcome.status === "ok");
    const answers = await Promise.all(lists.map((reading) => ofHost(deps, reading, nowMs)));
    return answers.flat();
  };
}

async function ofHost(deps: PrometheusDeps, listed: Reading, nowMs: number): Promise<Reading[]> {
  const { outcome, host } = listed;
  if (outcome.status !== "ok") return [];
  const ids = (outcome.value as ContainerSummary[]).map(({ id }) => id).filter((id) => /^[0-9a-f]{64}$/.test(id));
  if (ids.length === 0) return [];
  const asked = ids.slice(0, limits.inspectAllUpTo);
  const parts = await Promise.all(stretches.map((stretch) => queryRange(deps, asked, nowMs, stretch)));
  const about = { source: "memory-series" as const, host, atMs: deps.clock.nowMs() };
  const failed = parts.find((part): part is Failure => "code" in part);
  if (failed !== undefined) {
    const reason = deps.redactor.text(inert(failed.reason));
    const read = `POST ${placeOf(deps.url).href}`;
    return [
      { ...about, containerId: null, read, sha256: sha256(reason), outcome: { status: "failed", ...failed, reason } },
    ];
  }
  const [coarse, fine] = parts as Series[];
  return asked.flatMap((containerId): Reading[] => {
    const recent = fine?.get(containerId) ?? [];
    const before = (coarse?.get(containerId) ?? []).filter(({ atMs }) => atMs < (recent[0]?.atMs ?? nowMs + 1));
    const points = [...before, ...recent];
    if (points.length === 0) return [];
    const value: MemorySeries = { points, limitBytes: null };
    const read = readOf(deps.url, containerId, nowMs);
    return [{ ...about, containerId, read, sha256: sha256(JSON.stringify(value)), outcome: { status: "ok", value } }];
  });
}

type Series = Map<string, MemorySeries["points"]>;

async function queryRange(
  deps: PrometheusDeps,
  ids: readonly string[],
  nowMs: number,
  { backMs, stepMs }: (typeof stretches)[number],
): Promise<Series | Failure> {
  const body = new URLSearchParams({
    query: selector(ids),
    start: String((nowMs - backMs) / 1_000),
    end: String(nowMs / 1_000),
    step: String(stepMs / 1_000),
    timeout: `${limits.prometheusTimeoutMs}ms`,
  });
  const answer = await post(deps, body);
  if (typeof answer !== "string") return answer;
  try {
    const root = object(JSON.parse(answer));
    const data = object(root["data"]);
    if (root["status"] !== "success" || data["resultType"] !== "matrix")
      return { code: "failed", reason: `Prometheus answered: ${text(root["error"]).slice(0, 200)}`, fix: null };
    return seriesOf(list(data["result"]), new Set(ids));
  } catch {
    return { code: "malformed", reason: "the answer is not the JSON of Prometheus", fix: "check prometheus.url" };
  }
}

/** The ids are 64 hex digits, checked before: nothing of a host's own words becomes part of the query. */
function selector(ids: readonly string[]): string {
  const of = `{id=~".*(?:${ids.join("|")}).*"}`;
  return `container_memory_working_set_bytes${of} or container_memory_usage_bytes${of}`;
}

function seriesOf(result: readonly unknown[], asked: ReadonlySet<string>): Series {
  const series: Series = new Map();
  for (const entry of result.map(object)) {
    const metric = object(entry["metric"]);
    const id = /(?:^|[/-])([0-9a-f]{64})(?:\.scope)?$/.exec(text(metric["id"]))?.[1] ?? "";
    const points = list(entry["values"]).flatMap((pair) => {
      const [at, value] = list(pair);
      const bytes = Number(text(value));
      const valid = typeof at === "number" && Number.isFinite(at) && text(value) !== "" && bytes >= 0;
      return valid && Number.isFinite(bytes) ? [{ atMs: Math.round(at * 1_000), bytes: Math.round(bytes) }] : [];
    });
    // Two Prometheus jobs may scrape the same cAdvisor: one of them is enough, the fuller one.
    if (asked.has(id) && points.length > (series.get(id)?.length ?? 0)) series.set(id, points);
  }
  return series;
}

async function post(
  { url, timeoutMs = limits.prometheusTimeoutMs }: PrometheusDeps,
  body: URLSearchParams,
): Promise<string | Failure> {
  const { username, password } = new URL(url);
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  try {
    const response = await fetch(placeOf(url), {
      method: "POST",
      body,
      redirect: "error",
      headers: username === "" ? {} : { authorization: `Basic ${login}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = await bounded(response);
    if (answer === null)
      return { code: "too-large", reason: `the answer is larger than ${limits.prometheusReplyBytes} bytes`, fix: null };
    if (response.ok || response.status === 400 || response.status === 422) return answer;
    const denied = response.status === 401 || response.status === 403;
    const fix = denied ? "put user and password into prometheus.url" : "check prometheus.url";
    return {
      code: denied ? "permission-denied" : "failed",
      reason: `Prometheus answered HTTP ${response.status}`,
      fix,
    };
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    const reason = late ? `no answer within ${timeoutMs} ms` : `it could not be reached: ${causeOf(error)}`;
    return { code: late ? "timeout" : "unreachable", reason, fix: "check prometheus.url, and that it runs" };
  }
}

/** Null when it is larger than it may be. */
async function bounded(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > limits.prometheusReplyBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Without user and password: it is shown, and fetch refuses an address that holds them. */
function placeOf(url: string): URL {
  const base = new URL(url);
  return new URL(`${base.origin}${base.pathname.replace(/\/$/, "")}/api/v1/query_range`);
}

function readOf(url: string, containerId: string, nowMs: number): string {
  const [long] = stretches;
  const from = new Date(nowMs - (long?.backMs ?? 0)).toISOString();
  return `POST ${placeOf(url).href} container_memory_working_set_bytes{id=~".*${containerId}.*"} from ${from}`;
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined;
  return cause?.code ?? cause?.message ?? String(error);
}

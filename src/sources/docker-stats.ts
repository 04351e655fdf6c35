import type { StatsSample } from "../core/readings.ts";
import { type Json, list, number, object, positive, text } from "./json.ts";
import { type EvidenceSource, readJson } from "./reading.ts";

/** One sample of a running container, without waiting for a second. Empty when it does not run. */
export const dockerStats: EvidenceSource<"docker-stats"> = {
  name: "docker-stats",
  read: (reader, planned, context) =>
    readJson(reader, planned, { read: "stats", id: planned.containerId ?? "" }, context, parseStats),
};

/** A container that does not run gets a record without figures from the engine: null, not zeros. */
export function parseStats(masked: unknown): StatsSample | null {
  const root = object(masked);
  const memory = object(root["memory_stats"]);
  const cpu = object(root["cpu_stats"]);
  if (!Number.isFinite(Date.parse(text(root["read"]))) || text(root["read"]).startsWith("0001-")) return null;
  const detail = object(memory["stats"]);
  const throttling = object(cpu["throttling_data"]);
  return {
    usageBytes: positive(memory["usage"]),
    maxUsageBytes: positive(memory["max_usage"]),
    limitBytes: positive(memory["limit"]),
    // Left out of the JSON when zero, but present as a figure where usage is.
    failcnt: number(memory["failcnt"]) ?? (positive(memory["usage"]) === null ? null : 0),
    // cgroup v1 names first, then those of v2 (moby daemon/stats_unix.go).
    cacheBytes: number(detail["cache"]) ?? number(detail["file"]),
    inactiveFileBytes: number(detail["total_inactive_file"]) ?? number(detail["inactive_file"]),
    rssBytes: number(detail["rss"]) ?? number(detail["anon"]),
    shmemBytes: number(detail["shmem"]),
    pids: positive(object(root["pids_stats"])["current"]),
    pidsLimit: limitOf(object(root["pids_stats"])["limit"]),
    cpuTotalNs: number(object(cpu["cpu_usage"])["total_usage"]),
    cpuThrottledPeriods: number(throttling["throttled_periods"]),
    cpuPeriods: number(throttling["periods"]),
    cpuThrottledNs: number(throttling["throttled_time"]),
    ...networkOf(object(root["networks"])),
    blockReadBytes: blockBytes(root["blkio_stats"], "read"),
    blockWriteBytes: blockBytes(root["blkio_stats"], "write"),
  };
}

/** No limit is left out, zero, or the largest 64-bit number. */
function limitOf(value: unknown): number | null {
  const limit = positive(value);
  return limit === null || limit >= 2 ** 62 ? null : limit;
}

function networkOf(networks: Json) {
  const links = Object.values(networks).map(object);
  const total = (keys: string[]) =>
    links.length === 0
      ? null
      : links.reduce((sum, link) => sum + keys.reduce((n, key) => n + (number(link[key]) ?? 0), 0), 0);
  return {
    networkRxBytes: total(["rx_bytes"]),
    networkTxBytes: total(["tx_bytes"]),
    networkErrors: total(["rx_errors", "tx_errors"]),
    networkDropped: total(["rx_dropped", "tx_dropped"]),
  };
}

/** `Read` on cgroup v1, `read` on v2. */
function blockBytes(stats: unknown, operation: string): number | null {
  const entries = object(stats)["io_service_bytes_recursive"];
  if (!Array.isArray(entries)) return null;
  return list(entries)
    .map(object)
    .filter((entry) => text(entry["op"]).toLowerCase() === operation)
    .reduce((sum, entry) => sum + (number(entry["value"]) ?? 0), 0);
}

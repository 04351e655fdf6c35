import type { CgroupFacts } from "../core/readings.ts";
import { firstNumber, keyValues, pressure } from "./files.ts";

/** The files of one group by what they tell. On version 1 the controllers are mounted apart (`cpu` may be a link). */
export function cgroupFilePaths(place: { version: 1 | 2; path: string }): Record<string, string> {
  const paths: Record<string, string> = {};
  const add = (folder: string, names: readonly string[]) => {
    for (const name of names) paths[name] = `/sys/fs/cgroup${folder}${place.path.replace(/\/$/, "")}/${name}`;
  };
  if (place.version === 2) {
    add("", [...v2Files, "cpu.stat", ...pidsFiles]);
    return paths;
  }
  add("/memory", v1MemoryFiles);
  add("/cpu", ["cpu.stat"]);
  add("/pids", pidsFiles);
  return paths;
}

/** Takes the files by path; one that is missing leaves its facts null. */
export function parseCgroup(place: { version: 1 | 2; path: string }, files: ReadonlyMap<string, string>): CgroupFacts {
  const paths = cgroupFilePaths(place);
  const file = (name: string) => files.get(paths[name] ?? "");
  const memory = place.version === 1 ? memoryV1(file) : memoryV2(file);
  const cpu = keyValues(file("cpu.stat"));
  const throttledUs = cpu.get("throttled_usec");
  const throttledNs = cpu.get("throttled_time");
  return {
    version: place.version,
    path: place.path,
    ...memory,
    cpuPeriods: cpu.get("nr_periods") ?? null,
    cpuThrottledPeriods: cpu.get("nr_throttled") ?? null,
    cpuThrottledMs:
      throttledUs !== undefined ? throttledUs / 1e3 : throttledNs !== undefined ? throttledNs / 1e6 : null,
    pidsCurrent: firstNumber(file("pids.current")),
    pidsLimit: firstNumber(file("pids.max")),
    pidsRefused: keyValues(file("pids.events")).get("max") ?? null,
    ioPressureFullAvg10: pressure(file("io.pressure")).fullAvg10,
    memoryPressureFullAvg10: pressure(file("memory.pressure")).fullAvg10,
    cpuPressureSomeAvg10: pressure(file("cpu.pressure")).someAvg10,
  };
}

const pidsFiles = ["pids.current", "pids.max", "pids.events"];
const v1MemoryFiles = [
  "memory.usage_in_bytes",
  "memory.max_usage_in_bytes",
  "memory.limit_in_bytes",
  "memory.memsw.usage_in_bytes",
  "memory.memsw.limit_in_bytes",
  "memory.kmem.usage_in_bytes",
  "memory.stat",
  "memory.failcnt",
  "memory.oom_control",
];
const v2Files = [
  "memory.current",
  "memory.peak",
  "memory.max",
  "memory.swap.current",
  "memory.swap.max",
  "memory.stat",
  "memory.events",
  "io.pressure",
  "memory.pressure",
  "cpu.pressure",
];

type File = (name: string) => string | undefined;
type Memory = Omit<
  CgroupFacts,
  | "version"
  | "path"
  | "cpuPeriods"
  | "cpuThrottledPeriods"
  | "cpuThrottledMs"
  | "pidsCurrent"
  | "pidsLimit"
  | "pidsRefused"
  | "ioPressureFullAvg10"
  | "memoryPressureFullAvg10"
  | "cpuPressureSomeAvg10"
>;

/** `total_` figures include the groups below, as the limit does (kernel, cgroup-v1/memory). */
function memoryV1(file: File): Memory {
  const stat = keyValues(file("memory.stat"));
  const total = (name: string) => stat.get(`total_${name}`) ?? stat.get(name) ?? null;
  const control = keyValues(file("memory.oom_control"));
  const usage = firstNumber(file("memory.usage_in_bytes"));
  const limit = limitV1(file("memory.limit_in_bytes"));
  const under = control.get("under_oom");
  const disabled = control.get("oom_kill_disable");
  return {
    memoryCurrentBytes: usage,
    memoryPeakBytes: firstNumber(file("memory.max_usage_in_bytes")),
    memoryLimitBytes: limit,
    swapCurrentBytes: difference(firstNumber(file("memory.memsw.usage_in_bytes")), usage),
    swapLimitBytes: difference(limitV1(file("memory.memsw.limit_in_bytes")), limit),
    anonBytes: total("rss"),
    fileBytes: total("cache"),
    shmemBytes: total("shmem"),
    kernelBytes: firstNumber(file("memory.kmem.usage_in_bytes")),
    inactiveFileBytes: total("inactive_file"),
    limitHits: firstNumber(file("memory.failcnt")),
    oomEvents: null,
    // Since kernel 4.13.
    oomKills: control.get("oom_kill") ?? null,
    underOom: under === undefined ? null : under > 0,
    oomKillDisabled: disabled === undefined ? null : disabled > 0,
    majorFaults: total("pgmajfault"),
  };
}

function memoryV2(file: File): Memory {
  const stat = keyValues(file("memory.stat"));
  const events = keyValues(file("memory.events"));
  return {
    memoryCurrentBytes: firstNumber(file("memory.current")),
    memoryPeakBytes: firstNumber(file("memory.peak")),
    memoryLimitBytes: firstNumber(file("memory.max")),
    swapCurrentBytes: firstNumber(file("memory.swap.current")),
    swapLimitBytes: firstNumber(file("memory.swap.max")),
    anonBytes: stat.get("anon") ?? null,
    fileBytes: stat.get("file") ?? null,
    shmemBytes: stat.get("shmem") ?? null,
    kernelBytes: kernelV2(stat),
    inactiveFileBytes: stat.get("inactive_file") ?? null,
    limitHits: events.get("max") ?? null,
    oomEvents: events.get("oom") ?? null,
    oomKills: events.get("oom_kill") ?? null,
    underOom: null,
    oomKillDisabled: null,
    majorFaults: stat.get("pgmajfault") ?? null,
  };
}

/** One figure since kernel 5.18, before that the parts of it. */
function kernelV2(stat: ReadonlyMap<string, number>): number | null {
  const whole = stat.get("kernel");
  if (whole !== undefined) return whole;
  const parts = ["kernel_stack", "pagetables", "percpu", "slab"].flatMap((name) => stat.get(name) ?? []);
  return parts.length === 0 ? null : parts.reduce((sum, part) => sum + part, 0);
}

/** "No limit" is the largest number of whole pages below 2^63. */
function limitV1(text: string | undefined): number | null {
  const limit = firstNumber(text);
  return limit === null || limit >= 2 ** 62 ? null : limit;
}

function difference(whole: number | null, part: number | null): number | null {
  return whole === null || part === null ? null : Math.max(0, whole - part);
}

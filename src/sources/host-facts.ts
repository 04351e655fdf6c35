import type { HostFacts } from "../core/readings.ts";
import { firstNumber, hashedFiles, keyValues, pressure, readFiles } from "./files.ts";
import { type EvidenceSource, parsedFrom, toReading } from "./reading.ts";

/** Memory, load, pressure, kernel limits and boot time of a host, in one command. */
export const hostFacts: EvidenceSource<"host-facts"> = {
  name: "host-facts",
  async read(reader, planned, context) {
    const { files, read, failure } = await readFiles(reader, Object.values(paths), context);
    const about = { source: planned.source, host: planned.host, containerId: null, read };
    if (failure !== null) return toReading(about, { status: "failed", ...failure }, context);
    const masked = new Map([...files].map(([path, content]) => [path, context.redactor.text(content)]));
    const parsed = parsedFrom<"host-facts", string>(hashedFiles(masked), () => parseHostFacts(masked));
    return toReading(about, parsed, context);
  },
};

const paths = {
  memory: "/proc/meminfo",
  uptime: "/proc/uptime",
  stat: "/proc/stat",
  load: "/proc/loadavg",
  vmstat: "/proc/vmstat",
  cpuPressure: "/proc/pressure/cpu",
  memoryPressure: "/proc/pressure/memory",
  ioPressure: "/proc/pressure/io",
  conntrackCount: "/proc/sys/net/netfilter/nf_conntrack_count",
  conntrackMax: "/proc/sys/net/netfilter/nf_conntrack_max",
  fileHandles: "/proc/sys/fs/file-nr",
  inotifyInstances: "/proc/sys/fs/inotify/max_user_instances",
  inotifyWatches: "/proc/sys/fs/inotify/max_user_watches",
  portRange: "/proc/sys/net/ipv4/ip_local_port_range",
  dmesgRestrict: "/proc/sys/kernel/dmesg_restrict",
  mounts: "/proc/self/mounts",
} as const;

/** Takes the files by path; one that is missing leaves its facts null. */
export function parseHostFacts(files: ReadonlyMap<string, string>): HostFacts {
  const file = (name: keyof typeof paths) => files.get(paths[name]);
  const memory = keyValues(file("memory"));
  const bytes = (name: string) => {
    const kib = memory.get(name);
    return kib === undefined ? null : kib * 1024;
  };
  const restrict = firstNumber(file("dmesgRestrict"));
  const stat = file("stat") ?? "";
  const bootS = keyValues(stat).get("btime");
  return {
    bootAtMs: bootS === undefined ? null : bootS * 1000,
    uptimeS: firstNumber(file("uptime")),
    memoryTotalBytes: bytes("MemTotal"),
    memoryAvailableBytes: bytes("MemAvailable"),
    swapTotalBytes: bytes("SwapTotal"),
    swapFreeBytes: bytes("SwapFree"),
    load1: firstNumber(file("load")),
    cpus: stat.match(/^cpu\d+ /gm)?.length ?? null,
    pressure: {
      cpu: pressure(file("cpuPressure")),
      memory: pressure(file("memoryPressure")),
      io: pressure(file("ioPressure")),
    },
    // Since kernel 4.13; counts kills by any limit, not only by the host's.
    oomKillsSinceBoot: keyValues(file("vmstat")).get("oom_kill") ?? null,
    conntrackCount: firstNumber(file("conntrackCount")),
    conntrackMax: firstNumber(file("conntrackMax")),
    fileHandles: fileHandlesOf(file("fileHandles")),
    inotifyMaxUserInstances: firstNumber(file("inotifyInstances")),
    inotifyMaxUserWatches: firstNumber(file("inotifyWatches")),
    localPortRange: portRangeOf(file("portRange")),
    dmesgRestrict: restrict === null ? null : restrict > 0,
    mounts: mountsOf(file("mounts") ?? ""),
  };
}

/** `allocated unused maximum` */
function fileHandlesOf(text: string | undefined): HostFacts["fileHandles"] {
  const match = /^(\d+)\s+\d+\s+(\d+)/.exec(text ?? "");
  return match === null ? null : { used: Number(match[1]), max: Number(match[2]) };
}

function portRangeOf(text: string | undefined): HostFacts["localPortRange"] {
  const match = /^(\d+)\s+(\d+)/.exec(text ?? "");
  return match === null ? null : { first: Number(match[1]), last: Number(match[2]) };
}

/** Every line is complete or left out: `head` may have cut the last one. Blanks in names are written as `\040`. */
function mountsOf(text: string): HostFacts["mounts"] {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.flatMap((line) => {
    const [device, target, type, options] = line.split(" ");
    if (device === undefined || target === undefined || type === undefined || options === undefined) return [];
    return [{ device: unescaped(device), target: unescaped(target), type, options }];
  });
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

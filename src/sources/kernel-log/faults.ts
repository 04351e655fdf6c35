import type { KernelClock, KernelFault, KernelFaultKind } from "../../core/kernel-log.ts";
import { limits } from "../../core/limits.ts";
import { toEpochMs } from "./clock.ts";
import { containerIdOf } from "./container-id.ts";
import type { Prefixed } from "./prefix.ts";

type Read = {
  kind: KernelFaultKind;
  pid?: string | undefined;
  process?: string | undefined;
  cgroup?: string | undefined;
};
type Pattern = {
  needle: string;
  pattern: RegExp;
  read: (match: RegExpExecArray) => Read;
  writers?: RegExp;
};

/** The fault a line tells of, or null. A kernel fault is only taken from the kernel, or from a line that names nobody. */
export function readFault(line: Prefixed, clock: KernelClock): KernelFault | null {
  for (const { needle, pattern, read, writers } of PATTERNS) {
    if (!line.message.includes(needle)) continue;
    const match = pattern.exec(line.message);
    if (match === null || !(writers ?? KERNEL).test(line.program ?? "kernel")) continue;
    const { kind, pid, process, cgroup } = read(match);
    return {
      timestamp: line.stamp.printed,
      atMs: toEpochMs(line.stamp, clock),
      kernelSeconds: line.stamp.kernelSeconds,
      pid: pid === undefined ? null : Number(pid),
      process: process ?? null,
      containerId: containerIdOf(cgroup ?? null),
      text: line.message.slice(0, limits.factTextChars),
      ...kind,
    };
  }
  return null;
}

const KERNEL = /^(?:kernel|audit)$/;

/**
 * The kernel sources that print each line (names as of 6.x) stand beside it. All begin at the first character of the
 * message; a process name is read up to the last place where the kernel's own text can follow.
 */
const PATTERNS: readonly Pattern[] = [
  {
    // arch/x86/mm/fault.c, show_signal_msg()
    needle: "]: segfault at ",
    pattern: /^(.{1,64})\[(\d+)\]: segfault at [0-9a-f]+ ip \S+ sp \S+ error [0-9a-f]+(?: in ([^[]{1,200})\[)?/,
    read: (m) => ({
      kind: { kind: "segfault", library: m[3] ?? null },
      process: m[1],
      pid: m[2],
    }),
  },
  {
    // arch/x86/kernel/traps.c, show_signal()
    needle: " ip:",
    pattern:
      /^(?:traps: )?(.{1,64})\[(\d+)\] (?:trap )?([a-z0-9 ]{3,40}) ip:\S+ sp:\S+ error:[0-9a-f]+(?: in ([^[]{1,200})\[)?/,
    read: (m) => ({
      kind: { kind: "trap", trap: m[3] as string, library: m[4] ?? null },
      process: m[1],
      pid: m[2],
    }),
  },
  {
    // net/netfilter/nf_conntrack_core.c
    needle: "table full, dropping packet",
    pattern: /^(?:(?:nf|ip)_conntrack: ){1,2}table full, dropping packet/,
    read: () => ({ kind: { kind: "conntrack-table-full" } }),
  },
  {
    // block/blk-mq.c, blk_print_req_error()
    needle: "error, dev ",
    pattern: /^(?:(?:blk_update_request|print_req_error|end_request): )?(?:critical \w+|I\/O) error, dev ([^\s,]+)/,
    read: (m) => ({ kind: { kind: "io-error", device: m[1] ?? null } }),
  },
  {
    // fs/buffer.c
    needle: "uffer I/O error on dev",
    pattern: /^[Bb]uffer I\/O error on dev(?:ice)? ([^\s,]+)/,
    read: (m) => ({ kind: { kind: "io-error", device: m[1] ?? null } }),
  },
  {
    // fs/ext4/super.c, fs/btrfs/messages.c
    needle: "emounting filesystem read-only",
    pattern: /^(?:EXT[234]-fs|F2FS-fs) \(([^)]{1,64})\): Remounting filesystem read-only/,
    read: (m) => ({
      kind: { kind: "filesystem-read-only", device: m[1] ?? null },
    }),
  },
  {
    needle: "forced readonly",
    pattern: /^BTRFS info \(device ([^\s)]{1,64})[^)]*\): forced readonly/,
    read: (m) => ({
      kind: { kind: "filesystem-read-only", device: m[1] ?? null },
    }),
  },
  {
    needle: "-fs error (device ",
    pattern: /^(EXT[234])-fs error \(device ([^)]{1,64})\)/,
    read: (m) => ({
      kind: {
        kind: "filesystem-error",
        filesystem: (m[1] as string).toLowerCase(),
        device: m[2] ?? null,
      },
    }),
  },
  {
    // fs/xfs/xfs_fsops.c, xfs_do_force_shutdown(); fs/xfs/xfs_error.c
    needle: "XFS (",
    pattern: /^XFS \(([^)]{1,64})\): .*(?:orruption|[Ss]hut(?:ting)? ?down|I\/O [Ee]rror|error -?\d+)/,
    read: (m) => ({
      kind: {
        kind: "filesystem-error",
        filesystem: "xfs",
        device: m[1] ?? null,
      },
    }),
  },
  {
    needle: "BTRFS ",
    pattern: /^BTRFS (?:error|critical|alert) \(device ([^\s)]{1,64})/,
    read: (m) => ({
      kind: {
        kind: "filesystem-error",
        filesystem: "btrfs",
        device: m[1] ?? null,
      },
    }),
  },
  {
    // kernel/hung_task.c
    needle: "blocked for more than ",
    pattern: /^(?:INFO: )?task (.{1,64}):(\d+) blocked for more than (\d+) seconds/,
    read: (m) => ({
      kind: { kind: "hung-task", seconds: Number(m[3]) },
      process: m[1],
      pid: m[2],
    }),
  },
  {
    // kernel/watchdog.c
    needle: "soft lockup",
    pattern: /^(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck for (\d+)s! \[(.{1,64}):(\d+)\]/,
    read: (m) => ({
      kind: { kind: "soft-lockup", seconds: Number(m[1]) },
      process: m[2],
      pid: m[3],
    }),
  },
  {
    // net/ipv4/tcp_input.c, tcp_syn_flood_action()
    needle: "ossible SYN flooding on port ",
    pattern:
      /^(?:request_sock_TCP\w*|TCP): (?:request_sock_\w+: )?[Pp]ossible SYN flooding on port (?:\S{1,64}:)?(\d{1,5})\b/,
    read: (m) => ({ kind: { kind: "syn-flood", port: Number(m[1]) } }),
  },
  {
    // kernel/auditsc.c, audit_seccomp()
    needle: "type=1326 ",
    pattern: /^(?:audit: )?type=1326 audit\([\d.:]+\):.* pid=(\d+) comm=(?:"([^"]{0,64})"|\S+)(?:.* syscall=(\d+))?/,
    read: (m) => ({
      kind: {
        kind: "seccomp",
        syscall: m[3] === undefined ? null : Number(m[3]),
      },
      pid: m[1],
      process: m[2],
    }),
  },
  {
    // security/apparmor/audit.c
    needle: 'apparmor="DENIED"',
    pattern: /^(?:audit: )?type=1400 audit\([\d.:]+\): apparmor="DENIED" (.*)$/,
    read: (m) => {
      const field = (name: string) =>
        new RegExp(`(?:^| )${name}=(?:"([^"]{0,400})"|(\\S{1,400}))`).exec(m[1] as string);
      const text = (name: string) => field(name)?.[1] ?? field(name)?.[2] ?? null;
      const kind = {
        kind: "apparmor-denied" as const,
        profile: text("profile"),
        operation: text("operation"),
        path: text("name"),
      };
      return {
        kind,
        pid: text("pid") ?? undefined,
        process: text("comm") ?? undefined,
      };
    },
  },
  {
    // kernel/cgroup/pids.c
    needle: "fork rejected by pids controller in ",
    pattern: /^cgroup: fork rejected by pids controller in (\/.{0,1000})$/,
    read: (m) => ({
      kind: { kind: "fork-rejected", cgroup: m[1] as string },
      cgroup: m[1],
    }),
  },
  {
    // drivers/net: every driver has its own words around these
    needle: "ink is ",
    pattern: /^(?:.{0,120}?\s)?([a-z][\w.-]{1,14}):? (?:NIC )?(?:Copper |Fibre |SerDes )?[Ll]ink is [Dd]own/,
    read: (m) => ({ kind: { kind: "link-down", device: m[1] ?? null } }),
  },
  {
    // mm/oom_kill.c, oom_reap_task()
    needle: "oom_reaper: reaped process ",
    pattern: /^oom_reaper: reaped process (\d+) \((.*)\), now anon-rss:/,
    read: (m) => ({ kind: { kind: "oom-reaper" }, pid: m[1], process: m[2] }),
  },
  {
    // mm/oom_kill.c, out_of_memory()
    needle: "memory",
    pattern:
      /^(?:Kernel panic - not syncing: )?(?:Out of memory and no killable processes|Out of memory: \S+ panic_on_oom is enabled|System is deadlocked on memory)/,
    read: () => ({ kind: { kind: "oom-no-victim" } }),
  },
  {
    // lib/ratelimit.c: only these functions print parts of a kill record
    needle: " callbacks suppressed",
    pattern:
      /^(oom_kill_process|__oom_kill_process|dump_header|out_of_memory|mem_cgroup_print_oom_info): (\d+) (?:output lines suppressed|callbacks suppressed)/,
    read: (m) => ({
      kind: {
        kind: "messages-lost",
        by: m[1] as string,
        records: Number(m[2]),
      },
    }),
  },
  {
    // kernel/printk/printk.c
    needle: "printk messages dropped",
    pattern: /^\*\* (\d+) printk messages dropped/,
    read: (m) => ({
      kind: { kind: "messages-lost", by: "printk", records: Number(m[1]) },
    }),
  },
  {
    // systemd src/journal/journald-kmsg.c
    needle: "kernel messages",
    pattern: /^Missed (\d+) kernel messages/,
    read: (m) => ({
      kind: { kind: "messages-lost", by: "journald", records: Number(m[1]) },
    }),
    writers: /^(?:systemd-journald|systemd-journal|journald|kernel)$/,
  },
  {
    // kernel/power/suspend.c
    needle: "PM: ",
    pattern: /^PM: (?:suspend|hibernation:? hibernation) (entry|exit)/,
    read: (m) => ({
      kind: { kind: "suspend", phase: m[1] as "entry" | "exit" },
    }),
  },
  {
    // kernel/time/clocksource.c
    needle: "clocksource",
    pattern:
      /^(?:[Cc]locksource: )?(?:timekeeping watchdog.*[Mm]arking clocksource .* as unstable|Clocksource \S+ unstable|Marking clocksource .* unstable)/i,
    read: () => ({ kind: { kind: "clock-unstable" } }),
  },
  {
    // systemd src/oom/oomd-manager.c
    needle: " due to memory ",
    pattern: /^Killed (\/.{1,1000}?) due to memory (?:used|pressure)/,
    read: (m) => ({
      kind: {
        kind: "user-space-kill",
        killer: "systemd-oomd",
        cgroup: m[1] as string,
      },
      cgroup: m[1],
    }),
    writers: /^systemd-oomd$/,
  },
  {
    // earlyoom kill.c, kill_process()
    needle: "SIGKILL to process ",
    pattern: /^sending SIGKILL to process (\d+)(?: uid \d+)? "(.*)":/,
    read: (m) => ({
      kind: { kind: "user-space-kill", killer: "earlyoom", cgroup: null },
      pid: m[1],
      process: m[2],
    }),
    writers: /^earlyoom$/,
  },
  {
    // systemd src/core/unit.c
    needle: "killed by the OOM killer",
    pattern: /^(\S{1,255}): A process of this unit has been killed by the OOM killer/,
    read: (m) => ({
      kind: { kind: "unit-oom-killed", unit: m[1] as string },
      cgroup: m[1],
    }),
    writers: /^systemd$/,
  },
];

/** One word of every line worth a second look; a line without any is skipped unread. */
export const faultNeedles: readonly string[] = PATTERNS.map(({ needle }) => needle).filter((word) => word !== "memory");

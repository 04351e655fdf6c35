/**
 * Whose limit was hit: the memory limit of a control group, the whole machine, a cpuset's nodes, or the nodes of a
 * memory policy. `unknown` where the text that would say so is missing.
 */
export type OomScope = "memcg" | "host" | "cpuset" | "mempolicy" | "unknown";

/** One `usage … limit … failcnt …` line of the group whose limit was hit. `limitKb` is null where there is no limit. */
export type CgroupCounter = {
  usageKb: number;
  limitKb: number | null;
  failcnt: number;
};

/** One row of the task dump. Sizes are in pages; `swapEntries` is in pages too. */
export type OomTask = {
  pid: number;
  uid: number;
  tgid: number;
  totalVmPages: number;
  rssPages: number;
  /** The three parts of `rssPages`; printed since kernel 6.8, null before. */
  rssAnonPages: number | null;
  rssFilePages: number | null;
  rssShmemPages: number | null;
  swapEntries: number | null;
  oomScoreAdj: number | null;
  name: string;
};

/** One process killed, or chosen to be killed, by the kernel for want of memory. Unknown is null, never zero. */
export type OomKill = {
  /** Process id as the host sees it. */
  pid: number;
  process: string;
  scope: OomScope;
  /** Innermost container id (12 to 64 hex digits) in the killed task's cgroup path. */
  containerId: string | null;
  /** The group whose limit was hit; null unless the scope is `memcg`. */
  limitedCgroup: string | null;
  totalVmKb: number | null;
  anonRssKb: number | null;
  fileRssKb: number | null;
  shmemRssKb: number | null;
  uid: number | null;
  oomScoreAdj: number | null;
  /** The process whose allocation started the search for a victim: often a bystander. */
  triggeredBy: string | null;
  /** As printed, without brackets. */
  timestamp: string | null;
  /** False where the text shows the choice of a victim but not the kill itself. */
  confirmed: boolean;

  /** Epoch milliseconds; null where the text and the clock do not give them. */
  atMs: number | null;
  kernelSeconds: number | null;
  /** The killed task's own cgroup. */
  taskCgroup: string | null;
  /** The cgroup that was killed as a whole because `memory.oom.group` is set there (kernel 4.19 and later). */
  killedWithGroup: string | null;
  gfpMask: string | null;
  /** Allocation order; -1 means somebody asked for the kill with SysRq-f. */
  order: number | null;
  memory: CgroupCounter | null;
  memorySwap: CgroupCounter | null;
  swap: CgroupCounter | null;
  tasks: readonly OomTask[];
  /** The row with the most resident and swapped pages: the hog, which need not be the victim. */
  largestTask: OomTask | null;
  /** From the victim's own figures in kB and in pages; null where both are not there. */
  pageSizeKb: number | null;
  ramPages: number | null;
  totalSwapKb: number | null;
  freeSwapKb: number | null;
};

type FaultPlace = {
  timestamp: string | null;
  atMs: number | null;
  kernelSeconds: number | null;
  pid: number | null;
  process: string | null;
  containerId: string | null;
  /** The message without its prefix, cut to a bounded length. Hostile text. */
  text: string;
};

/** What else a kernel log tells that can be the cause of an incident, or weakens what the log can prove. */
export type KernelFaultKind =
  | { kind: "segfault"; library: string | null }
  | { kind: "trap"; trap: string; library: string | null }
  | { kind: "conntrack-table-full" }
  | { kind: "io-error"; device: string | null }
  | { kind: "filesystem-error"; filesystem: string; device: string | null }
  | { kind: "filesystem-read-only"; device: string | null }
  | { kind: "hung-task"; seconds: number }
  | { kind: "soft-lockup"; seconds: number | null }
  | { kind: "syn-flood"; port: number }
  | { kind: "seccomp"; syscall: number | null }
  | {
      kind: "apparmor-denied";
      profile: string | null;
      operation: string | null;
      path: string | null;
    }
  | { kind: "fork-rejected"; cgroup: string }
  | { kind: "link-down"; device: string | null }
  | { kind: "oom-reaper" }
  | { kind: "oom-no-victim" }
  /** `records` is null where the text does not count them. */
  | { kind: "messages-lost"; by: string; records: number | null }
  | { kind: "suspend"; phase: "entry" | "exit" }
  | { kind: "clock-unstable" }
  /** systemd-oomd and earlyoom kill from user space: the kernel writes no record of it. */
  | {
      kind: "user-space-kill";
      killer: "systemd-oomd" | "earlyoom";
      cgroup: string | null;
    }
  /** systemd's remark that a unit lost a process to the OOM killer. */
  | { kind: "unit-oom-killed"; unit: string };

export type KernelFault = FaultPlace & KernelFaultKind;

export type KernelLog = {
  /** In the order of the text; one per process. */
  kills: readonly OomKill[];
  faults: readonly KernelFault[];
  /** Time of the first and of the last line that has a computable time; lines need not be in order of time. */
  firstAtMs: number | null;
  lastAtMs: number | null;
  lines: number;
  /** The text itself says that records were lost, so a missing kill proves nothing. */
  suppressed: boolean;
  /** An OOM record begins before the text or ends after it. */
  truncated: boolean;
};

/** What is known besides the text. All may be missing. */
export type KernelClock = {
  /** Epoch milliseconds at which the kernel's own clock was zero. Only right for text of the current boot. */
  bootAtMs?: number | null;
  /** When the text was read; it decides the year of stamps without one. */
  nowMs?: number | null;
  /** Zone of stamps that do not name one, minutes east of UTC. Without it such stamps give no time. */
  timeZoneOffsetMinutes?: number;
};

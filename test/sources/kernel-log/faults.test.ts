import { describe, expect, test } from "vitest";
import { parseKernelLog } from "../../../src/sources/kernel-log/parse.ts";

const ID = "9e".repeat(32);

const kernelLines: [string, Record<string, unknown>][] = [
  [
    "python3[1234]: segfault at 0 ip 00007f3c61e5b0a0 sp 00007ffd3a3b1c58 error 4 in libc.so.6[7f3c61d00000+195000] likely on CPU 1 (core 1, socket 0)",
    { kind: "segfault", process: "python3", pid: 1234, library: "libc.so.6" },
  ],
  [
    "tmux: server[77]: segfault at ffff ip 0000000000000000 sp 00007ffd3a3b1c58 error 14",
    { kind: "segfault", process: "tmux: server", pid: 77, library: null },
  ],
  [
    "traps: python3[1234] general protection fault ip:7f3c61e5b0a0 sp:7ffd3a3b1c58 error:0 in libc-2.31.so[7f3c61d00000+195000]",
    { kind: "trap", trap: "general protection fault", process: "python3", pid: 1234, library: "libc-2.31.so" },
  ],
  [
    "traps: app[9] trap divide error ip:401136 sp:7ffd error:0 in app[401000+1000]",
    { kind: "trap", trap: "divide error", library: "app" },
  ],
  ["nf_conntrack: nf_conntrack: table full, dropping packet", { kind: "conntrack-table-full" }],
  [
    "blk_update_request: I/O error, dev sda, sector 123 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0",
    { kind: "io-error", device: "sda" },
  ],
  ["critical medium error, dev nvme0n1, sector 5 op 0x0:(READ)", { kind: "io-error", device: "nvme0n1" }],
  ["Buffer I/O error on dev dm-3, logical block 77, lost async page write", { kind: "io-error", device: "dm-3" }],
  [
    "EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0",
    { kind: "filesystem-error", filesystem: "ext4", device: "sda1" },
  ],
  ["EXT4-fs (sda1): Remounting filesystem read-only", { kind: "filesystem-read-only", device: "sda1" }],
  ["BTRFS info (device sdb1): forced readonly", { kind: "filesystem-read-only", device: "sdb1" }],
  [
    "XFS (dm-0): Corruption of in-memory data (0x8) detected at xfs_trans_cancel.  Shutting down filesystem.",
    { kind: "filesystem-error", filesystem: "xfs", device: "dm-0" },
  ],
  [
    "INFO: task kworker/0:1:123 blocked for more than 120 seconds.",
    { kind: "hung-task", process: "kworker/0:1", pid: 123, seconds: 120 },
  ],
  [
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [stress:4321]",
    { kind: "soft-lockup", process: "stress", pid: 4321, seconds: 22 },
  ],
  [
    "TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:8080. Sending cookies.",
    { kind: "syn-flood", port: 8080 },
  ],
  [
    "TCP: Possible SYN flooding on port 7001. Dropping request.  Check SNMP counters.",
    { kind: "syn-flood", port: 7001 },
  ],
  [
    'audit: type=1326 audit(1767626367.123:45): auid=1000 uid=0 gid=0 ses=1 pid=555 comm="unshare" exe="/usr/bin/unshare" sig=31 arch=c000003e syscall=272 compat=0 ip=0x7f code=0x80000000',
    { kind: "seccomp", pid: 555, process: "unshare", syscall: 272 },
  ],
  [
    'audit: type=1400 audit(1767626367.123:46): apparmor="DENIED" operation="open" profile="docker-default" name="/proc/sys/kernel/x" pid=556 comm="cat" requested_mask="w" denied_mask="w" fsuid=0 ouid=0',
    {
      kind: "apparmor-denied",
      profile: "docker-default",
      operation: "open",
      path: "/proc/sys/kernel/x",
      pid: 556,
      process: "cat",
    },
  ],
  [
    `cgroup: fork rejected by pids controller in /docker/${ID}`,
    { kind: "fork-rejected", cgroup: `/docker/${ID}`, containerId: ID },
  ],
  ["e1000e 0000:00:19.0 eth0: NIC Link is Down", { kind: "link-down", device: "eth0" }],
  ["bnx2 0000:02:00.0: eth1: NIC Copper Link is Down", { kind: "link-down", device: "eth1" }],
  [
    "oom_reaper: reaped process 1381 (gunpowder (x)), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    { kind: "oom-reaper", pid: 1381, process: "gunpowder (x)" },
  ],
  ["Out of memory and no killable processes...", { kind: "oom-no-victim" }],
  ["oom_kill_process: 5 callbacks suppressed", { kind: "messages-lost", by: "oom_kill_process", records: 5 }],
  ["** 120 printk messages dropped **", { kind: "messages-lost", by: "printk", records: 120 }],
  ["PM: suspend entry (deep)", { kind: "suspend", phase: "entry" }],
  ["PM: suspend exit", { kind: "suspend", phase: "exit" }],
  [
    "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is too large:",
    { kind: "clock-unstable" },
  ],
];

describe("what else the kernel tells", () => {
  test.each(kernelLines)("%s", (line, expected) => {
    const clock = { bootAtMs: 1_000_000 };
    expect(parseKernelLog(`[   12.500000] ${line}\n`, clock).faults).toMatchObject([
      { ...expected, timestamp: "12.500000", atMs: 1_012_500, text: line },
    ]);
  });

  test.each(kernelLines)("a program that prints it is not believed: %s", (line) => {
    expect(
      parseKernelLog(`Jan  5 15:19:27 web-1 myapp[1]: ${line}\nJan  5 15:19:27 web-1 myapp[1]: said: ${line}\n`).faults,
    ).toEqual([]);
  });
});

describe("who kills from user space", () => {
  const oomd = `Killed /system.slice/docker-${ID}.scope due to memory pressure for /system.slice being 72.98% > 50.00% for > 20s with reclaim activity`;
  const early = 'sending SIGKILL to process 1234 uid 1000 "web (x)": badness 810, VmRSS 1234 MiB';

  test("systemd-oomd, with the container", () => {
    expect(parseKernelLog(`Jan 05 15:19:27 web-1 systemd-oomd[569]: ${oomd}\n`)).toMatchObject({
      kills: [],
      faults: [{ kind: "user-space-kill", killer: "systemd-oomd", containerId: ID }],
    });
  });

  test("earlyoom, with the process", () => {
    expect(parseKernelLog(`Jan 05 15:19:27 web-1 earlyoom[569]: ${early}\n`)).toMatchObject({
      kills: [],
      faults: [{ kind: "user-space-kill", killer: "earlyoom", pid: 1234, process: "web (x)" }],
    });
  });

  test("systemd's remark names the unit's container", () => {
    const text = `Jan 05 15:19:27 web-1 systemd[1]: docker-${ID}.scope: A process of this unit has been killed by the OOM killer.\n`;
    expect(parseKernelLog(text)).toMatchObject({ kills: [], faults: [{ kind: "unit-oom-killed", containerId: ID }] });
  });

  test("nobody else is believed", () => {
    for (const who of ["kernel", "myapp[1]", "systemd-oomd-fake[1]"]) {
      expect(
        parseKernelLog(`Jan 05 15:19:27 web-1 ${who}: ${oomd}\nJan 05 15:19:27 web-1 ${who}: ${early}\n`).faults,
      ).toEqual([]);
    }
  });
});

describe("whether the log can prove that nothing was killed", () => {
  test("not where the kernel left out records", () => {
    expect(parseKernelLog("[ 1.5] oom_kill_process: 12 callbacks suppressed\n").suppressed).toBe(true);
  });

  test("other rate limits leave the records alone", () => {
    expect(parseKernelLog("[ 1.5] net_ratelimit: 12 callbacks suppressed\n").suppressed).toBe(false);
  });

  test("lines and the time they cover are told", () => {
    const text = "[ 10.000000] a\n[ 11.000000] b\n garbage\n[ 20.500000] c\n";
    expect(parseKernelLog(text, { bootAtMs: 1_000 })).toMatchObject({
      lines: 4,
      firstAtMs: 11_000,
      lastAtMs: 21_500,
      truncated: false,
    });
  });

  test("without a clock there is no time", () => {
    expect(parseKernelLog("[ 10.000000] a\n")).toMatchObject({ lines: 1, firstAtMs: null, lastAtMs: null });
  });

  test("a date without a year is the last such date before the text was read", () => {
    const text = "Dec 31 23:00:00 web-1 kernel: a\nJan  1 01:00:00 web-1 kernel: b\n";
    const nowMs = Date.UTC(2026, 0, 1, 2);
    expect(parseKernelLog(text, { nowMs, timeZoneOffsetMinutes: 60 })).toMatchObject({
      firstAtMs: Date.UTC(2025, 11, 31, 22),
      lastAtMs: Date.UTC(2026, 0, 1, 0),
    });
    expect(parseKernelLog(text, { nowMs })).toMatchObject({ firstAtMs: null, lastAtMs: null });
    expect(parseKernelLog(text, { timeZoneOffsetMinutes: 60 })).toMatchObject({ firstAtMs: null, lastAtMs: null });
  });
});

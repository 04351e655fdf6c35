import { describe, expect, test } from "vitest";
import { parseKernelLog } from "../../../src/sources/kernel-log/parse.ts";

const full =
  "Killed process 99 (x) total-vm:80kB, anon-rss:70kB, file-rss:1kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0";
const summary =
  "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=x,pid=99,uid=0";

describe("text that only mentions OOM is no kill", () => {
  test.each([
    ["a program's own line in syslog", `Jan  5 15:19:27 web-1 myapp[123]: ${full}`],
    ["a program that quotes the kernel's tag", `Jan  5 15:19:27 web-1 myapp[123]: kernel: ${full}`],
    ["a program that quotes a whole line", `Jan  5 15:19:27 web-1 myapp[123]: [ 12.3] Out of memory: ${full}`],
    ["a program in the journal", `2026-01-05T15:19:27+0000 web-1 myapp[123]: Out of memory: ${full}`],
    ["a program in RFC 5424", `<14>1 2026-01-05T15:19:27Z web-1 myapp 123 - - Out of memory: ${full}`],
    ["a program that writes to /dev/kmsg", `12,1234,5678901,-;Out of memory: ${full}`],
    ["a program that writes to the ring buffer, raw", `<14>[   12.345678] Out of memory: ${full}`],
    ["a program that writes to the ring buffer, decoded", `user  :info  : [   12.345678] Out of memory: ${full}`],
    [
      "a program that calls itself kernel in the journal",
      JSON.stringify({ _TRANSPORT: "syslog", SYSLOG_IDENTIFIER: "kernel", MESSAGE: `Out of memory: ${full}` }),
    ],
    [
      "a program in the journal, with fields",
      `Mon 2026-01-05 15:19:27 UTC [s=1]\n    _TRANSPORT=stdout\n    SYSLOG_IDENTIFIER=kernel\n    MESSAGE=Out of memory: ${full}`,
    ],
    [
      "source code",
      `    line = "Out of memory: ${full}"\npr_err("%s: Killed process %d (%s) total-vm:%lukB", message, task_pid_nr(victim), victim->comm);`,
    ],
    [
      "grep's output of source code",
      `mm/oom_kill.c:930:\tpr_err("%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB\\n",`,
    ],
    ["a sentence", `The kernel then prints Out of memory: ${full}`],
    ["a list item", `- Out of memory: ${full}`],
    [
      "a sentence that begins like a record",
      "Out of memory: Killed process 2188 (mysqld) is what you see when the host has no memory left.",
    ],
    ["a supervisor's line", "Killed process 2188 (mysqld)"],
    [
      "Java",
      "java.lang.OutOfMemoryError: Java heap space\nTerminating due to java.lang.OutOfMemoryError: Java heap space",
    ],
    ["Go", "fatal error: runtime: out of memory\n\nruntime stack:"],
    ["Node", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"],
    [
      "PostgreSQL",
      "2026-01-05 15:19:27 UTC [12] ERROR:  out of memory\nDETAIL:  Failed on request of size 99 in memory context",
    ],
    ["Redis", "OOM command not allowed when used memory > 'maxmemory'."],
    ["a panic without a victim", "[ 1.2] Kernel panic - not syncing: Out of memory and no killable processes..."],
    [
      "a search without a victim",
      "[ 1.2] java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n[ 1.2] Out of memory and no killable processes...",
    ],
    ["only the reaper", "[ 1.2] oom_reaper: reaped process 99 (x), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"],
    [
      "a summary without a process",
      "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=emulator,mems_allowed=0,global_oom,task=qemu",
    ],
    [
      "a pid that may be cut",
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=x,pid=9",
    ],
    ["a process of that name", "[ 1.2] Killed process[123]: segfault at 0 ip 00007f sp 00007f error 4 in x[1000+1]"],
    ["nothing", ""],
  ])("%s", (_, text) => {
    expect(parseKernelLog(text).kills).toEqual([]);
  });
});

describe("a process name cannot forge", () => {
  test.each([
    ["figures", "a) total-vm:1kB"],
    ["an end", "a) total-vm:"],
    ["a pid", "x,pid=1,uid=0"],
    ["a task", ",task=y,pid=2"],
    ["a choice", "b) score 7 or s"],
    ["a record", "Killed process "],
    ["a tag", "kernel: [1.2] "],
    ["a stamp", "[99.123456] x"],
    ["a trigger", "invoked oom-kil"],
    ["a row", "[ 1]  0  1  1 1"],
    ["an object's property", "constructor"],
  ])("%s", (_, name) => {
    const text = [
      `${name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0`,
      summary.replace("task=x", `task=${name}`),
      `Out of memory: ${full.replace("(x)", `(${name})`)}`,
    ];
    for (const prefix of ["[    5.000001] ", "Jan  5 15:19:27 web-1 kernel: ", "6,1,5000001,-;"]) {
      const [kill, ...more] = parseKernelLog(text.map((line) => `${prefix}${line}\n`).join("")).kills;
      expect(more).toEqual([]);
      expect(kill).toMatchObject({
        pid: 99,
        process: name,
        scope: "host",
        uid: 0,
        totalVmKb: 80,
        anonRssKb: 70,
        confirmed: true,
      });
    }
  });

  test("a name with a line break in it, which dmesg prints as two lines", () => {
    const text = `[ 5.1] Out of memory: Killed process 99 (a\n[ 5.1] Killed process) total-vm:80kB, anon-rss:70kB, file-rss:1kB\n`;
    expect(parseKernelLog(text).kills.every((kill) => kill.pid === 99)).toBe(true);
  });
});

describe("what other kernels and tools write is still read", () => {
  test.each([
    [
      "kernel 2.6's short form",
      "[ 1.2] Out of Memory: Killed process 16498 (java).",
      { pid: 16_498, process: "java", scope: "host", totalVmKb: null },
    ],
    [
      "a search that takes who asks",
      "[ 1.2] Out of memory (oom_kill_allocating_task): Killed process 5 (x) total-vm:8kB, anon-rss:7kB, file-rss:1kB",
      { pid: 5, scope: "host" },
    ],
    [
      "a group's kill without a constraint",
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/test1,task_memcg=/test1,task=a.out,pid=9188,uid=0",
      { scope: "memcg", limitedCgroup: "/test1", confirmed: false },
    ],
    [
      "a constraint from a later kernel",
      "oom-kill:constraint=CONSTRAINT_BPF_PSI_MEM,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=t,pid=675,uid=0",
      { scope: "memcg", pid: 675 },
    ],
    [
      "SUSE's summary without a cpuset",
      "[337533.314408] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/leaker,task_memcg=/leaker,task=leaker,pid=23793,uid=0",
      { limitedCgroup: "/leaker", timestamp: "337533.314408" },
    ],
    [
      "a kill line alone",
      "Killed process 7 (x) total-vm:8kB, anon-rss:7kB, file-rss:1kB",
      { pid: 7, scope: "unknown", confirmed: true },
    ],
    [
      "a kill behind its cgroups alone",
      "Task in /1066/uid killed as a result of limit of /1066\nKilled process 1046 (apache2) total-vm:8kB, anon-rss:7kB, file-rss:1kB",
      { scope: "memcg", limitedCgroup: "/1066", triggeredBy: null },
    ],
    [
      "a figure that is cut",
      "[ 1.2] Killed process 2603 (flasherav) total-vm:1498536kB, anon-rss:72",
      { totalVmKb: 1_498_536, anonRssKb: null },
    ],
    [
      "an unusual bracketed clock",
      `[2026-01-05 15:19:27 UTC] kernel: Out of memory: ${full}`,
      { pid: 99, timestamp: "2026-01-05 15:19:27 UTC" },
    ],
  ])("%s", (_, text, expected) => {
    expect(parseKernelLog(text).kills).toMatchObject([expected]);
  });
});

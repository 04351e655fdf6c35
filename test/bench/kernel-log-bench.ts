import { parseKernelLog } from "../../src/sources/kernel-log/parse.ts";

/** Prints how long the parser takes for 10 MB of each kind of text. Run it by hand: `node test/bench/kernel-log-bench.ts`. */
const BYTES = 10_000_000;
const ROUNDS = 7;

const id = "0123456789abcdef".repeat(4);

const kinds: Record<string, (i: number) => string> = {
  "ordinary syslog": (i) =>
    `Jan  5 15:19:${10 + (i % 50)} web1 kernel: [${i}.123456] docker0: port ${i % 9}(veth${i}) entered blocking state\n`,
  "chat log that talks of oom": (i) =>
    `2026-01-05T15:19:27Z room ${i}: Java OutOfMemoryError, out of memory, Killed the oom-killer\n`,
  "one kill after another": (i) => kill(i, 3),
  "large task dumps": (i) => kill(i, 2_000),
  "table rows without a record": (i) =>
    `[${i}.123456] [${String(i).padStart(7)}]     0 ${i}   191864     2505   331776        0             0 php-fpm\n`,
  "json of the journal": (i) =>
    `${JSON.stringify({ __REALTIME_TIMESTAMP: "1767626367000000", _TRANSPORT: "kernel", MESSAGE: `docker0: port ${i} entered blocking state` })}\n`,
};

for (const [name, line] of Object.entries(kinds)) {
  const text = fill(line);
  const times = Array.from({ length: ROUNDS }, () => time(text)).sort((a, b) => a - b);
  const log = parseKernelLog(text);
  console.log(
    `${name.padEnd(30)} median ${times[3]?.toFixed(0)} ms, worst ${times.at(-1)?.toFixed(0)} ms, ${log.kills.length} kills, ${log.lines} lines`,
  );
}

function fill(line: (i: number) => string): string {
  const lines: string[] = [];
  for (let i = 1, bytes = 0; bytes < BYTES; i++) {
    const next = line(i);
    lines.push(next);
    bytes += next.length;
  }
  // Through bytes, as a file or a stream delivers it.
  return Buffer.from(lines.join("")).toString("utf8");
}

function time(text: string): number {
  const start = performance.now();
  parseKernelLog(text);
  return performance.now() - start;
}

function kill(i: number, rows: number): string {
  const stamp = `[${i * 100}.123456] `;
  const group = `/system.slice/docker-${id}.scope`;
  const lines = [
    "stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    ...Array.from({ length: 20 }, (_, k) => ` ? handle_mm_fault+0x${k}/0x2c0`),
    "memory: usage 65536kB, limit 65536kB, failcnt 31",
    "Tasks state (memory values in pages):",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    ...Array.from(
      { length: rows },
      (_, k) =>
        `[${String(k + 1).padStart(7)}]     0 ${k + 1}   191864     2505   331776        0             0 php-fpm`,
    ),
    `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=${group},task_memcg=${group},task=stress,pid=${i},uid=0`,
    `Memory cgroup out of memory: Killed process ${i} (stress) total-vm:100kB, anon-rss:${i}kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0`,
  ];
  return lines.map((line) => `${stamp}${line}\n`).join("");
}

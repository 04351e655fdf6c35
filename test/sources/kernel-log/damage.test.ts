import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toKernelLogJson } from "../../../src/sources/kernel-log/json.ts";
import { parseKernelLog } from "../../../src/sources/kernel-log/parse.ts";
import { driverOf, formOf, forms, type Scene, type Truth, type Written } from "./written.ts";
import { logOf } from "./written-logs.ts";

const folder = process.env["ROOM137_OOM_SAMPLES"] ?? join(import.meta.dirname, "../../../../shared/oom-samples");
const samples = readdirSync(folder)
  .filter((name) => name.endsWith(".txt"))
  .map((name) => readFileSync(join(folder, name), "utf8"));

const base = { scope: "memcg", uid: 1000, adj: 0, pages: 5000, trigger: "java" } as const;
const one: Scene = {
  ...base,
  pid: 501,
  process: "postgres",
  taskCgroup: driverOf("docker with systemd").task,
  limitedCgroup: "/team.slice",
  containerId: driverOf("docker with systemd").id,
};
const two: Scene = {
  ...base,
  pid: 77_502,
  process: "redis-server",
  trigger: "redis-server",
  pages: 9000,
  taskCgroup: `/docker/${"be".repeat(32)}`,
  limitedCgroup: `/docker/${"be".repeat(32)}`,
  containerId: "be".repeat(32),
};

const kills = (text: string) => toKernelLogJson(parseKernelLog(text)).kills;
const write = (form: string, scene: Scene): Written => formOf(form)(scene);
const dmesg = logOf("dmesg");
const pidsOf = (text: string) => kills(text).map((kill) => kill.pid);
/** The figures a text gives must be the true ones or unknown, wherever it was cut or wrapped. */
function expectNothingFalse(text: string, truth: Truth) {
  for (const kill of kills(text)) {
    for (const [key, value] of Object.entries(kill)) {
      if (value === null || key === "timestamp" || key === "confirmed") continue;
      if (key === "scope" && value === "unknown") continue;
      expect({ [key]: value }, text).toEqual({ [key]: truth[key as keyof Truth] });
    }
  }
}

describe("two records", () => {
  test.each(Object.keys(forms))("kernel %s prints on two CPUs in turns", (form) => {
    const [a, b] = [write(form, one), write(form, two)];
    const mixed = a.messages.flatMap((message, i) => [message, b.messages[i] as string]);
    expect(kills(mixed.join("\n"))).toEqual([a.truth, b.truth]);
  });

  test.each(Object.keys(forms))("kernel %s prints on two CPUs and says which", (form) => {
    const [a, b] = [write(form, one), write(form, two)];
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: a.messages.length * 2, maxLength: a.messages.length * 2 }),
        (turns) => {
          const queues = [
            a.messages.map((m) => `[ 5.000001][ T501] ${m}`),
            b.messages.map((m) => `[ 5.000001][   C1] ${m}`),
          ] as const;
          const mixed = turns.map((turn) => queues[turn ? 0 : 1].shift() ?? queues[turn ? 1 : 0].shift());
          const found = kills(`${mixed.join("\n")}\n`).sort((x, y) => x.pid - y.pid);
          expect(found).toEqual([
            { ...a.truth, timestamp: "5.000001" },
            { ...b.truth, timestamp: "5.000001" },
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a host's kill and a container's kill in turns keep apart", () => {
    const [a, b] = [write("4.8", one), write("4.8", { ...two, scope: "host" })];
    const mixed = Array.from({ length: 14 }, (_, i) => [a.messages[i], b.messages[i]])
      .flat()
      .filter((line) => line !== undefined);
    expect(kills(mixed.join("\n")).map((kill) => [kill.pid, kill.scope, kill.limitedCgroup])).toEqual([
      [501, "memcg", "/team.slice"],
      [77_502, "host", null],
    ]);
  });

  test("what is left of a cut record does not pass to the next", () => {
    const [a, b] = [write("4.8", one), write("4.8", two)];
    const text = [...a.messages.slice(0, 5), ...b.messages].join("\n");
    expect(kills(text)).toEqual([b.truth]);
    expect(parseKernelLog(text).truncated).toBe(true);
  });

  test("the same record from two files is one kill", () => {
    const { messages, truth } = write("5.15", one);
    const text = logOf("syslog with a host").write(messages) + dmesg.write(messages) + dmesg.write(messages);
    expect(kills(text)).toEqual([{ ...truth, timestamp: "Jan  5 15:19:27" }]);
  });

  test("a process id given again days later is another kill", () => {
    const [a, b] = [write("5.15", one), write("5.15", { ...two, pid: 501 })];
    const text = [
      ...a.messages.map((m) => `[Mon Jan  5 15:19:27 2026] ${m}`),
      ...b.messages.map((m) => `[Fri Jan  9 08:00:00 2026] ${m}`),
    ].join("\n");
    expect(parseKernelLog(text, { timeZoneOffsetMinutes: 0 }).kills.map((kill) => kill.process)).toEqual([
      "postgres",
      "redis-server",
    ]);
  });

  test("a process named again while it is slow to die is one kill", () => {
    const text = [
      "[10.0] Out of memory: Killed process 9 (x) total-vm:80kB, anon-rss:70kB, file-rss:1kB",
      "[14.0] Out of memory: Killed process 9 (x) total-vm:80kB, anon-rss:12kB, file-rss:1kB",
    ].join("\n");
    expect(kills(text)).toMatchObject([{ pid: 9, anonRssKb: 70 }]);
  });
});

describe("a group that is killed as a whole", () => {
  test("every process dies by the same limit, the first is not counted twice", () => {
    const { messages, truth } = write("5.15", one);
    const killed = messages.at(-1) as string;
    const text = [
      ...messages,
      `Tasks in ${one.taskCgroup} are going to be killed due to memory.oom.group set`,
      killed.replaceAll("501", "777").replace("postgres", "sh"),
      killed,
    ].join("\n");
    const log = parseKernelLog(text);
    expect(log.kills.map((kill) => [kill.pid, kill.scope, kill.containerId, kill.limitedCgroup])).toEqual(
      [501, 777].map((pid) => [pid, "memcg", truth.containerId, "/team.slice"]),
    );
    expect(log.kills.map((kill) => kill.killedWithGroup)).toEqual([null, one.taskCgroup]);
  });
});

describe("the choice and the kill", () => {
  test("a child dies in place of the chosen process", () => {
    const { messages, truth } = write("4.8", one);
    const text = messages.join("\n").replace("Killed process 501 (postgres)", "Killed process 602 (worker)");
    expect(kills(text)).toEqual([{ ...truth, pid: 602, process: "worker" }]);
  });

  test.each(["4.8", "5.0", "5.15", "6.8"])("kernel %s: without its last line a choice is not a kill", (form) => {
    const { messages, truth } = write(form, one);
    const log = parseKernelLog(messages.slice(0, -1).join("\n"));
    expect(toKernelLogJson(log).kills).toMatchObject([
      { pid: 501, confirmed: false, totalVmKb: null, containerId: truth.containerId, limitedCgroup: "/team.slice" },
    ]);
    expect(log.truncated).toBe(true);
  });

  test("the reaper only takes what was killed", () => {
    const { messages } = write("5.15", one);
    const text = [
      ...messages.slice(0, -1),
      "oom_reaper: reaped process 501 (postgres), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    ].join("\n");
    expect(kills(text)).toMatchObject([{ pid: 501, confirmed: true, anonRssKb: null, uid: 1000 }]);
  });
});

describe("wrapped, cut and dirty text", () => {
  const wrapped = ["dmesg", "syslog with a host", "journalctl -o short-iso", "dmesg -T"];
  test.each(wrapped)("%s wrapped by a terminal is read whole", (name) => {
    for (const form of ["4.8", "5.15"]) {
      const { messages, truth } = write(form, one);
      const log = logOf(name);
      for (const width of [64, 72, 80, 81, 90, 100, 120, 132]) {
        const text = log.write(messages).replace(new RegExp(`(.{${width}})(?=.)`, "g"), "$1\n");
        expect(kills(text), text).toEqual([{ ...truth, timestamp: log.stamp(messages.length - 1) }]);
      }
    }
  });

  test("a mail that breaks lines between words is read whole", () => {
    const { messages, truth } = write("5.15", one);
    const text = messages
      .map((m) =>
        `> [ 5864.500011] ${m}`
          .replace("Killed process", "Killed\n> process")
          .replace(" anon-rss", "\n> anon-rss")
          .replace("total-vm", "total-\n> vm"),
      )
      .join("\n");
    expect(kills(text)).toEqual([{ ...truth, timestamp: "5864.500011" }]);
  });

  test("a clock on a line of its own belongs to the next", () => {
    const { messages } = write("5.15", one);
    expect(kills(`[   65.470256] \n${messages.at(-1)}`)).toMatchObject([{ timestamp: "65.470256" }]);
  });

  test("wherever the text begins or ends, what is told is true", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(forms)),
        fc.constantFrom("bare messages", "dmesg", "syslog with a host", "/dev/kmsg", "journalctl -o json"),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        (form, logName, share, tail) => {
          const { messages, truth } = write(form, one);
          const text = logOf(logName).write(messages);
          const cut = Math.floor(text.length * share);
          // A bare message cut inside its first word looks whole: "ava invoked oom-killer" could be a name.
          const at = tail && logName === "bare messages" ? text.indexOf("\n", cut) + 1 : cut;
          // A number cut behind one of its digits looks whole too.
          const end = at - (/\d$/.test(text.slice(0, at)) ? (/\d+$/.exec(text.slice(0, at))?.[0].length ?? 0) : 0);
          expectNothingFalse(tail ? text.slice(at) : text.slice(0, end), truth);
        },
      ),
      { numRuns: 600 },
    );
  });

  test("garbage between and inside lines does not throw, and adds no kill", () => {
    const { messages } = write("5.15", one);
    const garbage = fc.string({ unit: "binary", maxLength: 80 }).filter((text) => !/kill/i.test(text));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2000), garbage), { maxLength: 12 }), (cuts) => {
        let text = dmesg.write(messages);
        for (const [at, what] of cuts) text = text.slice(0, at) + what + text.slice(at);
        expect(pidsOf(text).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  test("NUL bytes, byte order mark and broken UTF-8 around a record are passed over", () => {
    const { messages, truth } = write("5.15", one);
    const text = `\uFEFF\0\0\0\0${dmesg.write(messages).replace("Call Trace", "\uFFFD\uFFFD\0Call\0 Trace")}\0\0`;
    expect(kills(text)).toEqual([{ ...truth, timestamp: dmesg.stamp(messages.length - 1) }]);
  });

  test("no mutation of a real log throws or makes more kills than lines that speak of one", () => {
    const edit = fc.record({
      sample: fc.constantFrom(...samples),
      from: fc.nat(14_000),
      length: fc.nat(400),
      to: fc.nat(14_000),
      text: fc.string({ maxLength: 6 }),
    });
    fc.assert(
      fc.property(edit, ({ sample, from, length, to, text }) => {
        const piece = sample.slice(from, from + length);
        const rest = sample.slice(0, from) + sample.slice(from + length);
        const mutated = rest.slice(0, to) + text + piece + rest.slice(to);
        const log = parseKernelLog(mutated, { bootAtMs: 0, nowMs: 1e12, timeZoneOffsetMinutes: 60 });
        expect(log.kills.length).toBeLessThanOrEqual(mutated.split(/kill(?:ed)?\s*process|oom-kill:/i).length - 1);
      }),
      { numRuns: 400 },
    );
  });

  test("any text at all is answered", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        expect(parseKernelLog(text).kills).toEqual([]);
      }),
    );
  });
});

describe("time", () => {
  /** Each would be quadratic or worse if a pattern went back over what it had read. */
  test.each([
    ["one endless line", "oom-kill:constraint=X,".repeat(50_000)],
    ["a line of brackets", "[".repeat(1_000_000)],
    ["a line of closing parentheses", `Killed process 1 (${") total-vm:".repeat(90_000)}`],
    ["lines that only begin a record", "Memory cgroup out of memory: Kill\n".repeat(30_000)],
    ["unclosed JSON", '{"MESSAGE":["Kill'.repeat(60_000)],
    [
      "records that never end",
      "java invoked oom-killer: gfp_mask=0x1, order=0\nTask in /a killed as a result of limit of /b\n".repeat(10_000),
    ],
    [
      "many victims of one search",
      Array.from(
        { length: 20_000 },
        (_, i) => `Memory cgroup out of memory: Killed process ${i} (x) total-vm:1kB\n`,
      ).join(""),
    ],
    ["table headers", "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n".repeat(12_000)],
    [
      "a cut table before a quiet log",
      `[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n${"eth0: renamed from veth1\n".repeat(40_000)}`,
    ],
    ["blanks before a stamp", ` ${" ".repeat(1_000)}Kill\n`.repeat(1_000)],
  ])("%s of a megabyte takes under two seconds", (_, text) => {
    const start = performance.now();
    parseKernelLog(text);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

import { named } from "./written.ts";

/** One way to write messages into a log. `stamp` is what is printed as the time of message `i`. */
export type Log = {
  write: (messages: string[]) => string;
  stamp: (i: number) => string | null;
  atMs: (i: number) => number | null;
};

/** 2026-01-05 15:19:27.5 UTC, and what the kernel's clock said then. */
export const AT_MS = Date.UTC(2026, 0, 5, 15, 19, 27, 500);
export const BOOT_AT_MS = AT_MS - 5_864_500;
const seconds = (i: number) => `${5864 + Math.floor((500_000 + i) / 1e6)}.${String(500_000 + i).padStart(6, "0")}`;
const micros = (i: number) => String(5_864_500_000 + i);
const whole = () => AT_MS - 500;
const exact = () => AT_MS;

function lines(prefix: (i: number) => string, stamp: Log["stamp"], atMs: Log["atMs"], end = "\n"): Log {
  return { write: (messages) => messages.map((message, i) => `${prefix(i)}${message}${end}`).join(""), stamp, atMs };
}

/** Every logger's way, one by one. */
export const logs: Record<string, Log> = {
  "bare messages": lines(
    () => "",
    () => null,
    () => null,
  ),
  "bare messages without a last line end": {
    ...lines(
      () => "",
      () => null,
      () => null,
    ),
    write: (m) => m.join("\n"),
  },
  dmesg: lines((i) => `[ ${seconds(i)}] `, seconds, exact),
  "dmesg with Windows line ends": lines((i) => `[ ${seconds(i)}] `, seconds, exact, "\r\n"),
  "dmesg in colours": lines((i) => `\u001b[32m[ ${seconds(i)}] \u001b[0m\u001b[31m`, seconds, exact, "\u001b[0m\n"),
  "dmesg with callers": lines((i) => `[ ${seconds(i)}][ T1234] `, seconds, exact),
  "dmesg --raw": lines((i) => `<3>[ ${seconds(i)}] `, seconds, exact),
  "dmesg -x": lines((i) => `kern  :info  : [ ${seconds(i)}] `, seconds, exact),
  "dmesg -d": lines((i) => `[ ${seconds(i)} <    0.000012>] `, seconds, exact),
  "dmesg -T": lines(
    () => "[Mon Jan  5 15:19:27 2026] ",
    () => "Mon Jan  5 15:19:27 2026",
    whole,
  ),
  "dmesg -T in German": lines(
    () => "[Mo Jan  5 15:19:27 2026] ",
    () => "Mo Jan  5 15:19:27 2026",
    whole,
  ),
  "dmesg -T in Chinese": lines(
    () => "[\u4e00 1\u6708  5 15:19:27 2026] ",
    () => "\u4e00 1\u6708  5 15:19:27 2026",
    whole,
  ),
  "dmesg -T -d": lines(
    () => "[Mon Jan  5 15:19:27 2026 <    0.000012>] ",
    () => "Mon Jan  5 15:19:27 2026",
    whole,
  ),
  "dmesg --time-format iso": lines(
    () => "2026-01-05T15:19:27,500000+00:00 ",
    () => "2026-01-05T15:19:27,500000+00:00",
    exact,
  ),
  "dmesg --time-format delta": lines(
    () => "[<    0.000012>] ",
    () => null,
    () => null,
  ),
  "dmesg --human": {
    write: (m) => m.map((message, i) => `${i === 0 ? "[Jan 5 15:19] " : "[  +0.500000] "}${message}\n`).join(""),
    stamp: (i) => (i === 0 ? "Jan 5 15:19" : "+0.500000"),
    atMs: (i) => Date.UTC(2026, 0, 5, 15, 19) + i * 500,
  },
  "dmesg --json": {
    write: (m) =>
      `{\n   "dmesg": [\n      {\n${m.map((message, i) => `         "pri": 6,\n         "time":  ${seconds(i)},\n         "msg": ${JSON.stringify(message)}\n`).join("      },{\n")}      }\n   ]\n}\n`,
    stamp: seconds,
    atMs: exact,
  },
  "/dev/kmsg": {
    write: (m) =>
      m.map((message, i) => `6,${1234 + i},${micros(i)},-;${message}\n SUBSYSTEM=memory\n DEVICE=+x:y\n`).join(""),
    stamp: micros,
    atMs: exact,
  },
  "syslog with a host": lines(
    (i) => `Jan  5 15:19:27 web-1 kernel: [ ${seconds(i)}] `,
    () => "Jan  5 15:19:27",
    whole,
  ),
  "syslog without a host": lines(
    () => "Jan  5 15:19:27 kernel: ",
    () => "Jan  5 15:19:27",
    whole,
  ),
  "syslog with priorities": lines(
    (i) => `<4>Jan  5 15:19:27 web-1 kernel: [ ${seconds(i)}] `,
    () => "Jan  5 15:19:27",
    whole,
  ),
  "syslog, RFC 5424": lines(
    (i) => `<4>1 2026-01-05T15:19:27.500Z web-1 kernel - - - [ ${seconds(i)}] `,
    () => "2026-01-05T15:19:27.500Z",
    exact,
  ),
  "OpenWrt's logread": lines(
    (i) => `Mon Jan  5 15:19:27 2026 kern.err kernel: [ ${seconds(i)}] `,
    () => "Mon Jan  5 15:19:27 2026",
    whole,
  ),
  "several files through grep": lines(
    () => "/var/log/syslog.1:Jan  5 15:19:27 web-1 kernel: ",
    () => "Jan  5 15:19:27",
    whole,
  ),
  "rsyslog with ISO times": lines(
    (i) => `2026-01-05T16:19:27.500000+01:00 web-1 kernel: [ ${seconds(i)}] `,
    () => "2026-01-05T16:19:27.500000+01:00",
    exact,
  ),
  "journalctl -k": lines(
    () => "Jan 05 15:19:27 web-1 kernel: ",
    () => "Jan 05 15:19:27",
    whole,
  ),
  "journalctl -o short-precise": lines(
    () => "Jan 05 15:19:27.500000 web-1 kernel: ",
    () => "Jan 05 15:19:27.500000",
    exact,
  ),
  "journalctl -o short-iso": lines(
    () => "2026-01-05T15:19:27+0000 web-1 kernel: ",
    () => "2026-01-05T15:19:27+0000",
    whole,
  ),
  "journalctl -o short-full": lines(
    () => "Mon 2026-01-05 15:19:27 UTC web-1 kernel: ",
    () => "Mon 2026-01-05 15:19:27 UTC",
    whole,
  ),
  "journalctl -o short-monotonic": lines((i) => `[ ${seconds(i)}] web-1 kernel: `, seconds, exact),
  "journalctl -o short-unix": lines(
    () => "1767626367.500000 web-1 kernel: ",
    () => "1767626367.500000",
    exact,
  ),
  "journalctl -o json": journal((message, i) => JSON.stringify(entry(message, i))),
  "journalctl -o json, messages as bytes": journal((message, i) =>
    JSON.stringify({ ...entry(message, i), MESSAGE: [...Buffer.from(message)] }),
  ),
  "journalctl -o json-pretty": journal((message, i) =>
    JSON.stringify(entry(message, i), null, "\t").replaceAll('": ', '" : '),
  ),
  "journalctl -o export": journal((message, i) => `${fields(message, i).join("\n")}\n`),
  "journalctl -o verbose": {
    ...journal(
      (message, i) =>
        `Mon 2026-01-05 15:19:27.500000 UTC [s=1;i=${i}]\n${fields(message, i)
          .slice(1)
          .map((field) => `    ${field}`)
          .join("\n")}`,
    ),
    stamp: micros,
  },
  "docker's json-file log": lines2(
    (message, i) =>
      JSON.stringify({ log: `[ ${seconds(i)}] ${message}\n`, stream: "stdout", time: "2026-01-05T15:19:27.5Z" }),
    () => "2026-01-05T15:19:27.5Z",
  ),
  "a pod's log file": lines(
    (i) => `2026-01-05T15:19:27.5Z stdout F [ ${seconds(i)}] `,
    () => "2026-01-05T15:19:27.5Z",
    exact,
  ),
  Talos: lines(
    () => "kern:    info: [2026-01-05T15:19:27.500000000Z]: ",
    () => "2026-01-05T15:19:27.500000000Z",
    exact,
  ),
  "a quoted mail": lines((i) => `> > [ ${seconds(i)}] `, seconds, exact),
  "an indented paste": lines((i) => `    [ ${seconds(i)}] `, seconds, exact),
};

function lines2(line: (message: string, i: number) => string, stamp: Log["stamp"]): Log {
  return { write: (messages) => messages.map((message, i) => `${line(message, i)}\n`).join(""), stamp, atMs: exact };
}

function journal(line: (message: string, i: number) => string): Log {
  return lines2(line, () => "1767626367500000");
}

function entry(message: string, i: number) {
  return {
    __REALTIME_TIMESTAMP: "1767626367500000",
    _TRANSPORT: "kernel",
    MESSAGE: message,
    _SOURCE_MONOTONIC_TIMESTAMP: micros(i),
    PRIORITY: "6",
  };
}

function fields(message: string, i: number): string[] {
  return Object.entries(entry(message, i)).map(([key, value]) => `${key}=${value}`);
}

export function logOf(name: string): Log {
  return named(logs, name);
}

import { noStamp, type Stamp } from "./clock.ts";

/** One line without what the logger put before it. */
export type Prefixed = {
  message: string;
  stamp: Stamp;
  /** CPU or thread printed by CONFIG_PRINTK_CALLER (`C0`, `T123`): tells interleaved records apart. */
  caller: string | null;
  /** Who wrote the line: `kernel`, another program, or null where the line does not say. */
  program: string | null;
  /** False for a line without any prefix: a bare message, or the rest of a wrapped line. */
  prefixed: boolean;
};

/**
 * Takes off every prefix in front of a kernel message, whatever wrote it: dmesg in all its time formats, /dev/kmsg,
 * journalctl's line formats, RFC 3164 and 5424 syslog, container log wrappers, grep's file name, quoting in a mail.
 * What stays starts with the kernel's own first character, so that text in the middle of a line is never a record.
 */
export function splitPrefix(line: string): Prefixed {
  const found: Found = {
    message: "",
    stamp: noStamp,
    caller: null,
    program: null,
    prefixed: false,
    fromRing: false,
  };
  let rest = line.replace(QUOTING, "");
  for (let round = 0; round < MAX_PREFIXES; round++) {
    const shorter = takeOne(rest, found);
    if (shorter === null) break;
    found.prefixed = true;
    rest = shorter;
  }
  if (!found.prefixed) {
    const named = GREP_NAME.exec(rest);
    const behind = named === null ? null : splitPrefix(rest.slice(named[0].length));
    if (behind?.prefixed === true) return behind;
  }
  return {
    message: rest,
    stamp: found.stamp,
    caller: found.caller,
    program: found.program,
    prefixed: found.prefixed,
  };
}

/** `fromRing`: the clock is dmesg's, so `memory:` after it is the kernel's own word and not a program's tag. */
type Found = Prefixed & { fromRing: boolean };

const MAX_PREFIXES = 8;
const QUOTING = /^(?:[>|]+ ?|\s+)+/;
/** `grep` over several files, or with line numbers; only in front of something that is a prefix itself. */
const GREP_NAME = /^(?:[\w./@-]{1,200}:)?(?:\d{1,9}[:-])?(?=[[<]|\d{4}-\d\d-\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:)(?!^)/;

const PRIORITY = /^<(\d{1,3})>(?!1 )/;
const RFC5424 = /^<\d{1,3}>1 (\S+) \S+ (\S+) \S+ \S+ (?:-|\[.*?[^\\]\])(?: \uFEFF?|$)/;
const KMSG = /^(\d{1,5}),\d+,(\d+),[^;]{0,64};/;
const FACILITY = /^(kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local\d)\s*:\s*[a-z]+\s*:\s*/;
const SECONDS = /^\[\s*(\d{1,12}\.\d{1,9})(?:\s*<\s*[\d.]+>)?\]:? ?/;
const CALLER = /^\[\s*([TC]\d+)\]:? ?/;
const DELTA = /^\[\s*(?:\+(\d+\.\d+)|<\s*([\d.]+)>)\] ?/;
/** Any other clock in brackets: `[Tue Jan  5 15:19:27 2021]` in any language, `[Jan05 15:19]`, an ISO time. */
const BRACKETED = /^\[([^[\]]{0,40}?\d{1,2}:\d\d[^[\]<]{0,30}?)(?:\s*<\s*[\d.]+>)?\s*\]:? ?/;
const ISO =
  /^(?:\p{L}{2,4}\.? )?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d| [A-Z]{3,5}\b| [+-]\d\d(?=\s))?:?(?:\s+|$)/u;
const SYSLOG =
  /^(?:\p{L}{2,4}\.? +)?(?:\p{L}{3,5}\.?|\d{1,2}\p{L}) +\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4}\b)?(?:\s+|$)/u;
const UNIX = /^(\d{9,10}\.\d{3,6}) /;
const CRI = /^std(?:out|err) [FP] /;
/** Host (optional), then the program's tag. A host never ends in a colon, so a tag cannot pass for one. */
const KERNEL_TAG = /^(?:[a-z\d]+\.[a-z]+ )?(?:[^\s[\]]*[^\s:[\]] )?(?:[a-z\d]+\.[a-z]+ )?kernel(?:\[\d+\])?: ?/;
const HOST_ONLY = /^[^\s[\]]*[^\s:[\]] (?=\[\s*\d+\.\d+\])/;
const OTHER_TAG = /^(?:[a-z\d]+\.[a-z]+ )?(?:[^\s[\]]*[^\s:[\]] )?([^\s:[\]]{1,64})(?:\[\d+\])?: /;

/** Takes one prefix off `rest` and notes what it said; null where there is none. */
function takeOne(rest: string, found: Found): string | null {
  const first = rest.charCodeAt(0);
  if (first === 0x5b /* [ */) return takeBracket(rest, found);
  if (first === 0x3c /* < */) return takePriority(rest, found);
  if (found.stamp.printed !== null && found.program === null && !rest.startsWith("kernel:")) {
    const cri = CRI.exec(rest);
    if (cri !== null) return rest.slice(cri[0].length);
  }
  return takeClock(rest, found) ?? takeTag(rest, found);
}

function takeBracket(rest: string, found: Found): string | null {
  const seconds = SECONDS.exec(rest);
  if (seconds !== null) {
    const printed = seconds[1] as string;
    // Behind another clock this is the ring buffer's own text; alone it may be journalctl's, with a host to follow.
    found.fromRing = found.stamp.printed !== null;
    note(found, { printed, kernelSeconds: Number(printed) });
    return rest.slice(seconds[0].length);
  }
  const caller = CALLER.exec(rest);
  if (caller !== null) {
    found.caller = caller[1] as string;
    return rest.slice(caller[0].length);
  }
  const delta = DELTA.exec(rest);
  if (delta !== null) {
    const since = delta[1] ?? null;
    note(found, since === null ? {} : { printed: `+${since}`, sinceLastSeconds: Number(since) });
    return rest.slice(delta[0].length);
  }
  const clock = BRACKETED.exec(rest);
  if (clock === null || found.stamp.localMs !== null || found.stamp.utcMs !== null) return null;
  note(found, readClock((clock[1] as string).trim()));
  found.fromRing = true;
  return rest.slice(clock[0].length);
}

function takePriority(rest: string, found: Found): string | null {
  const modern = RFC5424.exec(rest);
  if (modern !== null) {
    found.program = modern[2] as string;
    if (modern[1] !== "-") note(found, readClock(modern[1] as string));
    return rest.slice(modern[0].length);
  }
  const priority = PRIORITY.exec(rest);
  if (priority === null) return null;
  // Facility 0 is the kernel; in the ring buffer anything else was written there by a program.
  if (Number(priority[1]) > 7) found.program ??= "user";
  return rest.slice(priority[0].length);
}

function takeClock(rest: string, found: Found): string | null {
  const kmsg = found.prefixed ? null : KMSG.exec(rest);
  if (kmsg !== null) {
    if (Number(kmsg[1]) > 7) found.program = "user";
    const printed = kmsg[2] as string;
    note(found, { printed, kernelSeconds: Number(printed) / 1_000_000 });
    return unescapeKmsg(rest.slice(kmsg[0].length));
  }
  if (found.stamp.localMs !== null || found.stamp.utcMs !== null) return null;
  const unix = UNIX.exec(rest);
  if (unix !== null) {
    const printed = unix[1] as string;
    note(found, { printed, utcMs: Math.round(Number(printed) * 1000) });
    return rest.slice(unix[0].length);
  }
  const clock = ISO.exec(rest) ?? SYSLOG.exec(rest);
  if (clock === null) return null;
  note(found, readClock(clock[0].trim().replace(/:$/, "")));
  // `dmesg --time-format iso` alone writes a comma.
  found.fromRing = clock[0].includes(",");
  return rest.slice(clock[0].length);
}

function takeTag(rest: string, found: Found): string | null {
  const facility = FACILITY.exec(rest);
  if (facility !== null) {
    if (facility[1] !== "kern") found.program = "user";
    return rest.slice(facility[0].length);
  }
  if (found.program !== null) return null;
  if (!found.prefixed && !rest.startsWith("kernel:")) return null;
  const kernel = KERNEL_TAG.exec(rest);
  if (kernel !== null) {
    found.program = "kernel";
    return rest.slice(kernel[0].length);
  }
  const host = HOST_ONLY.exec(rest);
  if (host !== null) return rest.slice(host[0].length);
  if (found.fromRing || (found.stamp.localMs === null && found.stamp.utcMs === null)) return null;
  const other = OTHER_TAG.exec(rest);
  if (other === null) return null;
  found.program = other[1] as string;
  return rest.slice(other[0].length);
}

/** The first stamp printed is the one to show; the kernel's seconds are added to it. */
function note(found: Found, more: Partial<Stamp>): void {
  const printed = found.stamp.printed ?? more.printed ?? null;
  found.stamp = { ...found.stamp, ...more, printed };
}

const ISO_PARTS = /(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?/;
const DATE_PARTS = /(\p{L}{3,5}|\d{1,2}\p{L}?)\.?\s*(\d{1,2}) (\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: (\d{4}))?/u;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

function readClock(printed: string): Partial<Stamp> {
  const iso = ISO_PARTS.exec(printed);
  if (iso !== null) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = iso.slice(1, 7).map(Number);
    const localMs = Date.UTC(year, month - 1, day, hour, minute, second) + fractionMs(iso[7]);
    const zone = offsetMinutes(iso[8]);
    return {
      printed,
      localMs,
      hasYear: true,
      utcMs: zone === null ? null : localMs - zone * 60_000,
    };
  }
  const parts = DATE_PARTS.exec(printed);
  const month = parts === null ? null : monthOf(parts[1] as string);
  if (parts === null || month === null) return { printed };
  const [day = 0, hour = 0, minute = 0, second = 0] = parts.slice(2, 6).map((part) => Number(part ?? 0));
  const year = parts[7] === undefined ? 2000 : Number(parts[7]);
  const localMs = Date.UTC(year, month, day, hour, minute, second) + fractionMs(parts[6]);
  return { printed, localMs, hasYear: parts[7] !== undefined };
}

/** English and numbered months. A month in another language gives no time: two languages may share a name. */
function monthOf(word: string): number | null {
  const numbered = /^\d{1,2}/.exec(word);
  if (numbered !== null) return Number(numbered[0]) >= 1 && Number(numbered[0]) <= 12 ? Number(numbered[0]) - 1 : null;
  const index = MONTHS.indexOf(word.toLowerCase());
  return index < 0 ? null : index;
}

function fractionMs(digits: string | undefined): number {
  return digits === undefined ? 0 : Math.floor(Number(`0.${digits}`) * 1000);
}

function offsetMinutes(zone: string | undefined): number | null {
  if (zone === undefined) return null;
  if (zone === "Z" || zone === "UTC" || zone === "GMT") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(":", "") || 0));
}

/** /dev/kmsg writes control characters, backslashes and bytes above 126 as `\xNN` (kernel/printk/printk.c). */
function unescapeKmsg(text: string): string {
  if (!text.includes("\\x")) return text;
  return text.replace(/(?:\\x[0-9a-f]{2})+/g, (run) => Buffer.from(run.replaceAll("\\x", ""), "hex").toString("utf8"));
}

import type { KernelLog, OomKill, OomScope } from "../core/kernel-log.ts";
import { plain } from "../slack/blocks/encode.ts";
import { list, paragraphs, type TerminalStyle, tone, wrap } from "./terminal.ts";
import { plural, withoutStop } from "./wording.ts";

export interface HostLine {
  name: string;
  address: string;
  local: boolean;
  labels: Record<string, string>;
  /** Null until it was read. */
  ok: boolean | null;
  detail: string;
}

interface CheckLine {
  check: string;
  ok: boolean;
  level: "error" | "warning" | "info";
  detail: string;
  fix: string | null;
}

interface Hazards {
  hosts: {
    host: string;
    findings: { level: "error" | "warning" | "info"; container: string | null; found: string; fix: string }[];
  }[];
  gaps: { source: string; host: string; reason: string; weakens: string }[];
}

/** `room137 hosts list`. */
export function hostsText(hosts: readonly HostLine[], style: TerminalStyle): string {
  if (hosts.length === 0) return "No host is registered. Add one under hosts: in the config file.\n";
  const rows = hosts.map((host) => [
    host.name,
    host.local ? "this machine" : host.address,
    host.ok === null ? "not read yet" : host.ok ? "ok" : "not ok",
    host.detail,
  ]);
  return grid(["HOST", "ADDRESS", "STATE", "DETAIL"], rows, style);
}

/** `room137 hosts check`: one line a check, and under a failed one what mends it. */
export function hostCheckText(host: string, checks: readonly CheckLine[], style: TerminalStyle): string {
  const lines = checks.flatMap((check) => {
    const word = check.ok ? "ok" : check.level === "info" ? "note" : check.level;
    const mark = tone(style, check.ok ? "green" : check.level === "error" ? "red" : "yellow", word.padEnd(8));
    const [first = "", ...rest] = wrap(`${plain(check.check)}: ${plain(check.detail)}`, style.width - 9);
    const fix = check.ok || check.fix === null ? [] : wrap(`fix: ${plain(check.fix)}`, style.width - 9, "  ");
    return [`${mark} ${first}`, ...[...rest, ...fix].map((line) => `         ${line}`)];
  });
  const errors = checks.filter((check) => !check.ok && check.level === "error").length;
  const verdict = errors === 0 ? `${host} is ready.` : `${host}: ${plural(errors, "error")} to mend.`;
  return paragraphs([[tone(style, "bold", host)], lines, [plain(verdict)]]);
}

/** `room137 guardrails`: what would cause the next incident, worst first. */
export function guardrailsText(report: Hazards, style: TerminalStyle): string {
  const order = { error: 0, warning: 1, info: 2 };
  const groups = report.hosts.map(({ host, findings }) => {
    if (findings.length === 0) return [tone(style, "bold", host), "nothing found"];
    const lines = findings
      .toSorted((a, b) => order[a.level] - order[b.level])
      .map(
        ({ level, container, found, fix }) =>
          `${level}: ${container === null ? "" : `${container}: `}${withoutStop(found)}. Fix: ${withoutStop(fix)}.`,
      );
    return list(style, host, lines);
  });
  const gaps = report.gaps.map((gap) => `${gap.source} on ${gap.host}: ${gap.reason}. So ${gap.weakens}.`);
  return paragraphs([...groups, list(style, "What could not be read", gaps)]);
}

const scopeWords: Record<OomScope, string> = {
  memcg: "at the memory limit of its group",
  host: "because the host had no memory left",
  cpuset: "because its memory nodes were full",
  mempolicy: "because its memory policy left no room",
  unknown: "for want of memory",
};

/** `room137 kernel-log` without `--json`: who was killed, by whose limit. */
export function kernelLogText(
  log: Pick<KernelLog, "kills" | "lines" | "suppressed" | "truncated">,
  style: TerminalStyle,
): string {
  const doubts = [
    ...(log.suppressed ? ["The text says that records were lost, so a missing kill proves nothing."] : []),
    ...(log.truncated ? ["A record begins before the text or ends after it."] : []),
  ];
  const head =
    log.kills.length === 0
      ? `No OOM kill in ${plural(log.lines, "line")}.`
      : `${plural(log.kills.length, "OOM kill")} in ${plural(log.lines, "line")}:`;
  return paragraphs([
    [head],
    log.kills.flatMap((kill) => wrap(`- ${plain(killWords(kill))}`, style.width, "  ")),
    doubts,
  ]);
}

function killWords(kill: OomKill): string {
  const verb = kill.confirmed ? "was killed" : "was chosen to be killed, the kill itself is not in the text,";
  const parts = [
    `${kill.timestamp === null ? "" : `${kill.timestamp} `}${kill.process} (pid ${kill.pid}) ${verb} ${scopeWords[kill.scope]}`,
    kill.limitedCgroup === null ? null : `limit of ${kill.limitedCgroup}`,
    kill.containerId === null ? null : `container ${kill.containerId.slice(0, 12)}`,
    kill.anonRssKb === null ? null : `anonymous memory ${kill.anonRssKb} kB`,
    kill.triggeredBy === null ? null : `set off by ${kill.triggeredBy}`,
  ];
  return parts.filter((part) => part !== null).join("; ");
}

/** Columns as wide as their widest cell; the last one is wrapped below itself. */
function grid(head: readonly string[], rows: readonly (readonly string[])[], style: TerminalStyle): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => plain(cell)));
  const last = head.length - 1;
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const indent = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const lines = cells.flatMap((row, at) => {
    const fixed = row.slice(0, last).map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2));
    const [first = "", ...rest] = wrap(row[last] ?? "", Math.max(20, style.width - indent));
    const line = `${fixed.join("")}${first}`.trimEnd();
    return [at === 0 ? tone(style, "bold", line) : line, ...rest.map((more) => " ".repeat(indent) + more)];
  });
  return paragraphs([lines]);
}

import type { Cause } from "../core/causes.ts";
import type { DiagnosisReport } from "../core/report.ts";
import { plain } from "../slack/blocks/encode.ts";
import { gapWords, witnesses } from "./diagnosis-message.ts";
import { evidenceLines } from "./evidence-list.ts";
import {
  actionCommand,
  actionWords,
  confidenceWords,
  proofWords,
  sentence,
  shortIds,
  verdictWords,
} from "./wording.ts";

/** How a terminal is written to: `color` only where it is one. Every escape sequence in the output is ours. */
export interface TerminalStyle {
  color: boolean;
  width: number;
}

type Tone = "bold" | "red" | "green" | "yellow" | "dim";

const CODES: Record<Tone, number> = { bold: 1, red: 31, green: 32, yellow: 33, dim: 2 };

/** Data is made visible first, so that a log line cannot bring colour, movement or a line of its own. */
export function tone(style: TerminalStyle, tones: Tone, text: string): string {
  const shown = plain(text);
  return style.color ? `\u001b[${CODES[tones]}m${shown}\u001b[0m` : shown;
}

/** The diagnosis for `room137 why-500` without `--json`. Ends with a line break. */
export function diagnosisText(report: DiagnosisReport, style: TerminalStyle): string {
  const good = report.verdict === "no-fault-found";
  const head = tone(style, good ? "green" : "red", `${report.service}: ${verdictWords[report.verdict]}`);
  return paragraphs([
    [head],
    rootCauseText(report, style),
    list(style, "Candidates, likeliest first", suspectLines(report)),
    list(
      style,
      "From symptom to cause",
      report.chain.map((link) =>
        sentence(`${link.from} depends on ${link.to}, ${proofWords[link.proof]}`, link.citations),
      ),
    ),
    list(
      style,
      "Not the cause",
      report.ruledOut.map((one) => sentence(one.summary, one.citations)),
    ),
    list(
      style,
      "Also worth knowing",
      report.contributingFactors.map((one) => sentence(one.summary, one.citations)),
    ),
    list(style, "What could not be read", report.gaps.map(gapWords)),
    list(style, "What a person should do", report.advice),
    planText(report, style),
    report.evidence.length === 0
      ? []
      : [tone(style, "bold", "Evidence"), ...evidenceLines(report).flatMap((line) => wrap(line, style.width, "   "))],
    [tone(style, "dim", timingWords(report))],
  ]);
}

function rootCauseText(report: DiagnosisReport, style: TerminalStyle): string[] {
  const root = report.rootCause;
  if (root === null) return [];
  const place = root.container === null ? root.host : `${root.container} on ${root.host}`;
  const cause: Cause = root.cause;
  return [
    ...wrap(plain(sentence(root.summary, root.citations)), style.width),
    tone(style, "dim", `${place}, ${confidenceWords[root.confidence]} (${cause})`),
    ...list(
      style,
      "How it is known",
      witnesses(report, root.citations).map((one) => `${one.source} [${one.ids.join("] [")}]: ${shortIds(one.text)}`),
    ),
  ];
}

function suspectLines(report: DiagnosisReport): string[] {
  return report.suspects.map((suspect) => {
    const place = suspect.container === null ? suspect.host : `${suspect.container} on ${suspect.host}`;
    const decide = suspect.wouldDecide === "" ? "" : ` This would decide: ${suspect.wouldDecide}.`;
    return `${place}: ${sentence(suspect.summary, suspect.citations)}${decide}`;
  });
}

function planText(report: DiagnosisReport, style: TerminalStyle): string[] {
  const { plan } = report;
  if (plan === null) return [];
  return [
    ...list(
      style,
      `Plan ${plan.hash.slice(0, 12)}, which the room can run after an approval`,
      plan.steps.map(actionWords),
    ),
    ...list(style, "The same by hand", plan.steps.map(actionCommand)),
    ...list(style, "Afterwards it is checked that", plan.verification),
  ];
}

function timingWords({ timings }: DiagnosisReport): string {
  return `${timings.totalMs} ms: connecting ${timings.connectMs}, reading ${timings.gatherMs}, deciding ${timings.diagnoseMs}`;
}

export function list(style: TerminalStyle, title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return [tone(style, "bold", title), ...lines.flatMap((line) => wrap(`- ${plain(line)}`, style.width, "  "))];
}

/** Groups of lines with an empty one between them; ends with a line break. */
export function paragraphs(groups: readonly (readonly string[])[]): string {
  const shown = groups.filter((group) => group.length > 0).map((group) => group.join("\n"));
  return `${shown.join("\n\n")}\n`;
}

/** Breaks at spaces; a word longer than the line keeps its length, so that it can be copied. */
export function wrap(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=\S) /)) {
    const next = line === "" ? `${lines.length === 0 ? "" : indent}${word}` : `${line} ${word}`;
    if (line !== "" && next.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = next;
  }
  return [...lines, line];
}

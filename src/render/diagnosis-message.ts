import type { DiagnosisReport, EvidenceItem } from "../core/report.ts";
import { bullets, divider, section } from "../slack/blocks/build.ts";
import { bold, fmt, join, type Rich } from "../slack/blocks/inline.ts";
import { type Message, type MessageBlock, message } from "../slack/blocks/message.ts";
import { spoken } from "./spoken.ts";
import { cited, confidenceWords, proofWords, sentence, shortIds, sourceWords, verdictWords } from "./wording.ts";

/** The answer in the thread: what broke, how that is known, what it is not, what is unsure, what people should do. */
export function diagnosisMessage(report: DiagnosisReport): Message {
  const lead = fmt`${report.service}: ${verdictWords[report.verdict]}`;
  const blocks = [
    ...answerBlocks(report),
    ...chainBlocks(report),
    ...list(
      "Not the cause",
      report.ruledOut.map((one) => sentence(one.summary, one.citations)),
    ),
    ...list(
      "Also worth knowing",
      report.contributingFactors.map((one) => sentence(one.summary, one.citations)),
    ),
    ...list(
      "What could not be read",
      report.gaps.map((gap) => gapWords(gap)),
    ),
    ...list("What a person should do", report.advice),
  ];
  return message({ text: spoken(blocks, lead), blocks });
}

export function gapWords(gap: DiagnosisReport["gaps"][number]): string {
  return `${sourceName(gap.source)} on ${gap.host}: ${gap.reason}. So ${gap.weakens}.`;
}

/** What agrees with a claim: one line for each kind of source, with the first excerpt it gave. */
export function witnesses(
  report: DiagnosisReport,
  citations: readonly string[],
): { source: string; ids: string[]; text: string }[] {
  const items = report.evidence.filter((item) => citations.includes(item.id));
  const bySource = Map.groupBy(items, (item) => item.source);
  return [...bySource].map(([source, group]) => ({
    source: sourceWords[source],
    ids: group.map((item) => item.id),
    text: (group[0] as EvidenceItem).text,
  }));
}

function answerBlocks(report: DiagnosisReport): MessageBlock[] {
  switch (report.verdict) {
    case "root-cause":
      return rootCauseBlocks(report);
    case "inconclusive":
      return inconclusiveBlocks(report);
    case "no-fault-found":
      return [
        section(
          fmt`${bold(`No fault found with ${report.service}.`)} What was looked at answers or runs as it should, so nothing is proposed. If it still fails for you, say what you see with a note, or ask again while it fails.`,
        ),
        ...evidenceLines(report),
      ];
    case "not-found":
      return [
        section(
          fmt`${bold(`No container or service named ${report.service} was seen.`)} Nothing was investigated. ${report.advice.length === 0 ? "Check the spelling, and with /hosts list that its host is registered and seen from here." : "Ask again with one of the names below."}`,
        ),
      ];
  }
}

function rootCauseBlocks(report: DiagnosisReport): MessageBlock[] {
  const root = report.rootCause;
  if (root === null) return [];
  const place = root.container === null ? root.host : `${root.container} on ${root.host}`;
  const how = witnesses(report, root.citations).map((one) => witnessLine(one));
  return [
    section(
      join(
        [
          fmt`${bold("Root cause:")} ${sentence(root.summary, root.citations)}`,
          fmt`${place} · ${confidenceWords[root.confidence]} · ${root.cause}`,
        ],
        "\n",
      ),
    ),
    ...(how.length === 0 ? [] : [section(bold("How we know")), bullets(how)]),
  ];
}

function inconclusiveBlocks(report: DiagnosisReport): MessageBlock[] {
  const head = fmt`${bold(`No certain answer for ${report.service} yet.`)} Nothing is proposed, because nothing is proven.`;
  if (report.suspects.length === 0) return [section(head), ...evidenceLines(report)];
  const lines = report.suspects.map((suspect) => {
    const place = suspect.container === null ? suspect.host : `${suspect.container} on ${suspect.host}`;
    const decide = suspect.wouldDecide === "" ? [] : [fmt`This would decide: ${suspect.wouldDecide}`];
    return join([fmt`${bold(place)}: ${sentence(suspect.summary, suspect.citations)}`, ...decide], "\n");
  });
  return [section(head), section(bold("Candidates, likeliest first")), bullets(lines, { ordered: true })];
}

/** Enough to see what the answer rests on; all of it is in the evidence. */
const SEEN_LINES = 6;

/** What was seen, where no claim cites it. */
function evidenceLines(report: DiagnosisReport): MessageBlock[] {
  const lines = report.evidence
    .slice(0, SEEN_LINES)
    .map((item) => witnessLine({ source: sourceWords[item.source], ids: [item.id], text: item.text }));
  return lines.length === 0 ? [] : [section(bold("What was seen")), bullets(lines)];
}

function witnessLine(one: { source: string; ids: readonly string[]; text: string }): Rich {
  return fmt`${one.source}${cited(one.ids)}: ${shortIds(one.text)}`;
}

function chainBlocks(report: DiagnosisReport): MessageBlock[] {
  if (report.chain.length === 0) return [];
  const names = [report.chain[0]?.from ?? "", ...report.chain.map((link) => link.to)].join(" → ");
  const links = report.chain.map(
    (link) => fmt`${link.from} depends on ${link.to}, ${proofWords[link.proof]}${cited(link.citations)}.`,
  );
  return [divider(), section(fmt`${bold("From symptom to cause:")} ${names}`), bullets(links)];
}

function list(title: string, lines: readonly string[]): MessageBlock[] {
  return lines.length === 0 ? [] : [section(bold(title)), bullets(lines)];
}

function sourceName(source: string): string {
  return Object.hasOwn(sourceWords, source) ? sourceWords[source as keyof typeof sourceWords] : source;
}

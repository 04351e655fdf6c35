import { visible } from "../slack/blocks/encode.ts";
import type { MemoryChart } from "./chart.ts";
import { gapWords } from "./diagnosis-message.ts";
import { evidenceLines } from "./evidence-list.ts";
import type { Postmortem } from "./postmortem.ts";
import { duration, proofWords, sentence } from "./wording.ts";

/** The document behind Markdown and HTML: what is told in which order. Text is data; each format encodes it. */
export type Section = { title: string; loud?: true } & (
  | { shape: "list"; lines: string[] }
  | { shape: "plans"; plans: PlanSection[] }
  | { shape: "table"; columns: string[]; rows: string[][] }
  | { shape: "text"; text: string }
  | { shape: "charts"; charts: MemoryChart[] }
);

export interface PlanSection {
  title: string;
  facts: string[];
  steps: string[];
  commands: string;
}

/** Empty sections are left out. */
export function postmortemSections(report: Postmortem): Section[] {
  const { diagnosis } = report;
  const sections: Section[] = [
    { title: "Needs review", loud: true, shape: "list", lines: report.reviewItems },
    { title: "Impact", shape: "list", lines: impactLines(report) },
    { title: "Root cause", shape: "list", lines: rootCauseLines(report) },
    { title: "Not the cause", shape: "list", lines: claims(diagnosis?.ruledOut ?? []) },
    { title: "Contributing factors", shape: "list", lines: claims(diagnosis?.contributingFactors ?? []) },
    { title: "Decisions", shape: "plans", plans: report.decisions.map(planSection) },
    { title: "Verification", shape: "list", lines: verificationLines(report) },
    { title: "What could not be read", shape: "list", lines: diagnosis?.gaps.map(gapWords) ?? [] },
    { title: "What a person should do", shape: "list", lines: diagnosis?.advice ?? [] },
    { title: "Notes", shape: "list", lines: noteLines(report) },
    { title: "Memory over time", shape: "charts", charts: report.charts },
    { title: "Timeline", shape: "table", ...timelineTable(report) },
    { title: "Evidence", shape: "text", text: diagnosis === null ? "" : evidenceLines(diagnosis).join("\n") },
    { title: "Audit", shape: "list", lines: auditLines(report) },
  ];
  return sections.filter((section) => !isEmpty(section));
}

function isEmpty(section: Section): boolean {
  switch (section.shape) {
    case "list":
      return section.lines.length === 0;
    case "plans":
      return section.plans.length === 0;
    case "table":
      return section.rows.length === 0;
    case "text":
      return section.text === "";
    case "charts":
      return section.charts.length === 0;
  }
}

function claims(list: readonly { summary: string; citations: string[] }[]): string[] {
  return list.map((one) => sentence(one.summary, one.citations));
}

function impactLines({ impact, opened }: Postmortem): string[] {
  const length = impact.durationMs === null ? "" : ` It lasted ${duration(impact.durationMs)}.`;
  return [
    impact.onsetAt === null ? `Onset: ${impact.onsetFrom}.` : `Onset: ${impact.onsetAt} (${impact.onsetFrom}).`,
    `Reported: ${opened.at} by ${opened.by} with ${opened.command}`,
    `Recovered: ${impact.recoveredAt ?? "not proven"}.${length}`,
  ];
}

function rootCauseLines({ diagnosis }: Postmortem): string[] {
  const root = diagnosis?.rootCause ?? null;
  if (diagnosis === null || root === null) {
    return (diagnosis?.suspects ?? []).map((one) => `Candidate: ${sentence(one.summary, one.citations)}`);
  }
  const place = root.container === null ? root.host : `${root.container} on ${root.host}`;
  return [
    sentence(root.summary, root.citations),
    `${place}; ${root.confidence}; cause ${root.cause}`,
    ...diagnosis.chain.map((link) =>
      sentence(`${link.from} depends on ${link.to}, ${proofWords[link.proof]}`, link.citations),
    ),
  ];
}

function planSection(decision: Postmortem["decisions"][number], at: number): PlanSection {
  const asked = decision.proposedFor === "" ? "nobody of the room" : decision.proposedFor;
  return {
    title: `${decision.undo ? "Undo" : "Plan"} ${at + 1}: ${decision.status}`,
    facts: [
      `Plan hash ${decision.hash}`,
      `Proposed ${decision.proposedAt} for ${asked}; risk ${decision.risk}; approvals needed: ${decision.quorum}; valid until ${decision.expiresAt}`,
      ...decision.votes.map((vote) => `Approved by ${vote.by} (${vote.userId}) ${vote.at}${reason(vote.reason)}`),
      ...decision.rejections.map((vote) => `Rejected by ${vote.by} ${vote.at}${reason(vote.reason)}`),
      ...(decision.brokeGlass ? [`BREAK-GLASS by ${decision.approvers.join(", ")}`] : []),
      ...(decision.decidedAt === null ? [] : [`Decided ${decision.decidedAt}`]),
    ],
    steps: decision.steps.map((step) => {
      const read = step.readBack === null ? "" : `; read back: ${step.readBack}`;
      return `${step.title}: ${step.state}${read}. Why: ${step.why}`;
    }),
    commands: decision.steps.map((step) => visible(step.command, "show")).join("\n"),
  };
}

function reason(text: string | null): string {
  return text === null ? "" : `, reason: ${text}`;
}

function verificationLines({ verifications }: Postmortem): string[] {
  return verifications.flatMap(({ at, outcome, probes, changes }) => [
    `${at}: ${outcome}`,
    ...probes,
    ...changes.map((change) => `changed: ${change}`),
  ]);
}

function noteLines({ notes }: Postmortem): string[] {
  return notes.map((note) => `${note.at} ${note.by}: ${note.text}${note.from === null ? "" : ` (from ${note.from})`}`);
}

function timelineTable({ timeline }: Postmortem): { columns: string[]; rows: string[][] } {
  return {
    columns: ["#", "UTC", "after", "who", "what", "evidence", "hash"],
    rows: timeline.map((row) => [
      String(row.seq),
      row.at,
      `+${duration(row.afterMs)}`,
      row.who,
      row.what,
      row.evidence.join(" "),
      row.hash.slice(0, 12),
    ]),
  };
}

function auditLines({ audit }: Postmortem): string[] {
  return [
    `${audit.entries} entries; hash of the first ${audit.firstHash}, of the last ${audit.lastHash}. "room137 audit verify" recomputes the chain.`,
  ];
}

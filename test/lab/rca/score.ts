import { buildReport, unprovenNumbers } from "../../../src/core/build-report.ts";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import type { DiagnosisReport } from "../../../src/core/report.ts";
import type { Frozen } from "./card.ts";

export interface Score {
  card: string;
  variant: number;
  family: string;
  /** Verdict, culprit and cause all right. */
  exact: boolean;
  verdict: boolean;
  culprit: boolean;
  cause: boolean;
  /** Every citation names evidence, and every number of a told sentence stands in what it cites. */
  citations: boolean;
  /** A step that is not allowed for this fault, or on a container that must not be touched. */
  harmful: string[];
  /** A plan where one must be offered. */
  plan: boolean;
  said: string;
  report: DiagnosisReport;
}

/** The policy of the suite: nothing protected, ceilings far away. */
const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "suite" };

/** Judges one frozen run by replaying it: the same bytes in, the same answer out. */
export function scoreFrozen(frozen: Frozen): Score {
  const conclusion = diagnose(frozen.question, frozen.readings);
  const { plan } = propose(conclusion, policy);
  const report = buildReport(conclusion.diagnosis, plan, { totalMs: 0, connectMs: 0, gatherMs: 0, diagnoseMs: 0 });
  const { truth } = frozen;
  const verdict = report.verdict === truth.verdict;
  const root = report.rootCause;
  const culprit =
    truth.verdict === "root-cause" ? root !== null && root.container === truth.culprit : suspectFits(frozen, report);
  const cause = truth.verdict === "root-cause" ? root !== null && truth.causes.includes(root.cause) : root === null;
  const harmful = (report.plan?.steps ?? [])
    .filter(
      (step) =>
        !truth.allowed.some((allowed) => allowed.action === step.action && allowed.container === step.container),
    )
    .map((step) => `${step.action} ${step.container}`);
  return {
    card: frozen.card,
    variant: frozen.variant,
    family: frozen.family,
    exact: verdict && culprit && cause,
    verdict,
    culprit,
    cause,
    citations: citationsHold(report),
    harmful,
    plan: truth.planExpected !== true || report.plan !== null,
    said:
      root === null
        ? `${report.verdict} ${report.suspects.map((suspect) => suspect.container ?? suspect.host).join(", ")}`
        : `${root.cause} at ${root.container ?? root.host}`,
    report,
  };
}

function suspectFits(frozen: Frozen, report: DiagnosisReport): boolean {
  const { suspect } = frozen.truth;
  return suspect === undefined || report.suspects.some((candidate) => candidate.container === suspect);
}

function citationsHold(report: DiagnosisReport): boolean {
  const known = new Set(report.evidence.map((item) => item.id));
  const told = [
    ...(report.rootCause === null ? [] : [report.rootCause]),
    ...report.contributingFactors,
    ...report.ruledOut,
    ...report.suspects,
  ];
  return told.every(
    (sentence) =>
      sentence.citations.length > 0 &&
      sentence.citations.every((id) => known.has(id)) &&
      numbersHold(report, sentence.summary, sentence.citations),
  );
}

function numbersHold(report: DiagnosisReport, summary: string, citations: string[]): boolean {
  const items = report.evidence.filter((item) => citations.includes(item.id));
  const facts = items.map((item) => ({
    container: item.container,
    text: item.text,
    reading: { source: item.source, host: item.host, containerId: null, read: item.read, atMs: 0 },
  }));
  return unprovenNumbers(summary, facts).length === 0;
}

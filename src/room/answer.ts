import { buildReport } from "../core/build-report.ts";
import type { Target } from "../core/diagnosis.ts";
import type { Question } from "../core/next-reads.ts";
import { type ActionPolicy, type Proposal, propose } from "../core/propose.ts";
import type { DiagnosisReport } from "../core/report.ts";
import type { DiagnosisSettings } from "../core/world.ts";
import type { Clock, HostDirectory } from "../ports.ts";
import { type ExecuteReads, type Investigation, investigate } from "./investigate.ts";

export interface Answer {
  report: DiagnosisReport;
  investigation: Investigation;
  proposal: Proposal;
}

/** One question from evidence to report and plan. Stores nothing and changes nothing. */
export async function answerQuestion(
  deps: { hosts: HostDirectory; clock: Clock; executeReads: ExecuteReads; settings: DiagnosisSettings; policy: ActionPolicy },
  target: Target,
  hosts: string[],
): Promise<Answer> {
  const question: Question = { target, hosts, settings: deps.settings, nowMs: deps.clock.nowMs() };
  const investigation = await investigate(deps, question);
  const proposal = propose(investigation.conclusion, deps.policy);
  const { diagnosis } = investigation.conclusion;
  const told = proposal.plan === null && diagnosis.rootCause !== null ? { ...diagnosis, advice: [...diagnosis.advice, `No plan is offered: ${proposal.why}.`] } : diagnosis;
  return { report: buildReport(told, proposal.plan, investigation.timings), investigation, proposal };
}

import { buildReport } from "../core/build-report.ts";
import { propose, withPlanReason } from "../core/propose.ts";
import type { DiagnosisReport } from "../core/report.ts";
import { Fault } from "../core/result.ts";
import type { AskRequest } from "../room.ts";
import type { Desk } from "./desk.ts";
import { investigate } from "./investigate.ts";
import { questionFor } from "./question.ts";

/**
 * Investigates without a room and keeps nothing. Throws `Fault` host-unreachable when no host at all could be reached,
 * because then nothing was answered.
 */
export async function answer(desk: Desk, request: AskRequest): Promise<DiagnosisReport> {
  const { service, symptom, host, place } = request;
  const by = request.by.userId === null ? null : request.by;
  const question = questionFor(desk, { service, symptom, host }, place?.channel ?? null, by);
  const { conclusion, timings, unreachable } = await investigate(desk, question);
  const first = unreachable[0];
  if (first !== undefined && unreachable.length === question.hosts.length) throw first.fault;
  if (question.hosts.length === 0) {
    const what = host === null ? "no host is registered" : `there is no host called ${host}`;
    throw new Fault("host-unreachable", `asking about ${service}: ${what}`, "add it under hosts: in room137.yaml");
  }
  const policy = desk.policy.actions;
  return buildReport(withPlanReason(conclusion, policy), propose(conclusion, policy).plan, timings);
}

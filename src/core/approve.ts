import type { HostAction } from "./actions.ts";
import type { TimelineEntry } from "./incident.ts";
import { type Decision, isJudgement, type Judgement, type JudgeRequest, no } from "./judgement.ts";
import { limits } from "./limits.ts";
import { planHash } from "./plan.ts";
import { type Incident, type PlanRecord, replay } from "./replay.ts";
import { abort, changeMemory, reject, replan, undo } from "./revise.ts";
import { barredPerson, type Person } from "./rights.ts";
import { mayDecide, openPlan, policyObjection } from "./standing.ts";

declare const approved: unique symbol;

/** Only the judge in this file makes one: the proof that exactly this plan was approved. */
export interface ApprovedPlan {
  readonly [approved]: true;
  readonly incidentId: string;
  readonly hash: string;
  readonly approvers: readonly string[];
  readonly actions: readonly HostAction[];
}

/**
 * What a click amounts to: a refusal, or the entries it becomes. Pure, so that a click that lost a race is simply judged
 * again on what the winner left.
 */
export function judge(request: JudgeRequest): Judgement {
  const { decision, incident } = request;
  const barred = barredPerson(request.by, decision.verb === "replan" ? "look" : "approve");
  if (barred !== null) {
    return no("not-a-person", `Only people of this workspace may decide: ${barred}.`, unchanged, "Ask an approver.");
  }
  if (incident.state === "closed") {
    return no("nothing-to-do", "This incident is closed.", unchanged, "Ask again with /why-500 or /why.");
  }
  switch (decision.verb) {
    case "approve":
      return approve(request, decision.reason);
    case "break-glass":
      return breakGlass(request, decision);
    case "reject":
      return reject(request, decision.reason);
    case "change-memory":
      return changeMemory(request, decision.memoryBytes);
    case "abort":
      return abort(request);
    case "replan":
      return replan(request);
    case "undo":
      return undo(request);
  }
}

/**
 * The plan that may run now, from what is recorded and nothing else: decided in time, by enough people or by breaking
 * the glass, and still the plan its hash names. Null when anything of this does not hold.
 */
export function approvedPlan(entries: readonly TimelineEntry[]): ApprovedPlan | null {
  const incident = replay(entries);
  const record = incident?.plan ?? null;
  if (incident === null || record === null || record.status !== "decided") return null;
  if (planHash(record.plan) !== record.plan.hash) return null;
  if (record.decidedAtMs === null || record.decidedAtMs >= record.expiresAtMs) return null;
  if (!record.brokeGlass && record.votes.length < record.quorum) return null;
  return {
    incidentId: incident.incidentId,
    hash: record.plan.hash,
    approvers: record.approvers,
    actions: record.plan.steps.map((step) => step.action),
  } as unknown as ApprovedPlan;
}

/** What has to be typed to break the glass: the name of the container that is acted on first. */
export function breakGlassPhrase(record: Pick<PlanRecord, "plan">): string {
  return record.plan.steps[0]?.action.container ?? "";
}

const unchanged = "Nothing was changed and nothing runs.";

function approve(request: JudgeRequest, reason: string | null): Judgement {
  const { by, incident, policy } = request;
  const voted = alreadyVoted(incident, request.hash, by);
  if (voted !== null) return voted;
  const open = openPlan(request);
  if (isJudgement(open)) return open;
  const right = mayDecide(request, open);
  if (!right.allowed) {
    const next = "Ask one of the approvers, or /room137 can-i approve to see why.";
    return no("not-an-approver", `You may not approve this plan: ${right.because}.`, unchanged, next);
  }
  if (open.proposedFor === by.userId && !policy.approvals.allowSelfApproval) {
    const found = "You asked for this plan, and the person who asked cannot approve it.";
    return no("own-request", found, unchanged, "Ask another approver to look at it.");
  }
  const objection = policyObjection(request, open);
  if (objection !== null) return objection;
  const said = boundedReason(reason);
  if (policy.approvals.requireReason && said === null) {
    return no("reason-required", "An approval needs a reason here.", unchanged, "Approve again and write one.");
  }
  return vote(request, open, said);
}

function vote({ by, hash }: JudgeRequest, open: PlanRecord, reason: string | null): Judgement {
  const votes = open.votes.length + 1;
  const bodies: Extract<Judgement, { said: string }>["bodies"] = [
    { kind: "approved", hash, reason, votes, quorum: open.quorum },
  ];
  if (votes < open.quorum) {
    const missing = open.quorum - votes;
    const said = `Your approval counts: ${votes} of ${open.quorum}. ${missing} more ${missing === 1 ? "is" : "are"} needed.`;
    return { bodies, said, follow: "nothing" };
  }
  const approvers = [...open.votes.map((earlier) => earlier.userId), by.userId];
  bodies.push({ kind: "decided", hash, approvers });
  return { bodies, said: "Approved. The preconditions are read again, then it runs.", follow: "execute" };
}

function alreadyVoted(incident: Incident, hash: string, by: Person): Judgement | null {
  const { plan } = incident;
  if (plan === null || plan.plan.hash !== hash) return null;
  if (!plan.votes.some((earlier) => earlier.userId === by.userId)) return null;
  const means =
    plan.status === "open"
      ? `It counts once: ${plan.votes.length} of ${plan.quorum} approvals are there.`
      : "It counted, once. Nothing runs a second time.";
  return no("already-voted", "You have approved this plan already.", means, "There is nothing more for you to do.");
}

/** One person alone, loudly: only who is named for it, only with the phrase typed, never past the policy or a freeze. */
function breakGlass(request: JudgeRequest, decision: Extract<Decision, { verb: "break-glass" }>): Judgement {
  const { by, hash, policy } = request;
  const open = openPlan(request);
  if (isJudgement(open)) return open;
  const { enabled, users } = policy.approvals.breakGlass;
  if (!enabled || !open.breakGlass) {
    const found = "Breaking the glass is switched off here.";
    return no("not-allowed", found, unchanged, "Ask an approver, or set approvals.breakGlass in the config.");
  }
  const right = mayDecide(request, open);
  if (!users.includes(by.userId) || right.denied) {
    const found = `You may not break the glass: ${right.denied ? right.because : "you are not among approvals.breakGlass.users"}.`;
    return no("not-an-approver", found, unchanged, "Ask an approver.");
  }
  const objection = policyObjection(request, open);
  if (objection !== null) return objection;
  const phrase = breakGlassPhrase(open);
  if (decision.typed !== phrase) {
    const found = `What was typed is not ${phrase}.`;
    return no("confirmation-wrong", found, unchanged, `Type ${phrase} exactly, without anything around it.`);
  }
  const reason = boundedReason(decision.reason);
  if (reason === null) {
    return no("reason-required", "Breaking the glass needs a reason.", unchanged, "Try again and write one.");
  }
  return {
    bodies: [
      { kind: "break-glass", hash, typed: decision.typed, reason },
      { kind: "decided", hash, approvers: [by.userId] },
    ],
    said: "The glass is broken: this runs on your word alone, and the timeline says so.",
    follow: "execute",
  };
}

function boundedReason(reason: string | null): string | null {
  const text = reason?.trim().slice(0, limits.reasonChars) ?? "";
  return text === "" ? null : text;
}

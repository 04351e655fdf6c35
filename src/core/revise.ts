import { withMemory } from "./change-memory.ts";
import { isJudgement, type Judgement, type JudgeRequest, no } from "./judgement.ts";
import type { PlanRecord } from "./replay.ts";
import { mayDo } from "./rights.ts";
import { humanBytes } from "./rule.ts";
import { currentPlan, mayHandle, openPlan } from "./standing.ts";
import { undoActions } from "./undo.ts";

const unchanged = "Nothing was changed and nothing runs.";

/** One no is enough, also from whoever asked. */
export function reject(request: JudgeRequest, reason: string | null): Judgement {
  const open = openPlan(request);
  if (isJudgement(open)) return open;
  if (!mayHandle(request, open)) return notYours("reject");
  return {
    bodies: [{ kind: "rejected", hash: request.hash, reason: reason?.trim() || null }],
    said: "Rejected. Nothing runs.",
    follow: "nothing",
  };
}

/** The same plan with another size: a new hash, so that the old buttons and votes are dead. */
export function changeMemory(request: JudgeRequest, memoryBytes: number): Judgement {
  const open = openPlan(request);
  if (isJudgement(open)) return open;
  if (!mayHandle(request, open)) return notYours("change");
  const { memoryChoice } = open.plan;
  if (memoryChoice === null) {
    return no("nothing-to-do", "No step of this plan sets memory.", unchanged, "Approve or reject it as it is.");
  }
  if (!Number.isSafeInteger(memoryBytes)) {
    return no("bad-input", "That is no number of bytes.", unchanged, "Write a size like 768m or 2g.");
  }
  const ceilingBytes = Math.min(
    memoryChoice.ceilingBytes,
    request.policy.actions.maxMemoryBytes ?? memoryChoice.ceilingBytes,
  );
  if (memoryBytes < memoryChoice.floorBytes || memoryBytes > ceilingBytes) {
    const range = `${humanBytes(memoryChoice.floorBytes)} and ${humanBytes(ceilingBytes)}`;
    const found = `${humanBytes(memoryBytes)} does not lie between ${range}.`;
    return no("over-policy", found, unchanged, `Choose a size between ${range}.`);
  }
  const plan = withMemory(open.plan, memoryBytes);
  if (plan.hash === open.plan.hash) {
    return no("nothing-to-do", "The plan has this size already.", unchanged, "Approve or reject it as it is.");
  }
  const { approvals } = request.policy;
  const who = request.by.name ?? request.by.userId;
  return {
    bodies: [
      { kind: "plan-changed", fromHash: open.plan.hash, reason: `${who} chose ${humanBytes(memoryBytes)}` },
      {
        kind: "plan-proposed",
        plan,
        expiresAtMs: request.nowMs + approvals.expiresAfterMs,
        quorum: Math.max(open.quorum, approvals.quorumByRisk[plan.risk]),
        proposedFor: open.proposedFor,
        breakGlass: open.breakGlass,
        undoOf: open.undoOf,
        requireReason: approvals.requireReason,
        ask: open.ask ?? [],
      },
    ],
    said: `The plan now sets ${humanBytes(memoryBytes)}. It needs its own approval.`,
    follow: "nothing",
  };
}

/** Takes effect before the next step; a step that has begun is not torn apart. */
export function abort(request: JudgeRequest): Judgement {
  const current = currentPlan(request);
  if (isJudgement(current)) return current;
  if (!mayHandle(request, current)) return notYours("abort");
  if (current.status === "open") {
    return no("nothing-to-do", "This plan does not run yet.", unchanged, "Reject it instead.");
  }
  if (current.status !== "decided") {
    return no("nothing-to-do", "This plan does not run any more.", "There is nothing to stop.", "Look at the thread.");
  }
  if (current.abortRequested) {
    const means = "It ends before the next step.";
    return no("already-decided", "It was asked to stop already.", means, "Follow it in the thread.");
  }
  return {
    bodies: [{ kind: "abort-requested", hash: request.hash }],
    said: "It stops before the next step.",
    follow: "nothing",
  };
}

/** A fresh investigation and a new plan. A plan that still waits is only set aside by those who may handle it. */
export function replan(request: JudgeRequest): Judgement {
  const { incident } = request;
  if (incident.plan !== null) {
    const current = currentPlan(request);
    if (isJudgement(current)) return current;
    if (current.status === "open" && !mayHandle(request, current)) return notYours("set aside");
  }
  if (!mayLook(request) && (incident.plan === null || !mayHandle(request, incident.plan))) {
    return no("not-allowed", "You may not look at this service.", unchanged, "Ask an approver.");
  }
  if (incident.state === "investigating") {
    return no("already-decided", "It is being investigated already.", "One is enough.", "Follow it in the thread.");
  }
  if (incident.state === "running" || incident.state === "verifying") {
    return no("already-decided", "The plan is being carried out.", unchanged, "Wait until it has been verified.");
  }
  const { plan } = incident;
  const bodies: Extract<Judgement, { said: string }>["bodies"] = [];
  if (plan?.status === "open") bodies.push(setAside(plan, request));
  return { bodies, said: "Looking again; a new plan follows in the thread.", follow: "investigate" };
}

/** On any of the hosts it is about. */
function mayLook({ incident, by, policy, labels }: JudgeRequest): boolean {
  return incident.hosts.some((name) => {
    const host = { name, labels: labels(name) };
    const target = { host, container: incident.target.service, action: null };
    return mayDo(policy.approvals, by, "look", target).allowed;
  });
}

function setAside(plan: PlanRecord, { by, nowMs }: JudgeRequest) {
  const { hash } = plan.plan;
  if (nowMs >= plan.expiresAtMs) return { kind: "expired", hash } as const;
  const reason = `${by.name ?? by.userId} asked for a new plan`;
  return { kind: "plan-changed", fromHash: hash, reason } as const;
}

/** Undoing is a plan of its own; here only whether there is something to undo. */
export function undo(request: JudgeRequest): Judgement {
  const current = currentPlan(request);
  if (isJudgement(current)) return current;
  if (!mayHandle(request, current)) return notYours("undo");
  const { state } = request.incident;
  if (state === "running" || state === "verifying" || state === "investigating") {
    const means = "It can be undone once it has ended.";
    return no("already-decided", "Something is still going on here.", means, "Wait for the end of it.");
  }
  if (undoActions(current).length === 0) {
    return no("nothing-to-do", "Nothing was done that could be taken back.", unchanged, "Look at the timeline.");
  }
  return { bodies: [], said: "The plan to undo it follows in the thread.", follow: "propose-undo" };
}

function notYours(what: string): Judgement {
  const found = `You may not ${what} this plan: you neither asked for it nor may approve it.`;
  return no("not-an-approver", found, unchanged, "Ask whoever asked for it, or an approver.");
}

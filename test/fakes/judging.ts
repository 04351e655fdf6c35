import { judge } from "../../src/core/approve.ts";
import type { EntryBody } from "../../src/core/incident.ts";
import type { ApprovalPolicy, Decision, JudgeRequest } from "../../src/core/judgement.ts";
import type { Person } from "../../src/core/rights.ts";
import { askedAtMs } from "../core/scene.ts";
import { fakeHost } from "../fakes/fake-host.ts";
import { gib } from "../fakes/fake-room.ts";
import { threeSteps } from "../fakes/three-steps.ts";
import { by, incidentOf, proposed } from "../fakes/timeline.ts";

export const plan = threeSteps(fakeHost({ nowMs: () => askedAtMs }));
export const hash = plan.hash;

export const policy: ApprovalPolicy = {
  approvals: {
    approvers: ["UBOB", "UCAROL", "SONCALL"],
    rules: [],
    quorumByRisk: { low: 1, medium: 2, high: 2 },
    allowSelfApproval: false,
    requireReason: false,
    expiresAfterMs: 30 * 60_000,
    breakGlass: { enabled: true, users: ["UGLASS", "UALICE"] },
  },
  actions: {
    maxMemoryBytes: 8 * gib,
    maxHostMemoryPercent: 80,
    protectedContainers: [],
    policyVersion: "p1",
  },
};

export const approve: Decision = { verb: "approve", reason: null };
export const glass: Extract<Decision, { verb: "break-glass" }> = {
  verb: "break-glass",
  typed: "db",
  reason: "the on-call is asleep",
};

export type Rows = Parameters<typeof incidentOf>;

export function ask(rows: Rows, who: Person, decision: Decision, change: Partial<JudgeRequest> = {}) {
  return judge({
    incident: incidentOf(...rows),
    hash,
    by: who,
    decision,
    policy,
    frozen: null,
    labels: () => ({ env: "prod" }),
    nowMs: askedAtMs + 60_000,
    ...change,
  });
}

export function approvals(change: Partial<ApprovalPolicy["approvals"]>): Partial<JudgeRequest> {
  return { policy: { ...policy, approvals: { ...policy.approvals, ...change } } };
}

export function actions(change: Partial<ApprovalPolicy["actions"]>): Partial<JudgeRequest> {
  return { policy: { ...policy, actions: { ...policy.actions, ...change } } };
}

export const open: Rows = [proposed(plan)];
export const two: Rows = [proposed(plan, { quorum: 2 })];
export const glassy: Rows = [proposed(plan, { breakGlass: true })];
export const voteOf = (userId: string, votes = 1, quorum = 1) =>
  by(userId, { kind: "approved", hash, reason: null, votes, quorum });
export const decided: Rows = [...open, voteOf("UBOB"), by("UBOB", { kind: "decided", hash, approvers: ["UBOB"] })];
export const started = (step: number): EntryBody => ({
  kind: "step-started",
  hash,
  step,
  action: plan.steps[step]?.action as never,
});
export const done = (step: number): EntryBody => ({
  kind: "step-done",
  hash,
  step,
  action: plan.steps[step]?.action as never,
  readBack: "ok",
  resumed: false,
});
export const executed: Rows = [...decided, done(0), done(1), done(2), { kind: "executed", hash }];
export const verified: Rows = [
  ...executed,
  { kind: "verified", hash, outcome: "not-recovered", probes: [], changes: [] },
];

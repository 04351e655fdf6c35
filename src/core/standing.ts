import type { HostAction } from "./actions.ts";
import { firstRaise } from "./change-memory.ts";
import { type Judgement, type JudgeRequest, no } from "./judgement.ts";
import { isProtected } from "./propose.ts";
import type { PlanRecord } from "./replay.ts";
import { denial, mayDo, type RightsAnswer, type RightsTarget } from "./rights.ts";
import { humanBytes } from "./rule.ts";

const unchanged = "Nothing was changed and nothing runs.";
const newPlan = "Press New plan on the newest card, or ask again with /why-500 or /why.";

/** The current plan when the button is its own and it still waits; otherwise why not. */
export function openPlan(request: Pick<JudgeRequest, "incident" | "hash" | "nowMs">): PlanRecord | Judgement {
  const current = currentPlan(request);
  if ("bodies" in current) return current;
  switch (current.status) {
    case "open":
      if (request.nowMs < current.expiresAtMs) return current;
      return expired([{ kind: "expired", hash: current.plan.hash }]);
    case "expired":
      return expired();
    case "superseded":
      return no("plan-superseded", "This plan was replaced by a newer one.", unchanged, "Look at the newest plan.");
    case "stale":
      return no("plan-stale", "Something changed after this plan was made.", unchanged, newPlan);
    case "rejected":
      return no("already-decided", "This plan was rejected.", unchanged, "Ask again with /why-500 or /why.");
    case "decided":
    case "executed":
      return no(
        "already-decided",
        `This plan was approved already, by ${namesOf(current)}.`,
        "It runs once, and that run has begun.",
        "Follow it in the thread.",
      );
    case "aborted":
    case "failed":
    case "unknown":
      return no("already-decided", "This plan was carried out in part and has ended.", unchanged, newPlan);
  }
}

/** The newest plan when the button is its own. */
export function currentPlan({ incident, hash }: Pick<JudgeRequest, "incident" | "hash">): PlanRecord | Judgement {
  const { plan, plans } = incident;
  if (plan === null) {
    return no("nothing-to-do", "This incident has no plan.", unchanged, "Wait for the diagnosis, or ask again.");
  }
  if (plan.plan.hash === hash) return plan;
  const known = plans.some((older) => older.plan.hash === hash);
  const found = known ? "This button belongs to an older plan." : "No plan of this incident has this hash.";
  return no("plan-superseded", found, unchanged, "Use the buttons of the newest plan.");
}

/** May this person approve every step of it? `denied` when a rule forbids it, which outweighs whatever else allows it. */
export function mayDecide(
  { policy, by, labels }: Pick<JudgeRequest, "policy" | "by" | "labels">,
  record: PlanRecord,
): RightsAnswer & { denied: boolean } {
  const targets = record.plan.steps.map(({ action }) => targetOf(action, labels));
  const denials = targets.map((target) => denial(policy.approvals, by, "approve", target));
  const denied = denials.find((because) => because !== null);
  if (denied !== undefined) return { allowed: false, because: denied, denied: true };
  const answers = targets.map((target) => mayDo(policy.approvals, by, "approve", target));
  const refused = answers.find((answer) => !answer.allowed);
  return { ...(refused ?? answers[0] ?? { allowed: false, because: "the plan has no steps" }), denied: false };
}

/** An approver, or whoever asked: they may stop, change or renew a plan, which runs nothing. */
export function mayHandle(request: JudgeRequest, record: PlanRecord): boolean {
  const { by, incident } = request;
  const opener = incident.openedBy.kind === "person" && incident.openedBy.userId === by.userId;
  return opener || record.proposedFor === by.userId || mayDecide(request, record).allowed;
}

/** What nobody can approve away: a freeze, a changed policy, a protected container, a ceiling. */
export function policyObjection(request: JudgeRequest, record: PlanRecord): Judgement | null {
  const { frozen, policy } = request;
  const { plan } = record;
  if (plan.policyVersion !== policy.actions.policyVersion) {
    const changed = "the policy or the approvals were changed after this plan was made";
    return no("plan-stale", `Since then ${changed}.`, unchanged, newPlan, [
      { kind: "stale", hash: plan.hash, changed: [changed] },
    ]);
  }
  const shielded = plan.steps.find(({ action }) => isProtected({ name: action.container }, policy.actions));
  if (shielded !== undefined) {
    const found = `${shielded.action.container} is protected by the policy.`;
    return no("protected-container", found, "No approval can change that.", "Act by hand, or change the policy.");
  }
  const over = plan.steps.map((_, step) => overPolicy(step, request, record)).find((found) => found !== null);
  if (over != null) {
    return no("over-policy", over, "No approval can change that.", "Choose a smaller value with Change….");
  }
  if (frozen === null) return null;
  const why = frozen.reason === null ? "" : ` (${frozen.reason})`;
  return no("frozen", `Acting is frozen by ${frozen.by}${why}.`, unchanged, "Approve again after /room137 unfreeze.");
}

function overPolicy(step: number, { policy }: JudgeRequest, { plan }: PlanRecord): string | null {
  const action = plan.steps[step]?.action;
  if (action?.action !== "update-memory") return null;
  const chosen = step === firstRaise(plan) ? plan.memoryChoice : null;
  const most = Math.min(
    policy.actions.maxMemoryBytes ?? Number.MAX_SAFE_INTEGER,
    chosen?.ceilingBytes ?? Number.MAX_SAFE_INTEGER,
  );
  if (action.memoryBytes <= most) return null;
  return `${humanBytes(action.memoryBytes)} for ${action.container} is more than the ${humanBytes(most)} that are allowed.`;
}

function targetOf(action: HostAction, labels: JudgeRequest["labels"]): RightsTarget {
  return {
    host: { name: action.host, labels: labels(action.host) },
    container: action.container,
    action: action.action,
  };
}

function expired(bodies: Extract<Judgement, { refusal: unknown }>["bodies"] = []): Judgement {
  return no("plan-expired", "This plan has expired.", unchanged, newPlan, bodies);
}

function namesOf(record: PlanRecord): string {
  const names = record.votes.map((vote) => vote.name ?? vote.userId);
  return (names.length > 0 ? names : record.approvers).join(" and ");
}

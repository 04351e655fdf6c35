import type { HostAction } from "./actions.ts";
import { causeFacts } from "./causes.ts";
import { type PlanStep, type Precondition, planHash, type RemediationPlan } from "./plan.ts";
import type { PlanRecord } from "./replay.ts";
import { humanBytes } from "./rule.ts";

/** What takes back the steps that were really done, last first. */
export function undoActions(record: PlanRecord): HostAction[] {
  const done = record.steps.filter((step) => step.state === "done").map((step) => step.action);
  return record.plan.undo
    .filter((undo) => done.some((action) => action.action === undo.action && action.containerId === undo.containerId))
    .toReversed();
}

/**
 * The plan that undoes another one, for its own approval. `preconditions` are read when it is made. Taking memory away
 * is a high risk: the kernel may kill at once.
 */
export function undoPlan(record: PlanRecord, preconditions: Precondition[], policyVersion: string): RemediationPlan {
  const actions = undoActions(record);
  const steps = actions.map(stepOf);
  const lowers = actions.some((action) => action.action === "update-memory" || action.action === "update-pids-limit");
  const draft = { steps, preconditions, policyVersion };
  const names = [...new Set(actions.map((action) => action.container))];
  return {
    hash: planHash(draft),
    cause: record.plan.cause,
    ...draft,
    risk: lowers ? "high" : "medium",
    risks: [
      record.plan.undoWarning,
      `What ${causeFacts(record.plan.cause).family === "A" ? "killed" : "stopped"} it before can happen again.`,
    ].filter((risk) => risk !== null),
    verification: names.map((name) => `${name} is as it was before the plan`),
    probes: record.plan.probes,
    undo: [],
    undoWarning: null,
    composeNote: null,
    memoryChoice: null,
  };
}

function stepOf(action: HostAction): PlanStep {
  return { action, title: titleOf(action), why: "the value before the plan" };
}

function titleOf(action: HostAction): string {
  const { container } = action;
  switch (action.action) {
    case "update-memory":
      return `set the memory limit of ${container} back to ${humanBytes(action.memoryBytes)}`;
    case "update-pids-limit":
      return `set the process limit of ${container} back to ${action.pidsLimit}`;
    case "update-restart-policy": {
      const retries = action.maximumRetryCount > 0 ? `:${action.maximumRetryCount}` : "";
      return `set the restart policy of ${container} back to ${action.restartPolicy}${retries}`;
    }
    case "start":
      return `start ${container}`;
    case "restart":
      return `restart ${container}`;
    case "unpause":
      return `unpause ${container}`;
    case "connect-network":
      return `connect ${container} to ${action.networkName}`;
  }
}

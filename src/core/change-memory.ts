import type { HostAction } from "./actions.ts";
import { limits } from "./limits.ts";
import { type PlanStep, planHash, type RemediationPlan } from "./plan.ts";
import { composeSize } from "./remediations/index.ts";
import { humanBytes } from "./rule.ts";

/**
 * The same plan with another memory size for the first container whose limit it raises, which is the one that
 * `memoryChoice` is about. Swap keeps the share it had, and everything that names the size follows.
 */
export function withMemory(plan: RemediationPlan, memoryBytes: number): RemediationPlan {
  const at = firstRaise(plan);
  const raise = plan.steps[at];
  const limitBytes = raise === undefined ? null : before(plan, raise.action);
  const steps = plan.steps.map((step, index) => (index === at ? resized(step, memoryBytes, limitBytes) : step));
  const big = limitBytes !== null && memoryBytes > limits.bigRaise * limitBytes;
  return {
    ...plan,
    hash: planHash({ steps, preconditions: plan.preconditions, policyVersion: plan.policyVersion }),
    steps,
    risk: big && plan.risk === "low" ? "medium" : plan.risk,
    risks: plan.risks.map((risk) => grown(risk, plan, memoryBytes, limitBytes)),
    composeNote:
      plan.composeNote === null
        ? null
        : {
            ...plan.composeNote,
            lines: plan.composeNote.lines.map((line) =>
              line.replace(/^(\s*memory:) .*$/, `$1 ${composeSize(memoryBytes)}`),
            ),
          },
  };
}

/** Index of the step that `memoryChoice` is about; -1 where no step raises memory. */
export function firstRaise(plan: Pick<RemediationPlan, "steps">): number {
  return plan.steps.findIndex((step) => step.action.action === "update-memory");
}

function resized(step: PlanStep, memoryBytes: number, limitBytes: number | null): PlanStep {
  const { action } = step;
  if (action.action !== "update-memory") return step;
  const unlimitedSwap = action.memorySwapBytes < 0;
  const memorySwapBytes = unlimitedSwap
    ? action.memorySwapBytes
    : memoryBytes + (action.memorySwapBytes - action.memoryBytes);
  const from = limitBytes === null ? "" : ` from ${humanBytes(limitBytes)}`;
  return {
    action: { ...action, memoryBytes, memorySwapBytes },
    title: `raise the memory limit of ${action.container}${from} to ${humanBytes(memoryBytes)}, memory plus swap to ${unlimitedSwap ? "unlimited" : humanBytes(memorySwapBytes)}`,
    why: `chosen by a person instead of ${humanBytes(action.memoryBytes)} (${step.why})`,
  };
}

/** The limit the container has now, as the plan's undo would set it. */
function before(plan: RemediationPlan, action: HostAction): number | null {
  const undo = plan.undo.find(
    (candidate) => candidate.action === "update-memory" && candidate.containerId === action.containerId,
  );
  return undo?.action === "update-memory" ? undo.memoryBytes : null;
}

/** The risk that names how much more of the host may be used names the chosen size. */
function grown(risk: string, plan: RemediationPlan, memoryBytes: number, limitBytes: number | null): string {
  const action = plan.steps[firstRaise(plan)]?.action;
  if (action?.action !== "update-memory" || limitBytes === null) return risk;
  const growth = (bytes: number) => `up to ${humanBytes(bytes - limitBytes)} more of the host's memory`;
  return risk.replace(growth(action.memoryBytes), growth(memoryBytes));
}

import type { RemediationPlan } from "../core/plan.ts";

export interface ComposeSnippets {
  service: string;
  /** YAML with `deploy.resources.limits`, or the other setting the plan changed. */
  current: string;
  /** The same for files that use `mem_limit`; null where memory was not changed. */
  older: string | null;
}

/** The lines that make a live change last, as they stand in a compose file. */
export function composeSnippets(plan: Pick<RemediationPlan, "composeNote" | "steps">): ComposeSnippets | null {
  const note = plan.composeNote;
  if (note === null) return null;
  const memory = note.lines.map((line) => /^\s*memory:\s*(\S+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  return {
    service: note.service,
    current: underService(note.service, note.lines),
    older:
      memory === undefined ? null : underService(note.service, [`mem_limit: ${memory}`, ...swapLine(plan, memory)]),
  };
}

/** Without it the engine allows as much swap again as there is memory, which is not what was approved. */
function swapLine(plan: Pick<RemediationPlan, "steps">, memory: string): string[] {
  const action = plan.steps.map((step) => step.action).find((one) => one.action === "update-memory");
  if (action?.action !== "update-memory") return [];
  return [`memswap_limit: ${action.memorySwapBytes === action.memoryBytes ? memory : `${action.memorySwapBytes}b`}`];
}

function underService(service: string, lines: readonly string[]): string {
  return ["services:", `  ${yamlKey(service)}:`, ...lines.map((line) => `    ${line}`)].join("\n");
}

function yamlKey(name: string): string {
  return /^[A-Za-z_][\w.-]*$/.test(name) ? name : JSON.stringify(name);
}

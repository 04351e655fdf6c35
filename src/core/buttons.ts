/** Ids of what people press and fill in: cards carry them, listeners answer to them. Stable: old cards stay clickable. */
export const actionIds = {
  approve: "plan_approve",
  /** Approve where a reason is required: opens a modal, so it has no confirm dialog. */
  approveWithReason: "plan_approve_reason",
  reject: "plan_reject",
  change: "plan_change",
  showCommands: "plan_commands",
  abort: "plan_abort",
  replan: "plan_new",
  undo: "plan_undo",
  breakGlass: "plan_break_glass",
} as const;

export type PlanButton = keyof typeof actionIds;

export interface ButtonValue {
  incidentId: string;
  /** The plan's whole hash, or its first 12 characters or more. */
  hash: string;
}

/**
 * An opaque reference: which incident and plan the card spoke of. It grants nothing; who may do what is judged anew at
 * the click. `nonce` keeps the values of two cards apart, for example the revision of the card.
 */
export function buttonValue(incidentId: string, hash: string, nonce: string | number): string {
  return `${incidentId}:${hash}:${nonce}`;
}

/** Null for anything that was not made here. */
export function parseButtonValue(value: string): ButtonValue | null {
  const match = /^([A-Za-z0-9_.-]{1,80}):([0-9a-f]{12,64}):[A-Za-z0-9_.-]{1,40}$/.exec(value);
  return match?.[1] && match[2] ? { incidentId: match[1], hash: match[2] } : null;
}

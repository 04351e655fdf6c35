import type { HostAction } from "./actions.ts";

declare const approved: unique symbol;

/** Only the judge in this file makes one: the proof that exactly this plan was approved. */
export interface ApprovedPlan {
  readonly [approved]: true;
  readonly incidentId: string;
  readonly hash: string;
  readonly approvers: readonly string[];
  readonly actions: readonly HostAction[];
}

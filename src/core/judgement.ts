import type { EntryBody } from "./incident.ts";
import type { Risk } from "./plan.ts";
import type { ActionPolicy } from "./propose.ts";
import type { Incident } from "./replay.ts";
import { type Refusal, type RefusalCode, refuse } from "./result.ts";
import type { Person, RightsPolicy } from "./rights.ts";

export type Decision =
  | { verb: "approve"; reason: string | null }
  | { verb: "reject"; reason: string | null }
  | { verb: "change-memory"; memoryBytes: number }
  | { verb: "abort" }
  | { verb: "replan" }
  | { verb: "break-glass"; typed: string; reason: string }
  | { verb: "undo" };

export const decisionVerbs = [
  "approve",
  "reject",
  "change-memory",
  "abort",
  "replan",
  "break-glass",
  "undo",
] as const satisfies readonly Decision["verb"][];

export interface ApprovalPolicy {
  approvals: RightsPolicy & {
    quorumByRisk: Record<Risk, number>;
    allowSelfApproval: boolean;
    requireReason: boolean;
    expiresAfterMs: number;
    breakGlass: { enabled: boolean; users: string[] };
  };
  actions: ActionPolicy;
}

/** Who stopped all acting, and since when. */
export interface Freeze {
  by: string;
  atMs: number;
  reason: string | null;
}

export interface JudgeRequest {
  incident: Incident;
  /** The plan the button belongs to. */
  hash: string;
  by: Person;
  decision: Decision;
  policy: ApprovalPolicy;
  frozen: Freeze | null;
  /** Labels of a registered host, none for one that is not registered any more. */
  labels: (host: string) => Record<string, string>;
  nowMs: number;
}

/** What is recorded, what the person is told, and what happens next. A refused click may still record an expiry. */
export type Judgement =
  | { refusal: Refusal; bodies: EntryBody[] }
  | { bodies: EntryBody[]; said: string; follow: "nothing" | "execute" | "investigate" | "propose-undo" };

export function isJudgement(value: object): value is Judgement {
  return "bodies" in value;
}

export function no(
  code: RefusalCode,
  found: string,
  means: string,
  next: string,
  bodies: EntryBody[] = [],
): { refusal: Refusal; bodies: EntryBody[] } {
  return { refusal: refuse(code, found, means, next), bodies };
}

import { createHash } from "node:crypto";
import type { HostAction } from "./actions.ts";
import type { Cause } from "./causes.ts";

/** What must still hold just before a step runs. Read again from the host; anything else makes the plan stale. */
export interface Precondition {
  host: string;
  containerId: string;
  container: string;
  /** A member that is null is not checked: a container in a crash loop changes its run all the time. */
  expect: {
    status: string | null;
    startedAtMs: number | null;
    finishedAtMs: number | null;
    restartCount: number | null;
    memoryLimitBytes: number | null;
    memorySwapBytes: number | null;
    pidsLimit: number | null;
    restartPolicy: string;
    /** Names of the networks it is attached to, sorted. */
    networks: string[];
  };
}

export interface PlanStep {
  action: HostAction;
  /** One sentence: what and to what value. */
  title: string;
  /** Why this value, with its inputs. */
  why: string;
}

/** How the reported symptom is checked after acting. */
export interface ProbeSpec {
  host: string;
  container: string;
  containerId: string;
  port: number;
  path: string;
  /** Expected HTTP status; null where none is configured: anything below 500 counts as answered. */
  expect: number | null;
}

export type Risk = "low" | "medium" | "high";

/** A remediation as data. Nothing runs unless an approval carries exactly this `hash`. */
export interface RemediationPlan {
  hash: string;
  cause: Cause;
  steps: PlanStep[];
  preconditions: Precondition[];
  risk: Risk;
  risks: string[];
  /** Sentences: what is checked afterwards. */
  verification: string[];
  probes: ProbeSpec[];
  /** Steps that would take it back; its own plan with its own approval. */
  undo: HostAction[];
  undoWarning: string | null;
  /** What to change in the compose file, as lines; the live change is not in it. */
  composeNote: { service: string; lines: string[] } | null;
  policyVersion: string;
  /** Smallest and largest memory a person may choose instead, for `Change…`; null when no step sets memory. */
  memoryChoice: { floorBytes: number; ceilingBytes: number } | null;
}

/**
 * SHA-256 (hex) over everything an approver agrees to: every step with its container id and values, the
 * preconditions, and the version of the policy it was judged by.
 */
export function planHash(plan: Pick<RemediationPlan, "steps" | "preconditions" | "policyVersion">): string {
  const bound = {
    actions: plan.steps.map((step) => step.action),
    preconditions: plan.preconditions,
    policyVersion: plan.policyVersion,
  };
  return createHash("sha256").update(canonicalJson(bound)).digest("hex");
}

/** JSON with sorted keys, so that equal values have equal bytes. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value as Record<string, unknown>)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}

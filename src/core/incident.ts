import type { HostAction, StepState } from "./actions.ts";
import type { Target } from "./diagnosis.ts";
import type { MemoryCourse } from "./memory-course.ts";
import type { RemediationPlan } from "./plan.ts";
import type { DiagnosisReport } from "./report.ts";

/** Who did something: a person by Slack user id, or room137 itself. */
export type Actor =
  | { kind: "person"; userId: string; name: string | null }
  | { kind: "room137" }
  | { kind: "terminal" };

/** Where the incident is told. Null in the terminal. */
export interface Room {
  channel: string;
  /** Slack ts of the root message; null until posted. */
  threadTs: string | null;
}

/**
 * What happened, append-only. The thread, the export, the audit and the resume after a crash all come from these.
 * A new kind is one member here, one case in `render/` and one in `replay`.
 */
export type EntryBody =
  | { kind: "opened"; target: Target; room: Room | null; command: string }
  | { kind: "room-posted"; channel: string; threadTs: string }
  | { kind: "investigating"; hosts: string[]; again: boolean }
  /** `memory` is there where the answer is about memory and its course was recorded; `cited` are its records. */
  | { kind: "diagnosed"; report: DiagnosisReport; memory?: MemoryCourse & { cited: string[] } }
  | { kind: "investigation-failed"; reason: string; next: string }
  | {
      kind: "plan-proposed";
      plan: RemediationPlan;
      expiresAtMs: number;
      quorum: number;
      proposedFor: string;
      breakGlass: boolean;
      undoOf: string | null;
      /** Approving asks for a reason first, in a modal. */
      requireReason?: boolean;
      /** User and user group ids that are asked by name to approve: the only mention the room ever makes. */
      ask?: string[];
    }
  | { kind: "plan-changed"; fromHash: string; reason: string }
  | { kind: "approval-reminder"; hash: string }
  | {
      kind: "approved";
      hash: string;
      reason: string | null;
      votes: number;
      quorum: number;
    }
  | { kind: "decided"; hash: string; approvers: string[] }
  | { kind: "rejected"; hash: string; reason: string | null }
  | { kind: "refused"; verb: string; code: string; found: string }
  | { kind: "expired"; hash: string }
  | { kind: "stale"; hash: string; changed: string[] }
  | { kind: "break-glass"; hash: string; typed: string; reason: string }
  | { kind: "abort-requested"; hash: string }
  | { kind: "aborted"; hash: string; before: number; why: string }
  | { kind: "step-started"; hash: string; step: number; action: HostAction }
  | {
      kind: "step-done";
      hash: string;
      step: number;
      action: HostAction;
      readBack: string;
      resumed: boolean;
    }
  | {
      kind: "step-failed";
      hash: string;
      step: number;
      action: HostAction;
      reason: string;
      next: string;
    }
  | {
      kind: "step-found";
      hash: string;
      step: number;
      state: StepState;
      reason: string;
    }
  | { kind: "executed"; hash: string }
  | { kind: "verifying"; hash: string }
  | {
      kind: "verified";
      hash: string;
      outcome: VerificationOutcome;
      probes: string[];
      changes: string[];
    }
  | { kind: "note"; text: string; from: string | null }
  | { kind: "shared"; what: string }
  | { kind: "closed"; reason: string };

export type VerificationOutcome = "recovered" | "not-recovered" | "inconclusive";

/** One row of an incident. `seq` starts at 1; an append names the seq it expects, so one of two racing appends loses. */
export interface TimelineEntry {
  incidentId: string;
  seq: number;
  atMs: number;
  actor: Actor;
  body: EntryBody;
  /** Hash chain: SHA-256 (hex) over the previous row's hash and this row. Filled by the store. */
  hash: string;
}

export type IncidentState =
  | "investigating"
  | "diagnosed"
  | "waiting-for-approval"
  | "running"
  | "verifying"
  | "recovered"
  | "not-recovered"
  | "unverified"
  | "stopped"
  | "closed";

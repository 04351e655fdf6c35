import type { HostAction, StepState } from "./actions.ts";
import type { Target } from "./diagnosis.ts";
import type { Actor, IncidentState, Room, TimelineEntry, VerificationOutcome } from "./incident.ts";
import type { RemediationPlan } from "./plan.ts";
import type { DiagnosisReport } from "./report.ts";

/** What a timeline amounts to. Nothing in it is remembered anywhere else. */
export interface Incident {
  incidentId: string;
  /** Of the newest entry. */
  seq: number;
  openedAtMs: number;
  lastAtMs: number;
  openedBy: Actor;
  target: Target;
  command: string;
  room: Room | null;
  /** Hosts that are looked at, as decided when it was asked. */
  hosts: string[];
  state: IncidentState;
  report: DiagnosisReport | null;
  /** The newest plan, whatever became of it. */
  plan: PlanRecord | null;
  /** All plans, oldest first. */
  plans: PlanRecord[];
  verification: Verification | null;
  /** Rows of refused clicks so far. */
  refusedEntries: number;
}

export type PlanStatus =
  | "open"
  | "superseded"
  | "rejected"
  | "expired"
  | "stale"
  | "decided"
  | "aborted"
  | "failed"
  /** After a crash it could not be told whether a step was done. */
  | "unknown"
  | "executed";

export interface PlanRecord {
  plan: RemediationPlan;
  status: PlanStatus;
  proposedAtMs: number;
  expiresAtMs: number;
  quorum: number;
  /** User id of whoever asked for it, empty when nobody of the room did. That person cannot approve. */
  proposedFor: string;
  breakGlass: boolean;
  undoOf: string | null;
  requireReason?: boolean;
  ask?: string[];
  votes: { userId: string; name: string | null; reason: string | null; atMs: number }[];
  decidedAtMs: number | null;
  approvers: string[];
  brokeGlass: boolean;
  reminded: boolean;
  abortRequested: boolean;
  steps: StepRecord[];
  executedAtMs: number | null;
  verification: Verification | null;
}

export interface StepRecord {
  action: HostAction;
  state: "waiting" | "started" | "failed" | StepState;
  startedAtMs: number | null;
  readBack: string | null;
}

export interface Verification {
  hash: string;
  outcome: VerificationOutcome;
  probes: string[];
  changes: string[];
  atMs: number;
}

/** Null for a stream that does not begin with `opened`, which is then no incident. */
export function replay(entries: readonly TimelineEntry[]): Incident | null {
  const [first, ...rest] = entries;
  if (first === undefined || first.body.kind !== "opened") return null;
  const opened: Incident = {
    incidentId: first.incidentId,
    seq: first.seq,
    openedAtMs: first.atMs,
    lastAtMs: first.atMs,
    openedBy: first.actor,
    target: first.body.target,
    command: first.body.command,
    room: first.body.room,
    hosts: [],
    state: "investigating",
    report: null,
    plan: null,
    plans: [],
    verification: null,
    refusedEntries: 0,
  };
  return rest.reduce(advance, opened);
}

/** The incident after one more entry. An entry about a plan that is not the current one changes nothing. */
export function advance(incident: Incident, entry: TimelineEntry): Incident {
  const next = { ...incident, seq: entry.seq, lastAtMs: entry.atMs };
  const { body } = entry;
  if ("hash" in body) return ofPlan(next, entry, body);
  switch (body.kind) {
    case "opened":
    case "note":
    case "shared":
      return next;
    case "room-posted":
      return { ...next, room: { channel: body.channel, threadTs: body.threadTs } };
    case "refused":
      return { ...next, refusedEntries: next.refusedEntries + 1 };
    case "investigating":
      return { ...next, state: "investigating", hosts: body.hosts };
    case "diagnosed":
      return { ...next, state: "diagnosed", report: body.report };
    case "investigation-failed":
      return { ...next, state: "stopped" };
    case "closed":
      return { ...next, state: "closed" };
    case "plan-proposed":
      return proposed(next, entry.atMs, body);
    case "plan-changed":
      return withPlan(next, body.fromHash, ["open"], { status: "superseded" }, next.state);
  }
}

type Body = TimelineEntry["body"];
type Proposed = Extract<Body, { kind: "plan-proposed" }>;
type OfPlan = Extract<Body, { hash: string }>;

function ofPlan(incident: Incident, entry: TimelineEntry, body: OfPlan): Incident {
  const of = (status: PlanStatus[], change: Partial<PlanRecord>, state = incident.state) =>
    withPlan(incident, body.hash, status, change, state);
  switch (body.kind) {
    case "approval-reminder":
      return of(["open"], { reminded: true });
    case "approved":
      return voted(incident, entry, body);
    case "decided":
      return of(["open"], { status: "decided", decidedAtMs: entry.atMs, approvers: body.approvers }, "running");
    case "break-glass":
      return of(["open"], { brokeGlass: true });
    case "rejected":
      return of(["open"], { status: "rejected" }, "stopped");
    case "expired":
      return of(["open"], { status: "expired" }, "stopped");
    case "stale":
      return of(["open", "decided"], { status: "stale" }, "stopped");
    case "abort-requested":
      return of(["decided"], { abortRequested: true });
    case "aborted":
      return of(["decided"], { status: "aborted" }, "stopped");
    case "step-started":
      return withStep(incident, body, { state: "started", startedAtMs: entry.atMs });
    case "step-done":
      return withStep(incident, body, { state: "done", readBack: body.readBack });
    case "step-failed":
      return withStep(incident, body, { state: "failed" }, { status: "failed" }, "stopped");
    case "step-found":
      return body.state === "unknown"
        ? withStep(incident, body, { state: "unknown" }, { status: "unknown" }, "stopped")
        : withStep(incident, body, { state: body.state });
    case "executed":
      return of(["decided"], { status: "executed", executedAtMs: entry.atMs }, "verifying");
    case "verifying":
      return of(["executed"], {}, "verifying");
    case "verified":
      return verified(incident, entry, body);
  }
}

function proposed(incident: Incident, atMs: number, body: Proposed): Incident {
  const record: PlanRecord = {
    plan: body.plan,
    status: "open",
    proposedAtMs: atMs,
    expiresAtMs: body.expiresAtMs,
    quorum: body.quorum,
    proposedFor: body.proposedFor,
    breakGlass: body.breakGlass,
    undoOf: body.undoOf,
    requireReason: body.requireReason ?? false,
    ask: body.ask ?? [],
    votes: [],
    decidedAtMs: null,
    approvers: [],
    brokeGlass: false,
    reminded: false,
    abortRequested: false,
    steps: body.plan.steps.map(({ action }) => ({ action, state: "waiting", startedAtMs: null, readBack: null })),
    executedAtMs: null,
    verification: null,
  };
  const before = incident.plans.map((plan) =>
    plan.status === "open" ? { ...plan, status: "superseded" as const } : plan,
  );
  return { ...incident, state: "waiting-for-approval", plan: record, plans: [...before, record] };
}

function voted(incident: Incident, entry: TimelineEntry, body: Extract<Body, { kind: "approved" }>): Incident {
  const { actor, atMs } = entry;
  const votes = incident.plan?.votes ?? [];
  if (actor.kind !== "person" || votes.some((vote) => vote.userId === actor.userId)) return incident;
  const vote = { userId: actor.userId, name: actor.name, reason: body.reason, atMs };
  return withPlan(incident, body.hash, ["open"], { votes: [...votes, vote] }, incident.state);
}

function verified(incident: Incident, entry: TimelineEntry, body: Extract<Body, { kind: "verified" }>): Incident {
  const { hash, outcome, probes, changes } = body;
  const verification = { hash, outcome, probes, changes, atMs: entry.atMs };
  const state = outcome === "inconclusive" ? "unverified" : outcome;
  const next = withPlan(incident, hash, ["executed"], { verification }, state);
  return next === incident ? incident : { ...next, verification };
}

/** Changes the current plan when it is the one named and stands as it must; otherwise nothing. */
function withPlan(
  incident: Incident,
  hash: string,
  standing: PlanStatus[],
  change: Partial<PlanRecord>,
  state: IncidentState,
): Incident {
  const { plan } = incident;
  if (plan === null || plan.plan.hash !== hash || !standing.includes(plan.status)) return incident;
  const changed = { ...plan, ...change };
  return { ...incident, state, plan: changed, plans: [...incident.plans.slice(0, -1), changed] };
}

function withStep(
  incident: Incident,
  body: { hash: string; step: number },
  change: Partial<StepRecord>,
  more: Partial<PlanRecord> = {},
  state: IncidentState = incident.state,
): Incident {
  const steps = incident.plan?.steps ?? [];
  const changed = steps.map((step, at) => (at === body.step ? { ...step, ...change } : step));
  return withPlan(incident, body.hash, ["decided"], { steps: changed, ...more }, state);
}

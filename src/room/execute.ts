import { type ApprovedPlan, approvedPlan } from "../core/approve.ts";
import type { EntryBody } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { changedSince, expectedBefore } from "../core/preconditions.ts";
import type { FoundStep } from "../core/recovery.ts";
import { findStep, settlesWithinMs } from "../core/recovery.ts";
import { type Incident, type PlanRecord, replay } from "../core/replay.ts";
import { Fault } from "../core/result.ts";
import type { Desk } from "./desk.ts";
import { readFreeze } from "./freeze.ts";
import { readSnapshots, readStates } from "./read-states.ts";
import { add, change, room137 } from "./record.ts";
import type { Hold } from "./work.ts";

/**
 * Carries out the decided plan from wherever its timeline stands, one step after the other. Each step is durable before
 * it is begun; one that was begun by somebody who died is first looked for on the host. Ends when the plan has ended,
 * when this process stops or loses the incident to another, or by a Fault of the store.
 */
export async function execute(desk: Desk, incidentId: string, hold: Hold): Promise<void> {
  while (!hold.signal.aborted && (await hold.stillMine())) {
    const entries = await desk.store.entries(incidentId);
    const incident = replay(entries);
    const record = incident?.plan ?? null;
    if (incident === null || record === null || incident.state !== "running") return;
    const { hash } = record.plan;
    const step = record.steps.findIndex((entry) => entry.state !== "done");
    const plan = approvedPlan(entries);
    if (plan === null) {
      const changed = ["the recorded approval does not fit the plan"];
      await add(desk, incidentId, room137, { kind: "stale", hash, changed });
    } else if (step === -1) {
      await add(desk, incidentId, room137, { kind: "executed", hash }, { kind: "verifying", hash });
    } else if (record.steps[step]?.state === "started") {
      await takeUp(desk, incident, record, step, hold);
    } else {
      await oneStep(desk, incident, record, plan, step, hold);
    }
  }
}

async function oneStep(
  desk: Desk,
  { incidentId }: Incident,
  record: PlanRecord,
  plan: ApprovedPlan,
  step: number,
  hold: Hold,
): Promise<void> {
  const { hash } = plan;
  if (record.steps.every((entry) => entry.state === "waiting")) await keepBefore(desk, incidentId, record);
  const obstacle = (await obstacleBy(desk, record, step)) ?? (await staleBy(desk, record, step));
  if (obstacle !== null) return await add(desk, incidentId, room137, obstacle);
  const action = plan.actions[step];
  if (action === undefined) return;
  const begun = await change(desk, incidentId, (incident) => {
    const now = incident.plan;
    const mine = incident.state === "running" && now?.plan.hash === hash && now.steps[step]?.state !== "started";
    const go = mine && !now.abortRequested;
    return { add: go ? [{ actor: room137, body: { kind: "step-started", hash, step, action } }] : [], result: go };
  });
  // Whoever took over in the meantime has seen that the step was begun, and looks for it on the host.
  if (begun?.result !== true || !(await hold.stillMine())) return;
  desk.log.info({ incidentId, step, action: action.action, host: action.host }, "step begun");
  try {
    const { readBack } = await desk.performer.perform(plan, step);
    await add(desk, incidentId, room137, { kind: "step-done", hash, step, action, readBack, resumed: false });
    desk.metrics.count("step", { action: action.action, outcome: "done" });
  } catch (error) {
    if (error instanceof Fault && error.code.startsWith("store-")) throw error;
    await stepBroke(desk, incidentId, record, step, error, hold);
  }
}

/** An answer that was lost says nothing about the deed, so the host itself is asked before anything is claimed. */
async function stepBroke(
  desk: Desk,
  incidentId: string,
  record: PlanRecord,
  step: number,
  error: unknown,
  hold: Hold,
): Promise<void> {
  const action = record.steps[step]?.action;
  if (action === undefined) throw error;
  const { hash } = record.plan;
  const sent = !(error instanceof Fault) || error.code === "action-failed";
  const found = await findOnHost(desk, record, step, desk.clock.nowMs(), sent, hold);
  if (found === null) return;
  desk.metrics.count("step", { action: action.action, outcome: found.state });
  if (found.state === "done") {
    const readBack = `${found.reason} (the answer was lost)`;
    return await add(desk, incidentId, room137, { kind: "step-done", hash, step, action, readBack, resumed: true });
  }
  const said = error instanceof Error ? error.message : String(error);
  const reason = `${said}; afterwards ${action.container} shows ${found.reason}`;
  const next = error instanceof Fault ? error.next : "look at the log of room137, then ask for a new plan";
  await add(desk, incidentId, room137, { kind: "step-failed", hash, step, action, reason, next });
}

/** A step that was begun and not ended by a process that died. */
async function takeUp(desk: Desk, incident: Incident, record: PlanRecord, step: number, hold: Hold): Promise<void> {
  const { hash } = record.plan;
  const at = record.steps[step];
  if (at === undefined) return;
  const found = await findOnHost(desk, record, step, at.startedAtMs ?? desk.clock.nowMs(), true, hold);
  if (found === null) return;
  const { state, reason } = found;
  const bodies: EntryBody[] = [{ kind: "step-found", hash, step, state, reason }];
  if (state === "done") {
    bodies.push({ kind: "step-done", hash, step, action: at.action, readBack: reason, resumed: true });
  }
  desk.log.warn({ incidentId: incident.incidentId, step, state }, "step of an earlier run found");
  await add(desk, incident.incidentId, room137, ...bodies);
}

/**
 * Reads the host until it is clear what became of a step. As long as the engine may still be at it, not-done is no
 * answer; a host that does not answer is asked a few times. Null when the process stops or the incident is another's.
 */
async function findOnHost(
  desk: Desk,
  record: PlanRecord,
  step: number,
  begunAtMs: number,
  mayBeOnItsWay: boolean,
  hold: Hold,
): Promise<FoundStep | null> {
  const action = record.steps[step]?.action;
  if (action === undefined) return null;
  const before = expectedBefore(record.plan, step).find((entry) => entry.containerId === action.containerId) ?? null;
  const settledAtMs = mayBeOnItsWay ? begunAtMs + settlesWithinMs(action) : begunAtMs;
  for (let unread = 0; ; ) {
    const fresh = (await readStates(desk, [action]))(action);
    const found = findStep(action, before?.expect ?? null, fresh);
    if ("unreadable" in fresh) unread += 1;
    const unreadable = "unreadable" in fresh && unread < limits.recoveryReads;
    const early = found.state !== "done" && !("gone" in fresh) && desk.clock.nowMs() < settledAtMs;
    if (!unreadable && !early) return (await hold.stillMine()) ? found : null;
    await desk.scheduler.wait(limits.recoveryReadDelayMs, hold.signal);
    if (hold.signal.aborted || !(await hold.stillMine())) return null;
  }
}

/** What forbids to begin the next step although it was approved. */
async function obstacleBy(desk: Desk, record: PlanRecord, step: number): Promise<EntryBody | null> {
  const { hash, policyVersion } = record.plan;
  const nowMs = desk.clock.nowMs();
  const ended = (why: string): EntryBody => ({ kind: "aborted", hash, before: step, why });
  if (record.abortRequested) return ended("it was asked to stop");
  const frozen = await readFreeze(desk);
  if (frozen !== null) {
    const why = frozen.reason === null ? "" : ` (${frozen.reason})`;
    return ended(`acting is frozen by ${frozen.by}${why}`);
  }
  const stale = (changed: string): EntryBody => ({ kind: "stale", hash, changed: [changed] });
  if (policyVersion !== desk.policy.actions.policyVersion) return stale("the policy or the approvals were changed");
  const holdsUntilMs = Math.max(record.expiresAtMs, (record.decidedAtMs ?? 0) + limits.decisionHoldsMs);
  return nowMs >= holdsUntilMs ? stale("the approval has expired before this step could begin") : null;
}

async function staleBy(desk: Desk, record: PlanRecord, step: number): Promise<EntryBody | null> {
  const expected = expectedBefore(record.plan, step);
  const changed = changedSince(expected, await readStates(desk, expected));
  return changed.length === 0 ? null : { kind: "stale", hash: record.plan.hash, changed };
}

/** How every container of the host is before the first step; what cannot be read is not compared afterwards. */
async function keepBefore(desk: Desk, incidentId: string, record: PlanRecord): Promise<void> {
  const hosts = [...new Set(record.steps.map(({ action }) => action.host))];
  const snapshots = await readSnapshots(desk, hosts);
  const json = JSON.stringify({ hash: record.plan.hash, snapshots });
  await desk.store.putDocument("before", incidentId, json, desk.clock.nowMs());
}

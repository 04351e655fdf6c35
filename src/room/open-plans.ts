import { limits } from "../core/limits.ts";
import type { RemediationPlan } from "../core/plan.ts";
import type { Incident } from "../core/replay.ts";
import { Fault, type Refusal, refuse } from "../core/result.ts";
import type { Desk } from "./desk.ts";
import { openIncidents } from "./watch.ts";

/**
 * Runs `then` while no other incident can propose a plan, with the refusal that leads to the incident which already has
 * one for a container of this plan, or null. The timelines are the truth; the lease only keeps two from looking at once.
 */
export async function withoutRival<T>(
  desk: Desk,
  incidentId: string,
  plan: RemediationPlan,
  then: (rival: Refusal | null) => Promise<T>,
): Promise<T> {
  // Each look has its own name, so that two incidents of one process exclude each other too.
  const owner = `${desk.owner}:${incidentId}`;
  await acquire(desk, owner);
  try {
    return await then(rivalOf(desk, incidentId, plan, await openIncidents(desk)));
  } finally {
    await desk.store.releaseLease("propose", owner);
  }
}

async function acquire(desk: Desk, owner: string): Promise<void> {
  const attempts = (3 * limits.proposeLeaseMs) / limits.proposeRetryMs;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (await desk.store.acquireLease("propose", owner, limits.proposeLeaseMs, desk.clock.nowMs())) return;
    await desk.scheduler.wait(limits.proposeRetryMs);
  }
  throw new Fault(
    "store-conflict",
    "Proposing a plan: other incidents kept the way blocked.",
    "Ask again in a moment.",
  );
}

function rivalOf(desk: Desk, incidentId: string, plan: RemediationPlan, open: Incident[]): Refusal | null {
  for (const other of open) {
    if (other.incidentId === incidentId || !isAlive(desk, other)) continue;
    const steps = other.plan?.plan.steps ?? [];
    const shared = steps.find(({ action }) => plan.steps.some((step) => sameContainer(step.action, action)));
    if (shared === undefined) continue;
    return refuse(
      "plan-open-elsewhere",
      `${shared.action.container} has an open plan already, in ${other.incidentId}${placeOf(other)}.`,
      "One container has one open plan at a time.",
      `Decide there: /timeline ${other.incidentId}`,
    );
  }
  return null;
}

function isAlive(desk: Desk, { plan, state }: Incident): boolean {
  if (plan === null) return false;
  if (plan.status === "open") return desk.clock.nowMs() < plan.expiresAtMs;
  return plan.status === "decided" || (plan.status === "executed" && state === "verifying");
}

function placeOf({ room }: Incident): string {
  return room === null ? "" : ` (channel ${room.channel})`;
}

function sameContainer(a: { host: string; containerId: string }, b: { host: string; containerId: string }): boolean {
  return a.host === b.host && a.containerId === b.containerId;
}

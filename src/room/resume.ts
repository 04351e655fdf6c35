import type { EntryBody } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { type Incident, replay } from "../core/replay.ts";
import { loadHosts } from "./administer.ts";
import type { Desk } from "./desk.ts";
import { change, room137 } from "./record.ts";
import { unwatch } from "./watch.ts";

/** Takes up what a crash left, and from then on looks regularly: for what is due, and for what other replicas left. */
export async function resume(desk: Desk): Promise<void> {
  await tick(desk);
  let ticking = false;
  const stop = desk.scheduler.every(limits.tickMs, () => {
    if (ticking) return;
    ticking = true;
    tick(desk)
      .catch((error: unknown) => desk.log.error({ error: String(error) }, "looking after open incidents failed"))
      .finally(() => {
        ticking = false;
      });
  });
  desk.work.onStop(stop);
}

/** Everything that is due follows from the timelines and the time, so a tick that was missed is made up by the next. */
export async function tick(desk: Desk): Promise<void> {
  await loadHosts(desk);
  for (const { key, atMs } of await desk.store.documents("open-incident")) {
    try {
      await lookAt(desk, key, atMs);
    } catch (error) {
      // One that cannot be looked after must not keep the others waiting.
      desk.log.error({ incidentId: key, error: String(error) }, "an open incident could not be looked after");
    }
  }
}

async function lookAt(desk: Desk, incidentId: string, watchedSinceMs: number): Promise<void> {
  const incident = replay(await desk.store.entries(incidentId));
  const forgotten = incident === null && desk.clock.nowMs() - watchedSinceMs >= limits.closeAfterMs;
  if (forgotten || incident?.state === "closed") await unwatch(desk, incidentId);
  else if (incident !== null) await lookAfter(desk, incident);
}

async function lookAfter(desk: Desk, incident: Incident): Promise<void> {
  switch (incident.state) {
    case "investigating":
    case "running":
    case "verifying":
      if (!desk.work.isBusy(incident.incidentId)) desk.work.begin(incident.incidentId);
      return;
    case "waiting-for-approval":
    case "diagnosed":
    case "recovered":
    case "not-recovered":
    case "unverified":
    case "stopped":
      await recordDue(desk, incident);
      return;
    case "closed":
      return;
  }
}

/** Judged again on the timeline as it is when the entry is written: a click may have come first. */
async function recordDue(desk: Desk, { incidentId }: Incident): Promise<void> {
  await change(desk, incidentId, (incident) => {
    const due = dueNow(incident, desk.clock.nowMs());
    return { add: due === null ? [] : [{ actor: room137, body: due }], result: null };
  });
}

export function dueNow(incident: Incident, nowMs: number): EntryBody | null {
  const { plan, state } = incident;
  if (state === "waiting-for-approval" && plan?.status === "open") {
    const { hash } = plan.plan;
    if (nowMs >= plan.expiresAtMs) return { kind: "expired", hash };
    const halfMs = plan.proposedAtMs + (plan.expiresAtMs - plan.proposedAtMs) / 2;
    return nowMs >= halfMs && !plan.reminded ? { kind: "approval-reminder", hash } : null;
  }
  const busy = state === "investigating" || state === "running" || state === "verifying" || state === "closed";
  if (busy || nowMs - incident.lastAtMs < limits.closeAfterMs) return null;
  return { kind: "closed", reason: "nothing happened here for a day" };
}

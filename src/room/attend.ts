import type { EntryBody } from "../core/incident.ts";
import { type Incident, replay } from "../core/replay.ts";
import { Fault } from "../core/result.ts";
import type { Desk } from "./desk.ts";
import { execute } from "./execute.ts";
import { investigateIncident } from "./investigate-incident.ts";
import { change, room137 } from "./record.ts";
import { verify } from "./verify.ts";
import type { Hold } from "./work.ts";

/**
 * Does what the state of an incident calls for, until it waits for a person. The state comes from the timeline alone,
 * so that it makes no difference whether this process or one that died brought it there.
 */
export async function attend(desk: Desk, incidentId: string, hold: Hold): Promise<void> {
  let seenSeq = -1;
  while (!hold.signal.aborted && (await hold.stillMine())) {
    const incident = replay(await desk.store.entries(incidentId));
    if (incident === null || incident.seq === seenSeq) return;
    seenSeq = incident.seq;
    try {
      if (!(await doNext(desk, incident, hold))) return;
    } catch (error) {
      // The store comes back; anything else would break again and again, so it is left to a person.
      if (error instanceof Fault && error.code.startsWith("store-")) throw error;
      await giveUp(desk, incidentId, error);
    }
  }
}

/** False when it waits for a person. */
async function doNext(desk: Desk, incident: Incident, hold: Hold): Promise<boolean> {
  switch (incident.state) {
    case "investigating":
      await investigateIncident(desk, incident, hold);
      return true;
    case "running":
      await execute(desk, incident.incidentId, hold);
      return true;
    case "verifying":
      await verify(desk, incident, hold);
      return true;
    case "diagnosed":
    case "waiting-for-approval":
    case "recovered":
    case "not-recovered":
    case "unverified":
    case "stopped":
    case "closed":
      return false;
  }
}

async function giveUp(desk: Desk, incidentId: string, error: unknown): Promise<void> {
  desk.log.error({ incidentId, error: String(error) }, "work on an incident broke");
  const why = `something unexpected broke: ${error instanceof Error ? error.message : String(error)}`;
  await change(desk, incidentId, (incident) => {
    const body = endOf(incident, why);
    return { add: body === null ? [] : [{ actor: room137, body }], result: null };
  });
}

/** The truest end there is: a step that was begun is unknown, a recovery that was not seen is inconclusive. */
function endOf({ state, plan }: Incident, why: string): EntryBody | null {
  if (state === "investigating") {
    return { kind: "investigation-failed", reason: why, next: "ask again; report it with the log if it repeats" };
  }
  if (plan === null || (state !== "running" && state !== "verifying")) return null;
  const { hash } = plan.plan;
  if (state === "verifying") return { kind: "verified", hash, outcome: "inconclusive", probes: [why], changes: [] };
  const begun = plan.steps.findIndex((step) => step.state === "started");
  if (begun !== -1) return { kind: "step-found", hash, step: begun, state: "unknown", reason: why };
  const before = plan.steps.findIndex((step) => step.state !== "done");
  return { kind: "aborted", hash, before: Math.max(0, before), why };
}

import { type Incident, replay } from "../core/replay.ts";
import type { Desk } from "./desk.ts";

/**
 * Which incidents are not closed: one small document each, so that a tick and a start read those and no others. Kept
 * before the incident is opened, dropped after it was closed, so a crash leaves one too many and never one too few.
 */
export async function watch(desk: Pick<Desk, "store" | "clock">, incidentId: string): Promise<void> {
  await desk.store.putDocument("open-incident", incidentId, "{}", desk.clock.nowMs());
}

export async function unwatch(desk: Pick<Desk, "store">, incidentId: string): Promise<void> {
  await desk.store.deleteDocument("open-incident", incidentId);
}

/** Every incident that is not closed, oldest first. */
export async function openIncidents(desk: Pick<Desk, "store">): Promise<Incident[]> {
  const documents = await desk.store.documents("open-incident");
  const incidents: Incident[] = [];
  for (const { key } of documents) {
    const incident = replay(await desk.store.entries(key));
    if (incident !== null && incident.state !== "closed") incidents.push(incident);
  }
  return incidents.sort((a, b) => a.openedAtMs - b.openedAtMs);
}

import { replay } from "../core/replay.ts";
import type { Desk } from "./desk.ts";
import { execute } from "./execute.ts";
import { investigateIncident } from "./investigate-incident.ts";
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
    switch (incident.state) {
      case "investigating":
        await investigateIncident(desk, incident, hold);
        break;
      case "running":
        await execute(desk, incidentId, hold);
        break;
      case "verifying":
        await verify(desk, incident, hold);
        break;
      case "diagnosed":
      case "waiting-for-approval":
      case "recovered":
      case "not-recovered":
      case "unverified":
      case "stopped":
      case "closed":
        return;
    }
  }
}

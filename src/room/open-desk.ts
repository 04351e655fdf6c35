import { attend } from "./attend.ts";
import type { Desk, RoomDeps } from "./desk.ts";
import { createWork } from "./work.ts";

export function openDesk(deps: RoomDeps): Desk {
  const { config, policyVersion } = deps;
  const owner = deps.newId();
  const desk: Desk = {
    ...deps,
    owner,
    work: createWork(deps, owner, (incidentId, hold) => attend(desk, incidentId, hold)),
    policy: { approvals: config.approvals, actions: { ...config.policy, policyVersion } },
    seen: new Map(),
  };
  return desk;
}

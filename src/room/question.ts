import type { Target } from "../core/diagnosis.ts";
import type { Question } from "../core/next-reads.ts";
import { mayDo, type Person } from "../core/rights.ts";
import { type Desk, hostsOf, labelsOf } from "./desk.ts";

/** What is asked of which hosts: those that the channel may see and, where a person asks, that this person may look at. */
export function questionFor(desk: Desk, target: Target, channel: string | null, by: Person | null): Question {
  const allowed = hostsOf(desk, channel).filter((name) => by === null || mayLook(desk, by, name, target.service));
  return {
    target,
    hosts: allowed.filter((name) => target.host === null || name === target.host),
    settings: {
      hosts: desk.hosts.names().map((name) => ({ name, address: addressOf(desk, name) })),
      services: Object.entries(desk.config.services).map(([name, service]) => ({
        name,
        ...service,
        hosts: service.hosts ?? [],
      })),
    },
    nowMs: desk.clock.nowMs(),
  };
}

function mayLook(desk: Desk, by: Person, host: string, container: string): boolean {
  const target = { host: { name: host, labels: labelsOf(desk)(host) }, container, action: null };
  return mayDo(desk.policy.approvals, by, "look", target).allowed;
}

export function addressOf(desk: Desk, host: string): string | null {
  const config = desk.hosts.config(host);
  return config === null || config.local ? null : config.address;
}

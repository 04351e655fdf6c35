import type { Config, HostConfig } from "../config.ts";
import type { ApprovalPolicy } from "../core/judgement.ts";
import type { ManagedHosts } from "../hosts/directory.ts";
import type { Announce, Clock, Exporter, HostPerformer, Log, Metrics, Scheduler, Store } from "../ports.ts";
import type { GuardrailReport, HostStatus } from "../room.ts";
import type { ExecuteReads, Recorded } from "./investigate.ts";
import type { Work } from "./work.ts";

/** Everything the shell needs from the world. */
export interface RoomDeps {
  store: Store;
  hosts: ManagedHosts;
  performer: HostPerformer;
  clock: Clock;
  scheduler: Scheduler;
  config: Pick<Config, "hosts" | "services" | "channels" | "approvals" | "policy">;
  policyVersion: string;
  executeReads: ExecuteReads;
  /** Left out where nothing is recorded. */
  recorded?: Recorded;
  announce: Announce;
  exporters: Readonly<Record<string, Exporter>>;
  /** Looks at the named hosts for what would cause the next incident. */
  guardrails(hosts: string[]): Promise<GuardrailReport>;
  /** One host as a form gives it, by the rules of the config file; problems instead when it is wrong. */
  parseHost(input: unknown): HostConfig | string[];
  /** Random letters and digits, new ones each time: for incident ids, and to name this process. */
  newId(): string;
  log: Log;
  metrics: Metrics;
  version: string;
}

/** The deps, and what the verbs of one room share. */
export interface Desk extends RoomDeps {
  /** Names this process in leases. */
  owner: string;
  work: Work;
  policy: ApprovalPolicy;
  /** What was last seen of each host. */
  seen: Map<string, Pick<HostStatus, "ok" | "detail">>;
}

/** The hosts a channel may see; outside a channel all of them. */
export function hostsOf(desk: Desk, channel: string | null): string[] {
  const names = desk.hosts.names();
  const { channels } = desk.config;
  // A channel id comes from outside: "constructor" must name no channel.
  const allowed = channel !== null && Object.hasOwn(channels, channel) ? channels[channel] : undefined;
  return allowed === undefined ? names : names.filter((name) => allowed.hosts.includes(name));
}

/** Labels of a registered host, none for one that is not. */
export function labelsOf(desk: Desk): (host: string) => Record<string, string> {
  return (host) => (desk.hosts.names().includes(host) ? desk.hosts.labels(host) : {});
}

import type { Reading } from "../core/evidence.ts";
import type { Actor } from "../core/incident.ts";
import { type Incident, replay } from "../core/replay.ts";
import { type Refusal, refuse } from "../core/result.ts";
import { mayDo, type Person, type RightsAnswer, type Verb } from "../core/rights.ts";
import type { ExportedTimeline } from "../ports.ts";
import type { GuardrailReport, HostCheck, HostStatus, StatusOverview } from "../room.ts";
import { unknownIncident } from "./decide.ts";
import { type Desk, hostsOf, labelsOf } from "./desk.ts";
import { readFreeze } from "./freeze.ts";
import { addressOf } from "./question.ts";
import { add } from "./record.ts";
import { openIncidents } from "./watch.ts";

/** On any of the hosts the incident is about. */
export function mayOn(desk: Desk, by: Person, verb: Verb, incident: Incident): RightsAnswer {
  const container = incident.target.service;
  const labels = labelsOf(desk);
  const answers = incident.hosts.map((name) =>
    mayDo(desk.policy.approvals, by, verb, { host: { name, labels: labels(name) }, container, action: null }),
  );
  const all = () => mayDo(desk.policy.approvals, by, verb, { host: null, container, action: null });
  return answers.find((answer) => answer.allowed) ?? answers[0] ?? all();
}

export async function findIncident(
  desk: Desk,
  query: { incident: string | null; channel: string | null; threadTs: string | null },
): Promise<{ incidentId: string } | Refusal> {
  const { channel, threadTs } = query;
  if (query.incident !== null) {
    const incidentId = query.incident.trim().toLowerCase();
    const found = await desk.store.incident(incidentId);
    const incident = found === null ? null : replay(await desk.store.entries(incidentId));
    return incident === null || !isVisible(desk, incident, channel) ? unknownIncident(incidentId) : { incidentId };
  }
  const ofThread = channel !== null && threadTs !== null ? await desk.store.incidentByThread(channel, threadTs) : null;
  if (ofThread !== null) return { incidentId: ofThread.incidentId };
  const [newest] = await desk.store.incidents({ ...(channel === null ? {} : { channel }), limit: 1 });
  if (newest !== undefined) return { incidentId: newest.incidentId };
  const found = channel === null ? "There is no incident yet." : "There is no incident in this channel yet.";
  return refuse("unknown-incident", found, "There is nothing to show.", "Ask with /why-500 <service>.");
}

/** Where it is told it is no secret; elsewhere only what is about hosts that the channel may see. */
function isVisible(desk: Desk, incident: Incident, channel: string | null): boolean {
  if (channel === null || incident.room?.channel === channel) return true;
  const hidden = desk.hosts.names().filter((name) => !hostsOf(desk, channel).includes(name));
  return !incident.hosts.some((host) => hidden.includes(host));
}

export async function exportTimeline(
  desk: Desk,
  incidentId: string,
  format: string,
  by: Actor,
): Promise<ExportedTimeline | Refusal> {
  const exporter = Object.hasOwn(desk.exporters, format) ? desk.exporters[format] : undefined;
  if (exporter === undefined) {
    const known = Object.keys(desk.exporters).join(", ");
    const found = `There is no format ${format.slice(0, 40)}; known: ${known}.`;
    return refuse("bad-input", found, "Nothing was exported.", "Name one of them.");
  }
  const entries = await desk.store.entries(incidentId);
  const incident = replay(entries);
  if (incident === null) return unknownIncident(incidentId);
  const exported = exporter(incident, entries, await keptReadings(desk, incidentId));
  await add(desk, incidentId, by, { kind: "shared", what: `the timeline as ${format}` });
  return exported;
}

async function keptReadings(desk: Desk, incidentId: string): Promise<Reading[]> {
  const kept = await desk.store.document("snapshot", incidentId);
  return kept === null ? [] : (JSON.parse(kept.json) as { readings: Reading[] }).readings;
}

export async function status(desk: Desk, channel: string | null): Promise<StatusOverview> {
  const open = await openIncidents(desk);
  const shown = channel === null ? open : open.filter((incident) => incident.room?.channel === channel);
  const place = ({ room }: Incident) => ({ channel: room?.channel ?? null, threadTs: room?.threadTs ?? null });
  return {
    frozen: await readFreeze(desk),
    openIncidents: shown.map((incident) => ({
      incidentId: incident.incidentId,
      service: incident.target.service,
      state: incident.state,
      openedAtMs: incident.openedAtMs,
      ...place(incident),
    })),
    pendingApprovals: shown.flatMap((incident) =>
      incident.plan?.status === "open" && incident.state === "waiting-for-approval"
        ? [
            {
              incidentId: incident.incidentId,
              hash: incident.plan.plan.hash,
              service: incident.target.service,
              expiresAtMs: incident.plan.expiresAtMs,
              ...place(incident),
            },
          ]
        : [],
    ),
    hosts: await hosts(desk, channel),
    version: desk.version,
  };
}

export async function hosts(desk: Desk, channel: string | null): Promise<HostStatus[]> {
  const configured = new Set(desk.config.hosts.map((host) => host.name));
  return hostsOf(desk, channel).map((name) => ({
    name,
    address: addressOf(desk, name) ?? "this machine",
    local: desk.hosts.config(name)?.local === true,
    labels: desk.hosts.labels(name),
    ...(desk.seen.get(name) ?? { ok: null, detail: "not read yet" }),
    origin: configured.has(name) ? "config" : "room",
  }));
}

export async function checkHost(desk: Desk, host: string, channel: string | null): Promise<HostCheck[] | Refusal> {
  if (!hostsOf(desk, channel).includes(host)) return unknownHost(desk, host, channel);
  const checks = await desk.hosts.check(host);
  const broken = checks.find((check) => !check.ok && check.level === "error");
  desk.seen.set(host, { ok: broken === undefined, detail: broken?.detail ?? "checked" });
  return checks.map((check) => ({ ...check, level: check.level === "ok" ? "info" : check.level }));
}

export async function guardrails(
  desk: Desk,
  host: string | null,
  channel: string | null,
): Promise<{ report: GuardrailReport } | Refusal> {
  const visible = hostsOf(desk, channel);
  if (host !== null && !visible.includes(host)) return unknownHost(desk, host, channel);
  return { report: await desk.guardrails(host === null ? visible : [host]) };
}

export function unknownHost(desk: Desk, host: string, channel: string | null): Refusal {
  const known = hostsOf(desk, channel).join(", ") || "none";
  const found = `There is no host called ${host.slice(0, 80)} here; known: ${known}.`;
  return refuse("unknown-host", found, "Nothing was done.", "See /hosts list.");
}

const verbs: readonly Verb[] = ["look", "note", "approve", "administer"];

/** `target` is a container name, `container on host`, or a host. */
export async function canI(desk: Desk, by: Person, verb: string, target: string): Promise<{ said: string }> {
  const known = verbs.find((candidate) => candidate === verb.trim().toLowerCase());
  if (known === undefined) return { said: `There is no verb ${verb.slice(0, 40)}; there are ${verbs.join(", ")}.` };
  const names = desk.hosts.names();
  const { container, host } = targetOf(target.trim(), names);
  if (host !== null && !names.includes(host)) return { said: `There is no host called ${host.slice(0, 80)}.` };
  const labels = labelsOf(desk);
  const on = host === null ? names : [host];
  const answers = on.map((name) => {
    const about = { host: { name, labels: labels(name) }, container, action: null };
    return { name, ...mayDo(desk.policy.approvals, by, known, about) };
  });
  const lines = answers.map(({ name, allowed, because }) => `${allowed ? "Yes" : "No"}, on ${name}: ${because}.`);
  const allowedSomewhere = answers.some(({ allowed }) => allowed);
  const what = container ?? "any container";
  if (lines.length === 0) return { said: "There is no host yet, so there is nothing to decide." };
  const own = known === "approve" && allowedSomewhere && !desk.policy.approvals.allowSelfApproval;
  const more = own ? " A plan you asked for yourself is for others to approve." : "";
  return { said: `${known} ${what}: ${[...new Set(lines)].join(" ")}${more}` };
}

function targetOf(target: string, hostNames: string[]): { container: string | null; host: string | null } {
  const both = /^(\S+)\s+on\s+(\S+)$/.exec(target);
  if (both !== null) return { container: both[1] ?? null, host: both[2] ?? null };
  if (target === "") return { container: null, host: null };
  return hostNames.includes(target) ? { container: null, host: target } : { container: target, host: null };
}

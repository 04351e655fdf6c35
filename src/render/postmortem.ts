import type { Reading } from "../core/evidence.ts";
import type { EntryBody, IncidentState, TimelineEntry } from "../core/incident.ts";
import type { MemorySeries } from "../core/readings.ts";
import type { Incident, PlanRecord } from "../core/replay.ts";
import type { DiagnosisReport } from "../core/report.ts";
import type { MemoryChart } from "./chart.ts";
import { entryWords } from "./entry-words.ts";
import { type Impact, impactOf } from "./impact.ts";
import { actionCommand, actionWords, verdictWords, whoIs } from "./wording.ts";

/** What is exported, before any format: the whole incident as its entries tell it. Times are ISO 8601, UTC. */
export interface Postmortem {
  schemaVersion: 1;
  incidentId: string;
  service: string;
  symptom: string;
  state: IncidentState;
  summary: string;
  opened: { at: string; by: string; command: string };
  impact: Impact;
  diagnosis: DiagnosisReport | null;
  decisions: DecisionRecord[];
  verifications: { at: string; hash: string; outcome: string; probes: string[]; changes: string[] }[];
  notes: { at: string; by: string; text: string; from: string | null }[];
  /** What people have to look at again, for example that the glass was broken. */
  reviewItems: string[];
  timeline: TimelineRow[];
  /** Every read of the newest investigation; the SHA-256 is over the redacted bytes that came back. */
  readings: {
    source: string;
    host: string;
    containerId: string | null;
    read: string;
    at: string;
    sha256: string;
    status: string;
  }[];
  /** Memory over time, where it was recorded. */
  charts: MemoryChart[];
  audit: { entries: number; firstHash: string; lastHash: string };
}

interface DecisionRecord {
  hash: string;
  status: string;
  proposedAt: string;
  expiresAt: string;
  proposedFor: string;
  risk: string;
  quorum: number;
  undo: boolean;
  steps: { title: string; why: string; action: string; command: string; state: string; readBack: string | null }[];
  votes: { by: string; userId: string; at: string; reason: string | null }[];
  rejections: { by: string; at: string; reason: string | null }[];
  approvers: string[];
  decidedAt: string | null;
  brokeGlass: boolean;
}

interface TimelineRow {
  seq: number;
  at: string;
  /** Since the incident was opened. */
  afterMs: number;
  who: string;
  userId: string | null;
  kind: EntryBody["kind"];
  what: string;
  /** Ids of the evidence of the diagnosis that stands behind it. */
  evidence: string[];
  /** Link of the hash chain, as the store computed it. */
  hash: string;
  /** The entry itself. */
  body: EntryBody;
}

/** `readings` are the raw readings of the newest investigation; empty when none were kept. */
export function postmortem(
  incident: Incident,
  entries: readonly TimelineEntry[],
  readings: readonly Reading[],
): Postmortem {
  return {
    schemaVersion: 1,
    incidentId: incident.incidentId,
    service: incident.target.service,
    symptom: incident.target.symptom,
    state: incident.state,
    summary: summaryOf(incident),
    opened: { at: iso(incident.openedAtMs), by: whoIs(incident.openedBy), command: incident.command },
    impact: impactOf(incident, entries),
    diagnosis: incident.report,
    decisions: incident.plans.map((record) => decisionOf(record, entries)),
    verifications: entries.flatMap(({ atMs, body }) =>
      body.kind === "verified" ? [{ at: iso(atMs), ...without(body, "kind") }] : [],
    ),
    notes: entries.flatMap(({ atMs, actor, body }) =>
      body.kind === "note" ? [{ at: iso(atMs), by: whoIs(actor), text: body.text, from: body.from }] : [],
    ),
    reviewItems: reviewItemsOf(entries),
    timeline: entries.map((entry) => rowOf(entry, incident)),
    readings: readings.map(({ source, host, containerId, read, atMs, sha256, outcome }) => ({
      source,
      host,
      containerId,
      read,
      at: iso(atMs),
      sha256,
      status: outcome.status,
    })),
    charts: chartsOf(incident, readings),
    audit: { entries: entries.length, firstHash: entries[0]?.hash ?? "", lastHash: entries.at(-1)?.hash ?? "" },
  };
}

function summaryOf({ report, state, target }: Incident): string {
  const found = report === null ? "was not diagnosed" : `${verdictWords[report.verdict]}${causeWords(report)}`;
  return `${target.service}: ${found}. State: ${state}.`;
}

function causeWords({ rootCause }: DiagnosisReport): string {
  return rootCause === null ? "" : `: ${rootCause.summary} (${rootCause.confidence})`;
}

function decisionOf(record: PlanRecord, entries: readonly TimelineEntry[]): DecisionRecord {
  const { plan } = record;
  return {
    hash: plan.hash,
    status: record.status,
    proposedAt: iso(record.proposedAtMs),
    expiresAt: iso(record.expiresAtMs),
    proposedFor: record.proposedFor,
    risk: plan.risk,
    quorum: record.quorum,
    undo: record.undoOf !== null,
    steps: plan.steps.map(({ action, title, why }, at) => ({
      title,
      why,
      action: actionWords(action),
      command: actionCommand(action),
      state: record.steps[at]?.state ?? "waiting",
      readBack: record.steps[at]?.readBack ?? null,
    })),
    votes: record.votes.map((vote) => ({
      by: vote.name ?? vote.userId,
      userId: vote.userId,
      at: iso(vote.atMs),
      reason: vote.reason,
    })),
    rejections: entries.flatMap(({ atMs, actor, body }) =>
      body.kind === "rejected" && body.hash === plan.hash && atMs >= record.proposedAtMs
        ? [{ by: whoIs(actor), at: iso(atMs), reason: body.reason }]
        : [],
    ),
    approvers: record.approvers,
    decidedAt: record.decidedAtMs === null ? null : iso(record.decidedAtMs),
    brokeGlass: record.brokeGlass,
  };
}

function reviewItemsOf(entries: readonly TimelineEntry[]): string[] {
  return entries.flatMap(({ atMs, actor, body }) => {
    switch (body.kind) {
      case "break-glass":
        return [
          `BREAK-GLASS: ${whoIs(actor)} ran plan ${body.hash.slice(0, 12)} without the approval it needed at ${iso(atMs)}. Reason: ${body.reason}. Review whether it was justified.`,
        ];
      case "step-found":
        return body.state === "unknown"
          ? [`Whether step ${body.step + 1} of plan ${body.hash.slice(0, 12)} ran is not known. Look at the host.`]
          : [];
      default:
        return [];
    }
  });
}

function rowOf(entry: TimelineEntry, incident: Incident): TimelineRow {
  const { actor, atMs, body, hash, seq } = entry;
  return {
    seq,
    at: iso(atMs),
    afterMs: atMs - incident.openedAtMs,
    who: whoIs(actor),
    userId: actor.kind === "person" ? actor.userId : null,
    kind: body.kind,
    what: entryWords(entry),
    evidence: evidenceBehind(body, incident),
    hash,
    body,
  };
}

/** A diagnosis rests on what it cites; a plan rests on the root cause it cures. */
function evidenceBehind(body: EntryBody, incident: Incident): string[] {
  const report = body.kind === "diagnosed" ? body.report : body.kind === "plan-proposed" ? incident.report : null;
  if (report === null) return [];
  const chain = report.chain.flatMap((link) => link.citations);
  const ruledOut = body.kind === "diagnosed" ? report.ruledOut.flatMap((one) => one.citations) : [];
  const suspects = report.suspects.flatMap((one) => one.citations);
  return [...new Set([...(report.rootCause?.citations ?? []), ...chain, ...suspects, ...ruledOut])];
}

function chartsOf(incident: Incident, readings: readonly Reading[]): MemoryChart[] {
  const onsetAt = impactOf(incident, []).onsetAt;
  return readings.flatMap(({ source, host, containerId, outcome }) => {
    if (source !== "memory-series" || outcome.status !== "ok") return [];
    const action = incident.plans
      .flatMap((record) => record.steps)
      .find((step) => step.action.containerId === containerId);
    const name = action?.action.container ?? containerId?.slice(0, 12) ?? host;
    const killAtMs = action === undefined || onsetAt === null ? null : Date.parse(onsetAt);
    return [{ title: `Memory of ${name} on ${host}`, series: outcome.value as MemorySeries, killAtMs }];
  });
}

function without<T extends object, K extends keyof T>(value: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = value;
  return rest;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

import { buildReport, citationsOf } from "../core/build-report.ts";
import type { EntryBody } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { memoryCourse } from "../core/memory-course.ts";
import type { RemediationPlan } from "../core/plan.ts";
import { propose, withPlanReason } from "../core/propose.ts";
import type { Incident } from "../core/replay.ts";
import type { Refusal } from "../core/result.ts";
import type { Desk } from "./desk.ts";
import { type Investigation, investigate } from "./investigate.ts";
import { withoutRival } from "./open-plans.ts";
import { questionFor } from "./question.ts";
import { change, room137 } from "./record.ts";
import type { Hold } from "./work.ts";

/** From a recorded question to a recorded answer and, where there is one, a plan. */
export async function investigateIncident(desk: Desk, incident: Incident, hold: Hold): Promise<void> {
  const { incidentId, target, hosts } = incident;
  const investigation = await investigate(desk, { ...questionFor(desk, target, null, null), hosts });
  if (!(await hold.stillMine())) return;
  noteHosts(desk, investigation);
  await keepReadings(desk, incidentId, investigation);
  const { plan } = propose(investigation.conclusion, desk.policy.actions);
  if (plan === null) return await tell(desk, incidentId, investigation, null, null);
  await withoutRival(desk, incidentId, plan, (rival) => tell(desk, incidentId, investigation, plan, rival));
}

/** The diagnosis and the plan become visible together; a plan that another incident has already is only pointed at. */
async function tell(
  desk: Desk,
  incidentId: string,
  { conclusion, timings }: Investigation,
  plan: RemediationPlan | null,
  rival: Refusal | null,
): Promise<void> {
  const own = rival === null ? plan : null;
  const drawn = memoryCourse(conclusion);
  const report = buildReport(withPlanReason(conclusion, desk.policy.actions), own, timings, drawn?.facts);
  const memory = drawn === null ? {} : { memory: { ...drawn.course, cited: citationsOf(report, drawn.facts) } };
  await change(desk, incidentId, (incident) => {
    const bodies: EntryBody[] = [{ kind: "diagnosed", report, ...memory }];
    if (own !== null) bodies.push(proposal(desk, incident, own, null));
    if (rival !== null) bodies.push({ kind: "refused", verb: "plan", code: rival.code, found: rival.found });
    const stillWanted = incident.state === "investigating";
    return { add: stillWanted ? bodies.map((body) => ({ actor: room137, body })) : [], result: null };
  });
  desk.log.info(
    { incidentId, verdict: report.verdict, cause: report.rootCause?.cause ?? null, plan: own?.hash ?? null, timings },
    "incident diagnosed",
  );
}

/** `by` is whoever asked for this very plan and so cannot approve it; null means whoever opened the incident. */
export function proposal(
  desk: Pick<Desk, "clock" | "policy">,
  incident: Incident,
  plan: RemediationPlan,
  by: { userId: string; undoOf: string } | null,
): EntryBody {
  const { approvals } = desk.policy;
  const opener = incident.openedBy.kind === "person" ? incident.openedBy.userId : "";
  return {
    kind: "plan-proposed",
    plan,
    expiresAtMs: desk.clock.nowMs() + approvals.expiresAfterMs,
    quorum: approvals.quorumByRisk[plan.risk],
    proposedFor: by?.userId ?? opener,
    breakGlass: approvals.breakGlass.enabled,
    undoOf: by?.undoOf ?? null,
    requireReason: approvals.requireReason,
  };
}

function noteHosts(desk: Desk, { question, unreachable }: Investigation): void {
  for (const host of question.hosts) {
    const fault = unreachable.find((entry) => entry.host === host)?.fault;
    desk.seen.set(host, fault === undefined ? { ok: true, detail: "reachable" } : { ok: false, detail: fault.message });
  }
}

/** The raw readings, for the postmortem and to replay the diagnosis. Logs go first where it would be too much. */
async function keepReadings(desk: Desk, incidentId: string, { question, readings }: Investigation): Promise<void> {
  const whole = JSON.stringify({ question, readings, leftOut: [] });
  const bulky = new Set(["docker-logs", "kernel-log", "host-processes", "docker-events"]);
  const kept = readings.filter((reading) => !bulky.has(reading.source));
  const json =
    whole.length <= limits.snapshotBytes ? whole : JSON.stringify({ question, readings: kept, leftOut: [...bulky] });
  if (json.length > limits.snapshotBytes) {
    desk.log.warn({ incidentId, chars: json.length }, "readings are too large to keep");
    return;
  }
  await desk.store.putDocument("snapshot", incidentId, json, desk.clock.nowMs());
}

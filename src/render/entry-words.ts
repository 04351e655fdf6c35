import type { TimelineEntry } from "../core/incident.ts";
import { actionWords, plural, stepsWords, verdictWords } from "./wording.ts";

/** One entry as one sentence, for lists and exports. Not encoded: each sink does that. */
export function entryWords({ body }: Pick<TimelineEntry, "body">): string {
  switch (body.kind) {
    case "opened":
      return `asked ${body.command}`;
    case "room-posted":
      return "posted the incident in the room";
    case "investigating":
      return `${body.again ? "looked again at" : "looked at"} ${body.hosts.join(", ")}`;
    case "diagnosed":
      return `${verdictWords[body.report.verdict]}${body.report.rootCause === null ? "" : `: ${body.report.rootCause.summary}`}`;
    case "investigation-failed":
      return `could not finish the investigation: ${body.reason}`;
    case "plan-proposed":
      return `proposed plan ${short(body.plan.hash)}: ${stepsWords(body.plan.steps)}; it needs ${plural(body.quorum, "approval")}`;
    case "plan-changed":
      return `plan ${short(body.fromHash)} was set aside: ${body.reason}`;
    case "approval-reminder":
      return `reminded the room that plan ${short(body.hash)} waits`;
    case "approved":
      return `approved plan ${short(body.hash)} (${body.votes} of ${body.quorum})${because(body.reason)}`;
    case "decided":
      return `plan ${short(body.hash)} was decided`;
    case "rejected":
      return `rejected plan ${short(body.hash)}${because(body.reason)}`;
    case "refused":
      return `was refused ${body.verb} (${body.code}): ${body.found}`;
    case "expired":
      return `plan ${short(body.hash)} expired, nothing ran`;
    case "stale":
      return `plan ${short(body.hash)} was out of date: ${body.changed.join("; ")}`;
    case "break-glass":
      return `BROKE THE GLASS for plan ${short(body.hash)}${because(body.reason)}`;
    case "abort-requested":
      return `asked to stop plan ${short(body.hash)}`;
    case "aborted":
      return `stopped plan ${short(body.hash)} before step ${body.before + 1}: ${body.why}`;
    default:
      return runWords(body);
  }
}

type Run = Extract<
  TimelineEntry["body"],
  {
    kind:
      | "step-started"
      | "step-done"
      | "step-failed"
      | "step-found"
      | "executed"
      | "verifying"
      | "verified"
      | "note"
      | "shared"
      | "closed";
  }
>;

function runWords(body: Run): string {
  switch (body.kind) {
    case "step-started":
      return `began step ${body.step + 1}: ${actionWords(body.action)}`;
    case "step-done":
      return `finished step ${body.step + 1}: ${actionWords(body.action)}; read back: ${body.readBack}`;
    case "step-failed":
      return `step ${body.step + 1} failed: ${body.reason}`;
    case "step-found":
      return `after a restart, found step ${body.step + 1} ${body.state}: ${body.reason}`;
    case "executed":
      return `all steps of plan ${short(body.hash)} are done`;
    case "verifying":
      return "checked whether the symptom is gone";
    case "verified":
      return `${body.outcome}: ${[...body.probes, ...body.changes].join("; ")}`;
    case "note":
      return `noted: ${body.text}${body.from === null ? "" : ` (from ${body.from})`}`;
    case "shared":
      return `shared ${body.what}`;
    case "closed":
      return `closed: ${body.reason}`;
  }
}

function short(hash: string): string {
  return hash.slice(0, 12);
}

function because(reason: string | null): string {
  return reason === null ? "" : `: ${reason}`;
}

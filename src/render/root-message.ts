import type { Incident, PlanRecord } from "../core/replay.ts";
import { context, section } from "../slack/blocks/build.ts";
import { bold, code, dateTime, fmt, join, type Rich } from "../slack/blocks/inline.ts";
import { type Message, message } from "../slack/blocks/message.ts";
import { plural, sentence, stepsWords, verdictWords, whoIs } from "./wording.ts";

/**
 * The one message of an incident in its channel, drawn anew for each state; everything else is in its thread. `reading`
 * names the hosts that are looked at right now.
 */
export function rootMessage(incident: Incident, reading: readonly string[] = []): Message {
  const { mark, words } = stateWords(incident);
  const head = fmt`${mark} ${bold(fmt`${incident.target.service}: ${words}`)}`;
  const lines = [head, ...summaryLines(incident, reading)];
  const about = fmt`${code(incident.command)} by ${whoIs(incident.openedBy)}, ${dateTime(incident.openedAtMs)} · incident ${code(incident.incidentId)} · details in the thread`;
  const spokenHead = fmt`${incident.target.service}: ${words}`;
  return message({
    text: join([spokenHead, ...summaryLines(incident, reading), about], "\n"),
    blocks: [section(join(lines, "\n")), context([about])],
  });
}

/** The state in words, and the mark that stands beside them, never alone. */
function stateWords(incident: Incident): { mark: string; words: Rich } {
  const { plan, report } = incident;
  switch (incident.state) {
    case "investigating":
      return { mark: "👀", words: fmt`investigating` };
    case "diagnosed":
      return {
        mark: report?.verdict === "root-cause" ? "🔴" : "🟠",
        words: report === null ? fmt`diagnosed` : fmt`${verdictWords[report.verdict]}`,
      };
    case "waiting-for-approval":
      return { mark: "🔴", words: waitingWords(plan) };
    case "running":
      return { mark: "🟠", words: runningWords(plan) };
    case "verifying":
      return { mark: "🟠", words: fmt`steps done, verifying` };
    case "recovered":
      return { mark: "✅", words: plan?.undoOf == null ? fmt`recovered` : fmt`undone, and still healthy` };
    case "not-recovered":
      return { mark: "🔴", words: fmt`not recovered` };
    case "unverified":
      return { mark: "🟠", words: fmt`steps done, recovery not proven` };
    case "stopped":
      return { mark: "🟠", words: stoppedWords(plan) };
    case "closed":
      return { mark: "✅", words: fmt`closed` };
  }
}

function waitingWords(plan: PlanRecord | null): Rich {
  const votes = `${plan?.votes.length ?? 0} of ${plan?.quorum ?? 1}`;
  if (plan !== null && plan.undoOf !== null) return fmt`the undo is waiting for approval (${votes})`;
  return fmt`root cause found, waiting for approval (${votes})`;
}

function runningWords(plan: PlanRecord | null): Rich {
  const steps = plan?.steps ?? [];
  const at = steps.findIndex((step) => step.state !== "done");
  if (plan === null || at === -1) return fmt`running`;
  return fmt`running step ${at + 1} of ${steps.length}: ${plan.plan.steps[at]?.title ?? ""}`;
}

function stoppedWords(plan: PlanRecord | null): Rich {
  const done = plan?.steps.filter((step) => step.state === "done").length ?? 0;
  const ran = done === 0 ? "nothing ran" : `${plural(done, "step")} of ${plan?.steps.length ?? 0} done`;
  switch (plan?.status) {
    case "rejected":
      return fmt`plan rejected, nothing ran`;
    case "expired":
      return fmt`plan expired, nothing ran`;
    case "stale":
      return fmt`plan out of date, ${ran}`;
    case "aborted":
      return fmt`stopped between steps, ${ran}`;
    case "failed":
      return fmt`a step failed, ${done} of ${plan.steps.length} done`;
    case "unknown":
      return fmt`a step may or may not have run: a person must look`;
    case "open":
    case "superseded":
    case "decided":
    case "executed":
    case undefined:
      return fmt`investigation stopped`;
  }
}

function summaryLines(incident: Incident, reading: readonly string[]): Rich[] {
  if (incident.state === "investigating") {
    return reading.length === 0 ? [] : [fmt`Reading ${plural(reading.length, "host")}: ${reading.join(", ")}.`];
  }
  return [...answerLines(incident), ...planLines(incident)];
}

function answerLines({ report }: Incident): Rich[] {
  if (report === null) return [];
  const root = report.rootCause;
  if (root !== null) {
    const place = root.container === null ? root.host : `${root.container} on ${root.host}`;
    return [fmt`${sentence(root.summary, root.citations)} (${place}, ${root.confidence})`];
  }
  const [likeliest] = report.suspects;
  if (likeliest !== undefined) return [fmt`Likeliest: ${sentence(likeliest.summary, likeliest.citations)}`];
  return report.advice.slice(0, 1).map((line) => fmt`${line}`);
}

/** What is proposed, or what was done and on whose word. */
function planLines({ state, plan }: Incident): Rich[] {
  if (plan === null) return [];
  if (state === "waiting-for-approval") return [fmt`Proposed: ${stepsWords(plan.plan.steps)}.`];
  if (plan.status !== "executed" || state === "closed") return [];
  const votes = plan.votes.map((vote) => vote.name ?? vote.userId).join(" and ");
  const word = plan.brokeGlass ? fmt`On break-glass.` : fmt`Approved by ${votes}.`;
  return [fmt`Done: ${stepsWords(plan.plan.steps)}. ${word}`];
}

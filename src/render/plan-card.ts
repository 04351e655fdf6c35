import { actionIds, buttonValue } from "../core/buttons.ts";
import type { Incident, PlanRecord, StepRecord } from "../core/replay.ts";
import { undoActions } from "../core/undo.ts";
import { actions, bullets, context, section } from "../slack/blocks/build.ts";
import { button, confirm } from "../slack/blocks/build-elements.ts";
import { plain } from "../slack/blocks/encode.ts";
import { bold, code, dateTime, fmt, join, mentionGroup, mentionUser, type Rich } from "../slack/blocks/inline.ts";
import { type Message, type MessageBlock, message } from "../slack/blocks/message.ts";
import { spoken } from "./spoken.ts";
import { actionCommand, actionWords, plural } from "./wording.ts";

/**
 * The plan as people approve it, and later as it was decided. Buttons stand only while pressing them has an effect.
 * `because` says why the plan stands as it does: who decided, when, for what reason, what changed.
 */
export function planCard(incident: Incident, record: PlanRecord, because: readonly Rich[] = []): Message {
  const lead = fmt`${incident.target.service}: ${title(record)}. ${statusWords(record)}`;
  const blocks: MessageBlock[] = [
    section(
      join([fmt`${bold(title(record))} · risk ${record.plan.risk}`, bold(statusWords(record)), ...because], "\n"),
    ),
    bullets(
      record.plan.steps.map((step, at) => stepLine(step, record, record.steps[at])),
      { ordered: true },
    ),
    ...(record.status === "open" ? detailBlocks(incident, record) : []),
    context([aboutLine(record)]),
  ];
  const buttons = buttonsOf(incident, record);
  const asked = record.ask ?? [];
  if (record.status === "open" && asked.length > 0) blocks.push(section(askLine(asked)));
  return message({
    text: spoken(blocks.slice(1), join([lead, ...because], "\n")),
    blocks: buttons.length === 0 ? blocks : [...blocks, actions(buttons)],
  });
}

/** The commands with the same effect, to read or to run by hand. */
export function commandsText(record: Pick<PlanRecord, "plan">): string {
  return record.plan.steps.map(({ action }) => `# ${plain(action.host)}\n${plain(actionCommand(action))}`).join("\n");
}

function title(record: PlanRecord): string {
  const names = [...new Set(record.plan.steps.map((step) => `${step.action.container} on ${step.action.host}`))];
  return `${record.undoOf === null ? "Plan" : "Undo"} for ${names.join(", ")}`;
}

function statusWords(record: PlanRecord): string {
  const done = record.steps.filter((step) => step.state === "done").length;
  const of = `${done} of ${plural(record.steps.length, "step")} done`;
  switch (record.status) {
    case "open":
      return `Waiting for approval: ${record.votes.length} of ${record.quorum}`;
    case "superseded":
      return "Replaced by a newer plan. Nothing of this one ran.";
    case "rejected":
      return "Rejected. Nothing ran.";
    case "expired":
      return "Expired, nothing ran.";
    case "stale":
      return done === 0 ? "Out of date, nothing ran." : `Out of date, stopped: ${of}.`;
    case "decided":
      return `${record.abortRequested ? "Stopping before the next step" : record.brokeGlass ? "Running on break-glass" : "Approved, running"}: ${of}.`;
    case "aborted":
      return `Stopped before the next step: ${of}.`;
    case "failed":
      return `Stopped, a step failed: ${of}.`;
    case "unknown":
      return `Stopped: whether a step ran is not known. ${of}.`;
    case "executed":
      return outcomeWords(record);
  }
}

function outcomeWords(record: PlanRecord): string {
  switch (record.verification?.outcome) {
    case undefined:
      return "All steps done. Checking whether the symptom is gone.";
    case "recovered":
      return "All steps done. Recovered.";
    case "not-recovered":
      return "All steps done. Not recovered.";
    case "inconclusive":
      return "All steps done. Recovery could not be proven.";
  }
}

function stepLine(step: PlanRecord["plan"]["steps"][number], record: PlanRecord, run: StepRecord | undefined): Rich {
  const state = stepWords(record, run);
  const head = state === null ? bold(step.title) : fmt`${bold(step.title)} — ${state}`;
  const read = run?.readBack == null ? [] : [fmt`Read back: ${run.readBack}`];
  return join([head, ...(record.status === "open" ? [fmt`Why: ${step.why}`] : read)], "\n");
}

function stepWords(record: PlanRecord, run: StepRecord | undefined): string | null {
  if (record.status === "open" || run === undefined) return null;
  switch (run.state) {
    case "waiting":
      return record.status === "decided" ? "waiting" : "not run";
    case "not-done":
      return "not done";
    case "started":
      return "running now";
    case "done":
      return "✅ done";
    case "failed":
      return "🔴 failed";
    case "unknown":
      return "🟠 not known whether it ran";
  }
}

function detailBlocks(incident: Incident, record: PlanRecord): MessageBlock[] {
  const { plan } = record;
  const untouched = neverTouched(incident, record);
  const undo = plan.undo.map((action) => actionWords(action)).join("; ");
  const lines = [
    fmt`${bold("Never touched:")} ${untouched.length === 0 ? "every other container" : `${untouched.join(", ")}, and every other container`}. Nothing is deleted or rebuilt.`,
    ...(plan.risks.length === 0 ? [] : [fmt`${bold("Risk:")} ${plan.risks.join(" ")}`]),
    fmt`${bold("Afterwards it is checked that:")} ${plan.verification.join("; ")}.`,
    undo === ""
      ? fmt`${bold("Undo:")} none is needed or possible.`
      : fmt`${bold("Undo:")} ${undo}. It would be its own plan with its own approval.`,
    ...(plan.undoWarning === null ? [] : [fmt`${plan.undoWarning}`]),
  ];
  return [section(join(lines, "\n"))];
}

/** Containers of the story that no step addresses: the asked-about service first. */
function neverTouched(incident: Incident, record: PlanRecord): string[] {
  const touched = new Set(record.plan.steps.map((step) => step.action.container));
  const { report } = incident;
  const named = [
    ...(report?.chain.map((link) => link.from) ?? []),
    ...(report?.ruledOut.map((one) => one.container) ?? []),
    ...record.plan.probes.map((probe) => probe.container),
  ];
  return [...new Set(named)].filter((name): name is string => name !== null && !touched.has(name));
}

function aboutLine(record: PlanRecord): Rich {
  const id = fmt`Plan ${code(record.plan.hash.slice(0, 12))}`;
  const votes = record.votes.map((vote) => vote.name ?? vote.userId);
  const given = votes.length === 0 ? [] : [fmt`approved by ${votes.join(" and ")}`];
  const expiry = record.status === "open" ? [fmt`expires ${dateTime(record.expiresAtMs)}`] : [];
  const glass =
    record.status === "open" && record.breakGlass ? [fmt`break-glass is enabled and leaves a review item`] : [];
  return join([id, ...given, ...expiry, ...glass], " · ");
}

function askLine(ask: readonly string[]): Rich {
  const who = ask.map((id) => (id.startsWith("S") ? mentionGroup(id) : mentionUser(id)));
  return fmt`${join(who, " ")} please approve or reject.`;
}

function buttonsOf(incident: Incident, record: PlanRecord): ReturnType<typeof button>[] {
  const service = incident.target.service;
  const make = (
    id: keyof typeof actionIds,
    text: string,
    label: string,
    extra: Partial<Parameters<typeof button>[0]> = {},
  ) =>
    button({
      text,
      actionId: actionIds[id],
      value: buttonValue(incident.incidentId, record.plan.hash, incident.seq),
      label,
      ...extra,
    });
  const commands = make("showCommands", "Show commands", `Show commands of the plan for ${service}`);
  const replan = make("replan", "New plan", `New plan for ${service}, after looking again`);
  const undo =
    undoActions(record).length === 0 ? [] : [make("undo", "Plan the undo", "Plan the undo of what was done")];
  const approve =
    record.requireReason === true
      ? make("approveWithReason", "Approve", `Approve the plan for ${service}, with a reason`, { style: "primary" })
      : make("approve", "Approve", `Approve the plan for ${service}`, {
          style: "primary",
          confirm: approveDialog(record),
        });
  switch (record.status) {
    case "open":
      return [
        approve,
        make("reject", "Reject", `Reject the plan for ${service}`),
        ...(record.plan.memoryChoice === null ? [] : [make("change", "Change…", "Change… the memory limit")]),
        commands,
        ...(record.breakGlass
          ? [make("breakGlass", "Break glass…", "Break glass… to run without approval; needs a typed confirmation")]
          : []),
      ];
    case "decided": {
      const waits = record.steps.some((step) => step.state === "waiting" || step.state === "not-done");
      const abort = make("abort", "Abort", "Abort before the next step");
      return waits && !record.abortRequested ? [abort, commands] : [commands];
    }
    case "expired":
    case "stale":
    case "aborted":
    case "failed":
    case "unknown":
      return [replan, ...undo];
    case "executed":
      return record.verification === null ? [] : undo;
    case "superseded":
    case "rejected":
      return [];
  }
}

/** Slack shows 300 characters here; the card above it has the whole. */
function approveDialog(record: PlanRecord): ReturnType<typeof confirm> {
  const steps = record.plan.steps.map((step, at) => fmt`${at + 1}. ${actionWords(step.action)}`);
  return confirm({
    title: `Run ${plural(record.plan.steps.length, "step")}?`,
    text: join(steps, "\n"),
    confirm: "Approve",
    deny: "Back",
    style: "primary",
  });
}

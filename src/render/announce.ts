import type { TimelineEntry } from "../core/incident.ts";
import type { MessageRef, Outgoing } from "../core/outgoing.ts";
import type { Incident, PlanRecord } from "../core/replay.ts";
import type { OutboxRow } from "../ports.ts";
import { bold, dateTime, fmt, type Rich } from "../slack/blocks/inline.ts";
import type { Message } from "../slack/blocks/message.ts";
import { diagnosisMessage } from "./diagnosis-message.ts";
import { evidencePart } from "./evidence-list.ts";
import { type DrawnMemory, memoryImage } from "./memory-image.ts";
import { planCard } from "./plan-card.ts";
import { rootMessage } from "./root-message.ts";
import { brokenGlass, composeMessage, failedInvestigation, lineMessage, verifiedMessage } from "./thread-messages.ts";
import { plural, sentence, whoIs } from "./wording.ts";

/**
 * What the room says because of one entry; `incident` is the replay up to and with it. Nothing outside a room.
 *
 * The root message has the key `<incident>:root`, the card of the nth plan `<incident>:plan:<n>`; both are edited as the
 * incident goes on. Everything else is a reply, `<incident>:<seq>:<part>`. The same entry gives the same rows.
 */
export function announce(incident: Incident, entry: TimelineEntry): OutboxRow[] {
  const { room } = incident;
  if (room === null) return [];
  return say(incident, entry).map(({ key, outgoing, lane }) => ({
    key,
    incidentId: incident.incidentId,
    channel: room.channel,
    lane: lane ?? incident.incidentId,
    payload: JSON.stringify(outgoing),
    queuedAtMs: entry.atMs,
  }));
}

interface Said {
  key: string;
  outgoing: Outgoing;
  /** Left out: the incident's own, in which every row waits for the one before. */
  lane?: string;
}

function say(incident: Incident, entry: TimelineEntry): Said[] {
  const { body } = entry;
  switch (body.kind) {
    case "opened":
      return [rootPost(incident)];
    case "room-posted":
    case "shared":
    /** A refused click is told to the one who clicked. */
    case "refused":
      return [];
    case "investigating": {
      const again = reply(
        incident,
        entry,
        "again",
        lineMessage(incident, fmt`👀 Looking again at ${body.hosts.join(", ")}.`),
      );
      return [rootEdit(incident, entry, body.hosts), ...(body.again ? again : [])];
    }
    case "diagnosed":
      return [
        rootEdit(incident, entry),
        ...reply(incident, entry, "diagnosis", diagnosisMessage(body.report)),
        ...memory(incident, entry, body.memory),
        ...evidence(incident, entry),
      ];
    case "investigation-failed":
      return [rootEdit(incident, entry), ...reply(incident, entry, "failed", failedInvestigation(incident, body))];
    case "note": {
      const from = body.from === null ? fmt`` : fmt` (from ${body.from})`;
      return reply(
        incident,
        entry,
        "note",
        lineMessage(incident, fmt`Note by ${whoIs(entry.actor)}${from}: ${body.text}`),
      );
    }
    case "closed":
      return [
        rootEdit(incident, entry),
        ...reply(
          incident,
          entry,
          "closed",
          lineMessage(incident, fmt`Closed by ${whoIs(entry.actor)}: ${body.reason}`),
        ),
      ];
    default:
      return sayOfPlan(incident, entry, body);
  }
}

type OfPlan = Extract<TimelineEntry["body"], { hash: string }> | PlanMade;
type PlanMade = Extract<TimelineEntry["body"], { kind: "plan-proposed" | "plan-changed" }>;

/** An entry about a plan that is not the current one changed nothing, so nothing is said. */
function sayOfPlan(incident: Incident, entry: TimelineEntry, body: OfPlan): Said[] {
  const record = incident.plan;
  if (record === null || record.plan.hash !== hashOf(body)) return [];
  if (body.kind === "plan-proposed") return proposed(incident, entry);
  const rows: Said[] = [];
  if (changesRoot(body.kind)) rows.push(rootEdit(incident, entry));
  if (changesCard(body.kind)) rows.push(cardEdit(incident, entry, incident.plans.length, becauseOf(entry, body)));
  const line = lineOf(incident, entry, body, record);
  if (line !== null) rows.push(...reply(incident, entry, body.kind, line.message, line.broadcast));
  return [...rows, ...composeNote(incident, entry, body, record)];
}

/** Slack takes about one edit a second: what would look the same is not sent again. */
function changesRoot(kind: OfPlan["kind"]): boolean {
  return !["approval-reminder", "break-glass", "abort-requested", "step-done", "verifying"].includes(kind);
}

function changesCard(kind: OfPlan["kind"]): boolean {
  return !["approval-reminder", "break-glass", "verifying"].includes(kind);
}

function hashOf(body: OfPlan): string {
  switch (body.kind) {
    case "plan-proposed":
      return body.plan.hash;
    case "plan-changed":
      return body.fromHash;
    default:
      return body.hash;
  }
}

/** The card of a plan that was set aside loses its buttons at the same time. */
function proposed(incident: Incident, entry: TimelineEntry): Said[] {
  const number = incident.plans.length;
  const previous = incident.plans.at(-2);
  const replaced = previous?.status === "superseded" ? [cardEdit(incident, entry, number - 1, [])] : [];
  const record = incident.plan as PlanRecord;
  const card = planCard(incident, record, []);
  return [
    rootEdit(incident, entry),
    ...replaced,
    { key: cardKey(incident, number), outgoing: post(incident, card) },
    ...overflow(incident, `${cardKey(incident, number)}:full`, "plan", card),
  ];
}

/** Who did it, when and why, on the card itself. */
function becauseOf(entry: TimelineEntry, body: Exclude<OfPlan, { kind: "plan-proposed" }>): Rich[] {
  const by = fmt`${whoIs(entry.actor)}, ${dateTime(entry.atMs)}`;
  switch (body.kind) {
    case "rejected":
      return [body.reason === null ? fmt`By ${by}, without a reason.` : fmt`By ${by}: ${body.reason}`];
    case "plan-changed":
      return [fmt`${body.reason}, ${dateTime(entry.atMs)}.`];
    case "expired":
      return [fmt`${dateTime(entry.atMs)}. Nobody decided in time; a new plan starts with a fresh look.`];
    case "stale":
      return [fmt`${dateTime(entry.atMs)}. Changed since the plan was made: ${body.changed.join("; ")}`];
    case "aborted":
      return [fmt`Before step ${body.before + 1}, ${dateTime(entry.atMs)}: ${sentence(body.why)}`];
    case "step-failed":
      return [fmt`Step ${body.step + 1}, ${dateTime(entry.atMs)}: ${sentence(body.reason)} ${sentence(body.next)}`];
    case "step-found":
      return [fmt`Step ${body.step + 1} after a restart of room137: ${sentence(body.reason)}`];
    case "abort-requested":
      return [fmt`Stop asked for by ${by}.`];
    case "approval-reminder":
    case "approved":
    case "break-glass":
    case "decided":
    case "step-started":
    case "step-done":
    case "executed":
    case "verifying":
    case "verified":
      return [];
  }
}

interface Line {
  message: Message;
  broadcast: boolean;
}

/** The reply beside the edited card, where people who read the end of the thread would miss something otherwise. */
function lineOf(
  incident: Incident,
  entry: TimelineEntry,
  body: Exclude<OfPlan, { kind: "plan-proposed" }>,
  record: PlanRecord,
): Line | null {
  const line = (text: Rich, detail: readonly string[] = []): Line => ({
    message: lineMessage(incident, text, detail),
    broadcast: false,
  });
  const who = whoIs(entry.actor);
  switch (body.kind) {
    case "approved":
    case "step-started":
    case "step-done":
    case "executed":
    case "verifying":
      return null;
    case "plan-changed":
      return line(fmt`${sentence(body.reason)} The earlier card no longer counts; nothing of it ran.`);
    case "approval-reminder":
      return line(
        fmt`🟠 The plan still waits: ${record.votes.length} of ${record.quorum} approvals, expires ${dateTime(record.expiresAtMs)}.`,
      );
    case "decided":
      return line(
        fmt`${record.brokeGlass ? `Started by ${who} alone` : `Approved by ${votersOf(record)}`}. Running ${plural(record.steps.length, "step")}.`,
      );
    case "rejected":
      return line(fmt`Rejected by ${who}. Nothing ran.${body.reason === null ? fmt`` : fmt` Reason: ${body.reason}`}`);
    case "expired":
      return line(fmt`The plan expired, nothing ran. ${bold("New plan")} on the card above starts with a fresh look.`);
    case "stale":
      return line(
        fmt`🟠 The plan is out of date, so it was not run any further. ${ranWords(record)} What changed:`,
        body.changed,
      );
    case "break-glass":
      return { message: brokenGlass(incident, entry, body), broadcast: true };
    case "abort-requested":
      return line(fmt`${who} asked to stop. A step that has begun is finished; the next one does not start.`);
    case "aborted":
      return line(
        fmt`Stopped before step ${body.before + 1} of ${record.steps.length}: ${sentence(body.why)} ${ranWords(record)}`,
      );
    case "step-failed":
      return line(fmt`🔴 Step ${body.step + 1} of ${record.steps.length} failed: ${sentence(body.reason)}`, [
        body.next,
      ]);
    case "step-found":
      return line(foundWords(body, record));
    case "verified":
      return { message: verifiedMessage(incident, body), broadcast: body.outcome !== "inconclusive" };
  }
}

function votersOf(record: PlanRecord): string {
  const names = record.votes.map((vote) => vote.name ?? vote.userId);
  return (names.length === 0 ? record.approvers : names).join(" and ");
}

function ranWords(record: PlanRecord): string {
  const done = record.steps.filter((step) => step.state === "done").length;
  return done === 0 ? "Nothing ran." : `Done so far: ${done} of ${plural(record.steps.length, "step")}.`;
}

function foundWords(body: Extract<OfPlan, { kind: "step-found" }>, record: PlanRecord): Rich {
  const head = `room137 was restarted during step ${body.step + 1} of ${record.steps.length}`;
  switch (body.state) {
    case "done":
      return fmt`${head}. The host shows that it was done: ${sentence(body.reason)}`;
    case "not-done":
      return fmt`${head}. The host shows that it was not done: ${sentence(body.reason)}`;
    case "unknown":
      return fmt`🔴 ${head}. Whether it was done cannot be told: ${sentence(body.reason)} Nothing more runs until a person decides.`;
  }
}

/** Told once the run has ended, whichever way, when something that a compose file sets was changed. */
function composeNote(incident: Incident, entry: TimelineEntry, body: OfPlan, record: PlanRecord): Said[] {
  const ended = ["executed", "aborted", "failed", "unknown", "stale"].includes(record.status);
  const closing = ["executed", "aborted", "step-failed", "step-found", "stale"].includes(body.kind);
  const changed = record.steps.some((step) => step.state === "done" && step.action.action.startsWith("update-"));
  const note = ended && closing && changed ? composeMessage(incident, record) : null;
  return note === null ? [] : reply(incident, entry, "compose", note);
}

function rootPost(incident: Incident): Said {
  const { text, blocks } = rootMessage(incident);
  const threadTs = incident.room?.threadTs ?? null;
  const thread = threadTs === null ? null : { ts: threadTs };
  return { key: rootKey(incident), outgoing: { kind: "post", thread, text, blocks } };
}

function rootEdit(incident: Incident, entry: TimelineEntry, reading: readonly string[] = []): Said {
  const { text, blocks } = rootMessage(incident, reading);
  const outgoing: Outgoing = { kind: "update", message: { key: rootKey(incident) }, text, blocks };
  return { key: `${incident.incidentId}:${entry.seq}:root`, outgoing };
}

function cardEdit(incident: Incident, entry: TimelineEntry, number: number, because: readonly Rich[]): Said {
  const { text, blocks } = planCard(incident, incident.plans[number - 1] as PlanRecord, because);
  const outgoing: Outgoing = { kind: "update", message: { key: cardKey(incident, number) }, text, blocks };
  return { key: `${incident.incidentId}:${entry.seq}:card-${number}`, outgoing };
}

function reply(incident: Incident, entry: TimelineEntry, part: string, said: Message, broadcast = false): Said[] {
  const key = `${incident.incidentId}:${entry.seq}:${part}`;
  const outgoing = { ...post(incident, said), ...(broadcast ? { broadcast } : {}) };
  return [{ key, outgoing }, ...overflow(incident, `${key}:full`, part, said)];
}

function post(incident: Incident, { text, blocks }: Message): Extract<Outgoing, { kind: "post" }> {
  return { kind: "post", thread: threadOf(incident), text, blocks };
}

/** What did not fit into a message follows as a file. */
function overflow(incident: Incident, key: string, part: string, { overflow: text }: Message): Said[] {
  if (text === null) return [];
  const file = {
    thread: threadOf(incident),
    filename: `${part}.txt`,
    title: `The whole text: ${part}`,
    text,
    comment: null,
  };
  return [{ key, outgoing: { kind: "file", ...file } }];
}

function evidence(incident: Incident, entry: TimelineEntry): Said[] {
  const part = incident.report === null ? null : evidencePart(incident.report);
  if (part === null) return [];
  if (part.as === "message") return reply(incident, entry, "evidence", part.message);
  const { as: _, ...file } = part;
  const key = `${incident.incidentId}:${entry.seq}:evidence`;
  return [{ key, outgoing: { kind: "file", thread: threadOf(incident), ...file } }];
}

/** In a lane of its own: a workspace that takes no files, or takes them late, must not hold the plan back. */
function memory(incident: Incident, entry: TimelineEntry, course: DrawnMemory | undefined): Said[] {
  if (course === undefined) return [];
  const outgoing: Outgoing = { kind: "image", thread: threadOf(incident), ...memoryImage(course) };
  return [{ key: `${incident.incidentId}:${entry.seq}:memory`, outgoing, lane: `${incident.incidentId}:pictures` }];
}

/** An incident that was asked for in a thread stays there; otherwise its root message is the thread's parent. */
function threadOf(incident: Incident): MessageRef {
  const ts = incident.room?.threadTs ?? null;
  return ts === null ? { key: rootKey(incident) } : { ts };
}

function rootKey(incident: Incident): string {
  return `${incident.incidentId}:root`;
}

function cardKey(incident: Incident, number: number): string {
  return `${incident.incidentId}:plan:${number}`;
}

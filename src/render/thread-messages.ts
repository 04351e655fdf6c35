import type { EntryBody, TimelineEntry } from "../core/incident.ts";
import type { Incident, PlanRecord } from "../core/replay.ts";
import { bullets, header, preformatted, section } from "../slack/blocks/build.ts";
import { bold, code, dateTime, fmt, join, type Rich } from "../slack/blocks/inline.ts";
import { type Message, type MessageBlock, message } from "../slack/blocks/message.ts";
import { composeSnippets } from "./compose-note.ts";
import { spoken } from "./spoken.ts";
import { sentence, whoIs } from "./wording.ts";

type Body<K extends EntryBody["kind"]> = Extract<EntryBody, { kind: K }>;

/** One line under the incident: what happened, by whom. */
export function lineMessage(incident: Incident, line: Rich, detail: readonly string[] = []): Message {
  const blocks = [section(line), ...(detail.length === 0 ? [] : [bullets(detail)])];
  return message({ text: join([fmt`${incident.target.service}: ${line}`, ...detail], "\n"), blocks });
}

/** What a refused click or command is answered with, privately: found, means, next. */
export function refusalMessage(refusal: { found: string; means: string; next: string }): Message {
  const lines = [bold(refusal.found), fmt`${refusal.means}`, fmt`${bold("What to do:")} ${refusal.next}`];
  return message({
    text: join([refusal.found, refusal.means, refusal.next], "\n"),
    blocks: [section(join(lines, "\n"))],
  });
}

/** Something broke: what was being done, and what to do about it. */
export function faultMessage(fault: { message: string; next: string }): Message {
  const lines = [fmt`🔴 ${bold("That did not work.")} ${fault.message}`, fmt`${bold("What to do:")} ${fault.next}`];
  return message({ text: join([fault.message, fault.next], "\n"), blocks: [section(join(lines, "\n"))] });
}

export function failedInvestigation(incident: Incident, body: Body<"investigation-failed">): Message {
  const service = incident.target.service;
  const lines = [
    fmt`🔴 ${bold(`The investigation of ${service} could not be finished.`)} ${sentence(body.reason)}`,
    fmt`${bold("What to do:")} ${body.next}`,
    fmt`Nothing was changed.`,
  ];
  const blocks = [section(join(lines, "\n"))];
  return message({ text: spoken(blocks, fmt`${service}: investigation stopped`), blocks });
}

/** Loud and by itself: one person alone let something run. */
export function brokenGlass(incident: Incident, entry: TimelineEntry, body: Body<"break-glass">): Message {
  const who = whoIs(entry.actor);
  const lines = [
    fmt`🔴 ${bold(`${who} broke the glass for ${incident.target.service}.`)} The plan ${code(body.hash.slice(0, 12))} runs without the approval it needed.`,
    fmt`${bold("Reason:")} ${body.reason}`,
    fmt`${dateTime(entry.atMs)}. It is a row of its own in the timeline, and the export asks for a review.`,
  ];
  const blocks = [header(`BREAK-GLASS: ${incident.target.service}`), section(join(lines, "\n"))];
  return message({ text: spoken(blocks), blocks });
}

/** The reported symptom after the steps: is it gone? */
export function verifiedMessage(incident: Incident, body: Body<"verified">): Message {
  const service = incident.target.service;
  const blocks: MessageBlock[] = [
    section(verdictLine(service, body.outcome, incident.plan?.undoOf != null)),
    ...titled("What was checked", body.probes),
    ...titled("What changed on the host", body.changes),
  ];
  return message({ text: spoken(blocks), blocks });
}

function verdictLine(service: string, outcome: Body<"verified">["outcome"], undone: boolean): Rich {
  switch (outcome) {
    case "recovered":
      return undone
        ? fmt`✅ ${bold(`${service}: undone, and still healthy.`)}`
        : fmt`✅ ${bold(`${service}: recovered.`)} The reported symptom is gone.`;
    case "not-recovered":
      return fmt`🔴 ${bold(`${service}: not recovered.`)} The steps ran, but the symptom is still there. Nothing more runs by itself: ask again for a fresh look.`;
    case "inconclusive":
      return fmt`🟠 ${bold(`${service}: recovery is not proven.`)} The steps ran, but the symptom could not be checked well enough. A person should look.`;
  }
}

function titled(title: string, lines: readonly string[]): MessageBlock[] {
  return lines.length === 0 ? [] : [section(bold(title)), bullets(lines)];
}

/** The live change is gone with the next `docker compose up` unless the file says the same; null where no file is due. */
export function composeMessage(incident: Incident, record: PlanRecord): Message | null {
  const snippets = composeSnippets(record.plan);
  if (snippets === null) return null;
  const blocks: MessageBlock[] = [
    section(
      fmt`${bold("The live change is not in your compose file.")} The next ${code("docker compose up")} that recreates ${snippets.service} takes it back. Put this there:`,
    ),
    preformatted(snippets.current),
    ...(snippets.older === null
      ? []
      : [section(fmt`Or, in the older form (${code("mem_limit")}):`), preformatted(snippets.older)]),
  ];
  return message({ text: spoken(blocks, fmt`${incident.target.service}: a change to keep`), blocks });
}

import type { DiagnosisReport } from "../core/report.ts";
import { container, preformatted } from "../slack/blocks/build.ts";
import { visible } from "../slack/blocks/encode.ts";
import { fmt, join, toMrkdwn } from "../slack/blocks/inline.ts";
import { type Message, message } from "../slack/blocks/message.ts";
import { plural, sourceWords } from "./wording.ts";

/** More than this is read in a file, not in a thread. */
const INLINE_LINES = 24;
const INLINE_CHARACTERS = 2_800;

export type EvidencePart =
  | { as: "message"; message: Message }
  | { as: "file"; filename: string; title: string; text: string; comment: string };

/** All evidence of a diagnosis: collapsed in the thread while it is short, a file when it is not; null for none. */
export function evidencePart(report: DiagnosisReport): EvidencePart | null {
  if (report.evidence.length === 0) return null;
  const lines = evidenceLines(report);
  const text = lines.join("\n");
  const title = `Evidence for ${report.service}: ${plural(report.evidence.length, "piece")}`;
  if (lines.length > INLINE_LINES || text.length > INLINE_CHARACTERS) {
    const comment = toMrkdwn(fmt`${title}, as a file`, 400).text;
    return { as: "file", filename: "evidence.txt", title, text, comment };
  }
  const block = container(title, [preformatted(text, { maxLines: INLINE_LINES })]);
  return { as: "message", message: message({ text: join([title, ...lines], "\n"), blocks: [block] }) };
}

/** Two lines an item: where, what and when it was read; then what it said. Hidden characters are shown. */
export function evidenceLines(report: Pick<DiagnosisReport, "evidence">): string[] {
  return report.evidence.flatMap((item) => {
    const place = item.container === null ? item.host : `${item.container} on ${item.host}`;
    const head = `${item.id} ${sourceWords[item.source]}, ${place}, ${item.at.slice(0, 19)}Z, ${item.read}`;
    return [visible(head, "show"), `   ${visible(item.text, "show")}`];
  });
}

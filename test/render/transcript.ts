import type { TimelineEntry } from "../../src/core/incident.ts";
import { type Outgoing, parseOutgoing } from "../../src/core/outgoing.ts";
import { replay } from "../../src/core/replay.ts";
import type { OutboxRow } from "../../src/ports.ts";
import { announce } from "../../src/render/announce.ts";
import { plainText } from "../../src/slack/blocks/plain-text.ts";

/** All rows a story gives, as they would be queued entry by entry. */
export function rowsOf(entries: readonly TimelineEntry[]): OutboxRow[] {
  return entries.flatMap((entry, at) => {
    const incident = replay(entries.slice(0, at + 1));
    return incident === null ? [] : announce(incident, entry);
  });
}

export function outgoingOf(row: OutboxRow): Outgoing {
  const outgoing = parseOutgoing(row.payload);
  if (outgoing === null) throw new Error(`no outgoing in ${row.key}`);
  return outgoing;
}

/** The room as a person reads it, row by row. */
export function transcript(entries: readonly TimelineEntry[]): string {
  return rowsOf(entries).map(rowText).join("\n");
}

function rowText(row: OutboxRow): string {
  const outgoing = outgoingOf(row);
  switch (outgoing.kind) {
    case "post":
    case "update": {
      const what =
        outgoing.kind === "update"
          ? `edits ${refText(outgoing.message)}`
          : `${outgoing.thread === null ? "to the channel" : `replies to ${refText(outgoing.thread)}`}${outgoing.broadcast ? " and the channel" : ""}`;
      return [
        `=== ${row.key} ${what}`,
        plainText(outgoing.blocks),
        ...buttonsText(outgoing.blocks),
        `text: ${outgoing.text}`,
        "",
      ].join("\n");
    }
    case "file":
      return [`=== ${row.key} file ${outgoing.filename} (${outgoing.title})`, outgoing.text, ""].join("\n");
    case "image":
      return [`=== ${row.key} image ${outgoing.filename} (${outgoing.title})`, outgoing.comment, ""].join("\n");
    case "ephemeral":
      return `=== ${row.key} ${outgoing.kind}`;
  }
}

function refText(ref: { key: string } | { ts: string }): string {
  return "key" in ref ? ref.key : ref.ts;
}

interface Pressed {
  text: { text: string };
  action_id: string;
  style?: string;
  confirm?: { title: { text: string }; text: { text: string } };
}

function buttonsText(blocks: readonly object[]): string[] {
  const groups = blocks.filter(
    (block): block is { type: "actions"; elements: Pressed[] } =>
      "elements" in block && (block as { type?: string }).type === "actions",
  );
  return groups.flatMap(({ elements }) =>
    elements.map((button) => {
      const asks =
        button.confirm === undefined
          ? ""
          : ` asks: ${button.confirm.title.text} ${JSON.stringify(button.confirm.text.text)}`;
      return `[${button.text.text}] ${button.action_id}${button.style === undefined ? "" : ` ${button.style}`}${asks}`;
    }),
  );
}

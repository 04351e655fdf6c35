import type { ProcessRow } from "../core/readings.ts";
import { inert } from "./inert.ts";
import { list, object, texts } from "./json.ts";
import { processRows } from "./process-table.ts";
import { type EvidenceSource, jsonOf, parsedFrom, toReading } from "./reading.ts";

/** The processes of one container with host pids. Empty when it does not run. */
export const dockerTop: EvidenceSource<"docker-top"> = {
  name: "docker-top",
  async read(reader, planned, context) {
    const reply = await reader.docker({ read: "top", id: planned.containerId ?? "" }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: reply.read };
    if (reply.ok && notRunning(reply)) return toReading(about, { status: "empty", hashed: "" }, context);
    const json = jsonOf(reply);
    if ("code" in json) return toReading(about, { status: "failed", ...json }, context);
    return toReading(about, parsedFrom(maskTop(json.value, context.redactor.text), parseTop), context);
  },
};

/** `{ Titles, Processes }`: the columns are those of the `ps` that ran, so they are found by their titles. */
export function parseTop(masked: unknown): ProcessRow[] | null {
  const root = object(masked);
  const titles = texts(root["Titles"]);
  if (titles.length === 0) throw new Error("no titles");
  const rows = processRows(titles, list(root["Processes"]).map(texts));
  return rows.length === 0 ? null : rows;
}

/** Only the command columns are free text, and they are one text, not an argument list. */
function maskTop(value: unknown, mask: (text: string) => string): unknown {
  const root = object(value);
  const rows = list(root["Processes"]).map((cells) => texts(cells).map((cell) => mask(inert(cell))));
  return { Titles: root["Titles"], Processes: rows };
}

/** 20.10 answers 409 or 500 with this text. */
function notRunning(reply: { status: number; body: Buffer }): boolean {
  return reply.status >= 400 && /is not running|is restarting/i.test(reply.body.subarray(0, 1_000).toString("utf8"));
}

import type { Incident } from "../core/replay.ts";
import type { Exporter } from "../ports.ts";
import { type Postmortem, postmortem } from "./postmortem.ts";
import { postmortemCsv } from "./postmortem-csv.ts";
import { postmortemHtml } from "./postmortem-html.ts";
import { postmortemJson } from "./postmortem-json.ts";
import { postmortemMarkdown } from "./postmortem-md.ts";

/** Every format `timeline export` knows; the key is what people type and the file's ending. */
export const exporters: Readonly<Record<string, Exporter>> = {
  md: exporter("md", "text/markdown; charset=utf-8", postmortemMarkdown),
  html: exporter("html", "text/html; charset=utf-8", postmortemHtml),
  json: exporter("json", "application/json", postmortemJson),
  csv: exporter("csv", "text/csv; charset=utf-8", postmortemCsv),
};

function exporter(format: string, contentType: string, write: (report: Postmortem) => string): Exporter {
  return (incident, entries, readings) => ({
    filename: `${stem(incident)}.${format}`,
    contentType,
    text: write(postmortem(incident, entries, readings)),
  });
}

/** A service name comes from a person: only what every file system takes is kept. */
function stem({ target, incidentId }: Incident): string {
  const safe = `${target.service}-${incidentId}`.replace(/[^A-Za-z0-9-]+/g, "-").slice(0, 80);
  return `incident-${safe}`;
}

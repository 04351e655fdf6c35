import { createHash } from "node:crypto";
import { memoryChart, memoryWords } from "./chart.ts";
import { html } from "./html.ts";
import type { Postmortem } from "./postmortem.ts";
import { type PlanSection, postmortemSections, type Section } from "./postmortem-sections.ts";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8884; }
li, td { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8884; border-radius: .3rem; }
.loud { border-left: .4rem solid #c22; padding-left: 1rem; }
`;

/** No script, no request: the page shows itself and nothing else. The style is allowed by its hash. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; base-uri 'none'; form-action 'none'`;

/** The postmortem as one HTML page that needs nothing from anywhere. */
export function postmortemHtml(report: Postmortem): string {
  const title = html(`Incident ${report.incidentId}: ${report.service}`);
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<main>",
    `<h1>${title}</h1>`,
    `<p>${html(report.summary)}</p>`,
    ...postmortemSections(report).map(sectionHtml),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function sectionHtml(section: Section): string {
  const loud = section.loud === true ? ' class="loud"' : "";
  return `<section${loud}>\n<h2>${section.title}</h2>\n${bodyOf(section)}\n</section>`;
}

function bodyOf(section: Section): string {
  switch (section.shape) {
    case "list":
      return listHtml("ul", section.lines);
    case "plans":
      return section.plans.map(planHtml).join("\n");
    case "table": {
      const head = section.columns.map((column) => `<th scope="col">${html(column)}</th>`).join("");
      const rows = section.rows.map((row) => `<tr>${row.map((cell) => `<td>${html(cell)}</td>`).join("")}</tr>`);
      return `<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>\n</table>`;
    }
    case "text":
      return `<pre>${html(section.text)}</pre>`;
    case "charts":
      return section.charts
        .map((chart, at) => memoryChart(chart, `chart-${at + 1}`) ?? listHtml("ul", [memoryWords(chart)]))
        .join("\n");
  }
}

function planHtml(plan: PlanSection): string {
  return [
    `<h3>${html(plan.title)}</h3>`,
    listHtml("ul", plan.facts),
    listHtml("ol", plan.steps),
    "<p>The same by hand:</p>",
    `<pre>${html(plan.commands)}</pre>`,
  ].join("\n");
}

function listHtml(kind: "ul" | "ol", lines: readonly string[]): string {
  return `<${kind}>\n${lines.map((line) => `<li>${html(line)}</li>`).join("\n")}\n</${kind}>`;
}

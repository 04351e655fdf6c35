import { visible } from "../slack/blocks/encode.ts";
import { memoryWords } from "./chart.ts";
import type { Postmortem } from "./postmortem.ts";
import { type PlanSection, postmortemSections, type Section } from "./postmortem-sections.ts";

/** The postmortem as GitHub-flavoured Markdown. Nothing a host or a person wrote becomes markup, link or mention. */
export function postmortemMarkdown(report: Postmortem): string {
  const parts = [
    `# Incident ${markdown(report.incidentId)}: ${markdown(report.service)}`,
    markdown(report.summary),
    ...postmortemSections(report).map((section) => `## ${section.title}\n\n${bodyOf(section)}`),
  ];
  return `${parts.join("\n\n")}\n`;
}

/**
 * Data in a line of Markdown. Words that a renderer would link by itself (addresses, mentions, issue numbers, hashes)
 * become code; in all others what could be markup is escaped.
 */
export function markdown(text: string): string {
  return visible(text, "show")
    .split(/(\s+)/)
    .map((word) =>
      LINKED.test(word) ? codeSpan(word) : word.replace(/[\\`*_{}[\]<>()#+!|~&$^=-]|\.(?=\s|$)/g, escaped),
    )
    .join("");
}

/** A fence longer than any run of backticks in the text. */
export function fenced(text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${visible(text, "keep")}\n${fence}`;
}

const LINKED = /:\/\/|www\.|@|#\d|mailto:|[0-9a-f]{7,}|^gh-\d/i;

/** A full stop needs no escape in the middle or at the end of a sentence; a list marker is only possible at a start. */
function escaped(found: string): string {
  return found === "." ? found : `\\${found}`;
}

/** Longer than any run of backticks in it. A bar would end a table's cell, in code too. */
function codeSpan(text: string): string {
  const ticks = "`".repeat(longestRun(text) + 1);
  const padding = /^`|`$/.test(text) ? " " : "";
  return `${ticks}${padding}${text.replaceAll("|", "\u2502")}${padding}${ticks}`;
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);
}

function bodyOf(section: Section): string {
  switch (section.shape) {
    case "list":
      return bullets(section.lines);
    case "plans":
      return section.plans.map(planText).join("\n\n");
    case "table":
      return [section.columns, section.columns.map(() => "---"), ...section.rows.map((row) => row.map(markdown))]
        .map((cells) => `| ${cells.join(" | ")} |`)
        .join("\n");
    case "text":
      return fenced(section.text);
    case "charts":
      return bullets(section.charts.map((chart) => `${chart.title}: ${memoryWords(chart)}`));
  }
}

function planText(plan: PlanSection): string {
  const steps = plan.steps.map((step, at) => `${at + 1}. ${markdown(step)}`).join("\n");
  return [`### ${markdown(plan.title)}`, bullets(plan.facts), steps, "The same by hand:", fenced(plan.commands)].join(
    "\n\n",
  );
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${markdown(line)}`).join("\n");
}

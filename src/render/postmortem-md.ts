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
 * Data in a line of Markdown. Words that a renderer would turn into something by itself (addresses, mentions, issue
 * numbers, commits, emoji) become code; in all others what could be markup is escaped.
 */
function markdown(text: string): string {
  const words = visible(text, "show")
    .split(/\s+/)
    .filter((word) => word !== "");
  return words.map((word, at) => (LINKED.test(word) ? asCode(word) : escaped(word, at === 0))).join(" ");
}

/** A fence longer than any run of backticks in the text. */
function fenced(text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${visible(text, "keep")}\n${fence}`;
}

const LINKED =
  /:\/\/|www\.|@|#\d|mailto:|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b|^gh-\d|:(?!\d+:)[a-z0-9_+-]+:/i;

function escaped(word: string, first: boolean): string {
  const safe = word.replace(/[\\`*_[\]<>|~&$]/g, "\\$&");
  // Only at the start of a line do these begin a list, a heading or an underline.
  return first ? safe.replace(/^[-+=#]/, "\\$&").replace(/^(\d+)([.)])/, "$1\\$2") : safe;
}

/** Punctuation around the word stays outside. */
function asCode(word: string): string {
  const [, before = "", inner = "", after = ""] = /^(\(*)(.*?)([.,:;)]*)$/.exec(word) ?? [];
  return inner === "" ? escaped(word, true) : `${before}${codeSpan(inner)}${after}`;
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

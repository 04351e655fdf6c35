import { isRefusal, refuse } from "../src/core/result.ts";
import type { GuardrailReport } from "../src/room.ts";
import { bullets, section } from "../src/slack/blocks/build.ts";
import { bold, fmt, join } from "../src/slack/blocks/inline.ts";
import { type Message, message } from "../src/slack/blocks/message.ts";
import type { Command, HandlerDeps, Reply } from "./asked.ts";
import { guardrailsHelp, told } from "./help.ts";
import { wordsOf } from "./words.ts";

/** `/guardrails [<host>]` */
export async function guardrails(command: Command, deps: HandlerDeps): Promise<Reply> {
  const [host = null, ...more] = wordsOf(command.text).filter((word) => word.toLowerCase() !== "on");
  if (host?.toLowerCase() === "help") return guardrailsHelp;
  if (more.length > 0) {
    return refuse("bad-input", "More than one host was named.", "Nothing was looked at.", `Try /guardrails ${host}.`);
  }
  await command.tell(told(fmt`Looking for hazards on ${host === null ? "every host of this channel" : bold(host)}.`));
  const found = await deps.room.guardrails(host, command.channel);
  return isRefusal(found) ? found : guardrailMessage(found.report);
}

export function guardrailMessage(report: GuardrailReport): Message {
  const total = report.hosts.reduce((sum, host) => sum + host.findings.length, 0);
  const title = bold(total === 0 ? "No hazard found" : total === 1 ? "1 hazard" : `${total} hazards`);
  const perHost = report.hosts
    .filter((host) => host.findings.length > 0)
    .map((host) => ({ name: host.host, lines: host.findings.map(findingLine) }));
  const gaps = report.gaps.map(
    (gap) => fmt`🟠 ${bold(gap.host)}: ${gap.source} was not read (${gap.reason}); ${gap.weakens}`,
  );
  const parts = [...perHost, ...(gaps.length === 0 ? [] : [{ name: "Not seen", lines: gaps }])];
  return message({
    text: join([title, ...parts.flatMap(({ name, lines }) => [bold(name), ...lines])], "\n"),
    blocks: [section(title), ...parts.flatMap(({ name, lines }) => [section(bold(name)), bullets(lines)])],
  });
}

const levels = { error: "🔴 error", warning: "🟠 warning", info: "info" } as const;

function findingLine(finding: GuardrailReport["hosts"][number]["findings"][number]) {
  const where = finding.container === null ? fmt`the host` : fmt`${bold(finding.container)}`;
  return fmt`${levels[finding.level]} ${where}: ${finding.found} Fix: ${finding.fix}`;
}

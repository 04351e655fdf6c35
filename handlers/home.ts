import type { HomeView, KnownBlock } from "@slack/types";
import type { StatusOverview } from "../src/room.ts";
import { bullets, context, divider, header, section } from "../src/slack/blocks/build.ts";
import { home } from "../src/slack/blocks/build-views.ts";
import { code, fmt } from "../src/slack/blocks/inline.ts";
import type { Problem } from "../src/slack/problems.ts";
import type { HandlerDeps } from "./asked.ts";
import { frozenLine, statusParts } from "./room137.ts";

/** Draws a person's Home tab as things are now. The problem, when Slack did not take it. */
export async function publishHome(userId: string, deps: HandlerDeps): Promise<Problem | null> {
  const view = homeView(await deps.room.status(null));
  const published = await deps.edge.api.call("views.publish", { user_id: userId, view }, "bulk");
  if (published.ok) return null;
  const { code: said, messages } = published.problem;
  deps.log.warn({ userId, code: said, said: messages }, "a home tab could not be drawn");
  return published.problem;
}

export function homeView(status: StatusOverview): HomeView {
  const frozen = frozenLine(status);
  const blocks: KnownBlock[] = frozen === null ? [] : [section(frozen)];
  for (const { title, lines, none } of statusParts(status)) {
    blocks.push(header(title), lines.length === 0 ? section(none) : bullets(lines));
  }
  const read = status.hosts.filter((host) => host.ok === true).length;
  const setUp =
    status.hosts.length === 0
      ? "Set-up: no host yet. /hosts add opens a form."
      : `Set-up: ${status.hosts.length} registered, ${read} read without trouble. /hosts check <host> tells what is missing.`;
  return home([
    ...blocks,
    divider(),
    section(setUp),
    section(
      fmt`Ask with ${code("/why-500 web")} in a channel, or ${code("@room137 why-500 web")} in a thread. All commands: ${code("/room137 help")}`,
    ),
    context([`room137 ${status.version}`]),
  ]);
}

import type { HomeView, KnownBlock } from "@slack/types";
import { limits } from "../src/core/limits.ts";
import type { StatusOverview } from "../src/room.ts";
import { bullets, context, divider, header, section } from "../src/slack/blocks/build.ts";
import { home } from "../src/slack/blocks/build-views.ts";
import { code, fmt } from "../src/slack/blocks/inline.ts";
import type { SlackApi } from "../src/slack/clients.ts";
import type { HandlerDeps } from "./asked.ts";
import { frozenLine, statusParts } from "./room137.ts";

/** The Home tabs people look at. Slack tells when one is opened and not when it is left. */
export interface Homes {
  opened(userId: string): Promise<void>;
  /** Draws those anew that show something else than what is now true. Never throws. */
  refresh(): Promise<void>;
}

/** In memory only: who opens the tab again, or at another replica, gets it drawn then. */
export function createHomes(deps: Pick<HandlerDeps, "room" | "clock" | "log"> & { api: SlackApi }): Homes {
  const watched = new Map<string, { openedAtMs: number; shows: string }>();
  const draw = async (userId: string, view: HomeView) => {
    const published = await deps.api.call("views.publish", { user_id: userId, view }, "bulk");
    const home = watched.get(userId);
    if (published.ok && home !== undefined) home.shows = JSON.stringify(view);
    if (published.ok) return;
    const { code: said, messages } = published.problem;
    deps.log.warn({ userId, code: said, said: messages }, "a home tab could not be drawn");
  };
  return {
    async opened(userId) {
      watched.delete(userId);
      watched.set(userId, { openedAtMs: deps.clock.nowMs(), shows: "" });
      const [longest] = watched.keys();
      if (watched.size > limits.homesWatched && longest !== undefined) watched.delete(longest);
      await draw(userId, homeView(await deps.room.status(null)));
    },
    async refresh() {
      const sinceMs = deps.clock.nowMs() - limits.homeWatchedMs;
      for (const [userId, { openedAtMs }] of watched) if (openedAtMs < sinceMs) watched.delete(userId);
      if (watched.size === 0) return;
      try {
        const view = homeView(await deps.room.status(null));
        const now = JSON.stringify(view);
        for (const [userId, { shows }] of watched) if (shows !== now) await draw(userId, view);
      } catch (error) {
        deps.log.warn({ err: error }, "the home tabs could not be refreshed");
      }
    },
  };
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

import type { Log } from "../ports.ts";
import type { SlackApi } from "./clients.ts";
import type { Content, ContentSender } from "./content.ts";

/** Whom to tell something privately, and by which ways it can reach them. */
export interface Listener {
  userId: string;
  /** Null where there is none, as in the Home tab. */
  channel: string | null;
  threadTs: string | null;
  /** Of a command, a click or a shortcut: works where the bot is no member. */
  responseUrl: string | null;
}

/** Tells one person and nobody else. Never throws; what cannot be told is logged. */
export type Whisper = (to: Listener, content: Content) => Promise<void>;

export function createWhisper(deps: { api: SlackApi; content: ContentSender; log: Log }): Whisper {
  return async (to, content) => {
    const said = await deps.content.send(content, async (args) => {
      if (to.responseUrl === null) return await ephemeral(deps.api, to, args);
      const answer = { response_type: "ephemeral", replace_original: false, ...args };
      const result = await deps.api.respond(to.responseUrl, answer);
      return result.ok || to.channel === null ? result : await ephemeral(deps.api, to, args);
    });
    if (!said.ok) {
      const { code, messages } = said.problem;
      deps.log.warn({ user: to.userId, channel: to.channel, code, said: messages }, "a person could not be answered");
    }
  };
}

/** Outside a channel the direct message with the bot is the private place. */
function ephemeral(api: SlackApi, to: Listener, args: Record<string, unknown>) {
  if (to.channel === null) {
    const quiet = { unfurl_links: false, unfurl_media: false };
    return api.call("chat.postMessage", { channel: to.userId, ...quiet, ...args }, "interactive");
  }
  const thread = to.threadTs === null ? {} : { thread_ts: to.threadTs };
  return api.call("chat.postEphemeral", { channel: to.channel, user: to.userId, ...thread, ...args }, "interactive");
}

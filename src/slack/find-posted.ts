import { limits } from "../core/limits.ts";
import type { ClaimedRow, OutboxDeps } from "./outbox.ts";
import type { Problem } from "./problems.ts";

/** Marks our posts; the payload is `{ incident_id, key }`. Every app in the workspace can read it. */
export const metadataType = "room137_post";

/**
 * Looks in the thread, or the channel, for the message a row has posted already: after a lost answer, or after a crash
 * between the post and its note. `ts` null: it is not there, or the app lacks the history scope to see, and then
 * posting twice is the smaller harm.
 */
export async function findPosted(
  deps: Pick<OutboxDeps, "api" | "botUserId" | "log">,
  row: ClaimedRow,
  threadTs: string | null,
): Promise<{ ts: string | null } | { problem: Problem }> {
  const oldest = String(Math.floor((row.queuedAtMs - limits.lookupClockSkewMs) / 1_000));
  const place = { channel: row.channel, ...(threadTs === null ? {} : { ts: threadTs }) };
  const method = threadTs === null ? "conversations.history" : "conversations.replies";
  let cursor = "";
  for (let page = 0; page < limits.lookupPages; page++) {
    const paging = { limit: limits.lookupPageSize, ...(cursor === "" ? {} : { cursor }) };
    const answer = await deps.api.call(method, { ...place, ...paging, oldest, include_all_metadata: true }, "bulk");
    if (!answer.ok) {
      if (answer.problem.kind === "retry" || answer.problem.kind === "setup") return { problem: answer.problem };
      deps.log.warn({ key: row.key, code: answer.problem.code }, "a post whose answer was lost cannot be looked up");
      return { ts: null };
    }
    const messages = Array.isArray(answer.data["messages"]) ? answer.data["messages"] : [];
    const ours = messages.find((message) => isOurs(message, row.key, deps.botUserId()));
    if (ours !== undefined) return { ts: String(ours.ts) };
    cursor = String((answer.data["response_metadata"] as { next_cursor?: string } | undefined)?.next_cursor ?? "");
    if (cursor === "") break;
  }
  return { ts: null };
}

interface Posted {
  ts?: string;
  user?: string;
  metadata?: { event_type?: string; event_payload?: { key?: string } };
}

/** Another app could copy our metadata; it cannot be our bot. */
function isOurs(message: Posted, key: string, botUserId: string | null): boolean {
  const { metadata } = message;
  const authored = botUserId === null || message.user === botUserId;
  return authored && metadata?.event_type === metadataType && metadata.event_payload?.key === key;
}

import { limits } from "../core/limits.ts";
import { type MessageRef, type Outgoing, parseSent, type Sent } from "../core/outgoing.ts";
import { section } from "./blocks/build.ts";
import { code, fmt } from "./blocks/inline.ts";
import { message } from "./blocks/message.ts";
import { waitedTooLong } from "./clients.ts";
import type { ContentSender } from "./content.ts";
import type { Edits } from "./edits.ts";
import { findPosted, metadataType } from "./find-posted.ts";
import type { ClaimedRow, OutboxDeps } from "./outbox.ts";
import type { Problem } from "./problems.ts";

export interface SendDeps extends OutboxDeps {
  content: ContentSender;
  /** False once a claim is so old that another process may take the row over. */
  stillClaimed(row: ClaimedRow): boolean;
}

/** `problem` null: nothing failed, it is only not its turn. */
export type Outcome = { sent: Sent } | { problem: Problem | null; afterMs: number };

/** What goes with every post: nothing in a message makes Slack fetch or link anything. */
const quiet = { unfurl_links: false, unfurl_media: false };

/** Sends one row, whatever it is. */
export function createSend(deps: SendDeps, edits: Edits): (row: ClaimedRow, outgoing: Outgoing) => Promise<Outcome> {
  /** Rows of which we know that no attempt came through, so that nothing needs to be looked up. */
  const surelyUnsent = new Set<string>();
  return async (row, outgoing) => {
    switch (outgoing.kind) {
      case "post":
        return await post(deps, surelyUnsent, row, outgoing);
      case "update":
        await edits.add(row, outgoing);
        return { sent: { channel: row.channel, ts: null } };
      case "ephemeral":
        return await ephemeral(deps, row, outgoing);
      case "file":
      case "image":
        return await file(deps, row, outgoing);
    }
  };
}

async function post(
  deps: SendDeps,
  surelyUnsent: Set<string>,
  row: ClaimedRow,
  outgoing: Extract<Outgoing, { kind: "post" }>,
): Promise<Outcome> {
  const thread = await threadOf(deps, row, outgoing.thread);
  if ("outcome" in thread) return thread.outcome;
  const nowMs = deps.clock.nowMs();
  const triedBefore = !(await deps.store.firstSeen(`sending:${row.key}`, nowMs)) && !surelyUnsent.has(row.key);
  if (triedBefore) {
    const found = await findPosted(deps, row, thread.ts);
    if ("problem" in found) return later(found.problem);
    if (found.ts !== null) return { sent: { channel: row.channel, ts: found.ts } };
  }
  surelyUnsent.delete(row.key);
  const args = {
    channel: row.channel,
    ...(thread.ts === null ? {} : { thread_ts: thread.ts }),
    ...(outgoing.broadcast === true && thread.ts !== null ? { reply_broadcast: true } : {}),
    ...quiet,
    metadata: { event_type: metadataType, event_payload: { incident_id: row.incidentId ?? "", key: row.key } },
  };
  const urgency = thread.ts === null ? "first" : "bulk";
  const result = await deps.content.send(outgoing, (content) =>
    deps.api.call("chat.postMessage", { ...args, ...content }, urgency, () => deps.stillClaimed(row)),
  );
  if (result.ok) return { sent: { channel: String(result.data["channel"]), ts: String(result.data["ts"]) } };
  if (!result.problem.uncertain) surelyUnsent.add(row.key);
  return failed(deps, row, result.problem);
}

async function ephemeral(
  deps: SendDeps,
  row: ClaimedRow,
  outgoing: Extract<Outgoing, { kind: "ephemeral" }>,
): Promise<Outcome> {
  const thread = await threadOf(deps, row, outgoing.thread);
  if ("outcome" in thread) return thread.outcome;
  const args = {
    channel: row.channel,
    user: outgoing.userId,
    ...(thread.ts === null ? {} : { thread_ts: thread.ts }),
  };
  const result = await deps.content.send(outgoing, (content) =>
    deps.api.call("chat.postEphemeral", { ...args, ...content }, "bulk"),
  );
  if (!result.ok && result.problem.kind === "retry" && !result.problem.uncertain) return later(result.problem);
  // Who is not there any more cannot be whispered to; and a doubt is not worth whispering twice.
  return { sent: { channel: row.channel, ts: null } };
}

type Uploaded = Extract<Outgoing, { kind: "file" | "image" }>;

/** In three steps; the file's id is kept, so that after a lost answer the same file is completed, never a second one. */
async function file(deps: SendDeps, row: ClaimedRow, outgoing: Uploaded): Promise<Outcome> {
  const thread = await threadOf(deps, row, outgoing.thread);
  if ("outcome" in thread) return thread.outcome;
  const kept = await deps.store.document("slack-upload", row.key);
  const uploaded = kept === null ? await upload(deps, row, outgoing) : { fileId: kept.json };
  if ("problem" in uploaded) return await unshared(deps, row, outgoing, thread.ts, uploaded.problem);
  const result = await deps.api.call(
    "files.completeUploadExternal",
    {
      files: [{ id: uploaded.fileId, title: outgoing.title }],
      channel_id: row.channel,
      ...(thread.ts === null ? {} : { thread_ts: thread.ts }),
      ...(outgoing.comment === null ? {} : { initial_comment: outgoing.comment }),
    },
    "bulk",
  );
  // A file that was completed cannot be completed again: then the lost answer was a yes.
  const done = result.ok || (kept !== null && result.problem.code === "file_not_found");
  if (!done) return await unshared(deps, row, outgoing, thread.ts, result.problem);
  await deps.store.deleteDocument("slack-upload", row.key);
  return { sent: { channel: row.channel, ts: null } };
}

/** Somebody waits for a file: where it will never come, the thread says so. A picture is an extra, and nobody does. */
async function unshared(
  deps: SendDeps,
  row: ClaimedRow,
  outgoing: Uploaded,
  threadTs: string | null,
  problem: Problem,
): Promise<Outcome> {
  const outcome = failed(deps, row, problem);
  if (!("sent" in outcome) || outgoing.kind !== "file") return outcome;
  const instead =
    row.incidentId === null
      ? fmt``
      : fmt` ${code(`room137 timeline export ${row.incidentId} --format md`)} prints the timeline in a terminal.`;
  const said = fmt`${outgoing.filename} could not be put here as a file: Slack said ${problem.code}. Its app needs the scope files:write.${instead}`;
  const thread = threadTs === null ? {} : { thread_ts: threadTs };
  await deps.content.send(message({ text: said, blocks: [section(said)] }), (content) =>
    deps.api.call("chat.postMessage", { channel: row.channel, ...thread, ...quiet, ...content }, "bulk"),
  );
  return outcome;
}

async function upload(
  deps: SendDeps,
  row: ClaimedRow,
  outgoing: Uploaded,
): Promise<{ fileId: string } | { problem: Problem }> {
  const bytes = bytesOf(outgoing);
  // With alt text on anything but an image Slack never shares the file (python-slack-sdk issue 1818).
  const altText = outgoing.kind === "image" ? { alt_txt: outgoing.altText } : {};
  const args = { filename: outgoing.filename, length: bytes.length, ...altText };
  const ticket = await deps.api.call("files.getUploadURLExternal", args, "bulk");
  if (!ticket.ok) return ticket;
  const sent = await deps.api.upload(String(ticket.data["upload_url"]), bytes);
  if (!sent.ok) return sent;
  const fileId = String(ticket.data["file_id"]);
  await deps.store.putDocument("slack-upload", row.key, fileId, deps.clock.nowMs());
  return { fileId };
}

function bytesOf(outgoing: Uploaded): Uint8Array<ArrayBuffer> {
  if (outgoing.kind === "image") return Uint8Array.from(Buffer.from(outgoing.png, "base64"));
  return new TextEncoder().encode(outgoing.text === "" ? "(empty)\n" : outgoing.text);
}

/** The ts to answer to. What it answers to may be on its way still, or may never have come to be. */
async function threadOf(
  deps: SendDeps,
  row: ClaimedRow,
  ref: MessageRef | null,
): Promise<{ ts: string | null } | { outcome: Outcome }> {
  if (ref === null) return { ts: null };
  if ("ts" in ref) return { ts: ref.ts };
  const result = await deps.store.sentResult(ref.key);
  const sent = result === null ? null : parseSent(result);
  if (sent === null) {
    const tooLong = deps.clock.nowMs() - row.queuedAtMs > limits.outboxGiveUpMs;
    const outcome: Outcome = tooLong
      ? { sent: { dropped: "root never posted" } }
      : { problem: null, afterMs: limits.outboxRetryMs };
    return { outcome };
  }
  if ("dropped" in sent) return { outcome: { sent: { dropped: "root was dropped" } } };
  return { ts: sent.ts };
}

function failed(deps: SendDeps, row: ClaimedRow, problem: Problem): Outcome {
  if (problem.code === waitedTooLong) return { problem: null, afterMs: 0 };
  switch (problem.kind) {
    case "retry":
    case "invite":
    case "setup":
      return later(problem);
    case "gone":
    case "payload":
    case "policy":
    case "trigger":
    case "already":
      deps.onProblem(row, problem, true);
      return { sent: { dropped: problem.code } };
  }
}

const later = (problem: Problem): Outcome => ({ problem, afterMs: 0 });

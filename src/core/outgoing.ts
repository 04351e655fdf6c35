/**
 * What an outbox row asks the Slack edge to do: the row's `payload` is one of these as JSON, its `channel` is where.
 *
 * A row's `key` names what it made: later rows point at it with `{ key }`, and it goes out as message metadata
 * (`room137_post`), by which a post whose answer was lost is found again. Rows of one `lane` leave in order, so give
 * every row of an incident the lane of its thread, unless nothing must wait for it. Updates do not hold the lane back: of several that wait for one
 * message only the newest is sent.
 */
export type Outgoing =
  | {
      kind: "post";
      /** Null: a message of its own in the channel. */
      thread: MessageRef | null;
      /** The whole summary as mrkdwn, as `message()` of the block builders makes it. At most 4,000 characters. */
      text: string;
      blocks: readonly object[];
      /** A reply that is also shown in the channel: for "recovered" and the like. */
      broadcast?: boolean;
    }
  | { kind: "update"; message: MessageRef; text: string; blocks: readonly object[] }
  /** Shown to one person who is there now, gone after a reload: never the only copy of anything. */
  | { kind: "ephemeral"; userId: string; thread: MessageRef | null; text: string; blocks: readonly object[] }
  /** `text` becomes a file in the thread. `comment` is the mrkdwn line above it. */
  | { kind: "file"; thread: MessageRef | null; filename: string; title: string; text: string; comment: string | null }
  /** `png` (base64) becomes a picture in the thread; `altText` says the same to who does not see it. */
  | {
      kind: "image";
      thread: MessageRef | null;
      filename: string;
      title: string;
      png: string;
      altText: string;
      comment: string;
    };

/** A message by the key of the row that posted it, or by its ts where it is not ours or was answered already. */
export type MessageRef = { key: string } | { ts: string };

/** What `Store.sentResult` holds for a row: where the message is, or why there is none. */
export type Sent = { channel: string; ts: string | null } | { dropped: string };

export function parseOutgoing(payload: string): Outgoing | null {
  const parsed = parse(payload);
  return typeof parsed?.["kind"] === "string" && kinds.includes(parsed["kind"])
    ? (parsed as unknown as Outgoing)
    : null;
}

export function parseSent(result: string): Sent | null {
  const parsed = parse(result);
  if (typeof parsed?.["dropped"] === "string") return { dropped: parsed["dropped"] };
  if (typeof parsed?.["channel"] !== "string") return null;
  return { channel: parsed["channel"], ts: typeof parsed["ts"] === "string" ? parsed["ts"] : null };
}

const kinds: string[] = ["post", "update", "ephemeral", "file", "image"] satisfies Outgoing["kind"][];

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

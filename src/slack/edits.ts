import { limits } from "../core/limits.ts";
import { type MessageRef, type Outgoing, parseSent } from "../core/outgoing.ts";
import type { ContentSender } from "./content.ts";
import type { ClaimedRow, OutboxDeps } from "./outbox.ts";
import type { Problem } from "./problems.ts";

type Update = Extract<Outgoing, { kind: "update" }>;

/** Edits of messages, newest wins. They leave the lane at once, so that a card's edits never hold its thread back. */
export interface Edits {
  /** Keeps the edit durably; resolves when it may be forgotten by the outbox. */
  add(row: ClaimedRow, update: Update): Promise<void>;
  /** Takes up what was kept before a restart. */
  load(): Promise<void>;
  /** Sends what waits, without the pause between two edits. */
  flush(): Promise<void>;
  stop(): void;
}

interface Kept {
  channel: string;
  update: Update;
}

interface Target {
  name: string;
  lastSentMs: number;
  failures: number;
  working: Promise<void> | null;
  cancelTimer: () => void;
}

const documentKind = "slack-edit";

type EditDeps = OutboxDeps & { content: ContentSender };

export function createEdits(deps: EditDeps): Edits {
  const targets = new Map<string, Target>();
  let stopped = false;
  const targetOf = (name: string): Target => {
    const found = targets.get(name) ?? { name, lastSentMs: 0, failures: 0, working: null, cancelTimer: () => {} };
    targets.set(name, found);
    return found;
  };
  const workOn = (target: Target): Promise<void> => {
    target.cancelTimer();
    target.working ??= sendNewest(deps, target)
      .catch((error: unknown): number => {
        deps.log.error({ err: error, target: target.name }, "an edit could not be sent or noted");
        return limits.outboxRetryMaxMs;
      })
      .then((againMs) => {
        target.working = null;
        if (againMs === null) targets.delete(target.name);
        else schedule(target, againMs);
      });
    return target.working;
  };
  const schedule = (target: Target, delayMs: number) => {
    target.cancelTimer();
    if (!stopped) target.cancelTimer = deps.timers.after(Math.max(0, delayMs), () => void workOn(target));
  };
  return {
    async add(row, update) {
      const name = targetName(row.channel, update.message);
      const kept: Kept = { channel: row.channel, update };
      // Row ids grow, so the name of the document says which edit is newer.
      await deps.store.putDocument(documentKind, documentKey(name, row.id), JSON.stringify(kept), deps.clock.nowMs());
      const target = targetOf(name);
      if (target.working === null) schedule(target, target.lastSentMs + limits.editSpacingMs - deps.clock.nowMs());
      else void target.working.then(() => schedule(targetOf(name), limits.editSpacingMs));
    },
    async load() {
      for (const { key } of await deps.store.documents(documentKind)) schedule(targetOf(nameOf(key)), 0);
    },
    async flush() {
      await Promise.allSettled([...targets.values()].map((target) => workOn(target)));
    },
    stop() {
      stopped = true;
      for (const target of targets.values()) target.cancelTimer();
    },
  };
}

/** Sends the newest edit kept for a message. Milliseconds until it should be looked at again; null when all is done. */
async function sendNewest(deps: EditDeps, target: Target): Promise<number | null> {
  const { store, clock } = deps;
  const lease = `edit:${target.name}`;
  if (!(await store.acquireLease(lease, deps.owner, limits.editLeaseMs, clock.nowMs()))) return limits.editLeaseMs;
  try {
    const waiting = (await store.documents(documentKind)).filter(({ key }) => nameOf(key) === target.name);
    const newest = waiting.toSorted((a, b) => idOf(b.key) - idOf(a.key))[0];
    // Nothing left, and nothing came within the pause: the target may be forgotten.
    if (newest === undefined) return pauseLeftMs(target, clock.nowMs());
    const problem = await sendEdit(deps, JSON.parse(newest.json) as Kept);
    target.lastSentMs = clock.nowMs();
    if (problem !== null) {
      target.failures += 1;
      return problem.retryAfterMs ?? retryMs(problem, target.failures);
    }
    target.failures = 0;
    for (const { key } of waiting) await store.deleteDocument(documentKind, key);
    return limits.editSpacingMs;
  } finally {
    await store.releaseLease(lease, deps.owner);
  }
}

function pauseLeftMs(target: Target, nowMs: number): number | null {
  const leftMs = target.lastSentMs + limits.editSpacingMs - nowMs;
  return leftMs > 0 ? leftMs : null;
}

/** Null when the edit is done with, for good or for ill; a problem when it is to be tried again. */
async function sendEdit(deps: EditDeps, { channel, update }: Kept): Promise<Problem | null> {
  const place = await placeOf(deps, channel, update.message);
  if (place === "unknown") return notYet;
  if (place === "dropped") return null;
  const result = await deps.content.send(update, (content) =>
    deps.api.call("chat.update", { ...place, ...content }, "bulk"),
  );
  if (result.ok) return null;
  const { problem } = result;
  if (problem.kind === "retry" || problem.kind === "setup") return problem;
  deps.log.warn({ channel, code: problem.code, said: problem.messages }, "a message cannot be edited any more");
  return null;
}

/** Its post is still on its way. */
const notYet: Problem = {
  kind: "retry",
  code: "not_posted_yet",
  messages: [],
  retryAfterMs: limits.outboxPollMs,
  uncertain: false,
};

async function placeOf(deps: EditDeps, channel: string, ref: MessageRef) {
  if ("ts" in ref) return { channel, ts: ref.ts };
  const result = await deps.store.sentResult(ref.key);
  const sent = result === null ? null : parseSent(result);
  if (sent === null) return "unknown";
  if ("dropped" in sent || sent.ts === null) return "dropped";
  return { channel: sent.channel, ts: sent.ts };
}

function retryMs(problem: Problem, failures: number): number {
  if (problem.kind === "setup") return limits.outboxBlockedRetryMs;
  return Math.min(limits.outboxRetryMaxMs, limits.outboxRetryMs * 2 ** Math.min(failures, 10));
}

const targetName = (channel: string, ref: MessageRef) =>
  "ts" in ref ? `${channel} ts ${ref.ts}` : `${channel} key ${ref.key}`;
const documentKey = (name: string, id: number) => `${name}#${id}`;
const nameOf = (key: string) => key.slice(0, key.lastIndexOf("#"));
const idOf = (key: string) => Number(key.slice(key.lastIndexOf("#") + 1));

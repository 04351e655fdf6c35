import { limits } from "../core/limits.ts";
import { type Outgoing, parseOutgoing, type Sent } from "../core/outgoing.ts";
import type { Clock, Log, OutboxRow, Store } from "../ports.ts";
import type { SlackApi } from "./clients.ts";
import { createContentSender } from "./content.ts";
import { createEdits } from "./edits.ts";
import { type EdgeMetrics, endsWithin, type Timers } from "./ports.ts";
import type { Problem } from "./problems.ts";
import { createSend, type Outcome } from "./send.ts";

export type ClaimedRow = OutboxRow & { id: number; attempts: number };

export interface Outbox {
  /** Starts sending, what a crash left unsent first. */
  start(): Promise<void>;
  /** Something was queued: do not wait for the next look. */
  wake(): void;
  /** Sends what is queued until nothing is due or the deadline has passed, then stops; the store is free afterwards. */
  stop(deadlineMs: number): Promise<void>;
}

export interface OutboxDeps {
  store: Store;
  api: SlackApi;
  clock: Clock;
  timers: Timers;
  owner: string;
  log: Log;
  metrics: EdgeMetrics;
  random: () => number;
  /** User id of the bot, once it is known: only its own messages count when one is looked for. */
  botUserId: () => string | null;
  /** A row is out, and not yet noted as such. Called again when the note fails, so it must not mind. */
  onSent(row: OutboxRow, sent: Sent): Promise<void>;
  /** A row cannot be sent until somebody mends something, or was given up. */
  onProblem(row: OutboxRow, problem: Problem, givenUp: boolean): void;
}

/**
 * Sends the outbox: lanes side by side, the rows of one lane strictly one after another. What fails for a while stays
 * first in its lane and is tried again; a post whose answer was lost is looked up before it is repeated.
 */
export function createOutbox(given: OutboxDeps): Outbox {
  const gate = createGate(given.store);
  const onSent: OutboxDeps["onSent"] = (row, sent) => gate.pass(() => given.onSent(row, sent));
  const deps = { ...given, store: gate.store, onSent };
  const content = createContentSender(deps);
  const edits = createEdits({ ...deps, content });
  const hand = createHand(deps.clock);
  const send = createSend({ ...deps, content, stillClaimed: (row) => phase !== "stopped" && hand.isFresh(row) }, edits);
  const pump = createPump(deps, hand, async (row) => {
    try {
      await settle(deps, row, await sendRow(deps, send, row));
    } catch (error) {
      // The store failed in between: the claim runs out and the row is looked up before it is sent again.
      deps.log.error({ err: error, key: row.key }, "a message could not be sent or noted as sent");
    }
  });
  let phase: "new" | "running" | "stopped" = "new";
  let cancelPoll = () => {};
  const wake = () => {
    if (phase === "running") pump.wake();
  };
  const poll = () => {
    wake();
    cancelPoll = deps.timers.after(limits.outboxPollMs, poll);
  };
  const drained = async () => {
    await pump.drained();
    await edits.flush();
  };
  return {
    async start() {
      phase = "running";
      await edits.load();
      poll();
    },
    wake,
    async stop(deadlineMs) {
      cancelPoll();
      if (phase === "running" && !(await endsWithin(deps.timers, drained(), deadlineMs))) {
        deps.log.warn({ inHand: hand.size() }, "stopped with messages unsent; they go out after the next start");
      }
      phase = "stopped";
      pump.stop();
      edits.stop();
      await endsWithin(deps.timers, gate.close(), limits.outboxLastWriteMs);
    },
  };
}

/**
 * The way to the store until the outbox has stopped. Whoever closes the store next must find nobody at it: what is under
 * way is waited for, and a message that is still in the air then ends there. Its claim runs out, and the next start looks
 * it up before it sends it again.
 */
function createGate(store: Store) {
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  const pass = <T>(run: () => Promise<T>): Promise<T> => {
    if (closed) return new Promise(() => {});
    const running = run().finally(() => underWay.delete(running));
    underWay.add(running);
    return running;
  };
  return {
    pass,
    store: new Proxy(store, {
      get: (target, name: keyof Store) => {
        const method = target[name] as (...args: never[]) => Promise<unknown>;
        return (...args: never[]) => pass(() => method(...args));
      },
    }),
    async close(): Promise<void> {
      closed = true;
      await Promise.allSettled(underWay);
    },
  };
}

/** The rows this process is busy with. One that waits long is claimed again, by us or by another. */
interface Hand {
  /** False for a row that is in hand already: then only its claim is new. */
  take(row: ClaimedRow): boolean;
  letGo(row: ClaimedRow): void;
  /** False once another process may have taken the row over. */
  isFresh(row: ClaimedRow): boolean;
  size(): number;
}

function createHand(clock: Clock): Hand {
  const claimedAtMs = new Map<number, number>();
  return {
    take(row) {
      const isNew = !claimedAtMs.has(row.id);
      claimedAtMs.set(row.id, clock.nowMs());
      return isNew;
    },
    letGo: (row) => void claimedAtMs.delete(row.id),
    isFresh: (row) => clock.nowMs() - (claimedAtMs.get(row.id) ?? 0) < limits.outboxClaimUsableMs,
    size: () => claimedAtMs.size,
  };
}

/** Claims what is due and works on it, again whenever it is woken or something has ended. */
function createPump(deps: OutboxDeps, hand: Hand, work: (row: ClaimedRow) => Promise<void>) {
  const inFlight = new Set<Promise<void>>();
  let pumping: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  const claimAll = async () => {
    do {
      again = false;
      const free = limits.outboxAtOnce - inFlight.size;
      const rows = free > 0 ? await claim(deps, free) : [];
      for (const row of rows.filter((one) => hand.take(one))) {
        const sending: Promise<void> = work(row).finally(() => {
          hand.letGo(row);
          inFlight.delete(sending);
          wake();
        });
        inFlight.add(sending);
      }
    } while (again && !stopped);
  };
  const wake = () => {
    if (stopped) return;
    again = true;
    pumping ??= claimAll().finally(() => {
      pumping = null;
      // Woken after the last look, before this line.
      if (again) wake();
    });
  };
  return {
    wake,
    /** Resolves when nothing is due any more. */
    async drained() {
      wake();
      while (pumping !== null || inFlight.size > 0) await Promise.allSettled([pumping, ...inFlight]);
    },
    stop() {
      stopped = true;
    },
  };
}

async function claim(deps: OutboxDeps, atMost: number): Promise<ClaimedRow[]> {
  try {
    return await deps.store.claimOutbox(deps.owner, atMost, limits.outboxClaimMs);
  } catch (error) {
    deps.log.error({ err: error }, "the outbox could not be read");
    return [];
  }
}

async function sendRow(deps: OutboxDeps, send: ReturnType<typeof createSend>, row: ClaimedRow): Promise<Outcome> {
  const outgoing: Outgoing | null = parseOutgoing(row.payload);
  if (outgoing === null) {
    deps.log.error({ key: row.key }, "an outbox row has a payload of no known kind");
    return { sent: { dropped: "malformed payload" } };
  }
  return await send(row, outgoing);
}

async function settle(deps: OutboxDeps, row: ClaimedRow, outcome: Outcome): Promise<void> {
  const nowMs = deps.clock.nowMs();
  if ("sent" in outcome) {
    await deps.onSent(row, outcome.sent);
    await deps.store.markSent(row.id, JSON.stringify(outcome.sent), nowMs);
    deps.metrics.count("slack_posts", { outcome: "dropped" in outcome.sent ? "dropped" : "sent" });
    deps.metrics.observe("slack_outbox_ms", nowMs - row.queuedAtMs, {});
    return;
  }
  const { problem } = outcome;
  if (problem === null) {
    // Not its turn yet: what it answers to is still on its way, or the claim grew old while it waited.
    await deps.store.markAttempt(row.id, "waiting", nowMs + outcome.afterMs);
    return;
  }
  const waits = problem.kind !== "retry";
  if (waits && nowMs - row.queuedAtMs > limits.outboxGiveUpMs) {
    deps.onProblem(row, problem, true);
    await deps.store.markSent(row.id, JSON.stringify({ dropped: problem.code } satisfies Sent), nowMs);
    return;
  }
  if (waits) deps.onProblem(row, problem, false);
  deps.log.warn({ key: row.key, code: problem.code, attempts: row.attempts + 1 }, "a message is sent later");
  await deps.store.markAttempt(row.id, problem.code, nowMs + retryMs(problem, row.attempts, deps.random()));
}

/** Doubling with jitter and a low ceiling, so that a thread goes on soon after Slack is back. */
function retryMs(problem: Problem, attempts: number, random: number): number {
  if (problem.retryAfterMs !== null) return problem.retryAfterMs;
  if (problem.kind !== "retry") return limits.outboxBlockedRetryMs;
  return Math.min(limits.outboxRetryMaxMs, limits.outboxRetryMs * 2 ** Math.min(attempts, 10)) * (0.5 + random / 2);
}

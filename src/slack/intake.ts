import { createHash } from "node:crypto";
import { limits } from "../core/limits.ts";
import type { Clock, Log, Store } from "../ports.ts";
import { type EdgeMetrics, endsWithin, type Timers } from "./ports.ts";

/** Something Slack delivered, by either transport. */
export interface Arrival {
  body: Record<string, unknown>;
  /** Null over HTTP, which has none. */
  envelopeId: string | null;
  retryNum: number | null;
  /** Answers Slack; throws when the answer cannot be sent. Called at most once. */
  ack(payload?: Record<string, unknown>): Promise<void>;
}

/** A delivery on its way to the listeners. */
export interface Work {
  key: string;
  body: Record<string, unknown>;
  receivedAtMs: number;
  /** Taken up after a crash: it may have been done in part, its trigger is long dead. */
  resumed: boolean;
  /** Only a submitted form has something to say; all else was acked before. */
  ack(payload?: Record<string, unknown>): Promise<void>;
}

export interface Intake {
  /** Records, acks, and only then works. Resolves when Slack was answered; never throws. */
  accept(arrival: Arrival): Promise<"accepted" | "duplicate" | "refused">;
  /** Works on what a crash left behind. Again every now and then, for what another process left. */
  resume(): Promise<void>;
  /** Takes nothing more, and waits for what is being worked on. */
  stop(deadlineMs: number): Promise<void>;
}

export interface IntakeDeps {
  store: Store;
  clock: Clock;
  timers: Timers;
  /** Names this process. One that is alone keeps its name over a restart, and then finds its own requests again. */
  owner: string;
  log: Log;
  metrics: EdgeMetrics;
  work(work: Work): Promise<void>;
}

/**
 * Everything is worked on once, whatever happens: recorded durably before it is acked, and the record goes only when the
 * work has ended. The ack never waits for the work.
 */
export function createIntake(deps: IntakeDeps): Intake {
  const state: State = {
    deps,
    running: new Set(),
    inHand: new Set(),
    waiting: { byPeople: [], events: [] },
    hands: limits.inboxHands,
    closed: false,
  };
  return {
    async accept(arrival) {
      if (state.closed) return "refused";
      const startMs = deps.clock.nowMs();
      const kind = kindOf(arrival.body);
      const key = inboxKey(arrival, startMs);
      deps.metrics.count("slack_received", { kind });
      // Without any id there is nothing to dedupe by and nothing we listen to: `app_rate_limited` and the like.
      if (key === null) return (await acked(state, arrival)) ? "accepted" : "refused";
      const recorded = await record(state, key, arrival.body).catch((error: unknown) => {
        deps.log.error({ err: error, key }, "an incoming request could not be recorded");
        return null;
      });
      if (recorded === null) return await refuse(state, arrival);
      if (!recorded) {
        deps.metrics.count("slack_duplicates", { kind });
        await acked(state, arrival);
        return "duplicate";
      }
      const form = kind === "view_submission";
      const answered = form || (await acked(state, arrival));
      deps.metrics.observe("slack_ack_ms", deps.clock.nowMs() - startMs, { kind });
      // A command whose ack got lost was shown to the person as failed; they will type it again.
      if (!answered && kind === "command") void forget(state, key);
      else
        begin(state, {
          key,
          body: arrival.body,
          receivedAtMs: startMs,
          resumed: false,
          ack: formAck(state, arrival, form),
        });
      return "accepted";
    },
    resume: () => resume(state),
    async stop(deadlineMs) {
      state.closed = true;
      const ended = await endsWithin(deps.timers, Promise.allSettled([...state.running]), deadlineMs);
      if (!ended) deps.log.warn({ left: state.running.size }, "stopped with requests still in work; they are kept");
    },
  };
}

interface State {
  deps: IntakeDeps;
  running: Set<Promise<void>>;
  inHand: Set<string>;
  /** Recorded and not begun yet. What a person typed or clicked goes first: an event has nobody looking at it. */
  waiting: { byPeople: Work[]; events: Work[] };
  /** How many more may be worked on at once. */
  hands: number;
  closed: boolean;
}

const documentKind = "inbox";

interface Kept {
  body: Record<string, unknown>;
  receivedAtMs: number;
  /** The process that took it in. */
  owner: string;
}

/**
 * True for the one delivery that is to be worked on. Two marks, because a process may die between them: a redelivery
 * that finds the first without the second takes the work over, and of two that try exactly one gets the second.
 */
async function record(state: State, key: string, body: Record<string, unknown>): Promise<boolean> {
  const { store, clock, owner } = state.deps;
  const json = () => JSON.stringify({ body, receivedAtMs: clock.nowMs(), owner } satisfies Kept);
  if (await store.firstSeen(`in:${key}`, clock.nowMs())) {
    state.inHand.add(key);
    await store.putDocument(documentKind, key, json(), clock.nowMs());
    return await store.firstSeen(`in:${key}:recorded`, clock.nowMs());
  }
  if (state.inHand.has(key) || !(await store.firstSeen(`in:${key}:recorded`, clock.nowMs()))) return false;
  state.inHand.add(key);
  await store.putDocument(documentKind, key, json(), clock.nowMs());
  return true;
}

/**
 * A flood waits in line as records, not as half-done work: ten thousand of those took half a gigabyte. A submitted form
 * waits for nobody: Slack gives its answer three seconds.
 */
function begin(state: State, work: Work): void {
  const { byPeople, events } = state.waiting;
  if (kindOf(work.body) === "view_submission") {
    keep(state, workOn(state, work, false));
    return;
  }
  (peoplesKinds.has(kindOf(work.body)) ? byPeople : events).push(work);
  takeUp(state);
}

function takeUp(state: State): void {
  while (state.hands > 0 && !state.closed) {
    const work = state.waiting.byPeople.shift() ?? state.waiting.events.shift();
    if (work === undefined) return;
    state.hands -= 1;
    keep(state, workOn(state, work, true));
  }
}

function keep(state: State, work: Promise<void>): void {
  const running = work.finally(() => state.running.delete(running));
  state.running.add(running);
}

/** `takesHand`: it is one of those that others wait behind. */
async function workOn(state: State, work: Work, takesHand: boolean): Promise<void> {
  const { deps } = state;
  let holds = takesHand;
  const release = () => {
    if (holds) state.hands += 1;
    holds = false;
    takeUp(state);
  };
  // What hangs must not stand in the way of what comes after it.
  const cancel = deps.timers.after(limits.inboxHandMs, release);
  try {
    await deps.work(work);
  } catch (error) {
    deps.log.error({ err: error, key: work.key }, "a request from slack failed");
  }
  await forget(state, work.key);
  cancel();
  release();
}

async function forget(state: State, key: string): Promise<void> {
  await state.deps.store.deleteDocument(documentKind, key).catch((error: unknown) => {
    state.deps.log.warn({ err: error, key }, "a finished request stays in the inbox");
  });
  state.inHand.delete(key);
}

async function resume(state: State): Promise<void> {
  const { deps } = state;
  for (const { key, json } of await deps.store.documents(documentKind)) {
    if (state.closed || state.inHand.has(key)) continue;
    const kept = JSON.parse(json) as Kept;
    const nowMs = deps.clock.nowMs();
    if (!(await isOrphan(deps, key, kept))) continue;
    state.inHand.add(key);
    await deps.store.firstSeen(`in:${key}:recorded`, nowMs);
    if (nowMs - kept.receivedAtMs > limits.inboxMaxAgeMs) {
      deps.log.warn({ key, kind: kindOf(kept.body) }, "a request from before the restart is too old to be worked on");
      await forget(state, key);
      continue;
    }
    deps.log.info({ key, kind: kindOf(kept.body) }, "taking up a request from before the restart");
    const { body, receivedAtMs } = kept;
    begin(state, { key, body, receivedAtMs, resumed: true, ack: async () => {} });
  }
}

/** Ours from before a restart; or another process's, once that one has had its time, for one of those who ask. */
async function isOrphan({ store, clock, owner }: IntakeDeps, key: string, kept: Kept): Promise<boolean> {
  if (kept.owner === owner) return true;
  if (clock.nowMs() - kept.receivedAtMs < limits.inboxLeaseMs) return false;
  return await store.acquireLease(`inbox:${key}`, owner, limits.inboxLeaseMs, clock.nowMs());
}

async function acked({ deps }: State, arrival: Arrival, payload?: Record<string, unknown>): Promise<boolean> {
  try {
    await arrival.ack(payload);
    return true;
  } catch (error) {
    deps.log.warn({ err: error, kind: kindOf(arrival.body) }, "an ack could not be sent");
    return false;
  }
}

/** The store cannot be written: events come again by themselves, people are told that nothing was done. */
async function refuse(state: State, arrival: Arrival): Promise<"refused"> {
  const kind = kindOf(arrival.body);
  if (kind === "command") await acked(state, arrival, { response_type: "ephemeral", text: storeDown });
  return "refused";
}

const storeDown =
  "room137 cannot write to its store. Nothing was done. Ask whoever runs it to look at its log, then try again.";

function formAck(state: State, arrival: Arrival, form: boolean): Work["ack"] {
  let done = !form;
  return async (payload) => {
    if (done) return;
    done = true;
    await acked(state, arrival, payload);
  };
}

/**
 * The most lasting id a delivery has: an event keeps its id when it is delivered again in another envelope. What a person
 * did is named by its trigger and by what was done, so that no second thing is taken for the first. Slack's own sample of
 * a submitted form has no trigger (docs reference/interaction-payloads/view_submission): the envelope names it then, and
 * over HTTP, where what people do never comes twice, the moment it came.
 */
function inboxKey({ body, envelopeId }: Arrival, nowMs: number): string | null {
  if (typeof body["event_id"] === "string") return body["event_id"];
  const digest = createHash("sha256").update(JSON.stringify(body)).digest("hex").slice(0, 16);
  if (typeof body["trigger_id"] === "string") return `${body["trigger_id"]}:${digest}`;
  if (body["event"] !== undefined) return envelopeId ?? `event:${digest}`;
  return peoplesKinds.has(kindOf(body)) ? (envelopeId ?? `${nowMs}:${digest}`) : null;
}

/** What Slack never delivers again by itself. */
const peoplesKinds = new Set(["command", "block_actions", "view_submission", "message_action", "shortcut"]);

function kindOf(body: Record<string, unknown>): string {
  if (typeof body["command"] === "string") return "command";
  return typeof body["type"] === "string" ? body["type"] : "unknown";
}

import { App } from "@slack/bolt";
import type { Dispatcher } from "undici";
import type { SlackConfig } from "../config/environment.ts";
import { limits } from "../core/limits.ts";
import { parseOutgoing } from "../core/outgoing.ts";
import { Fault } from "../core/result.ts";
import type { Clock, Log, OutboxRow, Store } from "../ports.ts";
import { clientOptions, createSlackApi, type SlackApi, sdkLogger } from "./clients.ts";
import { createContentSender } from "./content.ts";
import { createIntake, type Intake } from "./intake.ts";
import { createLimiter } from "./limiter.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { createPeople, type PeopleLookup } from "./people.ts";
import { type EdgeMetrics, noMetrics, systemTimers, type Timers, wait } from "./ports.ts";
import { createHttpReceiver, type HttpReceiver } from "./receiver-http.ts";
import { createSocketReceiver, type SocketReceiver } from "./receiver-socket.ts";
import { createWhisper, type Whisper } from "./whisper.ts";

export interface SlackEdge {
  /** Listeners are registered here before `start`. */
  app: App;
  api: SlackApi;
  people: PeopleLookup;
  whisper: Whisper;
  /** The same store; what is queued through it leaves at once. Give this one to the room. */
  store: Store;
  /** For the one server of the process: true when the request was Slack's. In socket mode nothing ever is. */
  handle: HttpReceiver;
  /** Runs every few seconds from start to stop, one run at a time: what people look at is drawn anew. */
  onBeat(run: () => Promise<void>): void;
  /** Throws `Fault` slack-unavailable when Slack cannot be reached in time or refuses our tokens. */
  start(): Promise<void>;
  /** Whether people can reach us now. */
  ready(): boolean;
  /** Our installation is gone: not ready until the next start. */
  lost(reason: string): void;
  /**
   * Takes nothing more, finishes what is in hand, lets the room `finish`, sends what is queued, closes the connections;
   * each of them within what is left of the deadline.
   */
  stop(deadlineMs: number, finish?: (leftMs: number) => Promise<void>): Promise<void>;
}

export interface EdgeDeps {
  config: Exclude<SlackConfig, { mode: "local-room" }>;
  /** User group ids that the config names. */
  groups: string[];
  store: Store;
  clock: Clock;
  log: Log;
  /** Names this process: unique among replicas, and the same after a restart where it is the only one. */
  owner: string;
  /** An incident's first message stands in the channel. Twice is once. */
  onPosted(incidentId: string, place: { channel: string; threadTs: string }): Promise<void>;
  timers?: Timers;
  metrics?: EdgeMetrics;
  random?: () => number;
  dispatcher?: Dispatcher | null;
}

/** What Bolt passes on to the listeners with every request, in `context`. */
export interface RequestContext {
  /** The correlation id of the request. */
  requestKey: string;
  receivedAtMs: number;
  resumed: boolean;
}

interface Identity {
  userId: string;
  botId: string;
  teamId: string;
}

/** Slack, from both sides: what people do comes in recorded and once, what the room says goes out in order and once. */
export function createSlackEdge(deps: EdgeDeps): SlackEdge {
  const parts = assemble(deps);
  const { app, outbox, intake, socket } = parts;
  let phase: "new" | "started" | "stopped" = "new";
  let lostBecause: string | null = null;
  let cancelResume = () => {};
  const beat = createBeat(parts.timers);
  const takeUp = async () => {
    await intake.resume().catch((error: unknown) => deps.log.error({ err: error }, "the inbox could not be read"));
    if (phase !== "stopped") cancelResume = parts.timers.after(limits.inboxLeaseMs, () => void takeUp());
  };
  return {
    app,
    api: parts.api,
    people: parts.people,
    whisper: parts.whisper,
    store: waking(deps.store, outbox.wake),
    handle: (request, response) => {
      if (parts.http === null) return false;
      if (phase === "started" || !isSlackPath(request.url)) return parts.http(request, response);
      response.writeHead(503).end();
      return true;
    },
    onBeat: beat.set,
    async start() {
      const untilMs = deps.clock.nowMs() + limits.slackStartMs;
      parts.identity.known = await identify(deps, parts, untilMs);
      await app.init();
      await outbox.start();
      await takeUp();
      await socket?.start(Math.max(1, untilMs - deps.clock.nowMs()));
      phase = "started";
      beat.start();
    },
    ready: () =>
      phase === "started" &&
      lostBecause === null &&
      parts.trouble.setup === null &&
      (socket === null || socket.connected() > 0),
    lost: (reason) => {
      lostBecause = reason;
      deps.log.error({ reason }, "slack has taken the installation away");
    },
    async stop(deadlineMs, finish) {
      phase = "stopped";
      cancelResume();
      beat.stop();
      const untilMs = deps.clock.nowMs() + deadlineMs;
      const leftMs = () => Math.max(1, untilMs - deps.clock.nowMs());
      await intake.stop(leftMs());
      await finish?.(leftMs());
      await outbox.stop(leftMs());
      await socket?.stop();
    },
  };
}

function createBeat(timers: Timers): { set(run: () => Promise<void>): void; start(): void; stop(): void } {
  let run = async () => {};
  let stopped = false;
  let cancel = () => {};
  const start = () => {
    if (!stopped) cancel = timers.after(limits.slackBeatMs, () => void run().finally(start));
  };
  return {
    set: (given) => {
      run = given;
    },
    start,
    stop() {
      stopped = true;
      cancel();
    },
  };
}

interface Parts {
  app: App;
  api: SlackApi;
  people: PeopleLookup;
  whisper: Whisper;
  intake: Intake;
  outbox: Outbox;
  socket: SocketReceiver | null;
  http: HttpReceiver | null;
  timers: Timers;
  identity: { known: Identity | null };
  /** Slack refuses our token for what we send, by its code; null while it does not. */
  trouble: { setup: string | null };
}

function assemble(given: EdgeDeps): Parts {
  const { config, clock, log } = given;
  const timers = given.timers ?? systemTimers;
  const metrics = given.metrics ?? noMetrics;
  const random = given.random ?? Math.random;
  const dispatcher = given.dispatcher ?? null;
  const identity: Parts["identity"] = { known: null };
  const trouble: Parts["trouble"] = { setup: null };
  const deps = { ...given, timers, metrics, random, dispatcher, apiUrl: config.apiUrl };
  const limiter = createLimiter({ clock, timers });
  const api = createSlackApi({ ...deps, botToken: config.botToken, limiter });
  const content = createContentSender({ log, metrics });
  const app = createApp(deps, identity);
  const intake = createIntake({
    ...deps,
    work: ({ key, body, receivedAtMs, resumed, ack }) => {
      const context: RequestContext = { requestKey: key, receivedAtMs, resumed };
      return app.processEvent({ body, ack, customProperties: { ...context } });
    },
  });
  const outbox = createOutbox({
    ...deps,
    api,
    botUserId: () => identity.known?.userId ?? null,
    onSent: async (row, sent) => {
      if ("ts" in sent && sent.ts !== null) trouble.setup = null;
      await notePosted(given, row, sent);
    },
    onProblem: (row, problem, givenUp) => {
      if (problem.kind === "setup") trouble.setup = problem.code;
      log.error({ key: row.key, channel: row.channel, code: problem.code, givenUp }, "a message waits or was given up");
    },
  });
  return {
    app,
    api,
    intake,
    outbox,
    timers,
    identity,
    trouble,
    whisper: createWhisper({ api, content, log }),
    people: createPeople({ api, clock, log, groups: given.groups, teamId: () => identity.known?.teamId ?? null }),
    socket: config.mode === "socket" ? createSocketReceiver({ ...deps, intake, appToken: config.appToken }) : null,
    http: config.mode === "http" ? createHttpReceiver({ ...deps, intake, signingSecret: config.signingSecret }) : null,
  };
}

/**
 * The Bolt app dispatches and no more: receiving, acking, deduping and calling Slack are ours. Authorization answers from
 * what `auth.test` said at start, so that a wrong token is one clear error there and not one for each request.
 */
function createApp(
  deps: {
    log: Log;
    config: EdgeDeps["config"];
    apiUrl: string | null;
    dispatcher: Dispatcher | null;
    metrics: EdgeMetrics;
  },
  identity: Parts["identity"],
): App {
  const app = new App({
    receiver: { init() {}, start: async () => {}, stop: async () => {} },
    authorize: async () => ({
      botToken: deps.config.botToken,
      ...(identity.known === null
        ? {}
        : { botId: identity.known.botId, botUserId: identity.known.userId, teamId: identity.known.teamId }),
    }),
    deferInitialization: true,
    convoStore: false,
    extendedErrorHandler: true,
    logger: sdkLogger(deps.log),
    clientOptions: clientOptions({ ...deps, timeoutMs: limits.slackCallTimeoutMs }),
  });
  app.error(async ({ error, context }: { error: Error; context: Record<string, unknown> }) => {
    deps.log.error({ err: error, key: context["requestKey"] }, "a listener failed");
  });
  return app;
}

/** Waits for Slack as long as it is only not there; a refused token is told at once. */
async function identify(deps: EdgeDeps, parts: Parts, untilMs: number): Promise<Identity> {
  for (let failures = 0; ; failures++) {
    const answer = await parts.api.call("auth.test", {}, "bulk");
    if (answer.ok) {
      const of = (name: string) => String(answer.data[name] ?? "");
      return { userId: of("user_id"), botId: of("bot_id"), teamId: of("team_id") };
    }
    const { kind, code, retryAfterMs } = answer.problem;
    const delayMs =
      retryAfterMs ?? Math.min(limits.slackReconnectDelayMaxMs, limits.slackReconnectDelayMs * 2 ** failures);
    if (kind !== "retry" || deps.clock.nowMs() + delayMs > untilMs) {
      const next = kind === "retry" ? "check the way to Slack (proxy, DNS, firewall)" : "check SLACK_BOT_TOKEN";
      throw new Fault("slack-unavailable", `asking Slack who we are: ${code}`, next);
    }
    deps.log.warn({ code, failures }, "slack does not answer yet");
    await wait(parts.timers, delayMs);
  }
}

/** The root message of an incident is a post of its own; everything else answers to it. */
async function notePosted(deps: EdgeDeps, row: OutboxRow, sent: object): Promise<void> {
  if (row.incidentId === null || !("ts" in sent) || typeof sent.ts !== "string") return;
  const outgoing = parseOutgoing(row.payload);
  if (outgoing?.kind !== "post" || outgoing.thread !== null) return;
  const channel = "channel" in sent ? String(sent.channel) : row.channel;
  await deps.onPosted(row.incidentId, { channel, threadTs: sent.ts });
}

function waking(store: Store, wake: () => void): Store {
  return {
    ...store,
    async append(requests, outbox) {
      const result = await store.append(requests, outbox);
      if (outbox !== undefined && outbox.length > 0) wake();
      return result;
    },
    async enqueue(rows) {
      await store.enqueue(rows);
      wake();
    },
  };
}

const isSlackPath = (url: string | undefined) => (url ?? "").startsWith("/slack/");

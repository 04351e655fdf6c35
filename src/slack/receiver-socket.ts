import { SocketModeClient } from "@slack/socket-mode";
import type { Dispatcher } from "undici";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Log } from "../ports.ts";
import { clientOptions, sdkLogger } from "./clients.ts";
import type { Intake } from "./intake.ts";
import { type EdgeMetrics, endsWithin, type Timers, wait } from "./ports.ts";
import { type Problem, problemOf } from "./problems.ts";

export interface SocketReceiver {
  /** Resolves with the first connection. Throws `Fault` slack-unavailable when none comes within the deadline. */
  start(deadlineMs: number): Promise<void>;
  /** How many connections are open now. */
  connected(): number;
  /** Closes them; a peer that does not answer the close is cut off. */
  stop(): Promise<void>;
}

export interface SocketDeps {
  appToken: string;
  apiUrl: string | null;
  intake: Intake;
  timers: Timers;
  log: Log;
  metrics: EdgeMetrics;
  /** 0 to 1, for the jitter of delays. */
  random: () => number;
  dispatcher: Dispatcher | null;
}

/**
 * Keeps two socket connections, each renewed before the old one goes. The SDK's client makes one connection each and is
 * thrown away with it: its own reconnecting (3.1.0) leaves gaps of 5 s and lets failures end the process, and its own
 * frame handling does not survive frames without an inner event. It is only listened to through its events.
 */
export function createSocketReceiver(deps: SocketDeps): SocketReceiver {
  const slots = Array.from({ length: limits.slackConnections }, () => newSlot());
  let stopped = false;
  const isStopped = () => stopped;
  return {
    async start(deadlineMs) {
      let giveUp: (problem: Problem) => void = () => {};
      const hopeless = new Promise<never>((_, reject) => {
        giveUp = (problem) => reject(notConnected(problem.code));
      });
      const first = Promise.any(slots.map((slot) => renew(deps, slot, isStopped, giveUp)));
      const inTime = await endsWithin(deps.timers, Promise.race([first, hopeless]), deadlineMs);
      if (!inTime) throw notConnected("no answer");
    },
    connected: () => slots.filter((slot) => slot.client !== null).length,
    async stop() {
      stopped = true;
      const open = slots.flatMap((slot) => (slot.client === null ? [] : [slot.client]));
      for (const slot of slots) slot.client = null;
      await Promise.all(open.map((client) => close(deps, client)));
    },
  };
}

interface Slot {
  client: SocketModeClient | null;
  /** Set while a successor is being connected, so that two reasons to renew make one new connection. */
  renewing: Promise<void> | null;
}

const newSlot = (): Slot => ({ client: null, renewing: null });

type IsStopped = () => boolean;

/** Connects a successor, trying for as long as it takes, then lets the predecessor go. Never rejects. */
function renew(
  deps: SocketDeps,
  slot: Slot,
  isStopped: IsStopped,
  onSetup?: (problem: Problem) => void,
): Promise<void> {
  slot.renewing ??= connectAnew(deps, slot, isStopped, onSetup).finally(() => {
    slot.renewing = null;
  });
  return slot.renewing;
}

async function connectAnew(deps: SocketDeps, slot: Slot, isStopped: IsStopped, onSetup?: (problem: Problem) => void) {
  for (let failures = 0; !isStopped(); failures++) {
    if (failures > 0) await wait(deps.timers, delayMs(failures, deps.random()));
    if (isStopped()) return;
    const client = newClient(deps, slot, isStopped);
    const problem = await connect(deps, client);
    if (problem === null && !isStopped()) {
      const old = slot.client;
      slot.client = client;
      deps.metrics.count("slack_connections", { outcome: "open" });
      if (old !== null) deps.timers.after(limits.slackOverlapMs, () => void close(deps, old));
      return;
    }
    void close(deps, client);
    if (problem === null) return;
    deps.metrics.count("slack_connections", { outcome: problem.code });
    deps.log.warn({ code: problem.code, said: problem.messages, failures }, "no socket connection to slack");
    if (problem.kind === "setup" || problem.code === "missing_scope") onSetup?.(problem);
    if (problem.retryAfterMs !== null) await wait(deps.timers, problem.retryAfterMs);
  }
}

async function connect(deps: SocketDeps, client: SocketModeClient): Promise<Problem | null> {
  let problem: Problem | null = null;
  const started = client.start().then(
    () => {},
    (error: unknown) => {
      problem = problemOf(error ?? "closed before it was open");
    },
  );
  if (await endsWithin(deps.timers, started, limits.slackHelloTimeoutMs)) return problem;
  return problemOf("no hello in time");
}

function newClient(deps: SocketDeps, slot: Slot, isStopped: IsStopped): SocketModeClient {
  const client = new SocketModeClient({
    appToken: deps.appToken,
    autoReconnectEnabled: false,
    clientPingTimeout: limits.slackPongTimeoutMs,
    serverPingTimeout: limits.slackPingTimeoutMs,
    logger: sdkLogger(deps.log),
    clientOptions: {
      ...clientOptions({ ...deps, timeoutMs: limits.slackCallTimeoutMs }),
      retryConfig: { retries: 0 },
    },
    ...(deps.dispatcher === null ? {} : { dispatcher: deps.dispatcher }),
  });
  client.removeAllListeners("ws_message");
  client.on("ws_message", (data: string | ArrayBuffer, isBinary: boolean) => {
    if (!isBinary) void onFrame(deps, client, String(data), () => renew(deps, slot, isStopped));
  });
  client.on("disconnected", () => {
    if (slot.client !== client) return;
    slot.client = null;
    if (!isStopped()) void renew(deps, slot, isStopped);
  });
  return client;
}

/** Whatever comes in, nothing is thrown: a frame we cannot read is not worth a connection. */
async function onFrame(deps: SocketDeps, client: SocketModeClient, text: string, onLeave: () => Promise<void>) {
  const frame = parseFrame(text);
  if (frame === null) {
    deps.log.warn({ length: text.length }, "slack sent a frame that is no object");
    return;
  }
  if (frame["type"] === "hello") {
    client.emit("connected", {});
    return;
  }
  if (frame["type"] === "disconnect") {
    deps.log.info({ reason: frame["reason"] }, "slack wants the socket connection renewed");
    await onLeave();
    return;
  }
  if (typeof frame["envelope_id"] !== "string") return;
  const body = frame["payload"];
  await deps.intake.accept({
    body: isObject(body) ? body : {},
    envelopeId: frame["envelope_id"],
    retryNum: typeof frame["retry_attempt"] === "number" ? frame["retry_attempt"] : null,
    ack: (payload) => sendAck(client, String(frame["envelope_id"]), payload),
  });
}

function sendAck(client: SocketModeClient, envelopeId: string, payload?: Record<string, unknown>): Promise<void> {
  const frame = { envelope_id: envelopeId, ...(payload === undefined ? {} : { payload }) };
  return new Promise((resolve, reject) => {
    if (!client.websocket?.isActive()) return reject(new Error("the connection it came by is closed"));
    client.websocket.send(JSON.stringify(frame), (error) => (error ? reject(error) : resolve()));
  });
}

/** A second call cuts off a peer that does not answer the close: Slack is one. */
async function close(deps: SocketDeps, client: SocketModeClient): Promise<void> {
  const closed = client.disconnect().catch(() => {});
  if (!(await endsWithin(deps.timers, closed, limits.slackDisconnectMs))) await client.disconnect().catch(() => {});
}

/** At once the first time, then doubling with jitter. `failures` counts from 1. */
function delayMs(failures: number, random: number): number {
  const ceiling = Math.min(limits.slackReconnectDelayMaxMs, limits.slackReconnectDelayMs * 2 ** (failures - 1));
  return ceiling * (0.5 + random / 2);
}

function parseFrame(text: string): Record<string, unknown> | null {
  try {
    const frame: unknown = JSON.parse(text);
    return isObject(frame) ? frame : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function notConnected(code: string): Fault {
  return new Fault(
    "slack-unavailable",
    `connecting to Slack in socket mode: ${code}`,
    "check SLACK_APP_TOKEN (it needs connections:write), that socket mode is on, and the way to Slack",
  );
}

import { type Logger, LogLevel, WebClient, type WebClientOptions } from "@slack/web-api";
import { type Dispatcher, EnvHttpProxyAgent, fetch as proxiedFetch } from "undici";
import { limits } from "../core/limits.ts";
import type { Clock, Log } from "../ports.ts";
import type { Limiter, Urgency } from "./limiter.ts";
import type { EdgeMetrics } from "./ports.ts";
import { type Problem, problemOf } from "./problems.ts";

export type SlackAnswer = Record<string, unknown>;
export type CallResult = { ok: true; data: SlackAnswer } | { ok: false; problem: Problem };

/** The one way out to the Web API. Never throws: what went wrong is in the result. */
export interface SlackApi {
  call(
    method: string,
    args: Record<string, unknown>,
    urgency: Urgency,
    /** Asked when the call's turn has come; false lets it go unsent. */
    stillWanted?: () => boolean,
  ): Promise<CallResult>;
  /** Sends a file's bytes to the address Slack gave. */
  upload(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<CallResult>;
  /** Answers through a command's or click's response_url, which works where the bot is no member. Five times at most. */
  respond(url: string, body: Record<string, unknown>): Promise<CallResult>;
}

export interface ClientDeps {
  botToken: string;
  /** Ends in `/api/`; null for Slack's own. */
  apiUrl: string | null;
  limiter: Limiter;
  clock: Clock;
  log: Log;
  metrics: EdgeMetrics;
  /** For a proxy or a custom CA; null for none. */
  dispatcher: Dispatcher | null;
}

/**
 * Two clients, because the SDK holds every call of a client back when one method is rate limited: posting must never
 * keep a modal from opening. Neither waits by itself; that is the limiter's and the outbox's business.
 */
export function createSlackApi(deps: ClientDeps): SlackApi {
  const options = () => clientOptions({ ...deps, timeoutMs: limits.slackCallTimeoutMs });
  const interactive = new WebClient(deps.botToken, { ...options(), retryConfig: { retries: 1, minTimeout: 100 } });
  const bulk = new WebClient(deps.botToken, { ...options(), retryConfig: { retries: 0 } });
  const fetchAny = fetchThrough(deps.dispatcher) ?? globalThis.fetch;

  const measured = async (method: string, run: () => Promise<SlackAnswer>): Promise<CallResult> => {
    const startMs = deps.clock.nowMs();
    const result = await attempt(run);
    const outcome = result.ok ? "ok" : result.problem.code;
    deps.metrics.count("slack_calls", { method, outcome });
    deps.metrics.observe("slack_call_ms", deps.clock.nowMs() - startMs, { method });
    return result;
  };
  const send = (
    method: string,
    url: string,
    init: { headers?: Record<string, string>; body: string | Uint8Array<ArrayBuffer> },
  ) =>
    measured(method, async () => {
      const signal = AbortSignal.timeout(limits.slackCallTimeoutMs);
      const response = (await fetchAny(url, { method: "POST", signal, ...init } as RequestInit)) as Response;
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} answered HTTP ${response.status}: ${text.slice(0, 200)}`);
      return { text };
    });

  return {
    async call(method, args, urgency, stillWanted) {
      const channel = typeof args["channel"] === "string" ? args["channel"] : null;
      const place = { method, channel };
      if (!(await deps.limiter.acquire(place, urgency))) {
        return { ok: false, problem: heldBack };
      }
      if (stillWanted?.() === false) return { ok: false, problem: { ...heldBack, code: waitedTooLong } };
      const client = urgency === "interactive" ? interactive : bulk;
      const result = await measured(method, async () => ({ ...(await client.apiCall(method, args)) }));
      if (!result.ok && result.problem.retryAfterMs !== null) deps.limiter.pause(place, result.problem.retryAfterMs);
      return result;
    },
    upload: (url, bytes) => send("upload", url, { body: bytes }),
    respond: (url, body) =>
      send("respond", url, { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  };
}

/**
 * A fresh object for every client: the SDK writes into what it gets. `headers` stays unset, because the SDK would put
 * the bot token into it and the socket client would then use that one for `apps.connections.open`.
 */
export function clientOptions(deps: {
  apiUrl: string | null;
  log: Log;
  timeoutMs: number;
  dispatcher: Dispatcher | null;
}): WebClientOptions {
  const throughProxy = fetchThrough(deps.dispatcher);
  return {
    ...(deps.apiUrl === null ? {} : { slackApiUrl: deps.apiUrl }),
    ...(throughProxy === null ? {} : { fetch: throughProxy as NonNullable<WebClientOptions["fetch"]> }),
    timeout: deps.timeoutMs,
    rejectRateLimitedCalls: true,
    logger: sdkLogger(deps.log),
  };
}

/** The proxy that the usual variables name; null when none is set. Node's own fetch does not look at them. */
export function proxyOf(env: Readonly<Record<string, string | undefined>>): Dispatcher | null {
  const of = (name: string) => env[name.toLowerCase()] || env[name.toUpperCase()] || undefined;
  const [httpProxy, httpsProxy, noProxy] = [of("http_proxy"), of("https_proxy"), of("no_proxy")];
  if (!httpProxy && !httpsProxy) return null;
  return new EnvHttpProxyAgent({
    ...(httpProxy ? { httpProxy } : {}),
    ...(httpsProxy ? { httpsProxy } : {}),
    ...(noProxy ? { noProxy } : {}),
  });
}

/** The SDK logs whole frames and bodies at debug, with tokens in them: only warnings and errors are let through. */
export function sdkLogger(log: Log): Logger {
  let name = "slack";
  const write = (level: "warn" | "error", parts: unknown[]) => {
    const error = parts.find((part) => part instanceof Error);
    const said = parts.filter((part) => typeof part === "string").join(" ");
    log[level]({ slackComponent: name, said: said.slice(0, 500), ...(error ? { err: error } : {}) }, "slack sdk");
  };
  return {
    debug() {},
    info() {},
    warn: (...parts) => write("warn", parts),
    error: (...parts) => write("error", parts),
    setLevel() {},
    getLevel: () => LogLevel.WARN,
    setName: (next) => {
      name = next;
    },
  };
}

/** The caller no longer wanted the call when its turn had come. */
export const waitedTooLong = "waited_too_long";

const heldBack: Problem = { kind: "retry", code: "ratelimited", messages: [], retryAfterMs: null, uncertain: false };

async function attempt(run: () => Promise<SlackAnswer>): Promise<CallResult> {
  try {
    return { ok: true, data: await run() };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}

function fetchThrough(dispatcher: Dispatcher | null): typeof globalThis.fetch | null {
  if (dispatcher === null) return null;
  const through = (url: string, init: object) => proxiedFetch(url, { ...init, dispatcher });
  return through as unknown as typeof globalThis.fetch;
}

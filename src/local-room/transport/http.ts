import { createHmac } from "node:crypto";
import {
  ackTimeoutMs,
  autoDisableFailureShare,
  autoDisableMinDeliveries,
  autoDisableWindowMs,
  eventRetryDelaysMs,
  redirectsFollowed,
} from "../limits.ts";
import { isObject } from "../manifest.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { Ack, Delivery, RequestKind } from "./delivery.ts";
import { parseJson } from "./json.ts";

/** Where the app listens. `null` for `origin` keeps the manifest's addresses; a test points them at its own port. */
export interface HttpTarget {
  origin: string | null;
}

export interface HttpTransport extends Delivery {
  kind: "http";
  /** The handshake that Slack does when the address is entered: true when the app echoes the challenge. */
  verifyUrl(): Promise<boolean>;
  /** Slack's certificate check: a form with `ssl_check=1`. The status the app answered. */
  sslCheck(): Promise<number | null>;
  eventsDisabled(): boolean;
  eventsUrl(): string;
}

/** HTTP mode: signed requests, one try for people's actions, Slack's schedule of retries for events. */
export function createHttpTransport(room: Room, target: HttpTarget): HttpTransport {
  const line: Line = { room, target, verified: null, deliveries: [], disabled: false };
  return {
    kind: "http",
    sendEvent: (body) => void sendEvent(line, body),
    request: (kind, payload) => request(line, kind, payload),
    connections: () => null,
    strike(fault) {
      if (fault.kind !== "app-rate-limited") return;
      const body = {
        token: room.access.verificationToken,
        type: "app_rate_limited",
        team_id: room.world.team.id,
        api_app_id: room.world.appId,
      };
      void attempt(line, urlOf(line, "events"), jsonBody(body), {});
    },
    verifyUrl: () => verify(line),
    async sslCheck() {
      const form = {
        type: formType,
        text: new URLSearchParams({ ssl_check: "1", token: room.access.verificationToken }).toString(),
      };
      return (await attempt(line, urlOf(line, "command"), form, {})).status;
    },
    eventsDisabled: () => line.disabled,
    eventsUrl: () => urlOf(line, "events"),
    stop() {},
  };
}

interface Line {
  room: Room;
  target: HttpTarget;
  verified: Promise<boolean> | null;
  deliveries: { atMs: number; failed: boolean }[];
  disabled: boolean;
}

interface Body {
  type: string;
  text: string;
}

/** `reason` is Slack's word for what went wrong, null for a 2xx. */
interface Outcome {
  status: number | null;
  text: string;
  noRetry: boolean;
  reason: "http_timeout" | "http_error" | "connection_failed" | "too_many_redirects" | null;
  tookMs: number;
}

const formType = "application/x-www-form-urlencoded";
const jsonBody = (value: JsonObject): Body => ({ type: "application/json", text: JSON.stringify(value) });

async function sendEvent(line: Line, body: JsonObject): Promise<void> {
  const { room } = line;
  line.verified ??= verify(line);
  if (line.disabled || !(await line.verified)) {
    room.journal.record({
      kind: "http-event",
      name: "not-sent",
      ok: false,
      error: line.disabled ? "disabled" : "not_verified",
      detail: body,
    });
    return;
  }
  let headers: Record<string, string> = {};
  for (let attemptNumber = 0; ; attemptNumber++) {
    const outcome = await attempt(line, urlOf(line, "events"), jsonBody(body), headers);
    countDelivery(line, outcome.reason !== null);
    const delayMs = eventRetryDelaysMs[attemptNumber];
    if (outcome.reason === null || outcome.noRetry || delayMs === undefined) return;
    headers = { "x-slack-retry-num": String(attemptNumber + 1), "x-slack-retry-reason": outcome.reason };
    await new Promise<void>((resolve) => room.clock.after(delayMs, resolve));
  }
}

async function request(line: Line, kind: RequestKind, payload: JsonObject): Promise<Ack> {
  const fields = kind === "command" ? (payload as Record<string, string>) : { payload: JSON.stringify(payload) };
  const outcome = await attempt(
    line,
    urlOf(line, kind, payload),
    { type: formType, text: new URLSearchParams(fields).toString() },
    {},
  );
  if (outcome.reason === "http_timeout") return { kind: "timeout" };
  if (outcome.status === null) return { kind: "unreachable" };
  if (outcome.reason !== null) return { kind: "refused", status: outcome.status };
  const parsed = parseJson(outcome.text);
  // A command may be acked with plain text, which is shown as it is.
  const body = isObject(parsed) ? parsed : outcome.text.trim() === "" ? null : { text: outcome.text };
  return { kind: "acked", body, tookMs: outcome.tookMs };
}

async function verify(line: Line): Promise<boolean> {
  const challenge = line.room.random.hex(40);
  const body = { token: line.room.access.verificationToken, challenge, type: "url_verification" };
  const outcome = await attempt(line, urlOf(line, "events"), jsonBody(body), {});
  const parsed = parseJson(outcome.text);
  const echoed = isObject(parsed) ? parsed["challenge"] : outcome.text.trim();
  const verified = outcome.reason === null && echoed === challenge;
  if (!verified)
    line.room.journal.flag(
      "url-not-verified",
      "the app did not echo the url_verification challenge; it gets no events",
    );
  return verified;
}

function urlOf(line: Line, kind: "events" | RequestKind, payload: JsonObject = {}): string {
  const { manifest } = line.room;
  const urls = {
    events: manifest.urls.events,
    interactive: manifest.urls.interactivity,
    options: manifest.urls.options ?? manifest.urls.interactivity,
    command: manifest.commands.find((command) => command.command === payload["command"])?.url ?? manifest.urls.events,
  };
  const url = urls[kind];
  if (url === null)
    throw new Error(`the manifest has no request URL for ${kind}; the local room cannot reach the app over HTTP`);
  if (line.target.origin === null) return url;
  return new URL(new URL(url).pathname, line.target.origin).href;
}

/** One delivery within three seconds of the room's clock, up to two redirects included. */
async function attempt(line: Line, url: string, body: Body, headers: Record<string, string>): Promise<Outcome> {
  const { room } = line;
  const sentAtMs = room.clock.nowMs();
  const abort = new AbortController();
  const cancel = room.clock.after(ackTimeoutMs, () => abort.abort());
  const signed = {
    ...signedHeaders(room.access.signingSecret, body.text, sentAtMs),
    "content-type": body.type,
    ...headers,
  };
  const outcome = await follow(url, {
    method: "POST",
    headers: signed,
    body: body.text,
    redirect: "manual",
    signal: abort.signal,
  });
  cancel();
  const tookMs = room.clock.nowMs() - sentAtMs;
  room.journal.record({
    kind: "http-event",
    name: new URL(url).pathname,
    ok: outcome.reason === null,
    error: outcome.reason,
    tookMs,
    detail: {
      url,
      headers,
      status: outcome.status,
      body: body.text.slice(0, 20_000),
      answer: outcome.text.slice(0, 20_000),
    },
  });
  return { ...outcome, tookMs };
}

async function follow(url: string, request: RequestInit): Promise<Omit<Outcome, "tookMs">> {
  const failed = (reason: Outcome["reason"]) => ({ status: null, text: "", noRetry: false, reason });
  try {
    for (let redirects = 0, next = url; ; redirects++) {
      if (redirects > redirectsFollowed) return failed("too_many_redirects");
      const response = await fetch(next, request);
      const text = await response.text();
      const location = response.headers.get("location");
      if ((response.status === 301 || response.status === 302) && location) {
        next = new URL(location, next).href;
        continue;
      }
      const noRetry = response.headers.get("x-slack-no-retry") === "1";
      return { status: response.status, text, noRetry, reason: response.ok ? null : "http_error" };
    }
  } catch (error) {
    return failed(error instanceof Error && error.name === "AbortError" ? "http_timeout" : "connection_failed");
  }
}

/** `v0:<seconds>:<raw body>` under HMAC-SHA256. [D authentication/verifying-requests-from-slack] */
export function signedHeaders(secret: string, body: string, nowMs: number): Record<string, string> {
  const seconds = String(Math.floor(nowMs / 1000));
  const signature = createHmac("sha256", secret).update(`v0:${seconds}:${body}`).digest("hex");
  return { "x-slack-request-timestamp": seconds, "x-slack-signature": `v0=${signature}` };
}

function countDelivery(line: Line, failed: boolean): void {
  const nowMs = line.room.clock.nowMs();
  line.deliveries = [
    ...line.deliveries.filter((delivery) => delivery.atMs > nowMs - autoDisableWindowMs),
    { atMs: nowMs, failed },
  ];
  const failures = line.deliveries.filter((delivery) => delivery.failed).length;
  if (line.deliveries.length < autoDisableMinDeliveries || failures / line.deliveries.length <= autoDisableFailureShare)
    return;
  line.disabled = true;
  line.room.journal.flag(
    "events-disabled",
    "more than 95 % of the deliveries of an hour failed: Slack switches the subscription off",
  );
}

import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../core/limits.ts";
import type { Clock, Log } from "../ports.ts";
import type { Intake } from "./intake.ts";

/** Where the manifest sends everything in HTTP mode. */
export const eventsPath = "/slack/events";

/** True when the request is Slack's; it is answered then. For mounting on a server that has other paths too. */
export type HttpReceiver = (request: IncomingMessage, response: ServerResponse) => boolean;

export function createHttpReceiver(deps: {
  signingSecret: string;
  clock: Clock;
  intake: Intake;
  log: Log;
}): HttpReceiver {
  return (request, response) => {
    if ((request.url ?? "").split("?")[0] !== eventsPath) return false;
    receive(deps, request, response).catch((error: unknown) => {
      deps.log.warn({ err: error }, "a request from slack could not be answered");
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
    return true;
  };
}

type Deps = Parameters<typeof createHttpReceiver>[0];

async function receive(deps: Deps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = (status: number, body: object | string = "", headers: Record<string, string> = {}) => {
    const isText = typeof body === "string";
    const type = isText ? "text/plain; charset=utf-8" : "application/json; charset=utf-8";
    response.writeHead(status, { "content-type": type, ...headers }).end(isText ? body : JSON.stringify(body));
  };
  if (request.method !== "POST") return answer(405, "", { allow: "POST" });
  const raw = await readBody(request);
  if (raw === null) return answer(413, "", { connection: "close" });
  const refused = signatureProblem(deps, request, raw);
  if (refused !== null) {
    deps.log.warn({ reason: refused }, "a request with slack's address but not from slack was refused");
    return answer(401);
  }
  const body = parseBody(request.headers["content-type"] ?? "", raw.toString());
  if (body === null) return answer(415);
  if (body["ssl_check"] === "1") return answer(200);
  if (body["type"] === "url_verification") return answer(200, { challenge: body["challenge"] });
  const outcome = await deps.intake.accept({
    body,
    envelopeId: null,
    retryNum: Number(request.headers["x-slack-retry-num"] ?? 0) || null,
    ack: async (payload) => {
      if (response.headersSent || response.destroyed) throw new Error("the request it came by is closed");
      answer(200, payload ?? "");
    },
  });
  // Slack tries events again; a person sees that it failed.
  if (outcome === "refused" && !response.headersSent) answer(503);
}

/** Null when it is larger than anything Slack sends. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length <= limits.slackHttpBodyBytes) chunks.push(chunk);
  }
  return length > limits.slackHttpBodyBytes ? null : Buffer.concat(chunks);
}

/**
 * `v0:<seconds>:<raw body>` under HMAC-SHA256 (docs authentication/verifying-requests-from-slack). Timestamps off by
 * more than five minutes are refused either way: one from the future could be kept and played back later.
 */
function signatureProblem(deps: Deps, request: IncomingMessage, raw: Buffer): string | null {
  const timestamp = request.headers["x-slack-request-timestamp"];
  const signature = request.headers["x-slack-signature"];
  if (typeof timestamp !== "string" || typeof signature !== "string") return "missing headers";
  if (!/^\d{1,12}$/.test(timestamp)) return "malformed timestamp";
  if (Math.abs(deps.clock.nowMs() - Number(timestamp) * 1_000) > limits.slackSignatureAgeMs) return "timestamp off";
  const expected = createHmac("sha256", deps.signingSecret).update(`v0:${timestamp}:`).update(raw).digest("hex");
  const [given, wanted] = [Buffer.from(signature), Buffer.from(`v0=${expected}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? null : "wrong signature";
}

/** JSON for events, a form for commands, a form with `payload` for what people press and fill in. */
function parseBody(contentType: string, text: string): Record<string, unknown> | null {
  if (contentType.startsWith("application/json")) return parseObject(text);
  if (!contentType.startsWith("application/x-www-form-urlencoded")) return null;
  const form = new URLSearchParams(text);
  const payload = form.get("payload");
  return payload === null ? Object.fromEntries(form) : parseObject(payload);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { isObject } from "../manifest.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { parseJson } from "../transport/json.ts";
import { readBody, readForm } from "./body.ts";
import {
  type Answer,
  type Args,
  type Failure,
  fail,
  isFailure,
  type Method,
  missingScope,
  structured,
} from "./method.ts";

/** Serves `/api/<method>` in Slack's order: method, token, scopes, rate limit, arguments, then the method itself. */
export async function serveApi(
  room: Room,
  methods: Readonly<Record<string, Method>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://room");
  const name = url.pathname.slice("/api/".length);
  const startedMs = room.clock.nowMs();
  const body = await readBody(request);
  const broken = room.faults.take("http-error", name);
  const latency = room.faults.take("latency", name);
  if (latency) await new Promise<void>((resolve) => room.clock.after(latency.delayMs, resolve));
  if (room.faults.outage() || broken || body === null) {
    const status = body === null ? 413 : (broken?.status ?? 503);
    room.journal.record({ kind: "call", name, ok: false, error: `http_${status}`, detail: {} });
    response
      .writeHead(status, { "content-type": "text/plain" })
      .end(status === 413 ? "request too large" : "upstream error");
    return;
  }
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  const contentType = request.headers["content-type"] ?? "";
  const parsed =
    request.method === "GET" ? Object.fromEntries(url.searchParams) : await readArguments(contentType, body);
  const args = isFailure(parsed) ? {} : parsed;
  const caller = tokenOf(request, contentType, args);
  const answer = await answerCall({ room, method, name, request, token: caller, parsed, contentType });
  const refusal = isFailure(answer) ? answer.error : null;
  const shown = withCharsetWarning(answer, request, contentType);
  room.journal.record({
    kind: "call",
    name,
    ok: refusal === null,
    error: refusal,
    tookMs: room.clock.nowMs() - startedMs,
    detail: { args: args as JsonObject, answer: shown },
  });
  room.journal.changed("call");
  if (room.faults.take("lost-answer", name)) {
    room.journal.record({ kind: "fault", name: "lost-answer", detail: { method: name } });
    request.socket.destroy();
    return;
  }
  send(room, method, shown, response);
}

interface Request {
  room: Room;
  method: Method | undefined;
  name: string;
  request: IncomingMessage;
  token: string | null;
  parsed: Args | Failure;
  contentType: string;
}

async function answerCall(call: Request): Promise<Answer> {
  const { room, method, name, parsed, contentType } = call;
  if (!method) return fail("unknown_method", { req_method: name });
  if (call.request.method !== "POST" && !(call.request.method === "GET" && method.get === true))
    return fail("insecure_request");
  const refused =
    refusedToken(room, method, call.token, call.request) ??
    missingScope(room, method.token === "app" ? [] : method.scopes);
  if (refused) return refused;
  const injected = room.faults.take("rate-limited", name);
  if (injected) room.rate.countThrottled(name);
  const channel = isFailure(parsed) ? null : String(parsed["channel"] ?? "");
  const waitSeconds =
    injected?.retryAfterSeconds ?? room.rate.take(name, method.tier, name === "chat.postMessage" ? channel : null);
  if (waitSeconds !== null) return fail("ratelimited", { [retryAfter]: waitSeconds });
  const chosen = room.faults.take("api-error", name);
  if (chosen) return fail(chosen.error);
  if (isFailure(parsed)) return parsed;
  const { token: _token, ...given } =
    contentType.startsWith("application/json") && method.json === false ? {} : (parsed as Record<string, unknown>);
  const missing = (method.required ?? []).filter(
    (field) => given[field] === undefined || given[field] === "" || given[field] === null,
  );
  if (missing.length > 0) {
    return fail("invalid_arguments", {
      response_metadata: { messages: missing.map((field) => `[ERROR] missing required field: ${field}`) },
    });
  }
  return method.run({ room, args: given });
}

/** Carries the seconds from the limiter to the header; taken out before the answer goes out. */
const retryAfter = "retry_after_seconds";

function refusedToken(room: Room, method: Method, token: string | null, request: IncomingMessage): Failure | null {
  if (method.token === "none") return null;
  if (method.token === "app" && request.headers.authorization === undefined)
    return fail(token === null ? "not_authed" : "missing_args");
  if (token === null) return fail("not_authed");
  const { access } = room;
  if (token !== access.botToken && token !== access.appToken) return fail("invalid_auth");
  if (access.state === "revoked") return fail("token_revoked");
  if (access.state === "inactive") return fail("account_inactive");
  const kind = token === access.botToken ? "bot" : "app";
  return method.token === "any" || method.token === kind ? null : fail("not_allowed_token_type");
}

/** A token inside a JSON body does not count. */
function tokenOf(request: IncomingMessage, contentType: string, args: Args): string | null {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "");
  if (bearer?.[1]) return bearer[1];
  const token = contentType.startsWith("application/json") ? undefined : args["token"];
  return typeof token === "string" && token !== "" ? token : null;
}

async function readArguments(contentType: string, body: Buffer): Promise<Args | Failure> {
  if (body.length === 0) return {};
  if (contentType.startsWith("application/json")) {
    const parsed = parseJson(body.toString());
    return isObject(parsed) ? parsed : fail(parsed === undefined ? "invalid_json" : "json_not_object");
  }
  if (contentType.startsWith("application/x-www-form-urlencoded"))
    return Object.fromEntries(new URLSearchParams(body.toString()));
  if (contentType.startsWith("multipart/form-data")) {
    const form = await readForm(contentType, body);
    if (form === null) return fail("invalid_form_data");
    return Object.fromEntries([...form].filter((pair): pair is [string, string] => typeof pair[1] === "string"));
  }
  return fail(contentType === "" ? "missing_post_type" : "invalid_post_type");
}

function withCharsetWarning(answer: Answer, request: IncomingMessage, contentType: string): Answer {
  if (request.method !== "POST" || !contentType.startsWith("application/json") || /charset=/i.test(contentType))
    return answer;
  const known = structured(answer, "response_metadata");
  const metadata = isObject(known) ? known : {};
  const warnings = Array.isArray(metadata["warnings"]) ? metadata["warnings"] : [];
  return {
    ...answer,
    warning: answer["warning"] ?? "missing_charset",
    response_metadata: { ...metadata, warnings: [...warnings, "missing_charset"] },
  };
}

function send(room: Room, method: Method | undefined, answer: Answer, response: ServerResponse): void {
  const { [retryAfter]: seconds, ...body } = answer;
  response.writeHead(seconds === undefined ? 200 : 429, {
    "content-type": "application/json; charset=utf-8",
    "x-slack-req-id": room.random.hex(32),
    "x-oauth-scopes": method?.token === "app" ? "connections:write" : room.manifest.botScopes.join(","),
    "x-accepted-oauth-scopes": method?.token === "app" ? "connections:write" : (method?.scopes.join(",") ?? ""),
    ...(seconds === undefined ? {} : { "retry-after": String(seconds) }),
  });
  response.end(JSON.stringify(body));
}

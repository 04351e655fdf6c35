import { isObject } from "../manifest.ts";

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === "string";
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const truth: Check = (value) => typeof value === "boolean";
const count: Check = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;
const oneOf =
  (...allowed: unknown[]): Check =>
  (value) =>
    allowed.includes(value);
const texts: Check = (value) => Array.isArray(value) && value.every(text);
const controlValue: Check = (value) => value === null || text(value) || texts(value);
const controlValues: Check = (value) =>
  isObject(value) && Object.values(value).every((block) => isObject(block) && Object.values(block).every(controlValue));

type Shape = Record<string, Check>;
const element = { viewId: optional(text), channel: optional(text), ts: optional(text), blockId: text, actionId: text };

const requests: Record<string, Shape> = {
  command: { channel: text, text, threadTs: optional(text) },
  message: { channel: text, text, threadTs: optional(text), alsoToChannel: optional(truth) },
  action: {
    ...element,
    value: optional(controlValue),
    values: optional(controlValues),
    confirmed: optional(truth),
    staleMessage: optional(isObject),
  },
  "view-submit": { viewId: text, values: controlValues },
  "view-close": { viewId: text, all: optional(truth) },
  shortcut: { callbackId: text, channel: optional(text), ts: optional(text) },
  options: { ...element, query: text },
  "home-open": { tab: optional(oneOf("home", "messages")) },
  join: { channel: text, user: optional(text) },
  leave: { channel: text, user: optional(text) },
  reaction: { channel: text, ts: text, name: text, remove: optional(truth) },
  clock: { frozen: optional(truth), advanceMs: optional(count) },
};

/** Whether a body fits its request. Unknown names pass here and end as 404; faults have their own check. */
export function isShape(name: string, body: object): boolean {
  const shape = Object.hasOwn(requests, name) ? requests[name] : undefined;
  return shape === undefined || fits(body, { actor: optional(text), ...shape });
}

function fits(body: object, shape: Shape): boolean {
  const given = body as Record<string, unknown>;
  return (
    Object.entries(shape).every(([field, check]) => check(given[field])) &&
    Object.keys(given).every((field) => Object.hasOwn(shape, field))
  );
}

const perMethod = { method: text, times: count };
const faults: Record<string, Shape> = {
  "rate-limited": { ...perMethod, retryAfterSeconds: count },
  "http-error": { ...perMethod, status: oneOf(500, 502, 503, 504) },
  "api-error": { ...perMethod, error: text },
  "lost-answer": perMethod,
  latency: { ...perMethod, delayMs: count },
  disconnect: { reason: oneOf("warning", "refresh_requested", "link_disabled"), connection: oneOf("one", "all") },
  "drop-connections": { connection: oneOf("one", "all") },
  "duplicate-envelopes": { times: count },
  "deliver-during-close": { times: count },
  "slow-pongs": { delayMs: count },
  "refresh-every": { seconds: count },
  "app-rate-limited": {},
  "raw-frame": { text },
  outage: { on: truth },
  "blocks-not-rolled-out": { types: texts },
  switch: {
    name: oneOf(
      "oldExpiredTriggerShape",
      "staleClicks",
      "imageDownloadsFail",
      "altTextOnNonImagesHidesFile",
      "planWithoutUserGroups",
      "editWindowClosed",
      "lingerAfterClose",
      "canvasLocked",
    ),
    on: truth,
  },
  clear: {},
};

export function isFault(fault: object): boolean {
  const kind = (fault as { kind?: unknown }).kind;
  const shape = typeof kind === "string" && Object.hasOwn(faults, kind) ? faults[kind] : undefined;
  return shape !== undefined && fits(fault, { kind: text, actor: optional(text), ...shape });
}

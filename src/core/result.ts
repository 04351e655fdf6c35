/**
 * No is returned, broken is thrown.
 *
 * A `Refusal` is an answer a person gets: what was found, what it means, what to do next.
 * A `Fault` is an exception with a stable code, caught once, at the edge.
 */
export interface Refusal {
  refused: true;
  /** Stable, for logs, metrics and tests. */
  code: RefusalCode;
  /** What was found, as one sentence. */
  found: string;
  /** What it means for the person who asked. */
  means: string;
  /** What to do next. */
  next: string;
}

export type RefusalCode =
  | "unknown-service"
  | "unknown-host"
  | "unknown-incident"
  | "unknown-command"
  | "bad-input"
  | "not-allowed"
  | "not-an-approver"
  | "own-request"
  | "not-a-person"
  | "already-decided"
  | "already-voted"
  | "plan-superseded"
  | "plan-expired"
  | "plan-stale"
  | "plan-open-elsewhere"
  | "protected-container"
  | "over-policy"
  | "frozen"
  | "reason-required"
  | "confirmation-wrong"
  | "nothing-to-do"
  | "host-not-writable"
  | "store-not-writable";

export function refuse(code: RefusalCode, found: string, means: string, next: string): Refusal {
  return { refused: true, code, found, means, next };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && (value as { refused?: unknown }).refused === true;
}

export type FaultCode =
  | "config-invalid"
  | "host-unreachable"
  | "host-key-unknown"
  | "host-key-changed"
  | "login-refused"
  | "socket-refused"
  | "read-denied"
  | "read-timeout"
  | "read-too-large"
  | "read-failed"
  | "command-missing"
  | "action-failed"
  | "store-unavailable"
  | "store-conflict"
  | "slack-unavailable"
  | "local-room-unavailable"
  | "internal";

/** Something is broken. `message` says what was being done; `next` says what to do about it. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly next: string;
  constructor(code: FaultCode, message: string, next: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "Fault";
    this.code = code;
    this.next = next;
  }
}

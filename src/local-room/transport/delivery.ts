import type { Fault, JsonObject } from "../protocol.ts";

/** How the app is reached: a socket connection or signed HTTP requests. */
export interface Delivery {
  kind: "socket" | "http";
  /** Fire and forget; the transport retries as Slack does. */
  sendEvent(body: JsonObject): void;
  /** A command, interaction or options request: one try, the app has three seconds. */
  request(kind: RequestKind, payload: JsonObject): Promise<Ack>;
  connections(): number | null;
  /** Carries out the faults that act at once. */
  strike(fault: Fault): void;
  stop(): void;
}

export type RequestKind = "command" | "interactive" | "options";

export type Ack =
  | { kind: "acked"; body: JsonObject | null; tookMs: number }
  | { kind: "refused"; status: number }
  | { kind: "timeout" }
  | { kind: "unreachable" };

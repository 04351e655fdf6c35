/** POST /_twin/faults. GET answers the active ones. `method: "*"` hits every method. */
export type Fault =
  | { kind: "rate-limited"; method: string; times: number; retryAfterSeconds: number }
  | { kind: "http-error"; method: string; times: number; status: 500 | 502 | 503 | 504 }
  | { kind: "api-error"; method: string; times: number; error: string }
  /** The call is done, but the connection is cut before the answer. */
  | { kind: "lost-answer"; method: string; times: number }
  /** The call waits this long on the room's clock before it is worked on. */
  | { kind: "latency"; method: string; times: number; delayMs: number }
  | { kind: "disconnect"; reason: "warning" | "refresh_requested" | "link_disabled"; connection: "one" | "all" }
  /** TCP reset of open sockets. */
  | { kind: "drop-connections"; connection: "one" | "all" }
  /** The next envelopes are sent twice with the same id. */
  | { kind: "duplicate-envelopes"; times: number }
  /** The next envelopes go to a connection that was just told to disconnect. */
  | { kind: "deliver-during-close"; times: number }
  | { kind: "slow-pongs"; delayMs: number }
  | { kind: "refresh-every"; seconds: number }
  | { kind: "app-rate-limited" }
  /** Raw frame to every open socket: `null`, `[]`, `not json`. */
  | { kind: "raw-frame"; text: string }
  | { kind: "outage"; on: boolean }
  | { kind: "blocks-not-rolled-out"; types: string[] }
  | { kind: "switch"; name: FaultSwitch; on: boolean }
  | { kind: "clear" };
export type FaultSwitch =
  | "oldExpiredTriggerShape"
  | "staleClicks"
  | "imageDownloadsFail"
  | "altTextOnNonImagesHidesFile"
  | "planWithoutUserGroups"
  | "editWindowClosed"
  | "lingerAfterClose"
  | "canvasLocked";
export interface Faults {
  active: Fault[];
  switches: Record<FaultSwitch, boolean>;
}

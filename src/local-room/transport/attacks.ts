import type { Room } from "../room.ts";
import { type HttpTransport, signedHeaders } from "./http.ts";
import type { SocketTransport } from "./socket.ts";

/** Requests that Slack would never send. The app has to turn every one of them down. */
export const attacks = [
  "wrong-secret",
  "stale",
  "future",
  "replayed",
  "changed-body",
  "missing-headers",
  "wrong-content-type",
  "huge-body",
  "unknown-path",
] as const;
export type Attack = (typeof attacks)[number];

const driftMs = 301_000;

/** Sends one and answers the status; null where there is no HTTP listener to attack or the app cut the connection. */
export async function attack(
  room: Room,
  transport: SocketTransport | HttpTransport,
  kind: Attack,
): Promise<number | null> {
  if (transport.kind !== "http") return null;
  const target = transport.eventsUrl();
  const nowMs = room.clock.nowMs();
  const secret = room.access.signingSecret;
  const padding = kind === "huge-body" ? "x".repeat(1_200_000) : "";
  const body = JSON.stringify({
    token: room.access.verificationToken,
    challenge: `attack-${kind}`,
    type: "url_verification",
    padding,
  });
  const signed = signedHeaders(kind === "wrong-secret" ? `${secret}0` : secret, body, nowMs + drift(kind));
  const type = kind === "wrong-content-type" ? "text/plain" : "application/json";
  const fresh = { "x-slack-request-timestamp": String(Math.floor(nowMs / 1000)) };
  const headers = {
    "content-type": type,
    ...(kind === "missing-headers" ? {} : signed),
    ...(kind === "replayed" ? fresh : {}),
  };
  const url = kind === "unknown-path" ? new URL("/no/such/path", target).href : target;
  const text = kind === "changed-body" ? body.replace("attack", "forged") : body;
  const status = await statusOf(url, headers, text);
  room.journal.record({
    kind: "http-event",
    name: `attack:${kind}`,
    ok: status === null || status >= 400,
    detail: { status },
  });
  return status;
}

/** Replayed: an old signature with a fresh timestamp put beside it. */
function drift(kind: Attack): number {
  if (kind === "stale" || kind === "replayed") return -driftMs;
  return kind === "future" ? driftMs : 0;
}

async function statusOf(url: string, headers: Record<string, string>, body: string): Promise<number | null> {
  try {
    const response = await fetch(url, { method: "POST", headers, body });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return null;
  }
}

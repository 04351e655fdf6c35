import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { ackTimeoutMs, eventRetryDelaysMs, handlesKept, requestBodyBytes } from "../limits.ts";
import { isObject } from "../manifest.ts";
import { forgetOldest } from "../oldest.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import { openOf, type Pool, pickConnection, strikePool, welcome } from "./connections.ts";
import type { Ack, Delivery, RequestKind } from "./delivery.ts";
import { parseJson } from "./json.ts";
import type { Tickets } from "./tickets.ts";

export interface SocketTransport extends Delivery {
  kind: "socket";
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Socket Mode as Slack plays it: each envelope to exactly one open connection. */
export function createSocketTransport(room: Room, tickets: Tickets): SocketTransport {
  const server = new WebSocketServer({ noServer: true, autoPong: false, maxPayload: requestBodyBytes });
  const wire: Wire = {
    room,
    pool: { room, connections: new Set(), onFrame: (text) => onFrame(wire, text) },
    pending: new Map(),
    acksLeft: new Map(),
  };
  return {
    kind: "socket",
    sendEvent: (body) => void sendEvent(wire, body),
    request: (kind, payload) => sendOnce(wire, envelopeTypes[kind], payload, {}),
    connections: () => openOf(wire.pool).length,
    strike(fault) {
      strikePool(wire.pool, fault);
      if (fault.kind === "app-rate-limited") void sendOnce(wire, "events_api", appRateLimited(room), {});
    },
    upgrade(request, socket, head) {
      const ticket = new URL(request.url ?? "/", "http://room").searchParams.get("ticket");
      if (room.faults.outage() || !tickets.redeem(ticket)) {
        room.journal.record({ kind: "connection", name: "refused", ok: false, error: "invalid_ticket" });
        socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
        return;
      }
      server.handleUpgrade(request, socket, head, (webSocket) => welcome(wire.pool, webSocket, socket));
    },
    stop() {
      for (const connection of wire.pool.connections) connection.raw.destroy();
      server.close();
    },
  };
}

interface Wire {
  room: Room;
  pool: Pool;
  pending: Map<string, { settle: (ack: Ack) => void; sentAtMs: number; acceptsPayload: boolean }>;
  /** How many acks each envelope may still get: as many as copies were sent. */
  acksLeft: Map<string, number>;
}

const envelopeTypes: Record<RequestKind, string> = {
  command: "slash_commands",
  interactive: "interactive",
  options: "interactive",
};

/** One try. Resolves when acked, after three seconds, or at once when nobody is connected. */
function sendOnce(wire: Wire, type: string, payload: JsonObject, extra: JsonObject): Promise<Ack> {
  const { room } = wire;
  const connection = pickConnection(wire.pool);
  if (!connection) {
    room.journal.record({ kind: "envelope", name: type, ok: false, error: "no_connection", detail: { payload } });
    return Promise.resolve({ kind: "unreachable" });
  }
  const envelopeId = room.random.uuid();
  const acceptsPayload = type !== "events_api";
  const envelope = { envelope_id: envelopeId, payload, type, accepts_response_payload: acceptsPayload, ...extra };
  const copies = room.faults.takeEnvelope("duplicate-envelopes") ? 2 : 1;
  wire.acksLeft.set(envelopeId, copies);
  forgetOldest(wire.acksLeft, handlesKept);
  const sentAtMs = room.clock.nowMs();
  room.journal.record({ kind: "envelope", name: type, detail: { connection: connection.id, copies, envelope } });
  return new Promise((resolve) => {
    const settle = (ack: Ack) => {
      cancel();
      wire.pending.delete(envelopeId);
      const acked = ack.kind === "acked";
      const detail = { envelope_id: envelopeId, connection: connection.id, body: acked ? ack.body : null };
      room.journal.record({
        kind: "ack",
        name: type,
        ok: acked,
        error: acked ? null : ack.kind,
        tookMs: room.clock.nowMs() - sentAtMs,
        detail,
      });
      resolve(ack);
    };
    const cancel = room.clock.after(ackTimeoutMs, () => settle({ kind: "timeout" }));
    wire.pending.set(envelopeId, { settle, sentAtMs, acceptsPayload });
    for (let copy = 0; copy < copies; copy++) connection.socket.send(JSON.stringify(envelope));
  });
}

/** Events are tried again with a new envelope id, so that only the event id tells a duplicate: the harsher reading. */
async function sendEvent(wire: Wire, body: JsonObject): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const ack = await sendOnce(wire, "events_api", body, {
      retry_attempt: attempt,
      retry_reason: attempt === 0 ? "" : "timeout",
    });
    const delayMs = eventRetryDelaysMs[attempt];
    if (ack.kind === "acked" || delayMs === undefined) return;
    await new Promise<void>((resolve) => wire.room.clock.after(delayMs, resolve));
  }
}

function onFrame(wire: Wire, text: string): void {
  const { journal, clock } = wire.room;
  const frame = parseJson(text);
  if (!isObject(frame) || typeof frame["envelope_id"] !== "string") {
    journal.flag("malformed-ack", `the app sent a frame that is no ack: ${text.slice(0, 200)}`);
    return;
  }
  const id = frame["envelope_id"];
  const left = wire.acksLeft.get(id);
  if (left === undefined) {
    journal.flag("unknown-ack", `the app acked an envelope that was never sent: ${id}`);
    return;
  }
  if (left === 0) {
    journal.flag("second-ack", `the app acked the same envelope twice: ${id}`);
    return;
  }
  wire.acksLeft.set(id, left - 1);
  const waiting = wire.pending.get(id);
  if (!waiting) {
    // Late, or the second copy of a duplicate: Slack takes no notice of either.
    journal.record({ kind: "ack", name: "ignored", ok: false, error: "not_waiting", detail: { envelope_id: id } });
    return;
  }
  const body = isObject(frame["payload"]) && Object.keys(frame["payload"]).length > 0 ? frame["payload"] : null;
  if (body && !waiting.acceptsPayload)
    journal.flag("ack-payload-on-event", `the app answered an event with a payload: ${id}`);
  waiting.settle({ kind: "acked", body, tookMs: clock.nowMs() - waiting.sentAtMs });
}

/** Slack's notice that the app gets too many events. It has no inner event. [D apis/web-api/rate-limits] */
const appRateLimited = (room: Room): JsonObject => ({
  token: room.access.verificationToken,
  type: "app_rate_limited",
  team_id: room.world.team.id,
  minute_rate_limited: Math.floor(room.clock.nowMs() / 60_000) * 60,
  api_app_id: room.world.appId,
});

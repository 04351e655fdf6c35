import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import {
  closeAfterRefreshMs,
  connectionLifetimeSeconds,
  lingerMs,
  maxConnections,
  pingIntervalMs,
  refreshWarningMs,
} from "../limits.ts";
import type { Fault } from "../protocol.ts";
import type { Room } from "../room.ts";

/** The app's open sockets. */
export interface Pool {
  room: Room;
  connections: Set<Connection>;
  onFrame: (text: string) => void;
}

export interface Connection {
  id: string;
  socket: WebSocket;
  raw: Duplex;
  /** Told to go away; gets nothing more, unless the fault says so. */
  closing: boolean;
  cancels: Set<() => void>;
}

export type DisconnectReason = "warning" | "refresh_requested" | "link_disabled" | "too_many_websockets";

export const openOf = (pool: Pool) => [...pool.connections].filter((connection) => !connection.closing);

/** One of the open connections, by the seeded random source: Slack promises no pattern. */
export function pickConnection(pool: Pool): Connection | null {
  const leaving = [...pool.connections].find((connection) => connection.closing && connection.socket.readyState === 1);
  if (leaving && pool.room.faults.takeEnvelope("deliver-during-close")) return leaving;
  const candidates = openOf(pool);
  return candidates[pool.room.random.below(candidates.length)] ?? null;
}

export function welcome(pool: Pool, socket: WebSocket, raw: Duplex): void {
  const { room } = pool;
  const connection: Connection = { id: room.random.hex(8), socket, raw, closing: false, cancels: new Set() };
  lingerAfterClose(room, raw);
  pool.connections.add(connection);
  listen(pool, connection);
  const count = openOf(pool).length;
  if (count > maxConnections) {
    disconnect(pool, connection, "too_many_websockets");
    return;
  }
  const lifetime = room.faults.refreshEverySeconds() ?? connectionLifetimeSeconds;
  socket.send(
    JSON.stringify({
      type: "hello",
      num_connections: count,
      connection_info: { app_id: room.world.appId },
      debug_info: { host: "applink-local", build_number: 1, approximate_connection_time: lifetime },
    }),
  );
  keepAlive(pool, connection);
  later(pool, connection, Math.max(0, lifetime * 1000 - refreshWarningMs), () =>
    disconnect(pool, connection, "warning"),
  );
  room.journal.record({ kind: "connection", name: "open", detail: { connection: connection.id, open: count } });
  room.journal.changed("connection");
}

function listen(pool: Pool, connection: Connection): void {
  const { room } = pool;
  const { socket } = connection;
  socket.on("message", (data) => pool.onFrame(String(data)));
  socket.on("ping", (data) => {
    const delayMs = room.faults.pongDelayMs();
    if (delayMs === 0) socket.pong(data);
    else later(pool, connection, delayMs, () => socket.pong(data));
  });
  socket.on("error", () => connection.raw.destroy());
  socket.on("close", () => {
    pool.connections.delete(connection);
    for (const cancel of connection.cancels) cancel();
    room.journal.record({ kind: "connection", name: "closed", detail: { connection: connection.id } });
    room.journal.changed("connection");
  });
}

export function disconnect(pool: Pool, connection: Connection, reason: DisconnectReason): void {
  pool.room.journal.record({ kind: "connection", name: "disconnect", detail: { connection: connection.id, reason } });
  connection.socket.send(JSON.stringify({ type: "disconnect", reason, debug_info: { host: "applink-local" } }));
  if (reason === "warning") {
    later(pool, connection, refreshWarningMs, () => disconnect(pool, connection, "refresh_requested"));
    return;
  }
  connection.closing = true;
  later(pool, connection, reason === "refresh_requested" ? closeAfterRefreshMs : 0, () =>
    connection.socket.close(1000),
  );
}

/** Carries out the faults that concern connections. */
export function strikePool(pool: Pool, fault: Fault): void {
  const open = openOf(pool);
  const hit = "connection" in fault && fault.connection === "one" ? open.slice(0, 1) : open;
  if (fault.kind === "disconnect") for (const connection of hit) disconnect(pool, connection, fault.reason);
  if (fault.kind === "drop-connections" || (fault.kind === "outage" && fault.on)) {
    for (const connection of hit) connection.raw.destroy();
  }
  if (fault.kind === "raw-frame") for (const connection of hit) connection.socket.send(fault.text);
  if (fault.kind === "refresh-every" && fault.seconds > 0) {
    for (const connection of hit)
      later(pool, connection, fault.seconds * 1000, () => disconnect(pool, connection, "refresh_requested"));
  }
}

function later(pool: Pool, connection: Connection, delayMs: number, run: () => void): void {
  const cancel = pool.room.clock.after(delayMs, () => {
    connection.cancels.delete(cancel);
    if (pool.connections.has(connection)) run();
  });
  connection.cancels.add(cancel);
}

function keepAlive(pool: Pool, connection: Connection): void {
  later(pool, connection, pingIntervalMs, () => {
    connection.socket.ping(`Ping from applink ${connection.id}`);
    keepAlive(pool, connection);
  });
}

/** Like Slack, the peer does not finish the TCP close at once: a client that waits for it must not hang. */
function lingerAfterClose(room: Room, raw: Duplex): void {
  const end = raw.end.bind(raw);
  raw.end = ((...args: Parameters<typeof end>) => {
    if (!room.faults.on("lingerAfterClose")) return end(...args);
    room.clock.after(lingerMs, () => end(...args));
    return raw;
  }) as typeof raw.end;
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { sseKeepAliveMs } from "../limits.ts";
import type { Room } from "../room.ts";
import { isVisibleTo } from "../world.ts";

/** Server-sent events: one line per change that this person may see. Only says that something changed, never what. */
export function serveStream(room: Room, actor: string, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  response.write(`retry: 1000\n\n`);
  const stop = room.journal.onChange((change) => {
    const channel = change.channel === null ? undefined : room.world.channels.get(change.channel);
    const hidden =
      (change.actor !== null && change.actor !== actor) || (channel !== undefined && !isVisibleTo(channel, actor));
    if (!hidden) response.write(`id: ${change.seq}\ndata: ${JSON.stringify(change)}\n\n`);
  });
  // Real time on purpose: it keeps a real connection open, whatever the room's clock does.
  const keepAlive = setInterval(() => response.write(": still here\n\n"), sseKeepAliveMs);
  keepAlive.unref();
  request.on("close", () => {
    clearInterval(keepAlive);
    stop();
  });
}

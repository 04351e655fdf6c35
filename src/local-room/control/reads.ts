import type { IncomingMessage, ServerResponse } from "node:http";
import { sendFile } from "../api/transfer.ts";
import { refusal } from "../interact/person.ts";
import type { Ledgers } from "../protocol.ts";
import type { Room } from "../room.ts";
import { isVisibleTo } from "../world.ts";
import { forgetEphemerals, roomState } from "./room-state.ts";
import { serveStream } from "./stream.ts";

/** Who looks; `locked` where an access token fixed it. */
interface Viewer {
  user: string;
  locked: boolean;
}

/** They show and change what is everybody's, private channels included: not for people who came with a token. */
export const inspections: ReadonlySet<string> = new Set(["journal", "ledgers", "buckets", "faults", "clock"]);
export const noInspection = refusal(
  "no_inspection",
  "The inspector is only there on this machine, without access tokens.",
);

/** GET under `/_twin/`. */
export function serveRead(room: Room, viewer: Viewer, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://room");
  const name = url.pathname.slice("/_twin/".length);
  if (name === "stream") serveStream(room, viewer.user, request, response);
  else if (name.startsWith("files/")) serveFile(room, viewer, name.slice("files/".length), response);
  else {
    if (viewer.locked && inspections.has(name)) {
      sendJson(response, 403, noInspection);
      return;
    }
    const body = readOf(room, viewer, name, url.searchParams);
    sendJson(response, body === null ? 404 : 200, body ?? refusal("not_found", "There is no such control."));
  }
}

function readOf(room: Room, viewer: Viewer, name: string, query: URLSearchParams): object | null {
  switch (name) {
    case "state":
      if (query.get("reload") === "1") forgetEphemerals(room, viewer.user);
      return roomState(room, viewer.user, viewer.locked);
    case "journal": {
      const since = Number(query.get("since") ?? 0) || 0;
      const limit = Number(query.get("limit") ?? 500) || 500;
      return { entries: room.journal.entries(since, limit), lastSeq: room.journal.lastSeq() };
    }
    case "ledgers":
      return ledgersOf(room);
    case "buckets":
      return room.rate.buckets();
    case "faults":
      return room.faults.state();
    default:
      return null;
  }
}

export function ledgersOf(room: Room): Ledgers {
  return { notifications: room.ledgers.notifications(), lint: room.ledgers.lints(), flags: room.journal.flags() };
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(JSON.stringify(body));
}

/** A file for the page: whoever sees a channel it was shared in. Without tokens the page may be anybody. */
function serveFile(room: Room, viewer: Viewer, id: string, response: ServerResponse): void {
  const file = room.world.files.get(id);
  const seen = file?.channels.some((channelId) => {
    const channel = room.world.channels.get(channelId);
    return channel !== undefined && isVisibleTo(channel, viewer.user);
  });
  sendFile(viewer.locked && !seen ? undefined : file, response);
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { serveApi } from "./api/dispatch.ts";
import type { Method } from "./api/method.ts";
import { serveDownload, serveUpload } from "./api/transfer.ts";
import { type AccessTokens, accessCookie, visitorOf } from "./control/access.ts";
import { pageHeaders, servePage } from "./control/pages.ts";
import { serveControl } from "./control/routes.ts";
import { serveResponseUrl } from "./interact/response-urls.ts";
import type { Room } from "./room.ts";

interface RouterOptions {
  methods: Readonly<Record<string, Method>>;
  tokens: AccessTokens;
  loopbackOnly: boolean;
}

/** Says whether a request is the room's, and answers it then. The app's paths carry their own secrets. */
export function createRouter(
  room: Room,
  options: RouterOptions,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const serve = handlerOf(room, options, path);
    if (serve === null) return false;
    serveSafely(room, path, response, async () => serve(request, response));
    return true;
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

function handlerOf(room: Room, options: RouterOptions, path: string): Handler | null {
  if (path.startsWith("/api/")) return (request, response) => serveApi(room, options.methods, request, response);
  if (path.startsWith("/upload/v1/")) return (request, response) => serveUpload(room, request, response);
  if (path.startsWith("/commands/") || path.startsWith("/actions/")) {
    return (request, response) => serveResponseUrl(room, request, response);
  }
  if (path.startsWith("/files-pri/")) return (request, response) => serveDownload(room, request, response);
  const forPeople = path === "/" || ["/page/", "/_twin/", "/archives/"].some((start) => path.startsWith(start));
  return forPeople ? (request, response) => servePerson(room, options, request, response, path) : null;
}

/** A mistake of the room must neither end the process, which is the bot's too, nor go unseen. */
function serveSafely(room: Room, path: string, response: ServerResponse, serve: () => Promise<void>): void {
  serve().catch((error: unknown) => {
    room.journal.flag("room-fault", `the local room failed at ${path}: ${String(error)}`);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.writeHead(500, { "content-type": "application/json; charset=utf-8" });
    response.end('{"ok":false,"error":"fatal_error"}');
  });
}

function servePerson(
  room: Room,
  options: RouterOptions,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> | void {
  const visitor = visitorOf(request, options.tokens, options.loopbackOnly);
  if (visitor.kind === "refused") {
    const text =
      visitor.error === "access_token_needed"
        ? "Open this page with ?access=<your token>."
        : "This request is not allowed here.";
    const body = path.startsWith("/_twin/") ? JSON.stringify({ ok: false, error: visitor.error, message: text }) : text;
    const type = path.startsWith("/_twin/") ? "application/json; charset=utf-8" : "text/plain; charset=utf-8";
    response.writeHead(visitor.status, { ...pageHeaders, "content-type": type }).end(body);
    return;
  }
  if (visitor.kind === "person" && visitor.tokenFromUrl !== null && !path.startsWith("/_twin/")) {
    // The token leaves the address bar, the history and the referrer.
    response.writeHead(303, { ...pageHeaders, location: path, "set-cookie": accessCookie(visitor.tokenFromUrl) }).end();
    return;
  }
  if (path.startsWith("/_twin/")) return serveControl(room, visitor, request, response);
  if (path.startsWith("/archives/")) {
    const [, , channel = "", message = ""] = path.split("/");
    const ts = /^p(\d+)(\d{6})$/.exec(message);
    response.writeHead(303, { ...pageHeaders, location: `/#${channel}${ts ? `/${ts[1]}.${ts[2]}` : ""}` }).end();
    return;
  }
  return servePage(path, response);
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { fileBytes } from "../limits.ts";
import type { Room } from "../room.ts";
import type { StoredFile } from "../world.ts";
import { readBody, readForm } from "./body.ts";

/** `/upload/v1/<ticket>`: raw bytes, or multipart under any field name. Answers `OK - <n>` as Slack does. */
export async function serveUpload(room: Room, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const ticket = (request.url ?? "").split("?")[0]?.split("/").at(-1) ?? "";
  const body = await readBody(request, fileBytes + 64 * 1024);
  const file = [...room.world.files.values()].find((candidate) => candidate.ticket === ticket);
  const answer = (status: number, text: string) => {
    room.journal.record({
      kind: "upload",
      name: file?.name ?? "unknown",
      ok: status === 200,
      error: status === 200 ? null : text,
      detail: { status },
    });
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
  };
  if (room.faults.outage()) return answer(503, "upstream error");
  if (!file || file.bytes !== null || room.clock.nowMs() > file.expiresAtMs)
    return answer(404, "upload ticket unknown, used or expired");
  if (body === null) return answer(413, "file too large");
  const bytes = await contentOf(request.headers["content-type"] ?? "", body);
  if (bytes === null) return answer(400, "malformed multipart body");
  if (bytes.length !== file.sizeBytes)
    return answer(400, `length mismatch: announced ${file.sizeBytes}, received ${bytes.length}`);
  file.bytes = bytes;
  return answer(200, `OK - ${bytes.length}`);
}

async function contentOf(contentType: string, body: Buffer): Promise<Buffer | null> {
  if (!contentType.startsWith("multipart/form-data")) return body;
  const form = await readForm(contentType, body);
  if (form === null) return null;
  for (const [, value] of form) if (typeof value !== "string") return Buffer.from(await value.arrayBuffer());
  return null;
}

/** `/files-pri/<team>-<file>/<name>`: for the app, with its token and the scope to read files. */
export function serveDownload(room: Room, request: IncomingMessage, response: ServerResponse): void {
  const id = /^\/files-pri\/[A-Z0-9]+-(F[A-Z0-9]+)\//.exec(request.url ?? "")?.[1] ?? "";
  const file = room.world.files.get(id);
  const allowed =
    request.headers.authorization === `Bearer ${room.access.botToken}` &&
    room.access.state === "installed" &&
    room.manifest.botScopes.includes("files:read");
  if (!allowed) {
    // Slack answers with its sign-in page rather than with an error.
    response.writeHead(302, { location: `${room.url()}/` }).end();
    return;
  }
  sendFile(file, response);
}

/** Nothing but plain raster images is ever shown inline: a report could be a script in disguise. */
export function sendFile(file: StoredFile | undefined, response: ServerResponse): void {
  if (!file?.bytes) {
    response.writeHead(404, { "content-type": "text/plain" }).end("no such file");
    return;
  }
  const inline = /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype);
  response.writeHead(200, {
    "content-type": inline ? file.mimetype : "application/octet-stream",
    "content-disposition": `${inline ? "inline" : "attachment"}; filename*=UTF-8''${encodeURIComponent(file.name)}`,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "private, no-store",
  });
  response.end(file.bytes);
}

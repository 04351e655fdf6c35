import { randomBytes } from "node:crypto";
import { emitEvent } from "../events.ts";
import { altTextChars, fileBytes, fileShareDelayMs, snippetBytes, uploadTicketLifetimeMs } from "../limits.ts";
import { isObject } from "../manifest.ts";
import { fileJson } from "../message-json.ts";
import { post, threadOf } from "../posting.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { Channel, StoredFile } from "../world.ts";
import { blocksProblem } from "./content.ts";
import {
  type Answer,
  type Args,
  type Call,
  type Failure,
  fail,
  invalidArguments,
  isFailure,
  items,
  type Method,
  number,
  ok,
  structured,
  text,
  writableChannel,
} from "./method.ts";

export const fileMethods: Record<string, Method> = {
  "files.getUploadURLExternal": {
    tier: 4,
    scopes: ["files:write"],
    token: "bot",
    get: true,
    json: false,
    required: ["filename", "length"],
    run: getUploadUrl,
  },
  "files.completeUploadExternal": {
    tier: 4,
    scopes: ["files:write"],
    token: "bot",
    required: ["files"],
    run: complete,
  },
  "files.info": {
    tier: 4,
    scopes: ["files:read"],
    token: "bot",
    get: true,
    json: false,
    required: ["file"],
    run: info,
  },
  "files.delete": { tier: 3, scopes: ["files:write"], token: "bot", required: ["file"], run: deleteFile },
};

function getUploadUrl({ room, args }: Call): Answer {
  const length = number(args, "length") ?? 0;
  if (!Number.isInteger(length) || length < 1) return invalidArguments("must be more than 0 [json-pointer:/length]");
  const snippetType = text(args, "snippet_type");
  if (snippetType !== null && !snippetTypes.has(snippetType)) return fail("unknown_snippet_type");
  if (snippetType !== null && length > snippetBytes) return fail("snippet_too_large");
  if (length > fileBytes) return fail("file_too_large");
  const altText = text(args, "alt_txt") ?? text(args, "alt_text");
  if ((altText ?? "").length > altTextChars) return fail("alt_txt_too_large");
  const name = text(args, "filename") ?? "file";
  const file: StoredFile = {
    id: room.random.id("F"),
    ticket: randomBytes(24).toString("base64url"),
    name,
    title: name,
    mimetype: mimetypeOf(name),
    sizeBytes: length,
    altText,
    snippetType,
    bytes: null,
    completed: false,
    channels: [],
    user: room.world.botUserId,
    createdSeconds: Math.floor(room.clock.nowMs() / 1000),
    expiresAtMs: room.clock.nowMs() + uploadTicketLifetimeMs,
  };
  room.world.files.set(file.id, file);
  return ok({ upload_url: `${room.url()}/upload/v1/${file.ticket}`, file_id: file.id });
}

/** The names we have use for; the reference lists about two hundred. */
const snippetTypes = new Set([
  "text",
  "auto",
  "markdown",
  "javascript",
  "json",
  "yaml",
  "shell",
  "diff",
  "csv",
  "html",
  "xml",
  "python",
  "sql",
  "dockerfile",
  "log",
  "post",
]);

const mimetypes: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  json: "application/json",
  gz: "application/gzip",
  zip: "application/zip",
  pdf: "application/pdf",
  md: "text/markdown",
  html: "text/html",
  csv: "text/csv",
};
const mimetypeOf = (name: string) => mimetypes[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "text/plain";

function complete({ room, args }: Call): Answer {
  const wanted = structured(args, "files");
  if (!Array.isArray(wanted) || wanted.length === 0 || !wanted.every(isObject))
    return invalidArguments("must provide an array [json-pointer:/files]");
  const files: StoredFile[] = [];
  for (const entry of wanted as JsonObject[]) {
    const file = room.world.files.get(String(entry["id"]));
    if (!file?.bytes || file.completed) return fail("file_not_found");
    files.push(file);
  }
  const channels = destinations(room, args);
  if (isFailure(channels)) return channels;
  const blocks = structured(args, "blocks");
  const problem =
    blocks === "malformed" ? fail("invalid_blocks_format") : blocks === undefined ? null : blocksProblem(room, blocks);
  if (problem) return problem;
  for (const [index, file] of files.entries()) {
    const title = (wanted[index] as JsonObject)["title"];
    if (typeof title === "string" && title !== "") file.title = title;
    file.completed = true;
    emitEvent(room, { type: "file_created", file_id: file.id, file: { id: file.id }, event_ts: room.nextTs() });
  }
  room.journal.changed("file");
  // The answer comes first and has no message in it: sharing is asynchronous.
  if (channels.length > 0) room.clock.after(fileShareDelayMs, () => share(room, channels, files, args));
  return ok({ files: files.map((file) => fileJson(room, file)) });
}

function destinations(room: Room, args: Args): Channel[] | Failure {
  const ids = [...items(args, "channels"), ...items(args, "channel_id")];
  if (text(args, "thread_ts") !== null && ids.length !== 1)
    return invalidArguments("`thread_ts` needs exactly one channel [json-pointer:/thread_ts]");
  const channels: Channel[] = [];
  for (const id of ids) {
    const channel = writableChannel(room, id);
    if (isFailure(channel)) return channel;
    channels.push(channel);
  }
  return channels;
}

function share(room: Room, channels: Channel[], files: StoredFile[], args: Args): void {
  const hidden = room.faults.on("altTextOnNonImagesHidesFile");
  const shown = files.filter(
    (file) =>
      room.world.files.has(file.id) && !(hidden && file.altText !== null && !file.mimetype.startsWith("image/")),
  );
  if (shown.length < files.length)
    room.journal.flag("file-never-shared", "alt text on a file that is no image: Slack never shares it");
  if (shown.length === 0) return;
  for (const channel of channels) {
    for (const file of shown) file.channels.push(channel.id);
    const blocks = structured(args, "blocks");
    const { threadTs } = threadOf(room, channel, text(args, "thread_ts"));
    post(room, channel, {
      user: room.world.botUserId,
      fromApp: true,
      subtype: "file_share",
      text: text(args, "initial_comment") ?? "",
      blocks: Array.isArray(blocks) ? (blocks as JsonObject[]) : null,
      threadTs,
      files: shown.map((file) => file.id),
    });
    for (const file of shown)
      emitEvent(
        room,
        { type: "file_shared", file_id: file.id, channel_id: channel.id, user_id: file.user, event_ts: room.nextTs() },
        channel,
      );
  }
}

function info({ room, args }: Call): Answer {
  const file = room.world.files.get(text(args, "file") ?? "");
  return file?.completed ? ok({ file: fileJson(room, file) }) : fail("file_not_found");
}

function deleteFile({ room, args }: Call): Answer {
  const file = room.world.files.get(text(args, "file") ?? "");
  if (!file?.completed) return fail("file_not_found");
  if (file.user !== room.world.botUserId) return fail("cant_delete_file");
  room.world.files.delete(file.id);
  for (const message of [...room.world.messages.values()].flat())
    message.files = message.files.filter((id) => id !== file.id);
  room.journal.changed("file");
  return ok();
}

import { refusal, validateMessage } from "../../slack/blocks/validate.ts";
import { walk } from "../ledgers/lint.ts";
import { attachmentsFlagged, attachmentsMax, markdownTextChars, metadataBytes, textTruncatedChars } from "../limits.ts";
import { isObject, list } from "../manifest.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { Message } from "../world.ts";
import { type Args, type Failure, fail, flag, invalidArguments, structured, text, validateOptions } from "./method.ts";

/** What a message says, checked. `null` is absent: chat.update tells "no blocks" from "not mentioned". */
export interface Content {
  text: string;
  blocks: JsonObject[] | null;
  attachments: JsonObject[] | null;
  metadata: JsonObject | null;
  linkNames: boolean;
  parse: string;
  warnings: string[];
}

/** Reads and checks the content arguments shared by the chat methods and by response URLs. */
export function readContent(room: Room, args: Args, defaults: { parse: string }): Content | Failure {
  const blocks = structured(args, "blocks");
  const attachments = structured(args, "attachments");
  const metadata = structured(args, "metadata");
  const markdown = text(args, "markdown_text");
  const given = text(args, "text") ?? "";
  if (blocks === "malformed") return fail("invalid_blocks_format");
  if (attachments === "malformed" || (attachments !== undefined && !Array.isArray(attachments)))
    return invalidArguments("must provide an array [json-pointer:/attachments]");
  if (markdown !== null && (given !== "" || blocks !== undefined)) return fail("markdown_text_conflict");
  if (markdown !== null && markdown.length > markdownTextChars) return fail("msg_too_long");
  const problem = metadataProblem(metadata);
  if (problem) return problem;
  if (Array.isArray(attachments) && attachments.length > attachmentsMax) return fail("too_many_attachments");
  const refused = blocksProblem(room, blocks, attachments);
  if (refused) return refused;
  const hasBlocks = Array.isArray(blocks) && blocks.length > 0;
  if (given === "" && markdown === null && !hasBlocks && list(attachments).length === 0) return fail("no_text");
  const truncated = given.length > textTruncatedChars;
  return {
    text: markdown ?? (truncated ? given.slice(0, textTruncatedChars) : given),
    blocks: markdown !== null ? [{ type: "markdown", text: markdown }] : hasBlocks ? (blocks as JsonObject[]) : null,
    attachments: list(attachments).length > 0 ? list(attachments) : null,
    metadata: isObject(metadata) ? metadata : null,
    linkNames: flag(args, "link_names") ?? false,
    parse: text(args, "parse") ?? defaults.parse,
    warnings: truncated ? ["message_truncated"] : [],
  };
}

/** All violations at once, in Slack's shape; null when Slack would take the blocks. */
export function blocksProblem(room: Room, blocks: unknown, attachments: unknown = undefined): Failure | null {
  // A text is always given: whether the message says anything at all is the method's question, not the blocks'.
  const payload = {
    text: "-",
    ...(blocks === undefined ? {} : { blocks }),
    ...(attachments === undefined ? {} : { attachments }),
  };
  const refused = refusal(validateMessage(payload, validateOptions(room)), "message");
  if (refused) return structuredClone(refused) as unknown as Failure;
  const messages: string[] = [];
  walk(blocks, "/blocks", (node, pointer) => {
    if (node["type"] !== "image") return;
    const file = node["slack_file"];
    if (isObject(file) && !knownFile(room, file))
      messages.push(`invalid slack file [json-pointer:${pointer}/slack_file]`);
    if (node["image_url"] && room.faults.on("imageDownloadsFail"))
      messages.push(`downloading image failed [json-pointer:${pointer}/image_url]`);
  });
  if (messages.length === 0) return null;
  return fail("invalid_blocks", {
    errors: messages,
    response_metadata: { messages: messages.map((message) => `[ERROR] ${message}`) },
  });
}

const knownFile = (room: Room, file: JsonObject) =>
  [...room.world.files.values()].some(
    (stored) => stored.completed && (stored.id === file["id"] || String(file["url"]).includes(`-${stored.id}/`)),
  );

function metadataProblem(metadata: unknown): Failure | null {
  if (metadata === undefined) return null;
  if (!isObject(metadata)) return fail("invalid_metadata_format");
  const payload = metadata["event_payload"];
  if (typeof metadata["event_type"] !== "string" || metadata["event_type"] === "" || !isObject(payload))
    return fail("invalid_metadata_schema");
  const values = Object.values(payload).flatMap((value) => (Array.isArray(value) ? value : [value]));
  const flat = (value: unknown) =>
    !isObject(value) || Object.values(value).every((inner) => !isObject(inner) && !Array.isArray(inner));
  if (!values.every(flat)) return fail("invalid_metadata_schema");
  return Buffer.byteLength(JSON.stringify(metadata)) > metadataBytes ? fail("metadata_too_large") : null;
}

/** Lint that needs the arguments rather than the stored message. */
export function lintArguments(room: Room, args: Args, content: Content, message: Message): void {
  const where = { channel: message.channel, ts: message.ts };
  if (flag(args, "unfurl_links") !== false) room.ledgers.lint("unfurl", "unfurl_links is not false", where);
  if (flag(args, "unfurl_media") !== false) room.ledgers.lint("unfurl", "unfurl_media is not false", where);
  if ((content.attachments?.length ?? 0) > attachmentsFlagged)
    room.ledgers.lint("many-attachments", "more than 20 attachments", where);
}

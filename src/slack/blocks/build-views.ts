import type { HomeView, KnownBlock, ModalView } from "@slack/types";
import { context, type Line, plainTextObject, requireAtMost } from "./build.ts";
import { escapedLength } from "./encode.ts";
import { fmt } from "./inline.ts";
import { LIMITS } from "./limits.ts";

/** A modal. `metadata` is an opaque id to look up, never state. Throws a RangeError when an id is too long. */
export function modal(spec: {
  readonly title: Line;
  readonly blocks: readonly KnownBlock[];
  readonly callbackId: string;
  readonly submit?: Line;
  readonly close?: Line;
  readonly metadata?: string;
  readonly notifyOnClose?: boolean;
}): ModalView {
  requireAtMost(escapedLength(spec.callbackId), "viewId");
  requireAtMost(escapedLength(spec.metadata ?? ""), "privateMetadata");
  return {
    type: "modal",
    title: plainTextObject(spec.title, "viewTitle"),
    blocks: fitView(spec.blocks),
    callback_id: spec.callbackId,
    close: plainTextObject(spec.close ?? "Cancel", "viewButton"),
    ...(spec.submit === undefined ? {} : { submit: plainTextObject(spec.submit, "viewButton") }),
    ...(spec.metadata === undefined ? {} : { private_metadata: spec.metadata }),
    ...(spec.notifyOnClose === undefined ? {} : { notify_on_close: spec.notifyOnClose }),
  };
}

export function home(blocks: readonly KnownBlock[]): HomeView {
  return { type: "home", blocks: fitView(blocks) };
}

/** Room for the view's own fields beside its blocks. */
const VIEW_FRAME_BYTES = 10_000;

/** As many blocks as a view holds, in number and in bytes; a last line says how many are missing. */
function fitView(blocks: readonly KnownBlock[]): KnownBlock[] {
  const encoder = new TextEncoder();
  let room = LIMITS.viewBytes - VIEW_FRAME_BYTES;
  const fitting = blocks.findIndex((block) => {
    room -= encoder.encode(JSON.stringify(block)).length + 1;
    return room < 0;
  });
  const count = fitting === -1 ? blocks.length : fitting;
  if (count === blocks.length && count <= LIMITS.viewBlocks) return [...blocks];
  const shown = blocks.slice(0, Math.min(count, LIMITS.viewBlocks - 1));
  return [...shown, context([fmt`… ${String(blocks.length - shown.length)} more blocks are not shown`])];
}

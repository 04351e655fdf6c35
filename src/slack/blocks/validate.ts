import { countedLength } from "./count.ts";
import { LIMITS } from "./limits.ts";
import {
  type Context,
  check,
  checkMax,
  checkShape,
  type Fields,
  isFields,
  type Surface,
  type Violation,
} from "./schema.ts";
import { BLOCK_SURFACES, BLOCKS } from "./shape-blocks.ts";
import { checkChartCount } from "./shape-charts.ts";
import { HOME_VIEW, MODAL_VIEW } from "./shape-views.ts";

export { refusal } from "./refusal.ts";
export type { Surface, Violation } from "./schema.ts";

export interface ValidateOptions {
  /** Block types this workspace does not know yet: answered with `unsupported type`. */
  readonly unsupportedTypes?: readonly string[];
  /** What all blocks of one message may count together; 12,000 unless told, 13,200 is what was measured. */
  readonly totalBudget?: number;
  /** Scopes the app has: `video` needs `links.embed:write`. Left out: scopes are not looked at. */
  readonly scopes?: readonly string[];
  /** `chat.update` and `chat.postEphemeral` refuse a `text` above 4,000; `chat.postMessage` does not. */
  readonly strictText?: boolean;
}

/**
 * Checks `text`, `blocks`, `markdown_text` and `attachments` of a message and returns every violation, with pointers
 * from the payload's root. Other arguments (channel, thread) are the method's business.
 */
export function validateMessage(payload: unknown, options: ValidateOptions = {}): Violation[] {
  const { context, violations } = collector("message", options);
  if (!isFields(payload)) {
    context.report("invalid_type", "must provide an object", "");
    return violations;
  }
  checkTexts(payload, context, options);
  if (payload["blocks"] !== undefined) checkBlocks(payload["blocks"], "/blocks", context, options);
  const attachments = payload["attachments"];
  if (attachments !== undefined && !Array.isArray(attachments)) {
    context.report("invalid_type", "must provide an array", "/attachments");
  } else if (Array.isArray(attachments)) {
    checkAttachments(attachments, context, options);
  }
  return violations;
}

/** Checks a list of blocks for one surface; pointers start with `/blocks`. */
export function validateBlocks(blocks: unknown, surface: Surface, options: ValidateOptions = {}): Violation[] {
  const { context, violations } = collector(surface, options);
  checkBlocks(blocks, "/blocks", context, options);
  return violations;
}

/** Checks a modal or Home view as sent by an app; pointers start with `/view`. */
export function validateView(view: unknown, options: ValidateOptions = {}): Violation[] {
  const type = isFields(view) ? view["type"] : undefined;
  const { context, violations } = collector(type === "home" ? "home" : "modal", options);
  if (!isFields(view)) {
    context.report("invalid_type", "must provide an object", "/view");
  } else if (type === undefined) {
    context.report("missing_field", "missing required field: type", "/view");
  } else if (type !== "modal" && type !== "home") {
    context.report("unsupported_type", `unsupported type: ${String(type)}`, "/view");
  } else {
    checkView(view, context, options);
  }
  return violations;
}

function collector(surface: Surface, options: ValidateOptions): { context: Context; violations: Violation[] } {
  const violations: Violation[] = [];
  const context: Context = {
    surface,
    unsupportedTypes: options.unsupportedTypes ?? [],
    report(code, message, pointer, constraint) {
      violations.push({
        code,
        message,
        pointer,
        constraint: constraint ?? null,
      });
    },
  };
  return { context, violations };
}

function checkTexts(payload: Fields, context: Context, options: ValidateOptions): void {
  const [text, markdown] = [payload["text"], payload["markdown_text"]];
  for (const name of ["text", "markdown_text"]) {
    if (payload[name] === undefined || typeof payload[name] === "string") continue;
    context.report("invalid_type", "must provide a string", `/${name}`);
  }
  if (typeof text === "string" && options.strictText === true && text.length > LIMITS.messageTextRecommended) {
    const constraint = {
      limit: "messageTextRecommended",
      actual: text.length,
    } as const;
    const allowed = LIMITS.messageTextRecommended;
    context.report("msg_too_long", `must be less than ${allowed + 1} characters`, "/text", { ...constraint, allowed });
  }
  if (typeof markdown === "string") checkMax(markdown.length, "markdownText", "characters", "/markdown_text", context);
  const hasBlocks = Array.isArray(payload["blocks"]) && payload["blocks"].length > 0;
  if (markdown !== undefined && ((text !== undefined && text !== "") || hasBlocks)) {
    context.report(
      "markdown_text_conflict",
      "`markdown_text` cannot be used with `text` or `blocks`",
      "/markdown_text",
    );
  }
  const hasAttachments = Array.isArray(payload["attachments"]) && payload["attachments"].length > 0;
  const hasText = [text, markdown].some((one) => typeof one === "string" && one.trim() !== "");
  // A `blocks` that is not a list is reported as such, not as an empty message.
  if (
    !hasText &&
    !hasBlocks &&
    !hasAttachments &&
    (payload["blocks"] === undefined || Array.isArray(payload["blocks"]))
  ) {
    context.report("no_text", "must define `text`, `blocks` or `attachments`", "");
  }
}

function checkAttachments(attachments: readonly unknown[], context: Context, options: ValidateOptions): void {
  if (attachments.length > LIMITS.attachments) {
    const constraint = {
      limit: "attachments",
      allowed: LIMITS.attachments,
      actual: attachments.length,
    } as const;
    context.report(
      "too_many_attachments",
      `no more than ${LIMITS.attachments} items allowed`,
      "/attachments",
      constraint,
    );
  }
  for (const [index, attachment] of attachments.entries()) {
    const at = `/attachments/${index}`;
    if (!isFields(attachment)) context.report("invalid_type", "must provide an object", at);
    else if (attachment["blocks"] !== undefined) checkBlocks(attachment["blocks"], `${at}/blocks`, context, options);
  }
}

function checkView(view: Fields, context: Context, options: ValidateOptions): void {
  checkShape(view, view["type"] === "modal" ? MODAL_VIEW : HOME_VIEW, "/view", context);
  const blocks = view["blocks"];
  if (blocks !== undefined) checkBlocks(blocks, "/view/blocks", context, options);
  const asks = Array.isArray(blocks) && blocks.some((block) => isFields(block) && block["type"] === "input");
  if (view["type"] === "modal" && asks && view["submit"] === undefined) {
    context.report("missing_submit", "must define `submit` to use an `input` block in modals", "/view");
  }
  const actual = new TextEncoder().encode(JSON.stringify(view)).length;
  if (actual <= LIMITS.viewBytes) return;
  const constraint = {
    limit: "viewBytes",
    allowed: LIMITS.viewBytes,
    actual,
  } as const;
  context.report("view_too_large", `must be at most ${LIMITS.viewBytes} bytes`, "/view", constraint);
}

function checkBlocks(blocks: unknown, at: string, context: Context, options: ValidateOptions): void {
  if (!Array.isArray(blocks)) {
    context.report("invalid_blocks_format", "must provide an array", at);
    return;
  }
  checkMax(blocks.length, context.surface === "message" ? "messageBlocks" : "viewBlocks", "items", at, context);
  for (const [index, block] of blocks.entries()) checkBlock(block, `${at}/${index}`, context, options);
  checkIds(blocks, at, context);
  checkFocus(blocks, at, context);
  checkChartCount(blocks, at, context);
  const markdown = blocks.filter((block) => isFields(block) && block["type"] === "markdown");
  // One block above the limit was reported where it stands; this is about the sum.
  if (markdown.length > 1) checkMax(countedLength(markdown), "markdown", "characters", at, context);
  if (context.surface === "message") checkBudget(blocks, at, context, options);
}

function checkBlock(block: unknown, at: string, context: Context, options: ValidateOptions): void {
  const type = isFields(block) ? block["type"] : undefined;
  const surfaces = typeof type === "string" && Object.hasOwn(BLOCK_SURFACES, type) ? BLOCK_SURFACES[type] : undefined;
  if (surfaces !== undefined && !surfaces.includes(context.surface)) {
    context.report("unsupported_type", `unsupported type: ${type}`, at);
    return;
  }
  if (type === "video" && options.scopes !== undefined && !options.scopes.includes("links.embed:write")) {
    context.report("missing_scope", "missing scope: links.embed:write", at);
  }
  check(block, { is: "tagged", among: () => BLOCKS }, at, context);
}

function checkBudget(blocks: readonly unknown[], at: string, context: Context, options: ValidateOptions): void {
  const allowed = options.totalBudget ?? LIMITS.messageBudget;
  const actual = countedLength(blocks);
  if (actual <= allowed) return;
  const constraint = { limit: "messageBudget", allowed, actual } as const;
  context.report(
    "msg_blocks_too_long",
    `all blocks together must be less than ${allowed + 1} characters`,
    at,
    constraint,
  );
}

/** `block_id` is unique in the payload, children of containers included; `action_id` is unique in its block. */
function checkIds(blocks: readonly unknown[], at: string, context: Context): void {
  const seen = new Set<unknown>();
  for (const { block, pointer } of withChildren(blocks, at)) {
    const id = block["block_id"];
    if (id !== undefined && seen.has(id)) {
      context.report("duplicate_id", `must have a unique \`block_id\`: ${String(id)}`, `${pointer}/block_id`);
    }
    seen.add(id);
    const actions = new Set<unknown>();
    for (const { element, pointer: where } of elementsIn(block, pointer)) {
      const action = element["action_id"];
      if (action !== undefined && actions.has(action)) {
        context.report("duplicate_id", `must have a unique \`action_id\`: ${String(action)}`, `${where}/action_id`);
      }
      actions.add(action);
    }
  }
}

/** Only one element of a view may take the focus when it opens (D: `focus_on_load` of every input element). */
function checkFocus(blocks: readonly unknown[], at: string, context: Context): void {
  const focused = withChildren(blocks, at)
    .flatMap(({ block, pointer }) => elementsIn(block, pointer))
    .filter(({ element }) => element["focus_on_load"] === true);
  for (const { pointer } of focused.slice(1)) {
    context.report("duplicate_focus", "only one element may have `focus_on_load`", `${pointer}/focus_on_load`);
  }
}

function withChildren(blocks: readonly unknown[], at: string): { block: Fields; pointer: string }[] {
  return blocks.flatMap((block, index) => {
    if (!isFields(block)) return [];
    const pointer = `${at}/${index}`;
    const nested = ["child_blocks", "elements", "tasks"].flatMap((name) =>
      Array.isArray(block[name]) && NESTING[String(block["type"])] === name
        ? withChildren(block[name], `${pointer}/${name}`)
        : [],
    );
    return [{ block, pointer }, ...nested];
  });
}

const NESTING: Readonly<Record<string, string>> = {
  container: "child_blocks",
  carousel: "elements",
  plan: "tasks",
};

function elementsIn(block: Fields, at: string): { element: Fields; pointer: string }[] {
  const lists = ["elements", "actions"].flatMap((name) => {
    const list = block[name];
    if (!Array.isArray(list)) return [];
    return list.map((element: unknown, index) => ({ element, pointer: `${at}/${name}/${index}` }));
  });
  const single = ["element", "accessory"].map((name) => ({
    element: block[name],
    pointer: `${at}/${name}`,
  }));
  const all: { element: unknown; pointer: string }[] = [...lists, ...single];
  return all.flatMap(({ element, pointer }) => (isFields(element) ? [{ element, pointer }] : []));
}

import { parseMrkdwn } from "./mrkdwn-parser.ts";
import { image, renderElement, stringOf, words } from "./render-elements.ts";
import { renderNewer } from "./render-newer.ts";
import { el, type RenderChild, type RenderNode } from "./render-node.ts";
import { list, type RenderOptions, renderNodes, renderRichText, renderTextObject } from "./render-text.ts";
import { type Fields, isFields, type Surface } from "./schema.ts";

export {
  RENDER_ATTRIBUTES,
  RENDER_TAGS,
  type RenderNode,
  toHtml,
} from "./render-node.ts";
export type { RenderOptions } from "./render-text.ts";

/** A list of blocks as Slack would lay it out. What it does not know is named, never left out. */
export function renderBlocks(blocks: readonly unknown[], surface: Surface, options: RenderOptions): RenderNode {
  return el(
    "div",
    { class: `blocks ${surface}` },
    blocks.filter(isFields).map((block, index) => renderBlock(block, index, options)),
  );
}

/** A message without blocks: its mrkdwn `text`. */
export function renderText(text: string, options: RenderOptions): RenderNode {
  return el("div", { class: "blocks message" }, [el("p", {}, renderNodes(parseMrkdwn(text), options))]);
}

/**
 * A modal or Home view. A modal's title is the first heading (Slack gives Home views one too, and shows it nowhere); the texts of submit and close are on the root
 * (`data-submit`, `data-close`), because their buttons belong to the page's dialog.
 */
export function renderView(view: unknown, options: RenderOptions): RenderNode {
  if (!isFields(view)) return el("div", { class: "blocks modal" });
  const surface = view["type"] === "home" ? "home" : "modal";
  const body = renderBlocks(list(view["blocks"]), surface, options);
  const title = surface === "modal" ? words(view["title"]) : "";
  const attributes = {
    class: `view ${surface}`,
    "data-submit": words(view["submit"]) || null,
    "data-close": surface === "modal" ? words(view["close"]) || "Cancel" : null,
    "data-callback-id": stringOf(view["callback_id"]),
  };
  return el("div", attributes, [...(title === "" ? [] : [el("h2", { class: "view-title" }, [title])]), body]);
}

/** Ids in the page come from block ids, which Slack (and the stand-in) generates where the app gives none. */
function renderBlock(block: Fields, index: number, options: RenderOptions): RenderNode {
  const type = String(block["type"]);
  const blockId = stringOf(block["block_id"]) ?? `block-${index}`;
  const attributes = {
    class: `block ${type}`,
    "data-block-id": blockId,
    "data-block-type": type,
  };
  const element = (value: Fields): RenderNode => renderElement(value, { blockId, options, input: null });
  const nested = (value: unknown): RenderNode[] =>
    list(value)
      .filter(isFields)
      .map((child, position) => renderBlock(child, position, options));
  const wrap = (children: readonly RenderChild[]): RenderNode => el("div", attributes, children);
  switch (type) {
    case "header":
      return wrap([el("h3", {}, renderTextObject(block["text"], options))]);
    case "section":
      return wrap(section(block, options, element));
    case "context":
      return wrap(
        list(block["elements"])
          .filter(isFields)
          .map((part) => contextPart(part, options)),
      );
    case "actions":
    case "context_actions":
      return wrap(list(block["elements"]).filter(isFields).map(element));
    case "divider":
      return wrap([el("hr")]);
    case "image":
      return wrap([figure(block, options)]);
    case "input":
      return wrap(input(block, blockId, options));
    case "rich_text":
      return wrap(renderRichText(block["elements"], options));
    default:
      return wrap(renderNewer(block, { options, element, nested }));
  }
}

function section(block: Fields, options: RenderOptions, element: (value: Fields) => RenderNode): RenderNode[] {
  const text = renderTextObject(block["text"], options);
  const fields = list(block["fields"]).map((field) => el("div", { class: "field" }, renderTextObject(field, options)));
  return [
    ...(text.length === 0 ? [] : [el("p", {}, text)]),
    ...(fields.length === 0 ? [] : [el("div", { class: "fields" }, fields)]),
    ...(isFields(block["accessory"]) ? [el("div", { class: "accessory" }, [element(block["accessory"])])] : []),
  ];
}

function contextPart(part: Fields, options: RenderOptions): RenderNode {
  if (part["type"] === "image") return image(part, options);
  return el("span", {}, renderTextObject(part, options));
}

function figure(block: Fields, options: RenderOptions): RenderNode {
  const title = words(block["title"]);
  const caption = title === "" ? [] : [el("figcaption", {}, [title])];
  return el("figure", {}, [...caption, image(block, options)]);
}

const GROUPED = ["checkboxes", "radio_buttons"];

function input(block: Fields, blockId: string, options: RenderOptions): RenderNode[] {
  const value = isFields(block["element"]) ? block["element"] : {};
  const id = `input-${blockId}`;
  const hint = words(block["hint"]);
  const hintId = hint === "" ? null : `hint-${blockId}`;
  const optional = block["optional"] === true;
  const label = words(block["label"]) + (optional ? " (optional)" : "");
  const place = {
    blockId,
    options,
    input: { id, hintId, label, required: !optional },
  };
  // A group of choices is named by its legend; a label can only point at one control.
  const named = GROUPED.includes(String(value["type"])) ? [] : [el("label", { for: id }, [label])];
  const dispatch = block["dispatch_action"] === true ? [el("span", { "data-dispatch": "" })] : [];
  const help = hintId === null ? [] : [el("p", { id: hintId, class: "hint" }, [hint])];
  return [...named, renderElement(value, place), ...help, ...dispatch];
}

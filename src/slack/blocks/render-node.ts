/**
 * A page described as data, in a closed set of tags and attributes. The page makes DOM from it with createElement,
 * setAttribute and text nodes; an export makes HTML with `toHtml`. No tag runs code and no attribute takes script.
 */
export const RENDER_TAGS = [
  "a",
  "b",
  "blockquote",
  "br",
  "button",
  "caption",
  "code",
  "details",
  "div",
  "fieldset",
  "figcaption",
  "figure",
  "h2",
  "h3",
  "hr",
  "i",
  "img",
  "input",
  "label",
  "legend",
  "li",
  "ol",
  "optgroup",
  "option",
  "p",
  "pre",
  "s",
  "section",
  "select",
  "span",
  "summary",
  "table",
  "tbody",
  "td",
  "textarea",
  "th",
  "thead",
  "time",
  "tr",
  "u",
  "ul",
] as const;

export const RENDER_ATTRIBUTES = [
  "alt",
  "aria-describedby",
  "aria-label",
  "aria-level",
  "aria-required",
  "autofocus",
  "checked",
  "class",
  "data-accept",
  "data-action-id",
  "data-block-id",
  "data-block-type",
  "data-broadcast",
  "data-callback-id",
  "data-channel-id",
  "data-close",
  "data-confirm",
  "data-default-to-current",
  "data-dispatch",
  "data-file-id",
  "data-filter",
  "data-initial",
  "data-max-items",
  "data-min-query-length",
  "data-name",
  "data-optional",
  "data-private",
  "data-submit",
  "data-type",
  "data-unix",
  "data-user-id",
  "data-usergroup-id",
  "data-value",
  "datetime",
  "disabled",
  "for",
  "href",
  "id",
  "inputmode",
  "label",
  "max",
  "maxlength",
  "min",
  "minlength",
  "multiple",
  "name",
  "open",
  "placeholder",
  "rel",
  "required",
  "role",
  "rows",
  "scope",
  "selected",
  "src",
  "step",
  "target",
  "title",
  "type",
  "value",
] as const;

export type RenderTag = (typeof RENDER_TAGS)[number];
export type RenderAttribute = (typeof RENDER_ATTRIBUTES)[number];

export interface RenderNode {
  readonly tag: RenderTag;
  /** Plain text values; an empty string for an attribute that only has to be there (`required`, `open`). */
  readonly attrs: Readonly<Partial<Record<RenderAttribute, string>>>;
  readonly children: readonly RenderChild[];
}
export type RenderChild = RenderNode | string;
type Attributes = Readonly<Partial<Record<RenderAttribute, string | null | undefined>>>;

/** Leaves out attributes that are null or undefined, and empty texts. */
export function el(tag: RenderTag, attrs: Attributes = {}, children: readonly RenderChild[] = []): RenderNode {
  const kept = Object.entries(attrs).filter(
    (entry): entry is [RenderAttribute, string] => typeof entry[1] === "string",
  );
  return {
    tag,
    attrs: Object.fromEntries(kept),
    children: children.filter((child) => child !== ""),
  };
}

/** HTML of one node; encodes every text and every attribute value. */
export function toHtml(node: RenderChild): string {
  if (typeof node === "string") return encode(node);
  const attributes = Object.entries(node.attrs).map(([name, value]) => ` ${name}="${encode(value)}"`);
  const open = `<${node.tag}${attributes.join("")}>`;
  if (VOID.has(node.tag)) return open;
  // HTML drops one line break right after these start tags, so one that belongs to the text needs another before it.
  const first = node.children[0];
  const guard = DROPS_BREAK.has(node.tag) && typeof first === "string" && first.startsWith("\n") ? "\n" : "";
  return `${open}${guard}${node.children.map(toHtml).join("")}</${node.tag}>`;
}

/** An address for href or src: absolute http(s) or a path on this server; anything else (javascript:, data:) is null. */
export function safeUrl(url: unknown): string | null {
  if (typeof url !== "string") return null;
  if (/^\/(?![/\\])/.test(url)) return url;
  try {
    const parsed = new URL(url);
    return parsed.protocol === "http:" || parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}

const VOID = new Set<RenderTag>(["br", "hr", "img", "input"]);
const DROPS_BREAK = new Set<RenderTag>(["pre", "textarea"]);

function encode(text: string): string {
  return text.replace(/[&<>"'\0]/g, (character) => ENTITIES[character] as string);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "\0": "\ufffd",
};

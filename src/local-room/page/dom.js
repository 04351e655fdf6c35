/**
 * The only place that makes elements. Text reaches the document as text nodes; there is no way from here to markup.
 *
 * @typedef {import("../../slack/blocks/render.ts").RenderNode} RenderNode
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, string | number | boolean | null | undefined | EventListener>} Props
 */

/**
 * Makes an element. `onclick`-like names with a function become listeners; `true` is an empty attribute; `false`,
 * `null` and `undefined` leave the attribute out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} parent
 * @param {readonly Child[]} children
 */
export function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

const TAGS = new Set(
  (
    "a b blockquote br button caption code details div fieldset figcaption figure h2 h3 hr i img input label legend li " +
    "ol optgroup option p pre s section select span summary table tbody td textarea th thead time tr u ul"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "alt aria-describedby aria-label aria-level aria-required checked class datetime disabled for href id inputmode " +
    "label max maxlength min minlength multiple name open placeholder required role rows scope selected src step title " +
    "type value"
  ).split(" "),
);
/** Ids that the renderer gives are unique in one message only, and a message may be shown twice. */
const ID_ATTRIBUTES = new Set(["id", "for", "name", "aria-describedby"]);
const SAFE_URL = /^(https?:\/\/|\/(?![/\\]))/i;
let trees = 0;

/**
 * Turns the server's tree into elements. A tag that is not in the list becomes a span, an attribute that is not in the
 * list is dropped: the page keeps its own lists, so that a fault in the renderer cannot become a script.
 *
 * @param {RenderNode | string} node
 * @param {string} [prefix] of ids; left out by callers
 * @returns {Node}
 */
export function fromRendered(node, prefix = `r${++trees}-`) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = document.createElement(TAGS.has(node.tag) ? node.tag : "span");
  for (const [name, value] of Object.entries(node.attrs)) {
    if (typeof value !== "string" || !isAllowed(node.tag, name, value)) continue;
    element.setAttribute(name, ID_ATTRIBUTES.has(name) ? prefix + value : value);
  }
  if (element instanceof HTMLAnchorElement && element.hasAttribute("href")) {
    element.target = "_blank";
    element.rel = "noopener noreferrer";
  }
  if (element instanceof HTMLButtonElement) element.type = "button";
  for (const child of node.children) element.append(fromRendered(child, prefix));
  if (element instanceof HTMLPreElement || element instanceof HTMLTableElement) return scrollable(element);
  return element;
}

/**
 * Evidence is not wrapped: it scrolls sideways, by keyboard too.
 *
 * @param {HTMLPreElement | HTMLTableElement} element
 */
function scrollable(element) {
  const isTable = element instanceof HTMLTableElement;
  const label = isTable ? (element.querySelector("caption")?.textContent ?? "Table") : "Preformatted text";
  return h(
    "div",
    {
      class: isTable ? "wide table-box" : "wide",
      tabindex: "0",
      role: "group",
      "aria-label": label,
    },
    element,
  );
}

/**
 * @param {string} tag
 * @param {string} name
 * @param {string} value
 */
function isAllowed(tag, name, value) {
  if (name === "href") return tag === "a" && SAFE_URL.test(value.trim());
  if (name === "src") return tag === "img" && SAFE_URL.test(value.trim());
  return ATTRIBUTES.has(name) || /^data-[a-z-]+$/.test(name);
}

/**
 * Makes the children of `parent` be the elements of `items`, in order, touching only what changed: an item whose
 * signature is the same keeps its element, with its focus, scroll position and half-typed text.
 *
 * @template T
 * @param {HTMLElement} parent
 * @param {readonly T[]} items
 * @param {{ key(item: T): string, signature(item: T): string, make(item: T): HTMLElement, carry?(from: HTMLElement, to: HTMLElement): void }} how
 */
export function reconcile(parent, items, how) {
  /** @type {Map<string, { element: HTMLElement, signature: string }>} */
  const before = keyed.get(parent) ?? new Map();
  /** @type {Map<string, { element: HTMLElement, signature: string }>} */
  const after = new Map();
  /** @type {ChildNode | null} */
  let cursor = parent.firstChild;
  for (const item of items) {
    const key = how.key(item);
    const signature = how.signature(item);
    const known = before.get(key);
    let element = known?.element;
    if (!known || known.signature !== signature) {
      element = how.make(item);
      if (known) {
        const oldElement = known.element;
        if (cursor === oldElement) cursor = element;
        replaceKeepingFocus(oldElement, element, how.carry);
      }
    }
    if (!element) continue;
    if (element === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(element, cursor);
    after.set(key, { element, signature });
    before.delete(key);
  }
  for (const { element } of before.values()) element.remove();
  keyed.set(parent, after);
}

/** @type {WeakMap<HTMLElement, Map<string, { element: HTMLElement, signature: string }>>} */
const keyed = new WeakMap();

/**
 * Replaces an element. When the focus was inside, it goes to the element with the same `data-focus` in the new one, or
 * to the new element itself, so that a keyboard user is never thrown to the top of the page by somebody else's edit.
 *
 * @param {HTMLElement} oldElement
 * @param {HTMLElement} newElement
 * @param {((from: HTMLElement, to: HTMLElement) => void) | undefined} carry
 */
export function replaceKeepingFocus(oldElement, newElement, carry) {
  const active = document.activeElement;
  const hadFocus = active instanceof HTMLElement && oldElement.contains(active);
  const focusKey = hadFocus ? focusKeyOf(active) : null;
  carry?.(oldElement, newElement);
  oldElement.replaceWith(newElement);
  if (!hadFocus) return;
  const same = [newElement, ...newElement.querySelectorAll("*")].find(
    (element) => element instanceof HTMLElement && focusKey !== "" && focusKeyOf(element) === focusKey,
  );
  const target = same instanceof HTMLElement ? same : newElement;
  if (target.tabIndex < 0 && !target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}

/** @param {HTMLElement} element */
function focusKeyOf(element) {
  const { focus, blockId, actionId, optionValue } = element.dataset;
  return focus ?? [blockId, actionId, optionValue].filter((part) => part !== undefined).join("/");
}

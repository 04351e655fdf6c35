import { askToConfirm } from "./dialog.js";
import { append, fromRendered, h } from "./dom.js";
import { collectValues, fieldValue, prepareFields } from "./fields.js";

/**
 * Buttons, selects and other elements of messages, Home and modals: one set of listeners for each container, so that a
 * redraw never has to attach anything.
 *
 * @typedef {import("./room.js").Room} Room
 * @typedef {{ channel?: string | undefined, ts?: string | undefined, viewId?: string | undefined }} Place
 *
 * @param {Room} room
 * @param {HTMLElement} container
 * @param {(element: HTMLElement) => Place} placeOf
 */
export function wireElements(room, container, placeOf) {
  container.addEventListener("click", (event) => {
    const element = actionElement(event);
    if (!element || !/^(BUTTON|A)$/.test(element.tagName)) return;
    closeOverflow(element);
    const isChoice = element.dataset.type === "overflow" || element.dataset.type === "feedback_buttons";
    act(room, element, placeOf(element), isChoice ? (element.dataset.value ?? "") : undefined);
  });
  container.addEventListener("change", (event) => {
    const element = actionElement(event);
    if (element && dispatchesOnChange(element)) act(room, element, placeOf(element), fieldValue(element));
  });
  container.addEventListener("keydown", (event) => {
    const element = actionElement(event);
    if (
      event.key === "Escape" &&
      event.target instanceof HTMLElement &&
      event.target.closest("details.overflow[open]")
    ) {
      event.preventDefault();
      event.stopPropagation();
      closeOverflow(event.target);
    }
    // On a closed select an arrow would choose at once, and choosing acts: open it instead.
    if (event.target instanceof HTMLSelectElement && !event.target.multiple && /^Arrow/.test(event.key)) {
      event.preventDefault();
      event.target.showPicker?.();
    }
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement) || !element) return;
    if (!element.closest("[data-block-type=input]")?.querySelector("[data-dispatch]")) return;
    event.preventDefault();
    act(room, element, placeOf(element), fieldValue(element));
  });
  new MutationObserver((records) => {
    for (const { addedNodes } of records)
      for (const node of addedNodes) if (node instanceof HTMLElement) prepareFields(room, node, placeOf);
  }).observe(container, { childList: true, subtree: true });
}

/**
 * @param {Event} event
 * @returns {HTMLElement | null}
 */
function actionElement(event) {
  return /** @type {HTMLElement} */ (event.target).closest?.("[data-action-id]") ?? null;
}

/** @param {HTMLElement} element */
function closeOverflow(element) {
  const details = element.closest("details.overflow");
  if (!(details instanceof HTMLDetailsElement)) return;
  details.open = false;
  details.querySelector("summary")?.focus({ preventScroll: true });
}

/**
 * Inputs of a form speak when the form is sent; elements of sections and actions, and inputs that ask for it, at once.
 *
 * @param {HTMLElement} element
 */
function dispatchesOnChange(element) {
  if (/^(BUTTON|A)$/.test(element.tagName)) return false;
  const input = element.closest("[data-block-type=input]");
  if (!input) return true;
  return input.querySelector("[data-dispatch]") !== null && !/input$/.test(element.dataset.type ?? "");
}

/**
 * @param {Room} room
 * @param {HTMLElement} element
 * @param {Place} place
 * @param {import("../protocol.ts").ControlValue | undefined} value
 */
async function act(room, element, place, value) {
  if (element.getAttribute("aria-busy") === "true") return;
  const confirm = confirmOf(element);
  if (confirm && !(await askToConfirm(confirm))) return;
  const scope = element.closest("article, .home-content, .modal-content");
  element.setAttribute("aria-busy", "true");
  const answer = await room.send("action", {
    ...(place.viewId ? { viewId: place.viewId } : { channel: place.channel, ts: place.ts }),
    blockId: element.dataset.blockId ?? "",
    actionId: element.dataset.actionId ?? "",
    ...(value === undefined ? {} : { value }),
    values: scope instanceof HTMLElement ? collectValues(scope) : {},
    ...(confirm ? { confirmed: true } : {}),
  });
  element.removeAttribute("aria-busy");
  if (!answer.ok) room.notice(answer.message);
}

/**
 * The confirm dialog that the app put on an element, or null.
 *
 * @param {HTMLElement} element
 */
function confirmOf(element) {
  if (element.dataset.confirm === undefined) return null;
  const confirm = JSON.parse(element.dataset.confirm);
  const body = h("div", { class: "blocks" });
  append(
    body,
    (confirm.rendered ?? [String(confirm.text?.text ?? "")]).map((/** @type {never} */ part) => fromRendered(part)),
  );
  return {
    title: String(confirm.title?.text ?? "Are you sure?"),
    body,
    confirm: String(confirm.confirm?.text ?? "Yes"),
    deny: String(confirm.deny?.text ?? "Cancel"),
    danger: confirm.style === "danger",
  };
}

import { h } from "./dom.js";

/**
 * @typedef {{ label: string, hint?: string, picture?: Node | null, checked?: boolean, run(): void } | "line"} MenuItem
 */

const GAP_PX = 4;

/** @type {(() => void) | null} */
let closeOpenMenu = null;

/**
 * A menu under a button: arrows, Home and End move, Enter and Space choose, Escape and Tab close, letters jump. The
 * focus returns to the button.
 *
 * @param {HTMLElement} button
 * @param {string} label
 * @param {MenuItem[]} items
 */
export function openMenu(button, label, items) {
  const wasMine = button.getAttribute("aria-expanded") === "true";
  closeOpenMenu?.();
  if (wasMine) return;

  const menu = h("div", { class: "menu", role: "menu", "aria-label": label });
  for (const item of items)
    menu.append(item === "line" ? h("div", { class: "menu-line", role: "separator" }) : entry(item));
  const choices = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll("button")]);

  /** @param {boolean} returnFocus */
  function close(returnFocus) {
    closeOpenMenu = null;
    document.removeEventListener("pointerdown", onOutside, true);
    window.removeEventListener("resize", onLeave);
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    if (returnFocus && button.isConnected) button.focus({ preventScroll: true });
  }
  /** @param {Event} event */
  const onOutside = (event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) close(false);
  };
  const onLeave = () => close(false);

  /** @param {Extract<MenuItem, object>} item */
  function entry(item) {
    const choice = h(
      "button",
      {
        type: "button",
        class: "menu-item",
        role: item.checked === undefined ? "menuitem" : "menuitemradio",
        "aria-checked": item.checked === undefined ? null : String(item.checked),
        tabindex: "-1",
      },
      item.picture ?? null,
      h("span", { class: "menu-label" }, item.label),
      item.hint ? h("span", { class: "menu-hint" }, item.hint) : null,
    );
    choice.addEventListener("click", () => {
      close(true);
      item.run();
    });
    return choice;
  }

  menu.addEventListener("keydown", (event) => {
    const at = choices.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = nextIndex(event, at, choices);
    if (to !== null) choices[to]?.focus();
    else if (event.key === "Escape") close(true);
    else if (event.key === "Tab") return close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // Inside an open modal dialog everything outside of it is inert, so the menu has to live in the dialog.
  (button.closest("dialog") ?? document.body).append(menu);
  button.setAttribute("aria-expanded", "true");
  place(menu, button);
  document.addEventListener("pointerdown", onOutside, true);
  window.addEventListener("resize", onLeave);
  closeOpenMenu = () => close(false);
  (choices.find((choice) => choice.getAttribute("aria-checked") === "true") ?? choices[0])?.focus();
}

/**
 * @param {KeyboardEvent} event
 * @param {number} at
 * @param {HTMLElement[]} choices
 */
function nextIndex(event, at, choices) {
  if (event.key === "ArrowDown") return (at + 1) % choices.length;
  if (event.key === "ArrowUp") return (at - 1 + choices.length) % choices.length;
  if (event.key === "Home") return 0;
  if (event.key === "End") return choices.length - 1;
  if (event.key.length !== 1 || event.key === " ") return null;
  const letter = event.key.toLowerCase();
  const order = choices.map((_, index) => (at + 1 + index) % choices.length);
  return order.find((index) => choices[index]?.textContent?.trim().toLowerCase().startsWith(letter)) ?? null;
}

/**
 * @param {HTMLElement} menu
 * @param {HTMLElement} button
 */
function place(menu, button) {
  const from = button.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const below = from.bottom + GAP_PX + size.height <= innerHeight;
  const top = below ? from.bottom + GAP_PX : Math.max(GAP_PX, from.top - GAP_PX - size.height);
  const left = Math.max(GAP_PX, Math.min(from.left, innerWidth - size.width - GAP_PX));
  menu.style.top = `${top}px`;
  menu.style.left = `${left}px`;
}

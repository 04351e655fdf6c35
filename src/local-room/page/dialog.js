import { append, h } from "./dom.js";

/**
 * Opens a modal dialog that keeps the focus inside and gives it back to where it was. The browser's own dialog makes
 * the rest of the page inert.
 *
 * @param {{ class: string, label: string, children: import("./dom.js").Child[], onCancel(): void }} options
 */
export function openDialog({ class: className, label, children, onCancel }) {
  const before = document.activeElement;
  const dialog = h("dialog", {
    class: `dialog ${className}`,
    "aria-label": label,
  });
  append(dialog, children);
  dialog.addEventListener("cancel", (event) => {
    // An Escape inside a file input or a menu bubbles up here, too.
    if (event.target !== dialog) return;
    event.preventDefault();
    onCancel();
  });
  document.body.append(dialog);
  dialog.showModal();
  return {
    dialog,
    close() {
      dialog.close();
      dialog.remove();
      const target = before instanceof HTMLElement && before.isConnected ? before : replacementOf(before);
      target?.focus({ preventScroll: true });
    },
  };
}

/**
 * The message that held the button was redrawn meanwhile: its new element.
 *
 * @param {Element | null} gone
 * @returns {HTMLElement | null}
 */
function replacementOf(gone) {
  const ts = gone?.closest("article")?.dataset.ts;
  const article = ts ? document.querySelector(`article[data-ts="${CSS.escape(ts)}"]`) : null;
  return article instanceof HTMLElement ? article : document.querySelector("#composer-input");
}

/**
 * Asks before something happens. Escape and the deny button both mean no, and the focus starts there: a second Enter,
 * pressed by a tired hand, must not approve anything.
 *
 * @param {{ title: string, body: Node, confirm: string, deny: string, danger: boolean }} words
 * @returns {Promise<boolean>}
 */
export function askToConfirm({ title, body, confirm, deny, danger }) {
  return new Promise((resolve) => {
    const yes = h("button", { type: "button", class: danger ? "button danger" : "button primary" }, confirm);
    const no = h("button", { type: "button", class: "button" }, deny);
    const opened = openDialog({
      class: "confirm",
      label: title,
      children: [
        h("h2", {}, title),
        h(
          "div",
          {
            class: "dialog-body",
            tabindex: "0",
            role: "region",
            "aria-label": "What will be done",
          },
          body,
        ),
        h("div", { class: "dialog-buttons" }, no, yes),
      ],
      onCancel: () => answer(false),
    });
    /** @param {boolean} agreed */
    function answer(agreed) {
      opened.close();
      resolve(agreed);
    }
    yes.addEventListener("click", () => answer(true));
    no.addEventListener("click", () => answer(false));
    no.focus();
  });
}

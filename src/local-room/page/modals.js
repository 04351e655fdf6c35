import { openDialog } from "./dialog.js";
import { fromRendered, h } from "./dom.js";
import { wireElements } from "./elements.js";
import { collectValues, prepareFields, problemsIn, restoreValues } from "./fields.js";
import { icon } from "./icons.js";

/**
 * The stack of modals of the person who acts; the last one is shown. What was typed in a view below, or before an
 * update, is kept.
 *
 * @typedef {import("../protocol.ts").ViewState} ViewState
 * @typedef {import("./room.js").Room} Room
 *
 * @param {Room} room
 */
export function createModals(room) {
  /** @type {ReturnType<typeof openDialog> | null} */
  let opened = null;
  let drawn = "";
  let shownId = "";
  let sending = false;
  /** Closed here, not yet confirmed by the server. @type {Set<string>} */
  const closed = new Set();
  /** @type {Map<string, import("../protocol.ts").ControlValues>} */
  const typed = new Map();

  const title = h("h2", { class: "modal-title" });
  const back = h("button", { type: "button", class: "icon-button" }, icon("back"));
  const cross = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "Close",
      title: "Close (Escape)",
    },
    icon("close"),
  );
  const problem = h("div", { class: "modal-problem", role: "alert" });
  const content = h("div", { class: "modal-content" });
  const cancel = h("button", { type: "button", class: "button" });
  const submit = h("button", { type: "submit", class: "button primary" });
  const buttons = h("div", { class: "dialog-buttons" }, cancel, submit);
  const form = h(
    "form",
    { class: "modal-form", novalidate: true },
    h("div", { class: "modal-head" }, back, title, cross),
    h("div", { class: "dialog-body" }, problem, content),
    buttons,
  );
  wireElements(room, content, () => ({ viewId: top()?.id }));
  back.addEventListener("click", () => close(false));
  cancel.addEventListener("click", () => close(false));
  cross.addEventListener("click", () => close(true));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });

  function stack() {
    return room.state.modals.filter((view) => !closed.has(view.id));
  }
  function top() {
    return stack().at(-1);
  }

  /** @param {boolean} all */
  async function close(all) {
    const views = stack();
    const view = views.at(-1);
    if (!view) return;
    for (const each of all ? views : [view]) closed.add(each.id);
    draw();
    const answer = await room.send("view-close", { viewId: view.id, all });
    if (!answer.ok && answer.error !== "not_found") room.notice(answer.message);
    room.refresh();
  }

  async function send() {
    const view = top();
    if (!view || sending) return;
    const problems = problemsIn(content);
    showProblems(problems);
    if (Object.keys(problems).length > 0) return;
    setSending(view, true);
    const answer = await room.send("view-submit", {
      viewId: view.id,
      values: collectValues(content),
    });
    setSending(view, false);
    if (answer.ok) {
      if (answer.outcome === "closed" || answer.outcome === "cleared") {
        for (const each of answer.outcome === "cleared" ? stack() : [view]) closed.add(each.id);
        draw();
      }
    } else if (answer.fieldErrors && Object.keys(answer.fieldErrors).length > 0) showProblems(answer.fieldErrors);
    else problem.textContent = answer.message;
    room.refresh();
  }

  /** @param {ViewState} view @param {boolean} on */
  function setSending(view, on) {
    sending = on;
    form.setAttribute("aria-busy", String(on));
    submit.disabled = on;
    submit.textContent = on ? "Sending…" : (view.submit ?? "");
  }

  /** @param {Record<string, string>} problems by block id */
  function showProblems(problems) {
    problem.textContent = "";
    for (const old of content.querySelectorAll(".field-problem")) old.remove();
    for (const field of content.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-errormessage");
    }
    for (const [index, [blockId, words]] of Object.entries(problems).entries()) {
      const block = content.querySelector(`[data-block-type][data-block-id="${CSS.escape(blockId)}"]`);
      const field = block?.querySelector("[data-action-id]");
      if (!block || !(field instanceof HTMLElement)) {
        problem.textContent = words;
        continue;
      }
      const id = `field-problem-${index}`;
      block.append(h("p", { class: "field-problem", id, role: "alert" }, words));
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-errormessage", id);
      if (index === 0) (field instanceof HTMLFieldSetElement ? field.querySelector("input") : field)?.focus();
    }
  }

  function draw() {
    for (const id of closed) if (!room.state.modals.some((view) => view.id === id)) closed.delete(id);
    const views = stack();
    const view = views.at(-1);
    if (!view) {
      opened?.close();
      opened = null;
      drawn = "";
      shownId = "";
      typed.clear();
      return;
    }
    const signature = JSON.stringify([view.id, view.rendered, view.errors, view.trouble, views.length]);
    if (signature === drawn) return;
    drawn = signature;
    if (shownId !== "") typed.set(shownId, collectValues(content));
    opened ??= openDialog({
      class: "modal",
      label: view.title ?? "Dialog",
      children: [form],
      onCancel: () => close(false),
    });
    opened.dialog.setAttribute("aria-label", view.title ?? "Dialog");
    drawView(view, views.at(-2));
  }

  /** @param {ViewState} view @param {ViewState | undefined} below */
  function drawView(view, below) {
    const another = view.id !== shownId;
    const hadFocus = content.contains(document.activeElement) ? focusName(document.activeElement) : "";
    shownId = view.id;
    title.textContent = view.title ?? "";
    back.hidden = !below;
    back.setAttribute("aria-label", `Back to ${below?.title ?? "the previous step"}`);
    cancel.textContent = view.close ?? "Close";
    submit.hidden = view.submit === null;
    submit.textContent = view.submit ?? "";
    content.replaceChildren(fromRendered(view.rendered));
    prepareFields(room, content, () => ({ viewId: view.id }));
    restoreValues(content, typed.get(view.id) ?? {});
    showProblems(view.errors);
    if (view.trouble) problem.textContent = view.trouble;
    if (Object.keys(view.errors).length > 0) return;
    const same = [...content.querySelectorAll("[data-action-id]")].find(
      (field) => !another && focusName(field) === hadFocus,
    );
    const first = content.querySelector("[autofocus], input, textarea, select");
    const target = same ?? (another || hadFocus !== "" ? (first ?? (submit.hidden ? cancel : submit)) : null);
    if (target instanceof HTMLElement) target.focus();
  }

  return { draw };
}

/** @param {Element | null} element */
function focusName(element) {
  const data = element instanceof HTMLElement ? element.dataset : {};
  return data.actionId ? `${data.blockId}/${data.actionId}` : "";
}

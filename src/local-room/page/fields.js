import { h } from "./dom.js";

/**
 * Inputs: what they hold, how the room fills those whose choices live in the workspace, and the checks that Slack's
 * client makes before a modal is sent.
 *
 * @typedef {import("../protocol.ts").ControlValue} ControlValue
 * @typedef {import("../protocol.ts").ControlValues} ControlValues
 * @typedef {import("./room.js").Room} Room
 */

const TYPING_PAUSE_MS = 200;

/**
 * @param {HTMLElement} element with `data-action-id`
 * @returns {ControlValue}
 */
export function fieldValue(element) {
  if (element instanceof HTMLFieldSetElement) {
    const chosen = [...element.querySelectorAll("input")].filter((input) => input.checked).map((input) => input.value);
    return element.dataset.type === "radio_buttons" ? (chosen[0] ?? null) : chosen;
  }
  if (element instanceof HTMLSelectElement) {
    if (element.multiple) return [...element.selectedOptions].map((option) => option.value);
    return element.value === "" ? null : element.value;
  }
  if (element instanceof HTMLInputElement && element.type === "datetime-local")
    return element.value === "" ? null : String(Math.floor(new Date(element.value).getTime() / 1000));
  if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)
    return element.value === "" ? null : element.value;
  return null;
}

/**
 * @param {HTMLElement} scope
 * @returns {ControlValues}
 */
export function collectValues(scope) {
  /** @type {ControlValues} */
  const values = {};
  for (const field of fieldsIn(scope)) {
    const { blockId = "", actionId = "" } = field.dataset;
    values[blockId] = { ...values[blockId], [actionId]: fieldValue(field) };
  }
  return values;
}

/**
 * Puts back what a person had typed, where block and action are still the same, as Slack does when a view is updated.
 *
 * @param {HTMLElement} scope
 * @param {ControlValues} values
 */
export function restoreValues(scope, values) {
  for (const field of fieldsIn(scope)) {
    const value = values[field.dataset.blockId ?? ""]?.[field.dataset.actionId ?? ""];
    if (value === undefined) continue;
    const list = Array.isArray(value) ? value : value === null ? [] : [value];
    if (field instanceof HTMLFieldSetElement)
      for (const input of field.querySelectorAll("input")) input.checked = list.includes(input.value);
    else if (field instanceof HTMLSelectElement)
      for (const option of field.options) option.selected = list.includes(option.value);
    else if (field instanceof HTMLInputElement && field.type === "datetime-local" && list[0]) setUnix(field, list[0]);
    else if (field instanceof HTMLTextAreaElement || (field instanceof HTMLInputElement && field.type !== "file"))
      field.value = list[0] ?? "";
  }
}

/**
 * Sentences by block id for what the browser can check; empty when the form may be sent.
 *
 * @param {HTMLElement} scope
 * @returns {Record<string, string>}
 */
export function problemsIn(scope) {
  /** @type {Record<string, string>} */
  const problems = {};
  for (const field of fieldsIn(scope)) {
    if (!field.closest("[data-block-type=input]")) continue;
    const problem = problemOf(field);
    if (problem) problems[field.dataset.blockId ?? ""] = problem;
  }
  return problems;
}

/** @param {HTMLElement} field */
function problemOf(field) {
  const value = fieldValue(field);
  const isEmpty = value === null || value.length === 0 || (typeof value === "string" && value.trim() === "");
  if (field instanceof HTMLFieldSetElement)
    return isEmpty && field.dataset.optional === undefined ? "Please choose." : null;
  if (
    !(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement)
  )
    return null;
  if (isEmpty && field.required) return "Please fill in this field.";
  if (isEmpty) return field.validity.badInput ? "Please write a number." : null;
  if (field instanceof HTMLSelectElement) {
    const most = Number(field.dataset.maxItems ?? Number.POSITIVE_INFINITY);
    return Array.isArray(value) && value.length > most ? `Choose ${most} at most.` : null;
  }
  const length = String(value).length;
  if (field.minLength > 0 && length < field.minLength) return `Please write at least ${field.minLength} characters.`;
  if (field.maxLength > 0 && length > field.maxLength) return `Please write at most ${field.maxLength} characters.`;
  return field.validity.valid ? null : rangeWords(field);
}

/** @param {HTMLInputElement | HTMLTextAreaElement} field */
function rangeWords(field) {
  const { validity } = field;
  if (!(field instanceof HTMLInputElement)) return field.validationMessage;
  if (validity.rangeUnderflow) return `Please write ${field.min} or more.`;
  if (validity.rangeOverflow) return `Please write ${field.max} or less.`;
  if (validity.stepMismatch) return "Please write a whole number.";
  if (field.type === "email") return "Please write an email address.";
  if (field.type === "url") return "Please write an address that starts with https://.";
  return field.validationMessage;
}

/** @param {HTMLElement} scope */
function fieldsIn(scope) {
  return /** @type {HTMLElement[]} */ ([
    ...scope.querySelectorAll(
      "fieldset[data-action-id], select[data-action-id], textarea[data-action-id], input[data-action-id]",
    ),
  ]);
}

/**
 * Fills what the server cannot know: the people and channels of the room, choices that the bot is asked for, and times
 * in the browser's own zone.
 *
 * @param {Room} room
 * @param {HTMLElement} scope
 * @param {(element: HTMLElement) => object} placeOf
 */
export function prepareFields(room, scope, placeOf) {
  for (const field of fieldsIn(scope)) {
    if (field.dataset.ready) continue;
    field.dataset.ready = "yes";
    const type = field.dataset.type ?? "";
    if (field instanceof HTMLInputElement && field.dataset.unix) setUnix(field, field.dataset.unix);
    if (!(field instanceof HTMLSelectElement)) continue;
    if (type.endsWith("external_select")) askWhileTyping(room, field, placeOf);
    else fillFromRoom(room, field, type);
  }
}

/**
 * @param {Room} room
 * @param {HTMLSelectElement} field
 * @param {string} type
 */
function fillFromRoom(room, field, type) {
  const initial = new Set(JSON.parse(field.dataset.initial ?? "[]"));
  if (field.dataset.defaultToCurrent !== undefined) initial.add(room.place);
  const { users, channels } = room.state;
  const people = users
    .filter((user) => !user.deleted)
    .map((user) => ({ id: user.id, name: user.displayName || user.name }));
  const places = channels
    .filter((channel) => !channel.archived)
    .map((channel) => ({
      id: channel.id,
      name: channel.type === "im" ? channel.name : `#${channel.name}`,
    }));
  const choices = type.endsWith("users_select")
    ? people
    : type.endsWith("conversations_select")
      ? places
      : type.endsWith("channels_select")
        ? places.filter(({ name }) => name.startsWith("#"))
        : [];
  for (const { id, name } of choices) field.append(h("option", { value: id, selected: initial.has(id) }, name));
}

/**
 * An external select: a search box over the choices, which the bot answers.
 *
 * @param {Room} room
 * @param {HTMLSelectElement} field
 * @param {(element: HTMLElement) => object} placeOf
 */
function askWhileTyping(room, field, placeOf) {
  const least = Number(field.dataset.minQueryLength ?? 3);
  const search = h("input", {
    type: "search",
    class: "option-search",
    placeholder: least > 0 ? `Type at least ${least} ${least === 1 ? "character" : "characters"}` : "Search",
    "aria-label": "Search the choices",
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  search.addEventListener("change", (event) => event.stopPropagation());
  search.addEventListener("input", () => {
    clearTimeout(timer);
    if (search.value.length >= least) timer = setTimeout(ask, TYPING_PAUSE_MS);
  });
  field.before(search);
  if (least === 0) ask();

  async function ask() {
    const query = search.value;
    const { blockId, actionId } = field.dataset;
    const answer = await room.send("options", {
      ...placeOf(field),
      blockId,
      actionId,
      query,
    });
    if (query !== search.value) return;
    if (!answer.ok) return room.notice(answer.message);
    const { options = [], groups = [] } = /** @type {import("../protocol.ts").OptionsAnswer & { ok: true }} */ (
      /** @type {unknown} */ (answer)
    );
    const kept = [...field.selectedOptions];
    field.replaceChildren(
      ...(field.multiple || kept.some((option) => option.value === "") ? [] : [h("option", { value: "" }, "Choose…")]),
      ...kept,
      ...options.map(toOption),
      ...groups.map((group) => h("optgroup", { label: group.label }, ...group.options.map(toOption))),
    );
    room.announce(`${options.length + groups.flatMap((group) => group.options).length} choices`);
  }
}

/** @param {import("../protocol.ts").OptionState} option */
function toOption({ text, value, description }) {
  return h("option", { value }, description ? `${text} (${description})` : text);
}

/**
 * @param {HTMLInputElement} field
 * @param {string} unixSeconds
 */
function setUnix(field, unixSeconds) {
  const at = new Date(Number(unixSeconds) * 1000);
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  field.value = local.toISOString().slice(0, 16);
}

import { h } from "./dom.js";
import { avatar } from "./people.js";

/**
 * Completion under the composer: `/` at the start offers the manifest's commands, `@` people and user groups, `#`
 * channels. Arrows choose, Enter or Tab takes, Escape puts it away.
 *
 * @typedef {import("./room.js").Room} Room
 * @typedef {{ insert: string, label: string, hint: string, picture: Node | null }} Suggestion
 */

const MOST_SUGGESTIONS = 8;

/**
 * @param {Room} room
 * @param {HTMLTextAreaElement} input
 * @param {HTMLElement} holder
 */
export function createCompletion(room, input, holder) {
  const listId = `${input.id}-suggestions`;
  const list = h("div", {
    class: "suggestions",
    id: listId,
    role: "listbox",
    "aria-label": "Suggestions",
    hidden: true,
  });
  holder.append(list);
  input.setAttribute("aria-autocomplete", "list");
  /** @type {Suggestion[]} */
  let offered = [];
  let chosen = 0;
  /** What Escape put away: the same word is not offered again until it changes. */
  let dismissed = "";

  input.addEventListener("input", offer);
  input.addEventListener("click", offer);
  input.addEventListener("blur", () => hide());

  function offer() {
    const word = wordBefore(input);
    if (word === dismissed) return;
    dismissed = "";
    offered = word === "" ? [] : suggestionsFor(room, word, input.value).slice(0, MOST_SUGGESTIONS);
    if (offered.length === 1 && offered[0]?.insert.trim() === word) offered = [];
    chosen = 0;
    draw();
    if (offered.length > 0) room.announce(`${offered.length} suggestions, ${offered[0]?.label}`);
  }

  function hide() {
    offered = [];
    draw();
  }

  function draw() {
    list.hidden = offered.length === 0;
    list.replaceChildren(...offered.map((suggestion, index) => row(suggestion, index)));
    if (list.hidden) {
      input.removeAttribute("aria-activedescendant");
      input.removeAttribute("aria-controls");
    } else {
      input.setAttribute("aria-controls", listId);
      input.setAttribute("aria-activedescendant", `${listId}-${chosen}`);
    }
  }

  /**
   * @param {Suggestion} suggestion
   * @param {number} index
   */
  function row(suggestion, index) {
    const option = h(
      "div",
      {
        class: "suggestion",
        role: "option",
        id: `${listId}-${index}`,
        "aria-selected": String(index === chosen),
      },
      suggestion.picture,
      h("span", { class: "suggestion-label" }, suggestion.label),
      h("span", { class: "suggestion-hint" }, suggestion.hint),
    );
    // The field keeps the focus: a press must not blur it before the click arrives.
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => take(index));
    return option;
  }

  /** @param {number} index */
  function take(index) {
    const suggestion = offered[index];
    const word = wordBefore(input);
    if (!suggestion) return;
    const end = input.selectionStart;
    input.setRangeText(`${suggestion.insert} `, end - word.length, end, "end");
    hide();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  return {
    /** Whether the key was meant for the list. @param {KeyboardEvent} event */
    takesKey(event) {
      if (offered.length === 0) return false;
      if (event.key === "ArrowDown") chosen = (chosen + 1) % offered.length;
      else if (event.key === "ArrowUp") chosen = (chosen - 1 + offered.length) % offered.length;
      else if (event.key === "Enter" || event.key === "Tab") {
        take(chosen);
        return true;
      } else if (event.key === "Escape") {
        dismissed = wordBefore(input);
        hide();
        return true;
      } else return false;
      draw();
      room.announce(offered[chosen]?.label ?? "");
      return true;
    },
  };
}

/**
 * The word that ends at the caret, if it starts with a sign that completion knows; else nothing.
 *
 * @param {HTMLTextAreaElement} input
 */
function wordBefore(input) {
  const before = input.value.slice(0, input.selectionStart);
  const word = /(?:^|\s)([@#][\p{L}\p{N}._-]*)$/u.exec(before)?.[1];
  if (word !== undefined) return word;
  return /^\/[a-z0-9_-]*$/i.test(before) ? before : "";
}

/**
 * @param {Room} room
 * @param {string} word
 * @param {string} line
 * @returns {Suggestion[]}
 */
function suggestionsFor(room, word, line) {
  const { state } = room;
  const typed = word.slice(1).toLowerCase();
  if (word.startsWith("/") && line.startsWith("/"))
    return state.commands
      .filter(({ command }) => command.toLowerCase().startsWith(word.toLowerCase()))
      .map(({ command, description, usageHint }) => ({
        insert: command,
        label: usageHint ? `${command} ${usageHint}` : command,
        hint: description,
        picture: null,
      }));
  if (word.startsWith("#"))
    return state.channels
      .filter((channel) => channel.type !== "im" && channel.name.toLowerCase().includes(typed))
      .map((channel) => ({
        insert: `#${channel.name}`,
        label: `#${channel.name}`,
        hint: channel.topic,
        picture: null,
      }));
  const people = state.users
    .filter((user) => !user.deleted && `${user.name} ${user.displayName}`.toLowerCase().includes(typed))
    .map((user) => ({
      insert: `@${user.name}`,
      label: user.displayName || user.name,
      hint: `@${user.name}${user.isBot ? " · app" : user.id === room.actor ? " · you" : ""}`,
      picture: avatar(state, user.id, "small"),
    }));
  const groups = state.userGroups
    .filter((group) => `${group.handle} ${group.name}`.toLowerCase().includes(typed))
    .map((group) => ({
      insert: `@${group.handle}`,
      label: `@${group.handle}`,
      hint: group.name,
      picture: null,
    }));
  return [...people, ...groups];
}

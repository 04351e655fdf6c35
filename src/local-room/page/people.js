import { h } from "./dom.js";

/**
 * Who is who, as the page shows them.
 *
 * @typedef {import("../protocol.ts").RoomState} RoomState
 * @typedef {import("../protocol.ts").UserState} UserState
 */

const COLOURS = 8;

/**
 * @param {RoomState} state
 * @param {string} id
 */
export function nameOf(state, id) {
  const user = state.users.find((candidate) => candidate.id === id);
  return user ? user.displayName || user.name : id;
}

/**
 * A square with initials; decoration, because the name always stands beside it.
 *
 * @param {RoomState} state
 * @param {string} id
 * @param {string} [size] "small" for thread summaries and menus
 */
export function avatar(state, id, size = "") {
  const user = state.users.find((candidate) => candidate.id === id);
  const name = nameOf(state, id);
  const kind = user?.isBot ? "bot" : `colour-${colourOf(id)}`;
  return h("span", { class: `avatar ${size} ${kind}`, "aria-hidden": "true" }, initials(name));
}

/** @param {string} name */
function initials(name) {
  const words = name.split(/[\s._-]+/).filter((word) => word !== "");
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0] ?? "?"];
  return letters
    .map((word) => Array.from(word ?? "")[0] ?? "")
    .join("")
    .toUpperCase();
}

/** @param {string} id */
function colourOf(id) {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % COLOURS;
}

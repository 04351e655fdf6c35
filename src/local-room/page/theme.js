import { byId } from "./dom.js";
import { icon } from "./icons.js";

/** Light, dark, or as the system says. Kept for the next visit. */
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const WORDS = { auto: "as the system says", light: "light", dark: "dark" };
const PICTURES = /** @type {const} */ ({
  auto: "auto",
  light: "sun",
  dark: "moon",
});
const KEY = "room137.theme";

export function startTheme() {
  const button = byId("theme");
  let at = Math.max(0, /** @type {readonly (string | null)[]} */ (THEMES).indexOf(localStorage.getItem(KEY)));

  function draw() {
    const theme = THEMES[at] ?? "auto";
    const next = THEMES[(at + 1) % THEMES.length] ?? "auto";
    document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(PICTURES[theme]));
    const label = `Colours: ${WORDS[theme]}. Switch to ${WORDS[next]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  }
  button.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    localStorage.setItem(KEY, THEMES[at] ?? "auto");
    draw();
  });
  draw();
}

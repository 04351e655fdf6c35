/** Line icons on a 20 by 20 grid, drawn with the text's own colour. Always hidden from assistive technology. */
const SHAPES = {
  hash: "M7.5 3 5.5 17M14.5 3l-2 14M3.5 7.5h14M2.5 12.5h14",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.7-2.7a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-2.7 2.7a3 3 0 0 0 4.3 4.3l1-1",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  home: "M3 9.5 10 3l7 6.5M5 8.5V17h10V8.5",
  menu: "M3 5h14M3 10h14M3 15h14",
  back: "M12 4l-6 6 6 6",
  close: "M5 5l10 10M15 5 5 15",
  reply: "M3 4h14v9h-7l-4 4v-4H3z",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  react: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M7.3 8h.01M12.7 8h.01M6.7 11.8c1.6 2.4 5 2.4 6.6 0",
  gauge: "M3 14.5a7.5 7.5 0 1 1 14 0M10 12l3.5-4.5",
  sun: "M10 6.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4",
  moon: "M16.5 12.3A7 7 0 0 1 7.7 3.5a7 7 0 1 0 8.8 8.8",
  auto: "M10 2.5a7.5 7.5 0 1 0 0 15zM10 2.5a7.5 7.5 0 0 1 0 15",
  send: "M3 10 17 3.5 12.5 17l-2.8-5.2z",
  eye: "M1.8 10S5 4.5 10 4.5 18.2 10 18.2 10 15 15.5 10 15.5 1.8 10 1.8 10M10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  file: "M5 2.5h6l4 4v11H5zM11 2.5v4h4",
  bolt: "M11 2 4.5 11.5H10L9 18l6.5-9.5H10z",
  down: "M10 4v12M5 11l5 5 5-5",
  person: "M10 3a3.2 3.2 0 1 0 0 6.4A3.2 3.2 0 0 0 10 3M3.5 17c.6-3.8 3.2-5.2 6.5-5.2s5.9 1.4 6.5 5.2",
};

/**
 * @param {keyof typeof SHAPES} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** Reactions offered in the menu, and how the common names look. An unknown name is shown as `:name:`. */
const EMOJI = new Map(
  Object.entries({
    eyes: "👀",
    white_check_mark: "✅",
    "+1": "👍",
    thumbsup: "👍",
    "-1": "👎",
    x: "❌",
    warning: "⚠️",
    fire: "🔥",
    rotating_light: "🚨",
    hourglass_flowing_sand: "⏳",
    memo: "📝",
    tada: "🎉",
    heart: "❤️",
    raised_hands: "🙌",
    pushpin: "📌",
    question: "❓",
  }),
);
export const REACTION_CHOICES = ["eyes", "white_check_mark", "+1", "warning", "raised_hands", "memo"];

/** @param {string} name */
export function emoji(name) {
  return EMOJI.get(name) ?? `:${name}:`;
}

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { fileSize } from "./time.js";

/**
 * @typedef {import("../protocol.ts").FileState} FileState
 */

/** Text above this size is only offered for download. */
const PREVIEW_MAX_BYTES = 256 * 1024;
const PREVIEW_LINES = 12;
const TEXT_TYPE = /^(text\/|application\/(json|x-ndjson|xml|yaml|x-yaml|toml|x-sh))/;
const IMAGE_TYPE = /^image\/(png|jpeg|gif|webp|svg\+xml)$/;

/**
 * A shared file: an image is shown, a text is shown in part, anything else is a link.
 *
 * @param {FileState} file
 */
export function fileElement(file) {
  const title = file.title || file.name;
  const link = h(
    "a",
    {
      class: "file-link",
      href: file.url,
      download: file.name,
      "data-focus": `file-${file.id}`,
    },
    icon("file"),
    h("span", { class: "file-name" }, title),
    h("span", { class: "file-size" }, fileSize(file.sizeBytes)),
    h("span", { class: "file-verb" }, "Download"),
  );
  const figure = h("figure", { class: "file" });
  if (IMAGE_TYPE.test(file.mimetype)) {
    figure.append(
      h("img", {
        class: "file-image",
        src: file.url,
        alt: file.altText ?? title,
        loading: "lazy",
      }),
      h("figcaption", {}, link),
    );
  } else {
    figure.append(h("figcaption", {}, link));
    if (TEXT_TYPE.test(file.mimetype) && file.sizeBytes <= PREVIEW_MAX_BYTES) figure.append(textPreview(file, title));
  }
  return figure;
}

/**
 * @param {FileState} file
 * @param {string} title
 */
function textPreview(file, title) {
  const pre = h(
    "pre",
    {
      class: "file-text",
      tabindex: "0",
      role: "region",
      "aria-label": `Start of ${title}`,
    },
    "…",
  );
  const holder = h("div", { class: "file-preview" }, pre);
  whenVisible(holder, async () => {
    const text = await download(file.url);
    if (text === null) {
      pre.textContent = "The preview could not be read. The download link may still work.";
      return;
    }
    const lines = text.replace(/\n$/, "").split("\n");
    pre.textContent = lines.slice(0, PREVIEW_LINES).join("\n");
    if (lines.length <= PREVIEW_LINES) return;
    const toggle = h(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-expanded": "false",
        "data-focus": `expand-${file.id}`,
      },
      `Show all ${lines.length} lines`,
    );
    toggle.addEventListener("click", () => {
      const open = toggle.getAttribute("aria-expanded") !== "true";
      toggle.setAttribute("aria-expanded", String(open));
      toggle.textContent = open ? "Show less" : `Show all ${lines.length} lines`;
      pre.textContent = (open ? lines : lines.slice(0, PREVIEW_LINES)).join("\n");
    });
    holder.append(toggle);
  });
  return holder;
}

/** A text is downloaded once, however often its message is drawn again. @type {Map<string, Promise<string | null>>} */
const downloads = new Map();

/** @param {string} url */
function download(url) {
  let text = downloads.get(url);
  if (!text) {
    text = fetch(url).then(
      (response) => (response.ok ? response.text() : null),
      () => null,
    );
    downloads.set(url, text);
  }
  return text;
}

/**
 * @param {Element} element
 * @param {() => void} act
 */
function whenVisible(element, act) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    act();
  });
  observer.observe(element);
}

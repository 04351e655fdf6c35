import { visible } from "../slack/blocks/encode.ts";

/** Data as text of an element or of a quoted attribute, in HTML and in SVG; what is hidden in it is shown. */
export function html(text: string): string {
  return visible(text, "keep").replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

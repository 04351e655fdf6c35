import type { Postmortem } from "./postmortem.ts";

/**
 * The postmortem as it is: the other formats are readings of this one. Characters that a terminal would obey or hide are
 * written as `\\uXXXX`, which is the same JSON value.
 */
export function postmortemJson(report: Postmortem): string {
  const text = JSON.stringify(report, null, 2);
  return `${text.replace(/[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, unicodeEscape)}\n`;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

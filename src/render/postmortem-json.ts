import type { Postmortem } from "./postmortem.ts";

/** The postmortem as it is: the other formats are readings of this one. */
export function postmortemJson(report: Postmortem): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

import type { EntryBody } from "../core/incident.ts";
import type { Outgoing } from "../core/outgoing.ts";
import { humanBytes } from "../core/rule.ts";
import { plain } from "../slack/blocks/encode.ts";
import { bold, fmt, toMrkdwn } from "../slack/blocks/inline.ts";
import { memoryPicture } from "./memory-picture.ts";
import { sentence } from "./wording.ts";

export type DrawnMemory = NonNullable<Extract<EntryBody, { kind: "diagnosed" }>["memory"]>;
type Image = Omit<Extract<Outgoing, { kind: "image" }>, "kind" | "thread">;

/** Slack's limits of alt text and of a line above a file that still is a line. */
const ALT_CHARACTERS = 1_000;
const COMMENT_CHARACTERS = 600;

/** The chart of a container's memory, with the same figures above it and for who does not see it. */
export function memoryImage(course: DrawnMemory): Image {
  const { container, host, shape, words, limitBytes, killedAtMs, cited } = course;
  const title = plain(`Memory of ${container} on ${host}`);
  const what =
    shape === null ? "" : shape === "leak" ? " This is the shape of a leak." : " This is the shape of a spike.";
  const limit = limitBytes === null ? "no limit" : `limit ${humanBytes(limitBytes)}`;
  const kill = killedAtMs === null ? "" : `, killed at ${new Date(killedAtMs).toISOString().slice(11, 19)} UTC`;
  const told = `${sentence(`${words}; ${limit}${kill}`, cited)}${what}`;
  return {
    filename: `memory-${container.replace(/[^A-Za-z0-9.-]+/g, "-").slice(0, 60)}.png`,
    title: title.slice(0, 200),
    png: memoryPicture(course).toString("base64"),
    altText: plain(`Chart. ${title}: ${told}`).slice(0, ALT_CHARACTERS),
    comment: toMrkdwn(fmt`${bold(title)}: ${told}`, COMMENT_CHARACTERS).text,
  };
}

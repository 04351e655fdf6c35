import { bullets, section } from "../src/slack/blocks/build.ts";
import { bold, code, fmt, join, type Rich } from "../src/slack/blocks/inline.ts";
import { type Message, message } from "../src/slack/blocks/message.ts";

/** What a command does, with lines to copy. The text holds them too, for screen readers. */
export function help(title: string, examples: readonly (readonly [line: string, does: string])[]): Message {
  const lines = examples.map(([line, does]): Rich => fmt`${code(line)}  ${does}`);
  const spoken = examples.map(([line, does]) => fmt`${line}: ${does}`);
  return message({ text: join([fmt`${title}`, ...spoken], "\n"), blocks: [section(bold(title)), bullets(lines)] });
}

/** A private line or two. */
export function told(...lines: (Rich | string)[]): Message {
  return message({ text: join(lines, "\n"), blocks: [section(join(lines, "\n"))] });
}

export const why500Help = help("Find out why a service answers with 500", [
  ["/why-500 web", "looks on every host this channel may see"],
  ["/why-500 web on prod-1", "looks on one host"],
  ["/why web", "the same for anything else: down, slow, restarting"],
  ["@room137 why-500 web", "in a thread, where slash commands do not work"],
]);

export const whyHelp = help("Find out why a service is down, slow or restarting", [
  ["/why web", "looks on every host this channel may see"],
  ["/why web on prod-1", "looks on one host"],
  ["/why-500 web", "when it answers with 500"],
]);

export const hostsHelp = help("Registered hosts and their health", [
  ["/hosts", "lists them"],
  ["/hosts add", "opens a form"],
  ["/hosts check prod-1", "checks what room137 may read and do there"],
  ["/hosts remove prod-1", "forgets a host that was added here"],
]);

export const guardrailsHelp = help("Memory and restart hazards that would cause the next incident", [
  ["/guardrails", "looks on every host this channel may see"],
  ["/guardrails prod-1", "looks on one host"],
]);

export const timelineHelp = help("The timeline of an incident", [
  ["/timeline", "shows the newest incident of this channel"],
  ["/timeline i-4f2k9a", "shows that one"],
  ["/timeline note rolled the image back by hand", "adds a note"],
  ["/timeline export md", "puts it into the thread as a file: md, html, json or csv"],
  ["@room137 note …, @room137 export md", "the same in a thread"],
]);

export const room137Help = help("room137 finds out why a service on a Docker host fails, and mends it when you agree", [
  ["/why-500 web", "opens an incident: evidence, root cause, a plan to approve"],
  ["/room137 status", "open incidents, waiting approvals, hosts"],
  ["/room137 freeze deploy is running", "nothing is changed on any host until unfreeze"],
  ["/room137 can-i approve web", "says what you may do, and why"],
  ["@room137 help", "in a thread every command works after a mention"],
]);

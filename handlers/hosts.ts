import { isRefusal, refuse } from "../src/core/result.ts";
import type { HostCheck, HostStatus } from "../src/room.ts";
import { bullets, section } from "../src/slack/blocks/build.ts";
import { bold, code, fmt, join, type Rich } from "../src/slack/blocks/inline.ts";
import { type Message, message } from "../src/slack/blocks/message.ts";
import type { Command, HandlerDeps, Reply } from "./asked.ts";
import { hostsHelp, told } from "./help.ts";
import { hostModal } from "./host-modal.ts";
import { openModal } from "./modals.ts";
import { meantWord, wordsOf } from "./words.ts";

const words = ["list", "add", "check", "remove", "help"];

/** `/hosts [list | add | check <host> | remove <host>]` */
export async function hosts(command: Command, deps: HandlerDeps): Promise<Reply> {
  const [verb = "list", name] = wordsOf(command.text);
  switch (verb.toLowerCase()) {
    case "list":
      return hostList(await deps.room.hosts(command.channel));
    case "add":
      return await openModal(command, deps, hostModal(command), "Type /hosts add in the channel.");
    case "check":
      return name === undefined ? needsName("check") : await check(name, command, deps);
    case "remove": {
      if (name === undefined) return needsName("remove");
      const removed = await deps.room.removeHost(await command.person(), name);
      return isRefusal(removed) ? removed : told(removed.said);
    }
    case "help":
      return hostsHelp;
    default:
      return unknownWord("/hosts", verb, words);
  }
}

async function check(name: string, command: Command, deps: HandlerDeps): Promise<Reply> {
  await command.tell(told(fmt`Checking ${bold(name)}. This takes a few seconds.`));
  const checks = await deps.room.checkHost(name, command.channel);
  return isRefusal(checks) ? checks : checkList(name, checks);
}

/** What stands after a command is no word it knows. */
export function unknownWord(command: string, word: string, known: readonly string[]): Reply {
  const near = meantWord(word, known);
  const next = near === null ? `It knows ${known.join(", ")}.` : `Did you mean ${command} ${near} ?`;
  return refuse("unknown-command", `${command} does not know "${word.slice(0, 40)}".`, "Nothing was done.", next);
}

function needsName(verb: string): Reply {
  return refuse(
    "bad-input",
    "No host was named.",
    "Nothing was done.",
    `Write /hosts ${verb} <host>; see /hosts list.`,
  );
}

export function hostList(all: HostStatus[]): Message {
  if (all.length === 0) return told("No host is registered that this channel may see. Add one with /hosts add.");
  const lines = all.map(hostLine);
  const title = bold(all.length === 1 ? "1 host" : `${all.length} hosts`);
  return message({ text: join([title, ...lines], "\n"), blocks: [section(title), bullets(lines)] });
}

export function hostLine(host: HostStatus): Rich {
  const state = host.ok === null ? "not read yet" : host.ok ? "✅ healthy" : "🔴 trouble";
  const place = host.local ? "this machine" : host.address;
  const detail = host.ok === null || host.detail === "" ? fmt`` : fmt`: ${host.detail}`;
  return fmt`${bold(host.name)} (${place}) ${state}${detail}`;
}

function checkList(name: string, checks: HostCheck[]): Message {
  const broken = checks.filter((one) => !one.ok && one.level === "error").length;
  const title = bold(broken === 0 ? `${name} can be read` : `${name}: ${broken} of ${checks.length} checks failed`);
  const lines = checks.map((one) => {
    const mark = one.ok ? "✅" : one.level === "error" ? "🔴" : "🟠";
    const fix = one.ok || one.fix === null ? fmt`` : fmt` Fix: ${code(one.fix)}`;
    return fmt`${mark} ${bold(one.check)}: ${one.detail}${fix}`;
  });
  return message({ text: join([title, ...lines], "\n"), blocks: [section(title), bullets(lines)] });
}

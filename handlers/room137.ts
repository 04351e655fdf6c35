import { isRefusal, refuse } from "../src/core/result.ts";
import type { StatusOverview } from "../src/room.ts";
import { bullets, section } from "../src/slack/blocks/build.ts";
import { bold, code, dateTime, fmt, join, mentionChannel, mentionUser, type Rich } from "../src/slack/blocks/inline.ts";
import { type Message, type MessageBlock, message } from "../src/slack/blocks/message.ts";
import type { Command, HandlerDeps, Reply } from "./asked.ts";
import { room137Help, told } from "./help.ts";
import { hostLine, unknownWord } from "./hosts.ts";
import { wordsOf } from "./words.ts";

export const room137Words = ["help", "status", "freeze", "unfreeze", "can-i"];

/** `/room137 [help | status | freeze | unfreeze | can-i <verb> <target>]` */
export async function room137(command: Command, deps: HandlerDeps): Promise<Reply> {
  const [word = "help", ...rest] = wordsOf(command.text);
  switch (word.toLowerCase()) {
    case "help":
      return room137Help;
    case "status":
      return statusMessage(await deps.room.status(command.channel));
    case "freeze":
    case "unfreeze": {
      const freeze = word.toLowerCase() === "freeze";
      const reason = command.text.trim().slice(word.length).trim();
      const done = await deps.room.setFrozen(await command.person(), freeze, reason === "" ? null : reason);
      return isRefusal(done) ? done : told(done.said);
    }
    case "can-i": {
      const [verb, ...target] = rest;
      if (verb === undefined) return whatMayI;
      return told((await deps.room.canI(await command.person(), verb, target.join(" "))).said);
    }
    default:
      return unknownWord("/room137", word, room137Words);
  }
}

const whatMayI = refuse(
  "bad-input",
  "No verb was named.",
  "There is nothing to explain.",
  "Write /room137 can-i approve web, or look, note, administer.",
);

/** The parts are shared with the Home tab. */
export function statusParts(status: StatusOverview): { title: string; lines: Rich[]; none: string }[] {
  const place = (at: { channel: string | null }) =>
    at.channel === null ? fmt`` : fmt` in ${mentionChannel(at.channel)}`;
  return [
    {
      title: "Waiting for approval",
      none: "Nothing waits for approval.",
      lines: status.pendingApprovals.map(
        (plan) =>
          fmt`🟠 ${bold(plan.service)} ${code(plan.incidentId)}${place(plan)}, expires ${dateTime(plan.expiresAtMs)}`,
      ),
    },
    {
      title: "Open incidents",
      none: "No incident is open.",
      lines: status.openIncidents.map(
        (open) =>
          fmt`${bold(open.service)} ${code(open.incidentId)} ${open.state.replaceAll("-", " ")}${place(open)}, since ${dateTime(open.openedAtMs)}`,
      ),
    },
    { title: "Hosts", none: "No host is registered. Add one with /hosts add.", lines: status.hosts.map(hostLine) },
  ];
}

/** Null while nothing is frozen. */
export function frozenLine({ frozen }: StatusOverview): Rich | null {
  if (frozen === null) return null;
  const reason = frozen.reason === null ? fmt`` : fmt`: ${frozen.reason}`;
  return fmt`🔴 ${bold("Frozen")} by ${mentionUser(frozen.by)} since ${dateTime(frozen.atMs)}${reason}. Nothing is changed on any host.`;
}

function statusMessage(status: StatusOverview): Message {
  const frozen = frozenLine(status);
  const blocks: MessageBlock[] = frozen === null ? [] : [section(frozen)];
  const spoken: Rich[] = frozen === null ? [] : [frozen];
  for (const { title, lines, none } of statusParts(status)) {
    blocks.push(section(lines.length === 0 ? none : bold(title)), ...(lines.length === 0 ? [] : [bullets(lines)]));
    spoken.push(...(lines.length === 0 ? [fmt`${none}`] : [bold(title), ...lines]));
  }
  const version = fmt`room137 ${status.version}`;
  return message({ text: join([...spoken, version], "\n"), blocks: [...blocks, section(version)] });
}

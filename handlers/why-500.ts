import type { Symptom } from "../src/core/diagnosis.ts";
import { isRefusal, type Refusal, refuse } from "../src/core/result.ts";
import type { Asked, Command, HandlerDeps, Reply } from "./asked.ts";
import { why500Help } from "./help.ts";
import { parseAsk } from "./words.ts";

/** `/why-500 <service> [on <host>]` */
export async function why500(command: Command, deps: HandlerDeps): Promise<Reply> {
  return await why(command, deps, "http-500", why500Help);
}

export async function why(command: Command, deps: HandlerDeps, symptom: Symptom, help: Reply): Promise<Reply> {
  const parsed = parseAsk(command.name, command.text);
  if ("help" in parsed) return help;
  if ("unclear" in parsed) {
    return refuse("bad-input", parsed.unclear, "Nothing was looked at.", `Did you mean ${parsed.meant} ?`);
  }
  const typed = `${command.name} ${command.text}`.trim();
  return await open(command, deps, { ...parsed.ask, symptom, typed });
}

/** Opens the incident; from there on the room speaks in its thread. */
export async function open(
  who: Asked,
  deps: HandlerDeps,
  what: { service: string; host: string | null; symptom: Symptom; typed: string },
): Promise<Reply> {
  const { channel } = who;
  if (channel === null) return noRoom;
  const [by, mayPost] = await Promise.all([who.person(), canPost(deps, channel)]);
  if (!mayPost) return notInChannel;
  if (who.resumed && (await wasOpened(who, deps, channel, what.typed))) return null;
  const { service, host, symptom, typed } = what;
  const place = { channel, threadTs: who.threadTs };
  const opened = await deps.room.ask({ service, host, symptom, by, place, command: typed });
  return isRefusal(opened) ? opened : null;
}

/** Public channels say so; a private one that the bot is not in cannot even be seen. Any doubt counts as yes. */
async function canPost(deps: HandlerDeps, channel: string): Promise<boolean> {
  const answer = await deps.edge.api.call("conversations.info", { channel }, "interactive");
  if (!answer.ok) return answer.problem.kind !== "invite";
  return (answer.data["channel"] as { is_member?: boolean } | undefined)?.is_member !== false;
}

/** After a crash it is not known whether the incident was opened before: it is looked for rather than opened twice. */
async function wasOpened(who: Asked, deps: HandlerDeps, channel: string, typed: string): Promise<boolean> {
  const { openIncidents } = await deps.room.status(channel);
  for (const { incidentId, openedAtMs } of openIncidents) {
    if (openedAtMs < who.receivedAtMs) continue;
    const [first] = await deps.room.entries(incidentId);
    const same = first?.body.kind === "opened" && first.body.command === typed;
    if (same && first.actor.kind === "person" && first.actor.userId === who.userId) return true;
  }
  return false;
}

const notInChannel: Refusal = refuse(
  "not-allowed",
  "room137 is not in this channel.",
  "It could not post what it finds, so nothing was looked at.",
  "Type /invite @room137 and then the command again.",
);

const noRoom: Refusal = refuse(
  "bad-input",
  "An incident needs a channel.",
  "Nothing was looked at.",
  "Ask in the channel where it is to be told.",
);

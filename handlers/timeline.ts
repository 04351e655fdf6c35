import type { TimelineEntry } from "../src/core/incident.ts";
import { replay } from "../src/core/replay.ts";
import { isRefusal, refuse } from "../src/core/result.ts";
import { entryWords } from "../src/render/entry-words.ts";
import { whoIs } from "../src/render/wording.ts";
import { bullets, section } from "../src/slack/blocks/build.ts";
import { bold, code, dateTime, fmt, join, mentionChannel } from "../src/slack/blocks/inline.ts";
import { type Message, message } from "../src/slack/blocks/message.ts";
import type { Command, HandlerDeps, Reply } from "./asked.ts";
import { timelineHelp, told } from "./help.ts";
import { unknownWord } from "./hosts.ts";
import { isIncidentId, wordsOf } from "./words.ts";

const words = ["note", "export", "help"];
/** The newest ones; the export has all. */
const entriesShown = 20;

/** `/timeline [<incident>] [note <text> | export <md|html|json|csv>]` */
export async function timeline(command: Command, deps: HandlerDeps): Promise<Reply> {
  const given = wordsOf(command.text);
  const named = given[0] !== undefined && isIncidentId(given[0]) ? given[0].toLowerCase() : null;
  const rest = named === null ? command.text : command.text.slice(command.text.search(/\s|$/)).trim();
  const [verb] = wordsOf(rest);
  if (verb?.toLowerCase() === "help") return timelineHelp;
  if (verb !== undefined && !words.includes(verb.toLowerCase())) return unknownWord("/timeline", verb, words);
  const query = { incident: named, channel: command.channel, threadTs: command.threadTs };
  const found = await deps.room.findIncident(query);
  if (isRefusal(found)) return found;
  const { incidentId } = found;
  if (verb === undefined) return shown(incidentId, await deps.room.entries(incidentId));
  if (verb.toLowerCase() === "export") return await exported(command, deps, incidentId, wordsOf(rest)[1] ?? "md");
  const noted = await deps.room.note(incidentId, await command.person(), rest.slice("note".length).trim(), null);
  return isRefusal(noted) ? noted : told(noted.said);
}

function shown(incidentId: string, entries: TimelineEntry[]): Message {
  const newest = entries.slice(-entriesShown);
  const lines = newest.map((entry) => fmt`${dateTime(entry.atMs)} ${whoIs(entry.actor)} ${entryWords(entry)}`);
  const earlier = entries.length - newest.length;
  const more = earlier === 0 ? [] : [fmt`${earlier} earlier ones are in the export: /timeline ${incidentId} export md`];
  const title = fmt`${bold("Timeline of")} ${code(incidentId)}`;
  return message({
    text: join([title, ...more, ...lines], "\n"),
    blocks: [section(title), ...more.map((line) => section(line)), bullets(lines)],
  });
}

/** Into the incident's own thread, where everybody finds it; whoever asked elsewhere is told where. */
async function exported(command: Command, deps: HandlerDeps, incidentId: string, format: string): Promise<Reply> {
  const by = await command.person();
  const actor = { kind: "person", userId: by.userId, name: by.name } as const;
  const file = await deps.room.export(incidentId, format.toLowerCase(), actor);
  if (isRefusal(file)) return file;
  const home = replay(await deps.room.entries(incidentId))?.room ?? null;
  const channel = home?.channel ?? command.channel;
  if (channel === null)
    return refuse("bad-input", "There is no channel to put it in.", "Nothing was sent.", "Ask in one.");
  const ts = home === null ? command.threadTs : home.threadTs;
  const key = `${incidentId}:export:${format.toLowerCase()}:${command.userId}:${command.receivedAtMs}`;
  const payload = {
    kind: "file",
    thread: ts === null ? null : { ts },
    filename: file.filename,
    title: file.filename,
    text: file.text,
    comment: null,
  };
  await deps.edge.store.enqueue([
    { key, incidentId, channel, lane: incidentId, payload: JSON.stringify(payload), queuedAtMs: deps.clock.nowMs() },
  ]);
  const here = channel === command.channel && ts === command.threadTs;
  return here ? null : told(fmt`${file.filename} is in the incident's thread in ${mentionChannel(channel)}.`);
}

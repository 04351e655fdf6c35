import type { ModalView } from "@slack/types";
import { isRefusal } from "../src/core/result.ts";
import { input } from "../src/slack/blocks/build.ts";
import { plainTextInput } from "../src/slack/blocks/build-elements.ts";
import { modal } from "../src/slack/blocks/build-views.ts";
import type { Asked, HandlerDeps, Reply } from "./asked.ts";
import { told } from "./help.ts";
import { type Form, inputAction, openModal, originText } from "./modals.ts";
import { open } from "./why-500.ts";
import { typedText, wordsOf } from "./words.ts";

/** A message somebody used a shortcut on. */
export interface PickedMessage {
  text: string;
  /** Null for a bot's message. */
  authorId: string | null;
}

export type Shortcut = (who: Asked, picked: PickedMessage, deps: HandlerDeps) => Promise<Reply>;

/** By callback id, as in the manifests. */
export const shortcuts: Record<string, Shortcut> = {
  /** The incident of the thread, else the newest of the channel. */
  async add_to_timeline(who, picked, deps) {
    const query = { incident: null, channel: who.channel, threadTs: who.threadTs };
    const found = await deps.room.findIncident(query);
    if (isRefusal(found)) return found;
    const author = picked.authorId === null ? null : await deps.edge.people.person(picked.authorId);
    const from = author === null ? "a bot's message" : `a message by ${author.name ?? author.userId}`;
    const noted = await deps.room.note(found.incidentId, await who.person(), typedText(picked.text), from);
    return isRefusal(noted) ? noted : told(noted.said);
  },
  async investigate_message(who, picked, deps) {
    const again = "Use the shortcut again, or type /why-500 <service>.";
    return await openModal(who, deps, investigateModal(who, guessServices(typedText(picked.text))), again);
  },
};

export const investigateFormId = "investigate";

/** The person decides: a guess is only what the field starts with. */
function investigateModal(who: Asked, guesses: string[]): ModalView {
  const [best, ...others] = guesses;
  const hint = others.length === 0 ? "A container or compose service." : `The message also names ${others.join(", ")}.`;
  const service = plainTextInput({
    actionId: inputAction,
    maxLength: 200,
    ...(best === undefined ? {} : { initial: best }),
  });
  return modal({
    title: "Investigate",
    callbackId: investigateFormId,
    submit: "Investigate",
    metadata: originText(who),
    blocks: [
      input("Service", service, { blockId: "service", hint }),
      input("Host", plainTextInput({ actionId: inputAction, maxLength: 200 }), {
        blockId: "host",
        hint: "Only where there are several of that name.",
        optional: true,
      }),
    ],
  });
}

interface Investigate {
  service: string;
  host: string | null;
}

export const investigateForm: Form<Investigate> = {
  parse(typed) {
    const [service, ...more] = wordsOf(typed["service"] ?? "");
    if (service === undefined) return { errors: { service: "Name one service." } };
    if (more.length > 0) return { errors: { service: "One service, without spaces." } };
    return { parsed: { service, host: wordsOf(typed["host"] ?? "")[0] ?? null } };
  },
  async act({ service, host }, who, deps) {
    const symptom = "any";
    const typed = host === null ? `/why ${service}` : `/why ${service} on ${host}`;
    return await open(who, deps, { service, host, symptom, typed });
  },
};

/**
 * Names a message may be about, likeliest first: what stands in backticks, next to words like "service" or "is down",
 * first labels of addresses, words with a dash inside. Five at most; nothing is looked at before a person has chosen.
 */
export function guessServices(text: string): string[] {
  const name = "([A-Za-z0-9][A-Za-z0-9_.-]{0,62})";
  const patterns = [
    new RegExp(`\`${name}\``, "g"),
    new RegExp(`\\b(?:service|container|app|job)\\s+["'\`]?${name}`, "gi"),
    new RegExp(
      `${name}["'\`]?\\s+(?:service\\b|container\\b|is\\s+(?:down|slow|dead|broken|failing)|returns?\\b|answers?\\b|keeps\\b|throws\\b)`,
      "gi",
    ),
    new RegExp(`\\b(?:https?://)?${name}:\\d{2,5}\\b`, "g"),
    /\b([A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)+)\b/g,
  ];
  const found = patterns.flatMap((pattern) =>
    [...text.slice(0, 4_000).matchAll(pattern)].map((match) => match[1] ?? ""),
  );
  const names = found
    .map((one) => one.replace(/[.-]+$/, ""))
    .filter((one) => one !== "" && !fillers.has(one.toLowerCase()));
  return [...new Set(names)].slice(0, 5);
}

const fillers = new Set([
  "the",
  "a",
  "an",
  "our",
  "it",
  "this",
  "that",
  "what",
  "everything",
  "is",
  "and",
  "http",
  "https",
]);

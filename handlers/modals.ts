import type { ModalView } from "@slack/types";
import { refuse } from "../src/core/result.ts";
import type { Asked, HandlerDeps, Reply } from "./asked.ts";

/** What was typed into a form, by block id. Every input of ours has the action id `value`. */
export type Typed = Record<string, string>;
export const inputAction = "value";

/** A form that was sent off. `parse` runs before the ack and must not wait; `act` runs after it. */
export interface Form<T = unknown> {
  /** Messages under the inputs, by block id, when something is wrong with them. */
  parse(typed: Typed, metadata: string): { errors: Record<string, string> } | { parsed: T };
  act(parsed: T, who: Asked, deps: HandlerDeps): Promise<Reply>;
}

/** Opens at once: the trigger lives three seconds. `otherwise` says what to do where no modal is possible. */
export async function openModal(who: Asked, deps: HandlerDeps, view: ModalView, otherwise: string): Promise<Reply> {
  const found = "The form could not be opened.";
  if (who.triggerId === null) return refuse("bad-input", found, "Nothing was done.", otherwise);
  const opened = await deps.edge.api.call("views.open", { trigger_id: who.triggerId, view }, "interactive");
  // Only we have the trigger: used up means that an earlier try, whose answer was lost, has opened it.
  if (opened.ok || opened.problem.code === "exchanged_trigger_id") return null;
  const { kind, code, messages } = opened.problem;
  if (kind !== "trigger" && kind !== "retry") deps.log.error({ code, said: messages }, "slack refused a modal");
  return refuse("bad-input", `${found} Slack said ${code}.`, "Nothing was done.", "Try again.");
}

/** Where a form came from. A submission carries no channel, so its answer would have nowhere to go. */
export interface Origin {
  channel: string | null;
  threadTs: string | null;
  /** The button's value, or empty. */
  subject: string;
}

export function originText(who: Pick<Asked, "channel" | "threadTs">, subject = ""): string {
  return [who.channel ?? "", who.threadTs ?? "", subject].join("|");
}

/** Client-visible and replayable: it says where to answer and what about, and grants nothing. */
export function parseOrigin(metadata: string): Origin {
  const [channel = "", threadTs = "", subject = ""] = metadata.split("|");
  return {
    channel: /^[CDG][A-Z0-9]{2,20}$/.test(channel) ? channel : null,
    threadTs: /^\d{1,12}\.\d{1,9}$/.test(threadTs) ? threadTs : null,
    subject,
  };
}

/** Reads `view.state.values`; anything of another shape counts as empty. */
export function typedIn(values: unknown): Typed {
  const typed: Typed = {};
  for (const [blockId, actions] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    const state = (actions as Record<string, { value?: unknown } | undefined> | null)?.[inputAction];
    if (typeof state?.value === "string") typed[blockId] = state.value.trim();
  }
  return typed;
}

import { Fault, isRefusal, type Refusal } from "../src/core/result.ts";
import type { Person } from "../src/core/rights.ts";
import type { Clock, Log } from "../src/ports.ts";
import { faultMessage, refusalMessage } from "../src/render/thread-messages.ts";
import type { Room } from "../src/room.ts";
import type { Message } from "../src/slack/blocks/message.ts";
import type { RequestContext, SlackEdge } from "../src/slack/edge.ts";
import type { Listener } from "../src/slack/whisper.ts";
import type { Homes } from "./home.ts";

export interface HandlerDeps {
  room: Room;
  edge: Pick<SlackEdge, "api" | "people" | "whisper" | "store" | "lost">;
  homes: Homes;
  clock: Clock;
  log: Log;
}

/** Somebody wants something, whichever way they said it. Answers go to them alone. */
export interface Asked {
  userId: string;
  /** Null in the Home tab. */
  channel: string | null;
  /** Root of the thread it was said in. */
  threadTs: string | null;
  /** Good for three seconds and one modal; null where a modal is not possible. */
  triggerId: string | null;
  /** Made anew for each: who they are now, not who they were. */
  person(): Promise<Person>;
  /** Tells them before the work is done. */
  tell(message: Message): Promise<void>;
  /** Names the request in logs. */
  requestKey: string;
  receivedAtMs: number;
  /** Left behind by a crash: it may have been done already. */
  resumed: boolean;
}

/** A command, typed after a slash or after a mention. */
export interface Command extends Asked {
  /** With its slash. */
  name: string;
  /** What stands after the name, with Slack's escapes resolved. */
  text: string;
}

/** What to tell the person; null when the room tells everybody. */
export type Reply = Message | Refusal | null;
export type CommandHandler = (command: Command, deps: HandlerDeps) => Promise<Reply>;

export function asked(deps: HandlerDeps, to: Listener, context: RequestContext, triggerId: string | null): Asked {
  return {
    userId: to.userId,
    channel: to.channel,
    threadTs: to.threadTs,
    triggerId: context.resumed ? null : triggerId,
    person: () => deps.edge.people.person(to.userId),
    tell: (message) => deps.edge.whisper(to, message),
    requestKey: context.requestKey,
    receivedAtMs: context.receivedAtMs,
    resumed: context.resumed,
  };
}

/** Every listener runs in here: what it answers is told privately, and so is what broke. */
export async function answering(
  deps: HandlerDeps,
  { tell, userId, requestKey }: Pick<Asked, "tell" | "userId" | "requestKey">,
  work: () => Promise<Reply>,
): Promise<void> {
  try {
    const reply = await work();
    if (reply === null) return;
    await tell(isRefusal(reply) ? refusalMessage(reply) : reply);
  } catch (error) {
    const known = error instanceof Fault;
    deps.log.error({ err: error, userId, requestKey }, "a request could not be served");
    await tell(faultMessage(known ? error : { message: "Something broke inside room137.", next: brokenNext }));
  }
}

const brokenNext = "Try again. When it happens again, ask whoever runs room137 to look at its log.";

/** What Bolt's context carries for us. */
export function requestOf(context: Record<string, unknown>): RequestContext {
  return {
    requestKey: String(context["requestKey"] ?? ""),
    receivedAtMs: Number(context["receivedAtMs"] ?? 0),
    resumed: context["resumed"] === true,
  };
}

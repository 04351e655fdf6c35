import type { IncomingMessage, ServerResponse } from "node:http";
import { readBody } from "../api/body.ts";
import { emojiName, react, unreact } from "../api/marks.ts";
import { act, suggest } from "../interact/act.ts";
import { isRefusal, memberChannel, refusal } from "../interact/person.ts";
import { runCommand, runShortcut, say } from "../interact/speak.ts";
import { close, openHome, submit } from "../interact/submit.ts";
import { isObject } from "../manifest.ts";
import { addMember, removeMember } from "../membership.ts";
import type {
  ActionRequest,
  ClockRequest,
  CommandRequest,
  ControlAnswer,
  Fault,
  HomeOpenRequest,
  MembershipRequest,
  MessageRequest,
  OptionsRequest,
  ReactionRequest,
  ShortcutRequest,
  ViewCloseRequest,
  ViewSubmitRequest,
} from "../protocol.ts";
import type { Room } from "../room.ts";
import { parseJson } from "../transport/json.ts";
import { findMessage, isVisibleTo } from "../world.ts";
import type { Visitor } from "./access.ts";
import { inspections, noInspection, sendJson, serveRead } from "./reads.ts";
import { isFault, isShape } from "./shapes.ts";

type Person = Exclude<Visitor, { kind: "refused" }>;

/** `/_twin/*`: what the page and tests see and do. */
export async function serveControl(
  room: Room,
  visitor: Person,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://room");
  const name = url.pathname.slice("/_twin/".length);
  const answer = (status: number, body: object) => sendJson(response, status, body);
  if (request.method === "GET") {
    const actor = actorOf(room, visitor, url.searchParams.get("actor") ?? undefined);
    if (isRefusal(actor)) return answer(403, actor);
    return serveRead(room, { user: actor.user, locked: visitor.kind === "person" }, request, response);
  }
  if (request.method !== "POST") return answer(405, refusal("method_not_allowed", "Use GET or POST."));
  // A form from another site cannot send this type without asking first.
  if (!(request.headers["content-type"] ?? "").startsWith("application/json"))
    return answer(415, refusal("json_needed", "Send application/json."));
  const raw = await readBody(request);
  const body = raw === null ? undefined : parseJson(raw.toString());
  if (!isObject(body)) return answer(400, refusal("invalid_json", "The body must be a JSON object."));
  if (!isShape(name, body))
    return answer(400, refusal("invalid_request", `This is not a request that /_twin/${name} understands.`));
  const actor = actorOf(room, visitor, body["actor"]);
  if (isRefusal(actor)) return answer(403, actor);
  if (visitor.kind === "person" && inspections.has(name)) return answer(403, noInspection);
  const result = await perform(room, name, actor.user, body);
  answer(result === null ? 404 : 200, result ?? refusal("not_found", "There is no such control."));
}

function actorOf(room: Room, visitor: Person, wanted: unknown): { user: string } | ReturnType<typeof refusal> {
  if (visitor.kind === "person") {
    return wanted === undefined || wanted === visitor.user
      ? { user: visitor.user }
      : refusal("actor_not_yours", "Your access token belongs to another person.");
  }
  const fallback = [...room.world.users.values()].find((user) => !user.isBot && !user.deleted)?.id ?? "";
  const user = room.world.users.get(typeof wanted === "string" ? wanted : fallback);
  return user && !user.isBot && !user.deleted
    ? { user: user.id }
    : refusal("actor_unknown", "There is no such person in this room.");
}

async function perform(room: Room, name: string, actor: string, body: object): Promise<ControlAnswer | null> {
  switch (name) {
    case "command":
      return runCommand(room, actor, body as CommandRequest);
    case "message":
      return say(room, actor, body as MessageRequest);
    case "action":
      return act(room, actor, body as ActionRequest);
    case "view-submit":
      return submit(room, actor, body as ViewSubmitRequest);
    case "view-close":
      return close(room, actor, body as ViewCloseRequest);
    case "shortcut":
      return runShortcut(room, actor, body as ShortcutRequest);
    case "options":
      return suggest(room, actor, body as OptionsRequest);
    case "home-open":
      return openHome(room, actor, body as HomeOpenRequest);
    case "join":
    case "leave":
      return membership(room, actor, name, body as MembershipRequest);
    case "reaction":
      return reaction(room, actor, body as ReactionRequest);
    case "faults":
      return injectFault(room, body);
    case "clock":
      return moveClock(room, body as ClockRequest);
    default:
      return null;
  }
}

function membership(room: Room, actor: string, verb: "join" | "leave", request: MembershipRequest): ControlAnswer {
  const channel = room.world.channels.get(request.channel);
  const user = request.user ?? actor;
  if (!channel || !isVisibleTo(channel, actor) || channel.type === "im")
    return refusal("channel_not_found", "There is no such channel.");
  if (!room.world.users.has(user)) return refusal("user_not_found", "There is no such person.");
  if (user !== actor && !channel.members.has(actor)) return refusal("not_in_channel", "Join this channel first.");
  if (channel.type === "private" && user === actor && verb === "join")
    return refusal("not_invited", "Somebody in it has to invite you.");
  const inviter = user === actor ? null : actor;
  const changed = verb === "join" ? addMember(room, channel, user, inviter) : removeMember(room, channel, user);
  return changed
    ? { ok: true }
    : refusal(verb === "join" ? "already_in_channel" : "not_in_channel", "Nothing to change.");
}

function reaction(room: Room, actor: string, request: ReactionRequest): ControlAnswer {
  const channel = memberChannel(room, actor, request.channel);
  if (isRefusal(channel)) return channel;
  const message = findMessage(room.world, channel.id, request.ts);
  if (!message || message.ephemeralFor !== null) return refusal("message_not_found", "That message is gone.");
  if (!emojiName.test(request.name)) return refusal("invalid_name", "There is no such emoji.");
  if (request.remove !== true) react(room, message, actor, request.name);
  else if (!unreact(room, message, actor, request.name))
    return refusal("no_reaction", "You have not reacted with that.");
  return { ok: true };
}

/** Also LocalRoom.inject: arms the fault, or carries it out at once where it concerns connections. */
export function injectFault(room: Room, fault: object): ControlAnswer {
  if (!isFault(fault)) return refusal("unknown_fault", "There is no such fault.");
  room.journal.record({ kind: "fault", name: (fault as Fault).kind, detail: { ...fault } });
  room.faults.inject(fault as Fault);
  room.delivery.strike(fault as Fault);
  room.journal.changed("fault");
  return { ok: true };
}

async function moveClock(room: Room, request: ClockRequest): Promise<ControlAnswer> {
  if (request.frozen !== undefined) room.clock.setFrozen(request.frozen);
  if (request.advanceMs !== undefined) await room.clock.advance(Math.max(0, request.advanceMs));
  room.journal.record({ kind: "clock", name: "clock", detail: { ...request } });
  room.journal.changed("clock");
  return { ok: true };
}

import { openDm } from "../api/direct.ts";
import { isFailure } from "../api/method.ts";
import { emitEvent } from "../events.ts";
import { isObject, list } from "../manifest.ts";
import type {
  ControlAnswer,
  ControlRefusal,
  HomeOpenRequest,
  JsonObject,
  ViewCloseRequest,
  ViewSubmitAnswer,
  ViewSubmitRequest,
} from "../protocol.ts";
import type { Room } from "../room.ts";
import type { View } from "../world.ts";
import { remember } from "./act.ts";
import { fieldError } from "./inputs.ts";
import { interaction, isRefusal, refusal, unanswered } from "./person.ts";
import { changed, pushOnStack, replaceBody, setStack, stackOf, viewJson, viewProblem } from "./view-stack.ts";

/** A modal is sent off: checked as Slack's client does, then the app decides what becomes of it. */
export async function submit(room: Room, actor: string, request: ViewSubmitRequest): Promise<ViewSubmitAnswer> {
  const view = topView(room, actor, request.viewId);
  if (isRefusal(view)) return view;
  if (!view.body["submit"] && !list(view.body["blocks"]).some((block) => block["type"] === "input")) {
    return refusal("no_submit", "This dialog has nothing to submit.");
  }
  remember(view, request.values);
  const json = viewJson(room, view);
  const fieldErrors = checkFields(json);
  if (Object.keys(fieldErrors).length > 0)
    return { ...refusal("invalid_fields", "Some fields need another look."), fieldErrors };
  const payload = {
    type: "view_submission",
    ...interaction(room, actor, view.id),
    view: json,
    response_urls: responseUrlsOf(room, actor, json),
  };
  const ack = await room.delivery.request("interactive", payload);
  const failed = unanswered(ack, "Submitting");
  if (failed || ack.kind !== "acked") {
    view.trouble = "We had some trouble connecting. Try again?";
    changed(room, view);
    return failed ?? refusal("dispatch_failed", view.trouble);
  }
  const outcome = applyAck(room, actor, view, ack.body);
  return isRefusalObject(outcome) ? outcome : { ok: true, ackMs: ack.tookMs, outcome };
}

const isRefusalObject = (value: string | ControlRefusal): value is ControlRefusal => typeof value !== "string";
type Outcome = Extract<ViewSubmitAnswer, { ok: true }>["outcome"];

function applyAck(room: Room, actor: string, view: View, body: JsonObject | null): Outcome | ControlRefusal {
  view.errors = {};
  view.trouble = null;
  const wanted = body?.["response_action"];
  if (wanted === undefined) {
    setStack(
      room,
      actor,
      stackOf(room, actor).filter((other) => other !== view),
    );
    return "closed";
  }
  switch (wanted) {
    case "clear":
      setStack(room, actor, []);
      return "cleared";
    case "errors":
      return applyErrors(room, view, body?.["errors"]);
    case "update":
    case "push": {
      const next = body?.["view"];
      const problem = viewProblem(room, next);
      if (problem || !isObject(next)) return ackRefused(room, view, `${wanted}: ${JSON.stringify(problem)}`);
      if (wanted === "update") {
        replaceBody(room, view, next);
        return "updated";
      }
      const pushed = pushOnStack(room, actor, next);
      return isFailure(pushed) ? ackRefused(room, view, pushed.error) : "pushed";
    }
    default:
      return ackRefused(room, view, `unknown response_action ${JSON.stringify(wanted)}`);
  }
}

function ackRefused(room: Room, view: View, why: string): ControlRefusal {
  room.journal.flag("view-ack-refused", `Slack would refuse this answer to a view submission: ${why}`);
  view.trouble = "We had some trouble connecting. Try again?";
  changed(room, view);
  return refusal("ack_refused", view.trouble);
}

function applyErrors(room: Room, view: View, errors: unknown): Outcome | ControlRefusal {
  if (!isObject(errors) || Object.keys(errors).length === 0)
    return ackRefused(room, view, "errors must be an object by block_id");
  const inputs = new Set(
    list(view.body["blocks"])
      .filter((block) => block["type"] === "input")
      .map((block) => block["block_id"]),
  );
  for (const [blockId, message] of Object.entries(errors)) {
    if (!inputs.has(blockId) || typeof message !== "string")
      return ackRefused(room, view, `errors names ${blockId}, which is no input block, or not a string`);
    view.errors[blockId] = message;
  }
  changed(room, view);
  return "errors";
}

function checkFields(json: JsonObject): Record<string, string> {
  const values = isObject(json["state"]) && isObject(json["state"]["values"]) ? json["state"]["values"] : {};
  const errors: Record<string, string> = {};
  for (const block of list(json["blocks"])) {
    const element = block["element"];
    if (block["type"] !== "input" || !isObject(element)) continue;
    const entries = values[String(block["block_id"])];
    const state = isObject(entries) ? entries[String(element["action_id"])] : null;
    const error = isObject(state) ? fieldError(block, element, state) : null;
    if (error !== null) errors[String(block["block_id"])] = error;
  }
  return errors;
}

/** Conversation selects with `response_url_enabled` give the submission an address to answer to. */
function responseUrlsOf(room: Room, actor: string, json: JsonObject): JsonObject[] {
  const values = isObject(json["state"]) && isObject(json["state"]["values"]) ? json["state"]["values"] : {};
  return list(json["blocks"]).flatMap((block) => {
    const element = block["element"];
    if (!isObject(element) || element["response_url_enabled"] !== true) return [];
    const [blockId, actionId] = [String(block["block_id"]), String(element["action_id"])];
    const entries = values[blockId];
    const state = isObject(entries) && isObject(entries[actionId]) ? entries[actionId] : {};
    const channel = state["selected_conversation"] ?? state["selected_channel"];
    if (typeof channel !== "string") return [];
    const url = room.responseUrls.issue({ kind: "actions", channel, user: actor, sourceTs: null, threadTs: null });
    return [{ block_id: blockId, action_id: actionId, channel_id: channel, response_url: url }];
  });
}

/** One view or, with the X, the whole stack. The app hears of those that asked with `notify_on_close`. */
export async function close(room: Room, actor: string, request: ViewCloseRequest): Promise<ControlAnswer> {
  const view = topView(room, actor, request.viewId);
  if (isRefusal(view)) return view;
  const all = request.all === true || view.body["clear_on_close"] === true;
  const stack = stackOf(room, actor);
  const closed = all ? stack.toReversed() : [view];
  setStack(
    room,
    actor,
    stack.filter((other) => !closed.includes(other)),
  );
  for (const one of closed) {
    if (one.body["notify_on_close"] !== true) continue;
    const { trigger_id: _none, ...common } = interaction(room, actor, null);
    await room.delivery.request("interactive", {
      type: "view_closed",
      ...common,
      view: viewJson(room, one),
      is_cleared: all,
    });
  }
  return { ok: true };
}

function topView(room: Room, actor: string, id: string): View | ControlRefusal {
  const top = stackOf(room, actor).at(-1);
  return top?.id === id ? top : refusal("view_not_found", "That dialog is closed.");
}

/** Opening the app's Home or its messages. */
export function openHome(room: Room, actor: string, request: HomeOpenRequest): ControlAnswer {
  const tab = request.tab ?? "home";
  if (tab === "home" && !room.manifest.homeTab) return refusal("not_enabled", "This app has no Home tab.");
  const channel = openDm(room, actor);
  if (isFailure(channel)) return refusal(channel.error, "The app cannot write to this person.");
  const home = room.world.homes.get(actor);
  const view = tab === "home" && home ? { view: viewJson(room, home) } : {};
  emitEvent(room, { type: "app_home_opened", user: actor, channel: channel.id, tab, event_ts: room.nextTs(), ...view });
  return { ok: true };
}

import { isObject, list } from "../manifest.ts";
import { messageJson } from "../message-json.ts";
import type {
  ActionRequest,
  ControlRefusal,
  ControlValues,
  DispatchAnswer,
  JsonObject,
  OptionState,
  OptionsAnswer,
  OptionsRequest,
} from "../protocol.ts";
import type { Room } from "../room.ts";
import { type Channel, findMessage, type Message, type View } from "../world.ts";
import { elementState, interactiveElements, isStateful, optionsOf } from "./inputs.ts";
import { channelRef, interaction, isRefusal, refusal, unanswered } from "./person.ts";
import { findView, stackOf, viewJson } from "./view-stack.ts";

/** A click or choice in a message, modal or Home: one `block_actions` payload to the app that owns it. */
export async function act(room: Room, actor: string, request: ActionRequest): Promise<DispatchAnswer> {
  const surface = surfaceOf(room, actor, request);
  if (isRefusal(surface)) return surface;
  const stale = room.faults.on("staleClicks") && request.staleMessage !== undefined ? request.staleMessage : null;
  const found = elementIn(stale ?? surface.json, request);
  if (!found) return refusal("element_not_found", "That button is gone: the message has changed.");
  const { block, element } = found;
  if (isObject(element["confirm"]) && request.confirmed !== true)
    return refusal("confirmation_required", "Confirm the dialog first.");
  const suggested = surface.view?.suggestions.get(`${request.blockId}/${request.actionId}`) ?? [];
  const action = actionOf(room, block, element, request, suggested);
  if (action === null) return refusal("option_not_found", "That option is not in the list.");
  const entered = {
    ...request.values,
    [request.blockId]: {
      ...request.values?.[request.blockId],
      ...(isStateful(element) ? { [request.actionId]: request.value ?? null } : {}),
    },
  };
  if (surface.view) remember(surface.view, entered);
  const payload = payloadOf(room, actor, surface, stale ?? surface.json, entered);
  const ack = await room.delivery.request("interactive", { ...payload, actions: [action] });
  return unanswered(ack, "This action") ?? { ok: true, ackMs: ack.kind === "acked" ? ack.tookMs : 0 };
}

/** `block_suggestion`: the app's options for what was typed so far. */
export async function suggest(room: Room, actor: string, request: OptionsRequest): Promise<OptionsAnswer> {
  const surface = surfaceOf(room, actor, request);
  if (isRefusal(surface)) return surface;
  const found = elementIn(surface.json, request);
  if (!found || !String(found.element["type"]).includes("external_select"))
    return refusal("element_not_found", "That list is gone.");
  const { trigger_id: _none, ...common } = interaction(room, actor, null);
  const payload = {
    type: "block_suggestion",
    ...common,
    action_id: request.actionId,
    block_id: request.blockId,
    value: request.query,
    ...placeOf(surface, surface.json),
  };
  const ack = await room.delivery.request("options", payload);
  if (ack.kind !== "acked") return unanswered(ack, "Loading the options") ?? refusal("dispatch_failed", "");
  const body = ack.body ?? {};
  const groups = list(body["option_groups"]);
  const all = [...list(body["options"]), ...groups.flatMap((group) => list(group["options"]))];
  if (all.length > 100)
    room.journal.flag("too-many-options", `the app answered a block_suggestion with ${all.length} options`);
  surface.view?.suggestions.set(`${request.blockId}/${request.actionId}`, all);
  return {
    ok: true,
    options: list(body["options"]).map(optionState),
    groups: groups.map((group) => ({
      label: textOf(group["label"]),
      options: list(group["options"]).map(optionState),
    })),
  };
}

const textOf = (value: unknown) => (isObject(value) ? String(value["text"] ?? "") : "");
const optionState = (option: JsonObject): OptionState => ({
  text: textOf(option["text"]),
  value: String(option["value"]),
  description: isObject(option["description"]) ? textOf(option["description"]) : null,
});

interface Surface {
  json: JsonObject;
  view: View | null;
  message: Message | null;
  channel: Channel | null;
}

/** The message or view acted on, if this person can see it and it is the app's own. */
function surfaceOf(
  room: Room,
  actor: string,
  request: Pick<ActionRequest, "viewId" | "channel" | "ts">,
): Surface | ControlRefusal {
  if (request.viewId !== undefined) {
    const view = findView(room, request.viewId);
    if (view?.user !== actor) return refusal("view_not_found", "That dialog is closed.");
    if (view.type === "modal" && stackOf(room, actor).at(-1) !== view)
      return refusal("view_not_on_top", "Another dialog is open in front of that one.");
    return { json: viewJson(room, view), view, message: null, channel: null };
  }
  const channel = room.world.channels.get(request.channel ?? "") ?? null;
  const message = channel ? findMessage(room.world, channel.id, request.ts ?? "") : null;
  const visible =
    channel && (channel.type === "public" || channel.members.has(actor)) && (message?.ephemeralFor ?? actor) === actor;
  if (!channel || !message || !visible || !message.fromApp)
    return refusal("message_not_found", "That message is gone.");
  return { json: messageJson(room, message, { metadata: true }), view: null, message, channel };
}

function elementIn(json: JsonObject, request: { blockId: string; actionId: string }) {
  const attached = list(json["attachments"]).flatMap((attachment) => interactiveElements(attachment["blocks"]));
  return [...interactiveElements(json["blocks"]), ...attached].find(
    ({ block, element }) => block["block_id"] === request.blockId && element["action_id"] === request.actionId,
  );
}

/** The entry in `actions`; null where the chosen option does not exist. */
function actionOf(
  room: Room,
  block: JsonObject,
  element: JsonObject,
  request: ActionRequest,
  suggested: readonly JsonObject[],
): JsonObject | null {
  const base = { action_id: request.actionId, block_id: String(block["block_id"]), action_ts: room.nextTs() };
  const type = String(element["type"]);
  const value = request.value ?? null;
  if (type === "button" || type === "icon_button" || type === "feedback_buttons" || type === "workflow_button") {
    return {
      type,
      text: element["text"] ?? null,
      ...pick(element, ["value", "style", "url"]),
      ...(value === null ? {} : { value }),
      ...base,
    };
  }
  const state =
    type === "overflow"
      ? elementState({ ...element, type: "static_select" }, value, suggested)
      : elementState(element, value, suggested);
  const chose =
    type === "overflow" || type === "static_select" || type === "external_select" || type === "radio_buttons";
  const known = [...optionsOf(element), ...suggested].some((option) => option["value"] === value);
  if (chose && value !== null && !known) return null;
  return { ...state, type, ...pick(element, ["placeholder"]), ...base };
}

const pick = (from: JsonObject, names: string[]): JsonObject =>
  Object.fromEntries(
    names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])) as [string, JsonObject][],
  );

function payloadOf(room: Room, actor: string, surface: Surface, shown: JsonObject, entered: ControlValues): JsonObject {
  const common = {
    type: "block_actions",
    ...interaction(room, actor, surface.view?.type === "modal" ? surface.view.id : null),
  };
  if (surface.view) return { ...common, ...placeOf(surface, viewJson(room, surface.view)) };
  const { message, channel } = surface;
  if (!message || !channel) return common;
  const about = {
    kind: "actions",
    channel: channel.id,
    user: actor,
    sourceTs: message.ts,
    threadTs: message.threadTs,
  } as const;
  return {
    ...common,
    ...placeOf(surface, shown),
    state: { values: messageState(shown, entered) },
    response_url: room.responseUrls.issue(about),
  };
}

/** Where it happened: container, channel, and the message or view as it looked. */
function placeOf({ view, message, channel }: Surface, shown: JsonObject): JsonObject {
  if (view) return { container: { type: "view", view_id: view.id }, view: shown };
  if (!message || !channel) return {};
  const ephemeral = message.ephemeralFor !== null;
  return {
    container: {
      type: "message",
      message_ts: message.ts,
      channel_id: channel.id,
      is_ephemeral: ephemeral,
      ...(message.threadTs === null ? {} : { thread_ts: message.threadTs }),
    },
    channel: channelRef(channel),
    // Slack keeps no copy of an ephemeral message.
    ...(ephemeral ? {} : { message: shown }),
  };
}

function messageState(shown: JsonObject, entered: ControlValues): JsonObject {
  const values: JsonObject = {};
  for (const { block, element } of interactiveElements(shown["blocks"])) {
    if (!isStateful(element)) continue;
    const [blockId, actionId] = [String(block["block_id"]), String(element["action_id"])];
    const entry = elementState(element, entered[blockId]?.[actionId], []);
    values[blockId] = { ...(values[blockId] as JsonObject | undefined), [actionId]: entry };
  }
  return values;
}

/** Keeps what was typed in a view, so that the next payload and an update carry it. */
export function remember(view: View, entered: ControlValues): void {
  for (const { block, element } of interactiveElements(view.body["blocks"])) {
    const [blockId, actionId] = [String(block["block_id"]), String(element["action_id"])];
    const value = entered[blockId]?.[actionId];
    if (value === undefined || !isStateful(element)) continue;
    const entry = elementState(element, value, view.suggestions.get(`${blockId}/${actionId}`) ?? []);
    view.values[blockId] = { ...(view.values[blockId] as JsonObject | undefined), [actionId]: entry };
  }
}

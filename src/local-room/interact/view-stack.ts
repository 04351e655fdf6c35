import { refusal, validateView } from "../../slack/blocks/validate.ts";
import { type Failure, fail, validateOptions } from "../api/method.ts";
import { modalStackViews, viewBytes } from "../limits.ts";
import { isObject, list } from "../manifest.ts";
import { withBlockIds } from "../posting.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { View } from "../world.ts";
import { elementState, isStateful } from "./inputs.ts";

/** What Slack would refuse about a view, null when it would take it. */
export function viewProblem(room: Room, view: unknown): Failure | null {
  if (view === "malformed" || !isObject(view)) return viewRefusal(["must provide an object [json-pointer:/view]"]);
  if (Buffer.byteLength(JSON.stringify(view)) > viewBytes) return fail("view_too_large");
  const refused = refusal(validateView(view, validateOptions(room)), "view");
  if (refused) return structuredClone(refused) as unknown as Failure;
  const externalId = view["external_id"];
  const taken =
    typeof externalId === "string" &&
    externalId !== "" &&
    allViews(room).some((other) => other.externalId === externalId);
  return taken ? fail("duplicate_external_id") : null;
}

export const viewRefusal = (messages: string[]): Failure =>
  fail("invalid_arguments", { response_metadata: { messages: messages.map((message) => `[ERROR] ${message}`) } });

export const stackOf = (room: Room, user: string): View[] => room.world.stacks.get(user) ?? [];
export const allViews = (room: Room): View[] => [
  ...[...room.world.stacks.values()].flat(),
  ...room.world.homes.values(),
];
export const findView = (room: Room, id: string): View | null => allViews(room).find((view) => view.id === id) ?? null;

export function makeView(room: Room, user: string, body: JsonObject, previous: View | null): View {
  const id = room.random.id("V");
  return {
    id,
    type: body["type"] === "home" ? "home" : "modal",
    user,
    body: { ...body, blocks: withBlockIds(room, list(body["blocks"])) },
    hash: newHash(room),
    externalId: typeof body["external_id"] === "string" ? body["external_id"] : "",
    rootViewId: previous?.rootViewId ?? id,
    previousViewId: previous?.id ?? null,
    errors: {},
    trouble: null,
    values: {},
    suggestions: new Map(),
  };
}

export function replaceBody(room: Room, view: View, body: JsonObject): void {
  view.body = { ...body, blocks: withBlockIds(room, list(body["blocks"])) };
  view.hash = newHash(room);
  view.externalId = typeof body["external_id"] === "string" ? body["external_id"] : view.externalId;
  view.errors = {};
  view.trouble = null;
  changed(room, view);
}

const newHash = (room: Room) => `${Math.floor(room.clock.nowMs() / 1000)}.${room.random.hex(8)}`;

/** A new modal on top, or the error that the stack is full. */
export function pushOnStack(room: Room, user: string, body: JsonObject): View | Failure {
  const stack = stackOf(room, user);
  if (stack.length >= modalStackViews) return fail("push_limit_reached");
  const view = makeView(room, user, body, stack.at(-1) ?? null);
  room.world.stacks.set(user, [...stack, view]);
  changed(room, view);
  return view;
}

/** Slack shows one stack per person: opening another modal replaces what was open. */
export function openRoot(room: Room, user: string, body: JsonObject): View {
  const view = makeView(room, user, body, null);
  room.world.stacks.set(user, [view]);
  changed(room, view);
  return view;
}

export function setStack(room: Room, user: string, views: View[]): void {
  room.world.stacks.set(user, views);
  room.journal.changed("view", { actor: user });
}

export function changed(room: Room, view: View): void {
  room.journal.changed(view.type === "home" ? "home" : "view", { actor: view.user });
}

/** The view as payloads and API answers carry it. */
export function viewJson(room: Room, view: View): JsonObject {
  const { body, type } = view;
  const common: JsonObject = {
    id: view.id,
    team_id: room.world.team.id,
    type,
    blocks: body["blocks"] ?? [],
    private_metadata: body["private_metadata"] ?? "",
    callback_id: body["callback_id"] ?? "",
    state: { values: valuesOf(view) },
    hash: view.hash,
    clear_on_close: body["clear_on_close"] ?? false,
    notify_on_close: body["notify_on_close"] ?? false,
    title: body["title"] ?? { type: "plain_text", text: "View Title", emoji: true },
    close: body["close"] ?? null,
    submit: body["submit"] ?? null,
    previous_view_id: view.previousViewId,
    root_view_id: view.rootViewId,
    app_id: room.world.appId,
    external_id: view.externalId,
    app_installed_team_id: room.world.team.id,
    bot_id: room.world.botId,
  };
  return type === "modal" ? { ...common, submit_disabled: false } : common;
}

/** What was typed wins; an input never touched has its initial value. A block that is gone takes its value with it. */
function valuesOf(view: View): JsonObject {
  const values: JsonObject = {};
  for (const block of list(view.body["blocks"])) {
    const elements = [block["element"], block["accessory"], ...list(block["elements"])]
      .filter(isObject)
      .filter(isStateful);
    for (const element of elements) {
      const [blockId, actionId] = [String(block["block_id"]), String(element["action_id"])];
      const typed = isObject(view.values[blockId]) ? view.values[blockId][actionId] : undefined;
      values[blockId] = {
        ...(values[blockId] as JsonObject | undefined),
        [actionId]: typed ?? elementState(element, undefined, []),
      };
    }
  }
  return values;
}

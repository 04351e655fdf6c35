import { parse } from "yaml";
import type { JsonObject } from "./protocol.ts";

/** The parts of an app manifest that decide what the room allows. */
export interface Manifest {
  name: string;
  botName: string;
  homeTab: boolean;
  messagesTab: boolean;
  commands: {
    command: string;
    description: string;
    usageHint: string | null;
    shouldEscape: boolean;
    url: string | null;
  }[];
  shortcuts: { type: "message" | "global"; name: string; callbackId: string; description: string }[];
  botScopes: string[];
  botEvents: string[];
  interactivity: boolean;
  socketMode: boolean;
  urls: { events: string | null; interactivity: string | null; options: string | null };
}

/** Reads YAML or JSON. Throws with every violation in one sentence: a room with a wrong manifest would lie. */
export function parseManifest(text: string): Manifest {
  const raw = parse(text) as unknown;
  const problems = manifestProblems(raw);
  if (problems.length > 0) {
    throw new Error(
      `the Slack app manifest is not valid: ${problems.map((p) => `${p.pointer} ${p.message}`).join("; ")}`,
    );
  }
  const features = object(object(raw)["features"]);
  const settings = object(object(raw)["settings"]);
  const home = object(features["app_home"]);
  const scopes = object(object(object(raw)["oauth_config"])["scopes"]);
  const subscriptions = object(settings["event_subscriptions"]);
  const interactivity = object(settings["interactivity"]);
  const name = String(object(object(raw)["display_information"])["name"]);
  return {
    name,
    botName: textOr(object(features["bot_user"])["display_name"], name),
    homeTab: home["home_tab_enabled"] === true,
    messagesTab: home["messages_tab_enabled"] === true,
    commands: list(features["slash_commands"]).map((command) => ({
      command: String(command["command"]),
      description: String(command["description"]),
      usageHint: textOrNull(command["usage_hint"]),
      shouldEscape: command["should_escape"] === true,
      url: textOrNull(command["url"]),
    })),
    shortcuts: list(features["shortcuts"]).map((shortcut) => ({
      type: shortcut["type"] === "message" ? "message" : "global",
      name: String(shortcut["name"]),
      callbackId: String(shortcut["callback_id"]),
      description: String(shortcut["description"]),
    })),
    botScopes: [...strings(scopes["bot"]), ...strings(scopes["bot_optional"])],
    botEvents: strings(subscriptions["bot_events"]),
    interactivity: interactivity["is_enabled"] === true,
    socketMode: settings["socket_mode_enabled"] === true,
    urls: {
      events: textOrNull(subscriptions["request_url"]),
      interactivity: textOrNull(interactivity["request_url"]),
      options: textOrNull(interactivity["message_menu_options_url"]),
    },
  };
}

export interface ManifestProblem {
  message: string;
  pointer: string;
}

/** Limits of manifest schema v1 (names, lengths, counts). */
export function manifestProblems(raw: unknown): ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  const add = (pointer: string, message: string) => problems.push({ pointer, message });
  if (!isObject(raw)) return [{ pointer: "", message: "must provide an object" }];
  const length = (pointer: string, value: unknown, min: number, max: number) => {
    if (typeof value !== "string") add(pointer, "missing required field");
    else if (value.length > max) add(pointer, `must be less than ${max + 1} characters`);
    else if (value.length < min) add(pointer, `must be more than ${min - 1} characters`);
  };
  const info = object(raw["display_information"]);
  length("/display_information/name", info["name"], 1, 35);
  if (info["description"] !== undefined) length("/display_information/description", info["description"], 1, 140);
  const features = object(raw["features"]);
  const bot = object(features["bot_user"]);
  if (features["bot_user"] !== undefined) length("/features/bot_user/display_name", bot["display_name"], 1, 80);
  const commands = list(features["slash_commands"]);
  if (commands.length > 50) add("/features/slash_commands", "no more than 50 items allowed");
  for (const [index, command] of commands.entries()) {
    const pointer = `/features/slash_commands/${index}`;
    length(`${pointer}/command`, command["command"], 2, 32);
    if (!/^\/[a-z0-9_-]+$/.test(String(command["command"])))
      add(`${pointer}/command`, "must start with / and be lower case");
    length(`${pointer}/description`, command["description"], 1, 2_000);
    if (command["usage_hint"] !== undefined) length(`${pointer}/usage_hint`, command["usage_hint"], 1, 1_000);
  }
  const shortcuts = list(features["shortcuts"]);
  if (shortcuts.length > 10) add("/features/shortcuts", "no more than 10 items allowed");
  for (const [index, shortcut] of shortcuts.entries()) {
    const pointer = `/features/shortcuts/${index}`;
    length(`${pointer}/name`, shortcut["name"], 1, 24);
    length(`${pointer}/callback_id`, shortcut["callback_id"], 1, 255);
    length(`${pointer}/description`, shortcut["description"], 1, 150);
    if (shortcut["type"] !== "message" && shortcut["type"] !== "global")
      add(`${pointer}/type`, "must be message or global");
  }
  settingsProblems(object(raw["settings"]), commands, add);
  return problems;
}

function settingsProblems(
  settings: JsonObject,
  commands: JsonObject[],
  add: (pointer: string, message: string) => void,
) {
  const subscriptions = object(settings["event_subscriptions"]);
  if (strings(subscriptions["bot_events"]).length > 100)
    add("/settings/event_subscriptions/bot_events", "no more than 100 items allowed");
  if (settings["socket_mode_enabled"] === true) return;
  if (strings(subscriptions["bot_events"]).length > 0 && !subscriptions["request_url"]) {
    add("/settings/event_subscriptions/request_url", "missing required field");
  }
  for (const [index, command] of commands.entries()) {
    if (!command["url"]) add(`/features/slash_commands/${index}/url`, "missing required field");
  }
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const object = (value: unknown): JsonObject => (isObject(value) ? value : {});
export const list = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
export const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
const textOrNull = (value: unknown) => (typeof value === "string" ? value : null);
const textOr = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);

import { isObject, list } from "../manifest.ts";
import type { ControlValue, Json, JsonObject } from "../protocol.ts";

const selects = ["static_select", "external_select", "users_select", "conversations_select", "channels_select"];
const statefulTypes = new Set([
  ...selects,
  ...selects.map((type) => `multi_${type}`),
  "plain_text_input",
  "email_text_input",
  "url_text_input",
  "number_input",
  "datepicker",
  "timepicker",
  "datetimepicker",
  "checkboxes",
  "radio_buttons",
  "rich_text_input",
  "file_input",
]);

export const isStateful = (element: JsonObject) => statefulTypes.has(String(element["type"]));

/**
 * An element's entry in `state.values`. `value` is what the person entered; undefined takes the initial value.
 * `suggested` are the options that the app gave for an external select. [D reference/interaction-payloads]
 */
export function elementState(
  element: JsonObject,
  value: ControlValue | undefined,
  suggested: readonly JsonObject[],
): JsonObject {
  const type = String(element["type"]);
  const field = fieldOf(type);
  if (value === undefined) return { type, [field.name]: initialOf(element, field), ...zoneOf(element) };
  const one = Array.isArray(value) ? (value[0] ?? null) : value === "" ? null : value;
  const many = Array.isArray(value) ? value : one === null ? [] : [one];
  const options = [...optionsOf(element), ...suggested];
  const entered: Record<Field["holds"], Json> = {
    text: one,
    seconds: one === null ? null : Number(one),
    option: optionNamed(options, one),
    options: many.flatMap((item) => optionNamed(options, item) ?? []),
    list: many,
    files: many.map((id) => ({ id })),
    "rich-text": one === null ? null : richText(one),
  };
  return { type, [field.name]: entered[field.holds], ...zoneOf(element) };
}

interface Field {
  name: string;
  initial: string | null;
  holds: "text" | "seconds" | "option" | "options" | "list" | "files" | "rich-text";
}

const fields: Record<string, Field> = {
  datepicker: { name: "selected_date", initial: "initial_date", holds: "text" },
  timepicker: { name: "selected_time", initial: "initial_time", holds: "text" },
  datetimepicker: { name: "selected_date_time", initial: "initial_date_time", holds: "seconds" },
  static_select: { name: "selected_option", initial: "initial_option", holds: "option" },
  external_select: { name: "selected_option", initial: "initial_option", holds: "option" },
  radio_buttons: { name: "selected_option", initial: "initial_option", holds: "option" },
  users_select: { name: "selected_user", initial: "initial_user", holds: "text" },
  conversations_select: { name: "selected_conversation", initial: "initial_conversation", holds: "text" },
  channels_select: { name: "selected_channel", initial: "initial_channel", holds: "text" },
  multi_static_select: { name: "selected_options", initial: "initial_options", holds: "options" },
  multi_external_select: { name: "selected_options", initial: "initial_options", holds: "options" },
  checkboxes: { name: "selected_options", initial: "initial_options", holds: "options" },
  multi_users_select: { name: "selected_users", initial: "initial_users", holds: "list" },
  multi_conversations_select: { name: "selected_conversations", initial: "initial_conversations", holds: "list" },
  multi_channels_select: { name: "selected_channels", initial: "initial_channels", holds: "list" },
  rich_text_input: { name: "rich_text_value", initial: "initial_value", holds: "rich-text" },
  file_input: { name: "files", initial: null, holds: "files" },
};

/** Text, e-mail, URL and number inputs all hold `value`. */
const fieldOf = (type: string): Field => fields[type] ?? { name: "value", initial: "initial_value", holds: "text" };

function initialOf(element: JsonObject, field: Field): Json {
  const empty = field.holds === "options" || field.holds === "list" || field.holds === "files" ? [] : null;
  return (field.initial === null ? undefined : element[field.initial]) ?? empty;
}

const zoneOf = (element: JsonObject): JsonObject =>
  element["type"] === "timepicker" && element["timezone"] ? { timezone: element["timezone"] } : {};

/** All options of a select, grouped or not. */
export function optionsOf(element: JsonObject): JsonObject[] {
  return [...list(element["options"]), ...list(element["option_groups"]).flatMap((group) => list(group["options"]))];
}

const optionNamed = (options: readonly JsonObject[], value: string | null) =>
  options.find((option) => option["value"] === value) ?? null;

const richText = (text: string): JsonObject => ({
  type: "rich_text",
  elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
});

/** What Slack's client checks before it sends a modal; null when the field may go. */
export function fieldError(block: JsonObject, element: JsonObject, state: JsonObject): string | null {
  const { type: _type, timezone: _timezone, ...held } = state;
  const value = Object.values(held)[0];
  const empty = value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
  if (empty) return block["optional"] === true ? null : "Please complete this required field.";
  const text = typeof value === "string" ? value : "";
  const limit = (name: string) => (element[name] === undefined ? null : Number(element[name]));
  const [minLength, maxLength] = [limit("min_length"), limit("max_length")];
  if (minLength !== null && text.length < minLength) return `This field must have at least ${minLength} characters.`;
  if (maxLength !== null && text.length > maxLength) return `This field must have at most ${maxLength} characters.`;
  switch (element["type"]) {
    case "email_text_input":
      return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text) ? null : "Please enter a valid email address.";
    case "url_text_input":
      return URL.canParse(text) && /^https?:/.test(text) ? null : "Please enter a valid URL.";
    case "datepicker":
      return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? null : "Please enter a valid date.";
    case "timepicker":
      return /^([01]\d|2[0-3]):[0-5]\d$/.test(text) ? null : "Please enter a valid time.";
    case "number_input":
      return numberError(text, element, limit("min_value"), limit("max_value"));
    default: {
      const most = limit("max_selected_items");
      return isTooMany(value, most) ? `Please choose at most ${most}.` : null;
    }
  }
}

const isTooMany = (value: Json | undefined, most: number | null) =>
  most !== null && Array.isArray(value) && value.length > most;

function numberError(text: string, element: JsonObject, min: number | null, max: number | null): string | null {
  const format = element["is_decimal_allowed"] === true ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
  if (!format.test(text)) return "Please enter a number.";
  if (min !== null && Number(text) < min) return `Please enter a number of at least ${min}.`;
  return max !== null && Number(text) > max ? `Please enter a number of at most ${max}.` : null;
}

/** Every element of blocks that a person can act on, with the block it sits in. */
export function interactiveElements(blocks: unknown): { block: JsonObject; element: JsonObject }[] {
  return list(blocks).flatMap((block) => {
    const direct = [block["element"], block["accessory"], ...list(block["elements"]), ...list(block["actions"])].filter(
      isObject,
    );
    const own = direct
      .filter((element) => typeof element["action_id"] === "string")
      .map((element) => ({ block, element }));
    return [
      ...own,
      ...interactiveElements(block["blocks"]),
      ...interactiveElements(list(block["elements"]).filter((inner) => inner["block_id"] !== undefined)),
    ];
  });
}

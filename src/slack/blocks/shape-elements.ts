import { LIMITS, type LimitName } from "./limits.ts";
import { type Context, type Fields, isFields, type Rule, type Shape } from "./schema.ts";
import { RICH_TEXT } from "./shape-rich-text.ts";

const string: Rule = { is: "string" };
const anyString: Rule = { is: "string", mayBeEmpty: true };
const boolean: Rule = { is: "boolean" };
const count = (min: number, max?: LimitName): Rule => ({
  is: "number",
  integer: true,
  min,
  ...(max === undefined ? {} : { max }),
});
const strings: Rule = { is: "list", of: string };
const url: Rule = { is: "string", max: "url" };
const slackFile: Rule = {
  is: "object",
  shape: {
    required: {},
    optional: { id: string, url: string },
    check(value, at, context) {
      if ((value["id"] === undefined) === (value["url"] === undefined)) {
        context.report("invalid_slack_file", "invalid slack file", at);
      }
    },
  },
};

const plainText = (max: LimitName): Rule => ({
  is: "text",
  max,
  only: "plain_text",
});
const style: Rule = { is: "enum", values: ["primary", "danger"] };
const filter: Rule = {
  is: "object",
  shape: {
    required: {},
    optional: {
      include: {
        is: "list",
        min: 1,
        of: { is: "enum", values: ["im", "mpim", "private", "public"] },
      },
      exclude_external_shared_channels: boolean,
      exclude_bot_users: boolean,
    },
  },
};

/** A confirmation dialog. Slack fills in what is left out, except the text. */
const confirm: Rule = {
  is: "object",
  shape: {
    required: { text: { is: "text", max: "confirmText" } },
    optional: {
      title: plainText("confirmTitle"),
      confirm: plainText("confirmButton"),
      deny: plainText("confirmButton"),
      style,
    },
  },
};

function option(text: Rule, extra: Readonly<Record<string, Rule>> = {}): Rule {
  return {
    is: "object",
    shape: {
      required: { text, value: { is: "string", max: "optionValue" } },
      optional: { description: plainText("optionDescription"), ...extra },
    },
  };
}

const plainOption = option(plainText("optionText"));
/** Only radio buttons and checkboxes may format their options. */
const richOption = option({ is: "text", max: "optionText" }, { description: { is: "text", max: "optionDescription" } });
const overflowOption = option(plainText("optionText"), { url });
const optionGroup: Rule = {
  is: "object",
  shape: {
    required: {
      label: plainText("optionGroupLabel"),
      options: { is: "list", of: plainOption, min: 1, max: "selectOptions" },
    },
  },
};

const confirmable = { confirm };
const focusable = { focus_on_load: boolean };
const hasPlaceholder = { placeholder: plainText("placeholder") };
const selectable = { ...confirmable, ...focusable, ...hasPlaceholder };
const many = { max_selected_items: count(1) };
const typed = {
  ...focusable,
  ...hasPlaceholder,
  dispatch_action_config: {
    is: "object",
    shape: {
      required: {},
      optional: {
        trigger_actions_on: {
          is: "list",
          min: 1,
          of: {
            is: "enum",
            values: ["on_enter_pressed", "on_character_entered"],
          },
        },
      },
    },
  } as Rule,
};
const staticOptions = {
  options: { is: "list", of: plainOption, min: 1, max: "selectOptions" },
  option_groups: { is: "list", of: optionGroup, min: 1, max: "optionGroups" },
} as const satisfies Record<string, Rule>;
const responseUrl = { response_url_enabled: boolean };
const labelled = {
  accessibility_label: { is: "string", max: "buttonLabel" } as Rule,
};

const workflow: Rule = {
  is: "object",
  shape: {
    required: {
      trigger: {
        is: "object",
        shape: {
          required: { url: string },
          optional: {
            customizable_input_parameters: {
              is: "list",
              of: {
                is: "object",
                shape: { required: { name: string, value: anyString } },
              },
            },
          },
        },
      },
    },
  },
};

const feedback: Rule = {
  is: "object",
  shape: {
    required: {
      text: plainText("buttonText"),
      value: { is: "string", max: "buttonValue" },
    },
    optional: labelled,
  },
};

const date: Rule = {
  is: "string",
  pattern: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
};
const time: Rule = { is: "string", pattern: /^([01]\d|2[0-3]):[0-5]\d$/ };
const decimal: Rule = { is: "string", pattern: /^-?\d+(\.\d+)?$/ };

/** The image as an element and as a block share these. */
export const imageFields: Shape = {
  required: { alt_text: { is: "string", max: "altText" } },
  optional: {
    image_url: { is: "string", max: "url", pattern: /^https:\/\//i },
    slack_file: slackFile,
  },
  check(value, at, context) {
    if ((value["image_url"] === undefined) === (value["slack_file"] === undefined)) {
      context.report("missing_field", "must define either `image_url` or `slack_file`", at);
    }
  },
};

export const imageElement: Rule = {
  is: "tagged",
  among: () => ELEMENTS,
  types: ["image"],
};

function element(required: Shape["required"], optional: Shape["optional"] = {}, check?: Shape["check"]): Shape {
  return {
    required: { type: string, ...required },
    optional: { action_id: { is: "string", max: "actionId" }, ...optional },
    ...(check === undefined ? {} : { check }),
  };
}

/** Every element by its `type`. Field by field as in `@slack/types` 3.2.0. */
export const ELEMENTS: Readonly<Record<string, Shape>> = {
  button: element(
    { text: plainText("buttonText") },
    {
      value: { is: "string", max: "buttonValue" },
      url,
      style,
      ...labelled,
      ...confirmable,
    },
  ),
  workflow_button: element({ text: plainText("buttonText"), workflow }, { style, ...labelled, ...confirmable }),
  icon_button: element(
    { icon: string, text: plainText("buttonText") },
    {
      value: { is: "string", max: "buttonValue" },
      visible_to_user_ids: strings,
      ...labelled,
      ...confirmable,
    },
  ),
  feedback_buttons: element({
    positive_button: feedback,
    negative_button: feedback,
  }),
  image: {
    ...imageFields,
    required: { type: string, ...imageFields.required },
  },
  checkboxes: element(
    { options: { is: "list", of: richOption, min: 1, max: "choiceOptions" } },
    {
      initial_options: { is: "list", of: richOption, min: 1 },
      ...confirmable,
      ...focusable,
    },
    initialIsOffered,
  ),
  radio_buttons: element(
    { options: { is: "list", of: richOption, min: 1, max: "choiceOptions" } },
    { initial_option: richOption, ...confirmable, ...focusable },
    initialIsOffered,
  ),
  overflow: element(
    {
      options: {
        is: "list",
        of: overflowOption,
        min: 1,
        max: "overflowOptions",
      },
    },
    confirmable,
  ),
  static_select: element({}, { ...staticOptions, initial_option: plainOption, ...selectable }, checkStatic),
  multi_static_select: element(
    {},
    {
      ...staticOptions,
      initial_options: { is: "list", of: plainOption, min: 1 },
      ...selectable,
      ...many,
    },
    checkStatic,
  ),
  external_select: element({}, { initial_option: plainOption, min_query_length: count(0), ...selectable }),
  multi_external_select: element(
    {},
    {
      initial_options: { is: "list", of: plainOption, min: 1 },
      min_query_length: count(0),
      ...selectable,
      ...many,
    },
  ),
  users_select: element({}, { initial_user: string, ...selectable }),
  multi_users_select: element({}, { initial_users: strings, ...selectable, ...many }),
  conversations_select: element(
    {},
    {
      initial_conversation: string,
      default_to_current_conversation: boolean,
      filter,
      ...responseUrl,
      ...selectable,
    },
    responseUrlInModals,
  ),
  multi_conversations_select: element(
    {},
    {
      initial_conversations: strings,
      default_to_current_conversation: boolean,
      filter,
      ...selectable,
      ...many,
    },
  ),
  channels_select: element({}, { initial_channel: string, ...responseUrl, ...selectable }, responseUrlInModals),
  multi_channels_select: element({}, { initial_channels: strings, ...selectable, ...many }),
  datepicker: element({}, { initial_date: date, ...selectable }),
  timepicker: element({}, { initial_time: time, timezone: string, ...selectable }),
  datetimepicker: element(
    {},
    {
      initial_date_time: { is: "number", integer: true, min: 1_000_000_000 },
      ...confirmable,
      ...focusable,
    },
  ),
  plain_text_input: element(
    {},
    {
      initial_value: anyString,
      multiline: boolean,
      min_length: count(0, "inputLength"),
      max_length: count(1, "inputLength"),
      ...typed,
    },
    checkLengths,
  ),
  email_text_input: element({}, { initial_value: anyString, ...typed }),
  url_text_input: element({}, { initial_value: anyString, ...typed }),
  number_input: element(
    { is_decimal_allowed: boolean },
    {
      initial_value: decimal,
      min_value: decimal,
      max_value: decimal,
      ...typed,
    },
    checkRange,
  ),
  rich_text_input: element(
    {},
    {
      initial_value: {
        is: "tagged",
        among: () => RICH_TEXT,
        types: ["rich_text"],
      },
      min_lines: count(1, "inputLines"),
      max_lines: count(1, "inputLines"),
      ...typed,
    },
  ),
  file_input: element({}, { filetypes: strings, max_files: count(1, "fileInputFiles") }),
};

function checkStatic(value: Fields, at: string, context: Context): void {
  if ((value["options"] === undefined) === (value["option_groups"] === undefined)) {
    context.report("missing_field", "must define either `options` or `option_groups`", at);
  }
  initialIsOffered(value, at, context);
}

/** An initial choice that is not on offer is refused: Slack compares the whole option (docs: select-menu-element). */
function initialIsOffered(value: Fields, at: string, context: Context): void {
  const groups = Array.isArray(value["option_groups"]) ? value["option_groups"] : [];
  const offered = [value["options"], ...groups.map((group) => (isFields(group) ? group["options"] : []))]
    .flatMap((options) => (Array.isArray(options) ? options : []))
    .map((offer) => JSON.stringify(offer));
  const chosen = Array.isArray(value["initial_options"]) ? value["initial_options"] : [];
  if (value["initial_option"] !== undefined) verify(value["initial_option"], `${at}/initial_option`);
  for (const [index, choice] of chosen.entries()) verify(choice, `${at}/initial_options/${index}`);

  function verify(choice: unknown, pointer: string): void {
    if (offered.includes(JSON.stringify(choice))) return;
    context.report("invalid_value", "must be one of the provided options", pointer);
  }
}

function responseUrlInModals(value: Fields, at: string, context: Context): void {
  if (value["response_url_enabled"] !== true || context.surface === "modal") return;
  context.report("unknown_property", "invalid additional property: response_url_enabled", at);
}

function checkLengths(value: Fields, at: string, context: Context): void {
  const [min, max, initial] = [value["min_length"], value["max_length"], value["initial_value"]];
  if (typeof min === "number" && typeof max === "number" && min > max) {
    context.report("invalid_value", "`min_length` must not be greater than `max_length`", at);
  }
  const room = typeof max === "number" ? Math.min(max, LIMITS.inputLength) : LIMITS.inputLength;
  if (typeof initial === "string" && initial.length > room) {
    context.report("too_long", `must be less than ${room + 1} characters`, `${at}/initial_value`);
  }
}

function checkRange(value: Fields, at: string, context: Context): void {
  const [min, max] = [Number(value["min_value"] ?? Number.NaN), Number(value["max_value"] ?? Number.NaN)];
  if (min > max) context.report("invalid_value", "`min_value` must not be greater than `max_value`", at);
  for (const name of ["initial_value", "min_value", "max_value"]) {
    if (value["is_decimal_allowed"] === false && String(value[name] ?? "").includes(".")) {
      context.report("invalid_value", "must be an integer", `${at}/${name}`);
    }
  }
}

/** One element; the block that holds it says which types may stand there. */
export function elementsOf(types: readonly string[]): Rule {
  return { is: "tagged", among: () => ELEMENTS, types };
}

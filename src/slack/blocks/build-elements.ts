import type {
  Button,
  Checkboxes,
  ConfirmationDialog,
  NumberInput,
  Overflow,
  PlainTextInput,
  PlainTextOption,
  RadioButtons,
  StaticSelect,
} from "@slack/types";
import { type Line, plainTextObject, requireAtMost } from "./build.ts";
import { cutToLength, escapedLength, plain } from "./encode.ts";
import { LIMITS } from "./limits.ts";

/** What comes back in `value` is looked up on the server: an opaque id, never a decision or a command. */
export interface ButtonSpec {
  readonly text: Line;
  readonly actionId: string;
  readonly value?: string;
  readonly style?: "primary" | "danger";
  readonly confirm?: ConfirmationDialog;
  /** Read out by screen readers instead of the text: say what the button does to what. */
  readonly label?: string;
  readonly url?: string;
}

/** Throws a RangeError when an id or value is too long: cut, it would name something else. */
export function button(spec: ButtonSpec): Button {
  return {
    type: "button",
    text: plainTextObject(spec.text, "buttonText"),
    ...action(spec.actionId),
    ...(spec.value === undefined ? {} : { value: value(spec.value, "buttonValue") }),
    ...(spec.url === undefined ? {} : { url: value(spec.url, "url") }),
    ...(spec.style === undefined ? {} : { style: spec.style }),
    ...(spec.confirm === undefined ? {} : { confirm: spec.confirm }),
    ...((spec.label ?? "") === ""
      ? {}
      : {
          accessibility_label: cutToLength(plain(spec.label ?? ""), LIMITS.buttonLabel),
        }),
  };
}

/** Literal text, because people decide by it: no formatting, no emoji, nothing hidden. */
export function confirm(spec: {
  readonly title: Line;
  readonly text: Line;
  readonly confirm: Line;
  readonly deny: Line;
  readonly style?: "primary" | "danger";
}): ConfirmationDialog {
  return {
    title: plainTextObject(spec.title, "confirmTitle"),
    text: plainTextObject(spec.text, "confirmText"),
    confirm: plainTextObject(spec.confirm, "confirmButton"),
    deny: plainTextObject(spec.deny, "confirmButton"),
    ...(spec.style === undefined ? {} : { style: spec.style }),
  };
}

export function plainTextInput(spec: {
  readonly actionId: string;
  readonly multiline?: boolean;
  readonly initial?: string;
  readonly placeholder?: Line;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly focus?: boolean;
}): PlainTextInput {
  const maxLength = spec.maxLength ?? LIMITS.inputLength;
  requireAtMost(maxLength, "inputLength");
  return {
    type: "plain_text_input",
    ...action(spec.actionId),
    max_length: maxLength,
    ...(spec.multiline === undefined ? {} : { multiline: spec.multiline }),
    ...(spec.initial === undefined ? {} : { initial_value: cutToLength(spec.initial, maxLength, () => "") }),
    ...(spec.minLength === undefined ? {} : { min_length: spec.minLength }),
    ...(spec.focus === undefined ? {} : { focus_on_load: spec.focus }),
    ...placeholder(spec.placeholder),
  };
}

export function numberInput(spec: {
  readonly actionId: string;
  readonly decimal?: boolean;
  readonly initial?: number;
  readonly min?: number;
  readonly max?: number;
  readonly placeholder?: Line;
}): NumberInput {
  return {
    type: "number_input",
    ...action(spec.actionId),
    is_decimal_allowed: spec.decimal ?? false,
    ...(spec.initial === undefined ? {} : { initial_value: String(spec.initial) }),
    ...(spec.min === undefined ? {} : { min_value: String(spec.min) }),
    ...(spec.max === undefined ? {} : { max_value: String(spec.max) }),
    ...placeholder(spec.placeholder),
  };
}

export function option(text: Line, optionValue: string, description?: Line): PlainTextOption {
  return {
    text: plainTextObject(text, "optionText"),
    value: value(optionValue, "optionValue"),
    ...(description === undefined ? {} : { description: plainTextObject(description, "optionDescription") }),
  };
}

interface Choice {
  readonly actionId: string;
  readonly options: readonly PlainTextOption[];
  /** Value of the option chosen at first; one that is not on offer is ignored. */
  readonly initial?: string;
}

/** Throws a RangeError above 100 options. */
export function staticSelect(spec: Choice & { readonly placeholder?: Line }): StaticSelect {
  requireAtMost(spec.options.length, "selectOptions");
  return {
    type: "static_select",
    ...action(spec.actionId),
    options: [...spec.options],
    ...initial(spec),
    ...placeholder(spec.placeholder),
  };
}

/** Throws a RangeError above ten options. */
export function radioButtons(spec: Choice): RadioButtons {
  requireAtMost(spec.options.length, "choiceOptions");
  return {
    type: "radio_buttons",
    ...action(spec.actionId),
    options: [...spec.options],
    ...initial(spec),
  };
}

/** Throws a RangeError above ten options. */
export function checkboxes(spec: Omit<Choice, "initial"> & { readonly checked?: readonly string[] }): Checkboxes {
  requireAtMost(spec.options.length, "choiceOptions");
  const checked = spec.options.filter((one) => spec.checked?.includes(one.value ?? "") ?? false);
  const chosen = checked.length === 0 ? {} : { initial_options: checked };
  return {
    type: "checkboxes",
    ...action(spec.actionId),
    options: [...spec.options],
    ...chosen,
  };
}

/** Throws a RangeError above five options. */
export function overflowMenu(spec: Omit<Choice, "initial">): Overflow {
  requireAtMost(spec.options.length, "overflowOptions");
  return {
    type: "overflow",
    ...action(spec.actionId),
    options: [...spec.options],
  };
}

function action(actionId: string): { action_id: string } {
  return { action_id: value(actionId, "actionId") };
}

function value(text: string, limit: "actionId" | "buttonValue" | "optionValue" | "url"): string {
  requireAtMost(escapedLength(text), limit);
  return text;
}

function initial(spec: Choice): { initial_option?: PlainTextOption } {
  const chosen = spec.options.find((one) => one.value === spec.initial && spec.initial !== undefined);
  return chosen === undefined ? {} : { initial_option: chosen };
}

function placeholder(text: Line | undefined): {
  placeholder?: ReturnType<typeof plainTextObject>;
} {
  return text === undefined ? {} : { placeholder: plainTextObject(text, "placeholder") };
}

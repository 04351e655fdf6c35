import { el, type RenderChild, type RenderNode, safeUrl } from "./render-node.ts";
import { list, type RenderOptions, renderTextObject } from "./render-text.ts";
import { type Fields, isFields } from "./schema.ts";

/** Where an element stands. `labelledBy` is set inside an input block, whose label names the control. */
export interface Place {
  readonly blockId: string;
  readonly options: RenderOptions;
  readonly input: {
    readonly id: string;
    readonly required: boolean;
    readonly hintId: string | null;
    readonly label: string;
  } | null;
}

/**
 * One interactive element or image. Everything the page needs to act is in data attributes: `data-action-id`,
 * `data-block-id`, `data-type`, `data-value`, and `data-confirm` with the confirm dialog as JSON. Selects whose choices
 * live in the workspace (people, channels, external) come empty, to be filled by the page from `data-type`.
 */
export function renderElement(element: Fields, place: Place): RenderNode {
  const type = String(element["type"]);
  switch (type) {
    case "button":
    case "workflow_button":
    case "icon_button":
      return button(element, place);
    case "feedback_buttons":
      return feedback(element, place);
    case "overflow":
      return overflow(element, place);
    case "image":
      return image(element, place.options);
    case "checkboxes":
    case "radio_buttons":
      return choices(element, place);
    case "plain_text_input":
    case "rich_text_input":
    case "email_text_input":
    case "url_text_input":
    case "number_input":
    case "file_input":
    case "datepicker":
    case "timepicker":
    case "datetimepicker":
      return field(element, place);
    default:
      return type.endsWith("_select") ? select(element, place) : el("span", { class: "unknown" }, [`[${type}]`]);
  }
}

/** An image by address or Slack file; where there is no address for it, its alt text stands in. */
export function image(value: Fields, options: RenderOptions): RenderNode {
  const alt = String(value["alt_text"] ?? "");
  const file = isFields(value["slack_file"]) ? value["slack_file"] : null;
  const src = safeUrl(value["image_url"]) ?? (file === null ? null : safeUrl(options.fileUrl?.(file)));
  if (src === null) return el("span", { role: "img", "aria-label": alt, class: "image-missing" }, [alt]);
  return el("img", { src, alt, "data-file-id": stringOf(file?.["id"]) });
}

/** A text object as one plain string: for attributes and for `option`, which hold no markup. */
export function words(value: unknown): string {
  return isFields(value) && typeof value["text"] === "string" ? value["text"] : "";
}

export function stringOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function flag(value: boolean): string | null {
  return value ? "" : null;
}

function acting(element: Fields, place: Place): Record<string, string | null> {
  return {
    "data-action-id": stringOf(element["action_id"]),
    "data-block-id": place.blockId,
    "data-type": String(element["type"]),
    "data-confirm": isFields(element["confirm"]) ? confirmJson(element["confirm"], place.options) : null,
  };
}

/** The confirm object as it is, with its text also as a tree (`rendered`), because the text may be mrkdwn. */
function confirmJson(confirm: Fields, options: RenderOptions): string {
  return JSON.stringify({
    ...confirm,
    rendered: renderTextObject(confirm["text"], options),
  });
}

function control(element: Fields, place: Place): Record<string, string | null> {
  const label =
    place.input === null ? words(element["placeholder"]) || String(element["type"]).replaceAll("_", " ") : null;
  return {
    ...acting(element, place),
    id: place.input?.id ?? null,
    "aria-label": label,
    "aria-describedby": place.input?.hintId ?? null,
    required: flag(place.input?.required ?? false),
    placeholder: words(element["placeholder"]) || null,
    autofocus: flag(element["focus_on_load"] === true),
  };
}

function button(element: Fields, place: Place): RenderNode {
  const style = element["style"] === "primary" || element["style"] === "danger" ? ` ${element["style"]}` : "";
  const attributes = {
    ...acting(element, place),
    class: `button${style}`,
    "data-value": stringOf(element["value"]),
    "aria-label": stringOf(element["accessibility_label"]),
  };
  const label = renderTextObject(element["text"], place.options);
  const href = safeUrl(element["url"]);
  if (href === null) return el("button", { type: "button", ...attributes }, label);
  return el(
    "a",
    {
      href,
      role: "button",
      target: "_blank",
      rel: "noopener noreferrer",
      ...attributes,
    },
    label,
  );
}

function feedback(element: Fields, place: Place): RenderNode {
  const buttons = ["positive_button", "negative_button"].flatMap((name) => {
    const one = element[name];
    return isFields(one)
      ? [
          button(
            {
              ...one,
              type: "feedback_buttons",
              action_id: element["action_id"],
            },
            place,
          ),
        ]
      : [];
  });
  return el("span", { class: "feedback" }, buttons);
}

function overflow(element: Fields, place: Place): RenderNode {
  const items = list(element["options"])
    .filter(isFields)
    .map((option) =>
      el(
        "button",
        {
          type: "button",
          ...acting(element, place),
          "data-value": stringOf(option["value"]),
        },
        [words(option["text"])],
      ),
    );
  return el("details", { class: "overflow" }, [el("summary", { "aria-label": "More actions" }, ["⋯"]), ...items]);
}

function select(element: Fields, place: Place): RenderNode {
  const multiple = String(element["type"]).startsWith("multi_");
  const chosen = initialValues(element);
  const groups = list(element["option_groups"])
    .filter(isFields)
    .map((group) =>
      el("optgroup", { label: words(group["label"]) }, list(group["options"]).filter(isFields).map(toOption)),
    );
  const blank = multiple ? [] : [el("option", { value: "" }, [words(element["placeholder"]) || "Choose…"])];
  const number = (value: unknown): string | null => (typeof value === "number" ? String(value) : null);
  const attributes = {
    ...control(element, place),
    placeholder: null, // `select` has no such attribute; the blank option carries it
    multiple: flag(multiple),
    "data-initial": chosen.length === 0 ? null : JSON.stringify(chosen),
    "data-max-items": number(element["max_selected_items"]),
    "data-min-query-length": number(element["min_query_length"]),
    "data-filter": isFields(element["filter"]) ? JSON.stringify(element["filter"]) : null,
    "data-default-to-current": flag(element["default_to_current_conversation"] === true),
  };
  return el("select", attributes, [...blank, ...list(element["options"]).filter(isFields).map(toOption), ...groups]);

  function toOption(option: Fields): RenderNode {
    const value = String(option["value"] ?? "");
    return el("option", { value, selected: flag(chosen.includes(value)) }, [describe(option)]);
  }
}

function describe(option: Fields): string {
  const description = words(option["description"]);
  return description === "" ? words(option["text"]) : `${words(option["text"])} (${description})`;
}

/** Values of initial options, or the ids of initial people and channels. */
function initialValues(element: Fields): string[] {
  const options = [element["initial_option"], ...list(element["initial_options"])].filter(isFields);
  const ids = ["initial_user", "initial_conversation", "initial_channel"].map((name) => element[name]);
  const many = ["initial_users", "initial_conversations", "initial_channels"].flatMap((name) => list(element[name]));
  return [...options.map((option) => option["value"]), ...ids, ...many].filter((value) => typeof value === "string");
}

function choices(element: Fields, place: Place): RenderNode {
  const type = element["type"] === "radio_buttons" ? "radio" : "checkbox";
  const name = `${place.blockId}-${String(element["action_id"] ?? type)}`;
  const chosen = initialValues(element);
  const items = list(element["options"])
    .filter(isFields)
    .map((option) => {
      const value = String(option["value"] ?? "");
      const description = renderTextObject(option["description"], place.options);
      return el("label", { class: "choice" }, [
        el("input", {
          type,
          name,
          value,
          checked: flag(chosen.includes(value)),
        }),
        el("span", {}, renderTextObject(option["text"], place.options)),
        ...(description.length === 0 ? [] : [el("span", { class: "description" }, description)]),
      ]);
    });
  const attributes = {
    ...acting(element, place),
    id: place.input?.id ?? null,
    "aria-describedby": place.input?.hintId ?? null,
    "data-optional": flag(place.input?.required === false),
  };
  const legend = place.input === null ? [] : [el("legend", {}, [place.input.label])];
  return el("fieldset", { class: "choices", ...attributes }, [...legend, ...items]);
}

const INPUT_TYPES: Readonly<Record<string, string>> = {
  email_text_input: "email",
  url_text_input: "url",
  number_input: "number",
  file_input: "file",
  datepicker: "date",
  timepicker: "time",
  datetimepicker: "datetime-local",
};

function field(element: Fields, place: Place): RenderNode {
  const type = String(element["type"]);
  const attributes = control(element, place);
  if (type === "rich_text_input" || element["multiline"] === true) {
    const text: RenderChild[] = typeof element["initial_value"] === "string" ? [element["initial_value"]] : [];
    return el("textarea", { ...attributes, ...lengths(element), rows: "4" }, text);
  }
  return el("input", {
    ...attributes,
    ...lengths(element),
    type: INPUT_TYPES[type] ?? "text",
    value: stringOf(element["initial_value"] ?? element["initial_date"] ?? element["initial_time"]),
    "data-unix": typeof element["initial_date_time"] === "number" ? String(element["initial_date_time"]) : null,
    min: stringOf(element["min_value"]),
    max: stringOf(element["max_value"]),
    step: type === "number_input" ? (element["is_decimal_allowed"] === true ? "any" : "1") : null,
    "data-max-items": type === "file_input" ? String(element["max_files"] ?? 10) : null,
    "data-accept": list(element["filetypes"]).join(",") || null,
  });
}

function lengths(element: Fields): Record<string, string | null> {
  const of = (name: string): string | null => (typeof element[name] === "number" ? String(element[name]) : null);
  return { minlength: of("min_length"), maxlength: of("max_length") };
}

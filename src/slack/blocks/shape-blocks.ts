import { escapedLength } from "./encode.ts";
import { type Context, checkMax, type Fields, isFields, type Rule, type Shape, type Surface } from "./schema.ts";
import { CHARTS } from "./shape-charts.ts";
import { ELEMENTS, elementsOf, imageElement, imageFields } from "./shape-elements.ts";
import { RICH_TEXT } from "./shape-rich-text.ts";

const string: Rule = { is: "string" };
const boolean: Rule = { is: "boolean" };
const richText: Rule = {
  is: "tagged",
  among: () => RICH_TEXT,
  types: ["rich_text"],
};
const https: Rule = { is: "string", max: "url", pattern: /^https:\/\//i };

const SELECTS = ["static_select", "external_select", "users_select", "conversations_select", "channels_select"];
const MULTI_SELECTS = SELECTS.map((type) => `multi_${type}`);
const PICKERS = ["datepicker", "timepicker", "checkboxes", "radio_buttons", ...SELECTS, ...MULTI_SELECTS];
const PRESSED = ["button", "workflow_button", "overflow"];

/** Which element types may stand where (T: the unions of `@slack/types` 3.2.0). */
export const ELEMENT_TYPES = {
  sectionAccessory: [...PRESSED, ...PICKERS, "image"],
  actions: [...PRESSED, ...PICKERS, "datetimepicker", "rich_text_input"],
  contextActions: ["feedback_buttons", "icon_button"],
  input: [
    ...PICKERS,
    "datetimepicker",
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
    "rich_text_input",
    "file_input",
  ],
} as const;

/**
 * Where a block type may stand (D: "available in surfaces" of each block's page). `file` cannot be sent by apps at all;
 * blocks newer than 2025 are kept to messages until seen elsewhere (U, the harsher reading).
 */
export const BLOCK_SURFACES: Readonly<Record<string, readonly Surface[]>> = {
  actions: ["message", "modal", "home"],
  alert: ["modal"],
  card: ["message"],
  carousel: ["message"],
  container: ["message"],
  context: ["message", "modal", "home"],
  context_actions: ["message"],
  data_table: ["message"],
  data_visualization: ["message"],
  divider: ["message", "modal", "home"],
  file: [],
  header: ["message", "modal", "home"],
  image: ["message", "modal", "home"],
  input: ["message", "modal", "home"],
  markdown: ["message"],
  plan: ["message"],
  rich_text: ["message", "modal", "home"],
  section: ["message", "modal", "home"],
  table: ["message"],
  task_card: ["message"],
  video: ["message", "modal", "home"],
};

const IN_CONTAINER = [
  "actions",
  "context",
  "divider",
  "header",
  "image",
  "input",
  "rich_text",
  "section",
  "table",
  "video",
];

const CELLS: Readonly<Record<string, Shape>> = {
  raw_text: { required: { type: string, text: string } },
  raw_number: {
    required: { type: string, value: { is: "number" }, text: string },
  },
  ...RICH_TEXT,
};
const cell: Rule = { is: "tagged", among: () => CELLS };

function block(required: Shape["required"], optional: Shape["optional"] = {}, check?: Shape["check"]): Shape {
  return {
    required: { type: string, ...required },
    optional: { block_id: { is: "string", max: "blockId" }, ...optional },
    ...(check === undefined ? {} : { check }),
  };
}

const card: Shape = block(
  {},
  {
    hero_image: imageElement,
    icon: imageElement,
    title: { is: "text", max: "cardTitle", only: "mrkdwn" },
    subtitle: { is: "text", max: "cardTitle", only: "mrkdwn" },
    body: { is: "text", max: "cardBody", only: "mrkdwn" },
    actions: {
      is: "list",
      of: elementsOf(["button"]),
      min: 1,
      max: "cardActions",
    },
  },
  (value, at, context) => {
    if (["hero_image", "title", "actions", "body"].some((name) => value[name] !== undefined)) return;
    context.report("missing_field", "must define `hero_image`, `title`, `actions` or `body`", at);
  },
);

const urlSource: Shape = {
  required: { type: string, url: { is: "string", max: "url" }, text: string },
};

/** Every block by its `type`. */
export const BLOCKS: Readonly<Record<string, Shape>> = {
  ...RICH_TEXT,
  actions: block({
    elements: {
      is: "list",
      of: elementsOf(ELEMENT_TYPES.actions),
      min: 1,
      max: "actionsElements",
    },
  }),
  alert: block(
    { text: { is: "text", max: "alertText" } },
    {
      level: {
        is: "enum",
        values: ["default", "info", "warning", "error", "success"],
      },
    },
  ),
  card,
  carousel: block({
    elements: {
      is: "list",
      of: { is: "tagged", among: () => BLOCKS, types: ["card"] },
      min: 1,
      max: "carouselCards",
    },
  }),
  container: block(
    {
      child_blocks: {
        is: "list",
        of: { is: "tagged", among: () => BLOCKS, types: IN_CONTAINER },
        min: 1,
        max: "containerBlocks",
      },
    },
    {
      title: { is: "text", max: "containerTitle", only: "plain_text" },
      rich_text_title: richText,
      subtitle: { is: "text", max: "containerTitle" },
      width: { is: "enum", values: ["narrow", "standard", "wide", "full"] },
      icon: imageElement,
      is_collapsible: boolean,
      default_collapsed: boolean,
      has_header_divider: boolean,
    },
    checkContainer,
  ),
  context: block({
    elements: {
      is: "list",
      of: { is: "tagged", among: () => CONTEXT },
      min: 1,
      max: "contextElements",
    },
  }),
  context_actions: block({
    elements: {
      is: "list",
      of: elementsOf(ELEMENT_TYPES.contextActions),
      min: 1,
      max: "contextActions",
    },
  }),
  data_table: block(
    {
      caption: string,
      rows: {
        is: "list",
        of: { is: "list", of: cell, min: 1, max: "dataTableColumns" },
        min: "dataTableRowsMin",
        max: "dataTableRows",
      },
    },
    {
      page_size: {
        is: "number",
        integer: true,
        min: 1,
        max: "dataTablePageSize",
      },
      row_header_column_index: { is: "number", integer: true, min: 0 },
    },
    checkDataTable,
  ),
  data_visualization: block({
    title: { is: "string", max: "chartTitle" },
    chart: { is: "tagged", among: () => CHARTS },
  }),
  divider: block({}),
  file: block({ source: string, external_id: string }),
  header: block({
    text: { is: "text", max: "headerText", only: "plain_text" },
  }),
  image: {
    ...block(imageFields.required, {
      ...imageFields.optional,
      title: { is: "text", max: "imageTitle", only: "plain_text" },
    }),
    ...(imageFields.check === undefined ? {} : { check: imageFields.check }),
  },
  input: block(
    {
      label: { is: "text", max: "inputLabel", only: "plain_text" },
      element: elementsOf(ELEMENT_TYPES.input),
    },
    {
      hint: { is: "text", max: "inputHint", only: "plain_text" },
      optional: boolean,
      dispatch_action: boolean,
    },
    (value, at, context) => {
      const element = value["element"];
      if (!isFields(element) || element["type"] !== "file_input" || context.surface === "modal") return;
      context.report("unsupported_type", "unsupported type: file_input", `${at}/element`);
    },
  ),
  markdown: block({ text: { is: "string", max: "markdown" } }),
  plan: block(
    { title: string },
    {
      tasks: {
        is: "list",
        of: { is: "tagged", among: () => BLOCKS, types: ["task_card"] },
      },
    },
  ),
  section: block(
    {},
    {
      text: { is: "text", max: "sectionText" },
      fields: {
        is: "list",
        of: { is: "text", max: "sectionField" },
        min: 1,
        max: "sectionFields",
      },
      accessory: elementsOf(ELEMENT_TYPES.sectionAccessory),
      expand: boolean,
    },
    (value, at, context) => {
      if (value["text"] !== undefined || value["fields"] !== undefined) return;
      context.report("missing_text_or_fields", "must define either `text` or `fields`", at);
    },
  ),
  table: block(
    {
      rows: {
        is: "list",
        of: { is: "list", of: cell, min: 1, max: "tableCells" },
        min: 1,
        max: "tableRows",
      },
    },
    {
      column_settings: {
        is: "list",
        of: {
          is: "object",
          shape: {
            required: {},
            optional: {
              align: { is: "enum", values: ["left", "center", "right"] },
              is_wrapped: boolean,
            },
          },
        },
        max: "tableColumnSettings",
      },
    },
    (value, at, context) => {
      checkMax(cellCharacters(value["rows"]), "tableCharacters", "characters", `${at}/rows`, context);
    },
  ),
  task_card: block(
    {
      task_id: string,
      title: string,
      status: {
        is: "enum",
        values: ["pending", "in_progress", "complete", "error"],
      },
    },
    {
      details: richText,
      output: richText,
      sources: {
        is: "list",
        of: { is: "tagged", among: () => ({ url: urlSource }) },
      },
    },
  ),
  video: block(
    {
      video_url: https,
      thumbnail_url: { is: "string", max: "url" },
      alt_text: { is: "string", max: "altText" },
      title: { is: "text", max: "videoTitle", only: "plain_text" },
    },
    {
      title_url: https,
      author_name: { is: "string", max: "videoAuthor" },
      provider_name: string,
      provider_icon_url: { is: "string", max: "url" },
      description: { is: "text", max: "text", only: "plain_text" },
    },
  ),
};

const CONTEXT: Readonly<Record<string, Shape>> = {
  image: ELEMENTS["image"] as Shape,
  plain_text: {
    required: { type: string, text: { is: "string", max: "text" } },
    optional: { emoji: boolean },
  },
  mrkdwn: {
    required: { type: string, text: { is: "string" } },
    optional: { verbatim: boolean },
    check: checkContextText,
  },
};

/** mrkdwn arrives escaped, so its length is what is there. */
function checkContextText(value: Fields, at: string, context: Context): void {
  if (typeof value["text"] === "string") checkMax(value["text"].length, "text", "characters", `${at}/text`, context);
}

function checkContainer(value: Fields, at: string, context: Context): void {
  if (value["title"] === undefined && value["rich_text_title"] === undefined) {
    context.report("missing_field", "must define either `title` or `rich_text_title`", at);
  }
  if (value["default_collapsed"] === true && value["is_collapsible"] !== true) {
    context.report("invalid_value", "`default_collapsed` requires `is_collapsible`", at);
  }
}

function checkDataTable(value: Fields, at: string, context: Context): void {
  const rows: unknown[] = Array.isArray(value["rows"]) ? value["rows"] : [];
  const header: unknown[] = Array.isArray(rows[0]) ? rows[0] : [];
  for (const [index, row] of rows.entries()) {
    if (Array.isArray(row) && row.length !== header.length) {
      context.report("invalid_value", "must have as many cells as the first row", `${at}/rows/${index}`);
    }
  }
  for (const [index, name] of header.entries()) {
    if (!isFields(name) || name["type"] !== "rich_text") continue;
    context.report("unsupported_type", "unsupported type: rich_text", `${at}/rows/0/${index}`);
  }
  const column = value["row_header_column_index"];
  if (typeof column === "number" && column >= header.length) {
    context.report("invalid_value", "must be the index of a column", `${at}/row_header_column_index`);
  }
}

/** The text of all cells, rich text included. */
function cellCharacters(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + cellCharacters(item), 0);
  if (!isFields(value)) return 0;
  const own = typeof value["text"] === "string" ? escapedLength(value["text"]) : 0;
  return own + cellCharacters(value["elements"]);
}

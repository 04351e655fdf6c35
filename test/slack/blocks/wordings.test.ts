import { describe, expect, it } from "vitest";
import { type Violation, validateBlocks } from "../../../src/slack/blocks/validate.ts";

const plain = (text: string): object => ({ type: "plain_text", text });
const button = (fields: object = {}): object => ({ type: "button", text: plain("b"), ...fields });
const actions = (...elements: unknown[]): object => ({ type: "actions", elements });
const input = (element: object): object => ({ type: "input", label: plain("l"), element });
const option = (value: string): object => ({ text: plain(value), value });

/** "code: message @ pointer" of everything that is wrong. */
function wrong(violations: readonly Violation[]): string[] {
  return violations.map(({ code, message, pointer }) => `${code}: ${message} @ ${pointer}`);
}
const inMessage = (...blocks: unknown[]): string[] => wrong(validateBlocks(blocks, "message"));
const inModal = (...blocks: unknown[]): string[] => wrong(validateBlocks(blocks, "modal"));

describe("Slack's wordings and pointers", () => {
  const cases: readonly (readonly [name: string, got: () => string[], expected: string[]])[] = [
    [
      "an empty text",
      () => inMessage({ type: "header", text: plain("") }),
      ["too_short: must be more than 0 characters @ /blocks/0/text/text"],
    ],
    [
      "a missing field",
      () => inMessage({ type: "header" }),
      ["missing_field: missing required field: text @ /blocks/0"],
    ],
    [
      "a text object without text",
      () => inMessage({ type: "header", text: { type: "plain_text" } }),
      ["missing_field: missing required field: text @ /blocks/0/text"],
    ],
    [
      "mrkdwn in a header",
      () => inMessage({ type: "header", text: { type: "mrkdwn", text: "x" } }),
      ["unsupported_type: unsupported type: mrkdwn @ /blocks/0/text"],
    ],
    [
      "an unknown property",
      () => inMessage({ type: "divider", colour: "red" }),
      ["unknown_property: invalid additional property: colour @ /blocks/0"],
    ],
    [
      "verbatim on plain text",
      () => inMessage({ type: "header", text: { type: "plain_text", text: "x", verbatim: true } }),
      ["unknown_property: invalid additional property: verbatim @ /blocks/0/text"],
    ],
    [
      "emoji on mrkdwn",
      () => inMessage({ type: "section", text: { type: "mrkdwn", text: "x", emoji: true } }),
      ["unknown_property: invalid additional property: emoji @ /blocks/0/text"],
    ],
    [
      "an unknown block",
      () => inMessage({ type: "sparkline" }),
      ["unsupported_type: unsupported type: sparkline @ /blocks/0"],
    ],
    [
      "a block named like an object method",
      () => inMessage({ type: "toString" }),
      ["unsupported_type: unsupported type: toString @ /blocks/0"],
    ],
    [
      "a block without type",
      () => inMessage({ block_id: "a" }),
      ["missing_field: missing required field: type @ /blocks/0"],
    ],
    ["a block that is no object", () => inMessage("divider"), ["invalid_type: must provide an object @ /blocks/0"]],
    ["a list for an object", () => inMessage([]), ["invalid_type: must provide an object @ /blocks/0"]],
    [
      "a text that is a string",
      () => inMessage({ type: "section", text: "x" }),
      ["invalid_type: must provide an object @ /blocks/0/text"],
    ],
    [
      "a text that is a number",
      () => inMessage({ type: "header", text: { type: "plain_text", text: 5 } }),
      ["invalid_type: must provide a string @ /blocks/0/text/text"],
    ],
    [
      "elements that are no list",
      () => inMessage({ type: "actions", elements: {} }),
      ["invalid_type: must provide an array @ /blocks/0/elements"],
    ],
    [
      "an empty list of elements",
      () => inMessage(actions()),
      ["too_few_items: no fewer than 1 items required @ /blocks/0/elements"],
    ],
    [
      "a flag that is a string",
      () => inMessage({ type: "section", text: plain("x"), expand: "yes" }),
      ["invalid_type: must provide a boolean @ /blocks/0/expand"],
    ],
    [
      "a section with nothing in it",
      () => inMessage({ type: "section" }),
      ["missing_text_or_fields: must define either `text` or `fields` @ /blocks/0"],
    ],
    [
      "an unknown style",
      () => inMessage(actions(button({ style: "green" }))),
      ["invalid_value: must be one of: primary, danger @ /blocks/0/elements/0/style"],
    ],
    [
      "an input element among actions",
      () => inMessage(actions({ type: "plain_text_input" })),
      ["unsupported_type: unsupported type: plain_text_input @ /blocks/0/elements/0"],
    ],
    [
      "a button as an input",
      () => inModal(input(button())),
      ["unsupported_type: unsupported type: button @ /blocks/0/element"],
    ],
    [
      "a text input beside a section",
      () => inModal({ type: "section", text: plain("x"), accessory: { type: "plain_text_input" } }),
      ["unsupported_type: unsupported type: plain_text_input @ /blocks/0/accessory"],
    ],
    [
      "a button in a context",
      () => inMessage({ type: "context", elements: [button()] }),
      ["unsupported_type: unsupported type: button @ /blocks/0/elements/0"],
    ],
    [
      "an image from nowhere",
      () => inMessage({ type: "image", alt_text: "a" }),
      ["missing_field: must define either `image_url` or `slack_file` @ /blocks/0"],
    ],
    [
      "an image from two places",
      () => inMessage({ type: "image", alt_text: "a", image_url: "https://x.example/i", slack_file: { id: "F1" } }),
      ["missing_field: must define either `image_url` or `slack_file` @ /blocks/0"],
    ],
    [
      "an image over plain http",
      () => inMessage({ type: "image", alt_text: "a", image_url: "http://x.example/i" }),
      ["invalid_value: must match the expected format @ /blocks/0/image_url"],
    ],
    [
      "a Slack file by nothing",
      () => inMessage({ type: "image", alt_text: "a", slack_file: {} }),
      ["invalid_slack_file: invalid slack file @ /blocks/0/slack_file"],
    ],
    [
      "a mention of a user that is no id",
      () =>
        inMessage({
          type: "rich_text",
          elements: [{ type: "rich_text_section", elements: [{ type: "user", user_id: "ana" }] }],
        }),
      ["invalid_value: must match the expected format @ /blocks/0/elements/0/elements/0/user_id"],
    ],
    [
      "a mention inside preformatted text",
      () =>
        inMessage({
          type: "rich_text",
          elements: [{ type: "rich_text_preformatted", elements: [{ type: "broadcast", range: "here" }] }],
        }),
      ["unsupported_type: unsupported type: broadcast @ /blocks/0/elements/0/elements/0"],
    ],
    [
      "a container without a title",
      () => inMessage({ type: "container", child_blocks: [{ type: "divider" }] }),
      ["missing_field: must define either `title` or `rich_text_title` @ /blocks/0"],
    ],
    [
      "a container in a container",
      () =>
        inMessage({
          type: "container",
          title: plain("t"),
          child_blocks: [{ type: "container", title: plain("t"), child_blocks: [] }],
        }),
      ["unsupported_type: unsupported type: container @ /blocks/0/child_blocks/0"],
    ],
    [
      "a closed container that cannot close",
      () =>
        inMessage({
          type: "container",
          title: plain("t"),
          child_blocks: [{ type: "divider" }],
          default_collapsed: true,
        }),
      ["invalid_value: `default_collapsed` requires `is_collapsible` @ /blocks/0"],
    ],
    [
      "an empty card",
      () => inMessage({ type: "card" }),
      ["missing_field: must define `hero_image`, `title`, `actions` or `body` @ /blocks/0"],
    ],
    [
      "a task in a state of its own",
      () => inMessage({ type: "task_card", task_id: "t", title: "t", status: "done" }),
      ["invalid_value: must be one of: pending, in_progress, complete, error @ /blocks/0/status"],
    ],
    [
      "a ragged data table",
      () => inMessage({ type: "data_table", caption: "c", rows: [[cell("a"), cell("b")], [cell("c")]] }),
      ["invalid_value: must have as many cells as the first row @ /blocks/0/rows/1"],
    ],
    [
      "rich text in the header of a data table",
      () => inMessage({ type: "data_table", caption: "c", rows: [[{ type: "rich_text", elements: [] }], [cell("c")]] }),
      ["unsupported_type: unsupported type: rich_text @ /blocks/0/rows/0/0"],
    ],
    [
      "a row header that is no column",
      () =>
        inMessage({ type: "data_table", caption: "c", row_header_column_index: 1, rows: [[cell("a")], [cell("c")]] }),
      ["invalid_value: must be the index of a column @ /blocks/0/row_header_column_index"],
    ],
    [
      "a series that misses a category",
      () => inMessage(chart(["a", "b"], ["a"])),
      ["invalid_value: must have one value for every category @ /blocks/0/chart/series/0/data"],
    ],
    [
      "two series of one name",
      () => inMessage(chart(["a"], ["a"], ["a"])),
      ["duplicate_name: series names must be unique @ /blocks/0/chart/series/1/name"],
    ],
    [
      "a select with nothing to select",
      () => inMessage(actions({ type: "static_select" })),
      ["missing_field: must define either `options` or `option_groups` @ /blocks/0/elements/0"],
    ],
    [
      "a choice that is not on offer",
      () => inMessage(actions({ type: "static_select", options: [option("a")], initial_option: option("b") })),
      ["invalid_value: must be one of the provided options @ /blocks/0/elements/0/initial_option"],
    ],
    [
      "choices that are not on offer",
      () =>
        inMessage(actions({ type: "checkboxes", options: [option("a")], initial_options: [option("a"), option("b")] })),
      ["invalid_value: must be one of the provided options @ /blocks/0/elements/0/initial_options/1"],
    ],
    [
      "a shortest length above the longest",
      () => inModal(input({ type: "plain_text_input", min_length: 9, max_length: 3 })),
      ["invalid_value: `min_length` must not be greater than `max_length` @ /blocks/0/element"],
    ],
    [
      "an initial text above the longest",
      () => inModal(input({ type: "plain_text_input", initial_value: "four", max_length: 3 })),
      ["too_long: must be less than 4 characters @ /blocks/0/element/initial_value"],
    ],
    [
      "a range upside down",
      () => inModal(input({ type: "number_input", is_decimal_allowed: true, min_value: "9", max_value: "3" })),
      ["invalid_value: `min_value` must not be greater than `max_value` @ /blocks/0/element"],
    ],
    [
      "a decimal where none is allowed",
      () => inModal(input({ type: "number_input", is_decimal_allowed: false, initial_value: "1.5" })),
      ["invalid_value: must be an integer @ /blocks/0/element/initial_value"],
    ],
    [
      "a number that is a word",
      () => inModal(input({ type: "number_input", is_decimal_allowed: false, initial_value: "many" })),
      ["invalid_value: must match the expected format @ /blocks/0/element/initial_value"],
    ],
    [
      "lines below one",
      () => inModal(input({ type: "rich_text_input", min_lines: 0 })),
      ["too_small: must be at least 1 @ /blocks/0/element/min_lines"],
    ],
    [
      "half a line",
      () => inModal(input({ type: "rich_text_input", min_lines: 1.5 })),
      ["invalid_type: must provide an integer @ /blocks/0/element/min_lines"],
    ],
    [
      "lines as a word",
      () => inModal(input({ type: "rich_text_input", min_lines: "two" })),
      ["invalid_type: must provide a number @ /blocks/0/element/min_lines"],
    ],
    [
      "the 31st of a month as 32nd",
      () => inModal(input({ type: "datepicker", initial_date: "2026-01-32" })),
      ["invalid_value: must match the expected format @ /blocks/0/element/initial_date"],
    ],
    [
      "an hour too many",
      () => inModal(input({ type: "timepicker", initial_time: "24:00" })),
      ["invalid_value: must match the expected format @ /blocks/0/element/initial_time"],
    ],
    [
      "a moment before ten digits",
      () => inModal(input({ type: "datetimepicker", initial_date_time: 5 })),
      ["too_small: must be at least 1000000000 @ /blocks/0/element/initial_date_time"],
    ],
    [
      "the same block_id twice",
      () => inMessage({ type: "divider", block_id: "a" }, { type: "divider", block_id: "a" }),
      ["duplicate_id: must have a unique `block_id`: a @ /blocks/1/block_id"],
    ],
    [
      "the same block_id inside a container",
      () =>
        inMessage(
          { type: "divider", block_id: "a" },
          { type: "container", title: plain("t"), child_blocks: [{ type: "divider", block_id: "a" }] },
        ),
      ["duplicate_id: must have a unique `block_id`: a @ /blocks/1/child_blocks/0/block_id"],
    ],
    [
      "the same action_id twice in a block",
      () => inMessage(actions(button({ action_id: "a" }), button({ action_id: "a" }))),
      ["duplicate_id: must have a unique `action_id`: a @ /blocks/0/elements/1/action_id"],
    ],
    [
      "two elements that want the focus",
      () =>
        inModal(
          input({ type: "plain_text_input", focus_on_load: true }),
          input({ type: "plain_text_input", focus_on_load: true }),
        ),
      ["duplicate_focus: only one element may have `focus_on_load` @ /blocks/1/element/focus_on_load"],
    ],
  ];

  it.each(cases)("%s", (_, got, expected) => {
    expect(got()).toEqual(expected);
  });

  it("names everything that is wrong, not only the first", () => {
    expect(
      inMessage({ type: "header", text: plain(""), more: 1 }, { type: "nope" }, actions({ type: "nope" })),
    ).toEqual([
      "too_short: must be more than 0 characters @ /blocks/0/text/text",
      "unknown_property: invalid additional property: more @ /blocks/0",
      "unsupported_type: unsupported type: nope @ /blocks/1",
      "unsupported_type: unsupported type: nope @ /blocks/2/elements/0",
    ]);
  });

  it("lets the same action_id stand in two blocks, and unset optional fields be undefined", () => {
    expect(inMessage(actions(button({ action_id: "a", url: undefined })), actions(button({ action_id: "a" })))).toEqual(
      [],
    );
  });
});

function cell(text: string): object {
  return { type: "raw_text", text };
}

function chart(categories: string[], ...series: string[][]): object {
  return {
    type: "data_visualization",
    title: "t",
    chart: {
      type: "bar",
      axis_config: { categories },
      series: series.map((labels) => ({ name: "s", data: labels.map((label) => ({ label, value: 1 })) })),
    },
  };
}

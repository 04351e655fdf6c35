import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../src/slack/blocks/limits.ts";
import { type Violation, validateBlocks, validateMessage, validateView } from "../../../src/slack/blocks/validate.ts";
import { ELSEWHERE, REFUSED, type WalkedLimit, WORDS } from "./refused.ts";

const x = (length: number): string => "x".repeat(length);
const plain = (length: number): object => ({
  type: "plain_text",
  text: x(length),
});
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const message = (block: object): Violation[] => validateBlocks([block], "message");
const modalOf = (block: object): Violation[] => validateBlocks([block], "modal");
const inMessage = (element: object): Violation[] => message({ type: "actions", elements: [element] });
const asInput = (element: object): Violation[] => modalOf({ type: "input", label: plain(1), element });
const view = (fields: object): Violation[] =>
  validateView({
    type: "modal",
    title: plain(1),
    blocks: [{ type: "divider" }],
    ...fields,
  });
const options = (count: number): object[] => many(count, (index) => ({ text: plain(1), value: `v${index}` }));
const withOption = (option: object): Violation[] =>
  inMessage({
    type: "static_select",
    action_id: "a",
    options: [{ text: plain(1), value: "v", ...option }],
  });
const confirming = (confirm: object): Violation[] =>
  inMessage({
    type: "button",
    text: plain(1),
    confirm: { text: plain(1), ...confirm },
  });
const button = (fields: object): Violation[] => inMessage({ type: "button", text: plain(1), ...fields });
const cell = (text = "c"): object => ({ type: "raw_text", text });
const point = (label: string): object => ({ label, value: 1 });
const line = (categories: string[], names: string[], axis: object = {}): object => ({
  type: "line",
  axis_config: { categories, ...axis },
  series: names.map((name) => ({ name, data: categories.map(point) })),
});
const chart = (value: object, title = "t"): object => ({
  type: "data_visualization",
  title,
  chart: value,
});
const video = (fields: object): Violation[] =>
  message({
    type: "video",
    video_url: "https://example.com/v",
    thumbnail_url: "https://example.com/t",
    alt_text: "a",
    title: plain(1),
    ...fields,
  });

/** A payload whose counted part is exactly `size`; every limit has one, so that none can be added untested. */
const AT: Record<WalkedLimit, (size: number) => Violation[]> = {
  messageTextRecommended: (n) => validateMessage({ text: x(n) }, { strictText: true }),
  markdownText: (n) => validateMessage({ markdown_text: x(n) }),
  messageBlocks: (n) =>
    validateBlocks(
      many(n, () => ({ type: "divider" })),
      "message",
    ),
  messageBudget: (n) => validateBlocks(budgetOf(n), "message"),
  attachments: (n) => validateMessage({ text: "t", attachments: many(n, () => ({ text: "a" })) }),
  viewBlocks: (n) =>
    validateBlocks(
      many(n, () => ({ type: "divider" })),
      "home",
    ),
  viewBytes: (n) => validateView(viewOfBytes(n)),
  viewTitle: (n) => view({ title: plain(n) }),
  viewButton: (n) => view({ submit: plain(n) }),
  viewId: (n) => view({ callback_id: x(n) }),
  privateMetadata: (n) => view({ private_metadata: x(n) }),
  blockId: (n) => message({ type: "divider", block_id: x(n) }),
  actionId: (n) => button({ action_id: x(n) }),
  text: (n) => message({ type: "context", elements: [plain(n)] }),
  url: (n) => button({ url: x(n) }),
  altText: (n) =>
    message({
      type: "image",
      image_url: "https://example.com/i",
      alt_text: x(n),
    }),
  sectionText: (n) => message({ type: "section", text: plain(n) }),
  sectionFields: (n) => message({ type: "section", fields: many(n, () => plain(1)) }),
  sectionField: (n) => message({ type: "section", fields: [plain(n)] }),
  headerText: (n) => message({ type: "header", text: plain(n) }),
  contextElements: (n) => message({ type: "context", elements: many(n, () => plain(1)) }),
  contextActions: (n) =>
    message({
      type: "context_actions",
      elements: many(n, (index) => ({
        type: "icon_button",
        icon: "trash",
        text: plain(1),
        action_id: `a${index}`,
      })),
    }),
  actionsElements: (n) =>
    message({
      type: "actions",
      elements: many(n, () => ({ type: "button", text: plain(1) })),
    }),
  imageTitle: (n) =>
    message({
      type: "image",
      slack_file: { id: "F1" },
      alt_text: "a",
      title: plain(n),
    }),
  inputLabel: (n) =>
    modalOf({
      type: "input",
      label: plain(n),
      element: { type: "plain_text_input" },
    }),
  inputHint: (n) =>
    modalOf({
      type: "input",
      label: plain(1),
      hint: plain(n),
      element: { type: "plain_text_input" },
    }),
  markdown: (n) =>
    validateBlocks(
      [
        { type: "markdown", text: x(1_000) },
        { type: "markdown", text: x(n - 1_000) },
      ],
      "message",
      { totalBudget: 100_000 },
    ),
  tableRows: (n) => message({ type: "table", rows: many(n, () => [cell()]) }),
  tableCells: (n) => message({ type: "table", rows: [many(n, () => cell())] }),
  tableColumnSettings: (n) =>
    message({
      type: "table",
      rows: [[cell()]],
      column_settings: many(n, () => ({ align: "left" })),
    }),
  tableCharacters: (n) => message({ type: "table", rows: [[cell(x(n - 1)), cell()]] }),
  dataTableRows: (n) =>
    message({
      type: "data_table",
      caption: "c",
      rows: many(n, () => [cell()]),
    }),
  dataTableColumns: (n) =>
    // Each row is reported; one is enough here.
    message({ type: "data_table", caption: "c", rows: many(2, () => many(n, () => cell())) }).slice(0, 1),
  dataTablePageSize: (n) =>
    message({
      type: "data_table",
      caption: "c",
      page_size: n,
      rows: many(2, () => [cell()]),
    }),
  chartTitle: (n) => message(chart({ type: "pie", segments: [point("a")] }, x(n))),
  chartSegments: (n) => message(chart({ type: "pie", segments: many(n, (index) => point(`s${index}`)) })),
  chartSeries: (n) =>
    message(
      chart(
        line(
          ["a"],
          many(n, (index) => `s${index}`),
        ),
      ),
    ),
  chartCategories: (n) =>
    message(
      chart({
        ...line(
          many(n, (index) => `c${index}`),
          ["s"],
        ),
      }),
    ).filter(isAxis),
  chartLabel: (n) => message(chart(line(["a"], [x(n)]))),
  chartAxisLabel: (n) => message(chart(line(["a"], ["s"], { y_label: x(n) }))),
  chartsPerMessage: (n) =>
    validateBlocks(
      many(n, () => chart({ type: "pie", segments: [point("a")] })),
      "message",
    ),
  alertText: (n) => modalOf({ type: "alert", text: plain(n) }),
  cardTitle: (n) => message({ type: "card", title: { type: "mrkdwn", text: x(n) } }),
  cardBody: (n) => message({ type: "card", body: { type: "mrkdwn", text: x(n) } }),
  cardActions: (n) =>
    message({
      type: "card",
      actions: many(n, () => ({ type: "button", text: plain(1) })),
    }),
  carouselCards: (n) =>
    message({
      type: "carousel",
      elements: many(n, () => ({
        type: "card",
        title: { type: "mrkdwn", text: "t" },
      })),
    }),
  containerBlocks: (n) =>
    message({
      type: "container",
      title: plain(1),
      child_blocks: many(n, () => ({ type: "divider" })),
    }),
  containerTitle: (n) =>
    message({
      type: "container",
      title: plain(n),
      child_blocks: [{ type: "divider" }],
    }),
  videoTitle: (n) => video({ title: plain(n) }),
  videoAuthor: (n) => video({ author_name: x(n) }),
  buttonText: (n) => button({ text: plain(n) }),
  buttonValue: (n) => button({ value: x(n) }),
  buttonLabel: (n) => button({ accessibility_label: x(n) }),
  optionText: (n) => withOption({ text: plain(n) }),
  optionValue: (n) => withOption({ value: x(n) }),
  optionDescription: (n) => withOption({ description: plain(n) }),
  selectOptions: (n) => inMessage({ type: "static_select", options: options(n) }),
  optionGroups: (n) =>
    inMessage({
      type: "static_select",
      option_groups: many(n, () => ({ label: plain(1), options: options(1) })),
    }),
  optionGroupLabel: (n) =>
    inMessage({
      type: "static_select",
      option_groups: [{ label: plain(n), options: options(1) }],
    }),
  overflowOptions: (n) => inMessage({ type: "overflow", options: options(n) }),
  choiceOptions: (n) => inMessage({ type: "checkboxes", options: options(n) }),
  placeholder: (n) => asInput({ type: "plain_text_input", placeholder: plain(n) }),
  inputLength: (n) => asInput({ type: "plain_text_input", max_length: n }),
  inputLines: (n) => asInput({ type: "rich_text_input", max_lines: n }),
  fileInputFiles: (n) => asInput({ type: "file_input", max_files: n }),
  confirmTitle: (n) => confirming({ title: plain(n) }),
  confirmText: (n) => confirming({ text: plain(n) }),
  confirmButton: (n) => confirming({ deny: plain(n) }),
  richTextListIndent: (n) =>
    message({
      type: "rich_text",
      elements: [{ type: "rich_text_list", style: "bullet", indent: n, elements: [] }],
    }),
};

/** Category labels stand twice, on the axis and in every series; here only the axis is counted. */
function isAxis(violation: Violation): boolean {
  return violation.pointer.endsWith("/axis_config/categories");
}

function budgetOf(size: number): object[] {
  const sections = many(4, () => ({ type: "section", text: plain(2_800) }));
  const header = { type: "header", text: plain(100) };
  return [
    header,
    ...sections,
    {
      type: "section",
      text: plain(size - 4 * 2_800 - 100 - LIMITS.headerSurcharge),
    },
  ];
}

function viewOfBytes(size: number): object {
  const frame = {
    type: "modal",
    title: plain(1),
    blocks: many(90, (): object => section(2_600)),
  };
  const [bytes, empty] = [frame, section(0)].map((value) => JSON.stringify(value).length) as [number, number];
  return {
    ...frame,
    blocks: [...frame.blocks, ...filler(size - bytes, empty)],
  };
}

function section(length: number): object {
  return { type: "section", text: { type: "plain_text", text: x(length) } };
}

/** Sections that together add exactly `bytes` to the JSON of a view, commas included. */
function filler(bytes: number, empty: number): object[] {
  const first = Math.floor(bytes / 5);
  return [...many(4, () => section(first - empty - 1)), section(bytes - 4 * first - empty - 1)];
}

describe.each(Object.keys(AT) as WalkedLimit[])("%s", (name) => {
  const [at, allowed, [code, pointer]] = [AT[name], LIMITS[name], REFUSED[name]];

  it.each([allowed - 1, allowed])("takes %i", (size) => {
    expect(at(size)).toEqual([]);
  });

  it(`refuses ${allowed + 1} with its code, its words and where it stands`, () => {
    const constraint = { limit: name, allowed, actual: allowed + 1 };
    expect(at(allowed + 1)).toEqual([{ code, message: WORDS[code]?.(allowed), pointer, constraint }]);
  });
});

it("every limit is either walked here or named as one that refuses nothing", () => {
  expect([...Object.keys(AT), ...ELSEWHERE].sort()).toEqual(Object.keys(LIMITS).sort());
});

it("a data table needs two rows", () => {
  const rows = (count: number): Violation[] =>
    message({
      type: "data_table",
      caption: "c",
      rows: many(count, () => [cell()]),
    });
  expect(rows(2)).toEqual([]);
  expect(rows(1)).toEqual([
    {
      code: "too_few_items",
      message: "no fewer than 2 items required",
      pointer: "/blocks/0/rows",
      constraint: { limit: "dataTableRowsMin", allowed: 2, actual: 1 },
    },
  ]);
});

it("the total budget can be set to the one that was measured", () => {
  const blocks = budgetOf(LIMITS.messageBudgetMeasured);
  expect(
    validateBlocks(blocks, "message", {
      totalBudget: LIMITS.messageBudgetMeasured,
    }),
  ).toEqual([]);
  expect(validateBlocks(blocks, "message")[0]?.code).toBe("msg_blocks_too_long");
});

it("counts escaped text: an ampersand is five characters", () => {
  const ampersands = { type: "plain_text", text: "&".repeat(30) };
  expect(message({ type: "header", text: ampersands })).toEqual([]);
  const one = { type: "plain_text", text: `${"&".repeat(30)}x` };
  expect(message({ type: "header", text: one })[0]?.constraint?.actual).toBe(151);
});

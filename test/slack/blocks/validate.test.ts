import { describe, expect, it } from "vitest";
import {
  refusal,
  type Violation,
  validateBlocks,
  validateMessage,
  validateView,
} from "../../../src/slack/blocks/validate.ts";

const plain = (text: string): object => ({ type: "plain_text", text });
const button = (fields: object = {}): object => ({ type: "button", text: plain("b"), ...fields });
const actions = (...elements: unknown[]): object => ({ type: "actions", elements });
const input = (element: object): object => ({ type: "input", label: plain("l"), element });
const modal = (fields: object = {}): object => ({ type: "modal", title: plain("t"), blocks: [], ...fields });

/** "code: message @ pointer" of everything that is wrong. */
function wrong(violations: readonly Violation[]): string[] {
  return violations.map(({ code, message, pointer }) => `${code}: ${message} @ ${pointer}`);
}
const inMessage = (...blocks: unknown[]): string[] => wrong(validateBlocks(blocks, "message"));
const inModal = (...blocks: unknown[]): string[] => wrong(validateBlocks(blocks, "modal"));
const inHome = (...blocks: unknown[]): string[] => wrong(validateBlocks(blocks, "home"));

describe("surfaces", () => {
  const samples: Readonly<Record<string, object>> = {
    actions: actions(button()),
    alert: { type: "alert", text: plain("x") },
    card: { type: "card", title: { type: "mrkdwn", text: "t" } },
    carousel: { type: "carousel", elements: [{ type: "card", body: { type: "mrkdwn", text: "t" } }] },
    container: { type: "container", title: plain("t"), child_blocks: [{ type: "divider" }] },
    context: { type: "context", elements: [plain("x")] },
    context_actions: { type: "context_actions", elements: [{ type: "icon_button", icon: "trash", text: plain("x") }] },
    data_table: { type: "data_table", caption: "c", rows: [[cell("a")], [cell("b")]] },
    data_visualization: chart(["a"], ["a"]),
    divider: { type: "divider" },
    file: { type: "file", source: "remote", external_id: "x" },
    header: { type: "header", text: plain("x") },
    image: { type: "image", slack_file: { id: "F1" }, alt_text: "a" },
    input: input({ type: "plain_text_input" }),
    markdown: { type: "markdown", text: "x" },
    plan: { type: "plan", title: "p", tasks: [{ type: "task_card", task_id: "t", title: "t", status: "pending" }] },
    rich_text: { type: "rich_text", elements: [] },
    section: { type: "section", text: plain("x") },
    table: { type: "table", rows: [[cell("a")]] },
    task_card: { type: "task_card", task_id: "t", title: "t", status: "error" },
    video: {
      type: "video",
      title: plain("v"),
      alt_text: "a",
      video_url: "https://x.example/v",
      thumbnail_url: "https://x.example/t",
    },
  };
  const everywhere = ["actions", "context", "divider", "header", "image", "input", "rich_text", "section", "video"];
  const messagesOnly = [
    "card",
    "carousel",
    "container",
    "context_actions",
    "data_table",
    "data_visualization",
    "markdown",
    "plan",
    "table",
    "task_card",
  ];

  it.each(Object.keys(samples))("%s stands where Slack lets it", (type) => {
    const sample = samples[type];
    const refused = [`unsupported_type: unsupported type: ${type} @ /blocks/0`];
    const onMessages = everywhere.includes(type) || messagesOnly.includes(type);
    expect(inMessage(sample)).toEqual(onMessages ? [] : refused);
    expect(inHome(sample)).toEqual(everywhere.includes(type) ? [] : refused);
    expect(inModal(sample)).toEqual(everywhere.includes(type) || type === "alert" ? [] : refused);
  });

  it("a type that is not rolled out is refused wherever it stands", () => {
    const options = { unsupportedTypes: ["table", "container"] };
    const nested = { type: "container", title: plain("t"), child_blocks: [samples["table"]] };
    expect(wrong(validateBlocks([samples["table"], nested], "message", options))).toEqual([
      "unsupported_type: unsupported type: table @ /blocks/0",
      "unsupported_type: unsupported type: container @ /blocks/1",
    ]);
    expect(wrong(validateBlocks([nested], "message", { unsupportedTypes: ["table"] }))).toEqual([
      "unsupported_type: unsupported type: table @ /blocks/0/child_blocks/0",
    ]);
  });

  it("video needs its scope, files are asked for in modals only, response URLs too", () => {
    const scopes = ["chat:write"];
    expect(wrong(validateBlocks([samples["video"]], "message", { scopes }))).toEqual([
      "missing_scope: missing scope: links.embed:write @ /blocks/0",
    ]);
    expect(validateBlocks([samples["video"]], "message", { scopes: ["links.embed:write"] })).toEqual([]);
    expect(inMessage(input({ type: "file_input" }))).toEqual([
      "unsupported_type: unsupported type: file_input @ /blocks/0/element",
    ]);
    expect(inModal(input({ type: "file_input" }))).toEqual([]);
    const select = { type: "conversations_select", response_url_enabled: true };
    expect(inHome(input(select))).toEqual([
      "unknown_property: invalid additional property: response_url_enabled @ /blocks/0/element",
    ]);
    expect(inModal(input(select))).toEqual([]);
  });
});

describe("messages", () => {
  it("need a text, blocks or attachments", () => {
    for (const payload of [{}, { text: "" }, { text: " \n" }, { blocks: [] }, { attachments: [] }]) {
      expect(refusal(validateMessage(payload), "message")?.error).toBe("no_text");
    }
    for (const payload of [
      { text: "x" },
      { blocks: [{ type: "divider" }] },
      { attachments: [{}] },
      { markdown_text: "x" },
    ]) {
      expect(validateMessage(payload)).toEqual([]);
    }
  });

  it("answer with Slack's codes", () => {
    const error = (payload: unknown, options = {}): string | undefined =>
      refusal(validateMessage(payload, options), "message")?.error;
    expect(error({ text: "x", markdown_text: "x" })).toBe("markdown_text_conflict");
    expect(error({ markdown_text: "x", blocks: [{ type: "divider" }] })).toBe("markdown_text_conflict");
    expect(error({ text: "x", blocks: "[]" })).toBe("invalid_blocks_format");
    expect(error({ blocks: {} })).toBe("invalid_blocks_format");
    expect(error({ text: "x".repeat(4_001) }, { strictText: true })).toBe("msg_too_long");
    expect(error({ text: "x".repeat(4_001) })).toBeUndefined();
    expect(error({ text: 5 })).toBe("no_text");
    expect(error({ text: "x", attachments: Array.from({ length: 101 }, () => ({})) })).toBe("too_many_attachments");
    expect(error({ text: "x", attachments: {} })).toBe("invalid_blocks");
    expect(error({ text: "x", attachments: [3] })).toBe("invalid_blocks");
    expect(error(null)).toBe("invalid_blocks");
    const long = { type: "section", text: plain("x".repeat(2_900)) };
    expect(error({ text: "x", blocks: [long, long, long, long, long] })).toBe("msg_blocks_too_long");
    expect(error({ text: "x", blocks: [long, long, long, long, long, {}] })).toBe("invalid_blocks");
  });

  const missing = "no_text: must define `text`, `blocks` or `attachments` @ ";
  const both = "markdown_text_conflict: `markdown_text` cannot be used with `text` or `blocks` @ /markdown_text";
  const cases: readonly (readonly [name: string, payload: unknown, expected: readonly string[]])[] = [
    ["no object", null, ["invalid_type: must provide an object @ "]],
    ["a list", [], ["invalid_type: must provide an object @ "]],
    ["nothing in it", {}, [missing]],
    ["a text that is a number", { text: 5 }, ["invalid_type: must provide a string @ /text", missing]],
    [
      "a text that is a long list",
      { text: Array(5_000).fill("x") },
      ["invalid_type: must provide a string @ /text", missing],
    ],
    [
      "Markdown that is a number",
      { text: "", markdown_text: 5 },
      ["invalid_type: must provide a string @ /markdown_text", missing],
    ],
    ["Markdown beside an empty text", { text: "", markdown_text: "x" }, []],
    ["Markdown beside an empty list of blocks", { markdown_text: "x", blocks: [] }, []],
    ["Markdown beside a text", { text: "x", markdown_text: "x" }, [both]],
    ["Markdown beside blocks", { markdown_text: "x", blocks: [{ type: "divider" }] }, [both]],
    [
      "attachments that are no list",
      { text: "x", attachments: {} },
      ["invalid_type: must provide an array @ /attachments"],
    ],
    [
      "an attachment that is no object",
      { text: "x", attachments: [{}, 3] },
      ["invalid_type: must provide an object @ /attachments/1"],
    ],
    ["blocks that are no list", { blocks: "[]" }, ["invalid_blocks_format: must provide an array @ /blocks"]],
  ];

  it.each(cases)("%s", (_, payload, expected) => {
    expect(wrong(validateMessage(payload, { strictText: true }))).toEqual(expected);
  });

  it("are checked inside attachments", () => {
    const payload = { text: "x", attachments: [{}, { blocks: [{ type: "nope" }] }] };
    expect(wrong(validateMessage(payload))).toEqual([
      "unsupported_type: unsupported type: nope @ /attachments/1/blocks/0",
    ]);
  });

  it("are refused in the shape Slack uses", () => {
    expect(refusal(validateMessage({ blocks: [{ type: "header", text: plain("x".repeat(151)) }] }), "message")).toEqual(
      {
        ok: false,
        error: "invalid_blocks",
        errors: ["must be less than 151 characters [json-pointer:/blocks/0/text/text]"],
        response_metadata: {
          messages: ["[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"],
        },
      },
    );
    expect(refusal([], "message")).toBeNull();
  });
});

describe("what stands in blocks", () => {
  const select = (fields: object): object => ({
    type: "section",
    text: plain("x"),
    accessory: { type: "static_select", options: [{ text: plain("a"), value: "a" }], ...fields },
  });
  const card = (fields: object): object => ({ type: "card", title: { type: "mrkdwn", text: "t" }, ...fields });
  const task = { type: "task_card", task_id: "t", title: "t", status: "pending", block_id: "a" };

  it("has ids of its own in carousels, plans and cards too", () => {
    expect(inMessage({ type: "carousel", elements: [card({ block_id: "a" }), card({ block_id: "a" })] })).toEqual([
      "duplicate_id: must have a unique `block_id`: a @ /blocks/0/elements/1/block_id",
    ]);
    expect(inMessage({ type: "plan", title: "p", tasks: [task, task] })).toEqual([
      "duplicate_id: must have a unique `block_id`: a @ /blocks/0/tasks/1/block_id",
    ]);
    expect(inMessage(card({ actions: [button({ action_id: "a" }), button({ action_id: "a" })] }))).toEqual([
      "duplicate_id: must have a unique `action_id`: a @ /blocks/0/actions/1/action_id",
    ]);
    const nested = [card({ actions: [button({ action_id: "a" }), button({ action_id: "a" })] })];
    expect(inMessage({ type: "carousel", elements: nested })).toEqual([
      "duplicate_id: must have a unique `action_id`: a @ /blocks/0/elements/0/actions/1/action_id",
    ]);
  });

  it("has a block_id only where blocks stand", () => {
    expect(inMessage({ type: "divider", block_id: "a" }, actions(button({ block_id: "a" })))).toEqual([
      "unknown_property: invalid additional property: block_id @ /blocks/1/elements/0",
    ]);
  });

  it("takes the focus once, in accessories too", () => {
    const [on, off] = [select({ focus_on_load: true }), select({ focus_on_load: false })];
    expect(inModal(off, on, off)).toEqual([]);
    expect(inModal(on, off, input({ type: "plain_text_input", focus_on_load: true }), on)).toEqual([
      "duplicate_focus: only one element may have `focus_on_load` @ /blocks/2/element/focus_on_load",
      "duplicate_focus: only one element may have `focus_on_load` @ /blocks/3/accessory/focus_on_load",
    ]);
  });

  it("is looked through even where a list is something else", () => {
    expect(inMessage({ type: "container", title: plain("t"), child_blocks: "x" })).toEqual([
      "invalid_type: must provide an array @ /blocks/0/child_blocks",
    ]);
    expect(inMessage(actions(null))).toEqual(["invalid_type: must provide an object @ /blocks/0/elements/0"]);
  });

  it("is refused once for one Markdown block that is too long", () => {
    const markdown = { type: "markdown", text: "x".repeat(12_001) };
    expect(wrong(validateBlocks([markdown], "message", { totalBudget: 100_000 }))).toEqual([
      "too_long: must be less than 12001 characters @ /blocks/0/text",
    ]);
  });

  it("needs a scope for video and for nothing else", () => {
    expect(validateBlocks([{ type: "divider" }], "message", { scopes: [] })).toEqual([]);
  });
});

describe("views", () => {
  it("need submit when they ask for something", () => {
    const asks = modal({ blocks: [input({ type: "plain_text_input" })] });
    expect(wrong(validateView(asks))).toEqual([
      "missing_submit: must define `submit` to use an `input` block in modals @ /view",
    ]);
    expect(validateView({ ...asks, submit: plain("Go") })).toEqual([]);
    expect(validateView({ type: "home", blocks: [input({ type: "plain_text_input" })] })).toEqual([]);
  });

  it("have their own fields, and no others", () => {
    expect(wrong(validateView(modal({ title: { type: "mrkdwn", text: "t" }, size: 3 })))).toEqual([
      "unsupported_type: unsupported type: mrkdwn @ /view/title",
      "unknown_property: invalid additional property: size @ /view",
    ]);
    expect(wrong(validateView({ type: "home", blocks: [], title: plain("t") }))).toEqual([
      "unknown_property: invalid additional property: title @ /view",
    ]);
    expect(wrong(validateView({ type: "modal" }))).toEqual([
      "missing_field: missing required field: title @ /view",
      "missing_field: missing required field: blocks @ /view",
    ]);
    expect(wrong(validateView({ type: "home", blocks: [{ type: "alert", text: plain("x") }] }))).toEqual([
      "unsupported_type: unsupported type: alert @ /view/blocks/0",
    ]);
    expect(wrong(validateView({ type: "drawer" }))).toEqual(["unsupported_type: unsupported type: drawer @ /view"]);
    expect(wrong(validateView({}))).toEqual(["missing_field: missing required field: type @ /view"]);
    expect(wrong(validateView("modal"))).toEqual(["invalid_type: must provide an object @ /view"]);
    expect(wrong(validateView(modal({ blocks: 3 })))).toEqual([
      "invalid_blocks_format: must provide an array @ /view/blocks",
    ]);
    const full = modal({
      private_metadata: "",
      callback_id: "c",
      external_id: "e",
      close: plain("x"),
      clear_on_close: true,
      notify_on_close: true,
    });
    expect(validateView(full)).toEqual([]);
  });

  it("are refused as invalid arguments, or as too large", () => {
    const got = refusal(validateView(modal({ title: plain("x".repeat(25)) })), "view");
    expect(got?.error).toBe("invalid_arguments");
    expect(got?.response_metadata.messages).toEqual([
      "[ERROR] failed to match all allowed schemas [json-pointer:/view]",
      "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]",
    ]);
    const big = { type: "section", text: plain("é".repeat(1_400)) };
    const blocks = Array.from({ length: 95 }, () => big);
    expect(refusal(validateView(modal({ blocks })), "view")?.error).toBe("view_too_large");
  });

  it("hold alerts and many blocks without a message's budget", () => {
    const section = { type: "section", text: plain("x".repeat(2_000)) };
    expect(
      validateView(
        modal({ blocks: [{ type: "alert", level: "warning", text: plain("x") }, ...Array(99).fill(section)] }),
      ),
    ).toEqual([]);
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

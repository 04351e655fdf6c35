import { describe, expect, it } from "vitest";
import {
  actions,
  bullets,
  container,
  context,
  divider,
  fields,
  header,
  image,
  preformatted,
  section,
  table,
  taskCard,
} from "../../../src/slack/blocks/build.ts";
import {
  button,
  checkboxes,
  numberInput,
  option,
  overflowMenu,
  radioButtons,
} from "../../../src/slack/blocks/build-elements.ts";
import { degrade } from "../../../src/slack/blocks/degrade.ts";
import {
  bold,
  code,
  data,
  dateTime,
  fmt,
  join,
  link,
  mentionChannel,
  mentionGroup,
  mentionUser,
  type Rich,
  strike,
  toMrkdwn,
  toPlain,
  toRichText,
} from "../../../src/slack/blocks/inline.ts";
import { type MessageBlock, message } from "../../../src/slack/blocks/message.ts";
import { notifications } from "../../../src/slack/blocks/mrkdwn.ts";
import { plainText } from "../../../src/slack/blocks/plain-text.ts";
import { validateBlocks, validateMessage } from "../../../src/slack/blocks/validate.ts";

const mrkdwn = (value: Rich): string => toMrkdwn(value, 3_000).text;
const approve = actions([button({ text: "Approve", actionId: "approve", value: "p1" })]);

describe("lines", () => {
  it("ours is formatted, data is not", () => {
    const name = "*db* <!here> & co";
    expect(mrkdwn(fmt`${bold("web")} needs ${name}, ${code("a`b")} ${strike("x")}`)).toBe(
      "*web* needs ∗db∗ &lt;!here&gt; &amp; co, `aˋb` ~x~",
    );
  });

  it("mentions are live only for ids, links only for http and https", () => {
    expect(mrkdwn(fmt`${mentionUser("U0ABC")} ${mentionGroup("S0ABC")} ${mentionChannel("C0ABC")}`)).toBe(
      "<@U0ABC> <!subteam^S0ABC> <#C0ABC>",
    );
    expect(mrkdwn(fmt`${mentionUser("U0ABC> <!here")} ${mentionGroup("here")} ${mentionChannel("")}`)).toBe(
      "U0ABC&gt; &lt;!here here ",
    );
    expect(mrkdwn(link("https://room.example/a?b=1&c=|2", "see *it*"))).toBe(
      "<https://room.example/a?b=1&amp;c=%7C2|see ∗it∗>",
    );
    expect(mrkdwn(link("javascript:alert(1)", "see"))).toBe("see");
    expect(mrkdwn(link("/relative", "see"))).toBe("see");
  });

  it("dates carry UTC for those who cannot show them", () => {
    expect(mrkdwn(dateTime(Date.UTC(2026, 10, 21, 0, 25, 13, 999)))).toBe(
      "<!date^1795220713^{date_short_pretty} at {time_secs}|2026-11-21 00:25:13 UTC>",
    );
    expect(mrkdwn(dateTime(Number.NaN))).toBe("unknown time");
  });

  it("the same line becomes literal rich text", () => {
    expect(toRichText(fmt`a ${bold(fmt`b ${code("c*")}`)}${mentionUser("U0ABC")}`)).toEqual([
      { type: "text", text: "a " },
      { type: "text", text: "b ", style: { bold: true } },
      { type: "text", text: "c*", style: { bold: true, code: true } },
      { type: "user", user_id: "U0ABC" },
    ]);
    expect(
      toRichText(fmt`${mentionGroup("S0ABC")}${mentionChannel("C0ABC")}${link("https://x.example", "x")}`).map(
        (one) => one.type,
      ),
    ).toEqual(["usergroup", "channel", "link"]);
    expect(toRichText(dateTime(0))[0]).toMatchObject({
      type: "date",
      timestamp: 0,
      fallback: "1970-01-01 00:00:00 UTC",
    });
  });

  it("is cut without leaving anything open", () => {
    const long = fmt`${bold("x".repeat(100))} ${mentionUser("U0ABC")}`;
    expect(toMrkdwn(long, 60)).toEqual({ text: `*${"x".repeat(37)}*… 70 more characters`, wasCut: true });
    const token = fmt`${"x".repeat(30)}${mentionUser("U0ABC")}${"y".repeat(30)}`;
    expect(toMrkdwn(token, 55).text).toBe(`${"x".repeat(30)}… 36 more characters`);
  });

  it("joins", () => {
    expect(toPlain(join(["a", fmt`b`, data(3)], ", "))).toBe("a, b, 3");
  });
});

describe("blocks", () => {
  it("are always verbatim, expanded, without emoji", () => {
    expect(section("x")).toEqual({
      type: "section",
      text: { type: "mrkdwn", text: "x", verbatim: true },
      expand: true,
    });
    expect(header(":fire:")).toEqual({ type: "header", text: { type: "plain_text", text: ":fire:", emoji: false } });
    expect(section(" ").text?.text).toBe("–");
  });

  it("say how much they leave out", () => {
    const many = Array.from({ length: 13 }, (_, index) => `l${index}`);
    expect(JSON.stringify(context(many).elements.at(-1))).toContain("… 4 more");
    expect(fields(many.map((name) => [name, "v"])).fields?.at(-1)?.text).toBe("… 4 more");
    const log = preformatted(
      many
        .map((line) => `${line}\n`)
        .join("")
        .repeat(3),
    );
    expect(JSON.stringify(log)).toMatch(/l6\\n… \d+ more characters/);
    const wide = table(
      ["n"],
      Array.from({ length: 150 }, (_, index) => [String(index)]),
    );
    expect(wide.rows).toHaveLength(100);
    expect(wide.rows.at(-1)).toEqual([{ type: "raw_text", text: "… 52 more rows" }]);
    const heavy = table(
      ["n"],
      Array.from({ length: 90 }, () => ["x".repeat(190)]),
    );
    expect(validateBlocks([heavy], "message")).toEqual([]);
    expect(message({ text: "t", blocks: [heavy] }).overflow).toContain(Array(90).fill("x".repeat(190)).join("\n"));
  });

  it("refuse to drop a choice", () => {
    const buttons = Array.from({ length: 26 }, (_, index) => button({ text: "x", actionId: `a${index}` }));
    expect(() => actions(buttons)).toThrow(RangeError);
    expect(() => button({ text: "x", actionId: "a", value: "v".repeat(2_001) })).toThrow(
      "buttonValue: 2001 is above 2000",
    );
    const options = Array.from({ length: 11 }, (_, index) => option("o", `v${index}`));
    expect(() => radioButtons({ actionId: "a", options })).toThrow(RangeError);
    expect(() => checkboxes({ actionId: "a", options })).toThrow(RangeError);
    expect(() => overflowMenu({ actionId: "a", options })).toThrow(RangeError);
    expect(() => container("t", Array(11).fill(divider()))).toThrow(RangeError);
  });

  it("choose what is on offer", () => {
    const options = [option("one", "1"), option("two", "2", "the other")];
    expect(radioButtons({ actionId: "a", options, initial: "2" }).initial_option).toBe(options[1]);
    expect(radioButtons({ actionId: "a", options, initial: "3" })).not.toHaveProperty("initial_option");
    expect(checkboxes({ actionId: "a", options, checked: ["1", "3"] }).initial_options).toEqual([options[0]]);
    expect(numberInput({ actionId: "a", initial: 512, min: 256, max: 1_024 })).toMatchObject({
      initial_value: "512",
      min_value: "256",
      max_value: "1024",
      is_decimal_allowed: false,
    });
  });
});

describe("message", () => {
  it("leaves alone what fits", () => {
    const blocks = [header("h"), section("s"), approve];
    expect(message({ text: fmt`web: ${"<!here>"}`, blocks })).toEqual({
      text: "web: &lt;!here&gt;",
      blocks,
      overflow: null,
    });
  });

  it("always has a text, and says all of it or marks the cut", () => {
    expect(message({ text: "", blocks: [section(bold("down"))] }).text).toBe("down");
    expect(message({ text: "", blocks: [divider()] }).text).toBe("(no text)");
    const long = message({ text: "x".repeat(5_000), blocks: [] });
    expect(long.text).toHaveLength(4_000);
    expect(long.text).toMatch(/x… 1,023 more characters$/);
    expect(long.overflow).toBe("x".repeat(5_000));
  });

  it("cuts evidence before buttons, marks the place and keeps the whole for the file", () => {
    const logs = Array.from({ length: 8 }, (_, index) => preformatted(`${index}${"l".repeat(2_500)}`));
    const { blocks, overflow } = message({ text: "t", blocks: [header("h"), ...logs, approve] });
    expect(blocks.at(-1)).toBe(approve);
    expect(blocks[0]?.type).toBe("header");
    expect(JSON.stringify(blocks.filter((block) => block.type === "context"))).toMatch(
      /… [\d,]+ more characters: the whole text is in the file/,
    );
    expect(JSON.stringify(blocks)).toMatch(/l… [\d,]+ more characters/);
    for (let index = 0; index < 8; index++) expect(overflow).toContain(`${index}${"l".repeat(2_500)}`);
    expect(validateMessage({ text: "t", blocks }, { totalBudget: 11_000 })).toEqual([]);
  });

  it("keeps to fifty blocks", () => {
    const { blocks, overflow } = message({
      text: "t",
      blocks: [...Array.from({ length: 80 }, (_, n) => section(`s${n}`)), approve],
    });
    expect(blocks).toHaveLength(50);
    expect(blocks.at(-1)).toBe(approve);
    expect(overflow).toContain("s79");
  });

  it("takes ten megabytes of one line", () => {
    const { blocks, overflow } = message({ text: "t", blocks: [preformatted("\u0000é<".repeat(3_500_000))] });
    expect(validateMessage({ text: "t", blocks })).toEqual([]);
    expect(overflow).toHaveLength(6 * 3_500_000);
  });
});

describe("degrade", () => {
  const newer: MessageBlock[] = [
    container("All <!here> evidence", [
      section("s"),
      table(
        ["host", "use"],
        [
          ["web", "1"],
          ["database", "200"],
        ],
      ),
      approve,
    ]),
    taskCard({ id: "t1", title: "Raise memory", status: "in_progress", details: "512 MB" }),
    {
      type: "data_visualization",
      title: "Memory",
      chart: {
        type: "line",
        series: [{ name: "db", data: [{ label: "12:00", value: 3 }] }],
        axis_config: { categories: ["12:00"] },
      },
    },
    { type: "plan", title: "Plan", tasks: [taskCard({ id: "t2", title: "Start db", status: "pending" })] },
    { type: "alert", level: "warning", text: { type: "plain_text", text: "careful" } },
    {
      type: "carousel",
      elements: [
        { type: "card", title: { type: "mrkdwn", text: "*c*" }, actions: [button({ text: "x", actionId: "x" })] },
      ],
    },
    { type: "markdown", text: "m" },
    divider(),
  ];
  const types = [
    "container",
    "table",
    "task_card",
    "data_visualization",
    "plan",
    "alert",
    "carousel",
    "card",
    "markdown",
    "divider",
  ];

  it("keeps every word and every button in older blocks", () => {
    const older = degrade(newer, types);
    expect(new Set(older.map((block) => block.type))).toEqual(new Set(["section", "rich_text", "actions"]));
    expect(validateMessage({ text: "t", blocks: older }, { unsupportedTypes: types })).toEqual([]);
    expect(notifications({ blocks: older })).toEqual([]);
    expect(older.filter((block) => block.type === "actions")).toHaveLength(2);
    expect(plainText(older)).toBe(
      [
        "All <!here> evidence",
        "s",
        "host      use\nweb       1\ndatabase  200",
        "Raise memory (in progress)",
        "512 MB",
        "Memory",
        "db: 12:00 3",
        "Plan",
        "Start db (waiting)",
        "Warning: careful",
        "c",
        "m",
      ].join("\n"),
    );
  });

  it("touches only what the workspace does not know", () => {
    expect(degrade(newer.slice(0, 2), ["table"])).toEqual(newer.slice(0, 2));
    expect(degrade([section("s"), approve], types)).toEqual([section("s"), approve]);
  });
});

describe("plainText", () => {
  it("reads blocks in order", () => {
    const blocks = [
      header("h"),
      section(fmt`a ${bold("b")} ${mentionUser("U0ABC")}`),
      fields([["State", "Exited (137)"]]),
      context(["c", "d"]),
      bullets(["one", fmt`two ${dateTime(0)}`]),
      bullets(["first"], { ordered: true }),
      image("F1", "a graph"),
      approve,
      table(["a"], [["b"]]),
    ];
    expect(plainText(blocks)).toBe(
      [
        "h",
        "a b @U0ABC",
        "State: Exited (137)",
        "c · d",
        "• one",
        "• two 1970-01-01 00:00:00 UTC",
        "1. first",
        "[a graph]",
        "a",
        "b",
      ].join("\n"),
    );
  });
});

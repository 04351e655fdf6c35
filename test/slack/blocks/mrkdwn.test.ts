import { describe, expect, it } from "vitest";
import { type MrkdwnNode, notifications, parseMrkdwn, textOf } from "../../../src/slack/blocks/mrkdwn.ts";

const text = (value: string): MrkdwnNode => ({ kind: "text", text: value });

describe("parseMrkdwn", () => {
  const cases: readonly (readonly [source: string, tree: MrkdwnNode[]])[] = [
    ["", []],
    [
      "a *b* _c_ ~d~",
      [
        text("a "),
        { kind: "bold", children: [text("b")] },
        text(" "),
        { kind: "italic", children: [text("c")] },
        text(" "),
        { kind: "strike", children: [text("d")] },
      ],
    ],
    ["*a _b_*", [{ kind: "bold", children: [text("a "), { kind: "italic", children: [text("b")] }] }]],
    ["*a _b* c_", [{ kind: "bold", children: [text("a _b")] }, text(" c_")]],
    ["my_db_name a*b*c", [text("my_db_name a*b*c")]],
    ["* a * **", [text("* a * **")]],
    ["*a\nb*", [text("*a\nb*")]],
    ["*a*b*", [{ kind: "bold", children: [text("a*b")] }]],
    ["`*a* &lt;`", [{ kind: "code", children: [text("*a* <")] }]],
    ["``` \n*a*\n```", [{ kind: "fence", children: [text(" \n*a*")] }]],
    ["a\n```\nb\n```c", [text("a\n"), { kind: "fence", children: [text("b")] }, text("c")]],
    ["&gt; a\n> b\nc", [{ kind: "quote", children: [text("a\nb")] }, text("c")]],
    ["a\n&gt;&gt;&gt;b\nc", [text("a\n"), { kind: "quote", children: [text("b\nc")] }]],
    [
      "<https://x.example/?a=1&amp;b=2|x &lt;y&gt;>",
      [{ kind: "link", url: "https://x.example/?a=1&b=2", label: "x <y>" }],
    ],
    ["<https://x.example>", [{ kind: "link", url: "https://x.example", label: "https://x.example" }]],
    ["<mailto:a@x.example|mail>", [{ kind: "link", url: "mailto:a@x.example", label: "mail" }]],
    ["<javascript:alert(1)|x>", [text("<javascript:alert(1)|x>")]],
    [
      "<@U0ABC> <@W0ABC|ana>",
      [{ kind: "user", id: "U0ABC", label: null }, text(" "), { kind: "user", id: "W0ABC", label: "ana" }],
    ],
    ["<#C0ABC|ops>", [{ kind: "channel", id: "C0ABC", label: "ops" }]],
    ["<!subteam^S0ABC|@sre>", [{ kind: "subteam", id: "S0ABC", label: "@sre" }]],
    [
      "<!here> <!channel|x>",
      [
        { kind: "broadcast", range: "here", bare: false },
        text(" "),
        { kind: "broadcast", range: "channel", bare: false },
      ],
    ],
    ["<@ana> <!nobody> <>", [text("<@ana> <!nobody> <>")]],
    [
      "<!date^1^{date} at {time}|then>",
      [{ kind: "date", unixSeconds: 1, format: "{date} at {time}", url: null, fallback: "then" }],
    ],
    [
      "<!date^1^{date}^https://x.example|then>",
      [{ kind: "date", unixSeconds: 1, format: "{date}", url: "https://x.example", fallback: "then" }],
    ],
    ["<!date^x^{date}|then>", [text("<!date^x^{date}|then>")]],
    [
      "<!date^-1763683200^{date}>",
      [{ kind: "date", unixSeconds: -1_763_683_200, format: "{date}", url: null, fallback: "" }],
    ],
    [
      "<!date^1^{date}^http://x.example>",
      [{ kind: "date", unixSeconds: 1, format: "{date}", url: "http://x.example", fallback: "" }],
    ],
    [
      "<!date^1^{date}^javascript:https://x.example>",
      [{ kind: "date", unixSeconds: 1, format: "{date}", url: null, fallback: "" }],
    ],
    ["<!date^1^{date}^>", [text("<!date^1^{date}^>")]],
    ["<x!date^1^{date}>", [text("<x!date^1^{date}>")]],
    ["<javascript:a//https://x.example|x>", [text("<javascript:a//https://x.example|x>")]],
    ["<https://x.example a|x>", [text("<https://x.example a|x>")]],
    ["<x mailto:a@x.example> <mailto:a b>", [text("<x mailto:a@x.example> <mailto:a b>")]],
    ["<x@U0ABC> <@U0ABC!> <xhere> <here>", [text("<x@U0ABC> <@U0ABC!> <xhere> <here>")]],
    ["<@U0ABC|>", [{ kind: "user", id: "U0ABC", label: null }]],
    ["<http://x.example|>", [{ kind: "link", url: "http://x.example", label: "http://x.example" }]],
    ["`(https://x.example)`", [{ kind: "code", children: [text("(https://x.example)")] }]],
    ["a &gt;&gt;&gt; b &gt; c", [text("a >>> b > c")]],
    ["&gt;a", [{ kind: "quote", children: [text("a")] }]],
    ["a*b* c", [text("a*b* c")]],
    ["*a* b*", [{ kind: "bold", children: [text("a")] }, text(" b*")]],
    [":1234: :1st:", [{ kind: "emoji", name: "1234" }, text(" "), { kind: "emoji", name: "1st" }]],
    [
      ":fire: :+1: 12:34:56 :100:",
      [
        { kind: "emoji", name: "fire" },
        text(" "),
        { kind: "emoji", name: "+1" },
        text(" 12:34:56 "),
        { kind: "emoji", name: "100" },
      ],
    ],
    ["&lt;!here&gt; &amp;lt;", [text("<!here> &lt;")]],
    ["@here #ops https://x.example", [text("@here #ops https://x.example")]],
    ["`<!here>`", [{ kind: "code", children: [{ kind: "broadcast", range: "here", bare: false }] }]],
    ["*<@U0ABC>*", [{ kind: "bold", children: [{ kind: "user", id: "U0ABC", label: null }] }]],
  ];

  it.each(cases)("%j", (source, tree) => {
    expect(parseMrkdwn(source)).toEqual(tree);
  });

  it("without verbatim, what is bare becomes live, as Slack does", () => {
    expect(
      parseMrkdwn("@here #ops https://x.example/a a@here.org x@channel &#ops @hereby @ana", { verbatim: false }),
    ).toEqual([
      { kind: "broadcast", range: "here", bare: true },
      text(" "),
      { kind: "name", sign: "#", name: "ops" },
      text(" "),
      { kind: "link", url: "https://x.example/a", label: "https://x.example/a" },
      text(" a@here.org x@channel &#ops @hereby @ana"),
    ]);
    expect(parseMrkdwn("`@here` <https://x.example|@everyone>", { verbatim: false }).map((node) => node.kind)).toEqual([
      "code",
      "text",
      "link",
    ]);
    expect(parseMrkdwn("@ana.b", { verbatim: false, linkNames: true })).toEqual([
      { kind: "name", sign: "@", name: "ana.b" },
    ]);
  });

  it("takes time linear in hostile text", () => {
    for (const piece of ["*a ", "_*~", "`", "<", "<@", "```", ":a", "*a* ", "&gt;\n", " *", "a*"]) {
      const source = piece.repeat(20_000);
      expect(textOf(parseMrkdwn(source, { verbatim: false, linkNames: true })).length).toBeLessThanOrEqual(
        source.length,
      );
    }
  });

  it("gives the words back", () => {
    const source =
      "*a* <@U0ABC|ana> <#C0ABC> <!here> <https://x.example|x> `c` <!date^1^{date}|then> :eyes: <!subteam^S0ABC>";
    expect(textOf(parseMrkdwn(source))).toBe("a @ana #C0ABC @here x c then :eyes: @S0ABC");
    expect(textOf(parseMrkdwn("#ops\n&gt; q", { verbatim: false }))).toBe("#ops\nq");
    expect(textOf(parseMrkdwn("_i_ ~s~ ```f```"))).toBe("i s f");
  });
});

describe("notifications", () => {
  const mrkdwn = (value: string, verbatim?: boolean): object => ({
    type: "section",
    text: { type: "mrkdwn", text: value, ...(verbatim === undefined ? {} : { verbatim }) },
  });

  it("names who, why and where", () => {
    const payload = {
      text: "<@U0ABC> and &lt;!here&gt;",
      blocks: [
        mrkdwn("*<!channel>*", true),
        mrkdwn("@here <!subteam^S0ABC>"),
        mrkdwn("@everyone", false),
        mrkdwn("@everyone", true),
        { type: "header", text: { type: "plain_text", text: "<!here> @here" } },
        {
          type: "rich_text",
          elements: [
            {
              type: "rich_text_section",
              elements: [
                { type: "text", text: "<!here>" },
                { type: "user", user_id: "U1" },
                { type: "usergroup", usergroup_id: "S1" },
                { type: "broadcast", range: "everyone" },
              ],
            },
          ],
        },
        { type: "markdown", text: "@channel" },
      ],
    };
    expect(notifications(payload)).toEqual([
      { who: "user", id: "U0ABC", why: "mention", pointer: "/text" },
      { who: "channel", id: null, why: "mention", pointer: "/blocks/0/text/text" },
      { who: "here", id: null, why: "auto-parse", pointer: "/blocks/1/text/text" },
      { who: "subteam", id: "S0ABC", why: "mention", pointer: "/blocks/1/text/text" },
      { who: "everyone", id: null, why: "auto-parse", pointer: "/blocks/2/text/text" },
      { who: "user", id: "U1", why: "mention", pointer: "/blocks/5/elements/0/elements/1" },
      { who: "subteam", id: "S1", why: "mention", pointer: "/blocks/5/elements/0/elements/2" },
      { who: "everyone", id: null, why: "mention", pointer: "/blocks/5/elements/0/elements/3" },
      { who: "channel", id: null, why: "auto-parse", pointer: "/blocks/6/text" },
    ]);
  });

  it("bare names in text are live only when asked for", () => {
    const text = "@here @ana";
    expect(notifications({ text })).toEqual([]);
    expect(notifications({ text, link_names: false })).toEqual([]);
    for (const link_names of [true, 1, "1", "true"]) {
      expect(notifications({ text, link_names })).toEqual([
        { who: "here", id: null, why: "link_names", pointer: "/text" },
        { who: "user", id: "ana", why: "link_names", pointer: "/text" },
      ]);
    }
    expect(notifications({ text, parse: "full" }).map((one) => one.why)).toEqual(["parse_full", "parse_full"]);
    expect(notifications({ blocks: [mrkdwn("@ana", true)], link_names: true })).toEqual([]);
    expect(notifications({ blocks: [mrkdwn("@ana")], link_names: true })[0]?.id).toBe("ana");
    expect(notifications({ blocks: [mrkdwn("@ana")] })).toEqual([]);
  });

  it("looks into attachments and Markdown, which know no verbatim", () => {
    const payload = {
      markdown_text: "@here",
      attachments: [
        null,
        {
          text: "@channel",
          pretext: "x",
          fields: [{ value: "<@U0ABC>" }, null],
          blocks: [mrkdwn("<!everyone>", true)],
        },
      ],
    };
    expect(notifications(payload).map(({ who, pointer }) => `${who} ${pointer}`)).toEqual([
      "here /markdown_text",
      "channel /attachments/1/text",
      "user /attachments/1/fields/0/value",
      "everyone /attachments/1/blocks/0/text/text",
    ]);
  });

  it.each(["pretext", "title", "text", "fallback", "footer"])("looks into the %s of an attachment", (name) => {
    const of = (value: string, more: object = {}): string[] =>
      notifications({ attachments: [{ [name]: value }], ...more }).map(
        ({ id, why, pointer }) => `${id} ${why} ${pointer}`,
      );
    expect(of("<@U0ABC>")).toEqual([`U0ABC mention /attachments/0/${name}`]);
    expect(of("@here")).toEqual([`null auto-parse /attachments/0/${name}`]);
    expect(of("@ana #ops")).toEqual([]);
    expect(of("@ana #ops", { link_names: true })).toEqual([`ana link_names /attachments/0/${name}`]);
  });

  it("knows bare names of people in Markdown and in fields, and takes no channel for one", () => {
    const payload = {
      blocks: [{ type: "markdown", text: "@ana #ops" }],
      attachments: [{ fields: [{ value: "@here #ops" }] }],
    };
    const found = (more: object): string[] =>
      notifications({ ...payload, ...more }).map(({ who, id, why, pointer }) => `${who} ${id} ${why} ${pointer}`);
    expect(found({})).toEqual(["here null auto-parse /attachments/0/fields/0/value"]);
    expect(found({ link_names: true })).toEqual([
      "user ana link_names /blocks/0/text",
      "here null link_names /attachments/0/fields/0/value",
    ]);
    expect(notifications({ blocks: [mrkdwn("#ops")], link_names: true })).toEqual([]);
  });

  it("has nothing to say of what is no message", () => {
    for (const payload of [null, "x", [], {}, { text: 5, blocks: "x", attachments: 3 }])
      expect(notifications(payload)).toEqual([]);
  });
});

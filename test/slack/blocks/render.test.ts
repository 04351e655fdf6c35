import { describe, expect, it } from "vitest";
import { formatDate } from "../../../src/slack/blocks/dates.ts";
import { renderBlocks, renderText, renderView, toHtml } from "../../../src/slack/blocks/render.ts";
import { safeUrl } from "../../../src/slack/blocks/render-node.ts";

const AT = Date.UTC(2026, 10, 21, 0, 25, 13);
const viewer = {
  timeZone: "Europe/Berlin",
  nowMs: AT + 3_600_000,
  names: { user: (id: string) => (id === "U0ANA" ? "ana" : null) },
  fileUrl: (file: { readonly id?: string }) => (file.id === "F1" ? "/files/F1" : null),
};
const plain = (text: string): object => ({ type: "plain_text", text });
const html = (...blocks: object[]): string => toHtml(renderBlocks(blocks, "message", viewer));
const inner = (block: object): string =>
  html({ block_id: "b", ...block }).replace(/^<div[^>]*><div[^>]*>|<\/div><\/div>$/g, "");
const inInput = (element: object, more: object = {}): string =>
  inner({ type: "input", label: plain("Memory"), element: { action_id: "a", ...element }, ...more });

describe("text", () => {
  it("shows what mrkdwn means, with names and without script", () => {
    expect(
      toHtml(renderText("*b* _i_ ~s~ `c`\n&lt;script&gt; <@U0ANA> <@U0BOB|bob> <#C0OPS> :eyes: :fire:", viewer)),
    ).toBe(
      '<div class="blocks message"><p><b>b</b> <i>i</i> <s>s</s> <code>c</code><br>&lt;script&gt; ' +
        '<span class="mention" data-user-id="U0ANA">@ana</span> <span class="mention" data-user-id="U0BOB">@bob</span> ' +
        '<span class="mention" data-channel-id="C0OPS">#C0OPS</span> ' +
        '<span role="img" aria-label="eyes" data-name="eyes">👀</span> :fire:</p></div>',
    );
    expect(toHtml(renderText("<!here> <!subteam^S1> ```<b>\n```&gt; q", viewer))).toContain(
      '<span class="mention broadcast" data-broadcast="here">@here</span> <span class="mention" data-usergroup-id="S1">@S1</span> <pre>&lt;b&gt;</pre>',
    );
  });

  it("links name where they go, and only to the web", () => {
    expect(toHtml(renderText("<https://evil.example/?a=1&amp;b=2|Approve>", viewer))).toContain(
      '<a href="https://evil.example/?a=1&amp;b=2" title="https://evil.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow" target="_blank">Approve</a>',
    );
    expect(safeUrl("javascript:alert(1)")).toBeNull();
    expect(safeUrl("data:text/html,x")).toBeNull();
    expect(safeUrl("//evil.example")).toBeNull();
    expect(safeUrl("/\\evil.example")).toBeNull();
    expect(safeUrl("/files/F1")).toBe("/files/F1");
    expect(safeUrl(3)).toBeNull();
  });

  it("dates are shown in the viewer's zone, and the fallback stays at hand", () => {
    const date = `<!date^${AT / 1_000}^{date_short_pretty} at {time_secs}|2026-11-21 00:25:13 UTC>`;
    expect(toHtml(renderText(date, viewer))).toContain(
      `<time datetime="2026-11-21T00:25:13.000Z" data-unix="${AT / 1_000}" title="2026-11-21 00:25:13 UTC">today at 01:25:13</time>`,
    );
    expect(toHtml(renderText(date, { ...viewer, timeZone: "America/New_York" }))).toContain(">today at 19:25:13<");
    expect(toHtml(renderText("<!date^999999999999^{nope}|then>", viewer))).toContain(">then</time>");
    expect(toHtml(renderText("<!date^1^{date_num}^https://x.example|then>", viewer))).toMatch(
      /<a href="https:\/\/x.example\/".*><time .*>1970-01-01<\/time><\/a>/,
    );
  });

  it.each([
    ["{date_num}", "2026-11-21"],
    ["{date_slash}", "21/11/2026"],
    ["{date_long}", "Saturday, November 21, 2026"],
    ["{date_long_full}", "November 21, 2026"],
    ["{date}", "November 21"],
    ["{date_short}", "Nov 21, 2026"],
    ["{time}", "01:25"],
    ["{ago}", "1 hour ago"],
  ])("%s is %s", (token, shown) => {
    expect(formatDate(AT / 1_000, token, viewer)).toBe(shown);
  });

  it("days near are named, days far are written out", () => {
    const on = (nowMs: number, token: string): string | null =>
      formatDate(AT / 1_000, token, { timeZone: "UTC", nowMs });
    expect(on(AT + 86_400_000, "{date_pretty}")).toBe("yesterday");
    expect(on(AT - 86_400_000, "{day_divider_pretty}")).toBe("tomorrow");
    expect(on(AT + 9 * 86_400_000, "{date_pretty}")).toBe("November 21");
    expect(on(AT + 9 * 86_400_000, "{date_short_pretty}")).toBe("Nov 21, 2026");
    expect(on(AT - 90_000, "{ago}")).toBe("in 1 minute");
    expect(on(AT + 5_000, "{ago}")).toBe("5 seconds ago");
    expect(on(AT + 3 * 86_400_000, "{ago}")).toBe("3 days ago");
    expect(formatDate(Number.NaN, "{date}", viewer)).toBeNull();
    expect(formatDate(1e15, "{date}", viewer)).toBeNull();
  });
});

describe("blocks", () => {
  it("buttons carry what the page needs to act", () => {
    const button = {
      type: "button",
      text: plain("Approve"),
      action_id: "approve",
      value: 'p"1',
      style: "primary",
      accessibility_label: "Approve raising memory",
      confirm: { text: plain("Sure?") },
    };
    expect(inner({ type: "actions", elements: [button] })).toBe(
      '<button type="button" data-action-id="approve" data-block-id="b" data-type="button" ' +
        'data-confirm="{&quot;text&quot;:{&quot;type&quot;:&quot;plain_text&quot;,&quot;text&quot;:&quot;Sure?&quot;},&quot;rendered&quot;:[&quot;Sure?&quot;]}" ' +
        'class="button primary" data-value="p&quot;1" aria-label="Approve raising memory">Approve</button>',
    );
    expect(
      inner({ type: "actions", elements: [{ type: "button", text: plain("x"), url: "https://x.example/" }] }),
    ).toMatch(/^<a href="https:\/\/x.example\/" role="button" /);
    expect(
      inner({ type: "actions", elements: [{ type: "button", text: plain("x"), url: "javascript:alert(1)" }] }),
    ).toMatch(/^<button /);
  });

  it("headings, sections, contexts and dividers", () => {
    expect(inner({ type: "header", text: plain("Root <cause>") })).toBe("<h3>Root &lt;cause&gt;</h3>");
    expect(
      inner({
        type: "section",
        text: { type: "mrkdwn", text: "*x*" },
        fields: [plain("f")],
        accessory: { type: "image", image_url: "https://x.example/i", alt_text: "a" },
      }),
    ).toBe(
      '<p><b>x</b></p><div class="fields"><div class="field">f</div></div><div class="accessory"><img src="https://x.example/i" alt="a"></div>',
    );
    expect(
      inner({ type: "context", elements: [plain("c"), { type: "image", slack_file: { id: "F2" }, alt_text: "gone" }] }),
    ).toBe('<span>c</span><span role="img" aria-label="gone" class="image-missing">gone</span>');
    expect(inner({ type: "divider" })).toBe("<hr>");
    expect(inner({ type: "image", slack_file: { id: "F1" }, alt_text: "graph", title: plain("t") })).toBe(
      '<figure><figcaption>t</figcaption><img src="/files/F1" alt="graph" data-file-id="F1"></figure>',
    );
    expect(inner({ type: "section", text: { type: "mrkdwn", text: "@here" } })).toContain("broadcast");
    expect(inner({ type: "section", text: { type: "mrkdwn", text: "@here", verbatim: true } })).toBe("<p>@here</p>");
  });

  it("rich text is literal, keeps its lines, and preformatted text its first break", () => {
    const text = (value: string, style?: object): object => ({
      type: "text",
      text: value,
      ...(style === undefined ? {} : { style }),
    });
    const rich = {
      type: "rich_text",
      elements: [
        {
          type: "rich_text_section",
          elements: [
            text("*a*\n<!here>"),
            text("b", { bold: true, code: true, italic: true, strike: true, underline: true }),
          ],
        },
        { type: "rich_text_preformatted", elements: [text("\n1\n2"), { type: "link", url: "https://x.example/" }] },
        {
          type: "rich_text_quote",
          elements: [
            { type: "user", user_id: "U0ANA" },
            { type: "broadcast", range: "here" },
          ],
        },
        {
          type: "rich_text_list",
          style: "ordered",
          indent: 1,
          elements: [{ type: "rich_text_section", elements: [{ type: "emoji", name: "eyes" }] }],
        },
      ],
    };
    expect(inner(rich)).toBe(
      "<p>*a*<br>&lt;!here&gt;<u><s><i><b><code>b</code></b></i></s></u></p>" +
        '<pre>\n\n1\n2<a href="https://x.example/" title="https://x.example/" rel="noopener noreferrer nofollow" target="_blank">https://x.example/</a></pre>' +
        '<blockquote><span class="mention" data-user-id="U0ANA">@ana</span><span class="mention broadcast" data-broadcast="here">@here</span></blockquote>' +
        '<ol class="rich-list indent-1"><li><span role="img" aria-label="eyes" data-name="eyes">👀</span></li></ol>',
    );
    const inlines = [
      { type: "channel", channel_id: "C1" },
      { type: "usergroup", usergroup_id: "S1" },
      { type: "date", timestamp: AT / 1_000, format: "{date_num}", fallback: "f" },
      { type: "color", value: "#ff0000" },
    ];
    expect(inner({ type: "rich_text", elements: [{ type: "rich_text_section", elements: inlines }] })).toMatch(
      /#C1.*@S1.*2026-11-21.*#ff0000/,
    );
  });

  it("tables and charts have headers, captions and scopes", () => {
    const cell = (text: string): object => ({ type: "raw_text", text });
    expect(
      inner({
        type: "table",
        rows: [
          [cell("host"), cell("use")],
          [
            cell("db"),
            { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "9" }] }] },
          ],
        ],
      }),
    ).toBe(
      '<table><thead><tr><th scope="col">host</th><th scope="col">use</th></tr></thead><tbody><tr><th scope="row">db</th><td><p>9</p></td></tr></tbody></table>',
    );
    expect(
      inner({
        type: "data_table",
        caption: "Hosts",
        row_header_column_index: 1,
        rows: [
          [cell("a"), cell("b")],
          [cell("c"), cell("d")],
        ],
      }),
    ).toMatch(/<caption>Hosts<\/caption>.*<td>c<\/td><th scope="row">d<\/th>/);
    const series = [{ name: "db", data: [{ label: "12:00", value: 3 }] }];
    expect(
      inner({
        type: "data_visualization",
        title: "Memory",
        chart: { type: "line", series, axis_config: { categories: ["12:00"] } },
      }),
    ).toBe(
      '<table class="chart line"><caption>Memory</caption><thead><tr><th scope="col"></th><th scope="col">db</th></tr></thead><tbody><tr><th scope="row">12:00</th><td>3</td></tr></tbody></table>',
    );
    expect(
      inner({
        type: "data_visualization",
        title: "Use",
        chart: { type: "pie", segments: [{ label: "db", value: 3 }] },
      }),
    ).toContain('<th scope="row">db</th><td>3</td>');
  });

  it("newer blocks", () => {
    const child = { type: "section", text: plain("x") };
    expect(
      inner({
        type: "container",
        title: plain("All"),
        subtitle: plain("s"),
        child_blocks: [child],
        is_collapsible: true,
        default_collapsed: true,
      }),
    ).toMatch(/^<details class="container"><summary><b>All<\/b> <span>s<\/span><\/summary>.*<p>x<\/p>/);
    expect(inner({ type: "container", title: plain("All"), child_blocks: [child], is_collapsible: true })).toMatch(
      /^<details class="container" open="">/,
    );
    expect(inner({ type: "container", title: plain("All"), child_blocks: [child] })).toMatch(
      /^<section class="container"><div><b>All<\/b><\/div>/,
    );
    expect(inner({ type: "alert", level: "error", text: plain("no") })).toBe(
      '<div role="alert" class="alert error">no</div>',
    );
    expect(
      inner({
        type: "task_card",
        task_id: "t",
        title: "Start",
        status: "in_progress",
        sources: [{ type: "url", url: "https://x.example/", text: "doc" }],
      }),
    ).toMatch(/^<p><b>Start<\/b> \(in progress\)<\/p><ul><li><a .*>doc<\/a><\/li><\/ul>$/);
    expect(
      inner({ type: "plan", title: "Plan", tasks: [{ type: "task_card", title: "Start", status: "error" }] }),
    ).toMatch(/^<h3>Plan<\/h3>.*Start<\/b> \(failed\)/);
    expect(
      inner({
        type: "carousel",
        elements: [
          {
            type: "card",
            title: { type: "mrkdwn", text: "*t*" },
            body: plain("b"),
            actions: [{ type: "button", text: plain("x") }],
          },
        ],
      }),
    ).toMatch(/<b><b>t<\/b><\/b><p>b<\/p><button /);
    expect(inner({ type: "markdown", text: "x" })).toBe("<p>x</p>");
    expect(inner({ type: "video", title: plain("v"), video_url: "https://x.example/" })).toContain(">v</a>");
    expect(inner({ type: "sparkline" })).toBe('<span class="unknown">[sparkline]</span>');
    expect(inner({ type: "actions", elements: [{ type: "slider" }] })).toBe('<span class="unknown">[slider]</span>');
  });
});

describe("inputs", () => {
  it("are labelled, described and bounded", () => {
    expect(
      inInput(
        {
          type: "plain_text_input",
          min_length: 2,
          max_length: 9,
          initial_value: "512m",
          placeholder: plain("like 1g"),
          focus_on_load: true,
        },
        { hint: plain("floor 256m") },
      ),
    ).toBe(
      '<label for="input-b">Memory</label>' +
        '<input data-action-id="a" data-block-id="b" data-type="plain_text_input" id="input-b" aria-describedby="hint-b" required="" placeholder="like 1g" autofocus="" minlength="2" maxlength="9" type="text" value="512m">' +
        '<p id="hint-b" class="hint">floor 256m</p>',
    );
    expect(
      inInput({ type: "plain_text_input", multiline: true, initial_value: "\na</textarea>" }, { optional: true }),
    ).toMatch(
      /^<label for="input-b">Memory \(optional\)<\/label><textarea [^>]*rows="4">\n\na&lt;\/textarea&gt;<\/textarea>$/,
    );
    expect(inInput({ type: "plain_text_input" }, { optional: true })).not.toContain("required");
    expect(inInput({ type: "plain_text_input" }, { dispatch_action: true })).toContain(
      '<span data-dispatch=""></span>',
    );
  });

  it.each([
    [{ type: "number_input", is_decimal_allowed: false, min_value: "1", max_value: "9" }, /min="1" max="9" step="1"/],
    [{ type: "number_input", is_decimal_allowed: true }, /type="number" step="any"/],
    [{ type: "email_text_input" }, /type="email"/],
    [{ type: "url_text_input" }, /type="url"/],
    [{ type: "datepicker", initial_date: "2026-11-21" }, /type="date" value="2026-11-21"/],
    [{ type: "timepicker", initial_time: "12:00" }, /type="time" value="12:00"/],
    [{ type: "datetimepicker", initial_date_time: 1_795_220_713 }, /type="datetime-local" data-unix="1795220713"/],
    [
      { type: "file_input", filetypes: ["log", "gz"], max_files: 2 },
      /type="file" data-max-items="2" data-accept="log,gz"/,
    ],
    [{ type: "rich_text_input" }, /<textarea /],
    [{ type: "users_select", initial_user: "U1" }, /data-type="users_select".*data-initial="\[&quot;U1&quot;\]"/],
    [
      {
        type: "multi_conversations_select",
        filter: { include: ["public"] },
        max_selected_items: 3,
        default_to_current_conversation: true,
      },
      /multiple="" data-max-items="3" data-filter=".*" data-default-to-current=""/,
    ],
  ])("%j", (element, expected) => {
    expect(inInput(element)).toMatch(expected);
  });

  it("choices are named by a legend, and know what is chosen", () => {
    const options = [
      { text: plain("one"), value: "1", description: plain("first") },
      { text: plain("two"), value: "2" },
    ];
    expect(inInput({ type: "radio_buttons", options, initial_option: options[1] })).toBe(
      '<fieldset class="choices" data-action-id="a" data-block-id="b" data-type="radio_buttons" id="input-b"><legend>Memory</legend>' +
        '<label class="choice"><input type="radio" name="b-a" value="1"><span>one</span><span class="description">first</span></label>' +
        '<label class="choice"><input type="radio" name="b-a" value="2" checked=""><span>two</span></label></fieldset>',
    );
    expect(inInput({ type: "checkboxes", options, initial_options: options }, { optional: true })).toMatch(
      /data-optional="".*checked="".*checked=""/,
    );
    const select = inInput({
      type: "static_select",
      option_groups: [{ label: plain("g"), options }],
      initial_option: options[0],
      placeholder: plain("Pick"),
    });
    expect(select).toContain(
      '<option value="">Pick</option><optgroup label="g"><option value="1" selected="">one (first)</option><option value="2">two</option></optgroup>',
    );
    expect(inner({ type: "actions", elements: [{ type: "overflow", action_id: "o", options }] })).toBe(
      '<details class="overflow"><summary aria-label="More actions">⋯</summary>' +
        '<button type="button" data-action-id="o" data-block-id="b" data-type="overflow" data-value="1">one</button>' +
        '<button type="button" data-action-id="o" data-block-id="b" data-type="overflow" data-value="2">two</button></details>',
    );
    const feedback = {
      type: "feedback_buttons",
      action_id: "f",
      positive_button: { text: plain("Good"), value: "1" },
      negative_button: { text: plain("Bad"), value: "0" },
    };
    expect(inner({ type: "context_actions", elements: [feedback] })).toMatch(
      /data-action-id="f".*data-value="1">Good<.*data-value="0">Bad</,
    );
  });
});

describe("views", () => {
  it("modals say their title and the names of their buttons", () => {
    const view = {
      type: "modal",
      title: plain("Add host"),
      submit: plain("Add"),
      callback_id: "c",
      blocks: [{ type: "divider" }],
    };
    expect(toHtml(renderView(view, viewer))).toBe(
      '<div class="view modal" data-submit="Add" data-close="Cancel" data-callback-id="c"><h2 class="view-title">Add host</h2>' +
        '<div class="blocks modal"><div class="block divider" data-block-id="block-0" data-block-type="divider"><hr></div></div></div>',
    );
    expect(toHtml(renderView({ type: "home", title: plain("View Title"), blocks: [] }, viewer))).toBe(
      '<div class="view home"><div class="blocks home"></div></div>',
    );
    expect(toHtml(renderView(null, viewer))).toBe('<div class="blocks modal"></div>');
  });
});

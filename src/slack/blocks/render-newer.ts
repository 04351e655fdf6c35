import { parseMrkdwn } from "./mrkdwn-parser.ts";
import { image, words } from "./render-elements.ts";
import { el, type RenderChild, type RenderNode } from "./render-node.ts";
import { lines, link, list, type RenderOptions, renderNodes, renderRichText, renderTextObject } from "./render-text.ts";
import { type Fields, isFields } from "./schema.ts";

export interface Tools {
  readonly options: RenderOptions;
  element(value: Fields): RenderNode;
  nested(value: unknown): RenderNode[];
}

/** Blocks that came to Slack after 2024: tables, containers, alerts, tasks, cards, charts, Markdown, video. */
export function renderNewer(block: Fields, tools: Tools): RenderChild[] {
  const { options } = tools;
  const type = String(block["type"]);
  switch (type) {
    case "table":
      return [table(list(block["rows"]), null, 0, options)];
    case "data_table":
      return [
        table(
          list(block["rows"]),
          String(block["caption"] ?? ""),
          Number(block["row_header_column_index"] ?? 0),
          options,
        ),
      ];
    case "container":
      return [container(block, tools)];
    case "alert": {
      const level = String(block["level"] ?? "default");
      return [el("div", { role: "alert", class: `alert ${level}` }, renderTextObject(block["text"], options))];
    }
    case "task_card":
      return task(block, options);
    case "plan":
      return [el("h3", {}, [String(block["title"] ?? "")]), ...tools.nested(block["tasks"])];
    case "card":
      return card(block, tools);
    case "carousel":
      return tools.nested(block["elements"]);
    case "data_visualization":
      return [chart(block)];
    case "markdown":
      return [el("p", {}, renderNodes(parseMrkdwn(String(block["text"] ?? "")), options))];
    case "video":
      return [el("p", {}, [link(block["title_url"] ?? block["video_url"], [words(block["title"])])])];
    default:
      return [el("span", { class: "unknown" }, [`[${type}]`])];
  }
}

function table(
  rows: readonly unknown[],
  caption: string | null,
  rowHeader: number,
  options: RenderOptions,
): RenderNode {
  const [header, ...body] = rows.map(list);
  const cells = (row: readonly unknown[], head: boolean): RenderNode[] =>
    row.map((cell, column) => {
      const scope = head ? "col" : column === rowHeader ? "row" : null;
      return el(scope === null ? "td" : "th", { scope }, cellContent(cell, options));
    });
  return el("table", {}, [
    ...(caption === null ? [] : [el("caption", {}, [caption])]),
    el("thead", {}, [el("tr", {}, cells(header ?? [], true))]),
    el(
      "tbody",
      {},
      body.map((row) => el("tr", {}, cells(row, false))),
    ),
  ]);
}

function cellContent(cell: unknown, options: RenderOptions): RenderChild[] {
  if (!isFields(cell)) return [];
  if (cell["type"] === "rich_text") return renderRichText(cell["elements"], options);
  return lines(String(cell["text"] ?? ""));
}

function container(block: Fields, tools: Tools): RenderNode {
  const rich = isFields(block["rich_text_title"])
    ? renderRichText(block["rich_text_title"]["elements"], tools.options)
    : [];
  const title = rich.length > 0 ? rich : [words(block["title"])];
  const subtitle = renderTextObject(block["subtitle"], tools.options);
  const icon = isFields(block["icon"]) ? [image(block["icon"], tools.options)] : [];
  const heading = [...icon, el("b", {}, title), ...(subtitle.length === 0 ? [] : [" ", el("span", {}, subtitle)])];
  const children = tools.nested(block["child_blocks"]);
  if (block["is_collapsible"] !== true)
    return el("section", { class: "container" }, [el("div", {}, heading), ...children]);
  const open = block["default_collapsed"] === true ? null : "";
  return el("details", { class: "container", open }, [el("summary", {}, heading), ...children]);
}

const STATUS: Readonly<Record<string, string>> = {
  pending: "waiting",
  in_progress: "in progress",
  complete: "done",
  error: "failed",
};

function task(block: Fields, options: RenderOptions): RenderChild[] {
  const status = String(block["status"]);
  const rich = (value: unknown): RenderChild[] => (isFields(value) ? renderRichText(value["elements"], options) : []);
  const sources = list(block["sources"])
    .filter(isFields)
    .map((source) => el("li", {}, [link(source["url"], [String(source["text"] ?? "")])]));
  return [
    el("p", {}, [el("b", {}, [String(block["title"] ?? "")]), ` (${STATUS[status] ?? status})`]),
    ...rich(block["details"]),
    ...rich(block["output"]),
    ...(sources.length === 0 ? [] : [el("ul", {}, sources)]),
  ];
}

function card(block: Fields, tools: Tools): RenderChild[] {
  const { options } = tools;
  const text = (name: string, tag: "p" | "b"): RenderNode[] => {
    const children = renderTextObject(block[name], options);
    return children.length === 0 ? [] : [el(tag, {}, children)];
  };
  const images = ["hero_image", "icon"].flatMap((name) => (isFields(block[name]) ? [image(block[name], options)] : []));
  const actions = list(block["actions"]).filter(isFields).map(tools.element);
  return [...images, ...text("title", "b"), ...text("subtitle", "p"), ...text("body", "p"), ...actions];
}

/** A chart as the table of its numbers: nothing is drawn, everything can be read, also by a screen reader. */
function chart(block: Fields): RenderNode {
  const value = isFields(block["chart"]) ? block["chart"] : {};
  const series = list(value["series"]).filter(isFields);
  const segments = list(value["segments"]).filter(isFields);
  const axis = isFields(value["axis_config"]) ? value["axis_config"] : {};
  const columns = series.length === 0 ? ["value"] : series.map((one) => String(one["name"] ?? ""));
  const labels = series.length === 0 ? segments.map((one) => one["label"]) : list(axis["categories"]);
  const points = (label: unknown): unknown[] =>
    (series.length === 0 ? [segments] : series.map((one) => list(one["data"]).filter(isFields))).map(
      (data) => data.find((point) => point["label"] === label)?.["value"] ?? "",
    );
  return el("table", { class: `chart ${String(value["type"])}` }, [
    el("caption", {}, [String(block["title"] ?? "")]),
    el("thead", {}, [
      el(
        "tr",
        {},
        ["", ...columns].map((name) => el("th", { scope: "col" }, [name])),
      ),
    ]),
    el(
      "tbody",
      {},
      labels.map((label) =>
        el("tr", {}, [
          el("th", { scope: "row" }, [String(label)]),
          ...points(label).map((point) => el("td", {}, [String(point)])),
        ]),
      ),
    ),
  ]);
}

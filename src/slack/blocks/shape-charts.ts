import { type Context, checkMax, type Fields, isFields, type Rule, type Shape } from "./schema.ts";

/**
 * Charts of the `data_visualization` block (D reference/block-kit/blocks/data-visualization-block, June 2026; not yet
 * in `@slack/types` 3.2.0). Where a third party enforces another number, the smaller one stands in the limits table.
 */
const label: Rule = { is: "string", max: "chartLabel" };
const axisLabel: Rule = { is: "string", max: "chartAxisLabel" };
const point: Rule = {
  is: "object",
  shape: { required: { label, value: { is: "number" } } },
};
const series: Rule = {
  is: "object",
  shape: {
    required: {
      name: label,
      data: { is: "list", of: point, min: 1, max: "chartCategories" },
    },
  },
};

const axes: Shape = {
  required: {
    type: { is: "string" },
    series: { is: "list", of: series, min: 1, max: "chartSeries" },
    axis_config: {
      is: "object",
      shape: {
        required: {
          categories: { is: "list", of: label, min: 1, max: "chartCategories" },
        },
        optional: { x_label: axisLabel, y_label: axisLabel },
      },
    },
  },
  check: checkSeries,
};

export const CHARTS: Readonly<Record<string, Shape>> = {
  pie: {
    required: {
      type: { is: "string" },
      segments: { is: "list", of: point, min: 1, max: "chartSegments" },
    },
  },
  bar: axes,
  area: axes,
  line: axes,
};

/** A message holds at most two charts. */
export function checkChartCount(blocks: readonly unknown[], pointer: string, context: Context): void {
  const charts = blocks.filter((block) => isFields(block) && block["type"] === "data_visualization").length;
  checkMax(charts, "chartsPerMessage", "items", pointer, context);
}

/** Names are unique and every series has one value for every category. */
function checkSeries(value: Fields, at: string, context: Context): void {
  const all = (Array.isArray(value["series"]) ? value["series"] : []).filter(isFields);
  const names = all.map((one) => one["name"]);
  const axis = value["axis_config"];
  const categories: unknown[] = isFields(axis) && Array.isArray(axis["categories"]) ? axis["categories"] : [];
  for (const [index, one] of all.entries()) {
    if (names.indexOf(one["name"]) !== index) {
      context.report("duplicate_name", "series names must be unique", `${at}/series/${index}/name`);
    }
    const points = (Array.isArray(one["data"]) ? one["data"] : []).filter(isFields).map((entry) => entry["label"]);
    if (points.length === categories.length && categories.every((category) => points.includes(category))) continue;
    context.report("invalid_value", "must have one value for every category", `${at}/series/${index}/data`);
  }
}

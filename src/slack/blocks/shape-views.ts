import type { Rule, Shape } from "./schema.ts";

const boolean: Rule = { is: "boolean" };
const shared = {
  private_metadata: { is: "string", max: "privateMetadata", mayBeEmpty: true },
  callback_id: { is: "string", max: "viewId", mayBeEmpty: true },
  external_id: { is: "string", max: "viewId", mayBeEmpty: true },
} as const satisfies Record<string, Rule>;

/** Only its presence: what may stand in `blocks` depends on the surface and is checked with it. */
const blocks: Rule = { is: "anything" };

export const MODAL_VIEW: Shape = {
  required: {
    type: { is: "enum", values: ["modal"] },
    title: { is: "text", max: "viewTitle", only: "plain_text" },
    blocks,
  },
  optional: {
    ...shared,
    submit: { is: "text", max: "viewButton", only: "plain_text" },
    close: { is: "text", max: "viewButton", only: "plain_text" },
    clear_on_close: boolean,
    notify_on_close: boolean,
    submit_disabled: boolean,
  },
};

export const HOME_VIEW: Shape = {
  required: { type: { is: "enum", values: ["home"] }, blocks },
  optional: shared,
};

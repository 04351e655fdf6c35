import type { Rule, Shape } from "./schema.ts";

const string: Rule = { is: "string" };
const boolean: Rule = { is: "boolean" };
const style = {
  style: {
    is: "object",
    shape: {
      required: {},
      optional: {
        bold: boolean,
        code: boolean,
        italic: boolean,
        strike: boolean,
        underline: boolean,
      },
    },
  } as Rule,
};

function inline(required: Shape["required"], optional: Shape["optional"] = {}): Shape {
  return {
    required: { type: string, ...required },
    optional: { ...style, ...optional },
  };
}

/** What may stand in a line of rich text, by `type`. Rich text is literal: nothing in it is parsed. */
const INLINE: Readonly<Record<string, Shape>> = {
  text: inline({ text: string }),
  link: inline({ url: { is: "string", max: "url" } }, { text: { is: "string", mayBeEmpty: true }, unsafe: boolean }),
  user: inline({ user_id: { is: "string", pattern: /^[UW][A-Z0-9]{2,}$/ } }),
  usergroup: inline({
    usergroup_id: { is: "string", pattern: /^S[A-Z0-9]{2,}$/ },
  }),
  channel: inline({
    channel_id: { is: "string", pattern: /^[CDG][A-Z0-9]{2,}$/ },
  }),
  team: inline({ team_id: { is: "string", pattern: /^T[A-Z0-9]{2,}$/ } }),
  broadcast: inline({
    range: { is: "enum", values: ["here", "channel", "everyone"] },
  }),
  date: inline({ timestamp: { is: "number", integer: true }, format: string }, { url: string, fallback: string }),
  emoji: inline({ name: string }, { unicode: string, url: string }),
  color: inline({ value: { is: "string", pattern: /^#?[0-9a-f]{6}$/i } }),
};

const inlines: Rule = { is: "list", of: { is: "tagged", among: () => INLINE } };
const border = { border: { is: "enum", values: [0, 1] } as Rule };

const PARTS: Readonly<Record<string, Shape>> = {
  rich_text_section: { required: { type: string, elements: inlines } },
  rich_text_quote: {
    required: { type: string, elements: inlines },
    optional: border,
  },
  rich_text_preformatted: {
    required: {
      type: string,
      elements: {
        is: "list",
        of: { is: "tagged", among: () => INLINE, types: ["text", "link"] },
      },
    },
    optional: border,
  },
  rich_text_list: {
    required: {
      type: string,
      style: { is: "enum", values: ["bullet", "ordered"] },
      elements: {
        is: "list",
        of: { is: "tagged", among: () => PARTS, types: ["rich_text_section"] },
      },
    },
    optional: {
      indent: {
        is: "number",
        integer: true,
        min: 0,
        max: "richTextListIndent",
      },
      ...border,
    },
  },
};

/** The `rich_text` block, which also stands in table cells, containers and task cards. */
export const RICH_TEXT: Readonly<Record<string, Shape>> = {
  rich_text: {
    required: {
      type: string,
      elements: { is: "list", of: { is: "tagged", among: () => PARTS } },
    },
    optional: { block_id: { is: "string", max: "blockId" } },
  },
};

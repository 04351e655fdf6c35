import type { Violation } from "./schema.ts";

/** The body Slack answers with. `errors` are the messages with their pointers; `messages` the same with a prefix. */
export interface SlackRefusal {
  readonly ok: false;
  readonly error: string;
  readonly errors: readonly string[];
  readonly response_metadata: { readonly messages: readonly string[] };
}

/**
 * Words violations as Slack does (`invalid_blocks` for messages, `invalid_arguments` for views, or the code of its own
 * that a violation has); null when there is nothing to refuse.
 */
export function refusal(violations: readonly Violation[], of: "message" | "view"): SlackRefusal | null {
  if (violations.length === 0) return null;
  // A broken block is named before the size of the whole: Slack parses before it counts.
  const own = OWN_CODES.find((code) => violations.every((violation) => violation.code === code));
  const first = PARSED_FIRST.find((code) => violations.some((violation) => violation.code === code));
  const error = first ?? own ?? (of === "view" ? "invalid_arguments" : "invalid_blocks");
  const errors = violations.map(({ message, pointer }) => `${message} [json-pointer:${pointer}]`);
  const schema = of === "view" && error === "invalid_arguments" ? [ALL_SCHEMAS] : [];
  return {
    ok: false,
    error,
    errors: [...schema, ...errors],
    response_metadata: {
      messages: [...schema, ...errors].map((line) => `[ERROR] ${line}`),
    },
  };
}

/** Codes that are an error of their own in Slack's method reference, decided before any block is looked at. */
const PARSED_FIRST = [
  "markdown_text_conflict",
  "no_text",
  "too_many_attachments",
  "msg_too_long",
  "invalid_blocks_format",
];
/** Codes that stand alone only when nothing else is wrong. */
const OWN_CODES = ["msg_blocks_too_long", "view_too_large", "missing_scope"];
/** What Slack usually says first about a view (C). */
const ALL_SCHEMAS = "failed to match all allowed schemas [json-pointer:/view]";

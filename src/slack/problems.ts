import { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError } from "@slack/web-api";

/** Why a call to Slack failed, by what there is to do about it. */
export interface Problem {
  kind: ProblemKind;
  /** Slack's error code, or `http_503`, `request_failed`. */
  code: string;
  /** Slack's explanations, with JSON pointers. */
  messages: string[];
  retryAfterMs: number | null;
  /** True when the call may have been done all the same: look before doing it again. */
  uncertain: boolean;
}

/**
 * `retry` try again later · `invite` the bot is not in the channel, or cannot see it · `gone` what it was about is no
 * more · `payload` our mistake: send something simpler · `setup` a token or an installation to mend · `policy` not
 * allowed here, whatever we do · `trigger` the person has to click again · `already` it is as it was to be.
 */
export type ProblemKind = "retry" | "invite" | "gone" | "payload" | "setup" | "policy" | "trigger" | "already";

/** Maps what the SDK throws. Anything it does not know counts as a failed request: uncertain. */
export function problemOf(error: unknown): Problem {
  if (error instanceof WebAPIRateLimitedError) {
    return { ...blank, kind: "retry", code: "ratelimited", retryAfterMs: error.retryAfter * 1_000 };
  }
  if (error instanceof WebAPIHTTPError) return httpProblem(error);
  if (error instanceof WebAPIPlatformError) {
    const code = error.data.error;
    const messages = error.data.response_metadata?.messages ?? [];
    const expired = messages.some((message) => /trigger_id.* expired/.test(message));
    const kind = expired ? "trigger" : (kindOf.get(code) ?? "policy");
    return { ...blank, kind, code, messages, uncertain: halfDone.has(code) };
  }
  const reason = error instanceof WebAPIRequestError ? error.original.message : String(error);
  return { ...blank, kind: "retry", code: "request_failed", messages: [reason], uncertain: true };
}

/** Types of blocks this workspace does not have yet, from the messages of a refused one. */
export function unsupportedTypes(problem: Problem): string[] {
  return problem.messages.flatMap((message) => /unsupported type: ([a-z_]+)/.exec(message)?.[1] ?? []);
}

const blank = { messages: [] as string[], retryAfterMs: null, uncertain: false };

/** The SDK gives up on a 429 that has no Retry-After, as an ordinary HTTP error. */
function httpProblem(error: WebAPIHTTPError): Problem {
  const { statusCode } = error;
  const kind = statusCode >= 500 || statusCode === 429 || statusCode === 408 ? "retry" : "policy";
  return { ...blank, kind, code: `http_${statusCode}`, uncertain: statusCode >= 500 || statusCode === 408 };
}

/** Slack's method reference, 2026-08. A code that is not here is told and not tried again. */
const codes: Record<ProblemKind, string[]> = {
  retry: [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "message_limit_exceeded",
    "canvas_editing_locked",
  ],
  invite: ["not_in_channel", "channel_not_found"],
  gone: [
    "is_archived",
    "is_inactive",
    "message_not_found",
    "thread_not_found",
    "cant_update_message",
    "edit_window_closed",
    "team_access_not_granted",
    "user_not_in_channel",
    "user_not_found",
    "not_found",
    "file_not_found",
  ],
  payload: [
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_arguments",
    "msg_too_long",
    "msg_blocks_too_long",
    "no_text",
    "block_mismatch",
    "view_too_large",
    "metadata_too_large",
    "invalid_metadata_format",
    "invalid_metadata_schema",
  ],
  setup: [
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
    "app_access_restricted",
  ],
  policy: [
    "missing_scope",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_thread_locked",
    "ekm_access_denied",
    "messages_tab_disabled",
    "not_enabled",
    "no_such_subteam",
    "plan_upgrade_required",
  ],
  trigger: ["expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "hash_conflict", "push_limit_reached"],
  already: ["already_reacted", "no_reaction", "already_pinned"],
};

const kindOf = new Map(
  Object.entries(codes).flatMap(([kind, list]) => list.map((code) => [code, kind as ProblemKind] as const)),
);

/** Slack says of these that part of the work may have been done. */
const halfDone = new Set(["internal_error", "fatal_error", "service_unavailable", "request_timeout"]);

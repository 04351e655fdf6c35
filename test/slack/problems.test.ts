import { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError } from "@slack/web-api";
import { describe, expect, it } from "vitest";
import { proxyOf } from "../../src/slack/clients.ts";
import { problemOf, unsupportedTypes } from "../../src/slack/problems.ts";

const platform = (error: string, messages: string[] = []) =>
  problemOf(new WebAPIPlatformError({ ok: false, error, response_metadata: { messages } }));

describe("what went wrong", () => {
  it.each([
    ["not_in_channel", "invite", false],
    ["is_archived", "gone", false],
    ["invalid_blocks", "payload", false],
    ["token_revoked", "setup", false],
    ["missing_scope", "policy", false],
    ["restricted_action", "policy", false],
    ["fatal_error", "retry", true],
    ["internal_error", "retry", true],
    ["rate_limited", "retry", false],
    ["expired_trigger_id", "trigger", false],
    ["already_pinned", "already", false],
    ["an_error_of_next_year", "policy", false],
  ])("%s is %s", (code, kind, uncertain) => {
    expect(platform(code)).toMatchObject({ kind, code, uncertain });
  });

  it("knows an expired trigger in its older shape", () => {
    const message = "[ERROR] `trigger_id` expired [json-pointer:/trigger_id]";
    expect(platform("invalid_arguments", [message]).kind).toBe("trigger");
  });

  it("waits as long as Slack says, and knows what may have been done all the same", () => {
    expect(problemOf(new WebAPIRateLimitedError(7))).toMatchObject({
      kind: "retry",
      retryAfterMs: 7_000,
      uncertain: false,
    });
    expect(problemOf(new WebAPIHTTPError(503, "", {}))).toMatchObject({
      kind: "retry",
      code: "http_503",
      uncertain: true,
    });
    expect(problemOf(new WebAPIHTTPError(429, "", {}))).toMatchObject({ kind: "retry", uncertain: false });
    expect(problemOf(new WebAPIHTTPError(404, "", {}))).toMatchObject({ kind: "policy", uncertain: false });
    expect(problemOf(new WebAPIRequestError(new Error("socket hang up")))).toMatchObject({
      kind: "retry",
      uncertain: true,
    });
    expect(problemOf("anything")).toMatchObject({ kind: "retry", uncertain: true });
  });

  it("names the block types a workspace does not have", () => {
    const messages = [
      "[ERROR] unsupported type: container [json-pointer:/blocks/0/type]",
      "[ERROR] must provide an object",
    ];
    expect(unsupportedTypes(platform("invalid_blocks", messages))).toEqual(["container"]);
  });
});

it("goes through a proxy only where one is named", async () => {
  expect(proxyOf({})).toBeNull();
  expect(proxyOf({ NO_PROXY: "*" })).toBeNull();
  const proxy = proxyOf({ https_proxy: "http://127.0.0.1:9", no_proxy: "localhost" });
  expect(proxy).not.toBeNull();
  await proxy?.close();
});

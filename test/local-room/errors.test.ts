import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { lastPayload, openRoom, type TestRoom, widerManifest } from "./open-room.ts";
import { type Case, chat, conversations, home, later, modal } from "./refusals-talk.ts";
import { app, files, marks, people, triggerOf, views } from "./refusals-things.ts";

/** Every refusal of the Web API families, each reached by a call that real Slack would refuse too. */
let test: TestRoom;
const reached = new Set<string>();

beforeEach(async () => {
  test = await openRoom();
});
afterEach(() => test.room.stop());

describe.each([
  ["chat", chat],
  ["later and streams", later],
  ["conversations", conversations],
  ["people", people],
  ["marks", marks],
  ["views", views],
  ["files", files],
  ["app", app],
] as [string, Case[]][])("%s refuses as Slack does", (_family, cases) => {
  it.each(cases)("%s from %s", async (error, method, args, setup) => {
    const more = (await setup?.(test)) ?? {};
    const answer = await test.call(method, { ...args, ...more });
    expect(answer).toMatchObject({ ok: false, error });
    reached.add(error);
  });
});

describe("every call", () => {
  const post = (method: string, init: RequestInit) =>
    fetch(test.room.apiUrl + method, { method: "POST", ...init }).then((response) => response.json());
  const bearer = () => ({ authorization: `Bearer ${test.room.botToken}` });
  const expectError = (answer: unknown, error: string) => {
    expect(answer).toMatchObject({ ok: false, error });
    reached.add(error);
  };

  it("tells missing, wrong and misplaced tokens apart", async () => {
    expectError(await test.call("auth.test", {}, null), "not_authed");
    expectError(await test.call("auth.test", {}, "xoxb-other"), "invalid_auth");
    expectError(await test.call("apps.connections.open"), "not_allowed_token_type");
    expectError(
      await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "x" }, test.room.appToken),
      "not_allowed_token_type",
    );
    expectError(await test.call("apps.connections.open", { token: test.room.appToken }, null), "missing_args");
    const json = {
      headers: { "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify({ token: test.room.botToken }),
    };
    expectError(await post("auth.test", json), "not_authed");
    expect(await test.call("auth.test", { token: test.room.botToken }, null)).toMatchObject({ ok: true });
  });

  it("refuses a revoked and an uninstalled app", async () => {
    test.room.uninstall();
    expectError(await test.call("auth.test"), "account_inactive");
    test.room.revoke();
    expectError(await test.call("auth.test"), "token_revoked");
  });

  it("names the scope that is missing and those that are there", async () => {
    const narrow = await openRoom({ manifest: widerManifest("socket", { scopes: [], events: [] }) });
    const answer = await narrow.call("reactions.add", { channel: "C0INCIDENTS", timestamp: "1.1", name: "eyes" });
    expectError(answer, "missing_scope");
    expect(answer).toMatchObject({ needed: "reactions:write" });
    expect(String(answer["provided"])).toContain("chat:write");
    await narrow.room.stop();
  });

  it("reads forms, JSON and multipart, and says what is wrong with each", async () => {
    expectError(
      await post("chat.postMessage", { headers: { ...bearer(), "content-type": "application/json" }, body: "{" }),
      "invalid_json",
    );
    expectError(
      await post("chat.postMessage", { headers: { ...bearer(), "content-type": "application/json" }, body: "[]" }),
      "json_not_object",
    );
    expectError(
      await post("chat.postMessage", { headers: { ...bearer(), "content-type": "text/csv" }, body: "a" }),
      "invalid_post_type",
    );
    expectError(
      await post("chat.postMessage", {
        headers: { ...bearer(), "content-type": "multipart/form-data; boundary=x" },
        body: "a",
      }),
      "invalid_form_data",
    );
    expectError(await post("chat.postMessage", { headers: bearer(), body: Buffer.from("a") }), "missing_post_type");
    const form = new FormData();
    form.set("channel", "C0INCIDENTS");
    form.set("text", "multipart");
    expect(await post("chat.postMessage", { headers: bearer(), body: form })).toMatchObject({ ok: true });
    const json = JSON.stringify({ channel: "C0INCIDENTS", text: "json" });
    expect(
      await post("chat.postMessage", { headers: { ...bearer(), "content-type": "application/json" }, body: json }),
    ).toMatchObject({ ok: true, warning: "missing_charset" });
  });

  it("takes JSON arguments as absent where the reference knows forms only", async () => {
    const body = JSON.stringify({ user: "U0ANA" });
    const answer = await post("users.info", {
      headers: { ...bearer(), "content-type": "application/json; charset=utf-8" },
      body,
    });
    expectError(answer, "invalid_arguments");
    expect(answer).toMatchObject({ response_metadata: { messages: ["[ERROR] missing required field: user"] } });
  });

  it("answers GET only where the reference does", async () => {
    const get = (path: string) =>
      fetch(test.room.apiUrl + path, { headers: bearer() }).then((response) => response.json());
    expect(await get("users.info?user=U0ANA")).toMatchObject({ ok: true, user: { id: "U0ANA", tz: "Europe/Lisbon" } });
    expectError(await get("chat.postMessage?channel=C0INCIDENTS&text=x"), "insecure_request");
  });

  it("refuses a Home tab that the manifest does not have, and a socket in HTTP mode", async () => {
    const bare = await openRoom({ transport: "http", manifest: widerManifest("http", { homeTab: false }) });
    expectError(await bare.call("views.publish", { user_id: "U0ANA", view: home }), "not_enabled");
    expectError(await bare.call("apps.connections.open", {}, bare.room.appToken), "not_allowed");
    await bare.room.stop();
  });

  it("throttles one method with Retry-After and leaves the others alone", async () => {
    test.room.setRateMode("floor");
    const send = () =>
      fetch(`${test.room.apiUrl}chat.postMessage`, {
        method: "POST",
        headers: bearer(),
        body: new URLSearchParams({ channel: "C0INCIDENTS", text: "x" }),
      });
    expect((await send()).status).toBe(200);
    const second = await send();
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "1"]);
    expectError(await second.json(), "ratelimited");
    expect(await test.call("auth.test")).toMatchObject({ ok: true });
    await test.room.advance(1_000);
    expect((await send()).status).toBe(200);
  });

  it("fills a stack of three modals and refuses the fourth", async () => {
    const opened = await test.call("views.open", {
      trigger_id: await triggerOf(test),
      view: modal({ blocks: [button()] }),
    });
    let view = opened["view"] as JsonObject;
    for (const expected of [undefined, undefined, "push_limit_reached"]) {
      await test.room.people.act("U0ANA", { viewId: String(view["id"]), blockId: "b", actionId: "a" });
      const id = String(lastPayload(test, "interactive")["trigger_id"]);
      const pushed = await test.call("views.push", { trigger_id: id, view: modal({ blocks: [button()] }) });
      expect(pushed["error"]).toBe(expected);
      view = (pushed["view"] as JsonObject | undefined) ?? view;
    }
    reached.add("push_limit_reached");
    expect(view).toMatchObject({ root_view_id: (opened["view"] as JsonObject)["id"] });
  });

  const button = (): JsonObject => ({
    type: "actions",
    block_id: "b",
    elements: [{ type: "button", action_id: "a", text: { type: "plain_text", text: "more" } }],
  });
});

afterAll(() => {
  const folder = new URL("../../src/local-room/", import.meta.url);
  const sources = ["api", "interact"].flatMap((name) =>
    readdirSync(new URL(name, folder)).map((file) => readFileSync(new URL(`${name}/${file}`, folder), "utf8")),
  );
  const written = sources.flatMap((source) =>
    [...source.matchAll(/\bfail\(\s*"([a-z_]+)"/g)].map((match) => match[1] ?? ""),
  );
  const missing = [...new Set(written)].filter((code) => !reached.has(code));
  expect(missing, "error codes in the source that no case reaches").toEqual([]);
});

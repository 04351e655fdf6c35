import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Attack } from "../../src/local-room/transport/attacks.ts";
import { type OpenEdge, openEdge, until } from "./open-edge.ts";

let open: OpenEdge;
beforeEach(async () => {
  open = await openEdge({ transport: "http" });
});
afterEach(() => open.close());

/** A request as Slack signs it; `atMs` is what its timestamp says. */
async function signed(body: string, options: { atMs?: number; type?: string } = {}) {
  const seconds = Math.floor((options.atMs ?? open.clock.nowMs()) / 1_000);
  const signature = createHmac("sha256", open.slack.signingSecret).update(`v0:${seconds}:${body}`).digest("hex");
  return await fetch(`http://127.0.0.1:${open.port}/slack/events`, {
    method: "POST",
    headers: {
      "content-type": options.type ?? "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": String(seconds),
      "x-slack-signature": `v0=${signature}`,
    },
    body,
  });
}

const command = new URLSearchParams({
  command: "/why-500",
  text: "web",
  user_id: "U0ANA",
  channel_id: "C0INCIDENTS",
  team_id: "T0LOCAL",
  trigger_id: "1.2.abc",
}).toString();

describe("the HTTP receiver", () => {
  it.each([
    ["wrong-secret", 401],
    ["stale", 401],
    ["future", 401],
    ["replayed", 401],
    ["changed-body", 401],
    ["missing-headers", 401],
    ["wrong-content-type", 415],
    ["huge-body", 413],
    ["unknown-path", 404],
  ] as [Attack, number][])("turns down %s with %i", async (kind, status) => {
    expect(await open.slack.attack(kind)).toBe(status);
    expect(await open.slack.verifyUrl()).toBe(true);
    expect(await open.slack.sslCheck()).toBe(200);
  });

  it("takes timestamps up to five minutes off, either way, and none beyond", async () => {
    const nowMs = open.clock.nowMs();
    const check = (atMs: number) =>
      signed(JSON.stringify({ type: "url_verification", challenge: "c" }), { atMs, type: "application/json" });
    expect((await check(nowMs - 300_000)).status).toBe(200);
    expect((await check(nowMs + 300_000)).status).toBe(200);
    expect((await check(nowMs - 302_000)).status).toBe(401);
    expect((await check(nowMs + 302_000)).status).toBe(401);
  });

  it("does nothing a second time for a request that is played back within its five minutes", async () => {
    expect((await signed(command)).status).toBe(200);
    expect((await signed(command)).status).toBe(200);
    await until(open.clock, () => open.fake.asks.length > 0);
    await open.clock.advance(1_000);
    expect(open.fake.asks).toHaveLength(1);
  });

  it("takes two commands for two, although a careless sender gives both the same trigger", async () => {
    const other = new URLSearchParams(command);
    other.set("text", "api");
    expect((await signed(command)).status).toBe(200);
    expect((await signed(other.toString())).status).toBe(200);
    await until(open.clock, () => open.fake.asks.length === 2);
    expect(open.fake.asks.map((ask) => ask.service).sort()).toEqual(["api", "web"]);
  });

  it("works on a submitted form that carries no trigger, as in Slack's own sample", async () => {
    const payload = {
      type: "view_submission",
      team: { id: "T0LOCAL", domain: "local" },
      user: { id: "U0BEN", name: "ben" },
      view: {
        id: "V1",
        type: "modal",
        callback_id: "plan_reason",
        private_metadata: `C0INCIDENTS||i-0001:${"a".repeat(64)}:1`,
        state: { values: { reason: { value: { type: "plain_text_input", value: "traffic is back" } } } },
        hash: "156663117.cd33ad1f",
      },
      response_urls: [],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    expect((await signed(body)).status).toBe(200);
    await until(open.clock, () => open.fake.decisions.length === 1);
    expect(open.fake.decisions[0]?.decision).toEqual({ verb: "approve", reason: "traffic is back" });
  });

  it("answers a signed body that is no JSON, another method and a path of others plainly", async () => {
    expect((await signed("{broken", { type: "application/json" })).status).toBe(415);
    expect((await signed("[1]", { type: "application/json" })).status).toBe(415);
    expect((await fetch(`http://127.0.0.1:${open.port}/slack/events`)).status).toBe(405);
    expect((await fetch(`http://127.0.0.1:${open.port}/healthz`)).status).toBe(404);
  });

  it("asks Slack to come again while it is stopping", async () => {
    await open.stopEdge();
    expect((await signed(command)).status).toBe(503);
    expect(open.fake.asks).toEqual([]);
  });
});

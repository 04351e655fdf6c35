import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRoom, type TestRoom } from "./open-room.ts";

/** A listener that answers as told and keeps what it got. */
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;
let got: { headers: IncomingMessage["headers"]; body: string }[];
let server: Server;
let test: TestRoom;

const verified = (body: string, response: ServerResponse) => {
  const parsed = body.startsWith("{") ? JSON.parse(body) : {};
  if (parsed.type !== "url_verification") return false;
  response.end(parsed.challenge);
  return true;
};

beforeEach(async () => {
  got = [];
  answer = (_request, _body, response) => response.end();
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      if (verified(body, response)) return;
      got.push({ headers: request.headers, body });
      answer(request, body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  test = await openRoom({ transport: "http", appOrigin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterEach(async () => {
  await test.room.stop();
  server.closeAllConnections();
  server.close();
});

const deliveries = (count: number) =>
  test.room.waitForEntry(
    () =>
      test.room
        .journal()
        .filter((entry) => entry.kind === "http-event" && !JSON.stringify(entry.detail).includes("url_verification"))
        .length >= count,
  );

describe("HTTP mode", () => {
  it("signs the raw body of events, commands and interactions", async () => {
    test.room.people.openHome("U0ANA", {});
    await deliveries(1);
    await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web & db" });
    await test.room.people.shortcut("U0ANA", { callbackId: "open_form" });
    expect(got.map((one) => one.headers["content-type"])).toEqual([
      "application/json",
      "application/x-www-form-urlencoded",
      "application/x-www-form-urlencoded",
    ]);
    for (const { headers, body } of got) {
      const base = `v0:${headers["x-slack-request-timestamp"]}:${body}`;
      expect(headers["x-slack-signature"]).toBe(
        `v0=${createHmac("sha256", test.room.signingSecret).update(base).digest("hex")}`,
      );
    }
    expect(new URLSearchParams(got[1]?.body).get("text")).toBe("web & db");
    expect(JSON.parse(new URLSearchParams(got[2]?.body).get("payload") ?? "")).toMatchObject({
      type: "shortcut",
      callback_id: "open_form",
    });
  });

  it("tries a failed event again at once, after a minute and after five, and says why", async () => {
    answer = (_request, _body, response) => response.writeHead(500).end();
    test.room.people.openHome("U0ANA", {});
    await deliveries(1);
    await test.room.advance(0);
    await deliveries(2);
    await test.room.advance(60_000);
    await deliveries(3);
    await test.room.advance(300_000);
    await deliveries(4);
    await test.room.advance(3_600_000);
    expect(got.map(({ headers }) => [headers["x-slack-retry-num"], headers["x-slack-retry-reason"]])).toEqual([
      [undefined, undefined],
      ["1", "http_error"],
      ["2", "http_error"],
      ["3", "http_error"],
    ]);
    expect(new Set(got.map(({ body }) => JSON.parse(body).event_id)).size).toBe(1);
  });

  it("stops at X-Slack-No-Retry, and follows two redirects but not three", async () => {
    answer = (_request, _body, response) => response.writeHead(500, { "x-slack-no-retry": "1" }).end();
    test.room.people.openHome("U0ANA", {});
    await deliveries(1);
    await test.room.advance(3_600_000);
    expect(got).toHaveLength(1);
    let left = 2;
    answer = (_request, _body, response) =>
      left-- > 0 ? response.writeHead(302, { location: "/slack/events" }).end() : response.end();
    expect(await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web" })).toMatchObject({
      ok: true,
    });
    left = 3;
    expect(await test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web" })).toMatchObject({
      error: "dispatch_failed",
    });
  });

  it("gives a command three seconds", async () => {
    const arrived = new Promise<void>((resolve) => {
      answer = () => resolve();
    });
    const asked = test.room.people.command("U0ANA", { channel: "C0INCIDENTS", text: "/why web" });
    await arrived;
    await test.room.advance(2_999);
    await test.room.advance(1);
    expect(await asked).toMatchObject({ error: "operation_timeout" });
  });

  it("switches events off when more than 95 % of an hour's deliveries fail", async () => {
    answer = (_request, _body, response) => response.writeHead(500, { "x-slack-no-retry": "1" }).end();
    for (let index = 1; index <= 20; index++) {
      test.room.people.openHome("U0ANA", {});
      await deliveries(index);
    }
    await test.room.waitForEntry((entry) => entry.name === "events-disabled");
    test.room.people.openHome("U0ANA", {});
    await test.room.waitForEntry((entry) => entry.name === "not-sent" && entry.error === "disabled");
    expect(got).toHaveLength(20);
  });

  it("sends no events to an address that did not echo the challenge", async () => {
    server.removeAllListeners("request");
    server.on("request", (_request, response) => response.end("hello"));
    test.room.people.openHome("U0ANA", {});
    await test.room.waitForEntry((entry) => entry.name === "not-sent");
    expect(test.room.ledgers().flags.map((flag) => flag.code)).toEqual(["url-not-verified"]);
  });
});

import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { JsonObject, RoomState } from "../../src/local-room/protocol.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { createLocalRoom } from "../../src/local-room/server.ts";
import { connectApp, manifestText, openRoom, type TestRoom } from "./open-room.ts";

let test: TestRoom;
afterEach(() => test.room.stop());

const state = async (query = "", headers: Record<string, string> = {}) => {
  const response = await fetch(`${test.room.url}/_twin/state${query}`, { headers });
  return (await response.json()) as RoomState;
};
/** node:http, because fetch does not let a test forge Host. */
const raw = (path: string, headers: Record<string, string>, method = "GET", body = "") =>
  new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
    const sent = request(`${test.room.url}${path}`, { method, headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    });
    sent.on("error", reject);
    sent.end(body);
  });

describe("the state", () => {
  it("shows a person their channels, threads, private messages and nobody else's", async () => {
    test = await openRoom();
    const parent = await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "*root* cause" });
    await test.call("chat.postMessage", { channel: "C0INCIDENTS", text: "reply", thread_ts: String(parent["ts"]) });
    await test.call("chat.postEphemeral", { channel: "C0INCIDENTS", user: "U0ANA", text: "only you" });
    const ana = await state("?actor=U0ANA");
    expect(ana.channels.map((channel) => channel.id)).toEqual([
      "C0GENERAL",
      "C0INCIDENTS",
      "C0ONCALL",
      "C0OLD",
      "D0ANA",
    ]);
    const [root, private_] = ana.messages["C0INCIDENTS"] ?? [];
    expect(root).toMatchObject({
      replyCount: 1,
      replies: [{ raw: { text: "reply" } }],
      ephemeral: false,
      threadTs: parent["ts"],
    });
    expect(JSON.stringify(root?.rendered)).toContain('"tag":"b"');
    expect(private_).toMatchObject({ ephemeral: true });
    const chi = await state("?actor=U0CHI");
    expect(chi.messages["C0INCIDENTS"]).toHaveLength(1);
    expect(chi.channels.map((channel) => channel.id)).toContain("C0SECRET");
    expect(ana.commands.map((one) => one.command)).toEqual([
      "/why-500",
      "/why",
      "/hosts",
      "/guardrails",
      "/timeline",
      "/room137",
    ]);
    expect((await state("?actor=U0ANA&reload=1")).messages["C0INCIDENTS"]).toHaveLength(1);
  });

  it("streams one line per change that the person may see", async () => {
    test = await openRoom();
    const stream = await fetch(`${test.room.url}/_twin/stream?actor=U0BEN`);
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    test.room.people.say("U0CHI", { channel: "C0SECRET", text: "hidden" });
    test.room.people.say("U0ANA", { channel: "C0INCIDENTS", text: "seen" });
    let seen = "";
    while (!seen.includes('"message"')) seen += (await reader?.read())?.value ?? "";
    expect(seen).toContain("C0INCIDENTS");
    expect(seen).not.toContain("C0SECRET");
    await reader?.cancel();
  });
});

describe("the control API", () => {
  it("plays a whole exchange: write, command, reaction, home, clock, faults", async () => {
    test = await openRoom();
    await connectApp(test);
    const said = await test.control("message", { actor: "U0ANA", channel: "C0INCIDENTS", text: "db is down 🔥 & <b>" });
    expect(said).toMatchObject({ ok: true });
    const [message] = (await state("?actor=U0BEN")).messages["C0INCIDENTS"] ?? [];
    expect(message?.raw["text"]).toBe("db is down :fire: &amp; &lt;b&gt;");
    expect(await test.control("command", { actor: "U0ANA", channel: "C0INCIDENTS", text: "/why db" })).toEqual({
      ok: true,
      ackMs: 0,
    });
    expect(
      await test.control("reaction", { actor: "U0BEN", channel: "C0INCIDENTS", ts: said["ts"] ?? "", name: "eyes" }),
    ).toEqual({ ok: true });
    expect(await test.control("home-open", { actor: "U0BEN" })).toEqual({ ok: true });
    const before = (await state()).nowMs;
    await test.control("clock", { advanceMs: 60_000 });
    expect((await state()).nowMs).toBe(before + 60_000);
    expect(await test.control("faults", { kind: "http-error", method: "auth.test", times: 1, status: 502 })).toEqual({
      ok: true,
    });
    expect((await fetch(`${test.room.apiUrl}auth.test`, { method: "POST" })).status).toBe(502);
    const faults = await fetch(`${test.room.url}/_twin/faults`).then((response) => response.json());
    expect(faults).toMatchObject({ active: [], switches: { lingerAfterClose: true } });
  });

  it.each([
    ["message", { channel: "C0INCIDENTS" }, "invalid_request"],
    ["message", { channel: "C0INCIDENTS", text: "x", html: "<b>" }, "invalid_request"],
    ["message", { actor: "U0DEPLOY", channel: "C0INCIDENTS", text: "x" }, "actor_unknown"],
    ["message", { actor: "U0ANA", channel: "C0INCIDENTS", text: " " }, "no_text"],
    ["message", { actor: "U0ANA", channel: "C0INCIDENTS", text: "x", threadTs: "1.1" }, "thread_not_found"],
    ["faults", { kind: "earthquake" }, "unknown_fault"],
    ["faults", { kind: "outage", on: "yes" }, "unknown_fault"],
    ["join", { actor: "U0ANA", channel: "C0SECRET" }, "channel_not_found"],
    ["leave", { actor: "U0GUEST", channel: "C0INCIDENTS" }, "not_in_channel"],
    ["reaction", { actor: "U0ANA", channel: "C0INCIDENTS", ts: "1.1", name: "x" }, "message_not_found"],
    ["shortcut", { actor: "U0ANA", callbackId: "nope" }, "unknown_shortcut"],
    ["action", { actor: "U0ANA", viewId: "V1", blockId: "b", actionId: "a" }, "view_not_found"],
    ["view-close", { actor: "U0ANA", viewId: "V1" }, "view_not_found"],
    ["dance", {}, "not_found"],
  ] as [string, JsonObject, string][])("answers %s %j with %s and a sentence", async (name, body, error) => {
    test = await openRoom();
    expect(await test.control(name, body)).toMatchObject({ ok: false, error, message: expect.stringMatching(/\.$/) });
  });

  it("turns away other sites: foreign origin, foreign host, form posts", async () => {
    test = await openRoom();
    expect((await raw("/_twin/state", { host: "evil.example" })).status).toBe(403);
    expect((await raw("/_twin/state", { origin: "https://evil.example" })).status).toBe(403);
    expect((await raw("/_twin/message", { "content-type": "text/plain" }, "POST", "{}")).status).toBe(415);
    expect((await raw("/_twin/message", { "content-type": "application/json" }, "POST", "{")).status).toBe(400);
    expect((await raw("/_twin/message", { "content-type": "application/json" }, "PUT", "{}")).status).toBe(405);
  });
});

describe("the page", () => {
  it("comes with a strict policy, and nothing outside its folder is served", async () => {
    test = await openRoom();
    const page = await fetch(`${test.room.url}/`);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    for (const path of [
      "/page/../seed.ts",
      "/page/%2e%2e%2fseed.ts",
      "/page/..%2f..%2f..%2fpackage.json",
      "/page/none.js",
      "/page/%zz.js",
      "/page/%00.js",
    ]) {
      expect((await raw(path, {})).status, path).toBe(404);
    }
    expect((await raw("/elsewhere", {})).status).toBe(404);
  });

  it("shows a shared file to those in the channel; a script is only ever a download", async () => {
    test = await openRoom({ accessTokens: { "token-ana": "U0ANA", "token-guest": "U0GUEST" } });
    const ticket = await test.call("files.getUploadURLExternal", { filename: "report.svg", length: "5" });
    expect((await fetch(String(ticket["upload_url"]), { method: "POST", body: "1234" })).status).toBe(400);
    await fetch(String(ticket["upload_url"]), { method: "POST", body: "<svg>" });
    expect((await fetch(String(ticket["upload_url"]), { method: "POST", body: "<svg>" })).status).toBe(404);
    await test.call("files.completeUploadExternal", {
      files: [{ id: ticket["file_id"] ?? "" }],
      channel_id: "C0ONCALL",
    });
    expect(test.room.world.messages.get("C0ONCALL")).toEqual([]);
    await test.room.advance(400);
    expect(test.room.world.messages.get("C0ONCALL")).toHaveLength(1);
    const get = (token: string) =>
      fetch(`${test.room.url}/_twin/files/${ticket["file_id"]}`, { headers: { authorization: `Bearer ${token}` } });
    const seen = await get("token-ana");
    expect([await seen.text(), seen.headers.get("content-type"), seen.headers.get("content-disposition")]).toEqual([
      "<svg>",
      "application/octet-stream",
      "attachment; filename*=UTF-8''report.svg",
    ]);
    expect((await get("token-guest")).status).toBe(404);
    const link = ((await test.call("files.info", { file: ticket["file_id"] ?? "" }))["file"] as JsonObject)[
      "url_private"
    ];
    const bot = await fetch(String(link), { headers: { authorization: `Bearer ${test.room.botToken}` } });
    expect(await bot.text()).toBe("<svg>");
    expect((await fetch(String(link), { redirect: "manual" })).status).toBe(302);
  });
});

describe("a mounted room", () => {
  it("shares one server with the bot's own routes, web sockets included", async () => {
    test = await openRoom();
    const seed = defaultSeed(manifestText("socket"));
    const room = createLocalRoom({ seed, transport: "socket", random: 1 });
    const server = createServer((incoming, response) => {
      if (!room.handle(incoming, response)) response.end("the bot's own");
    });
    server.on("upgrade", (incoming, socket, head) => {
      if (!room.upgrade(incoming, socket, head)) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    room.setUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const text = (path: string) => fetch(room.url + path).then((response) => response.text());
    expect(await text("/healthz")).toBe("the bot's own");
    expect(await text("/_twin/buckets")).toContain("floor");
    const call: TestRoom["call"] = async (method, _args, token) =>
      (
        await fetch(room.apiUrl + method, { method: "POST", headers: { authorization: `Bearer ${token}` } })
      ).json() as Promise<JsonObject>;
    const app = await connectApp({ ...test, room, call });
    expect(app.frames[0]).toMatchObject({ type: "hello" });
    await room.stop();
    server.closeAllConnections();
    server.close();
  });
});

describe("break-glass access", () => {
  const tokens = { "token-ana": "U0ANA", "token-ben": "U0BEN" };

  it("refuses to exist on another host without tokens, or with a token for a stranger", async () => {
    test = await openRoom();
    const options = { seed: defaultSeed(manifestText("socket")), transport: "socket", host: "0.0.0.0" } as const;
    expect(() => createLocalRoom(options)).toThrow(/access tokens/);
    expect(() => createLocalRoom({ ...options, accessTokens: { t: "U0NOBODY" } })).toThrow(/U0NOBODY/);
  });

  it("lets nobody in without a token, and makes the actor the token's person", async () => {
    test = await openRoom({ host: "0.0.0.0", accessTokens: tokens });
    for (const path of ["/", "/page/main.js", "/_twin/state", "/_twin/journal", "/archives/C0INCIDENTS/p1"])
      expect((await raw(path, {})).status, path).toBe(401);
    expect((await raw("/_twin/state", { authorization: "Bearer wrong" })).status).toBe(401);
    expect((await raw("/_twin/state", { cookie: "room_access=%zz" })).status).toBe(401);
    const ana = { authorization: "Bearer token-ana" };
    expect(await state("", ana)).toMatchObject({ me: "U0ANA", actorLocked: true });
    expect((await raw("/_twin/state?actor=U0BEN", ana)).status).toBe(403);
    const send = (actor?: string) =>
      fetch(`${test.room.url}/_twin/message`, {
        method: "POST",
        headers: { ...ana, "content-type": "application/json" },
        body: JSON.stringify({ channel: "C0INCIDENTS", text: "x", ...(actor ? { actor } : {}) }),
      });
    for (const name of ["journal", "ledgers", "buckets", "faults"])
      expect((await raw(`/_twin/${name}`, ana)).status, name).toBe(403);
    const fault = JSON.stringify({ kind: "outage", on: true });
    expect((await raw("/_twin/faults", { ...ana, "content-type": "application/json" }, "POST", fault)).status).toBe(
      403,
    );
    expect((await send("U0BEN")).status).toBe(403);
    expect((await send()).status).toBe(200);
    expect(test.room.world.messages.get("C0INCIDENTS")?.map((message) => message.user)).toEqual(["U0ANA"]);
  });

  it("takes the token out of the address and keeps it in a cookie that scripts and other sites cannot use", async () => {
    test = await openRoom({ accessTokens: tokens });
    const first = await raw("/?access=token-ben", {});
    expect([first.status, first.headers["location"]]).toEqual([303, "/"]);
    const cookie = String(first.headers["set-cookie"]);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await state("", { cookie: cookie.split(";")[0] ?? "" })).toMatchObject({ me: "U0BEN", actorLocked: true });
  });
});

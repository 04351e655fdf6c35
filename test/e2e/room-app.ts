import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { WebClient } from "@slack/web-api";
import type { AccessTokens } from "../../src/local-room/control/access.ts";
import type { LocalRoom } from "../../src/local-room/local-room.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { startLocalRoom } from "../../src/local-room/server.ts";

/** What the room sent to the app: a command's fields, or the payload of an interaction. */
export type Payload = Record<string, unknown> & {
  type?: string;
  command?: string;
  text?: string;
  trigger_id?: string;
  user_id?: string;
  user?: { id: string };
  actions?: { action_id: string; value?: string }[];
  view?: { id: string; callback_id: string; state: { values: Record<string, Record<string, { value?: string }>> } };
};

export interface RoomWithApp {
  room: LocalRoom;
  slack: WebClient;
  /** Decides the body of the ack; null is an empty one. */
  onPayload(answer: (payload: Payload) => object | null | Promise<object | null>): void;
  /** The first payload that matches, past or to come. */
  payload(matches: (payload: Payload) => boolean): Promise<Payload>;
  stop(): Promise<void>;
}

/** The real room with the real manifest, and in the bot's place an app of a few lines that the test speaks for. */
export async function startRoomWithApp(port = 0, accessTokens: AccessTokens = {}): Promise<RoomWithApp> {
  const received: Payload[] = [];
  const waiting = new Set<() => void>();
  let answer: (payload: Payload) => object | null | Promise<object | null> = () => null;
  const app = createServer(async (request, response) => {
    const payload = await payloadOf(request);
    if (payload.type === "url_verification") return void response.end(String(payload["challenge"]));
    received.push(payload);
    const body = await answer(payload);
    response.setHeader("content-type", "application/json");
    response.end(body === null ? "" : JSON.stringify(body));
    for (const look of waiting) look();
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  const manifest = await readFile(new URL("../../manifests/slack-app.http.yaml", import.meta.url), "utf8");
  const room = await startLocalRoom({
    seed: defaultSeed(manifest),
    port,
    transport: "http",
    appOrigin: `http://127.0.0.1:${(app.address() as AddressInfo).port}`,
    rateMode: "off",
    accessTokens,
    random: 137,
  });
  return {
    room,
    slack: new WebClient(room.botToken, { slackApiUrl: room.apiUrl }),
    onPayload(next) {
      answer = next;
    },
    payload: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const found = received.find(matches);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    async stop() {
      await room.stop();
      app.closeAllConnections();
      app.close();
    },
  };
}

async function payloadOf(request: IncomingMessage): Promise<Payload> {
  let text = "";
  for await (const chunk of request) text += chunk;
  if ((request.headers["content-type"] ?? "").startsWith("application/json")) return JSON.parse(text);
  const form = Object.fromEntries(new URLSearchParams(text));
  return form["payload"] === undefined ? form : JSON.parse(form["payload"]);
}

const plain = (text: string) => ({ type: "plain_text" as const, text });
const mrkdwn = (text: string) => ({ type: "mrkdwn" as const, text, verbatim: true });
export const section = (text: string) => ({ type: "section" as const, text: mrkdwn(text) });
export const preformatted = (text: string) => ({
  type: "rich_text" as const,
  elements: [{ type: "rich_text_preformatted" as const, elements: [{ type: "text" as const, text }] }],
});

/** The card an incident shows while its plan waits for approval. */
export const planCard = () => [
  { type: "header" as const, text: plain("web answers 500: db was killed at its memory limit") },
  section("*Root cause, confirmed.* The kernel killed `postgres` in `db` on *prod-1*, at its own limit of 512 MiB."),
  preformatted(
    "[ 8123.447120] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/system.slice/docker-4f1c9a27b3e0.scope,task=postgres,pid=14821,uid=999\n[ 8123.447871] Memory cgroup out of memory: Killed process 14821 (postgres) total-vm:1048576kB, anon-rss:614400kB",
  ),
  section("*Plan*, 2 steps on prod-1\n1. raise the memory limit of `db` from 512 MiB to 1 GiB\n2. start `db`"),
  {
    type: "actions" as const,
    block_id: "plan-1",
    elements: [
      {
        type: "button" as const,
        action_id: "approve",
        text: plain("Approve"),
        style: "primary" as const,
        value: "plan-1",
        confirm: {
          title: plain("Run this plan?"),
          text: mrkdwn("*prod-1*, `db`: raise the memory limit to *1 GiB*, then start it."),
          confirm: plain("Approve"),
          deny: plain("Not yet"),
        },
      },
      {
        type: "button" as const,
        action_id: "reject",
        text: plain("Reject"),
        style: "danger" as const,
        value: "plan-1",
      },
      { type: "button" as const, action_id: "change", text: plain("Change…"), value: "plan-1" },
      { type: "button" as const, action_id: "commands", text: plain("Show commands"), value: "plan-1" },
    ],
  },
];

/** The form behind `Change…`. */
export const changeModal = () => ({
  type: "modal" as const,
  callback_id: "change",
  title: plain("Change the memory"),
  submit: plain("Save the change"),
  close: plain("Cancel"),
  blocks: [
    section("Container `db` on *prod-1*. Floor 614 MiB, ceiling 8192 MiB."),
    {
      type: "input" as const,
      block_id: "memory",
      label: plain("New memory limit, MiB"),
      element: {
        type: "number_input" as const,
        action_id: "mib",
        is_decimal_allowed: false,
        min_value: "614",
        max_value: "8192",
      },
    },
    {
      type: "input" as const,
      block_id: "reason",
      label: plain("Reason"),
      element: { type: "plain_text_input" as const, action_id: "text", multiline: true, min_length: 5 },
    },
  ],
});

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalRoom } from "../../src/local-room/local-room.ts";
import type { Fault, JournalEntry } from "../../src/local-room/protocol.ts";
import { defaultSeed } from "../../src/local-room/seed.ts";
import { startLocalRoom } from "../../src/local-room/server.ts";
import { asker } from "../lab/incident-room.ts";
import { figure, table, told } from "./figures.ts";

/**
 * What Slack's bad days cost: room137 as a process of its own, the local room as its Slack. How long no connection is
 * open when Slack renews them or they are cut, and what 10,000 messages leave behind in the process's memory.
 */
const project = join(import.meta.dirname, "../..");
const channel = "C0INCIDENTS";
const messages = 10_000;
const together = 50;

export async function slackFigures(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "room137-bench-"));
  const manifest = readFileSync(join(project, "manifests/slack-app.socket.yaml"), "utf8");
  const slack = await startLocalRoom({ seed: defaultSeed(manifest), transport: "socket", rateMode: "off", port: 0 });
  const bot = startBot(folder, slack);
  try {
    await untilConnected(slack, 2);
    const renewed = await gaps(slack, { kind: "disconnect", reason: "refresh_requested", connection: "all" });
    const cut = await gaps(slack, { kind: "drop-connections", connection: "all" });
    const rows = [
      figure("no connection while Slack renews both", told("renewed", renewed), null, null),
      figure("no connection after both were cut", told("cut", cut), null, null),
    ];
    console.log(`\n${table(rows)}\n`);
    await memory(slack, bot.pid as number);
  } finally {
    bot.kill("SIGTERM");
    await slack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function startBot(folder: string, slack: LocalRoom): ChildProcess {
  const config = join(folder, "room137.yaml");
  writeFileSync(config, "hosts:\n  - name: here\n    local: true\n    dockerSocket: /nowhere/docker.sock\n");
  return spawn(process.execPath, [join(project, "bin/room137.js"), "start"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env["PATH"],
      ROOM137_CONFIG: config,
      ROOM137_DATABASE_URL: `file:${join(folder, "room137.db")}`,
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.appToken,
      SLACK_API_URL: slack.apiUrl,
      PORT: "0",
      LOG_LEVEL: "fatal",
    },
  });
}

/** Milliseconds without any open connection, per run. */
async function gaps(slack: LocalRoom, fault: Fault, runs = 15): Promise<number[]> {
  const gapsMs: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const before = connections(slack);
    const openBefore = openAfter(before);
    slack.inject(fault);
    const renewed = before.filter(({ name }) => name === "open").length + openBefore;
    while (connections(slack).filter(({ name }) => name === "open").length < renewed) await sleep(5);
    await untilConnected(slack, 2);
    gapsMs.push(closedMs(connections(slack), before.length));
  }
  return gapsMs;
}

const connections = (slack: LocalRoom): JournalEntry[] =>
  slack.journal().filter(({ kind, name }) => kind === "connection" && (name === "open" || name === "closed"));

const openAfter = (entries: JournalEntry[]): number =>
  entries.reduce((open, { name }) => open + (name === "open" ? 1 : -1), 0);

/** How long the count of open connections stood at none, from the entry numbered `from` on. */
function closedMs(entries: JournalEntry[], from: number): number {
  let sumMs = 0;
  for (let at = from; at < entries.length - 1; at += 1) {
    const until = entries[at + 1]?.atMs ?? Number.NaN;
    if (openAfter(entries.slice(0, at + 1)) === 0) sumMs += until - (entries[at]?.atMs ?? Number.NaN);
  }
  return sumMs;
}

async function untilConnected(slack: LocalRoom, wanted: number): Promise<void> {
  for (let tries = 0; tries < 6_000; tries += 1) {
    if (openAfter(connections(slack)) === wanted) return;
    await sleep(5);
  }
  throw new Error(`${openAfter(connections(slack))} connections are open, not ${wanted}`);
}

/** Mentions that room137 takes in, records and answers; read from the kernel's account of the process. */
async function memory(slack: LocalRoom, pid: number): Promise<void> {
  const shown: string[][] = [
    ["messages", "resident"],
    ["---", "---"],
  ];
  const look = (after: number) => shown.push([String(after), `${residentMib(pid)} MiB`]);
  await exchange(slack, 200);
  look(200);
  for (const upTo of [1_000, 5_000, messages]) {
    await exchange(slack, upTo);
    look(upTo);
  }
  console.log(shown.map((row) => `| ${row.join(" | ")} |`).join("\n"));
}

let said = 0;
async function exchange(slack: LocalRoom, upTo: number): Promise<void> {
  while (said < upTo) {
    const burst = Math.min(together, upTo - said);
    const before = slack.journal().at(-1)?.seq ?? 0;
    for (let n = 0; n < burst; n += 1)
      slack.people.say(asker, { channel, text: `@room137 can-i look web-${said + n}` });
    said += burst;
    while (acksSince(slack, before) < burst) await sleep(5);
  }
}

/** An ack comes when the message is recorded. */
const acksSince = (slack: LocalRoom, seq: number): number =>
  slack.journal().filter((entry) => entry.seq > seq && entry.kind === "ack" && entry.ok).length;

function residentMib(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TimelineEntry } from "../../src/core/incident.ts";
import { replay } from "../../src/core/replay.ts";
import { systemClock } from "../../src/program.ts";
import { type FakeHost, fakeHost } from "../fakes/fake-host.ts";
import { type Link, openLink } from "./broken-links.ts";
import { eventually } from "./processes.ts";
import {
  approvers,
  asker,
  buttonIn,
  channel,
  expectedThread,
  openSlack,
  shownThread,
  startOnFakeHost,
} from "./room-service.ts";

/** How each link breaks, and for how long. A stall outlasts the deadline of a call, so that its answer is lost. */
const faults = {
  reset: { outageMs: 0, strike: (link: Link) => link.reset() },
  cut: { outageMs: 2_000, strike: (link: Link) => link.cut() },
  stall: { outageMs: 9_000, strike: (link: Link) => link.stall() },
  delay: { outageMs: 4_000, strike: (link: Link) => link.delay(700) },
} as const;
type Fault = keyof typeof faults;

/**
 * What the bot and Slack have to say to each other in one incident: the messages it posts, the click, the steps that
 * run meanwhile. `during` a post: Slack has it and the answer has not left. `after` a click: the ack is lost.
 */
const posts = [1, 2, 3, 4, 5, 6, 7].flatMap((nth) => [`before post ${nth}`, `during post ${nth}`, `after post ${nth}`]);
const moments = [...posts, "at the click", "before step 1", "after step 1", "before step 2", "after step 2"];

describe("broken links to Slack", () => {
  // Each case waits most of the time; more than these at once would starve each other.
  describe.each([
    ["reset", "delay"],
    ["cut", "stall"],
  ] as const)("that %s or %s", (...both) => {
    it.concurrent.each(both)(
      "here %s at any message, click or step, leave one effect each and a thread that is whole, in order, without doubles",
      async (fault) => {
        const startedMs = Date.now();
        const table = await Promise.all(moments.map((moment) => playUntilBroken(fault, moment)));
        console.log([`${fault} of the link to Slack (${Date.now() - startedMs} ms):`, ...table].join("\n"));
      },
      300_000,
    );
  });
});

/** On a busy machine an answer can be too late by itself, and the moment never comes: then it is played again. */
async function playUntilBroken(fault: Fault, moment: string): Promise<string> {
  for (let plays = 1; plays <= 3; plays += 1) {
    const messages = await playThrough(fault, moment);
    if (messages !== null) return `  ${moment.padEnd(16)} 2 effects, ${messages} messages`;
  }
  throw new Error(`${fault} ${moment}: the link was never broken`);
}

/** How many messages the thread has; null when the moment did not come. Whatever happened, the thread must be true. */
async function playThrough(fault: Fault, moment: string): Promise<number | null> {
  const name = `${fault} ${moment}`;
  const { room, host, service, broke, close } = await open(fault, moment);
  const incidentId = await ask(room, service.room);
  const entriesNow = () => service.room.entries(incidentId);
  await clickUntilDecided(room, entriesNow, () => broke.at("at the click"));
  const whole = async () => {
    const entries = await entriesNow();
    const thread = JSON.stringify(expectedThread(entries));
    return replay(entries)?.state === "recovered" && JSON.stringify(shownThread(room, incidentId)) === thread;
  };
  const wholeInTime = await eventually(whole, 90_000);
  const entries = await entriesNow();
  await service.stop();
  // Once more after everything that was queued has gone out: nothing came twice.
  const thread = expectedThread(entries);
  expect({ name, wholeInTime, thread: shownThread(room, incidentId) }).toEqual({ name, wholeInTime: true, thread });
  expect({ name, ...effectsOf(host, entries) }).toEqual({
    name,
    effects: ["update-memory", "start"],
    decided: 1,
    done: 2,
    verified: 1,
  });
  await close();
  return broke.happened() ? thread.length : null;
}

async function open(fault: Fault, moment: string) {
  const slack = await openSlack();
  const { room } = slack;
  const host = fakeHost(systemClock);
  let nth = 0;
  const counted = (at: string) => (request: string) => {
    if (!request.endsWith("/chat.postMessage")) return;
    if (at === "before") nth += 1;
    broke.at(`${at} post ${nth}`);
  };
  const watch = { asked: counted("before"), answering: counted("during"), answered: counted("after") };
  const link = await openLink({ host: "127.0.0.1", port: slack.port }, watch);
  const broke = breaker(link, fault, moment);
  room.setUrl(`http://127.0.0.1:${link.port}`);
  const service = await startOnFakeHost({
    room,
    apiUrl: room.apiUrl,
    databaseUrl: "file::memory:",
    name: "alone",
    host,
    async aroundStep(step, perform) {
      broke.at(`before step ${step + 1}`);
      const done = await perform();
      broke.at(`after step ${step + 1}`);
      return done;
    },
  });
  const close = async () => {
    await link.close();
    await slack.close();
  };
  return { room, host, service, broke, close };
}

/** Breaks the link once, at its moment, and mends it after the outage. */
function breaker(link: Link, fault: Fault, moment: string) {
  const { outageMs, strike } = faults[fault];
  let happened = false;
  return {
    at(now: string) {
      if (happened || now !== moment) return;
      happened = true;
      strike(link);
      setTimeout(() => link.mend(), outageMs);
    },
    happened: () => happened,
  };
}

type Slack = Awaited<ReturnType<typeof open>>["room"];
type Room = Awaited<ReturnType<typeof open>>["service"]["room"];

async function ask(slack: Slack, room: Room): Promise<string> {
  expect(await slack.people.command(asker, { channel, text: "/why-500 web" })).toMatchObject({ ok: true });
  let incidentId = "";
  await eventually(async () => {
    incidentId = (await room.status(null)).openIncidents[0]?.incidentId ?? "";
    return incidentId !== "";
  }, 10_000);
  return incidentId;
}

/** As a person does: who sees an error, or nothing at all, presses again. */
async function clickUntilDecided(slack: Slack, entries: () => Promise<TimelineEntry[]>, first: () => void) {
  const decided = async () => (await entries()).some((entry) => entry.body.kind === "decided");
  for (let presses = 0; presses < 60 && !(await decided()); presses += 1) {
    const button = buttonIn(slack, "plan_approve");
    if (button === null) {
      await sleep(250);
      continue;
    }
    const pressed = slack.people.act(approvers[0], { ...button, confirmed: true });
    first();
    await Promise.race([pressed, sleep(3_500)]);
    await sleep(250);
  }
  expect(await decided()).toBe(true);
}

function effectsOf(host: FakeHost, entries: readonly TimelineEntry[]) {
  const count = (kind: string) => entries.filter((entry) => entry.body.kind === kind).length;
  return {
    effects: host.effects.map((effect) => effect.action),
    decided: count("decided"),
    done: count("step-done"),
    verified: count("verified"),
  };
}

import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createRoomClock } from "../../src/local-room/clock.ts";
import { parseManifest } from "../../src/local-room/manifest.ts";
import type { RateMode } from "../../src/local-room/protocol.ts";
import { createRandom } from "../../src/local-room/random.ts";
import { createRateLimiter } from "../../src/local-room/rate.ts";
import { manifestText } from "./open-room.ts";

/** System time that only moves when told to. */
function fakeSystem() {
  let nowMs = 1_000;
  const timers: { dueMs: number; run: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    startTimer(delayMs: number, run: () => void) {
      const timer = { dueMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    pass(byMs: number) {
      nowMs += byMs;
      for (const timer of timers.filter((one) => one.dueMs <= nowMs)) {
        timers.splice(timers.indexOf(timer), 1);
        timer.run();
      }
    },
  };
}

describe("the room's clock", () => {
  it("fires what falls due in order, timers set by timers included", async () => {
    const clock = createRoomClock({ frozenAtMs: 0 });
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.nowMs()}`);
    clock.after(20, note("b"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("c"));
    });
    clock.after(10, note("a2"));
    clock.after(31, note("late"));
    clock.after(12, note("cancelled"))();
    await clock.advance(30);
    expect(fired).toEqual(["a@10", "a2@10", "c@15", "b@20"]);
    expect(clock.nowMs()).toBe(30);
  });

  it("runs with the system, stands still when frozen, and goes on from there", async () => {
    const system = fakeSystem();
    const clock = createRoomClock({ system });
    const fired: number[] = [];
    clock.after(100, () => fired.push(clock.nowMs()));
    system.pass(60);
    clock.setFrozen(true);
    system.pass(1_000);
    expect([clock.nowMs(), fired]).toEqual([1_060, []]);
    clock.setFrozen(false);
    system.pass(40);
    expect([clock.nowMs(), fired]).toEqual([1_100, [1_100]]);
    await clock.advance(5_000);
    system.pass(1);
    expect(clock.nowMs()).toBe(6_101);
  });
});

describe("the rate limiter", () => {
  const limiter = (mode: RateMode) => {
    const time = { nowMs: 0 };
    return { time, rate: createRateLimiter({ nowMs: () => time.nowMs, mode }) };
  };

  it.each([
    [2, 20],
    [3, 50],
    [4, 100],
  ] as const)("lets exactly tier %i's %i calls a minute through", (tier, perMinute) => {
    const { time, rate } = limiter("floor");
    for (let count = 0; count < perMinute; count++) expect(rate.take("m", tier)).toBeNull();
    expect(rate.take("m", tier)).toBe(60);
    expect(rate.take("other", tier)).toBeNull();
    time.nowMs = 59_999;
    expect(rate.take("m", tier)).toBe(1);
    time.nowMs = 60_000;
    expect(rate.take("m", tier)).toBeNull();
    expect(rate.buckets().buckets).toContainEqual({
      method: "m",
      key: null,
      limitPerMinute: perMinute,
      used: perMinute + 1,
      throttled: 2,
    });
  });

  it("holds posts to one a second per channel and 300 a minute in all", () => {
    const { time, rate } = limiter("floor");
    expect(rate.take("chat.postMessage", "special", "C1")).toBeNull();
    expect(rate.take("chat.postMessage", "special", "C1")).toBe(1);
    expect(rate.take("chat.postMessage", "special", "C2")).toBeNull();
    time.nowMs = 1_000;
    for (let count = 2; count < 300; count++) expect(rate.take("chat.postMessage", "special", `C${count}`)).toBeNull();
    expect(rate.take("chat.postMessage", "special", "C999")).toBe(59);
  });

  it("is kinder in bursts, harsher to apps outside the Marketplace, and can be off", () => {
    const burst = limiter("burst").rate;
    for (let count = 0; count < 5; count++) expect(burst.take("chat.postMessage", "special", "C1")).toBeNull();
    expect(burst.take("chat.postMessage", "special", "C1")).toBe(5);
    const outside = limiter("non-marketplace").rate;
    expect([outside.take("conversations.history", 3), outside.take("conversations.history", 3)]).toEqual([null, 60]);
    const off = limiter("off").rate;
    for (let count = 0; count < 200; count++) expect(off.take("m", 2)).toBeNull();
    expect(limiter("floor").rate.take("blocks.validate", "none")).toBeNull();
  });
});

describe("seeded randomness", () => {
  it("repeats itself for the same seed and not for another", () => {
    const draw = (seed: number) => {
      const random = createRandom(seed);
      return [random.uuid(), random.id("F"), random.below(1_000_000), random.hex(8)];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1)[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe("our manifests", () => {
  it("are one app in two transports", () => {
    const [socket, http] = [parse(manifestText("socket")), parse(manifestText("http"))];
    expect([socket.settings.socket_mode_enabled, http.settings.socket_mode_enabled]).toEqual([true, false]);
    for (const command of http.features.slash_commands) delete command.url;
    delete http.settings.event_subscriptions.request_url;
    delete http.settings.interactivity.request_url;
    delete http.settings.interactivity.message_menu_options_url;
    http.settings.socket_mode_enabled = true;
    expect(http).toEqual(socket);
  });

  it("declare the commands and shortcuts of the bot and are valid", () => {
    const manifest = parseManifest(manifestText("http"));
    expect(manifest.commands.map((command) => command.command)).toEqual([
      "/why-500",
      "/why",
      "/hosts",
      "/guardrails",
      "/timeline",
      "/room137",
    ]);
    expect(manifest.shortcuts.map((shortcut) => [shortcut.callbackId, shortcut.name])).toEqual([
      ["add_to_timeline", "Add to timeline"],
      ["investigate_message", "Investigate this"],
    ]);
    expect(manifest.urls.events).toMatch(/\/slack\/events$/);
  });

  it.each([
    [
      "display_information: { name: x }\nfeatures: { slash_commands: [{ command: why, description: d }] }\nsettings: { socket_mode_enabled: true }",
      /slash_commands\/0\/command must start with/,
    ],
    [
      "display_information: { name: x }\nfeatures: { shortcuts: [{ type: message, callback_id: c, description: d, name: much too long for a shortcut }] }",
      /shortcuts\/0\/name must be less than 25/,
    ],
    [
      "display_information: { name: x }\nsettings: { event_subscriptions: { bot_events: [app_mention] } }",
      /request_url missing/,
    ],
    ["[]", /must provide an object/],
  ])("are refused with the place and the reason when wrong: %s", (text, reason) => {
    expect(() => parseManifest(text)).toThrow(reason);
  });
});

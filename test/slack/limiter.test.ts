import { describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import { createRoomClock } from "../../src/local-room/clock.ts";
import { createLimiter } from "../../src/slack/limiter.ts";
import { settle, startMs } from "./open-edge.ts";

function opened() {
  const clock = createRoomClock({ frozenAtMs: startMs });
  const wakes = { set: 0, pending: 0 };
  const after = (delayMs: number, run: () => void) => {
    wakes.set++;
    wakes.pending++;
    let open = true;
    const close = () => {
      if (open) wakes.pending--;
      open = false;
    };
    const cancel = clock.after(delayMs, () => {
      close();
      run();
    });
    return () => {
      close();
      cancel();
    };
  };
  const limiter = createLimiter({ clock, timers: { after } });
  const went: { name: string; atMs: number }[] = [];
  const go = (
    name: string,
    method: string,
    channel: string | null,
    urgency: "interactive" | "first" | "bulk" = "bulk",
  ) =>
    limiter.acquire({ method, channel }, urgency).then((granted) => {
      went.push({ name: granted ? name : `${name} refused`, atMs: clock.nowMs() - startMs });
    });
  return { clock, limiter, went, go, wakes };
}

describe("the limiter", () => {
  it("spaces the posts of one channel and of no other", async () => {
    const { clock, went, go } = opened();
    for (const name of ["a1", "a2", "a3"]) void go(name, "chat.postMessage", "C1");
    void go("b1", "chat.postMessage", "C2");
    await clock.advance(10_000);
    await settle(1);
    expect(went).toEqual([
      { name: "a1", atMs: 0 },
      { name: "b1", atMs: 0 },
      { name: "a2", atMs: 1_050 },
      { name: "a3", atMs: 2_100 },
    ]);
  });

  it("lets a new incident go before the threads that wait", async () => {
    const { clock, went, go } = opened();
    for (const name of ["a1", "a2", "a3"]) void go(name, "chat.postMessage", "C1");
    void go("root", "chat.postMessage", "C1", "first");
    await clock.advance(10_000);
    await settle(1);
    expect(went.map((one) => one.name)).toEqual(["a1", "root", "a2", "a3"]);
  });

  it("never lets more go in any minute than Slack allows, and uses most of it", async () => {
    const { clock, went, go } = opened();
    for (let index = 0; index < 200; index++) void go(String(index), "chat.update", null);
    await clock.advance(240_000);
    await settle(1);
    const times = went.map((one) => one.atMs);
    const worst = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length));
    expect(worst).toBeLessThanOrEqual(50);
    expect(times.length).toBeGreaterThan(140);
  });

  it("honours a pause for one method in one channel, and holds nothing else back", async () => {
    const { clock, limiter, went, go } = opened();
    limiter.pause({ method: "chat.postMessage", channel: "C1" }, 30_000);
    limiter.pause({ method: "chat.update", channel: null }, 10_000);
    void go("c1", "chat.postMessage", "C1");
    void go("c2", "chat.postMessage", "C2");
    void go("update", "chat.update", null);
    void go("views", "views.open", null, "interactive");
    await clock.advance(60_000);
    await settle(1);
    expect(went).toEqual([
      { name: "c2", atMs: 0 },
      { name: "views", atMs: 0 },
      { name: "update", atMs: 10_000 },
      { name: "c1", atMs: 30_000 },
    ]);
  });

  it("keeps a person waiting for a short pause only", async () => {
    const { clock, limiter, went, go } = opened();
    limiter.pause({ method: "views.open", channel: null }, 1_500);
    limiter.pause({ method: "users.info", channel: null }, 5_000);
    void go("short", "views.open", null, "interactive");
    void go("long", "users.info", null, "interactive");
    await clock.advance(10_000);
    await settle(1);
    expect(went).toEqual([
      { name: "long refused", atMs: 0 },
      { name: "short", atMs: 1_500 },
    ]);
  });

  it("keeps a person waiting up to the limit and not a millisecond more, for a channel's pause too", async () => {
    const { clock, limiter, went, go } = opened();
    const most = limits.slackInteractiveWaitMs;
    limiter.pause({ method: "views.open", channel: null }, most);
    limiter.pause({ method: "chat.postMessage", channel: "C1" }, most + 1);
    void go("most", "views.open", null, "interactive");
    void go("more", "chat.postMessage", "C1", "interactive");
    await clock.advance(most);
    await settle(1);
    expect(went).toEqual([
      { name: "more refused", atMs: 0 },
      { name: "most", atMs: most },
    ]);
  });

  it("does not shorten a longer pause by a shorter one", async () => {
    const { clock, limiter, went, go } = opened();
    limiter.pause({ method: "chat.update", channel: null }, 9_000);
    limiter.pause({ method: "chat.update", channel: null }, 2_000);
    void go("update", "chat.update", null);
    await clock.advance(20_000);
    await settle(1);
    expect(went).toEqual([{ name: "update", atMs: 9_000 }]);
  });

  it("counts what people send, and lets them go at once even where a pause ends this moment", async () => {
    const { clock, limiter, went, go } = opened();
    limiter.pause({ method: "chat.postMessage", channel: "C1" }, 0);
    for (const name of ["p1", "p2"]) void go(name, "chat.postMessage", "C1", "interactive");
    void go("bulk", "chat.postMessage", "C1");
    await clock.advance(10_000);
    void go("p3", "chat.postMessage", "C1", "interactive");
    void go("after", "chat.postMessage", "C1");
    await clock.advance(10_000);
    await settle(1);
    expect(went).toEqual([
      { name: "p1", atMs: 0 },
      { name: "p2", atMs: 0 },
      { name: "bulk", atMs: 2_100 },
      { name: "p3", atMs: 10_000 },
      { name: "after", atMs: 11_050 },
    ]);
  });

  it.each([
    ["chat.postMessage", null, 60],
    ["chat.update", null, 15],
    ["chat.update", "C1", 15],
    ["views.update", null, 30],
    ["usergroups.users.list", null, 6],
    ["bots.info", null, 6],
  ] as const)("lets %s (channel %s) go %i times at once", async (method, channel, burst) => {
    const { went, go } = opened();
    for (let index = 0; index < 100; index++) void go(String(index), method, channel);
    await settle(1);
    expect(went).toHaveLength(burst);
  });

  it("wakes only when somebody may go, and never when nobody waits", async () => {
    const { clock, limiter, went, go, wakes } = opened();
    for (const name of ["a1", "a2", "a3"]) void go(name, "chat.postMessage", "C1");
    expect(wakes.pending).toBe(1);
    limiter.pause({ method: "views.open", channel: null }, 500);
    void go("view", "views.open", null, "interactive");
    expect(wakes.pending).toBe(1);
    const asked = wakes.set;
    await clock.advance(10_000);
    await settle(1);
    expect(went.map((one) => `${one.name} ${one.atMs}`)).toEqual(["a1 0", "view 500", "a2 1050", "a3 2100"]);
    // After the view, and after the second of the three; nobody waits after that.
    expect(wakes).toEqual({ set: asked + 2, pending: 0 });
  });

  it("lets a crowd of people through at once", async () => {
    const { went, go } = opened();
    await Promise.all(Array.from({ length: 80 }, (_, index) => go(String(index), "views.open", null, "interactive")));
    expect(went.every((one) => one.atMs === 0)).toBe(true);
  });
});

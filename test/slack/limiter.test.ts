import { describe, expect, it } from "vitest";
import { createRoomClock } from "../../src/local-room/clock.ts";
import { createLimiter } from "../../src/slack/limiter.ts";
import { settle, startMs } from "./open-edge.ts";

function opened() {
  const clock = createRoomClock({ frozenAtMs: startMs });
  const limiter = createLimiter({ clock, timers: clock });
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
  return { clock, limiter, went, go };
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

  it("lets a crowd of people through at once", async () => {
    const { went, go } = opened();
    await Promise.all(Array.from({ length: 80 }, (_, index) => go(String(index), "views.open", null, "interactive")));
    expect(went.every((one) => one.atMs === 0)).toBe(true);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type PlannedRead, readKey } from "../../src/core/reads.ts";
import { Fault } from "../../src/core/result.ts";
import type { HostReader } from "../../src/ports.ts";
import { executeReads } from "../../src/sources/gather.ts";
import { context, dbId, fakeReader, noAnswer, recorded, recordedJson, reply } from "./recorded.ts";

const list: PlannedRead = { host: "h", source: "docker-list", containerId: null, args: null };
const inspect: PlannedRead = { host: "h", source: "docker-inspect", containerId: dbId, args: null };
const logs: PlannedRead = {
  host: "h",
  source: "docker-logs",
  containerId: dbId,
  args: { tail: 10, sinceMs: null, untilMs: null },
};
const with1 = (reader: HostReader) => ({ reader: async () => reader });

describe("gathering", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("makes equal reads once, and connects once a host", async () => {
    let reads = 0;
    let connects = 0;
    const reader = fakeReader({
      docker: () => {
        reads++;
        return reply("[]");
      },
    });
    const readers = {
      reader: async () => {
        connects++;
        return reader;
      },
    };
    const same = { ...logs, args: { untilMs: null, sinceMs: null, tail: 10 } } as PlannedRead;
    expect(readKey(same)).toBe(readKey(logs));
    expect(await executeReads([list, list, logs, same], readers, context())).toHaveLength(2);
    expect({ reads, connects }).toEqual({ reads: 2, connects: 1 });
  });

  it("inspects before it reads a log, so that a password in the environment is masked in the log", async () => {
    const env: string[] = recordedJson("inspect-db.json").Config.Env;
    const password = env.find((pair) => pair.startsWith("POSTGRES_PASSWORD="))?.split("=")[1] ?? "";
    expect(password.length).toBeGreaterThan(5);
    const line = `2026-01-01T00:00:00Z tried ${password} again\n`;
    const reader = fakeReader({ docker: ({ read }) => reply(read === "inspect" ? recorded("inspect-db.json") : line) });
    const readings = await executeReads([logs, inspect], with1(reader), context());
    expect(readings.map(({ outcome }) => outcome.status)).toEqual(["ok", "ok"]);
    expect(JSON.stringify(readings)).toContain("tried [redacted] again");
    expect(JSON.stringify(readings)).not.toContain(password);
  });

  it("fails a read that is late, tells it to stop, and keeps the others", async () => {
    let stopped = false;
    const reader = fakeReader({
      docker: ({ read }, signal) => {
        if (read === "list") return reply("[]");
        signal?.addEventListener("abort", () => (stopped = true));
        return new Promise(() => {});
      },
    });
    const gathered = executeReads([list, inspect], with1(reader), { ...context(), readTimeoutMs: 1_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await gathered).toMatchObject([
      { source: "docker-inspect", containerId: dbId, outcome: { status: "failed", code: "timeout" } },
      { source: "docker-list", outcome: { status: "empty" } },
    ]);
    expect(stopped).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("answers at the overall deadline even where connecting never ends", async () => {
    const readers = { reader: () => new Promise<HostReader>(() => {}) };
    const containers = [{ containerId: dbId, pid: 7, cgroupParent: "" }];
    const group: PlannedRead = {
      host: "h",
      source: "cgroup",
      containerId: null,
      args: { version: 1, driver: null, containers },
    };
    const gathered = executeReads([list, inspect, logs, group], readers, { ...context(), deadlineMs: 3_000 });
    await vi.advanceTimersByTimeAsync(3_000);
    const readings = await gathered;
    expect(readings.map(({ outcome }) => outcome)).toEqual(Array(4).fill(expect.objectContaining({ code: "timeout" })));
    expect(readings.find(({ source }) => source === "cgroup")?.containerId).toBe(dbId);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["host-unreachable", "unreachable"],
    ["host-key-changed", "permission-denied"],
  ] as const)("turns %s into failed readings with what to do", async (fault, code) => {
    const readers = {
      reader: () => Promise.reject(new Fault(fault, "cannot reach h password=hunter2", "check the host")),
    };
    const readings = await executeReads([list, inspect], readers, context());
    expect(readings).toHaveLength(2);
    for (const { outcome } of readings) {
      expect(outcome).toEqual({
        status: "failed",
        code,
        reason: "cannot reach h password=[redacted]",
        fix: "check the host",
      });
    }
  });

  it("survives a reader that breaks, and gives equal answers equal hashes", async () => {
    const broken = fakeReader({ docker: () => Promise.reject(new Error("boom")) });
    expect(await executeReads([list], with1(broken), context())).toMatchObject([{ outcome: { code: "failed" } }]);
    const lost = fakeReader({ docker: () => noAnswer });
    expect(await executeReads([list], with1(lost), context())).toMatchObject([{ outcome: { code: "unreachable" } }]);
    const whole = fakeReader({ docker: () => reply(recorded("list.json")) });
    const [first, second] = [
      await executeReads([list], with1(whole), context()),
      await executeReads([list], with1(whole), context()),
    ];
    expect(first[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(first).toEqual(second);
  });
});

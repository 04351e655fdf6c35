import { describe, expect, test } from "vitest";
import type { OomScope } from "../../../src/core/kernel-log.ts";
import { toKernelLogJson } from "../../../src/sources/kernel-log/json.ts";
import { parseKernelLog } from "../../../src/sources/kernel-log/parse.ts";
import { driverOf, drivers, formOf, forms, type Scene } from "./written.ts";
import { AT_MS, BOOT_AT_MS, logs } from "./written-logs.ts";

const clock = { bootAtMs: BOOT_AT_MS, nowMs: AT_MS + 3_600_000, timeZoneOffsetMinutes: 0 };

/** Names a process may give itself, and names of kernel threads. */
const names = [
  "postgres",
  "tmux: server",
  "runc:[2:INIT]",
  "(sd-pam)",
  "a) total-vm:1kB",
  "x,pid=1,uid=2",
  "Killed process",
  "kworker/0:2",
  'say "hi", (x)',
  "b (y) score 5",
  "\u00fcml\u00e4ut",
  "12 (x) total-vm",
];

function scene(driver: keyof typeof drivers, scope: OomScope, i: number): Scene {
  const { task, limit, id } = driverOf(driver);
  const process = names[i % names.length] as string;
  const trigger = names[(i * 5 + 3) % names.length] as string;
  return {
    pid: 4000 + i,
    process,
    trigger,
    scope,
    taskCgroup: task,
    limitedCgroup: limit,
    containerId: id,
    uid: 1000,
    adj: -997,
    pages: 27_005,
  };
}

describe("a record of any kernel in any log is read exactly", () => {
  for (const [logName, log] of Object.entries(logs)) {
    test(logName, () => {
      let i = 0;
      for (const [formName, form] of Object.entries(forms)) {
        for (const driver of Object.keys(drivers)) {
          for (const scope of scopesOf(formName)) {
            const { messages, truth } = form(scene(driver, scope, i++));
            const text = log.write(messages);
            const parsed = parseKernelLog(text, clock);
            const last = messages.length - 1;
            expect(toKernelLogJson(parsed).kills, `${formName}, ${driver}\n${text}`).toEqual([
              { ...truth, timestamp: log.stamp(last) },
            ]);
            expect(parsed.kills[0]?.atMs, text).toBe(log.atMs(last));
            expect(parsed.truncated).toBe(false);
          }
        }
      }
      expect(i).toBeGreaterThan(300);
    });
  }
});

/** Only kernels with the summary line say which nodes a search was confined to. */
function scopesOf(form: string): OomScope[] {
  return /^[56]/.test(form) ? ["memcg", "host", "cpuset", "mempolicy"] : ["memcg", "host"];
}

describe("what a record tells besides the kill", () => {
  test.each(Object.keys(forms))("kernel %s", (form) => {
    const { messages } = formOf(form)(scene("podman", "memcg", 0));
    const kill = parseKernelLog(messages.join("\n")).kills[0];
    expect(kill?.memory).toEqual({ usageKb: 262_144, limitKb: 262_144, failcnt: 31 });
    expect((kill?.memorySwap ?? kill?.swap)?.limitKb).toBeNull();
    expect(kill?.largestTask).toMatchObject({
      pid: 4000,
      uid: 1000,
      totalVmPages: 27_005,
      rssPages: 343,
      oomScoreAdj: -997,
      name: "postgres",
    });
    expect(kill?.largestTask?.swapEntries).toBe(form === "3.0" ? null : 12);
    expect(kill?.largestTask?.rssAnonPages).toBe(form === "6.8" ? 230 : null);
    expect(kill).toMatchObject({ pageSizeKb: 4, order: 0, taskCgroup: driverOf("podman").task });
  });

  test("a host's kill tells the machine's memory", () => {
    const { messages } = formOf("5.15")(scene("podman", "host", 0));
    expect(parseKernelLog(messages.join("\n")).kills[0]).toMatchObject({
      ramPages: 524_158,
      totalSwapKb: 2_097_148,
      freeSwapKb: 0,
      memory: null,
    });
  });
});

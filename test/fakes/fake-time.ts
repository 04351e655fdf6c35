import type { Clock, Scheduler } from "../../src/ports.ts";

export interface FakeTime {
  clock: Clock;
  scheduler: Scheduler;
  /** Lets the time pass: waits end and repetitions run, in order. */
  advance(ms: number): Promise<void>;
}

/**
 * Time that stands still until somebody waits for it: a wait takes its time at once, so nothing in a test ever sleeps.
 * Repetitions run only while `advance` lets the time pass.
 */
export function fakeTime(startMs: number): FakeTime {
  let nowMs = startMs;
  const repeating = new Set<{ everyMs: number; nextMs: number; run: () => void }>();
  return {
    clock: { nowMs: () => nowMs },
    scheduler: {
      async wait(ms, signal) {
        await settle();
        if (signal?.aborted !== true) nowMs += ms;
      },
      every(ms, run) {
        const entry = { everyMs: ms, nextMs: nowMs + ms, run };
        repeating.add(entry);
        return () => repeating.delete(entry);
      },
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = [...repeating].filter((entry) => entry.nextMs <= endMs).sort((a, b) => a.nextMs - b.nextMs)[0];
        if (due === undefined) break;
        nowMs = Math.max(nowMs, due.nextMs);
        due.nextMs = nowMs + due.everyMs;
        due.run();
        await settle();
      }
      nowMs = Math.max(nowMs, endMs);
    },
  };
}

/** Lets everything that does not wait for time come to its end. */
export async function settle(turns = 40): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

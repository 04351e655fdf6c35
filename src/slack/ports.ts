/** What the Slack edge needs besides the store and the clock. */
export interface Timers {
  /** Calls back once, `delayMs` later. Returns the way to cancel. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

export interface EdgeMetrics {
  count(name: EdgeCounter, labels: Record<string, string>): void;
  /** Milliseconds. */
  observe(name: EdgeTimer, ms: number, labels: Record<string, string>): void;
}

export type EdgeCounter = "slack_received" | "slack_duplicates" | "slack_calls" | "slack_posts" | "slack_connections";
export type EdgeTimer = "slack_ack_ms" | "slack_call_ms" | "slack_outbox_ms";

export const noMetrics: EdgeMetrics = { count() {}, observe() {} };

export function wait(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => timers.after(delayMs, resolve));
}

/** True when the work ended in time. Work that goes on is left to itself. */
export async function endsWithin(timers: Timers, work: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  let cancel = () => {};
  const late = new Promise<boolean>((resolve) => {
    cancel = timers.after(deadlineMs, () => resolve(false));
  });
  const ended = await Promise.race([work.then(() => true), late]);
  cancel();
  return ended;
}

/** The room's own time. Every timer of the room hangs on it, so that a test can move hours in no time. */
export interface RoomClock {
  nowMs(): number;
  /** Calls back once, `delayMs` later on this clock. Returns the way to cancel. */
  after(delayMs: number, run: () => void): () => void;
  frozen(): boolean;
  setFrozen(frozen: boolean): void;
  /** Moves forward and fires what falls due, in order; the program gets a turn between two timers. */
  advance(byMs: number): Promise<void>;
  stop(): void;
}

export interface SystemTime {
  nowMs(): number;
  /** Real timer; returns the way to cancel. */
  startTimer(delayMs: number, run: () => void): () => void;
}

export const systemTime: SystemTime = {
  nowMs: () => Date.now(),
  startTimer(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Node's timers count in 32 bits; longer waits are cut and taken up again. */
const longestTimerMs = 2 ** 31 - 1;

interface Timer {
  dueMs: number;
  order: number;
  run: () => void;
}

export function createRoomClock(options: { system?: SystemTime; frozenAtMs?: number } = {}): RoomClock {
  const time: Time = {
    system: options.system ?? systemTime,
    timers: new Set(),
    order: 0,
    frozenAtMs: options.frozenAtMs ?? null,
    offsetMs: 0,
    cancelWake: () => {},
  };
  return {
    nowMs: () => nowOf(time),
    after(delayMs, run) {
      const timer = { dueMs: nowOf(time) + delayMs, order: time.order++, run };
      time.timers.add(timer);
      arm(time);
      return () => {
        time.timers.delete(timer);
      };
    },
    frozen: () => time.frozenAtMs !== null,
    setFrozen(frozen) {
      if (frozen && time.frozenAtMs === null) time.frozenAtMs = nowOf(time);
      else if (!frozen && time.frozenAtMs !== null) thaw(time, time.frozenAtMs);
      arm(time);
    },
    advance: (byMs) => advance(time, byMs),
    stop() {
      time.timers.clear();
      time.cancelWake();
    },
  };
}

interface Time {
  system: SystemTime;
  timers: Set<Timer>;
  order: number;
  frozenAtMs: number | null;
  offsetMs: number;
  cancelWake: () => void;
}

const nowOf = (time: Time) => time.frozenAtMs ?? time.system.nowMs() + time.offsetMs;

function thaw(time: Time, atMs: number): void {
  time.offsetMs = atMs - time.system.nowMs();
  time.frozenAtMs = null;
}

async function advance(time: Time, byMs: number): Promise<void> {
  // What is under way gets to set its timers before time moves.
  await new Promise((resolve) => setImmediate(resolve));
  const wasFrozen = time.frozenAtMs !== null;
  const targetMs = nowOf(time) + byMs;
  time.frozenAtMs = nowOf(time);
  for (let due = earliest(time); due && due.dueMs <= targetMs; due = earliest(time)) {
    time.frozenAtMs = Math.max(time.frozenAtMs, due.dueMs);
    time.timers.delete(due);
    due.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  time.frozenAtMs = targetMs;
  if (!wasFrozen) thaw(time, targetMs);
  arm(time);
}

function earliest(time: Time): Timer | null {
  let first: Timer | null = null;
  for (const timer of time.timers) {
    const sooner = !first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order);
    if (sooner) first = timer;
  }
  return first;
}

/** One real timer for the next one due; none while the clock stands still. */
function arm(time: Time): void {
  time.cancelWake();
  time.cancelWake = () => {};
  const first = earliest(time);
  if (time.frozenAtMs !== null || !first) return;
  const waitMs = Math.min(longestTimerMs, Math.max(0, first.dueMs - nowOf(time)));
  time.cancelWake = time.system.startTimer(waitMs, () => wake(time));
}

function wake(time: Time): void {
  for (let due = earliest(time); due && due.dueMs <= nowOf(time) && time.frozenAtMs === null; due = earliest(time)) {
    time.timers.delete(due);
    due.run();
  }
  arm(time);
}

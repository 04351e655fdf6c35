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
  const system = options.system ?? systemTime;
  const timers = new Set<Timer>();
  let order = 0;
  let frozenAtMs: number | null = options.frozenAtMs ?? null;
  let offsetMs = 0;
  let cancelWake = () => {};

  const nowMs = () => frozenAtMs ?? system.nowMs() + offsetMs;
  const earliest = () => {
    let first: Timer | null = null;
    for (const timer of timers) {
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) first = timer;
    }
    return first;
  };
  const fire = (timer: Timer) => {
    timers.delete(timer);
    timer.run();
  };
  const arm = () => {
    cancelWake();
    cancelWake = () => {};
    const first = earliest();
    if (frozenAtMs !== null || !first) return;
    cancelWake = system.startTimer(Math.min(longestTimerMs, Math.max(0, first.dueMs - nowMs())), wake);
  };
  const wake = () => {
    for (let due = earliest(); due && due.dueMs <= nowMs() && frozenAtMs === null; due = earliest()) fire(due);
    arm();
  };

  return {
    nowMs,
    after(delayMs, run) {
      const timer = { dueMs: nowMs() + delayMs, order: order++, run };
      timers.add(timer);
      arm();
      return () => {
        timers.delete(timer);
      };
    },
    frozen: () => frozenAtMs !== null,
    setFrozen(frozen) {
      if (frozen === (frozenAtMs !== null)) return;
      if (frozenAtMs === null) frozenAtMs = nowMs();
      else {
        offsetMs = frozenAtMs - system.nowMs();
        frozenAtMs = null;
      }
      arm();
    },
    async advance(byMs) {
      const wasFrozen = frozenAtMs !== null;
      const targetMs = nowMs() + byMs;
      frozenAtMs = nowMs();
      for (let due = earliest(); due && due.dueMs <= targetMs; due = earliest()) {
        frozenAtMs = Math.max(frozenAtMs, due.dueMs);
        fire(due);
        await new Promise((resolve) => setImmediate(resolve));
      }
      frozenAtMs = targetMs;
      if (!wasFrozen) {
        offsetMs = targetMs - system.nowMs();
        frozenAtMs = null;
      }
      arm();
    },
    stop() {
      timers.clear();
      cancelWake();
    },
  };
}

export interface Slots {
  /** Waits for a place; resolves with what gives it back (harmless when called twice). Rejects when aborted. */
  acquire(signal: AbortSignal): Promise<() => void>;
  inUse(): number;
  /** The far end allows fewer than thought: from now on at most as many as are in use besides the caller's own. */
  shrink(): void;
}

/** A first-come queue for a limited number of places. */
export function createSlots(limit: number): Slots {
  let places = limit;
  let used = 0;
  const waiting: (() => void)[] = [];

  function wake(): void {
    if (used < places) waiting.shift()?.();
  }

  function take(): () => void {
    used += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      used -= 1;
      wake();
    };
  }

  return {
    acquire(signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (used < places) return Promise.resolve(take());
      return new Promise((resolve, reject) => {
        const turn = () => {
          signal.removeEventListener("abort", leave);
          resolve(take());
        };
        const leave = () => {
          waiting.splice(waiting.indexOf(turn), 1);
          reject(signal.reason);
        };
        waiting.push(turn);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
    inUse: () => used,
    shrink() {
      places = Math.max(1, Math.min(places, used - 1));
    },
  };
}

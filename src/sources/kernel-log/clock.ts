import type { KernelClock } from "../../core/kernel-log.ts";

/** What the prefixes of one line say about its time. */
export type Stamp = {
  printed: string | null;
  kernelSeconds: number | null;
  /** Epoch milliseconds where the stamp names its zone or is an epoch itself. */
  utcMs: number | null;
  /** The wall clock read as if it were UTC; in the year 2000 where no year is printed. */
  localMs: number | null;
  hasYear: boolean;
  /** Seconds since the line before (`dmesg --human`). */
  sinceLastSeconds: number | null;
};

export const noStamp: Stamp = {
  printed: null,
  kernelSeconds: null,
  utcMs: null,
  localMs: null,
  hasYear: false,
  sinceLastSeconds: null,
};

const DAY_MS = 24 * 3_600_000;

/**
 * Epoch milliseconds of a stamp, or null. A wall clock wins over the kernel's, because a journal spans boots and the
 * kernel's clock stands still during suspend.
 */
export function toEpochMs(stamp: Stamp, clock: KernelClock): number | null {
  if (stamp.utcMs !== null) return stamp.utcMs;
  if (stamp.localMs !== null && clock.timeZoneOffsetMinutes !== undefined) {
    const utcMs = withYear(stamp, clock);
    if (utcMs !== null) return utcMs;
  }
  if (stamp.kernelSeconds === null || clock.bootAtMs === undefined || clock.bootAtMs === null) return null;
  return clock.bootAtMs + Math.round(stamp.kernelSeconds * 1000);
}

function withYear(stamp: Stamp, clock: KernelClock): number | null {
  const offsetMs = (clock.timeZoneOffsetMinutes ?? 0) * 60_000;
  const localMs = stamp.localMs as number;
  if (stamp.hasYear) return localMs - offsetMs;
  if (clock.nowMs === undefined || clock.nowMs === null) return null;
  const year = new Date(clock.nowMs).getUTCFullYear();
  const atMs = new Date(localMs).setUTCFullYear(year) - offsetMs;
  // A log is read after it was written: a date that lies ahead is last year's. One day of slack covers zones.
  if (atMs <= clock.nowMs + DAY_MS) return atMs;
  return new Date(localMs).setUTCFullYear(year - 1) - offsetMs;
}

/** Milliseconds between two stamps, or null where they have no clock in common. */
export function distanceMs(a: Stamp, b: Stamp): number | null {
  if (a.utcMs !== null && b.utcMs !== null) return Math.abs(a.utcMs - b.utcMs);
  if (a.localMs !== null && b.localMs !== null && a.hasYear === b.hasYear) return Math.abs(a.localMs - b.localMs);
  if (a.kernelSeconds !== null && b.kernelSeconds !== null) return Math.abs(a.kernelSeconds - b.kernelSeconds) * 1000;
  return null;
}

import { limits } from "../core/limits.ts";
import type { Clock } from "../ports.ts";
import type { Timers } from "./ports.ts";

/** Who goes first: a person who waits, a new incident, what follows in its thread. */
export type Urgency = "interactive" | "first" | "bulk";

export interface CallPlace {
  method: string;
  /** Counts for posts, which Slack limits per channel; a pause for one channel leaves the others alone. */
  channel: string | null;
}

export interface Limiter {
  /**
   * Resolves when the call may go out. An interactive call is held back only by what Slack itself asked for, and gets
   * false when that would take longer than a trigger lives.
   */
  acquire(place: CallPlace, urgency: Urgency): Promise<boolean>;
  /** Slack's Retry-After: holds this method in this channel back and nothing else. */
  pause(place: CallPlace, forMs: number): void;
}

interface Bucket {
  capacity: number;
  perMs: number;
  tokens: number;
  atMs: number;
  pausedUntilMs: number;
}

interface Waiter {
  buckets: Bucket[];
  urgency: Urgency;
  go: (granted: boolean) => void;
}

/** Keeps under Slack's limits, per method and for posts per channel too, so that a 429 stays the exception. */
export function createLimiter(deps: { clock: Clock; timers: Timers }): Limiter {
  const bucketsOf = createBuckets(deps.clock);
  let waiting: Waiter[] = [];
  let cancelWake = () => {};

  const pump = () => {
    cancelWake();
    const nowMs = deps.clock.nowMs();
    const left: Waiter[] = [];
    for (const waiter of waiting) {
      if (waiter.buckets.every((one) => waitMsOf(one, nowMs) === 0)) {
        take(waiter.buckets);
        waiter.go(true);
      } else left.push(waiter);
    }
    waiting = left;
    if (left.length === 0) return;
    const soonestMs = Math.min(...left.map((one) => Math.max(...one.buckets.map((own) => waitMsOf(own, nowMs)))));
    cancelWake = deps.timers.after(Math.max(1, Math.ceil(soonestMs)), pump);
  };

  return {
    acquire(place, urgency) {
      const needed = bucketsOf(place);
      const nowMs = deps.clock.nowMs();
      const pausedMs = Math.max(...needed.map((one) => one.pausedUntilMs - nowMs));
      if (urgency === "interactive" && pausedMs > limits.slackInteractiveWaitMs) return Promise.resolve(false);
      if (urgency === "interactive" && pausedMs <= 0) {
        for (const one of needed) waitMsOf(one, nowMs);
        take(needed);
        return Promise.resolve(true);
      }
      return new Promise((go) => {
        waiting.push({ buckets: needed, urgency, go });
        // Stable: who came first stays first among equals.
        waiting.sort((a, b) => rank[a.urgency] - rank[b.urgency]);
        pump();
      });
    },
    pause(place, forMs) {
      const [first] = bucketsOf(place);
      first.pausedUntilMs = Math.max(first.pausedUntilMs, deps.clock.nowMs() + forMs);
    },
  };
}

/** The buckets a call draws from; the first is the one that a pause holds back. */
function createBuckets(clock: Clock): (place: CallPlace) => [Bucket, ...Bucket[]] {
  const buckets = new Map<string, Bucket>();
  const bucket = (name: string, capacity: number, perMs: number): Bucket => {
    const fresh = { capacity, perMs, tokens: capacity, atMs: clock.nowMs(), pausedUntilMs: 0 };
    const found = buckets.get(name) ?? fresh;
    buckets.set(name, found);
    return found;
  };
  return ({ method, channel }) => {
    const perMinute = callsPerMinute[method] ?? unlistedPerMinute;
    const own = bucket(method, perMinute * burstShare, (perMinute * (1 - burstShare)) / 60_000);
    if (channel === null || method !== "chat.postMessage") return [own];
    return [bucket(`${method} ${channel}`, 1, 1 / limits.slackChannelSpacingMs), own];
  };
}

const rank: Record<Urgency, number> = { interactive: 0, first: 1, bulk: 2 };

/**
 * Calls a minute for each method we use: the floors of Slack's tiers (docs apis/web-api/rate-limits, 2026-11), and for
 * chat.postMessage the lower end of "several hundred a minute".
 */
const callsPerMinute: Record<string, number> = {
  "chat.postMessage": 200,
  "chat.postEphemeral": 100,
  "views.open": 100,
  "views.update": 100,
  "views.publish": 100,
  "users.info": 100,
  "files.getUploadURLExternal": 100,
  "files.completeUploadExternal": 100,
  "chat.update": 50,
  "conversations.info": 50,
  "conversations.history": 50,
  "conversations.replies": 50,
  "usergroups.users.list": 20,
};
const unlistedPerMinute = 20;
/** Share of a minute's calls that may go at once; with the rest spread evenly no minute has more than it may. */
const burstShare = 0.3;

/** A hair below 1: what the rounding of sums loses would otherwise wake the limiter for nothing. */
const wholeToken = 1 - 1e-6;

function take(needed: Bucket[]): void {
  for (const one of needed) one.tokens = Math.max(one.tokens - 1, -one.capacity);
}

/** Fills the bucket up to now; 0 when a call may go. */
function waitMsOf(one: Bucket, nowMs: number): number {
  const gained = Math.max(0, nowMs - one.atMs) * one.perMs;
  one.tokens = Math.min(one.capacity, one.tokens + gained);
  one.atMs = nowMs;
  const pausedMs = Math.max(0, one.pausedUntilMs - nowMs);
  return Math.max(pausedMs, (wholeToken - one.tokens) / one.perMs);
}

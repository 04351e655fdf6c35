import {
  burstFactor,
  nonMarketplacePerMinute,
  postBurst,
  postsPerMinutePerWorkspace,
  postsPerSecondPerChannel,
  type Tier,
  tierPerMinute,
  windowMs,
} from "./limits.ts";
import type { BucketState, Buckets, RateMode } from "./protocol.ts";

export interface RateLimiter {
  /** null where the call may go on, else the seconds for `Retry-After`. A refused call uses nothing up. */
  take(method: string, tier: Tier, key?: string | null): number | null;
  /** One per second for a response URL. */
  takeWebhook(key: string): number | null;
  /** Calls that a fault throttled count in the figures too. */
  countThrottled(method: string): void;
  mode(): RateMode;
  setMode(mode: RateMode): void;
  buckets(): Buckets;
}

interface Bucket {
  method: string;
  key: string | null;
  limit: number;
  spanMs: number;
  times: number[];
  used: number;
  throttled: number;
}

/**
 * Sliding windows per method, as Slack restricts one method and leaves the others alone. `floor` allows exactly what
 * Slack promises; `burst` is kinder, as Slack usually is.
 */
export function createRateLimiter(deps: { nowMs: () => number; mode: RateMode }): RateLimiter {
  const buckets = new Map<string, Bucket>();
  let mode = deps.mode;

  const bucketOf = (method: string, key: string | null, limit: number, spanMs: number): Bucket => {
    const name = `${method} ${key ?? ""} ${spanMs}`;
    const bucket = buckets.get(name) ?? { method, key, limit, spanMs, times: [], used: 0, throttled: 0 };
    bucket.limit = limit;
    buckets.set(name, bucket);
    return bucket;
  };
  const takeAll = (wanted: Bucket[]): number | null => {
    const nowMs = deps.nowMs();
    let waitMs = 0;
    for (const bucket of wanted) {
      bucket.times = bucket.times.filter((time) => time > nowMs - bucket.spanMs);
      if (mode === "off" || bucket.times.length < bucket.limit) continue;
      bucket.throttled += 1;
      const frees = bucket.times[bucket.times.length - Math.floor(bucket.limit)] ?? nowMs;
      waitMs = Math.max(waitMs, frees + bucket.spanMs - nowMs);
    }
    if (waitMs > 0) return Math.max(1, Math.ceil(waitMs / 1000));
    for (const bucket of wanted) {
      if (Number.isFinite(bucket.limit)) bucket.times.push(nowMs);
      bucket.used += 1;
    }
    return null;
  };
  const kinder = (limit: number) => (mode === "burst" ? Math.floor(limit * burstFactor) : limit);
  const perSecond = () =>
    mode === "burst"
      ? { limit: postBurst, spanMs: postBurst * 1000 }
      : { limit: postsPerSecondPerChannel, spanMs: 1000 };

  return {
    take(method, tier, key = null) {
      if (method === "chat.postMessage") {
        const channel = perSecond();
        return takeAll([
          bucketOf(method, key, channel.limit, channel.spanMs),
          bucketOf(method, null, kinder(postsPerMinutePerWorkspace), windowMs),
        ]);
      }
      const reads = method === "conversations.history" || method === "conversations.replies";
      if (mode === "non-marketplace" && reads)
        return takeAll([bucketOf(method, null, nonMarketplacePerMinute, windowMs)]);
      return takeAll([bucketOf(method, null, kinder(tierPerMinute[tier]), windowMs)]);
    },
    takeWebhook: (key) => takeAll([bucketOf("response_url", key, perSecond().limit, perSecond().spanMs)]),
    countThrottled(method) {
      bucketOf(method, null, Number.POSITIVE_INFINITY, windowMs).throttled += 1;
    },
    mode: () => mode,
    setMode: (next) => {
      mode = next;
    },
    buckets: () => ({ mode, buckets: [...buckets.values()].map(describe) }),
  };
}

function describe(bucket: Bucket): BucketState {
  return {
    method: bucket.method,
    key: bucket.key,
    // JSON has no infinity; 0 would mean "none allowed".
    limitPerMinute: Number.isFinite(bucket.limit)
      ? Math.round((bucket.limit * windowMs) / bucket.spanMs)
      : Number.MAX_SAFE_INTEGER,
    used: bucket.used,
    throttled: bucket.throttled,
  };
}

import { handlesKept, triggerLifetimeMs } from "../limits.ts";
import { forgetOldest } from "../oldest.ts";
import type { Random } from "../random.ts";

/** One-shot handles that let the app open a modal: three seconds, one use. */
export interface Triggers {
  issue(about: TriggerContext): string;
  /** The context, or Slack's error code. */
  redeem(id: string): TriggerContext | "expired_trigger_id" | "exchanged_trigger_id" | "invalid_trigger_id";
}
export interface TriggerContext {
  user: string;
  /** The modal it came from; null for messages, commands, shortcuts and Home. */
  viewId: string | null;
}

export function createTriggers(deps: { nowMs: () => number; random: Random }): Triggers {
  const issued = new Map<string, { about: TriggerContext; expiresAtMs: number; used: boolean }>();
  return {
    issue(about) {
      const id = `${deps.random.below(9_000_000) + 1_000_000}.${deps.random.below(9_000_000) + 1_000_000}.${deps.random.hex(32)}`;
      issued.set(id, { about, expiresAtMs: deps.nowMs() + triggerLifetimeMs, used: false });
      forgetOldest(issued, handlesKept);
      return id;
    },
    redeem(id) {
      const trigger = issued.get(id);
      if (!trigger) return "invalid_trigger_id";
      if (trigger.used) return "exchanged_trigger_id";
      if (deps.nowMs() > trigger.expiresAtMs) return "expired_trigger_id";
      trigger.used = true;
      return trigger.about;
    },
  };
}

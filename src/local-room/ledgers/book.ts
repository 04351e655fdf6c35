import type { RoomClock } from "../clock.ts";
import type { Journal } from "../journal.ts";
import type { LintEntry, NotificationEntry } from "../protocol.ts";
import type { Message, World } from "../world.ts";
import { type LintFinding, lintMessage, lintStaleDecisions } from "./lint.ts";
import { whoIsNotified } from "./notified.ts";

/** The two ledgers: who would have been notified and why, and what does not fail a call but should fail a test. */
export interface LedgerBook {
  /** `before` is the previous version of an edited message. */
  posted(message: Message, before: Message | null): void;
  lint(rule: string, message: string, where?: { channel?: string; ts?: string; pointer?: string }): void;
  notifications(): NotificationEntry[];
  lints(): LintEntry[];
}

export function createLedgerBook(deps: {
  world: World;
  clock: Pick<RoomClock, "nowMs">;
  journal: Journal;
}): LedgerBook {
  const { world, clock, journal } = deps;
  const notified: NotificationEntry[] = [];
  const lints: LintEntry[] = [];
  const reportedStale = new Set<string>();

  const addLint = (finding: LintFinding) => {
    const entry = journal.record({ kind: "flag", name: `lint:${finding.rule}`, detail: { ...finding }, ok: false });
    lints.push({ seq: entry.seq, atMs: entry.atMs, ...finding });
    journal.changed("ledger");
  };
  return {
    posted(message, before) {
      for (const found of whoIsNotified(world, message, before)) {
        if (found.users.length === 0) continue;
        const seq = journal.lastSeq() + 1;
        notified.push({
          seq,
          atMs: clock.nowMs(),
          channel: message.channel,
          ts: message.ts,
          author: message.user,
          ...found,
        });
        journal.changed("ledger", { channel: message.channel });
      }
      if (!message.fromApp) return;
      for (const finding of lintMessage(world, message, before, clock.nowMs())) addLint(finding);
    },
    lint(rule, message, where = {}) {
      addLint({ rule, message, channel: where.channel ?? null, ts: where.ts ?? null, pointer: where.pointer ?? null });
    },
    notifications: () => [...notified],
    lints() {
      for (const finding of lintStaleDecisions(world, clock.nowMs())) {
        const key = `${finding.channel} ${finding.ts}`;
        if (reportedStale.has(key)) continue;
        reportedStale.add(key);
        addLint(finding);
      }
      return [...lints];
    },
  };
}

import type { Card, Truth } from "../card.ts";
import { cards } from "./index.ts";

/**
 * Cards of the suite, played on Podman with `--podman`. Its compatible socket cannot change limits before version 5, so
 * that no plan can raise one there; a stop leaves no record at all, so that the one right answer is not to accuse.
 */
const again: readonly { id: string; differs?: Partial<Truth> }[] = [
  { id: "cgroup-oom-main", differs: { allowed: [], planExpected: false } },
  { id: "cgroup-oom-child", differs: { allowed: [], planExpected: false } },
  { id: "oom-crash-loop", differs: { allowed: [], planExpected: false } },
  { id: "oom-spike", differs: { allowed: [], planExpected: false } },
  { id: "pids-limit", differs: { allowed: [], planExpected: false } },
  { id: "manual-docker-kill" },
  { id: "dep-paused" },
  { id: "dep-sigstop" },
  { id: "network-disconnected-db" },
  { id: "no-policy-after-crash" },
  { id: "unhandled-exception-perl-loop" },
  { id: "env-wrong-host" },
  { id: "dep-stopped", differs: { verdict: "inconclusive", causes: [], allowed: [], planExpected: false } },
  { id: "human-stop", differs: { verdict: "inconclusive", causes: [], allowed: [], planExpected: false } },
];

export const podmanCards: readonly Card[] = again.flatMap(({ id, differs = {} }) =>
  cards
    .filter((card) => card.id === id)
    .map((card) => ({
      ...card,
      id: `${id}-on-podman`,
      inject: async (stage) => {
        const truth = await card.inject(stage);
        const suspect = differs.verdict === "inconclusive" && truth.culprit !== null ? { suspect: truth.culprit } : {};
        return { ...truth, ...suspect, ...differs, culprit: differs.verdict === "inconclusive" ? null : truth.culprit };
      },
    })),
);

import { describe, expect, it } from "vitest";
import { diagnose } from "../../src/core/diagnose.ts";
import { thaw } from "../lab/rca/frozen.ts";
import { scoreFrozen } from "../lab/rca/score.ts";

const recorded = thaw();

describe("recorded faults of the lab", () => {
  it("are there to be replayed", () => {
    expect(recorded.length).toBeGreaterThan(0);
  });

  it.each(recorded.map((frozen) => [`${frozen.card}.${frozen.variant}`, frozen] as const))(
    "%s is answered rightly, with citations and without harm",
    (_, frozen) => {
      const score = scoreFrozen(frozen);
      expect({
        said: score.said,
        exact: score.exact,
        harmful: score.harmful,
        citations: score.citations,
        plan: score.plan,
      }).toEqual({ said: score.said, exact: true, harmful: [], citations: true, plan: true });
    },
  );

  it("give identical bytes ten times", () => {
    const answers = (frozen: (typeof recorded)[number]) =>
      Array.from({ length: 10 }, () => JSON.stringify(diagnose(frozen.question, frozen.readings).diagnosis));
    for (const frozen of recorded.slice(0, 20)) expect(new Set(answers(frozen)).size).toBe(1);
  });
});

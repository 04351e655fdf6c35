import { afterAll, beforeAll, expect, it } from "vitest";
import { type Lab, startLab } from "./lab.ts";
import { cards } from "./rca/cards/index.ts";
import { playCard } from "./rca/play.ts";
import { scoreFrozen } from "./rca/score.ts";

/** A slice of the suite played live, another one each day, so that the recordings are checked against a real engine. */
const slice = 5;
const day = Math.floor(Date.now() / 86_400_000);
const single = cards.filter((card) => card.hosts === undefined);
const today = Array.from(
  { length: slice },
  (_, at) => single[(day * slice + at) % single.length] as (typeof single)[number],
);

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ name: "rca-slice", engine: "private" });
});
afterAll(async () => {
  await lab?.stop();
});

it.each(today.map((card) => [card.id, card] as const))(
  "%s, played live, is answered rightly and without harm",
  async (_, card) => {
    const score = scoreFrozen(await playCard(lab, card, 0));
    expect({ said: score.said, exact: score.exact, harmful: score.harmful }).toEqual({
      said: score.said,
      exact: true,
      harmful: [],
    });
  },
);

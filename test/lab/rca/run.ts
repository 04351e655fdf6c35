import { parseArgs } from "node:util";
import { startLab } from "../lab.ts";
import type { Frozen } from "./card.ts";
import { cards } from "./cards/index.ts";
import { freeze, thaw } from "./frozen.ts";
import { playCard } from "./play.ts";
import { type Score, scoreFrozen } from "./score.ts";
import { table } from "./table.ts";

/**
 * `npm run rca`: replays every snapshot and prints the table. With `--live` it plays cards on the lab first:
 * `--card <prefix>` chooses, `--variants 5` sets how many seeded variants, `--freeze` keeps the snapshots,
 * `--lab <name>` names the lab, so that several may run at once.
 */
const { values } = parseArgs({
  options: {
    live: { type: "boolean", default: false },
    freeze: { type: "boolean", default: false },
    card: { type: "string", multiple: true },
    variants: { type: "string", default: "1" },
    first: { type: "string", default: "0" },
    lab: { type: "string", default: "rca" },
    verbose: { type: "boolean", default: false },
  },
});

const runs = values.live ? await playLive() : thaw().filter((frozen) => chosen(frozen.card));
const scores = runs.map(scoreFrozen);
console.log(table(scores, runs));
process.exitCode = scores.every((score) => score.exact && score.harmful.length === 0) ? 0 : 1;

function chosen(id: string): boolean {
  return values.card === undefined || values.card.some((prefix) => id.startsWith(prefix));
}

async function playLive(): Promise<Frozen[]> {
  const lab = await startLab({ name: values.lab, engine: "private", log: (line) => console.error(line) });
  const needsTwo = cards.some((card) => chosen(card.id) && card.hosts === 2);
  const start = (name: string) => startLab({ name, engine: "private", log: (line) => console.error(line) });
  const other = needsTwo ? await start(`${values.lab}-b`) : null;
  const played: Frozen[] = [];
  try {
    for (const card of cards.filter((entry) => chosen(entry.id))) {
      for (let variant = Number(values.first); variant < Number(values.first) + Number(values.variants); variant += 1) {
        const frozen = await playCard(lab, card, variant, card.hosts === 2 ? other : null).catch((error: unknown) => {
          console.error(`${card.id}.${variant}: not staged: ${error instanceof Error ? error.message : error}`);
          return null;
        });
        if (frozen === null) continue;
        played.push(frozen);
        if (values.freeze) freeze(frozen);
        tell(scoreFrozen(frozen), frozen);
      }
    }
  } finally {
    await other?.stop();
    await lab.stop();
  }
  return played;
}

function tell(score: Score, frozen: Frozen): void {
  console.error(
    `${score.exact ? "ok  " : "MISS"} ${score.card}.${score.variant}: ${score.said} (${frozen.totalMs} ms)${score.harmful.length > 0 ? ` HARMFUL ${score.harmful}` : ""}`,
  );
  if (values.verbose || !score.exact)
    console.error(`     ${JSON.stringify(score.report.rootCause)} ${JSON.stringify(score.report.suspects)}`);
}

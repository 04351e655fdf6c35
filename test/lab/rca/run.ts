import { parseArgs } from "node:util";
import { type Lab, startLab } from "../lab.ts";
import { startPodmanLab } from "../podman.ts";
import { startVm } from "../vm.ts";
import type { Card, Frozen } from "./card.ts";
import { cards } from "./cards/index.ts";
import { podmanCards } from "./cards/podman.ts";
import { vmCards } from "./cards/virtual-machine.ts";
import { freeze, thaw } from "./frozen.ts";
import { playCard } from "./play.ts";
import { type Score, scoreFrozen } from "./score.ts";
import { table } from "./table.ts";

/**
 * `npm run rca`: replays every snapshot and prints the table. With `--live` it plays cards on the lab first:
 * `--card <prefix>` chooses, `--variants 5` sets how many seeded variants, `--freeze` keeps the snapshots,
 * `--lab <name>` names the lab, so that several may run at once; `--vm` plays the cards that need a machine of their own
 * in a virtual one, `--podman` those that are played on Podman.
 */
const { values } = parseArgs({
  options: {
    live: { type: "boolean", default: false },
    vm: { type: "boolean", default: false },
    podman: { type: "boolean", default: false },
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
  if (values.vm) return playOn(await startVm((line) => console.error(line)), vmCards);
  if (values.podman) return playOn(await startPodmanLab((line) => console.error(line)), podmanCards);
  const lab = await startLab({ name: values.lab, engine: "private", log: (line) => console.error(line) });
  const needsTwo = cards.some((card) => chosen(card.id) && card.hosts === 2);
  const start = (name: string) => startLab({ name, engine: "private", log: (line) => console.error(line) });
  const other = needsTwo ? await start(`${values.lab}-b`) : null;
  const played: Frozen[] = [];
  try {
    for (const card of cards.filter((entry) => chosen(entry.id)))
      played.push(...(await playVariants(lab, card, card.hosts === 2 ? other : null)));
  } finally {
    await other?.stop();
    await lab.stop();
  }
  return played;
}

async function playOn(lab: Lab, list: readonly Card[]): Promise<Frozen[]> {
  const played: Frozen[] = [];
  try {
    for (const card of list.filter((entry) => chosen(entry.id))) played.push(...(await playVariants(lab, card, null)));
  } finally {
    await lab.stop();
  }
  return played;
}

async function playVariants(lab: Lab, card: Card, other: Lab | null): Promise<Frozen[]> {
  const played: Frozen[] = [];
  for (let variant = Number(values.first); variant < Number(values.first) + Number(values.variants); variant += 1) {
    const frozen = await playCard(lab, card, variant, other).catch((error: unknown) => {
      console.error(`${card.id}.${variant}: not staged: ${error instanceof Error ? error.message : error}`);
      return null;
    });
    if (frozen === null) continue;
    played.push(frozen);
    if (values.freeze) freeze(frozen);
    tell(scoreFrozen(frozen), frozen);
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

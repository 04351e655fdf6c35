import type { Lab } from "../lab.ts";
import { stageDecoys } from "../stage.ts";
import { askLab } from "./ask.ts";
import type { Card, Frozen } from "./card.ts";
import { clearStage, createStage } from "./stage.ts";

/** Stages one card with decoys, waits until its fault shows, asks, and freezes what was read. */
export async function playCard(lab: Lab, card: Card, variant: number): Promise<Frozen> {
  await clearStage(lab);
  const stage = createStage(lab, variant, hash(`${card.id} ${variant}`));
  await lab.docker("network", "create", stage.network);
  await stageDecoys(lab);
  const truth = await card.inject(stage);
  await stage.until(`${card.id} shows`, truth.shows, 60_000);
  const startMs = performance.now();
  const { question, readings } = await askLab(lab, truth);
  const totalMs = performance.now() - startMs;
  const { shows: _, ...told } = truth;
  return { card: card.id, family: card.family, variant, truth: told, question, readings, totalMs: Math.round(totalMs) };
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16_777_619);
  return value >>> 0;
}

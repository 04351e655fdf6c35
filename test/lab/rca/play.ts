import type { Lab } from "../lab.ts";
import { stageDecoys } from "../stage.ts";
import { askLab } from "./ask.ts";
import type { Card, Frozen } from "./card.ts";
import { clearStage, createStage } from "./stage.ts";

/** Stages one card with decoys, waits until its fault shows, asks, and freezes what was read. */
export async function playCard(lab: Lab, card: Card, variant: number, other: Lab | null = null): Promise<Frozen> {
  const labs = other === null ? [lab] : [lab, other];
  for (const each of labs) await clearStage(each);
  const seed = hash(`${card.id} ${variant}`);
  const second = other === null ? null : createStage(other, variant, seed);
  if (second !== null) await second.docker("network", "create", second.network);
  const stage = createStage(lab, variant, seed, second);
  await lab.docker("network", "create", stage.network);
  await stageDecoys(lab);
  const truth = await card.inject(stage);
  const { shows, undo, ...told } = truth;
  try {
    await stage.until(`${card.id} shows`, shows, 60_000);
    return await ask(labs, card, variant, told);
  } finally {
    await undo?.();
  }
}

async function ask(labs: Lab[], card: Card, variant: number, told: Frozen["truth"]): Promise<Frozen> {
  const startMs = performance.now();
  const { question, readings } = await askLab(labs, told);
  const totalMs = performance.now() - startMs;
  return { card: card.id, family: card.family, variant, truth: told, question, readings, totalMs: Math.round(totalMs) };
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16_777_619);
  return value >>> 0;
}

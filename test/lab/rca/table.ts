import { baselineScore, baselines } from "./baselines.ts";
import type { Frozen } from "./card.ts";
import type { Score } from "./score.ts";

/** One table: per family and overall, with the misses listed below it. */
export function table(scores: readonly Score[], runs: readonly Frozen[]): string {
  const families = [...new Set(scores.map((score) => score.family))].sort();
  const rows = [
    ...families.map((family) =>
      row(
        family,
        scores.filter((score) => score.family === family),
      ),
    ),
    row("all", scores),
  ];
  const times = runs.map((run) => run.totalMs).sort((a, b) => a - b);
  const misses = scores.filter((score) => !score.exact || score.harmful.length > 0 || !score.citations || !score.plan);
  return [
    "| family | runs | exact | culprit | cause | citations | harmful | plan |",
    "|---|---|---|---|---|---|---|---|",
    ...rows,
    "",
    `time to answer when played, on a connection made for it: P50 ${quantile(times, 0.5)} ms, P95 ${quantile(times, 0.95)} ms`,
    `all variants of a card right: ${everyVariant(scores)}`,
    `when the right answer is not to accuse, nobody was accused: ${abstained(scores, runs)}`,
    "",
    "| habit, on the same readings | exact | culprit |",
    "|---|---|---|",
    ...baselines.map(({ name, answer }) => {
      const { exact, culprit } = baselineScore(answer, runs);
      return `| ${name} | ${(100 * exact).toFixed(1)} % | ${(100 * culprit).toFixed(1)} % |`;
    }),
    "",
    ...misses.map(
      (miss) =>
        `miss: ${miss.card}.${miss.variant} said ${miss.said}${miss.harmful.length > 0 ? `, harmful ${miss.harmful.join(", ")}` : ""}${miss.citations ? "" : ", a citation does not hold"}${miss.plan ? "" : ", no plan"}`,
    ),
  ].join("\n");
}

function row(name: string, scores: readonly Score[]): string {
  const share = (is: (score: Score) => boolean) => percent(scores.filter(is).length, scores.length);
  const harmful = scores.filter((score) => score.harmful.length > 0).length;
  return `| ${name} | ${scores.length} | ${share((score) => score.exact)} | ${share((score) => score.culprit)} | ${share((score) => score.cause)} | ${share((score) => score.citations)} | ${harmful} | ${share((score) => score.plan)} |`;
}

function abstained(scores: readonly Score[], runs: readonly Frozen[]): string {
  const quiet = scores.filter((_, at) => runs[at]?.truth.verdict !== "root-cause");
  return `${quiet.filter((score) => score.report.rootCause === null).length} of ${quiet.length}`;
}

function everyVariant(scores: readonly Score[]): string {
  const cards = [...new Set(scores.map((score) => score.card))];
  const right = cards.filter((card) => scores.filter((score) => score.card === card).every((score) => score.exact));
  return `${right.length} of ${cards.length}`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}

function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}

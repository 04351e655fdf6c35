export interface Figure {
  name: string;
  tookMs: number[];
  ratio: string | null;
  target: string | null;
}

export function figure(name: string, tookMs: number[], ratio: string | null, target: string | null): Figure {
  return { name, tookMs, ratio, target };
}

/** Milliseconds of each run, sorted; the warm-ups are not among them. */
export async function timed(
  name: string,
  work: () => Promise<unknown>,
  { warmUps = 3, runs = 15 } = {},
): Promise<number[]> {
  const tookMs: number[] = [];
  for (let run = 0; run < warmUps + runs; run += 1) {
    const startMs = performance.now();
    await work();
    if (run >= warmUps) tookMs.push(performance.now() - startMs);
  }
  return told(name, tookMs);
}

/** Sorted, and shown: progress for who waits, and what is left of a run that is cut short. */
export function told(name: string, values: readonly number[]): number[] {
  const tookMs = values.toSorted((a, b) => a - b);
  process.stderr.write(
    `${name}: median ${percentile(tookMs, 50).toFixed(1)} ms, worst ${tookMs.at(-1)?.toFixed(1)} ms\n`,
  );
  return tookMs;
}

export function percentile(values: readonly number[], percent: number): number {
  return values[Math.max(0, Math.ceil((percent / 100) * values.length) - 1)] ?? Number.NaN;
}

/** How many times longer the first takes, by the medians. */
export function ratio(slow: readonly number[], fast: readonly number[]): string {
  return `${(percentile(slow, 50) / percentile(fast, 50)).toFixed(1)} x`;
}

export function table(rows: readonly Figure[]): string {
  const cells = rows.map(({ name, tookMs, ratio: against, target }) => [
    name,
    String(tookMs.length),
    ...[50, 95, 99, 100].map((percent) => `${percentile(tookMs, percent).toFixed(0)} ms`),
    against ?? "",
    target ?? "",
  ]);
  const head = ["what", "runs", "median", "p95", "p99", "worst", "ratio", "target"];
  const widths = head.map((word, at) => Math.max(word.length, ...cells.map((row) => (row[at] ?? "").length)));
  const line = (row: string[]) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

import type { MemorySeries } from "../core/readings.ts";
import { humanBytes } from "../core/rule.ts";
import { html } from "./html.ts";

export interface MemoryChart {
  title: string;
  series: MemorySeries;
  /** When the kernel killed it; null for no mark. */
  killAtMs: number | null;
}

const WIDTH = 720;
const HEIGHT = 260;
const BOX = { left: 76, right: 16, top: 40, bottom: 36 };

/**
 * Memory over time as SVG: a line, the limit, a mark at the kill. Says the same in words for screen readers, and needs
 * no style or script. `id` keeps several on one page apart. Null below two points: that is no course over time.
 */
export function memoryChart(chart: MemoryChart, id: string): string | null {
  const { title, series, killAtMs } = chart;
  const points = series.points.toSorted((a, b) => a.atMs - b.atMs);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return null;
  const peak = points.reduce((most, point) => Math.max(most, point.bytes), 0);
  const fromMs = Math.min(first.atMs, killAtMs ?? first.atMs);
  const toMs = Math.max(last.atMs, killAtMs ?? last.atMs);
  const top = Math.max(peak, series.limitBytes ?? 0, 1) * 1.1;
  const x = (atMs: number) => round(BOX.left + ((atMs - fromMs) / (toMs - fromMs)) * (WIDTH - BOX.left - BOX.right));
  const y = (bytes: number) => round(HEIGHT - BOX.bottom - (bytes / top) * (HEIGHT - BOX.top - BOX.bottom));
  const path = points.map((point, at) => `${at === 0 ? "M" : "L"}${x(point.atMs)} ${y(point.bytes)}`).join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-words" font-family="Inter, sans-serif" font-size="12">`,
    `<title id="${id}-title">${html(title)}</title>`,
    `<desc id="${id}-words">${html(memoryWords(chart))}</desc>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(BOX.left, 22, title, 'font-size="14" font-weight="600"'),
    ...[0, 0.5, 1].map((share) => gridLine(y((top / 1.1) * share), humanBytes(Math.round((top / 1.1) * share)))),
    ...(series.limitBytes === null ? [] : limitLine(y(series.limitBytes), series.limitBytes)),
    `<path d="${path}" fill="none" stroke="#1264a3" stroke-width="2"/>`,
    ...(killAtMs === null ? [] : killMark(x(killAtMs))),
    text(BOX.left, HEIGHT - 12, `${clock(fromMs)} UTC`),
    text(WIDTH - BOX.right, HEIGHT - 12, `${clock(toMs)} UTC`, 'text-anchor="end"'),
    "</svg>",
    "",
  ].join("\n");
}

/** The chart in a sentence. */
export function memoryWords({ series, killAtMs }: MemoryChart): string {
  if (series.points.length === 0) return "Memory in use: no samples.";
  const peak = series.points.reduce((most, point) => Math.max(most, point.bytes), 0);
  const limit = series.limitBytes === null ? "no limit" : `a limit of ${humanBytes(series.limitBytes)}`;
  const kill = killAtMs === null ? "" : ` Killed at ${clock(killAtMs)} UTC.`;
  return `Memory in use, ${series.points.length} samples: highest ${humanBytes(peak)}, ${limit}.${kill}`;
}

function gridLine(y: number, label: string): string {
  return `<path d="M${BOX.left} ${y}H${WIDTH - BOX.right}" stroke="#dddddd"/>${text(BOX.left - 8, y + 4, label, 'text-anchor="end"')}`;
}

function limitLine(y: number, bytes: number): string[] {
  return [
    `<path d="M${BOX.left} ${y}H${WIDTH - BOX.right}" stroke="#b3261e" stroke-width="1.5" stroke-dasharray="6 4"/>`,
    text(WIDTH - BOX.right, y - 6, `limit ${humanBytes(bytes)}`, 'text-anchor="end" fill="#b3261e"'),
  ];
}

function killMark(x: number): string[] {
  const anchor = x > WIDTH / 2 ? "end" : "start";
  return [
    `<path d="M${x} ${BOX.top}V${HEIGHT - BOX.bottom}" stroke="#b3261e"/>`,
    text(
      x + (anchor === "end" ? -6 : 6),
      HEIGHT - BOX.bottom - 8,
      "OOM kill",
      `text-anchor="${anchor}" fill="#b3261e"`,
    ),
  ];
}

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x="${x}" y="${y}" ${attributes}>${html(words)}</text>`;
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

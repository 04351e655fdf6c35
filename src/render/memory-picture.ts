import type { MemoryCourse } from "../core/memory-course.ts";
import { humanBytes } from "../core/rule.ts";
import { type Color, createCanvas } from "./canvas.ts";
import { lettering } from "./lettering.ts";

/** Read on a phone too, where it is shown at a third of its size: few signs, and large ones. */
const WIDTH = 1080;
const HEIGHT = 540;
const BOX = { left: 200, right: 1040, top: 140, bottom: 462 };
const MARGIN = 40;
const UNIT = 5;
const INK: Color = [29, 28, 29];
const GREY: Color = [97, 96, 97];
const RULE: Color = [221, 221, 221];
const BLUE: Color = [18, 100, 163];
const RED: Color = [179, 38, 30];

/** The course of memory as a PNG on white, so that it reads the same in a dark client. */
export function memoryPicture(course: MemoryCourse): Buffer {
  const { points, limitBytes, startedAtMs, killedAtMs } = course;
  const known = [points[0]?.atMs, points.at(-1)?.atMs, startedAtMs, killedAtMs].filter(
    (atMs) => typeof atMs === "number",
  );
  const [fromMs, toMs] = [Math.min(...known), Math.max(...known)];
  const peak = Math.max(...points.map(({ bytes }) => bytes));
  const full = Math.max(limitBytes ?? peak, 1);
  const top = Math.max(full, peak) * 1.08;
  const x = (atMs: number) => BOX.left + ((atMs - fromMs) / Math.max(1, toMs - fromMs)) * (BOX.right - BOX.left);
  const y = (bytes: number) => BOX.bottom - (bytes / top) * (BOX.bottom - BOX.top);
  const canvas = createCanvas(WIDTH, HEIGHT);
  const upright = (atMs: number) => [
    { x: x(atMs), y: BOX.top },
    { x: x(atMs), y: BOX.bottom },
  ];
  for (const bytes of [0, full / 2, full]) {
    canvas.stroke(
      [
        { x: BOX.left, y: y(bytes) },
        { x: BOX.right, y: y(bytes) },
      ],
      2,
      RULE,
    );
    // Three digits and their unit are as much as the margin takes.
    const words = bytes === 0 ? "0" : humanBytes(Math.round(bytes)).replace(/(\d{3})\.\d/, "$1");
    const color = bytes === limitBytes ? RED : GREY;
    canvas.text(BOX.left - 20, y(bytes) - 3 * UNIT, words, { unit: UNIT, color, end: true });
    if (bytes === limitBytes)
      canvas.text(BOX.left - 20, y(bytes) + 5 * UNIT, "limit", { unit: UNIT, color, end: true });
  }
  const line = points.map(({ atMs, bytes }) => ({ x: x(atMs), y: y(bytes) }));
  canvas.fillBelow(line, BOX.bottom, BLUE, 0.14);
  canvas.stroke(line, 5, BLUE);
  if (limitBytes !== null) {
    for (let left = BOX.left; left < BOX.right; left += 26)
      canvas.stroke(
        [
          { x: left, y: y(limitBytes) },
          { x: Math.min(left + 15, BOX.right), y: y(limitBytes) },
        ],
        4,
        RED,
      );
  }
  if (startedAtMs !== null) canvas.stroke(upright(startedAtMs), 3, GREY);
  if (killedAtMs !== null) canvas.stroke(upright(killedAtMs), 4, RED);
  if (startedAtMs !== null) mark(canvas, x(startedAtMs), "started", GREY);
  if (killedAtMs !== null) mark(canvas, x(killedAtMs), "OOM kill", RED);
  canvas.text(MARGIN, 30, `Memory of ${fitting(course.container)}`, { unit: 6, color: INK, bold: true });
  canvas.text(BOX.left, HEIGHT - 54, clock(fromMs, toMs - fromMs), { unit: UNIT, color: GREY });
  canvas.text(BOX.right, HEIGHT - 54, `${clock(toMs, toMs - fromMs)} UTC`, { unit: UNIT, color: GREY, end: true });
  return canvas.png();
}

/** Above its line, and never over the edge. */
function mark(canvas: ReturnType<typeof createCanvas>, x: number, words: string, color: Color): void {
  const { width } = lettering(words, UNIT);
  const left = Math.min(Math.max(x - width / 2, BOX.left), BOX.right - width);
  canvas.text(left, BOX.top - 8 * UNIT, words, { unit: UNIT, color });
}

function fitting(name: string): string {
  const room = BOX.right - MARGIN - lettering("Memory of ...", 6).width;
  let kept = name;
  while (lettering(kept, 6).width > room) kept = kept.slice(0, -1);
  return kept === name ? name : `${kept}...`;
}

function clock(atMs: number, spanMs: number): string {
  const iso = new Date(atMs).toISOString();
  return spanMs >= 12 * 3_600_000 ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(11, 19);
}

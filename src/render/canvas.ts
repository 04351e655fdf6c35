import { crc32, deflateSync } from "node:zlib";
import { lettering, type Stroke } from "./lettering.ts";

export type Color = readonly [red: number, green: number, blue: number];

export interface Canvas {
  stroke(points: Stroke, width: number, color: Color): void;
  /** From the points down to `baseY`, mixed with what is there: `share` 0 to 1. */
  fillBelow(points: Stroke, baseY: number, color: Color, share: number): void;
  /** `x` is where the words begin, or end. They stand clear of lines behind them. */
  text(x: number, y: number, words: string, style: { unit: number; color: Color; bold?: boolean; end?: boolean }): void;
  png(): Buffer;
}

const WHITE: Color = [255, 255, 255];

/** A white sheet to draw on with soft edges. Pure: the same strokes give the same picture. */
export function createCanvas(width: number, height: number): Canvas {
  const pixels = new Uint8Array(width * height * 3).fill(255);
  const mix = (x: number, y: number, color: Color, share: number) => {
    const at = (y * width + x) * 3;
    for (let part = 0; part < 3; part += 1) {
      const old = pixels[at + part] as number;
      pixels[at + part] = Math.round(old + ((color[part] as number) - old) * share);
    }
  };
  const segment = (from: Stroke[number], to: Stroke[number], thick: number, color: Color) => {
    const reach = thick / 2 + 1;
    const [left, right] = span(from.x, to.x, reach, width);
    const [top, bottom] = span(from.y, to.y, reach, height);
    for (let y = top; y <= bottom; y += 1)
      for (let x = left; x <= right; x += 1) {
        const share = thick / 2 + 0.5 - distance({ x: x + 0.5, y: y + 0.5 }, from, to);
        if (share > 0) mix(x, y, color, Math.min(1, share));
      }
  };
  const stroke: Canvas["stroke"] = (points, thick, color) => {
    for (const [at, to] of points.entries()) {
      if (at > 0 || points.length === 1) segment(points[Math.max(0, at - 1)] ?? to, to, thick, color);
    }
  };
  return {
    stroke,
    fillBelow(points, baseY, color, share) {
      for (const [at, to] of points.entries()) {
        const from = points[at - 1];
        if (from === undefined || to.x <= from.x) continue;
        const [left, right] = [Math.max(0, Math.round(from.x)), Math.min(width, Math.round(to.x))];
        for (let x = left; x < right; x += 1) {
          const edge = from.y + ((x + 0.5 - from.x) / (to.x - from.x)) * (to.y - from.y);
          for (let y = Math.max(0, Math.round(edge)); y < Math.min(height, baseY); y += 1) mix(x, y, color, share);
        }
      }
    },
    text(x, y, words, { unit, color, bold = false, end = false }) {
      const line = lettering(words, unit);
      const placed = line.strokes.map((one) =>
        one.map((point) => ({ x: point.x + x - (end ? line.width : 0), y: point.y + y })),
      );
      const thick = unit * (bold ? 1.1 : 0.75);
      for (const one of placed) stroke(one, thick + unit * 1.6, WHITE);
      for (const one of placed) stroke(one, thick, color);
    },
    png: () => encodePng(pixels, width, height),
  };
}

function span(a: number, b: number, reach: number, end: number): [number, number] {
  return [Math.max(0, Math.floor(Math.min(a, b) - reach)), Math.min(end - 1, Math.ceil(Math.max(a, b) + reach))];
}

function distance(point: Stroke[number], from: Stroke[number], to: Stroke[number]): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((point.x - from.x) * dx + (point.y - from.y) * dy) / length;
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - from.x - share * dx, point.y - from.y - share * dy);
}

/** PNG, eight bits a colour, no alpha: signature, header, one data chunk, end (PNG specification, third edition). */
function encodePng(pixels: Uint8Array, width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = width * 3;
  const filtered = Buffer.alloc((row + 1) * height);
  for (let y = 0; y < height; y += 1) {
    // Each row as its difference from the one above: most of a chart repeats downwards.
    filtered[y * (row + 1)] = 2;
    for (let x = 0; x < row; x += 1) {
      const above = y === 0 ? 0 : (pixels[(y - 1) * row + x] as number);
      filtered[y * (row + 1) + 1 + x] = ((pixels[y * row + x] as number) - above) & 0xff;
    }
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(filtered, { level: 9 });
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

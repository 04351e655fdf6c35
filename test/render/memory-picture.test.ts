import { inflateSync } from "node:zlib";
import { expect, it } from "vitest";
import { memoryImage } from "../../src/render/memory-image.ts";
import { memoryPicture } from "../../src/render/memory-picture.ts";
import { notifications } from "../../src/slack/blocks/mrkdwn.ts";
import { courseOf, hostileText } from "./scenarios.ts";

interface Picture {
  width: number;
  height: number;
  at(x: number, y: number): string;
}

/** Reads a PNG as any viewer does: chunks, inflated, rows undone. Only what the program writes: RGB, filter "up". */
function decoded(png: Buffer): Picture {
  expect(png.subarray(0, 8).toString("hex")).toBe("89504e470d0a1a0a");
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const size = png.readUInt32BE(at);
    chunks.set(png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  const header = chunks.get("IHDR") as Buffer;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks.get("IDAT") as Buffer);
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    expect(rows[y * (width * 3 + 1)]).toBe(2);
    for (let x = 0; x < width * 3; x += 1) {
      const above = y === 0 ? 0 : (pixels[(y - 1) * width * 3 + x] as number);
      pixels[y * width * 3 + x] = ((rows[y * (width * 3 + 1) + 1 + x] as number) + above) & 0xff;
    }
  }
  return { width, height, at: (x, y) => pixels.toString("hex", (y * width + x) * 3, (y * width + x) * 3 + 3) };
}

const blue = "1264a3";
const red = "b3261e";

/** The height of the line in this column, from the foot of the plot; null where none is. */
function lineAt(picture: Picture, x: number): number | null {
  const y = Array.from({ length: 462 - 140 }, (_, at) => 140 + at).find((row) => picture.at(x, row) === blue);
  return y === undefined ? null : 462 - y;
}

it("draws growth as a rising line up to the red limit, and marks the kill", () => {
  const picture = decoded(memoryPicture(courseOf("leak")));
  expect([picture.width, picture.height, picture.at(0, 0)]).toEqual([1080, 540, "ffffff"]);
  const heights = [400, 600, 800, 1000].map((x) => lineAt(picture, x) ?? 0);
  expect(heights).toEqual(heights.toSorted((a, b) => a - b));
  expect(heights.at(-1)).toBeGreaterThan(2 * (heights[0] as number));
  expect(picture.at(205, 164)).toBe(red);
  expect(picture.at(1038, 400)).toBe(red);
});

it("draws a spike as a flat line far below the limit", () => {
  const picture = decoded(memoryPicture(courseOf("spike")));
  const heights = [400, 600, 800].map((x) => lineAt(picture, x) ?? 0);
  expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(10);
  expect(Math.max(...heights)).toBeLessThan(100);
});

it("is the same picture for the same samples, and small", () => {
  const png = memoryPicture(courseOf("leak"));
  expect(png.equals(memoryPicture(courseOf("leak")))).toBe(true);
  expect(png.length).toBeLessThan(64_000);
});

it("says the same figures above the picture and to who does not see it", () => {
  const image = memoryImage(courseOf("leak"));
  expect(image.comment).toBe(
    "*Memory of db on prod-1*: its memory climbed from 40 MiB to 250 MiB over 43 samples; limit 256 MiB, killed at 02:57:00 UTC [e4]. This is the shape of a leak.",
  );
  expect(image.altText).toBe(
    "Chart. Memory of db on prod-1: its memory climbed from 40 MiB to 250 MiB over 43 samples; limit 256 MiB, killed at 02:57:00 UTC [e4]. This is the shape of a leak.",
  );
  expect(image.filename).toBe("memory-db.png");
});

it("stays a picture of one limit and one line, whatever a host calls itself", () => {
  const hostile = { ...courseOf("leak"), container: hostileText, host: hostileText, words: hostileText.repeat(20) };
  const image = memoryImage(hostile);
  expect(decoded(Buffer.from(image.png, "base64")).width).toBe(1080);
  expect(image.filename).toMatch(/^memory-[A-Za-z0-9.-]{1,60}\.png$/);
  expect(image.altText.length).toBeLessThanOrEqual(1_000);
  expect(notifications({ text: image.comment, blocks: [] })).toEqual([]);
});

it("draws samples without limit, start and kill, and a use beyond the limit", () => {
  const bare = { ...courseOf("leak"), limitBytes: null, startedAtMs: null, killedAtMs: null };
  expect(decoded(memoryPicture(bare)).at(205, 164)).not.toBe(red);
  const beyond = { ...courseOf("leak"), limitBytes: 100 * 1024 ** 2 };
  expect(lineAt(decoded(memoryPicture(beyond)), 1000)).toBeGreaterThan(200);
});

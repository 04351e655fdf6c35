import type { EngineUsage } from "../core/readings.ts";
import { list, number, object } from "./json.ts";
import { type EvidenceSource, readJson } from "./reading.ts";

/** What images and build cache take of the engine's disk. */
export const dockerUsage: EvidenceSource<"docker-usage"> = {
  name: "docker-usage",
  read: (reader, planned, context) => readJson(reader, planned, { read: "usage" }, context, parseUsage),
};

/** `Containers` of an image is -1 where the engine did not count them. */
export function parseUsage(masked: unknown): EngineUsage {
  const root = object(masked);
  const images = list(root["Images"]).map(object);
  const caches = list(root["BuildCache"]).map(object);
  const unused = images.filter((image) => number(image["Containers"]) === 0);
  return {
    unusedImageBytes: sum(
      unused.map((image) => (number(image["Size"]) ?? 0) - Math.max(0, number(image["SharedSize"]) ?? 0)),
    ),
    buildCacheBytes: sum(caches.filter((cache) => cache["InUse"] !== true).map((cache) => number(cache["Size"]) ?? 0)),
  };
}

function sum(bytes: number[]): number {
  return bytes.reduce((total, one) => total + Math.max(0, one), 0);
}

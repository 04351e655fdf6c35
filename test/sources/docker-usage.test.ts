import { expect, it } from "vitest";
import { parseUsage } from "../../src/sources/docker-usage.ts";

it("adds up what no container uses, without layers that are shared", () => {
  const answer = {
    Images: [
      { Containers: 0, Size: 900, SharedSize: 200 },
      { Containers: 2, Size: 5_000, SharedSize: 0 },
      { Containers: -1, Size: 7_000, SharedSize: -1 },
    ],
    BuildCache: [
      { InUse: false, Size: 40 },
      { InUse: true, Size: 80 },
    ],
  };
  expect(parseUsage(answer)).toEqual({ unusedImageBytes: 700, buildCacheBytes: 40 });
});

it("takes an answer without lists as nothing to give back", () => {
  expect(parseUsage({ Images: null })).toEqual({ unusedImageBytes: 0, buildCacheBytes: 0 });
});

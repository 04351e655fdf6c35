import { defineConfig } from "vitest/config";

const named = process.env["ROOM137_MUTATION_TESTS"] ?? "test/slack/blocks";

/**
 * What Stryker runs for every mutant: the tests that name a behaviour, of the folder or the one file in
 * `ROOM137_MUTATION_TESTS`. Left out are those that run everything many times over (property tests, whole messages,
 * whole pages, recorded faults): they would kill a few mutants more and take an hour longer, so the score is a lower
 * bound.
 */
export default defineConfig({
  test: {
    include: [named.endsWith(".ts") ? named : `${named}/**/*.test.ts`],
    exclude: [
      "**/properties.test.ts",
      "test/slack/blocks/message.test.ts",
      "test/slack/blocks/render.test.ts",
      "test/core/replay.test.ts",
    ],
    env: { ROOM137_FC_RUNS: "25" },
    maxWorkers: 1,
    testTimeout: 30_000,
  },
});

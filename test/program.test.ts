import { expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import type { Reading } from "../src/core/evidence.ts";
import { assembleParts } from "../src/program.ts";

const partsOf = (yaml: string) =>
  assembleParts(
    loadConfig({
      env: { ROOM137_CONFIG: "room137.yaml" },
      readFile: (path) => (path === "room137.yaml" ? yaml : null),
    }),
  );

it("asks the Prometheus that the configuration names, and none where it names none", async () => {
  const list: Reading = {
    source: "docker-list",
    host: "h1",
    containerId: null,
    read: "GET /containers/json?all=1",
    atMs: 0,
    sha256: "",
    outcome: { status: "ok", value: [{ id: "ab".repeat(32) }] as never },
  };
  const parts = partsOf('prometheus: { url: "http://127.0.0.1:1/base" }');
  expect(await parts.recorded?.([list], 0)).toMatchObject([
    { source: "memory-series", host: "h1", read: "POST http://127.0.0.1:1/base/api/v1/query_range" },
  ]);
  expect(partsOf("").recorded).toBeUndefined();
});

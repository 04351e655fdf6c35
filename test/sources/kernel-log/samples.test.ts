import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toKernelLogJson } from "../../../src/sources/kernel-log/json.ts";
import { parseKernelLog } from "../../../src/sources/kernel-log/parse.ts";

const folder = process.env["ROOM137_OOM_SAMPLES"] ?? join(import.meta.dirname, "../../../../shared/oom-samples");

type Label = { kills: ({ evidence: string; kernelSeconds?: string } & Record<string, unknown>)[] };

describe("labelled logs from public sources", () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));

  test("are there", () => expect(names.length).toBeGreaterThanOrEqual(13));

  test.each(names)("%s", (name) => {
    const label = JSON.parse(readFileSync(join(folder, name), "utf8")) as Label;
    const log = parseKernelLog(readFileSync(join(folder, name.replace(/json$/, "txt")), "utf8"));
    const expected = label.kills.map(({ evidence, kernelSeconds: _, ...fields }) => ({
      ...fields,
      confirmed: evidence === "killed-line",
    }));
    expect(toKernelLogJson(log)).toEqual({ schemaVersion: 1, kills: expected });
    label.kills.forEach((kill, i) => {
      if (kill.kernelSeconds !== undefined) expect(log.kills[i]?.kernelSeconds).toBe(Number(kill.kernelSeconds));
    });
  });
});

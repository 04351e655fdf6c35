import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import { type Incident, replay } from "../../src/core/replay.ts";
import { memoryChart } from "../../src/render/chart.ts";
import { exporters } from "../../src/render/exports.ts";
import { postmortem } from "../../src/render/postmortem.ts";
import { evidenceText, FC_RUNS } from "../slack/blocks/arbitrary.ts";
import { hostileStory, scenarios } from "./scenarios.ts";
import { foundingPlan, openedAtMs } from "./story.ts";

type Entries = (typeof scenarios)[string];

function exported(format: string, entries: Entries, readings: Reading[] = []) {
  const write = exporters[format];
  if (write === undefined) throw new Error(`no format ${format}`);
  return write(replay(entries) as Incident, entries, readings);
}

const founding = scenarios["founding-incident-recovered"] as Entries;
const whole = (entries: Entries) => postmortem(replay(entries) as Incident, entries, []);

describe.each(Object.entries(scenarios))("%s", (name, entries) => {
  it("exports as its golden Markdown", async () => {
    await expect(exported("md", entries).text).toMatchFileSnapshot(`golden/export-${name}.md`);
  });
});

describe.each(["html", "json", "csv"])("%s", (format) => {
  it.each(["founding-incident-recovered", "hostile-texts"])("exports %s as its golden file", async (name) => {
    const { text, filename } = exported(format, scenarios[name] as Entries);
    expect(filename).toMatch(new RegExp(`^incident-[A-Za-z0-9-]+\\.${format}$`));
    await expect(text).toMatchFileSnapshot(`golden/export-${name}.${format}.txt`);
  });
});

describe("postmortem", () => {
  it("keeps every step, who, when and the evidence behind it", () => {
    const report = whole(founding);
    expect(report.timeline.map((row) => row.seq)).toEqual(founding.map((entry) => entry.seq));
    const approval = report.timeline.find((row) => row.kind === "approved");
    expect(approval).toMatchObject({ who: "Ben", userId: "U0BEN", at: "2026-01-01T03:01:06.000Z" });
    expect(report.timeline.find((row) => row.kind === "diagnosed")?.evidence).toEqual([
      "e1",
      "e2",
      "e3",
      "e4",
      "e5",
      "e6",
    ]);
    expect(report.decisions[0]).toMatchObject({
      hash: foundingPlan.hash,
      proposedFor: "U0ANA",
      approvers: ["U0BEN"],
      status: "executed",
    });
  });

  it("measures the impact from the kill to the proven recovery", () => {
    expect(whole(founding).impact).toEqual({
      onsetAt: "2026-01-01T02:56:59.900Z",
      onsetFrom: "docker events [e2]",
      recoveredAt: "2026-01-01T03:01:22.000Z",
      durationMs: 262_100,
    });
  });

  it("knows no onset without a proven cause, and no recovery that was not proven", () => {
    expect(whole(scenarios["inconclusive"] as Entries).impact).toMatchObject({ onsetAt: null, durationMs: null });
    expect(whole(scenarios["not-recovered"] as Entries).impact).toMatchObject({ recoveredAt: null, durationMs: null });
  });

  it("asks for a review where the glass was broken or a step is unknown, and nowhere else", () => {
    const asking = Object.entries(scenarios).filter(([, entries]) => whole(entries).reviewItems.length > 0);
    expect(asking.map(([name]) => name)).toEqual(["restarted-unknown", "break-glass", "hostile-texts"]);
  });

  it("draws recorded memory into the page and says it in Markdown", () => {
    const reading: Reading<"memory-series"> = {
      source: "memory-series",
      host: "prod-1",
      containerId: foundingPlan.steps[0]?.action.containerId ?? null,
      read: "recorder",
      atMs: openedAtMs,
      sha256: "ab".repeat(32),
      outcome: {
        status: "ok",
        value: {
          points: [0, 60_000, 120_000].map((afterMs, at) => ({
            atMs: openedAtMs - 300_000 + afterMs,
            bytes: (at + 1) * 80 * 1024 ** 2,
          })),
          limitBytes: 256 * 1024 ** 2,
        },
      },
    };
    const page = exported("html", founding, [reading as Reading]).text;
    expect(page).toContain("<svg ");
    expect(page).toContain("highest 240 MiB, a limit of 256 MiB. Killed at 02:56:59 UTC.");
    expect(exported("md", founding, [reading as Reading]).text).toContain(
      "Memory of db on prod-1: Memory in use, 3 samples",
    );
    expect(JSON.parse(exported("json", founding, [reading as Reading]).text).readings[0].sha256).toBe("ab".repeat(32));
  });
});

describe("whatever a host or a person writes", () => {
  const options = { numRuns: Math.ceil(FC_RUNS / 5) };

  it("stays text in Markdown", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const prose = withoutCode(exported("md", hostileStory(text)).text);
        expect(prose).not.toMatch(/[<>[\]`*_~&]|:\/\/|www\.|@/);
        const items = prose.split("\n").flatMap((line) => /^(?:- |\d+\. )(.*)$/.exec(line)?.[1] ?? []);
        for (const item of items) expect(item).not.toMatch(/^\s*(?:#+ |[-+=*]+(?: |$)|\d+[.)](?: |$))/);
      }),
      options,
    );
  });

  it("stays the same value in JSON, without a character that a terminal obeys", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const json = exported("json", hostileStory(text)).text;
        expect(json).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u200b]/);
        expect(JSON.parse(json)).toMatchObject({ schemaVersion: 1, service: text });
      }),
      options,
    );
  });

  it("stays text in HTML", { timeout: 300_000 }, () => {
    const known = new Set(
      tagsOf(exported("html", founding).text).concat(
        tagsOf(exported("html", scenarios["hostile-texts"] as Entries).text),
      ),
    );
    expect([...known].filter((tag) => /script|href|src=|style=| on/i.test(tag))).toEqual([]);
    fc.assert(
      fc.property(evidenceText, (text) => {
        const tags = tagsOf(exported("html", hostileStory(text)).text);
        expect(tags.filter((tag) => !known.has(tag))).toEqual([]);
      }),
      options,
    );
  });

  it("stays a cell in CSV, and never a formula", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        for (const row of parseCsv(exported("csv", hostileStory(text)).text)) {
          expect(row).toHaveLength(9);
          for (const cell of row) expect(cell).not.toMatch(/^\s*[=+\-@|]|[\r\n]/);
        }
      }),
      options,
    );
  });
});

describe("memory chart", () => {
  const series = { points: [{ atMs: openedAtMs, bytes: 1 }], limitBytes: null };

  it("is not drawn from a single sample", () => {
    expect(memoryChart({ title: "db", series, killAtMs: null }, "c")).toBeNull();
  });

  it("keeps every coordinate inside the picture, whatever the samples", () => {
    const point = fc.record({ atMs: fc.integer({ min: 0, max: 4e12 }), bytes: fc.integer({ min: 0, max: 2 ** 45 }) });
    const limit = fc.option(fc.integer({ min: 1, max: 2 ** 45 }));
    fc.assert(
      fc.property(
        fc.array(point, { minLength: 2, maxLength: 30 }),
        limit,
        fc.option(fc.integer({ min: 0, max: 4e12 })),
        (points, limitBytes, killAtMs) => {
          const svg = memoryChart({ title: "<b>", series: { points, limitBytes }, killAtMs }, "c");
          if (svg === null) return;
          const line = /d="(M[^"]+)" fill="none"/.exec(svg)?.[1] ?? "";
          const numbers = [...line.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g)];
          expect(numbers).toHaveLength(points.length);
          for (const [, x, y] of numbers) {
            expect(Number(x)).toBeGreaterThanOrEqual(0);
            expect(Number(x)).toBeLessThanOrEqual(720);
            expect(Number(y)).toBeGreaterThanOrEqual(0);
            expect(Number(y)).toBeLessThanOrEqual(260);
          }
          expect(svg).not.toContain("<b>");
        },
      ),
    );
  });
});

/** Markdown with an x for what is never parsed: fences, code spans, escaped characters; read from left to right as CommonMark is. */
function withoutCode(text: string): string {
  const kept: string[] = [];
  let fence: string | null = null;
  for (const line of text.split("\n")) {
    const ticks = /^(`{3,})(?:text)?$/.exec(line)?.[1] ?? null;
    if (fence === null && ticks !== null) fence = ticks;
    else if (fence !== null && ticks === fence) fence = null;
    else if (fence === null) kept.push(line.replace(/\\[!-/:-@[-`{-~]|(`+)(?!`).*?(?<!`)\1(?!`)/g, "x"));
  }
  return kept.join("\n");
}

function tagsOf(page: string): string[] {
  return page.match(/<[^>]*>/g) ?? [];
}

function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let at = 0;
  for (const match of text.matchAll(/"((?:[^"]|"")*)"(,|\r\n)/g)) {
    expect(match.index).toBe(at);
    at += match[0].length;
    rows.at(-1)?.push((match[1] ?? "").replaceAll('""', '"'));
    if (match[2] !== ",") rows.push([]);
  }
  expect(at).toBe(text.length);
  return rows.slice(0, -1);
}

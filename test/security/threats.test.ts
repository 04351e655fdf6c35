import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const page = readFileSync("SECURITY.md", "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| **"));

/** Every file and title that a row names as its proof. */
function proofsOf(row: string): { file: string; title: string }[] {
  return row
    .split("`test/")
    .slice(1)
    .flatMap((part) => {
      const file = `test/${part.slice(0, part.indexOf("`"))}`;
      return [...part.matchAll(/"([^"]+)"/g)].map((match) => ({ file, title: match[1] ?? "" }));
    });
}

it("answers each threat with what stops it, what remains, and a proof", () => {
  expect(rows.length).toBeGreaterThanOrEqual(17);
  const incomplete = rows.filter((row) => row.split(" | ").length !== 4 || proofsOf(row).length === 0);
  expect(incomplete).toEqual([]);
});

it("names as proof only tests that are there", () => {
  const missing = rows
    .flatMap(proofsOf)
    .filter(({ file, title }) => !existsSync(file) || !readFileSync(file, "utf8").includes(title));
  expect(missing).toEqual([]);
});

it("tells how to report, and names no person", () => {
  expect(page).toContain("Report a vulnerability");
  expect(page).not.toMatch(/[\w.]+@[\w.]+\.\w+/);
});

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { labUnavailable } from "./lab/lab.ts";

/**
 * `npm test`: types, lint, dead code, then every test project one after the other, because the lab changes the
 * machine's network under a browser. The last line counts what the test runner counted. In CI a skipped test fails.
 */
const inCi = Boolean(process.env["CI"]);
const totals = { passed: 0, failed: 0, skipped: 0 };
let broken = false;

for (const [name, command, ...args] of [
  ["types", "tsc", "--noEmit"],
  ["types of the page", "tsc", "--noEmit", "-p", "src/local-room/page"],
  ["lint", "biome", "check", "--error-on-warnings", "."],
  ["dead code", "knip"],
] as const) {
  heading(name);
  if ((await run(command, args)) !== 0) broken = true;
}

const unavailable = labUnavailable();
if (unavailable !== null) console.error(`\n!!! THE LAB IS SKIPPED: ${unavailable}\n`);
for (const project of ["unit", "browser", "lab"]) {
  if (project !== "unit" && unavailable !== null) {
    totals.skipped += 1;
    continue;
  }
  heading(`tests: ${project}`);
  await runProject(project);
}

if (broken) {
  console.error("\ntypes, lint or dead code failed: see above");
  totals.failed += 1;
}
if (inCi && totals.skipped > 0) console.error("\na skipped test is a failure in CI");
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`,
);
process.exitCode = totals.failed > 0 || (inCi && totals.skipped > 0) ? 1 : 0;

async function runProject(project: string): Promise<void> {
  const file = `test-artifacts/${project}.json`;
  mkdirSync("test-artifacts", { recursive: true });
  rmSync(file, { force: true });
  const code = await run("vitest", [
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
  ]);
  const counted = counts(file);
  totals.passed += counted.passed;
  totals.failed += counted.failed;
  totals.skipped += counted.skipped;
  // A file that could not be loaded, or an error outside any test, fails the run without failing a test.
  if (code !== 0 && counted.failed === 0) totals.failed += 1;
}

function counts(file: string): { passed: number; failed: number; skipped: number } {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(file, "utf8"));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", (error) => {
      console.error(`${command} could not be run: ${error.message}`);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
}

function heading(name: string): void {
  console.log(`\n--- ${name}`);
}

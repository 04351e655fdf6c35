import { existsSync, readFileSync } from "node:fs";
import { runCli, type Terminal } from "./cli.ts";
import { createCommands } from "./commands.ts";

/** The composition root: the world as it is, and nothing else. */
const version = packageVersion();
const world = { env: process.env, readFile: (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : null) };
const terminal: Terminal = {
  print: (text) => {
    process.stdout.write(`${text}\n`);
  },
  complain: (line) => {
    process.stderr.write(`${line}\n`);
  },
  version,
};
const style = { color: process.stdout.isTTY === true, width: Math.min(process.stdout.columns ?? 80, 100) };
const commands = createCommands({
  world,
  terminal,
  style,
  stdin: process.stdin,
  // Loaded only when asked for: a question in the terminal should not wait for Slack's libraries.
  start: async () => (await import("./serve.ts")).serve({ world, terminal }),
  drill: async () => (await import("./drill.ts")).drill({ world, terminal }),
});
// A reader that closes early (`| head`) ends the output, not the program.
process.stdout.on("error", () => process.exit(0));
const code = await runCli(process.argv.slice(2), commands, terminal);
// Kept connections and timers must not keep a finished command alive; what was printed leaves first.
process.stdout.write("", () => process.exit(code));

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

import { Command, CommanderError } from "commander";
import type { Symptom } from "./core/diagnosis.ts";
import { Fault } from "./core/result.ts";

/** Exit codes of the contract, section 4. */
export const exitCode = { answered: 0, findings: 1, usage: 2, unreachable: 3 } as const;

/** What the commands do; each resolves to the exit code. Text for people and JSON go to stdout through `print`. */
export interface Commands {
  start(): Promise<number>;
  drill(): Promise<number>;
  doctor(json: boolean): Promise<number>;
  why(service: string, symptom: Symptom, host: string | null, json: boolean): Promise<number>;
  hostsList(json: boolean): Promise<number>;
  hostsCheck(host: string | null, json: boolean): Promise<number>;
  guardrails(host: string | null, json: boolean): Promise<number>;
  lint(files: string[], json: boolean): Promise<number>;
  timelineList(json: boolean): Promise<number>;
  timelineExport(incident: string, format: string): Promise<number>;
  auditVerify(noted: string | null, json: boolean): Promise<number>;
  kernelLog(file: string, json: boolean): Promise<number>;
}

export interface Terminal {
  print(text: string): void;
  complain(line: string): void;
  version: string;
}

/** Parses the words and runs one command. Never throws: what goes wrong is one line on stderr and an exit code. */
export async function runCli(argv: string[], commands: Commands, terminal: Terminal): Promise<number> {
  let code: number = exitCode.answered;
  const program = buildProgram(commands, terminal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

function explain(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCode.answered;
    return exitCode.usage;
  }
  if (error instanceof Fault) {
    terminal.complain(`${error.message.replaceAll("\n", "; ").replace(/\.$/, "")}; ${error.next}`);
    return error.code === "config-invalid" ? exitCode.usage : exitCode.unreachable;
  }
  const reason = error instanceof Error ? error.message : String(error);
  terminal.complain(
    `room137 met something it does not know: ${oneLine(reason)}; please report it with LOG_LEVEL=debug output`,
  );
  return exitCode.unreachable;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 500);
}

function buildProgram(commands: Commands, terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command("room137");
  program
    .description(
      "Incident rooms for Docker hosts: from the symptom to the culprit, with evidence, approval and a timeline.",
    )
    .version(terminal.version)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.complain(`${usageComplaint(text)}; see room137 --help`),
    });
  addServing(program, commands, done);
  addQuestions(program, commands, done);
  addRecords(program, commands, done);
  return program;
}

/** Where no command was given, the parser writes its whole help: that is asked for with --help. */
function usageComplaint(text: string): string {
  const lacking = /^Usage: (\w+(?: [a-z]\S*)*)/.exec(text)?.[1];
  return lacking === undefined
    ? oneLine(text.replace(/^error: /, "")).trim()
    : `no command was given after "${lacking}"`;
}

type Done = (code: number) => void;

function addServing(program: Command, commands: Commands, done: Done): void {
  program
    .command("start", { isDefault: false })
    .description("run the bot, or the local room when no Slack is configured")
    .action(async () => done(await commands.start()));
  program
    .command("drill")
    .description("break a real database in a private lab and open a room for it")
    .action(async () => done(await commands.drill()));
  program
    .command("doctor")
    .description("check configuration, store, Slack and every host")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => done(await commands.doctor(options.json === true)));
}

function addQuestions(program: Command, commands: Commands, done: Done): void {
  for (const [name, symptom, about] of [
    ["why-500", "http-500", "find out why a service answers 500"],
    ["why", "any", "find out what is wrong with a service: down, slow, restarting"],
  ] as const) {
    program
      .command(`${name} <service>`)
      .description(about)
      .option("--host <name>", "look at this host only")
      .option("--json", "print the diagnosis as one JSON object")
      .action(async (service: string, options: { host?: string; json?: boolean }) =>
        done(await commands.why(service, symptom, options.host ?? null, options.json === true)),
      );
  }
  const hosts = program.command("hosts").description("registered hosts");
  hosts
    .command("list")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => done(await commands.hostsList(options.json === true)));
  hosts
    .command("check [host]")
    .option("--json", "print JSON")
    .action(async (host: string | undefined, options: { json?: boolean }) =>
      done(await commands.hostsCheck(host ?? null, options.json === true)),
    );
  program
    .command("guardrails")
    .description("memory and restart hazards that would cause the next incident")
    .option("--host <name>", "look at this host only")
    .option("--json", "print JSON")
    .action(async (options: { host?: string; json?: boolean }) =>
      done(await commands.guardrails(options.host ?? null, options.json === true)),
    );
  program
    .command("lint <files...>")
    .description("the same hazards in compose files, before they are deployed")
    .option("--json", "print JSON")
    .action(async (files: string[], options: { json?: boolean }) =>
      done(await commands.lint(files, options.json === true)),
    );
  program
    .command("kernel-log <file>")
    .description("who was OOM-killed, by whose limit, from dmesg, journalctl, syslog or kmsg text (- for stdin)")
    .option("--json", "print JSON")
    .action(async (file: string, options: { json?: boolean }) =>
      done(await commands.kernelLog(file, options.json === true)),
    );
}

function addRecords(program: Command, commands: Commands, done: Done): void {
  const timeline = program.command("timeline").description("recorded incidents");
  timeline
    .command("list")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => done(await commands.timelineList(options.json === true)));
  timeline
    .command("export <incident>")
    .requiredOption("--format <format>", "md, html, json or csv")
    .action(async (incident: string, options: { format: string }) =>
      done(await commands.timelineExport(incident, options.format)),
    );
  program
    .command("audit")
    .description("the hash chain over every recorded row")
    .command("verify")
    .option("--head <head>", "a head noted earlier: <position>:<hash>")
    .option("--json", "print JSON")
    .action(async (options: { head?: string; json?: boolean }) =>
      done(await commands.auditVerify(options.head ?? null, options.json === true)),
    );
}

import { parseArgs } from "node:util";
import { breakShop, FAULTS, isFault } from "./faults.ts";
import { attachLab, type Lab, labDir, startLab } from "./lab.ts";
import { clearShop, type ShopOptions, stageDecoys, stageWebAndDb } from "./stage.ts";
import { takeDown } from "./takedown.ts";

const USAGE = `usage: node test/lab/cli.ts <command> --name <name> [--dir <folder>]
  up [--detach] [--incident] [--keep] [--private]   start a lab and print how to reach it
  show                                              print it again
  stage [--restart <policy>] [--db-address published|extra-host|name] [--compose] [--shell] [--decoys]
  clear                                             remove what stage made
  fault <${FAULTS.join("|")}>
  down                                              take it down`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", default: "dev" },
      dir: { type: "string" },
      detach: { type: "boolean", default: false },
      incident: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      private: { type: "boolean", default: false },
      restart: { type: "string", default: "no" },
      "db-address": { type: "string", default: "published" },
      compose: { type: "boolean", default: false },
      shell: { type: "boolean", default: false },
      decoys: { type: "boolean", default: false },
    },
  });
  const dir = values.dir ?? labDir(values.name);
  const [command, fault] = positionals;
  switch (command) {
    case "up": {
      const lab = await startLab({
        ...values,
        dir,
        engine: values.private ? "private" : "auto",
        log: tell,
      });
      if (values.incident) {
        await stageWebAndDb(lab, {});
        await breakShop(lab, "oom-kill");
      }
      print(lab);
      if (!values.detach) await new Promise((resolve) => setInterval(resolve, 2 ** 30));
      return 0;
    }
    case "show":
      print(attachLab(values.name, dir));
      return 0;
    case "stage": {
      const lab = attachLab(values.name, dir);
      console.log(JSON.stringify(await stageWebAndDb(lab, shopOptions(values))));
      if (values.decoys) await stageDecoys(lab);
      return 0;
    }
    case "clear":
      await clearShop(attachLab(values.name, dir));
      return 0;
    case "fault":
      if (!isFault(fault)) break;
      await breakShop(attachLab(values.name, dir), fault, shopOptions(values));
      return 0;
    case "down":
      await takeDown(dir, { keep: values.keep });
      return 0;
  }
  tell(USAGE);
  return 2;
}

interface ShopFlags {
  restart: string;
  "db-address": string;
  compose: boolean;
  shell: boolean;
}

function shopOptions(flags: ShopFlags): ShopOptions {
  const dbAddress = flags["db-address"];
  if (dbAddress !== "published" && dbAddress !== "extra-host" && dbAddress !== "name") {
    throw new Error(`--db-address is published, extra-host or name, not "${dbAddress}"`);
  }
  return {
    dbAddress,
    restartPolicy: flags.restart,
    compose: flags.compose,
    dbEntrypoint: flags.shell ? "shell" : "exec",
  };
}

function print({ dockerSocket, ssh, dir }: Lab): void {
  console.log(JSON.stringify({ dockerSocket, ssh, dir }));
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

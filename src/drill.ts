import { existsSync } from "node:fs";
import { exitCode, type Terminal } from "./cli.ts";
import type { Config, ConfigWorld, HostConfig } from "./config.ts";
import { loadConfig } from "./config.ts";
import { Fault } from "./core/result.ts";
import { startService } from "./serve.ts";

/** `room137 drill`: a real database, really killed by the kernel, in a lab of its own, and a room to play it through. */
export async function drill(deps: { world: ConfigWorld; terminal: Terminal }): Promise<number> {
  const { terminal } = deps;
  const folder = new URL("../test/lab/", import.meta.url);
  if (!existsSync(folder)) {
    throw new Fault(
      "config-invalid",
      "the drill needs a checkout, this is an installed image",
      "clone the repository and run: npm ci && npm run drill",
    );
  }
  const { startLab, labUnavailable } = await import(new URL("lab.ts", folder).href);
  const { stageWebAndDb } = await import(new URL("stage.ts", folder).href);
  const { oomKillDb } = await import(new URL("faults.ts", folder).href);
  const unavailable: string | null = labUnavailable();
  if (unavailable !== null) throw new Fault("config-invalid", unavailable, "run the drill there");
  terminal.complain(
    "starting a private lab: a Docker engine, an SSH server, a web service and its database (a minute or two the first time)",
  );
  const lab = await startLab({
    name: `drill-${process.pid}`,
    engine: "private",
    log: (line: string) => terminal.complain(`  ${line}`),
  });
  try {
    await stageWebAndDb(lab, { compose: true });
    terminal.complain("breaking the database: its memory limit is too tight for what it is asked to do");
    await oomKillDb(lab);
    const { host: address, port, user, identityFile, hostKey } = lab.ssh;
    const ssh = {
      local: false as const,
      address,
      alias: null,
      port,
      user,
      identityFile,
      agentSocket: null,
      remediateIdentityFile: null,
      remediateUser: null,
      hostKey,
      knownHostsFile: null,
    };
    const host: HostConfig = {
      name: "prod-1",
      dockerSocket: lab.dockerSocket,
      remediateDockerSocket: null,
      kernelLog: "auto",
      labels: { env: "drill" },
      ...ssh,
    };
    const base = loadConfig({ ...deps.world, readFile: () => null });
    const config: Config = {
      ...base,
      slack: { mode: "local-room" },
      hosts: [host],
      database: { kind: "sqlite", path: `${lab.dir}/drill.db` },
    };
    const service = await startService(config, deps);
    terminal.print(
      `\nThe pager says: web answers 500 on everything that reads data.\n\n  1. open ${service.url}\n  2. in #incidents type: /why-500 web\n  3. read the thread, then switch to somebody else and press Approve\n\nCtrl-C takes everything down.`,
    );
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    });
    await service.stop();
  } finally {
    await lab.stop();
  }
  return exitCode.answered;
}

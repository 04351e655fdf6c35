import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { exitCode, type Terminal } from "./cli.ts";
import type { Config, ConfigWorld, HostConfig } from "./config.ts";
import { loadConfig } from "./config.ts";
import { Fault } from "./core/result.ts";
import { loadRecording } from "./drill/recording.ts";
import { replayHost, replayNotice, replayParts } from "./drill/replay.ts";
import { systemClock } from "./program.ts";
import { type Service, startService } from "./serve.ts";

interface DrillDeps {
  world: ConfigWorld;
  terminal: Terminal;
}

/**
 * `room137 drill`: a real database, really killed by the kernel, in a lab of its own, and a room to play it through.
 * Where no lab can be had a recording of one is replayed, and every line of it says so.
 */
export async function drill(deps: DrillDeps): Promise<number> {
  const base: Config = { ...loadConfig(withoutFile(deps.world)), slack: { mode: "local-room" } };
  await requireFreePort(base.listen);
  const told = stopTold(deps.terminal);
  const lab = await startedLab(deps.terminal);
  if ("missing" in lab) {
    deps.terminal.complain(`no real lab here: ${lab.missing}`);
    return playUntil(await startReplay(base, deps), told, deps.terminal, replayNotice);
  }
  try {
    await lab.breakDatabase();
    const database = { kind: "sqlite" as const, path: `${lab.dir}/drill.db` };
    const service = await startService({ ...base, hosts: [lab.host], database }, deps);
    return await playUntil(service, told, deps.terminal, "The lab is real, and private to this drill.");
  } finally {
    await lab.stop();
  }
}

/** The drill has a host and people of its own, whatever is configured here. */
function withoutFile({ env }: ConfigWorld): ConfigWorld {
  return { env: { ...env, ROOM137_CONFIG: undefined }, readFile: () => null };
}

/** The room over the recording. Nothing is kept: its store is in memory. */
export function startReplay(base: Config, deps: DrillDeps): Promise<Service> {
  const recording = loadRecording();
  const config: Config = {
    ...base,
    hosts: [replayHost(recording)],
    database: { kind: "sqlite", path: ":memory:" },
  };
  return startService(config, { ...deps, assemble: (ready) => replayParts(recording, ready, systemClock) });
}

async function playUntil(service: Service, told: Promise<void>, terminal: Terminal, label: string): Promise<number> {
  terminal.print(
    `\n${label}\nThe pager says: web answers 500 on everything that reads data.\n\n  1. open ${service.url}\n  2. in #incidents type: /why-500 web\n  3. read the thread, then switch to somebody else and press Approve\n\nCtrl-C takes everything down.`,
  );
  await told;
  await service.stop();
  return exitCode.answered;
}

/** Kept for good: an impatient second Ctrl-C must not leave half a lab behind. */
function stopTold(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        terminal.complain("taking everything down");
        resolve();
      });
    }
  });
}

/** Asked before the minute that a lab takes. */
function requireFreePort({ port, address }: Config["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => {
      const what = `listening on ${address}:${port}: ${error.message}`;
      reject(new Fault("config-invalid", what, "choose another PORT or end what uses it"));
    });
    probe.listen(port, address, () => probe.close(() => resolve()));
  });
}

interface DrillLab {
  dir: string;
  host: HostConfig;
  breakDatabase(): Promise<void>;
  stop(): Promise<void>;
}

/** The lab lives with the tests, which an installed image does not have; hence the imports by path. */
async function startedLab(terminal: Terminal): Promise<DrillLab | { missing: string }> {
  const folder = new URL("../test/lab/", import.meta.url);
  if (!existsSync(folder))
    return { missing: "this is an installed image; a checkout has one (npm run drill, as root)" };
  const { startLab, labUnavailable } = await import(new URL("lab.ts", folder).href);
  const { stageWebAndDb } = await import(new URL("stage.ts", folder).href);
  const { oomKillDb } = await import(new URL("faults.ts", folder).href);
  const missing: string | null = labUnavailable();
  if (missing !== null) return { missing };
  terminal.complain(
    "starting a private lab: a Docker engine, an SSH server, a web service and its database (a minute or two the first time)",
  );
  const log = (line: string) => terminal.complain(`  ${line}`);
  const started = await startLab({ name: `drill-${process.pid}`, engine: "private", log }).catch(
    (error: Error) => error,
  );
  if (started instanceof Error) return { missing: `the lab could not be started: ${started.message}` };
  return {
    dir: started.dir,
    host: labHost(started),
    async breakDatabase() {
      await stageWebAndDb(started, { compose: true });
      terminal.complain("breaking the database: its memory limit is too tight for what it is asked to do");
      await oomKillDb(started);
    },
    stop: () => started.stop(),
  };
}

interface LabLogin {
  dockerSocket: string;
  ssh: { host: string; port: number; user: string; identityFile: string; hostKey: string };
}

function labHost({ dockerSocket, ssh }: LabLogin): HostConfig {
  const { host: address, port, user, identityFile, hostKey } = ssh;
  return {
    name: "prod-1",
    local: false,
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
    dockerSocket,
    remediateDockerSocket: null,
    kernelLog: "auto",
    labels: { env: "drill" },
  };
}

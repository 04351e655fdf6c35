import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { CRASH_LOOP_RESTARTS, FAULT_TIMEOUT_MS } from "./limits.ts";
import { eventually } from "./processes.ts";
import { dbSession, redeployWeb, type ShopOptions, until, webUrlOf } from "./stage.ts";
import { untilStatus } from "./web-probe.ts";

/** What can be done to the shop, each resolving when the fault is really there and web has met it. */
export const FAULTS = ["oom-kill", "kill", "stop-past-grace", "oom-kill-child", "stop", "break-web"] as const;
export type FaultName = (typeof FAULTS)[number];

export function isFault(name: string | undefined): name is FaultName {
  return FAULTS.some((fault) => fault === name);
}

export async function breakShop(lab: Lab, fault: FaultName, options: ShopOptions = {}): Promise<void> {
  switch (fault) {
    case "oom-kill":
      return oomKillDb(lab);
    case "kill":
      return killDb(lab);
    case "stop-past-grace":
      return stopDbPastGrace(lab);
    case "oom-kill-child":
      return oomKillDbChild(lab);
    case "stop":
      return stopDb(lab);
    case "break-web":
      return breakWeb(lab, options);
  }
}

/**
 * With a user name map of this many lines PostgreSQL 15 needs 318 MiB (measured, to within 5 MiB): more than the 256 MiB
 * it has, less than the 384 MiB that half as much again would give it.
 */
const IDENT_LINES = 340_000;

/**
 * The kernel kills db's process 1 at the container's own limit. The server's main process reads its user name map
 * itself, into its own memory: a map that has grown too large takes it over the limit at the reload and again at every
 * start, until the limit is raised. Docker's events show nothing but the kill: nobody ran exec. (A hungry query would not do: the kernel would kill that session's process, and the
 * main process would go on.)
 */
export async function oomKillDb(lab: Lab): Promise<void> {
  const folder = (await lab.docker("volume", "inspect", "--format", "{{.Mountpoint}}", "db-data")).trim();
  const line = (n: number) => `provisioned "user${n}@example.org" app\n`;
  await appendFile(join(folder, "pg_ident.conf"), Array.from({ length: IDENT_LINES }, (_, n) => line(n)).join(""));
  // Not through Docker: `docker kill -s HUP` would count as a person's stop and switch the restart policy off.
  process.kill(Number(await lab.docker("inspect", "--format", "{{.State.Pid}}", "db")), "SIGHUP");
  const policy = (await lab.docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "db")).trim();
  if (policy === "no") {
    await until(
      lab,
      "db",
      "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}",
      (now) => now === "exited 137 true",
    );
  } else {
    await until(lab, "db", "{{.RestartCount}}", (count) => Number(count) >= CRASH_LOOP_RESTARTS);
  }
  await meetFault(lab);
}

/** `docker kill`: 137 without any memory problem. */
export async function killDb(lab: Lab): Promise<void> {
  await lab.docker("kill", "db");
  await until(lab, "db", STATE, (now) => now === "exited 137");
  await meetFault(lab);
}

/** `docker stop` runs out of its grace: the server waits for a session that stays, or process 1 does not know TERM. */
export async function stopDbPastGrace(lab: Lab): Promise<void> {
  const session = await dbSession(lab);
  await lab.docker("stop", "--time", "3", "db");
  await session.end().catch(() => {});
  await until(lab, "db", STATE, (now) => now === "exited 137");
  await meetFault(lab);
}

/** A session's process is killed at the limit; the main process resets all sessions, recovers and serves on. */
export async function oomKillDbChild(lab: Lab): Promise<void> {
  const id = (await lab.docker("inspect", "--format", "{{.Id}}", "db")).trim();
  const since = Math.floor(Date.now() / 1000);
  const session = await dbSession(lab);
  const answered = await session
    .query("SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 900)")
    .then(
      () => true,
      () => false,
    );
  await session.end().catch(() => {});
  if (answered) throw new Error("the hungry query was answered: db's limit is too wide for this fault");
  await untilOomEvent(lab, id, since);
  await untilWeb(lab, "/items", 200);
}

/** A person stops db; it ends by itself, with 0. */
export async function stopDb(lab: Lab): Promise<void> {
  await lab.docker("stop", "db");
  await until(lab, "db", STATE, (now) => now === "exited 0");
  await meetFault(lab);
}

/** A release of web for a region it has no tax rate for: its own exception, while db answers. */
export async function breakWeb(lab: Lab, options: ShopOptions = {}): Promise<void> {
  await redeployWeb(lab, { ...options, taxRegion: "atlantis" });
  await meetFault(lab);
}

const STATE = "{{.State.Status}} {{.State.ExitCode}}";

/** A few requests as people make them: the fault counts only when web shows it, and its log must have the trace. */
async function meetFault(lab: Lab): Promise<void> {
  for (const path of ["/items", "/prices", "/items"]) await untilWeb(lab, path, 500);
  await untilWeb(lab, "/healthz", 200);
}

async function untilWeb(lab: Lab, path: string, expected: number): Promise<void> {
  await untilStatus((await webUrlOf(lab)) + path, expected);
}

async function untilOomEvent(lab: Lab, id: string, since: number): Promise<void> {
  const filters = ["--filter", `container=${id}`, "--filter", "event=oom", "--since", String(since)];
  const happened = async () => (await lab.docker("events", ...filters, "--until", String(Date.now() / 1000))) !== "";
  if (!(await eventually(happened, FAULT_TIMEOUT_MS))) throw new Error("the engine reports no oom event for db");
}

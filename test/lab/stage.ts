import { Client } from "pg";
import type { Lab } from "./lab.ts";
import { labelOf } from "./lab.ts";
import { SERVICE_READY_TIMEOUT_MS } from "./limits.ts";
import { eventually } from "./processes.ts";
import { untilStatus } from "./web-probe.ts";

export interface ShopOptions {
  /** As in `docker run --memory`; swap is set to the same, so that the limit is the limit. */
  dbMemory?: string;
  /** As in `docker run --restart`. */
  restartPolicy?: string;
  /**
   * How web finds db. A stopped container loses its name and its address, so only a port published on the host refuses:
   * "published" (the default) is the network's gateway and db's published port 5432, "extra-host" the same under the
   * name db, "name" the container's name, which then cannot be resolved.
   */
  dbAddress?: "published" | "extra-host" | "name";
  /** Labels as Docker Compose writes them, for the project "shop". */
  compose?: boolean;
  /** "shell" leaves a shell as process 1 that does not pass TERM on to the server. */
  dbEntrypoint?: "exec" | "shell";
  /** web fails on a region without a tax rate: its own fault, whatever db does. */
  taxRegion?: string;
}

export interface Shop {
  /** Where web answers, from this machine: `http://127.0.0.1:<port>`. */
  webUrl: string;
  webId: string;
  dbId: string;
}

/** What masking is tested against: it must never be seen in anything room137 says. */
export const DB_PASSWORD = "correct-horse-9431";

/** Starts web and db, both really working: web's `/healthz`, `/items` and `/prices` answer 200 when this resolves. */
export async function stageWebAndDb(lab: Lab, options: ShopOptions): Promise<Shop> {
  const networkLabel = options.compose === true ? ["--label", "com.docker.compose.project=shop"] : [];
  await lab.docker("network", "create", "--label", labelOf(lab.name), ...networkLabel, "app");
  await lab.docker("volume", "create", "--label", labelOf(lab.name), "db-data");
  const gateway = (
    await lab.docker("network", "inspect", "app", "--format", "{{(index .IPAM.Config 0).Gateway}}")
  ).trim();
  const dbId = await runDb(lab, options, gateway);
  await untilReady(lab);
  const { webId, webUrl } = await runWeb(lab, options, gateway);
  await untilStatus(`${webUrl}/items`, 200);
  return { webUrl, webId, dbId };
}

/** Two containers with nothing to do with the shop: one was killed by hand long ago, one is unhealthy and noisy. */
export async function stageDecoys(lab: Lab): Promise<void> {
  await lab.run({ name: "web-old", command: ["sleep", "infinity"] });
  await lab.docker("kill", "web-old");
  const noise = 'while sleep 2; do echo "$(date -u +%FT%TZ) ERROR nightly report: retrying upload" >&2; done';
  const health = ["--health-cmd", "exit 1", "--health-interval", "5s", "--health-retries", "1"];
  await lab.run({ name: "batch", args: health, command: ["sh", "-c", noise] });
  await until(lab, "batch", "{{.State.Health.Status}}", (health) => health === "unhealthy");
}

/** Takes the shop away with its data, to stage the next one in the same lab. */
export async function clearShop(lab: Lab): Promise<void> {
  await lab.docker("rm", "--force", "--volumes", "web", "db");
  await lab.docker("network", "rm", "app");
  await lab.docker("volume", "rm", "db-data");
}

/** Replaces web by one with other options, as a deployment does. */
export async function redeployWeb(lab: Lab, options: ShopOptions): Promise<void> {
  const gateway = (
    await lab.docker("network", "inspect", "app", "--format", "{{(index .IPAM.Config 0).Gateway}}")
  ).trim();
  await lab.docker("rm", "--force", "web");
  await runWeb(lab, options, gateway);
}

/** The address of the web that is there now. */
export async function webUrlOf(lab: Lab): Promise<string> {
  const port = (await lab.docker("port", "web", "8000/tcp")).trim().split("\n")[0] ?? "";
  return `http://${port}`;
}

/** A session of the shop's own database user, straight to db's address. The caller ends it. */
export async function dbSession(lab: Lab): Promise<Client> {
  const host = (await lab.docker("inspect", "--format", "{{.NetworkSettings.Networks.app.IPAddress}}", "db")).trim();
  const client = new Client({ host, port: 5432, user: "app", password: DB_PASSWORD, database: "shop" });
  // A server that is killed under an open session is what some faults are about.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Waits until `docker inspect` says so; the error says what it said last. */
export async function until(
  lab: Lab,
  container: string,
  format: string,
  holds: (value: string) => boolean,
): Promise<void> {
  let last = "";
  const look = async () => {
    last = (await lab.docker("inspect", "--format", format, container)).trim();
    return holds(last);
  };
  if (await eventually(look, SERVICE_READY_TIMEOUT_MS * (lab.patience ?? 1))) return;
  throw new Error(`${container}: ${format} is still "${last}"`);
}

/**
 * The server that fills a new data folder does not listen on TCP, so that this waits for the real one: web's first
 * question must find an answer. No `docker exec`: it would leave a person's traces in the engine's events.
 */
async function untilReady(lab: Lab): Promise<void> {
  const ask = async () => {
    const session = await dbSession(lab).catch(() => null);
    await session?.end();
    return session !== null;
  };
  if (await eventually(ask, SERVICE_READY_TIMEOUT_MS)) return;
  throw new Error(`db does not accept connections; it printed ${await lab.docker("logs", "--tail", "5", "db")}`);
}

async function runDb(lab: Lab, options: ShopOptions, gateway: string): Promise<string> {
  const { dbMemory = "256m", restartPolicy = "no", dbAddress = "published", dbEntrypoint = "exec" } = options;
  const publish = dbAddress === "name" ? [] : ["--publish", `${gateway}:5432:5432`];
  const env = {
    POSTGRES_USER: "app",
    POSTGRES_PASSWORD: DB_PASSWORD,
    POSTGRES_DB: "shop",
  };
  const args = [
    ...["--network", "app", "--volume", "db-data:/var/lib/postgresql/data", "--restart", restartPolicy],
    ...["--memory", dbMemory, "--memory-swap", dbMemory],
    ...publish,
    ...environment(env),
    ...composeLabels(options, "db", ""),
  ];
  return lab.run({
    name: "db",
    args,
    command: ["/opt/lab/db-entrypoint.sh", dbEntrypoint],
  });
}

async function runWeb(lab: Lab, options: ShopOptions, gateway: string): Promise<{ webId: string; webUrl: string }> {
  const { dbAddress = "published", taxRegion = "de" } = options;
  const dbHost = dbAddress === "published" ? gateway : "db";
  const args = [
    ...["--network", "app", "--publish", "127.0.0.1:0:8000"],
    ...(dbAddress === "extra-host" ? ["--add-host", `db:${gateway}`] : []),
    ...environment({
      DATABASE_URL: `postgresql://app:${DB_PASSWORD}@${dbHost}:5432/shop`,
      TAX_REGION: taxRegion,
    }),
    ...composeLabels(options, "web", "db:service_started:false"),
  ];
  const webId = await lab.run({
    name: "web",
    args,
    command: ["python3", "/opt/lab/web.py"],
  });
  return { webId, webUrl: await webUrlOf(lab) };
}

function environment(variables: Record<string, string>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
}

function composeLabels(options: ShopOptions, service: string, dependsOn: string): string[] {
  if (options.compose !== true) return [];
  const labels = {
    project: "shop",
    service,
    "container-number": "1",
    oneoff: "False",
    depends_on: dependsOn,
    "project.config_files": "/srv/shop/compose.yaml",
    "project.working_dir": "/srv/shop",
  };
  return Object.entries(labels).flatMap(([key, value]) => ["--label", `com.docker.compose.${key}=${value}`]);
}

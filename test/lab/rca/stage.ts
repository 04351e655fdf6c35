import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { eventually } from "../processes.ts";

/** Where one card plays: the lab's engine, emptied before each card, and seeded choices. */
export interface Stage {
  lab: Lab;
  /** The same for the second host of cards that need one; null otherwise. */
  second: Stage | null;
  random: Random;
  /** Seeded names for the usual roles, so that no rule can lean on `web` and `db`. */
  names: Record<Role, string>;
  network: string;
  docker(...args: string[]): Promise<string>;
  /** `docker run -d` of the lab image on the stage's network; resolves to the container id. */
  run(name: string, options: { args?: string[]; command: string[]; network?: string | null }): Promise<string>;
  /** A small HTTP service in Python: see `apps/service.py` for its environment. */
  service(name: string, options: ServiceOptions): Promise<string>;
  postgres(name: string, options?: { args?: string[]; settings?: string[] }): Promise<string>;
  redis(name: string, options?: { args?: string[]; settings?: string[] }): Promise<string>;
  /** nginx on port 80 with these lines inside its http block, logging as the official image does. */
  nginx(name: string, http: string, args?: string[]): Promise<string>;
  /** Runs a command of this machine inside a running container's network namespace. */
  inNetworkOf(name: string, ...command: string[]): Promise<string>;
  address(name: string, network?: string): Promise<string>;
  gateway(network?: string): Promise<string>;
  /** GET through the container's own address; null when nothing answers. */
  get(name: string, port: number, path: string): Promise<{ status: number; body: string } | null>;
  /** Bounded polling; throws what was waited for. */
  until(what: string, holds: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
  inspect(
    name: string,
  ): Promise<Record<string, never> & { State: Record<string, unknown>; HostConfig: Record<string, unknown> }>;
  logs(name: string): Promise<string>;
}

export type Role = "web" | "db" | "cache" | "edge" | "auth" | "api" | "worker" | "batch";

export interface ServiceOptions {
  args?: string[];
  env?: Record<string, string>;
  port?: number;
  network?: string | null;
}

export interface Random {
  /** 0 <= n < below. */
  int(below: number): number;
  pick<T>(items: readonly T[]): T;
  between(least: number, most: number): number;
}

const nameSets: Record<Role, readonly string[]> = {
  web: ["web", "shop", "storefront", "portal", "checkout"],
  db: ["db", "postgres", "orders-db", "pg-main", "datastore"],
  cache: ["cache", "redis", "sessions", "kv", "fastlane"],
  edge: ["edge", "proxy", "gateway", "nginx", "front"],
  auth: ["auth", "login", "identity", "sso", "accounts"],
  api: ["api", "backend", "catalog", "inventory", "pricing"],
  worker: ["worker", "jobs", "consumer", "mailer", "indexer"],
  batch: ["batch", "nightly", "report", "etl", "cron"],
};

/** Deterministic (mulberry32): the same seed plays the same card. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number) => Math.floor(next() * below);
  return {
    int,
    pick: (items) => items[int(items.length)] as never,
    between: (least, most) => least + int(most - least + 1),
  };
}

export function createStage(lab: Lab, variant: number, seed: number, second: Stage | null = null): Stage {
  const random = seeded(seed);
  const names = Object.fromEntries(
    Object.entries(nameSets).map(([role, set]) => [role, set[variant % set.length]]),
  ) as Record<Role, string>;
  const network = (["app", "backend", "shop_default", "internal", "stack_net"] as const)[variant % 5] as string;
  const stage: Stage = {
    lab,
    second,
    random,
    names,
    network,
    docker: (...args) => lab.docker(...args),
    run: (name, { args = [], command, network: on }) =>
      lab.run({ name, args: [...(on === null ? [] : ["--network", on ?? network]), ...args], command }),
    service: (name, options) =>
      stage.run(name, {
        args: [
          "--env",
          `PORT=${options.port ?? 8000}`,
          ...Object.entries(options.env ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
          ...(options.args ?? []),
        ],
        command: ["python3", "-u", "/opt/lab/service.py"],
        ...(options.network === undefined ? {} : { network: options.network }),
      }),
    postgres: (name, options = {}) =>
      stage.run(name, {
        args: [
          "--env",
          "POSTGRES_USER=app",
          "--env",
          `POSTGRES_PASSWORD=${PASSWORD}`,
          "--env",
          "POSTGRES_DB=shop",
          ...(options.args ?? []),
        ],
        command: ["/opt/lab/db-entrypoint.sh", ...(options.settings ?? []).flatMap((setting) => ["-c", setting])],
      }),
    redis: (name, options = {}) =>
      stage.run(name, {
        args: options.args ?? [],
        command: ["redis-server", "--protected-mode", "no", ...(options.settings ?? [])],
      }),
    nginx: (name, http, args = []) => {
      const config = `daemon off; error_log /dev/stderr info; pid /tmp/nginx.pid; events {} http { access_log /dev/stdout; ${http} }`;
      const file = join(lab.dir, `nginx-${name}.conf`);
      writeFileSync(file, config);
      return stage.run(name, {
        args: [...args, "--volume", `${file}:/etc/nginx/nginx.conf:ro`],
        command: ["nginx", "-c", "/etc/nginx/nginx.conf"],
      });
    },
    inNetworkOf: async (name, ...command) => {
      const pid = (await lab.docker("inspect", "--format", "{{.State.Pid}}", name)).trim();
      return lab.host("nsenter", "-t", pid, "-n", ...command);
    },
    address: async (name, on) => {
      const networks = JSON.parse(await lab.docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", name));
      return networks[on ?? network]?.IPAddress ?? "";
    },
    gateway: async (on) =>
      (await lab.docker("network", "inspect", on ?? network, "--format", "{{(index .IPAM.Config 0).Gateway}}")).trim(),
    get: (name, port, path) => getFrom(lab, name, port, path),
    until: async (what, holds, timeoutMs = 30_000) => {
      if (!(await eventually(holds, timeoutMs * (lab.patience ?? 1)))) throw new Error(`waited in vain: ${what}`);
    },
    inspect: async (name) => JSON.parse(await lab.docker("inspect", name))[0],
    logs: (name) =>
      lab.host("sh", "-c", 'docker -H "unix://$1" logs --tail 200 "$2" 2>&1 || true', "sh", lab.dockerSocket, name),
  };
  return stage;
}

/** What masking is tested against in the suite. */
export const PASSWORD = "wet-marble-5512";

/** Removes every container, user network and volume of the lab's engine: the next card starts from nothing. */
export async function clearStage(lab: Lab): Promise<void> {
  const ids = (await lab.docker("ps", "--all", "--quiet")).split("\n").filter(Boolean);
  if (ids.length > 0) await lab.docker("rm", "--force", "--volumes", ...ids);
  await lab.docker("network", "prune", "--force");
  await lab.docker("volume", "prune", "--force");
}

async function getFrom(
  lab: Lab,
  name: string,
  port: number,
  path: string,
): Promise<{ status: number; body: string } | null> {
  const addresses = (
    await lab.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", name)
  )
    .trim()
    .split(" ");
  return lab.get(`http://${addresses[0]}:${port}${path}`);
}

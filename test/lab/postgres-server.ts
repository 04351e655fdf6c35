import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import pg from "pg";
import type { Lab } from "./lab.ts";
import { SERVICE_READY_TIMEOUT_MS } from "./limits.ts";
import { eventually } from "./processes.ts";

/** A real Postgres in a container of the lab, with as many databases as a test wants. */
export interface PostgresServer {
  port: number;
  password: string;
  urlOf(database: string): string;
  /** Runs SQL behind the store's back. */
  run(database: string, statement: string): Promise<unknown[]>;
  createDatabase(): Promise<string>;
}

export async function startPostgres(lab: Lab, name: string): Promise<PostgresServer> {
  const password = randomUUID();
  const port = await freePort();
  const variables = { POSTGRES_USER: "app", POSTGRES_PASSWORD: password, POSTGRES_DB: "shop" };
  await lab.run({
    name,
    args: [
      ...["--publish", `127.0.0.1:${port}:5432`],
      ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
    ],
    command: ["/opt/lab/db-entrypoint.sh"],
  });
  const urlOf = (database: string) => `postgres://app:${password}@127.0.0.1:${port}/${database}`;
  const run = (database: string, statement: string) => runOn(urlOf(database), statement);
  const answers = () =>
    run("shop", "select 1").then(
      () => true,
      () => false,
    );
  if (!(await eventually(answers, SERVICE_READY_TIMEOUT_MS))) {
    throw new Error(`Postgres does not answer; it printed ${await lab.docker("logs", "--tail", "5", name)}`);
  }
  await lab.docker("exec", name, "psql", "-U", "postgres", "-c", "alter role app createdb");
  return {
    port,
    password,
    urlOf,
    run,
    async createDatabase() {
      const database = `t_${randomUUID().replaceAll("-", "")}`;
      await run("shop", `create database ${database}`);
      return database;
    },
  };
}

/** A session of its own. The caller ends it. */
export async function connectTo(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function runOn(connectionString: string, statement: string): Promise<unknown[]> {
  const client = await connectTo(connectionString);
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

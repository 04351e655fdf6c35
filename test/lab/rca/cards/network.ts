import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

export const styles = ["python", "node", "go", "java"] as const;

/** web calls api over HTTP; both work when this resolves. */
export async function webAndApi(
  stage: Stage,
  options: {
    apiArgs?: string[];
    apiEnv?: Record<string, string>;
    webArgs?: string[];
    webEnv?: Record<string, string>;
    port?: number;
  } = {},
): Promise<{ port: number }> {
  const { web, api } = stage.names;
  const port = options.port ?? stage.random.pick([8000, 8081, 9000, 5001]);
  await stage.service(api, { port, env: options.apiEnv ?? {}, args: options.apiArgs ?? [] });
  await callingWeb(stage, `http://${api}:${port}/healthz`, options);
  await stage.until(`${web} calls ${api}`, async () => (await stage.get(web, 8000, "/call"))?.status === 200);
  return { port };
}

/** web alone, told to call this. */
export async function callingWeb(
  stage: Stage,
  upstreams: string,
  options: { webArgs?: string[]; webEnv?: Record<string, string>; network?: string | null } = {},
): Promise<void> {
  await stage.service(stage.names.web, {
    env: {
      UPSTREAMS: upstreams,
      LOG_STYLE: stage.random.pick(styles),
      TRAFFIC_EVERY: "1",
      CALL_TIMEOUT: "2",
      ...options.webEnv,
    },
    args: options.webArgs ?? [],
    ...(options.network === undefined ? {} : { network: options.network }),
  });
}

export function callsFail(stage: Stage): () => Promise<boolean> {
  return async () => ((await stage.get(stage.names.web, 8000, "/call"))?.status ?? 0) >= 500;
}

export function rootCause(
  service: string,
  cause: Truth["causes"][number],
  culprit: string | null,
  shows: Truth["shows"],
): Truth {
  return { service, verdict: "root-cause", causes: [cause], culprit, allowed: [], shows };
}

function connects(container: string): Pick<Truth, "allowed" | "planExpected"> {
  return { allowed: [{ action: "connect-network", container }], planExpected: true };
}

export function restarts(container: string): Pick<Truth, "allowed" | "planExpected"> {
  return { allowed: [{ action: "restart", container }], planExpected: true };
}

/** A container that lives on while its former address goes to somebody else. */
async function moveAddress(stage: Stage, name: string, taker: () => Promise<unknown>): Promise<void> {
  await stage.docker("stop", "--time", "1", name);
  await taker();
  await stage.docker("start", name);
}

async function edgeBeforeApi(stage: Stage): Promise<{ port: number }> {
  const { edge, api } = stage.names;
  const port = stage.random.pick([8000, 8081, 9000]);
  await stage.service(api, {
    port,
    args: ["--label", "com.docker.compose.project=stack", "--label", `com.docker.compose.service=${api}`],
  });
  await stage.until(`${api} answers`, async () => (await stage.get(api, port, "/healthz"))?.status === 200);
  await stage.nginx(
    edge,
    `server { listen 80; location / { proxy_pass http://${api}:${port}; proxy_connect_timeout 2s; } }`,
    [
      "--label",
      "com.docker.compose.project=stack",
      "--label",
      `com.docker.compose.service=${edge}`,
      "--label",
      `com.docker.compose.depends_on=${api}:service_started:false`,
    ],
  );
  await stage.until(`${edge} serves ${api}`, async () => (await stage.get(edge, 80, "/healthz"))?.status === 200);
  return { port };
}

const membershipCards: readonly Card[] = [
  {
    id: "network-disconnected-db",
    family: "D",
    about: "docker network disconnect of the database",
    async inject(stage) {
      await webAndDatabase(stage);
      await stage.docker("network", "disconnect", stage.network, stage.names.db);
      return {
        ...rootCause(stage.names.web, "network-disconnected", stage.names.db, itemsFail(stage)),
        ...connects(stage.names.db),
      };
    },
  },
  {
    id: "network-disconnected-alias",
    family: "D",
    about: "docker network disconnect of a service that is called by an alias only",
    async inject(stage) {
      const { api, web } = stage.names;
      await stage.service(api, { port: 8080, args: ["--network-alias", "prices"] });
      await callingWeb(stage, "http://prices:8080/healthz");
      await stage.until(`${web} calls`, async () => (await stage.get(web, 8000, "/call"))?.status === 200);
      await stage.docker("network", "disconnect", stage.network, api);
      return { ...rootCause(web, "network-disconnected", api, callsFail(stage)), ...connects(api) };
    },
  },
  {
    id: "container-renamed",
    family: "D",
    about: "docker rename of the database",
    async inject(stage) {
      const { web, db } = stage.names;
      await webAndDatabase(stage);
      const renamed = stage.random.pick([`${db}-old`, `${db}.bak`, "legacy"]);
      await stage.docker("rename", db, renamed);
      return rootCause(web, "container-renamed", renamed, itemsFail(stage));
    },
  },
  {
    id: "wrong-network",
    family: "D",
    about: "web was put on a network where what it needs is not",
    async inject(stage) {
      const { web, api, cache } = stage.names;
      await stage.docker("network", "create", "front-net");
      await stage.service(api, { port: 8080 });
      await stage.redis(cache);
      await callingWeb(stage, `http://${api}:8080/healthz`, { network: "front-net" });
      return { ...rootCause(web, "wrong-network", web, callsFail(stage)), ...connects(web) };
    },
  },
  {
    id: "default-bridge-no-dns",
    family: "D",
    about: "web was started without a network",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(api, { port: 8080 });
      await callingWeb(stage, `http://${api}:8080/healthz`, { network: null });
      return { ...rootCause(web, "default-bridge-no-dns", web, callsFail(stage)), ...connects(web) };
    },
  },
];

const labels = (project: string, service: string) => [
  "--label",
  `com.docker.compose.project=${project}`,
  "--label",
  `com.docker.compose.service=${service}`,
];

/** A service behind a name that needs the cache, and web that calls it; clients hide a closed port behind a second address, so the intruder answers. */
async function rightful(
  stage: Stage,
  name: string,
  alias: string,
  args: string[],
  webArgs: string[] = [],
): Promise<void> {
  const { cache } = stage.names;
  await stage.redis(cache, { args: webArgs.length > 0 ? labels("shop", "cache") : [] });
  await stage.service(name, { port: 8080, args, env: { CACHE_URL: `redis://${cache}:6379/0`, TRAFFIC: "0" } });
  await callingWeb(stage, `http://${alias}:8080/cart`, { webArgs });
}

const collisionCards: readonly Card[] = [
  {
    id: "alias-collision",
    family: "D",
    about: "another service took the alias of api",
    async inject(stage) {
      const { web, api, worker } = stage.names;
      await rightful(stage, api, api, []);
      await stage.service(worker, { port: 8080, args: ["--network-alias", api], env: { ROLE: "jobs", TRAFFIC: "0" } });
      return rootCause(web, "alias-collision", worker, callsFail(stage));
    },
  },
  {
    id: "compose-alias-collision",
    family: "D",
    about: "two compose projects own one service name on a shared network",
    async inject(stage) {
      const { web } = stage.names;
      const alias = ["--network-alias", "backend"];
      await rightful(stage, "shop-backend-1", "backend", [...labels("shop", "backend"), ...alias], labels("shop", web));
      await stage.service("crm-backend-1", {
        port: 8080,
        args: [...labels("crm", "backend"), ...alias],
        env: { TRAFFIC: "0" },
      });
      return rootCause(web, "compose-alias-collision", "crm-backend-1", callsFail(stage));
    },
  },
  {
    id: "orphan-holds-alias",
    family: "O",
    about: "a service that was taken out of the file still runs and answers to its name",
    async inject(stage) {
      const { web } = stage.names;
      const alias = ["--network-alias", "prices"];
      await stage.service("shop-prices-1", {
        port: 8080,
        args: [...labels("shop", "prices"), ...alias],
        env: { TRAFFIC: "0" },
      });
      await rightful(
        stage,
        "shop-prices-v2-1",
        "prices",
        [...labels("shop", "prices-v2"), ...alias],
        labels("shop", web),
      );
      return rootCause(web, "orphan-holds-alias", "shop-prices-1", callsFail(stage));
    },
  },
];

const upstreamCards: readonly Card[] = [
  {
    id: "nginx-stale-upstream",
    family: "D",
    about: "nginx keeps the address that its upstream had before its restart, which nobody has now",
    async inject(stage) {
      const { edge, api } = stage.names;
      await edgeBeforeApi(stage);
      await moveAddress(stage, api, () => stage.run("squatter", { command: ["sleep", "infinity"] }));
      await stage.docker("rm", "--force", "squatter");
      return { ...rootCause(edge, "nginx-stale-upstream", edge, edgeFails(stage)), ...restarts(edge) };
    },
  },
  {
    id: "nginx-stale-upstream-taken",
    family: "D",
    about: "nginx keeps an address that now belongs to something that does not listen there",
    async inject(stage) {
      const { edge, api, cache } = stage.names;
      await edgeBeforeApi(stage);
      await moveAddress(stage, api, () => stage.redis(cache));
      return {
        ...rootCause(edge, "nginx-stale-upstream", edge, edgeFails(stage)),
        causes: ["nginx-stale-upstream", "stale-upstream-wrong-service"],
        ...restarts(edge),
      };
    },
  },
  {
    id: "stale-upstream-wrong-service",
    family: "D",
    about: "another service got the address nginx remembers, and answers",
    async inject(stage) {
      const { edge, api, worker } = stage.names;
      const { port } = await edgeBeforeApi(stage);
      await moveAddress(stage, api, () => stage.service(worker, { port, env: { NAME: "admin" } }));
      const shows = async () => {
        for (let at = 0; at < 3; at += 1) await stage.get(edge, 80, "/");
        return (await stage.get(edge, 80, "/"))?.body.includes("admin") ?? false;
      };
      return { ...rootCause(edge, "stale-upstream-wrong-service", edge, shows), ...restarts(edge), symptom: "any" };
    },
  },
  {
    id: "upstream-missing-at-boot",
    family: "D",
    about: "nginx was restarted while its upstream was stopped",
    async inject(stage) {
      const { edge, api } = stage.names;
      await edgeBeforeApi(stage);
      await stage.docker("stop", "--time", "1", api);
      await stage.docker("restart", edge);
      const shows = async () => (await stage.inspect(edge)).State["Status"] === "exited";
      return {
        ...rootCause(edge, "upstream-missing-at-boot", api, shows),
        allowed: [
          { action: "start", container: api },
          { action: "start", container: edge },
        ],
        planExpected: true,
      };
    },
  },
  {
    id: "stale-extra-hosts",
    family: "D",
    about: "a fixed hosts entry of web sends the database's name to an old address",
    async inject(stage) {
      const { web, db } = stage.names;
      await stage.postgres(db);
      const old = (await stage.gateway()).replace(/\d+$/, (last) => String(Number(last) + 27));
      await stage.service(web, {
        env: {
          DATABASE_URL: `postgresql://app:x@${db}:5432/shop`,
          LOG_STYLE: stage.random.pick(styles),
          TRAFFIC_EVERY: "1",
        },
        args: ["--add-host", `${db}:${old}`],
      });
      const told = async () => (await stage.logs(web)).includes("/items failed");
      return rootCause(web, "stale-extra-hosts", web, both(itemsFail(stage), told));
    },
  },
];

export function edgeFails(stage: Stage): () => Promise<boolean> {
  return async () => ((await stage.get(stage.names.edge, 80, "/"))?.status ?? 0) >= 500;
}

/** Long enough after its start that a missing listener is no slow start. */
export function settled(stage: Stage, name: string): () => Promise<boolean> {
  return async () => {
    const startedAt = Date.parse(String((await stage.inspect(name)).State["StartedAt"]));
    return Date.now() - startedAt > 10_000;
  };
}

export function both(a: () => Promise<boolean>, b: () => Promise<boolean>): () => Promise<boolean> {
  return async () => (await a()) && (await b());
}

export const networkCards: readonly Card[] = [...membershipCards, ...collisionCards, ...upstreamCards];

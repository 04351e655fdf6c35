import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";
import { runProgram, saidBy } from "./program.ts";
import { itemsFail } from "./stops.ts";

export function truth(
  stage: Stage,
  cause: Cause,
  culprit: string,
  shows: Truth["shows"],
  more: Partial<Truth> = {},
): Truth {
  return { service: stage.names.web, verdict: "root-cause", causes: [cause], culprit, allowed: [], shows, ...more };
}

/** web asks a database whose address stands in these settings, which are wrong. */
export async function webWithSettings(stage: Stage, settings: string[]): Promise<void> {
  const { web, db } = stage.names;
  await stage.postgres(db);
  await stage.until(`${db} is ready`, async () => /ready to accept/.test(await saidBy(stage, db)));
  await stage.service(web, {
    env: { LOG_STYLE: stage.random.pick(["python", "node", "go", "java"]), TRAFFIC_EVERY: "1" },
    args: settings.flatMap((setting) => ["--env", setting]),
  });
}

export const url = (place: string, more = "") => `DATABASE_URL=postgresql://app:${PASSWORD}@${place}/shop${more}`;

/** Stopped, or starting again and again. */
function isDown(stage: Stage, name: string): () => Promise<boolean> {
  return async () => {
    const { State } = await stage.inspect(name);
    return State["Running"] !== true || State["Restarting"] === true;
  };
}

function configFile(stage: Stage, name: string, text: string): string {
  const file = join(stage.lab.dir, name);
  writeFileSync(file, text);
  return file;
}

/** A proxy with its whole configuration given, because some faults stand outside the http block. */
async function proxy(stage: Stage, name: string, config: string, args: string[] = []): Promise<string> {
  const file = configFile(stage, `proxy-${name}.conf`, config);
  await stage.run(name, {
    args: [...args, "--volume", `${file}:/etc/nginx/nginx.conf`],
    command: ["nginx", "-c", "/etc/nginx/nginx.conf"],
  });
  return file;
}

const proxyHead = "daemon off; error_log /dev/stderr info; pid /tmp/nginx.pid;";

/** Somebody asks the proxy again and again, as clients do. */
async function clients(stage: Stage, command: string): Promise<void> {
  await stage.run(stage.names.batch === "batch" ? "visitor" : stage.names.batch, { command: ["sh", "-c", command] });
}

export const configCards: readonly Card[] = [
  {
    id: "env-missing",
    family: "F",
    about: "a required setting is not there",
    async inject(stage) {
      const { web } = stage.names;
      const variable = stage.random.pick(["PAYMENT_API_KEY", "SESSION_SECRET", "BILLING_QUEUE"]);
      const restart = stage.random.pick(["no", "always"]);
      await stage.service(web, { env: { REQUIRE: variable }, args: ["--restart", restart] });
      return truth(stage, "env-missing", web, isDown(stage, web));
    },
  },
  {
    id: "env-wrong-host",
    family: "F",
    about: "a name nobody has",
    async inject(stage) {
      await webWithSettings(stage, [
        url(`${stage.random.pick(["database", "db-primary", "postgres-new", "ordersdb"])}:5432`),
      ]);
      return truth(stage, "env-wrong-host", stage.names.web, logged(stage));
    },
  },
  {
    id: "env-wrong-host-port",
    family: "F",
    about: "the right name with a wrong port, or the container's own loopback",
    async inject(stage) {
      const place = stage.random.pick([`${stage.names.db}:${stage.random.pick([5433, 5342, 6432])}`, "localhost:5432"]);
      await webWithSettings(stage, [url(place)]);
      return truth(stage, "env-wrong-host", stage.names.web, logged(stage));
    },
  },
  {
    id: "env-shadowed",
    family: "F",
    about: "the same setting twice; the wrong one wins",
    async inject(stage) {
      const { db, web } = stage.names;
      // Of one name given twice the engine's client keeps only the last, and nothing tells of the first.
      await webWithSettings(stage, [`DB_HOST=${db}`, url("old-database:5432")]);
      return truth(stage, "env-shadowed", web, logged(stage));
    },
  },
  {
    id: "config-mount-is-directory",
    family: "F",
    about: "the file to mount does not exist and became a folder",
    async inject(stage) {
      const { web } = stage.names;
      const source = join(
        stage.lab.dir,
        "not-there",
        `${stage.random.pick(["settings", "app", "prod"])}-${stage.random.int(1000)}.yaml`,
      );
      await stage.run(web, {
        args: ["--volume", `${source}:/etc/app/settings.yaml`],
        command: [
          "python3",
          "-u",
          "-c",
          "print('reading settings', flush=True)\nopen('/etc/app/settings.yaml').read()",
        ],
      });
      return truth(stage, "config-mount-is-directory", web, isDown(stage, web));
    },
  },
  {
    id: "config-mount-is-directory-refused",
    family: "F",
    about: "the folder cannot be mounted over the image's file, so it never starts",
    async inject(stage) {
      const { edge } = stage.names;
      const source = join(stage.lab.dir, "not-there", `nginx-${stage.random.int(1000)}.conf`);
      mkdirSync(source, { recursive: true });
      await stage
        .run(edge, { args: ["--volume", `${source}:/etc/nginx/nginx.conf`], command: ["nginx", "-g", "daemon off;"] })
        .catch(() => undefined);
      return truth(stage, "config-mount-is-directory", edge, isDown(stage, edge), { service: edge });
    },
  },
  {
    id: "nginx-syntax",
    family: "F",
    about: "the proxy's configuration is not valid",
    async inject(stage) {
      const { edge } = stage.names;
      const broken = stage.random.pick([
        "http { server { listen 80 location / { return 200; } } }",
        "http { server { listen 80; proxy_read_timeot 5s; } }",
        "http { server { listen 80; return 200; }",
      ]);
      await proxy(stage, edge, `${proxyHead} events {}\n${broken}\n`, [
        "--restart",
        stage.random.pick(["no", "always"]),
      ]);
      return truth(stage, "nginx-syntax", edge, isDown(stage, edge), { service: edge });
    },
  },
  {
    id: "bad-reload-kept-old",
    family: "F",
    about: "a refused reload: the proxy serves with its old configuration",
    async inject(stage) {
      const { edge } = stage.names;
      const file = await proxy(
        stage,
        edge,
        `${proxyHead} events {} http { access_log /dev/stdout; server { listen 80; location / { return 200 "fine"; } } }`,
      );
      await stage.until(`${edge} serves`, async () => (await stage.get(edge, 80, "/"))?.status === 200);
      writeFileSync(file, `${proxyHead} events {} http { server { listen 80; serve_nothing on; } }`);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      await stage.docker("kill", "--signal", "HUP", edge);
      return truth(stage, "bad-reload-kept-old", edge, async () => /emerg/.test(await saidBy(stage, edge)), {
        service: edge,
        verdict: "no-fault-found",
        causes: [],
        culprit: null,
      });
    },
  },
  {
    id: "nginx-timeout-too-short",
    family: "F",
    about: "the proxy waits one second, the program needs two",
    async inject(stage) {
      const { web, edge } = stage.names;
      await runProgram(stage, web, { work: "time.sleep(2)\nreturn 'done'", every: 0 });
      const server = `server { listen 80; location / { proxy_read_timeout 1s; proxy_pass http://${web}:8000; } }`;
      await proxy(stage, edge, `${proxyHead} events {} http { access_log /dev/stdout; ${server} }`);
      await clients(stage, `while sleep 1; do curl -s -o /dev/null http://${edge}/work; done`);
      return truth(
        stage,
        "nginx-timeout-too-short",
        edge,
        async () => /timed out/.test(await saidBy(stage, edge)) && /GET \/work.* 200/.test(await saidBy(stage, web)),
        { service: edge },
      );
    },
  },
  {
    id: "body-too-large",
    family: "F",
    about: "the proxy refuses uploads above its limit",
    async inject(stage) {
      const { web, edge } = stage.names;
      await runProgram(stage, web, { work: "return 'done'" });
      const server = `server { listen 80; client_max_body_size ${stage.random.pick(["1k", "4k"])}; location / { proxy_pass http://${web}:8000; } }`;
      await proxy(stage, edge, `${proxyHead} events {} http { access_log /dev/stdout; ${server} }`);
      await clients(
        stage,
        `while sleep 1; do head -c 20000 /dev/zero | curl -s -o /dev/null --data-binary @- http://${edge}/work; done`,
      );
      return truth(stage, "body-too-large", edge, async () => /too large/.test(await saidBy(stage, edge)), {
        service: edge,
      });
    },
  },
  {
    id: "rate-limited",
    family: "F",
    about: "the proxy's rate limit rejects requests of a noisy client",
    async inject(stage) {
      const { web, edge } = stage.names;
      await runProgram(stage, web, { work: "return 'done'" });
      const zone = `limit_req_zone $binary_remote_addr zone=all:1m rate=1r/s; ${stage.random.pick(["limit_req_status 429;", ""])}`;
      await proxy(
        stage,
        edge,
        `${proxyHead} events {} http { access_log /dev/stdout; ${zone} server { listen 80; location / { limit_req zone=all; proxy_pass http://${web}:8000; } } }`,
      );
      await clients(stage, `while sleep 0.2; do curl -s -o /dev/null http://${edge}/work; done`);
      return truth(stage, "rate-limited", edge, async () => /limiting requests/.test(await saidBy(stage, edge)), {
        service: edge,
      });
    },
  },
  {
    id: "worker-connections",
    family: "F",
    about: "the proxy has too few connections of its own",
    async inject(stage) {
      const { web, edge } = stage.names;
      await runProgram(stage, web, { work: "time.sleep(3)\nreturn 'done'", every: 0 });
      const server = `server { listen 80; location / { proxy_pass http://${web}:8000; } }`;
      await proxy(
        stage,
        edge,
        `${proxyHead} worker_processes 1; events { worker_connections 6; } http { access_log /dev/stdout; ${server} }`,
      );
      await clients(
        stage,
        `while sleep 0.5; do for at in 1 2 3 4 5 6; do curl -s -m 4 -o /dev/null http://${edge}/work & done; done`,
      );
      return truth(
        stage,
        "worker-connections",
        edge,
        async () => /worker_connections are not enough/.test(await saidBy(stage, edge)),
        { service: edge },
      );
    },
  },
  {
    id: "cap-dropped",
    family: "F",
    about: "an entrypoint that changes owners or its user, without the capabilities for it",
    async inject(stage) {
      const { web } = stage.names;
      const [drop, call] = stage.random.pick([
        ["ALL", "os.chown('/opt', 1000, 1000)"],
        ["CHOWN", "os.chown('/opt', 1000, 1000)"],
        ["SETUID", "os.setuid(1000)"],
      ] as const);
      await stage.run(web, {
        args: ["--cap-drop", drop],
        command: ["python3", "-u", "-c", `import os\nprint('preparing', flush=True)\n${call}`],
      });
      return truth(stage, "cap-dropped", web, isDown(stage, web));
    },
  },
  {
    id: "low-port-denied",
    family: "F",
    about: "a user other than root binds port 80",
    async inject(stage) {
      const { web } = stage.names;
      const port = stage.random.pick([80, 443, 990]);
      const program = [
        ["socat", `TCP-LISTEN:${port},fork`, "SYSTEM:true"],
        [
          "python3",
          "-u",
          "-c",
          `import socket,sys\ntry:\n    socket.create_server(('0.0.0.0', ${port}))\nexcept OSError as error:\n    sys.exit(f'Error: listen EACCES: permission denied 0.0.0.0:${port}')`,
        ],
      ];
      await stage.run(web, {
        args: ["--user", "1000", "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"],
        command: stage.random.pick(program),
      });
      return truth(stage, "low-port-denied", web, isDown(stage, web));
    },
  },
  {
    id: "feature-flag-flip",
    family: "F",
    about: "a switch is turned while it runs, and one path fails since",
    async inject(stage) {
      const { web } = stage.names;
      const flag = stage.random.pick(["new_checkout", "fast-pricing", "beta_search"]);
      const words = stage.random.pick([
        `feature flag ${flag} enabled by ops`,
        `Feature toggle '${flag}' changed: false -> true`,
      ]);
      await runProgram(stage, web, {
        path: "/work",
        setup: `began = time.time()\nturned = []`,
        work: `if time.time() - began < 5:\n    return 'old way'\nif not turned:\n    turned.append(1)\n    print(${JSON.stringify(words)}, flush=True)\nreturn {}['discount']`,
      });
      return truth(stage, "feature-flag-flip", web, async () => (await stage.get(web, 8000, "/work"))?.status === 500);
    },
  },
  {
    id: "maintenance-mode",
    family: "F",
    about: "503 by design",
    async inject(stage) {
      const { web } = stage.names;
      const body = stage.random.pick(["We are down for maintenance", "Scheduled maintenance, back at 14:00"]);
      await runProgram(stage, web, {
        args: ["--env", "MAINTENANCE_MODE=on"],
        work: `return (503, ${JSON.stringify(body)})`,
      });
      return truth(stage, "maintenance-mode", web, async () => (await stage.get(web, 8000, "/work"))?.status === 503, {
        verdict: "no-fault-found",
        causes: [],
        culprit: null,
      });
    },
  },
];

/** web fails, and its log has said why. */
export function logged(stage: Stage): () => Promise<boolean> {
  return async () => (await itemsFail(stage)()) && /failed/.test(await saidBy(stage, stage.names.web));
}

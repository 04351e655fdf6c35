import { run } from "../../processes.ts";
import { outsideAddress } from "../ask.ts";
import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";
import { callingWeb, callsFail, rootCause } from "./network.ts";
import { itemsFail } from "./stops.ts";

/** The stage of prod-2, where the other half of these cards plays. */
function there(stage: Stage): Stage {
  if (stage.second === null) throw new Error("this card plays on two hosts");
  return stage.second;
}

/** web on prod-1 reads from a database that prod-2 publishes. */
async function databaseThere(stage: Stage): Promise<{ address: string; port: number }> {
  const { web, db } = stage.names;
  const other = there(stage);
  const address = await outsideAddress(other.lab);
  const port = stage.random.pick([5432, 15432]);
  await other.postgres(db, { args: ["--publish", `${address}:${port}:5432`] });
  await stage.service(web, {
    env: {
      DATABASE_URL: `postgresql://app:${PASSWORD}@${address}:${port}/shop`,
      LOG_STYLE: stage.random.pick(["python", "node", "go", "java"]),
      TRAFFIC_EVERY: "1",
    },
  });
  await stage.until(
    `${web} reads from ${db}`,
    async () => (await stage.get(web, 8000, "/items"))?.status === 200,
    60_000,
  );
  return { address, port };
}

function starts(container: string): Pick<Truth, "allowed" | "planExpected"> {
  return { allowed: [{ action: "start", container }], planExpected: true };
}

export const hostCards: readonly Card[] = [
  {
    id: "cross-host-dep-stopped",
    family: "O",
    hosts: 2,
    about: "docker stop of the database on the other host",
    async inject(stage) {
      const { web, db } = stage.names;
      await databaseThere(stage);
      await there(stage).docker("stop", db);
      return { ...rootCause(web, "cross-host-dep-stopped", db, itemsFail(stage)), ...starts(db) };
    },
  },
  {
    id: "same-name-two-hosts",
    family: "O",
    hosts: 2,
    about: "an exited left-over of the same name stands beside web, the live database on the other host was killed",
    async inject(stage) {
      const { web, db } = stage.names;
      await stage.run(db, { command: ["sleep", "infinity"] });
      await stage.docker("kill", db);
      await databaseThere(stage);
      await there(stage).docker("kill", db);
      const truth = rootCause(web, "manual-docker-kill", db, itemsFail(stage));
      return { ...truth, ...starts(db) };
    },
  },
  {
    id: "cross-host-firewall",
    family: "O",
    hosts: 2,
    about: "the other host drops what comes to the database's published port",
    async inject(stage) {
      const { address, port } = await databaseThere(stage);
      const rule = ["INPUT", "-p", "tcp", "-d", address, "--dport", String(port), "-j", "DROP"];
      await run("iptables", ["-I", ...rule]);
      return {
        ...rootCause(stage.names.web, "cross-host-firewall", null, itemsFail(stage)),
        undo: async () => {
          await run("iptables", ["-D", ...rule]);
        },
      };
    },
  },
  {
    id: "lb-half-dead",
    family: "O",
    hosts: 2,
    about: "one of two backends behind nginx, the one on the other host, was stopped",
    async inject(stage) {
      const { edge, api } = stage.names;
      const other = there(stage);
      const address = await outsideAddress(other.lab);
      const gateway = await stage.gateway();
      const port = 22_000 + stage.random.int(900);
      const labels = ["--label", "com.docker.compose.project=stack", "--label", `com.docker.compose.service=${api}`];
      await stage.service(api, { port: 8000, args: ["--publish", `${gateway}:${port}:8000`, ...labels] });
      await other.service(api, { port: 8000, args: ["--publish", `${address}:${port}:8000`, ...labels] });
      await stage.nginx(
        edge,
        `upstream all { server ${gateway}:${port} max_fails=0; server ${address}:${port} max_fails=0; } server { listen 80; location / { proxy_pass http://all; proxy_next_upstream off; } }`,
      );
      await stage.until("both serve", async () => (await stage.get(edge, 80, "/"))?.status === 200);
      await other.docker("stop", "--time", "1", api);
      const shows = async () => {
        const answers = [
          await stage.get(edge, 80, "/"),
          await stage.get(edge, 80, "/"),
          await stage.get(edge, 80, "/"),
        ];
        return answers.some((answer) => (answer?.status ?? 0) >= 500);
      };
      return { ...rootCause(edge, "lb-half-dead", api, shows), ...starts(api) };
    },
  },
  {
    id: "host-move-stale-ip",
    family: "O",
    hosts: 2,
    about: "the database moved to web's own host, and web's setting has the other host's address",
    async inject(stage) {
      const { web, db } = stage.names;
      const address = await outsideAddress(there(stage).lab);
      const port = stage.random.pick([5432, 15432]);
      const home = await outsideAddress(stage.lab);
      await stage.postgres(db, { args: ["--publish", `${home}:${port}:5432`] });
      await stage.service(web, {
        env: {
          DATABASE_URL: `postgresql://app:${PASSWORD}@${address}:${port}/shop`,
          LOG_STYLE: "python",
          TRAFFIC_EVERY: "1",
        },
      });
      return rootCause(web, "host-move-stale-ip", web, itemsFail(stage));
    },
  },
  {
    id: "scaled-to-zero",
    family: "O",
    about: "the two replicas of a service that web needs were scaled away",
    async inject(stage) {
      const { web } = stage.names;
      const labels = (service: string) => [
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        `com.docker.compose.service=${service}`,
      ];
      const replicas = ["shop-prices-1", "shop-prices-2"];
      for (const replica of replicas)
        await stage.service(replica, { port: 8080, args: [...labels("prices"), "--network-alias", "prices"] });
      await callingWeb(stage, "http://prices:8080/healthz", {
        webArgs: [...labels(web), "--label", "com.docker.compose.depends_on=prices:service_started:false"],
      });
      await stage.until("web calls", async () => (await stage.get(web, 8000, "/call"))?.status === 200);
      await stage.docker("stop", "--time", "1", ...replicas);
      await stage.docker("rm", ...replicas);
      return rootCause(web, "scaled-to-zero", null, callsFail(stage));
    },
  },
];

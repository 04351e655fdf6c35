import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { rootCause } from "./network.ts";

/** What the packages of nginx bring, with the shop in a file of its own; the log stays inside the container. */
const files: readonly { at: string; text: (upstream: string) => string }[] = [
  {
    at: "/etc/nginx/conf.d/shop.conf",
    text: (upstream) =>
      `server { listen 8080; location / { proxy_pass http://${upstream}; proxy_connect_timeout 2s; } }`,
  },
  {
    at: "/etc/nginx/sites-available/default",
    text: (upstream) =>
      `upstream behind {\n  server ${upstream} max_fails=0;\n}\nserver {\n  listen 8080;\n  location / { proxy_pass http://behind; proxy_connect_timeout 2s; }\n}`,
  },
];

async function silentEdge(stage: Stage, port: number): Promise<void> {
  const { edge, api } = stage.names;
  const { at, text } = stage.random.pick(files);
  const file = join(stage.lab.dir, `silent-${edge}.conf`);
  writeFileSync(file, text(`${api}:${port}`));
  await stage.run(edge, { args: ["--volume", `${file}:${at}:ro`], command: ["nginx", "-g", "daemon off;"] });
  await stage.until(`${edge} serves ${api}`, async () => (await stage.get(edge, 8080, "/healthz"))?.status === 200);
}

const edgeSilent = (stage: Stage) => async () =>
  ((await stage.get(stage.names.edge, 8080, "/healthz"))?.status ?? 504) >= 500;

/** The proxy keeps its log in a file, so nothing but its configuration says whom it asks. */
export const proxyCards: readonly Card[] = [
  {
    id: "manual-docker-kill-behind-silent-proxy",
    family: "B",
    about: "docker kill of what stands behind an nginx that logs nothing to the engine",
    async inject(stage): Promise<Truth> {
      const { edge, api } = stage.names;
      const port = stage.random.pick([8000, 8081, 9000]);
      await stage.service(api, { port });
      await stage.until(`${api} answers`, async () => (await stage.get(api, port, "/healthz"))?.status === 200);
      await silentEdge(stage, port);
      await stage.docker("kill", api);
      return {
        ...rootCause(edge, "manual-docker-kill", api, edgeSilent(stage)),
        allowed: [{ action: "start", container: api }],
        planExpected: true,
      };
    },
  },
];

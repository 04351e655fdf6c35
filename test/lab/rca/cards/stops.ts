import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";

/** web and its database, both working; web's log says so when the database goes away. */
export async function webAndDatabase(
  stage: Stage,
  options: { settings?: string[]; args?: string[]; webEnv?: Record<string, string> } = {},
): Promise<void> {
  const { web, db } = stage.names;
  await stage.postgres(db, options);
  await stage.service(web, {
    env: {
      DATABASE_URL: `postgresql://app:${PASSWORD}@${db}:5432/shop`,
      LOG_STYLE: stage.random.pick(["python", "node", "go", "java"]),
      TRAFFIC_EVERY: "1",
      ...options.webEnv,
    },
  });
  await stage.until(`${web} reads from ${db}`, async () => (await stage.get(web, 8000, "/items"))?.status === 200);
}

/** Requests that need the database fail. */
export function itemsFail(stage: Stage): () => Promise<boolean> {
  return async () => ((await stage.get(stage.names.web, 8000, "/items"))?.status ?? 500) >= 500;
}

function startDatabase(stage: Stage, cause: Truth["causes"][number]): Truth {
  const { web, db } = stage.names;
  return {
    service: web,
    verdict: "root-cause",
    causes: [cause],
    culprit: db,
    allowed: [{ action: "start", container: db }],
    planExpected: true,
    shows: itemsFail(stage),
  };
}

export const stopCards: readonly Card[] = [
  {
    id: "manual-docker-kill",
    family: "B",
    about: "docker kill of the database",
    async inject(stage) {
      await webAndDatabase(stage);
      await stage.docker("kill", stage.names.db);
      return startDatabase(stage, "manual-docker-kill");
    },
  },
  {
    id: "dep-stopped",
    family: "C",
    about: "docker stop of the database, which ends cleanly",
    async inject(stage) {
      await webAndDatabase(stage);
      await stage.docker("stop", stage.names.db);
      return startDatabase(stage, "dep-stopped");
    },
  },
];

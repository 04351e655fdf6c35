import type { Card } from "../card.ts";
import type { Stage } from "../stage.ts";
import { logged, truth, url, webWithSettings } from "./config.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

async function psql(stage: Stage, sql: string): Promise<void> {
  await stage.docker("exec", stage.names.db, "psql", "--username=postgres", "--no-psqlrc", "-c", sql, "postgres");
}

/** A server that is up and refuses its client. */
export const configAccessCards: readonly Card[] = [
  {
    id: "secret-rotated-stale-env",
    family: "F",
    about: "the role's password was changed, web still has the old one",
    async inject(stage) {
      await webAndDatabase(stage);
      await psql(stage, "ALTER ROLE app PASSWORD 'quite-another-77'");
      return truth(stage, "secret-rotated-stale-env", stage.names.web, itemsFail(stage));
    },
  },
  {
    id: "db-role-missing",
    family: "F",
    about: "the role was renamed, may not log in, or lost its rights",
    async inject(stage) {
      await webAndDatabase(stage);
      const ways = ["ALTER ROLE app RENAME TO app_old", "ALTER ROLE app NOLOGIN"];
      await psql(stage, stage.random.pick(ways));
      return truth(stage, "db-role-missing", stage.names.db, itemsFail(stage));
    },
  },
  {
    id: "db-role-missing-rights",
    family: "F",
    about: "the role lost its right to read a table",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage);
      const revoke = "ALTER TABLE items OWNER TO postgres; REVOKE ALL ON items FROM app";
      await stage.docker("exec", db, "psql", "--username=postgres", "--no-psqlrc", "-c", revoke, "shop");
      return truth(stage, "db-role-missing", db, itemsFail(stage));
    },
  },
  {
    id: "db-name-missing",
    family: "F",
    about: "the database was renamed",
    async inject(stage) {
      await webAndDatabase(stage);
      const rename = "ALTER DATABASE shop RENAME TO shop_2024";
      await stage.until("the database is renamed", async () => {
        await psql(stage, rename).catch(() => undefined);
        return itemsFail(stage)();
      });
      return truth(stage, "db-name-missing", stage.names.db, itemsFail(stage));
    },
  },
  {
    id: "pg-hba-reject",
    family: "F",
    about: "the access list has no line for the client",
    async inject(stage) {
      const { db } = stage.names;
      await webAndDatabase(stage);
      const file = "/var/lib/postgresql/data/pg_hba.conf";
      await stage.docker("exec", db, "sh", "-c", `sed -i '/^host all all all/d' ${file}; kill -HUP 1`);
      return truth(stage, "pg-hba-reject", db, itemsFail(stage));
    },
  },
  {
    id: "ssl-required",
    family: "F",
    about: "the client insists on TLS, the server has none",
    async inject(stage) {
      await webWithSettings(stage, [url(`${stage.names.db}:5432`, "?sslmode=require")]);
      return truth(stage, "ssl-required", stage.names.web, logged(stage));
    },
  },
  {
    id: "redis-auth",
    family: "F",
    about: "Redis wants a password the client does not send, or another one",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.redis(cache, { settings: ["--requirepass", "open-sesame-31"] });
      const credentials = stage.random.pick(["", ":wrong-one-8@"]);
      await stage.service(web, { env: { CACHE_URL: `redis://${credentials}${cache}:6379/0`, TRAFFIC_EVERY: "1" } });
      return truth(stage, "redis-auth", cache, async () => (await stage.get(web, 8000, "/cart"))?.status === 500);
    },
  },
];

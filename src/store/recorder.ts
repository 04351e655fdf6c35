import { limits } from "../core/limits.ts";
import type { Store } from "../ports.ts";
import type { Access } from "./engine.ts";

/** Samples and events of hosts, kept for a while. */
export function recorderQueries({ read, write }: Access): Pick<Store, "record" | "recorded" | "trimRecorded"> {
  return {
    record: (rows) =>
      write("Keeping samples", async (trx) => {
        const values = rows.map(({ host, kind, containerId, atMs, json }) => {
          return {
            host,
            kind,
            container_id: containerId,
            at_ms: Math.round(atMs),
            json,
          };
        });
        for (let from = 0; from < values.length; from += limits.insertRows) {
          await trx
            .insertInto("recorded")
            .values(values.slice(from, from + limits.insertRows))
            .execute();
        }
      }),
    recorded: ({ host, kind, containerId, sinceMs, untilMs, limit }) =>
      read("Reading samples", async (db) => {
        let found = db
          .selectFrom("recorded")
          .select(["kind", "container_id", "at_ms", "json"])
          .where("host", "=", host)
          .where("at_ms", ">=", Math.floor(sinceMs))
          .where("at_ms", "<=", Math.ceil(untilMs));
        if (kind !== undefined) found = found.where("kind", "=", kind);
        if (containerId !== undefined) found = found.where("container_id", "=", containerId);
        const rows = await found.orderBy("at_ms", "desc").orderBy("id", "desc").limit(limit).execute();
        return rows.reverse().map((row) => {
          return {
            kind: row.kind,
            containerId: row.container_id,
            atMs: row.at_ms,
            json: row.json,
          };
        });
      }),
    trimRecorded: (beforeMs) =>
      write("Dropping old samples", async (trx) => {
        const gone = await trx.deleteFrom("recorded").where("at_ms", "<", Math.floor(beforeMs)).executeTakeFirst();
        return Number(gone.numDeletedRows);
      }),
  };
}

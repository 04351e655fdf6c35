import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Fault } from "../../src/core/result.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/store/store.ts";
import { storeContract } from "../store/contract.ts";
import { note, opened } from "../store/contract-entries.ts";
import { type Lab, labUnavailable, startLab } from "./lab.ts";
import { SERVICE_READY_TIMEOUT_MS } from "./limits.ts";
import { connectTo, type PostgresServer, startPostgres } from "./postgres-server.ts";
import { eventually } from "./processes.ts";

const unavailable = labUnavailable();
const clock = { nowMs: () => Date.now() };

let lab: Lab;
let postgres: PostgresServer;

describe.skipIf(unavailable !== null)(`a store in Postgres${unavailable === null ? "" : `: ${unavailable}`}`, () => {
  beforeAll(async () => {
    lab = await startLab({ name: "store" });
    postgres = await startPostgres(lab, "store-db");
  });
  afterAll(async () => await lab?.stop());

  storeContract(async () => {
    const name = await createDatabase();
    return {
      open: (given) => openStore(urlOf(name), { clock: given }),
      tamper: async (statement) => void (await run(name, statement)),
      remove: () => dropDatabase(name),
    };
  });

  describe("a server in particular", () => {
    let name: string;
    let store: Store;

    beforeEach(async () => {
      name = await createDatabase();
      store = await openStore(urlOf(name), { clock });
      await store.append([opened("i1", "C1")]);
      return async () => {
        await store.close();
        await dropDatabase(name);
      };
    });

    test.each([
      ["a wrong password", () => urlOf(name).replace(postgres.password, "wrong-one"), "password"],
      ["a wrong database", () => urlOf("nothing_here"), "Create the database"],
      ["a port where nothing listens", () => urlOf(name).replace(`:${postgres.port}`, ":1"), "runs and is reachable"],
      ["a host name nobody has", () => urlOf(name).replace("127.0.0.1", "nobody.invalid"), "host name"],
    ])("says what to do about %s, and not the password", async (_, url, next) => {
      const fault = await openStore(url(), { clock }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ name: "Fault", code: "store-unavailable", next: expect.stringContaining(next) });
      expect((fault as Fault).message).toMatch(/Preparing the store in Postgres at .*: \S/);
      expect((fault as Fault).message).not.toContain(postgres.password);
      expect((fault as Fault).message).not.toContain("wrong-one");
    });

    test("moves the lease of a dead owner by the server's clock, whatever the callers' clocks say", async () => {
      const ttlMs = 500;
      const startedMs = Date.now();
      expect(await store.acquireLease("host:a", "dead", ttlMs, 0)).toBe(true);
      expect(await store.acquireLease("host:a", "heir", ttlMs, Date.now() + 86_400_000)).toBe(false);
      expect(await eventually(() => store.acquireLease("host:a", "heir", ttlMs, 0), 10_000)).toBe(true);
      expect(Date.now() - startedMs).toBeGreaterThanOrEqual(ttlMs);
    });

    test("goes on after all its idle connections were ended", async () => {
      await Promise.all(Array.from({ length: 5 }, () => store.entries("i1")));
      await endConnections(name);
      expect(await eventually(() => works(store), SERVICE_READY_TIMEOUT_MS)).toBe(true);
      expect((await store.append([note("i1", 2, "after")])).appended).toBe(true);
    });

    test("appends nothing when its connection breaks in the middle, and can at once try again", async () => {
      const other = await connectTo(urlOf(name));
      await other.query("begin; select * from audit_head for update");
      const append = store.append([note("i1", 2, "cut off")]).catch((error: unknown) => error);
      expect(await eventually(() => someoneWaits(name), SERVICE_READY_TIMEOUT_MS)).toBe(true);
      await run(
        "shop",
        `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = '${name}' and wait_event_type = 'Lock'`,
      );
      expect(await append).toMatchObject({
        code: "store-unavailable",
        next: expect.stringContaining("before repeating"),
      });
      await other.end();
      expect(await store.entries("i1")).toHaveLength(1);
      expect((await store.append([note("i1", 2, "again")])).appended).toBe(true);
      expect((await store.verifyAudit()).ok).toBe(true);
    });

    test("says so when the server falls silent, and goes on when it speaks again", async () => {
      await lab.docker("pause", "store-db");
      const append = store.append([note("i1", 2, "into silence")]).catch((error: unknown) => error);
      const answer = await append.finally(() => lab.docker("unpause", "store-db"));
      expect(answer).toMatchObject({ code: "store-unavailable", next: expect.stringContaining("before repeating") });
      expect(await eventually(() => works(store), SERVICE_READY_TIMEOUT_MS)).toBe(true);
      const entries = await store.entries("i1");
      expect((await store.append([note("i1", entries.length + 1, "heard")])).appended).toBe(true);
      expect((await store.verifyAudit()).ok).toBe(true);
    });

    test("says that a server which only reads cannot be written", async () => {
      await run("shop", `alter database ${name} set default_transaction_read_only = on`);
      const reader = await openStore(urlOf(name), { clock });
      expect(await reader.entries("i1")).toHaveLength(1);
      await expect(reader.checkWritable()).rejects.toMatchObject({ next: expect.stringContaining("only reads") });
      await reader.close();
    });

    test("loses nothing acknowledged when the server is killed under load, and comes back by itself", async () => {
      let acknowledged = 1;
      const appending = (async () => {
        for (let seq = 2; ; seq++) {
          await store.append([note("i1", seq, "x".repeat(500))]);
          acknowledged = seq;
        }
      })().catch((error: unknown) => error);
      await eventually(() => acknowledged > 50, SERVICE_READY_TIMEOUT_MS);
      await lab.docker("kill", "store-db");
      expect(await appending).toBeInstanceOf(Fault);
      await expect(store.checkWritable()).rejects.toMatchObject({ code: "store-unavailable" });
      await lab.docker("start", "store-db");
      expect(await eventually(() => works(store), SERVICE_READY_TIMEOUT_MS)).toBe(true);
      const seqs = (await store.entries("i1")).map((entry) => entry.seq);
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1));
      expect(seqs.length).toBeGreaterThanOrEqual(acknowledged);
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: seqs.length });
    });
  });
});

const urlOf = (database: string) => postgres.urlOf(database);
const run = (database: string, statement: string) => postgres.run(database, statement);
const createDatabase = () => postgres.createDatabase();

async function dropDatabase(name: string): Promise<void> {
  await run("shop", `drop database ${name} with (force)`);
}

async function endConnections(name: string): Promise<void> {
  await run("shop", `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
}

async function someoneWaits(name: string): Promise<boolean> {
  const waiting = `select pid from pg_stat_activity where datname = '${name}' and wait_event_type = 'Lock'`;
  return (await run("shop", waiting)).length > 0;
}

async function works(store: Store): Promise<boolean> {
  return await store.checkWritable().then(
    () => true,
    () => false,
  );
}

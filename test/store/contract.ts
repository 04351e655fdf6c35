import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../src/core/limits.ts";
import type { Clock, Store } from "../../src/ports.ts";
import { auditContract } from "./contract-audit.ts";
import { opened } from "./contract-entries.ts";
import { outboxContract } from "./contract-outbox.ts";
import { timelineContract } from "./contract-timeline.ts";

/** One database of its own. Several stores may be open on it at once, as replicas are. */
export interface Place {
  open(clock: Clock): Promise<Store>;
  /** Runs SQL behind the store's back. */
  tamper(statement: string): Promise<void>;
  remove(): Promise<void>;
}

/** What the parts of the contract work with. The time stands still unless a test moves it. */
export interface Given {
  openStore(): Promise<Store>;
  tamper(statement: string): Promise<void>;
  time: { nowMs: number };
}

/** What every storage engine has to do. */
export function storeContract(makePlace: () => Promise<Place>): void {
  const time = { nowMs: 1_800_000_000_000 };
  const clock: Clock = { nowMs: () => time.nowMs };
  let place: Place;
  let open: Store[] = [];

  async function openStore(): Promise<Store> {
    const store = await place.open(clock);
    open.push(store);
    return store;
  }

  const given: Given = { openStore, tamper: (statement) => place.tamper(statement), time };

  beforeEach(async () => {
    time.nowMs = 1_800_000_000_000;
    place = await makePlace();
  });

  afterEach(async () => {
    await Promise.all(open.map((store) => store.close()));
    open = [];
    await place.remove();
  });

  timelineContract(given);
  outboxContract(given);
  auditContract(given);

  describe("seen events", () => {
    test("lets one of many racing deliveries be the first", async () => {
      const stores = [await openStore(), await openStore()];
      const seen = await Promise.all(
        Array.from({ length: 40 }, (_, i) => (stores[i % 2] as Store).firstSeen("Ev1", time.nowMs)),
      );
      expect(seen.filter(Boolean)).toHaveLength(1);
      expect(await (stores[0] as Store).firstSeen("Ev2", time.nowMs)).toBe(true);
    });

    test("forgets them after the retention, not before", async () => {
      const before = await openStore();
      await before.firstSeen("old", time.nowMs);
      await before.firstSeen("young", time.nowMs + 10);
      time.nowMs += limits.seenRetentionMs + 5;
      const after = await openStore();
      await after.firstSeen("trims", time.nowMs);
      expect([await after.firstSeen("old", time.nowMs), await after.firstSeen("young", time.nowMs)]).toEqual([
        true,
        false,
      ]);
    });
  });

  describe("documents and samples", () => {
    test("a document is replaced, listed by kind and deleted", async () => {
      const store = await openStore();
      await store.putDocument("host", "b", '{"v":1}', 1);
      await store.putDocument("host", "b", '{"v":2}', 2);
      await store.putDocument("host", "a", "{}", 3);
      await store.putDocument("freeze", "b", "{}", 4);
      expect(await store.document("host", "b")).toEqual({
        json: '{"v":2}',
        atMs: 2,
      });
      expect((await store.documents("host")).map((row) => row.key)).toEqual(["a", "b"]);
      await store.deleteDocument("host", "b");
      await store.deleteDocument("host", "b");
      expect(await store.document("host", "b")).toBeNull();
      expect(await store.document("freeze", "b")).toEqual({
        json: "{}",
        atMs: 4,
      });
    });

    test("samples come back by host, kind, container and time, the newest when there are too many", async () => {
      const store = await openStore();
      const sample = (host: string, kind: string, containerId: string | null, atMs: number) => {
        return { host, kind, containerId, atMs, json: `{"at":${atMs}}` };
      };
      await store.record([
        sample("h", "stats", "c1", 30),
        sample("h", "stats", "c1", 10),
        sample("h", "event", null, 20),
      ]);
      await store.record([sample("h", "stats", "c2", 15), sample("other", "stats", "c1", 11)]);
      await store.record([]);
      const range = { host: "h", sinceMs: 10, untilMs: 30, limit: 10 };
      const times = async (filter: Parameters<Store["recorded"]>[0]) =>
        (await store.recorded(filter)).map((r) => r.atMs);
      expect(await times(range)).toEqual([10, 15, 20, 30]);
      expect(await times({ ...range, limit: 2 })).toEqual([20, 30]);
      expect(await times({ ...range, kind: "stats", containerId: "c1" })).toEqual([10, 30]);
      expect(await times({ ...range, sinceMs: 11, untilMs: 29 })).toEqual([15, 20]);
      expect(await store.trimRecorded(20)).toBe(3);
      expect(await times({ ...range, sinceMs: 0 })).toEqual([20, 30]);
    });
  });

  describe("when it cannot work", () => {
    test("says that it can be written, until it is closed", async () => {
      const store = await openStore();
      await store.checkWritable();
      await store.checkWritable();
      await store.close();
      await store.close();
      const calls = [store.checkWritable(), store.entries("i1"), store.append([opened("i1", "C1")]), store.unsent(1)];
      for (const call of calls) {
        await expect(call).rejects.toMatchObject({
          name: "Fault",
          code: "store-unavailable",
          next: expect.any(String),
        });
      }
    });

    test("refuses a schema that a newer release has made", async () => {
      await (await openStore()).close();
      await place.tamper("update schema_version set version = 999");
      await expect(openStore()).rejects.toMatchObject({
        code: "store-unavailable",
        message: expect.stringContaining("version 999"),
        next: expect.stringContaining("release"),
      });
    });

    test("may be opened for the first time by several at once", async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, openStore));
      await Promise.all(stores.map((store, index) => store.append([opened(`i${index}`, "C1")])));
      expect(await (stores[0] as Store).verifyAudit()).toMatchObject({
        ok: true,
        rows: 4,
      });
    });
  });
}

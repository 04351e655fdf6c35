import { describe, expect, test } from "vitest";
import type { Store } from "../../src/ports.ts";
import type { Given } from "./contract.ts";
import { opened, outboxRow } from "./contract-entries.ts";

export function outboxContract(given: Given): void {
  const { openStore, time } = given;

  describe("outbox", () => {
    test("gives the first unsent row of each lane, oldest first", async () => {
      const store = await openStore();
      await store.enqueue([outboxRow("a1", "a"), outboxRow("a2", "a"), outboxRow("b1", "b"), outboxRow("b2", "b")]);
      expect((await store.unsent(10)).map((row) => row.key)).toEqual(["a1", "b1"]);
      expect((await store.unsent(1)).map((row) => row.key)).toEqual(["a1"]);
      const sent: string[] = [];
      for (let [row] = await store.unsent(1); row; [row] = await store.unsent(1)) {
        sent.push(row.key);
        await store.markSent(row.id, `ts-${row.key}`, time.nowMs);
      }
      expect(sent).toEqual(["a1", "a2", "b1", "b2"]);
      expect(await store.sentResult("a2")).toBe("ts-a2");
      expect(await store.sentResult("never queued")).toBeNull();
    });

    test("queues a key once, even after it was sent, and keeps the first result", async () => {
      const store = await openStore();
      await store.enqueue([outboxRow("k", "a")]);
      await store.append([opened("i1", "C1")], [outboxRow("k", "a"), outboxRow("k", "b")]);
      const rows = await store.unsent(10);
      expect(rows.map((row) => row.key)).toEqual(["k"]);
      await store.markSent(rows[0]?.id ?? 0, "first", 1);
      await store.markSent(rows[0]?.id ?? 0, "second", 2);
      await store.enqueue([outboxRow("k", "a")]);
      expect(await store.unsent(10)).toEqual([]);
      expect(await store.sentResult("k")).toBe("first");
    });

    test("holds a whole lane back until its first row is due again, and no other lane", async () => {
      const store = await openStore();
      await store.enqueue([outboxRow("a1", "a"), outboxRow("a2", "a"), outboxRow("b1", "b")]);
      const [first] = await store.unsent(1);
      await store.markAttempt(first?.id ?? 0, "rate limited", time.nowMs + 1_000);
      expect((await store.unsent(10)).map((row) => row.key)).toEqual(["b1"]);
      expect((await store.claimOutbox("me", 10, 60_000)).map((row) => row.key)).toEqual(["b1"]);
      time.nowMs += 1_000;
      expect(await store.unsent(1)).toMatchObject([{ key: "a1", attempts: 1 }]);
    });

    test("never gives two owners the same row, and keeps lanes in order among them", async () => {
      const stores = [await openStore(), await openStore()];
      const lanes = Array.from({ length: 20 }, (_, lane) => `lane ${lane}`);
      await (stores[0] as Store).enqueue(
        lanes.flatMap((lane) => [outboxRow(`${lane} 1`, lane), outboxRow(`${lane} 2`, lane)]),
      );
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, i) => (stores[i % 2] as Store).claimOutbox(`owner ${i}`, 5, 60_000)),
      );
      const later = await (stores[0] as Store).claimOutbox("last", 100, 60_000);
      const keys = [...claims.flat(), ...later].map((row) => row.key);
      expect(keys.toSorted()).toEqual(lanes.map((lane) => `${lane} 1`).toSorted());
    });

    test("gives a row out again once its claim has run out or its attempt has failed", async () => {
      const store = await openStore();
      await store.enqueue([outboxRow("a1", "a"), outboxRow("b1", "b")]);
      await store.claimOutbox("died", 1, 0);
      const again = await store.claimOutbox("other", 1, 60_000);
      expect(again.map((row) => row.key)).toEqual(["a1"]);
      await store.markAttempt(again[0]?.id ?? 0, "reset", 0);
      expect((await store.claimOutbox("third", 10, 60_000)).map((row) => row.key)).toEqual(["a1", "b1"]);
    });
  });

  describe("leases", () => {
    test("are held by one owner until released", async () => {
      const [one, two] = [await openStore(), await openStore()];
      expect(await one.acquireLease("host:a", "one", 60_000, time.nowMs)).toBe(true);
      expect(await two.acquireLease("host:a", "two", 60_000, time.nowMs)).toBe(false);
      expect(await two.acquireLease("host:b", "two", 60_000, time.nowMs)).toBe(true);
      expect(await one.acquireLease("host:a", "one", 60_000, time.nowMs)).toBe(true);
      await two.releaseLease("host:a", "two");
      expect(await two.acquireLease("host:a", "two", 60_000, time.nowMs)).toBe(false);
      await one.releaseLease("host:a", "one");
      expect(await two.acquireLease("host:a", "two", 60_000, time.nowMs)).toBe(true);
    });

    test("move on once their time is over, and stay when renewed", async () => {
      const [one, two] = [await openStore(), await openStore()];
      expect(await one.acquireLease("host:a", "one", 0, time.nowMs)).toBe(true);
      expect(await two.acquireLease("host:a", "two", 60_000, time.nowMs)).toBe(true);
      expect(await one.acquireLease("host:a", "one", 60_000, time.nowMs)).toBe(false);
    });

    test("go to one of many that ask at once", async () => {
      const stores = [await openStore(), await openStore()];
      const granted = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (stores[i % 2] as Store).acquireLease("x", `o${i}`, 60_000, time.nowMs)),
      );
      expect(granted.filter(Boolean)).toHaveLength(1);
    });
  });
}

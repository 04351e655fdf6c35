import { describe, expect, test } from "vitest";
import { Fault } from "../../src/core/result.ts";
import type { Store } from "../../src/ports.ts";
import type { Given } from "./contract.ts";
import { note, opened, outboxRow, request } from "./contract-entries.ts";

export function timelineContract(given: Given): void {
  const { openStore, time } = given;

  describe("timeline", () => {
    test("gives back what was appended, in order, and nothing of others", async () => {
      const store = await openStore();
      const first = await store.append([opened("i1", "C1")]);
      await store.append([opened("i2", "C1")]);
      const second = await store.append([note("i1", 2, "two"), note("i1", 3, "three")]);
      const entries = await store.entries("i1");
      expect(entries.map((entry) => [entry.seq, entry.body])).toEqual([
        [1, opened("i1", "C1").body],
        [2, note("i1", 2, "two").body],
        [3, note("i1", 3, "three").body],
      ]);
      expect(entries).toEqual([...appended(first), ...appended(second)]);
      expect(await store.entries("nobody")).toEqual([]);
    });

    test("lets exactly one of 100 racing appends win, over two stores", async () => {
      const [one, two] = [await openStore(), await openStore()];
      await one.append([opened("i1", "C1")]);
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          (index % 2 ? one : two).append([note("i1", 2, `racer ${index}`)], [outboxRow(`racer ${index}`, "t1")]),
        ),
      );
      const winners = results.flatMap((result, index) => (result.appended ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(results.filter((result) => !result.appended)).toEqual(
        Array.from({ length: 99 }, () => ({ appended: false, actualSeq: 2 })),
      );
      expect((await two.entries("i1"))[1]?.body).toMatchObject({
        text: `racer ${winners[0]}`,
      });
      expect((await two.unsent(10)).map((row) => row.key)).toEqual([`racer ${winners[0]}`]);
    });

    test("keeps one chain while incidents are appended to from two stores at once", async () => {
      const stores = [await openStore(), await openStore()];
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          const store = stores[index % 2] as Store;
          await store.append([opened(`i${index}`, "C1")]);
          await store.append([note(`i${index}`, 2, "next")]);
        }),
      );
      expect(await (stores[0] as Store).verifyAudit()).toMatchObject({
        ok: true,
        rows: 80,
        problems: [],
      });
    });

    test("appends all or nothing", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1")]);
      const refused = await store.append([note("i1", 3, "too far"), note("i1", 4, "x")], [outboxRow("k1", "t1")]);
      expect(refused).toEqual({ appended: false, actualSeq: 1 });
      await expect(store.append([note("i1", 2, "a"), note("i2", 3, "b")])).rejects.toThrow(Fault);
      const broken = {
        ...outboxRow("k2", "t1"),
        channel: null as unknown as string,
      };
      await expect(store.append([note("i1", 2, "lost with its message")], [broken])).rejects.toThrow(Fault);
      expect(await store.entries("i1")).toHaveLength(1);
      expect(await store.unsent(10)).toEqual([]);
      expect((await store.append([note("i1", 2, "now")])).appended).toBe(true);
      expect((await store.verifyAudit()).ok).toBe(true);
    });

    test("has everything after closing and opening again", async () => {
      const before = await openStore();
      await before.append([opened("i1", "C1"), note("i1", 2, "kept")], [outboxRow("k1", "t1")]);
      await before.putDocument("host", "prod-1", "{}", 5);
      await before.firstSeen("event", time.nowMs);
      const entries = await before.entries("i1");
      await before.close();
      const after = await openStore();
      expect(await after.entries("i1")).toEqual(entries);
      expect((await after.unsent(10)).map((row) => row.key)).toEqual(["k1"]);
      expect(await after.document("host", "prod-1")).toEqual({
        json: "{}",
        atMs: 5,
      });
      expect(await after.firstSeen("event", time.nowMs)).toBe(false);
      expect((await after.append([note("i1", 3, "goes on")])).appended).toBe(true);
      expect((await after.verifyAudit()).ok).toBe(true);
    });

    test("lists incidents newest first, by channel and by thread", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1")]);
      await store.append([opened("i2", "C2")]);
      await store.append([opened("i3", null)]);
      await store.append([
        request("i1", 2, {
          kind: "room-posted",
          channel: "C1",
          threadTs: "17.5",
        }),
      ]);
      expect((await store.incidents({ limit: 2 })).map((row) => row.incidentId)).toEqual(["i3", "i2"]);
      expect((await store.incidents({ channel: "C1", limit: 9 })).map((row) => row.incidentId)).toEqual(["i1"]);
      const row = {
        incidentId: "i1",
        channel: "C1",
        service: "web",
        openedAtMs: 1_000,
      };
      expect(await store.incident("i1")).toEqual(row);
      expect(await store.incident("i9")).toBeNull();
      expect(await store.incidentByThread("C1", "17.5")).toEqual(row);
      expect(await store.incidentByThread("C2", "17.5")).toBeNull();
      expect(await store.incident("i3")).toMatchObject({ channel: null });
    });

    test.each(hostileTexts)("keeps hostile text unchanged: %j", async (text) => {
      const store = await openStore();
      const other = `${text}!`;
      await store.append([opened(text, text, text)], [{ ...outboxRow(text, text), channel: text, payload: text }]);
      expect((await store.entries(text))[0]).toMatchObject({
        incidentId: text,
        body: { command: text },
      });
      expect(await store.incidents({ channel: text, limit: 5 })).toMatchObject([{ incidentId: text, service: text }]);
      expect(await store.incidents({ channel: other, limit: 5 })).toEqual([]);
      const [row] = await store.unsent(5);
      expect(row).toMatchObject({
        key: text,
        lane: text,
        channel: text,
        payload: text,
      });
      await store.markSent(row?.id ?? 0, text, 1);
      expect(await store.sentResult(text)).toBe(text);
      await store.putDocument(text, text, text, 1);
      expect(await store.documents(text)).toEqual([{ key: text, json: text, atMs: 1 }]);
      expect([await store.firstSeen(text, 1), await store.firstSeen(text, 1)]).toEqual([true, false]);
      await store.record([{ host: text, kind: text, containerId: text, atMs: 1, json: text }]);
      const range = { sinceMs: 0, untilMs: 9, limit: 9 };
      expect(
        await store.recorded({
          host: text,
          kind: text,
          containerId: text,
          ...range,
        }),
      ).toHaveLength(1);
      expect(await store.verifyAudit()).toMatchObject({ ok: true });
    });

    test("keeps bodies of a megabyte", async () => {
      const store = await openStore();
      const text = "0123456789abcdé\0".repeat(65_536);
      await store.append([opened("i1", "C1"), note("i1", 2, text)], [{ ...outboxRow("k", "t"), payload: text }]);
      expect((await store.entries("i1"))[1]?.body).toEqual({
        kind: "note",
        text,
        from: null,
      });
      expect((await store.unsent(1))[0]?.payload).toBe(text);
      expect(await store.verifyAudit()).toMatchObject({ ok: true });
    });

    test("takes, lists and verifies 10,000 entries", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1"), ...Array.from({ length: 9_999 }, (_, i) => note("i1", i + 2, `n${i}`))]);
      const entries = await store.entries("i1");
      expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
      expect(await store.verifyAudit()).toMatchObject({
        ok: true,
        rows: 10_000,
      });
    });
  });
}

const hostileTexts = [
  "'; drop table entries; --",
  "nul \0 in the middle",
  "lone \ud800 surrogate and \udfff",
  "escape \u001a0000 itself",
  "𝔘𝔫𝔦 🚒 \u202e right-to-left ﷽",
  '\\ " % _ $1 :x ? {"a":1}',
  " ",
];

function appended(result: Awaited<ReturnType<Store["append"]>>) {
  return result.appended ? result.entries : [];
}

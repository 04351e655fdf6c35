import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EntryBody } from "../../src/core/incident.ts";
import { limits } from "../../src/core/limits.ts";
import { Fault } from "../../src/core/result.ts";
import type { AppendRequest, Clock, OutboxRow, Store } from "../../src/ports.ts";

/** One database of its own. Several stores may be open on it at once, as replicas are. */
export interface Place {
  open(clock: Clock): Promise<Store>;
  /** Runs SQL behind the store's back. */
  tamper(statement: string): Promise<void>;
  remove(): Promise<void>;
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

  beforeEach(async () => {
    time.nowMs = 1_800_000_000_000;
    place = await makePlace();
  });

  afterEach(async () => {
    await Promise.all(open.map((store) => store.close()));
    open = [];
    await place.remove();
  });

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
      expect((await two.entries("i1"))[1]?.body).toMatchObject({ text: `racer ${winners[0]}` });
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
      expect(await (stores[0] as Store).verifyAudit()).toMatchObject({ ok: true, rows: 80, problems: [] });
    });

    test("appends all or nothing", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1")]);
      const refused = await store.append([note("i1", 3, "too far"), note("i1", 4, "x")], [outboxRow("k1", "t1")]);
      expect(refused).toEqual({ appended: false, actualSeq: 1 });
      await expect(store.append([note("i1", 2, "a"), note("i2", 3, "b")])).rejects.toThrow(Fault);
      const broken = { ...outboxRow("k2", "t1"), channel: null as unknown as string };
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
      expect(await after.document("host", "prod-1")).toEqual({ json: "{}", atMs: 5 });
      expect(await after.firstSeen("event", time.nowMs)).toBe(false);
      expect((await after.append([note("i1", 3, "goes on")])).appended).toBe(true);
      expect((await after.verifyAudit()).ok).toBe(true);
    });

    test("lists incidents newest first, by channel and by thread", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1")]);
      await store.append([opened("i2", "C2")]);
      await store.append([opened("i3", null)]);
      await store.append([request("i1", 2, { kind: "room-posted", channel: "C1", threadTs: "17.5" })]);
      expect((await store.incidents({ limit: 2 })).map((row) => row.incidentId)).toEqual(["i3", "i2"]);
      expect((await store.incidents({ channel: "C1", limit: 9 })).map((row) => row.incidentId)).toEqual(["i1"]);
      const row = { incidentId: "i1", channel: "C1", service: "web", openedAtMs: 1_000 };
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
      expect((await store.entries(text))[0]).toMatchObject({ incidentId: text, body: { command: text } });
      expect(await store.incidents({ channel: text, limit: 5 })).toMatchObject([{ incidentId: text, service: text }]);
      expect(await store.incidents({ channel: other, limit: 5 })).toEqual([]);
      const [row] = await store.unsent(5);
      expect(row).toMatchObject({ key: text, lane: text, channel: text, payload: text });
      await store.markSent(row?.id ?? 0, text, 1);
      expect(await store.sentResult(text)).toBe(text);
      await store.putDocument(text, text, text, 1);
      expect(await store.documents(text)).toEqual([{ key: text, json: text, atMs: 1 }]);
      expect([await store.firstSeen(text, 1), await store.firstSeen(text, 1)]).toEqual([true, false]);
      await store.record([{ host: text, kind: text, containerId: text, atMs: 1, json: text }]);
      const range = { sinceMs: 0, untilMs: 9, limit: 9 };
      expect(await store.recorded({ host: text, kind: text, containerId: text, ...range })).toHaveLength(1);
      expect(await store.verifyAudit()).toMatchObject({ ok: true });
    });

    test("keeps bodies of a megabyte", async () => {
      const store = await openStore();
      const text = "0123456789abcdé\0".repeat(65_536);
      await store.append([opened("i1", "C1"), note("i1", 2, text)], [{ ...outboxRow("k", "t"), payload: text }]);
      expect((await store.entries("i1"))[1]?.body).toEqual({ kind: "note", text, from: null });
      expect((await store.unsent(1))[0]?.payload).toBe(text);
      expect(await store.verifyAudit()).toMatchObject({ ok: true });
    });

    test("takes, lists and verifies 10,000 entries", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1"), ...Array.from({ length: 9_999 }, (_, i) => note("i1", i + 2, `n${i}`))]);
      const entries = await store.entries("i1");
      expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 10_000 });
    });
  });

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

  describe("documents and samples", () => {
    test("a document is replaced, listed by kind and deleted", async () => {
      const store = await openStore();
      await store.putDocument("host", "b", '{"v":1}', 1);
      await store.putDocument("host", "b", '{"v":2}', 2);
      await store.putDocument("host", "a", "{}", 3);
      await store.putDocument("freeze", "b", "{}", 4);
      expect(await store.document("host", "b")).toEqual({ json: '{"v":2}', atMs: 2 });
      expect((await store.documents("host")).map((row) => row.key)).toEqual(["a", "b"]);
      await store.deleteDocument("host", "b");
      await store.deleteDocument("host", "b");
      expect(await store.document("host", "b")).toBeNull();
      expect(await store.document("freeze", "b")).toEqual({ json: "{}", atMs: 4 });
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

  describe("audit", () => {
    const where = "where incident_id = 'i2' and seq = 2";
    const swap = (a: number, b: number) =>
      `update entries set position = -1 where position = ${a}; update entries set position = ${a} where position = ${b}; ` +
      `update entries set position = ${b} where position = -1`;
    const copy = `insert into entries select 99, 'copy', seq, at_ms, actor, body, hash, chain_hash from entries ${where}`;

    test.each([
      ["an edited body", `update entries set body = replace(body, 'second', 'forged') ${where}`, "changed"],
      ["a body edited in its spaces only", `update entries set body = body || ' ' ${where}`, "changed"],
      ["an edited actor", `update entries set actor = '{"kind":"terminal"}' ${where}`, "changed"],
      ["an edited time", `update entries set at_ms = at_ms + 1 ${where}`, "changed"],
      ["a time beyond all numbers", `update entries set at_ms = 9223372036854775807 ${where}`, "changed"],
      ["an edited number", `update entries set seq = 7 ${where}`, "entries 2 to 6 are missing"],
      ["an entry moved to another incident", `update entries set incident_id = 'i9' ${where}`, "missing before it"],
      ["an edited hash", `update entries set hash = 'x' ${where}`, "changed"],
      ["an edited global hash", `update entries set chain_hash = 'x' ${where}`, "out of place"],
      ["a position beyond all numbers", `update entries set position = 9223372036854775807 ${where}`, "does not know"],
      ["a deleted entry", `delete from entries ${where}`, "1 row(s) before position 5 are missing"],
      ["a deleted incident", "delete from entries where incident_id = 'i1'", "missing"],
      ["a deleted newest entry", "delete from entries where position = 6", "the newest 1 row(s) are missing"],
      ["a deleted tail", "delete from entries where position > 2", "the newest 4 row(s) are missing"],
      ["everything deleted", "delete from entries", "the newest 6 row(s) are missing"],
      ["two entries that changed places", swap(2, 3), "out of place"],
      ["an entry there twice", copy, "does not know"],
      ["an edited head", "update audit_head set hash = 'x'", "the head does not match"],
      ["a head set back", "update audit_head set position = 5", "does not know"],
      ["a deleted head", "delete from audit_head", "does not know"],
    ])("finds %s", async (_, statement, problem) => {
      const store = await openStore();
      for (const incidentId of ["i1", "i2", "i3"]) {
        await store.append([opened(incidentId, "C1"), note(incidentId, 2, "the second")]);
      }
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 6 });
      await place.tamper(statement);
      const verdict = await store.verifyAudit();
      expect(verdict.ok).toBe(false);
      expect(verdict.problems.map((found) => found.problem).join("\n")).toContain(problem);
    });

    test("finds a tail cut off together with its head by a head noted earlier", async () => {
      const store = await openStore();
      await store.append([opened("i1", "C1")]);
      const early = (await store.verifyAudit()).head;
      await store.append([note("i1", 2, "the approval")]);
      const noted = (await store.verifyAudit()).head;
      expect(await store.verifyAudit(early)).toMatchObject({ ok: true });
      await place.tamper(
        `delete from entries where position = 2; update audit_head set position = 1, hash = '${early.hash}'`,
      );
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 1 });
      expect(await store.verifyAudit(noted)).toMatchObject({ ok: false, rows: 1 });
    });

    test("verifies while others append", async () => {
      const [one, two] = [await openStore(), await openStore()];
      await one.append([opened("i1", "C1"), ...Array.from({ length: 999 }, (_, i) => note("i1", i + 2, "n"))]);
      const verdicts = await Promise.all([
        ...Array.from({ length: 3 }, () => one.verifyAudit()),
        ...Array.from({ length: 10 }, (_, i) => two.append([opened(`j${i}`, "C1")])).map(() => one.verifyAudit()),
      ]);
      expect(verdicts.flatMap((verdict) => verdict.problems)).toEqual([]);
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
      expect(await (stores[0] as Store).verifyAudit()).toMatchObject({ ok: true, rows: 4 });
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

export function opened(incidentId: string, channel: string | null, text = "web"): AppendRequest {
  const target = { service: text, symptom: "http-500", host: null } as const;
  const room = channel === null ? null : { channel, threadTs: null };
  return { ...request(incidentId, 1, { kind: "opened", target, room, command: text }), atMs: 1_000 };
}

export function note(incidentId: string, seq: number, text: string): AppendRequest {
  return request(incidentId, seq, { kind: "note", text, from: null });
}

function request(incidentId: string, expectSeq: number, body: EntryBody): AppendRequest {
  return { incidentId, expectSeq, atMs: 1_000 + expectSeq, actor: { kind: "person", userId: "U1", name: null }, body };
}

function outboxRow(key: string, lane: string): OutboxRow {
  return { key, incidentId: null, channel: "C1", lane, payload: "{}", queuedAtMs: 1 };
}

function appended(result: Awaited<ReturnType<Store["append"]>>) {
  return result.appended ? result.entries : [];
}

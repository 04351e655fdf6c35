import { describe, expect, test } from "vitest";
import type { Given } from "./contract.ts";
import { note, opened } from "./contract-entries.ts";

export function auditContract(given: Given): void {
  const { openStore, tamper } = given;

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
      ["a head beyond all numbers", "update audit_head set position = 9223372036854775807", "row(s) are missing"],
      ["a deleted head", "delete from audit_head", "does not know"],
    ])("finds %s", async (_, statement, problem) => {
      const store = await openStore();
      for (const incidentId of ["i1", "i2", "i3"]) {
        await store.append([opened(incidentId, "C1"), note(incidentId, 2, "the second")]);
      }
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 6 });
      await tamper(statement);
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
      await tamper(
        `delete from entries where position = 2; update audit_head set position = 1, hash = '${early.hash}'`,
      );
      expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 1 });
      expect(await store.verifyAudit(noted)).toMatchObject({
        ok: false,
        rows: 1,
      });
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
}

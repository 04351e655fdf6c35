import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AuditHead, type AuditRow, chainHash, emptyHead, rowHash, verifyChain } from "../../src/core/audit.ts";
import { limits } from "../../src/core/limits.ts";

type Content = Pick<AuditRow, "incidentId" | "atMs" | "actor" | "body">;

function chain(contents: Content[]): { rows: AuditRow[]; head: AuditHead } {
  const last = new Map<string, { seq: number; hash: string }>();
  let head = emptyHead;
  const rows = contents.map((content, index) => {
    const before = last.get(content.incidentId) ?? { seq: 0, hash: "" };
    const row = { ...content, seq: before.seq + 1, position: index + 1 };
    const hash = rowHash(before.hash, row);
    last.set(content.incidentId, { seq: row.seq, hash });
    head = {
      position: row.position,
      hash: chainHash(head.hash, row.position, hash),
    };
    return { ...row, hash, chainHash: head.hash };
  });
  return { rows, head };
}

const content = fc.record({
  incidentId: fc.constantFrom("a", "b", "c"),
  atMs: fc.nat(),
  actor: fc.constantFrom('{"kind":"room137"}', '{"kind":"terminal"}'),
  body: fc.string().map((text) => JSON.stringify({ kind: "note", text })),
});
const contents = fc.array(content, { minLength: 3, maxLength: 30 });

/** Each returns rows that differ from the given ones. `at` is any index into them. */
const forgeries: Record<string, (rows: AuditRow[], at: number) => AuditRow[]> = {
  "the time is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, atMs: row.atMs + 1 })),
  "the actor is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, actor: '{"kind":"person"}' })),
  "the body is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, body: `${row.body} ` })),
  "the number is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, seq: row.seq + 1 })),
  "the incident is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, incidentId: `${row.incidentId}x` })),
  "the hash is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, hash: "0".repeat(64) })),
  "the global hash is edited": (rows, at) => edit(rows, at, (row) => ({ ...row, chainHash: "0".repeat(64) })),
  "the body is edited and its hash made to fit": (rows, at) =>
    edit(rows, at, (row) => ({
      ...row,
      body: "{}",
      hash: rowHash("", { ...row, body: "{}" }),
    })),
  "a row is deleted": (rows, at) => rows.toSpliced(at, 1),
  "a row is deleted and the later ones moved up": (rows, at) =>
    rows.toSpliced(at, 1).map((row, index) => ({ ...row, position: index + 1 })),
  "a row is there twice": (rows, at) => rows.toSpliced(at, 0, rows[at] as AuditRow),
  "an incident is deleted": (rows, at) => rows.filter((row) => row.incidentId !== rows[at]?.incidentId),
  "the tail is deleted": (rows, at) => rows.slice(0, at),
  "two rows change places": (rows, at) => {
    const [a, b] = [rows[at] as AuditRow, rows[(at + 1) % rows.length] as AuditRow];
    return rows.map((row) =>
      row === a ? { ...b, position: a.position } : row === b ? { ...a, position: b.position } : row,
    );
  },
  "a row is added at the end": (rows) => {
    const last = rows.at(-1) as AuditRow;
    const row = {
      ...last,
      seq: last.seq + 1,
      position: last.position + 1,
      body: '{"forged":true}',
    };
    const hash = rowHash(last.hash, row);
    return [
      ...rows,
      {
        ...row,
        hash,
        chainHash: chainHash(last.chainHash, row.position, hash),
      },
    ];
  },
};

function edit(rows: AuditRow[], at: number, change: (row: AuditRow) => AuditRow): AuditRow[] {
  return rows.map((row, index) => (index === at ? change(row) : row));
}

describe("the audit chain", () => {
  test("accepts what was written, however incidents interleave", () => {
    fc.assert(
      fc.property(contents, (given) => {
        const { rows, head } = chain(given);
        expect(verifyChain(rows, head, head)).toEqual({
          ok: true,
          rows: given.length,
          problems: [],
          head,
        });
      }),
    );
  });

  test("accepts an empty store", () => {
    expect(verifyChain([], emptyHead)).toEqual({
      ok: true,
      rows: 0,
      problems: [],
      head: emptyHead,
    });
  });

  test.each(Object.entries(forgeries))("finds that %s", (_, forge) => {
    fc.assert(
      fc.property(contents, fc.nat(), (given, pick) => {
        const { rows, head } = chain(given);
        const verdict = verifyChain(forge(rows, pick % rows.length), head);
        expect(verdict.ok).toBe(false);
        expect(verdict.problems.length).toBeGreaterThan(0);
      }),
    );
  });

  test("names the one row that was edited, and no other", () => {
    const { rows, head } = chain(
      Array.from({ length: 9 }, () => ({
        incidentId: "a",
        atMs: 1,
        actor: "{}",
        body: "{}",
      })),
    );
    const verdict = verifyChain(
      edit(rows, 4, (row) => ({ ...row, body: '{"x":1}' })),
      head,
    );
    expect(verdict.problems).toEqual([{ incidentId: "a", seq: 5, problem: expect.stringMatching(/^changed/) }]);
  });

  test("finds a tail cut off together with its head only by a head noted earlier", () => {
    const { rows, head } = chain(
      Array.from({ length: 5 }, () => ({
        incidentId: "a",
        atMs: 1,
        actor: "{}",
        body: "{}",
      })),
    );
    const cut = rows.slice(0, 3);
    const cutHead = { position: 3, hash: cut[2]?.chainHash ?? "" };
    expect(verifyChain(cut, cutHead).ok).toBe(true);
    expect(verifyChain(cut, cutHead, head).problems).toEqual([
      {
        incidentId: "",
        seq: 0,
        problem: expect.stringContaining("noted position 5 is gone"),
      },
    ]);
  });

  test("finds a chain that was computed anew only by a head noted earlier", () => {
    const given = Array.from({ length: 4 }, () => ({
      incidentId: "a",
      atMs: 1,
      actor: "{}",
      body: "{}",
    }));
    const noted = chain(given.slice(0, 3)).head;
    const forged = chain([{ incidentId: "a", atMs: 1, actor: "{}", body: '{"forged":true}' }, ...given.slice(1)]);
    expect(verifyChain(forged.rows, forged.head).ok).toBe(true);
    expect(verifyChain(forged.rows, forged.head, noted).problems).toEqual([
      {
        incidentId: "a",
        seq: 3,
        problem: expect.stringContaining("the chain was rewritten"),
      },
    ]);
  });

  test("keeps the list of problems short however much is broken", () => {
    const { rows, head } = chain(
      Array.from({ length: limits.auditProblems + 5 }, () => ({
        incidentId: "a",
        atMs: 1,
        actor: "{}",
        body: "{}",
      })),
    );
    const verdict = verifyChain(
      rows.map((row) => ({ ...row, atMs: 2 })),
      head,
    );
    expect(verdict.ok).toBe(false);
    expect(verdict.problems).toHaveLength(limits.auditProblems);
  });

  test("tells apart rows whose joined texts are equal", () => {
    const row = { incidentId: "a", seq: 1, atMs: 1, actor: "ab", body: "c" };
    expect(rowHash("", row)).not.toBe(rowHash("", { ...row, actor: "a", body: "bc" }));
  });
});

describe("a problem", () => {
  const five = chain(
    ["a", "b", "a", "a", "b"].map((incidentId, at) => ({ incidentId, atMs: at, actor: "{}", body: `{"n":${at}}` })),
  );
  const told = (rows: AuditRow[], head: AuditHead = five.head, noted: AuditHead | null = null) =>
    verifyChain(rows, head, noted).problems.map(({ incidentId, seq, problem }) => `${incidentId}${seq} ${problem}`);
  const changed = "changed: its content does not give its hash, or the row before it was changed or removed";

  test("of a removed row names the gap in both chains", () => {
    expect(told(five.rows.toSpliced(2, 1))).toEqual([
      "a3 1 row(s) before position 4 are missing",
      "a3 entries 2 to 2 are missing before it",
      `a3 ${changed}`,
      "a3 out of place: it does not continue the chain at position 4",
    ]);
    expect(told(five.rows.toSpliced(1, 3))[0]).toBe("b2 3 row(s) before position 5 are missing");
  });

  test("of a row that is there twice names the row it follows", () => {
    const again = five.rows[3] as AuditRow;
    expect(told(five.rows.toSpliced(4, 0, again)).slice(0, 2)).toEqual([
      "a3 repeated or out of order: it follows entry 3",
      `a3 ${changed}`,
    ]);
  });

  test("of an edited row is told there and nowhere else", () => {
    expect(told(edit(five.rows, 2, (row) => ({ ...row, body: "{}" })))).toEqual([`a2 ${changed}`]);
  });

  test("of a cut tail, of rows behind the head and of a bent head are told apart", () => {
    expect(told(five.rows.slice(0, 3))).toEqual(["0 the newest 2 row(s) are missing: the head names 5"]);
    const third = { position: 3, hash: five.rows[2]?.chainHash ?? "" };
    expect(told(five.rows, third)).toEqual([
      "0 rows after position 3 were not written by room137: the head does not know them",
    ]);
    expect(told(five.rows, { ...five.head, hash: "0".repeat(64) })).toEqual([
      "0 the head does not match the newest row",
    ]);
  });

  test("of a tail cut together with its head is found by a head noted elsewhere, and by nothing else", () => {
    const rows = five.rows.slice(0, 3);
    const cut = { position: 3, hash: rows[2]?.chainHash ?? "" };
    expect(told(rows, cut)).toEqual([]);
    expect(told(rows, cut, five.head)).toEqual(["0 the noted position 5 is gone: the chain ends at 3"]);
  });
});

import { createHash } from "node:crypto";
import { limits } from "./limits.ts";
import { canonicalJson } from "./plan.ts";

/**
 * Tamper evidence for the timeline: two hash chains over the same rows.
 *
 * The incident chain links the rows of one incident, so that an exported timeline can be checked on its own. The global
 * chain links all rows in the order they were written and ends in a head kept beside them, so that a missing incident
 * and a missing newest row are found too.
 *
 * Not found by the rows alone: a tail cut off together with its head, or everything recomputed, by somebody who can
 * write both. Only a head noted elsewhere shows that; pass it as `noted`.
 */
export function verifyChain(rows: Iterable<AuditRow>, head: AuditHead, noted: AuditHead | null = null): AuditVerdict {
  const run = startVerification(noted);
  for (const row of rows) verifyRow(run, row);
  return finishVerification(run, head);
}

/** A row as it is stored. `actor` and `body` are their canonical JSON texts, byte for byte what was hashed. */
export interface AuditRow {
  /** Place in the global chain, from 1 without gaps. */
  position: number;
  incidentId: string;
  seq: number;
  atMs: number;
  actor: string;
  body: string;
  /** Link of the incident chain. */
  hash: string;
  /** Link of the global chain. */
  chainHash: string;
}

/** The newest link of the global chain. Position 0 and an empty hash before the first row. */
export interface AuditHead {
  position: number;
  hash: string;
}

interface AuditProblem {
  incidentId: string;
  seq: number;
  problem: string;
}

export interface AuditVerdict {
  ok: boolean;
  rows: number;
  /** At most `limits.auditProblems`; `ok` counts all of them. */
  problems: AuditProblem[];
  /** The newest link read; noted elsewhere it also proves that nothing was cut off later. */
  head: AuditHead;
}

export const emptyHead: AuditHead = { position: 0, hash: "" };

/** Link of the incident chain: SHA-256 (hex) over the previous row's hash ("" for the first) and this row. */
export function rowHash(
  previousHash: string,
  row: Pick<AuditRow, "incidentId" | "seq" | "atMs" | "actor" | "body">,
): string {
  return sha256([previousHash, row.incidentId, row.seq, row.atMs, row.actor, row.body]);
}

/** Link of the global chain: SHA-256 (hex) over the previous link, the position and the row's own hash. */
export function chainHash(previousHash: string, position: number, hash: string): string {
  return sha256([previousHash, position, hash]);
}

/** What is remembered from row to row, so that any number of rows is checked in constant memory per incident. */
interface Verification {
  rows: number;
  found: number;
  problems: AuditProblem[];
  last: AuditHead;
  incidents: Map<string, { seq: number; hash: string }>;
  noted: AuditHead | null;
}

export function startVerification(noted: AuditHead | null): Verification {
  return {
    rows: 0,
    found: 0,
    problems: [],
    last: emptyHead,
    incidents: new Map(),
    noted,
  };
}

/**
 * Checks the next row in order of position. Each link is recomputed from the stored previous one, so that one edit is
 * reported where it is and does not condemn every later row.
 */
export function verifyRow(run: Verification, row: AuditRow): void {
  run.rows += 1;
  const before = run.incidents.get(row.incidentId) ?? { seq: 0, hash: "" };
  const missing = row.position - run.last.position - 1;
  if (missing > 0) report(run, row, `${missing} row(s) before position ${row.position} are missing`);
  if (row.seq <= before.seq) report(run, row, `repeated or out of order: it follows entry ${before.seq}`);
  if (row.seq > before.seq + 1) report(run, row, `entries ${before.seq + 1} to ${row.seq - 1} are missing before it`);
  if (row.hash !== rowHash(before.hash, row)) {
    report(run, row, "changed: its content does not give its hash, or the row before it was changed or removed");
  }
  if (row.chainHash !== chainHash(run.last.hash, row.position, row.hash)) {
    report(run, row, `out of place: it does not continue the chain at position ${row.position}`);
  }
  if (run.noted?.position === row.position && run.noted.hash !== row.chainHash) {
    report(run, row, `not the row that was noted at position ${row.position}: the chain was rewritten`);
  }
  run.last = { position: row.position, hash: row.chainHash };
  run.incidents.set(row.incidentId, { seq: row.seq, hash: row.hash });
}

export function finishVerification(run: Verification, head: AuditHead): AuditVerdict {
  const end = { incidentId: "", seq: 0 };
  if (run.last.position < head.position) {
    report(
      run,
      end,
      `the newest ${head.position - run.last.position} row(s) are missing: the head names ${head.position}`,
    );
  } else if (run.last.position > head.position) {
    report(run, end, `rows after position ${head.position} were not written by room137: the head does not know them`);
  } else if (run.last.hash !== head.hash) {
    report(run, end, "the head does not match the newest row");
  }
  if (run.noted !== null && run.noted.position > run.last.position) {
    report(run, end, `the noted position ${run.noted.position} is gone: the chain ends at ${run.last.position}`);
  }
  return { ok: run.found === 0, rows: run.rows, problems: run.problems, head };
}

function report(run: Verification, at: { incidentId: string; seq: number }, problem: string): void {
  run.found += 1;
  if (run.problems.length < limits.auditProblems) {
    run.problems.push({ incidentId: at.incidentId, seq: at.seq, problem });
  }
}

/** JSON of a list separates its members without doubt: no two different lists have the same text. */
function sha256(parts: (string | number)[]): string {
  return createHash("sha256").update(canonicalJson(parts)).digest("hex");
}

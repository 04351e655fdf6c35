import type { Actor, EntryBody, TimelineEntry } from "../../src/core/incident.ts";
import type { RemediationPlan } from "../../src/core/plan.ts";
import { type Incident, replay } from "../../src/core/replay.ts";
import { askedAtMs } from "../core/scene.ts";

export const expiresAtMs = askedAtMs + 30 * 60_000;

type Row = EntryBody | { by: Actor; body: EntryBody; atMs?: number };

/** Rows of an incident that alice opened about web, one second apart. */
export function timeline(...rows: Row[]): TimelineEntry[] {
  const alice: Actor = { kind: "person", userId: "UALICE", name: "alice" };
  const target = { service: "web", symptom: "http-500" as const, host: null };
  const all: Row[] = [
    { by: alice, body: { kind: "opened", target, room: { channel: "C1", threadTs: null }, command: "/why-500 web" } },
    { kind: "investigating", hosts: ["h1"], again: false },
    ...rows,
  ];
  return all.map((row, at) => ({
    incidentId: "i-test01",
    seq: at + 1,
    atMs: ("by" in row ? row.atMs : undefined) ?? askedAtMs + at * 1_000,
    actor: "by" in row ? row.by : { kind: "room137" },
    body: "by" in row ? row.body : row,
    hash: "",
  }));
}

export function incidentOf(...rows: Row[]): Incident {
  const incident = replay(timeline(...rows));
  if (incident === null) throw new Error("no incident");
  return incident;
}

export function proposed(
  plan: RemediationPlan,
  more: Partial<Extract<EntryBody, { kind: "plan-proposed" }>> = {},
): EntryBody {
  return {
    kind: "plan-proposed",
    plan,
    expiresAtMs,
    quorum: 1,
    proposedFor: "UALICE",
    breakGlass: false,
    undoOf: null,
    ...more,
  };
}

export function by(userId: string, body: EntryBody): Row {
  return { by: { kind: "person", userId, name: userId.slice(1).toLowerCase() }, body };
}

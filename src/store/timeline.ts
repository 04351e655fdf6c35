import type { Selectable, Transaction } from "kysely";
import { type AuditHead, chainHash, rowHash } from "../core/audit.ts";
import type { TimelineEntry } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { canonicalJson } from "../core/plan.ts";
import { Fault } from "../core/result.ts";
import type { AppendRequest, IncidentRow, OutboxRow, Store } from "../ports.ts";
import { lockHead } from "./audit.ts";
import type { Access } from "./engine.ts";
import { queue } from "./outbox.ts";
import type { EntriesTable, IncidentsTable, Tables } from "./schema.ts";

export function timelineQueries(
  access: Access,
): Pick<Store, "append" | "entries" | "incident" | "incidents" | "incidentByThread"> {
  return {
    append: (requests, outbox = []) => append(access, requests, outbox),
    entries: (incidentId) =>
      access.read("Reading a timeline", async (db) => {
        const found = db.selectFrom("entries").selectAll().where("incident_id", "=", incidentId);
        return (await found.orderBy("seq").execute()).map(entryOf);
      }),
    incident: (incidentId) =>
      access.read("Reading an incident", async (db) => {
        const found = db.selectFrom("incidents").selectAll().where("incident_id", "=", incidentId);
        return incidentOf(await found.executeTakeFirst());
      }),
    incidents: ({ channel, limit }) =>
      access.read("Listing incidents", async (db) => {
        const all = db.selectFrom("incidents").selectAll();
        const found = channel === undefined ? all : all.where("channel", "=", channel);
        const rows = await found.orderBy("opened_position", "desc").limit(limit).execute();
        return rows.map((row) => incidentOf(row)).filter((row) => row !== null);
      }),
    incidentByThread: (channel, threadTs) =>
      access.read("Finding the incident of a thread", async (db) => {
        const found = db.selectFrom("incidents").selectAll().where("channel", "=", channel);
        return incidentOf(await found.where("thread_ts", "=", threadTs).executeTakeFirst());
      }),
  };
}

type Appended = Awaited<ReturnType<Store["append"]>>;

async function append(access: Access, requests: AppendRequest[], outbox: OutboxRow[]): Promise<Appended> {
  refuseMixed(requests);
  return await access.write("Appending to the timeline", async (trx) => {
    const head = await lockHead(trx, access.engine);
    const first = requests[0];
    if (first) {
      const last = await newest(trx, first.incidentId);
      if (first.expectSeq !== last.seq + 1) return { appended: false, actualSeq: last.seq };
      const rows = linked(requests, last.hash, head);
      await insertRows(trx, rows);
      for (const [index, request] of requests.entries()) {
        await list(trx, request, head.position + index + 1);
      }
      await queue(trx, outbox);
      return { appended: true, entries: rows.map(entryOf) };
    }
    await queue(trx, outbox);
    return { appended: true, entries: [] };
  });
}

function refuseMixed(requests: AppendRequest[]): void {
  const first = requests[0];
  const consecutive = requests.every(
    (request, index) =>
      request.incidentId === first?.incidentId && request.expectSeq === (first?.expectSeq ?? 0) + index,
  );
  if (consecutive) return;
  throw new Fault(
    "internal",
    "Appending to the timeline: one append must be of one incident, at consecutive numbers.",
    "This is a fault of room137: please report it with the log around it.",
  );
}

async function newest(trx: Transaction<Tables>, incidentId: string): Promise<{ seq: number; hash: string }> {
  const rows = trx.selectFrom("entries").select(["seq", "hash"]).where("incident_id", "=", incidentId);
  return (
    (await rows.orderBy("seq", "desc").limit(1).executeTakeFirst()) ?? {
      seq: 0,
      hash: "",
    }
  );
}

function linked(requests: AppendRequest[], lastHash: string, head: AuditHead): Selectable<EntriesTable>[] {
  let previous = lastHash;
  let chain = head.hash;
  return requests.map((request, index) => {
    const position = head.position + index + 1;
    const row = {
      incidentId: request.incidentId,
      seq: request.expectSeq,
      atMs: Math.round(request.atMs),
      actor: canonicalJson(request.actor),
      body: canonicalJson(request.body),
    };
    previous = rowHash(previous, row);
    chain = chainHash(chain, position, previous);
    const { incidentId: incident_id, atMs: at_ms, seq, actor, body } = row;
    return {
      position,
      incident_id,
      seq,
      at_ms,
      actor,
      body,
      hash: previous,
      chain_hash: chain,
    };
  });
}

async function insertRows(trx: Transaction<Tables>, rows: Selectable<EntriesTable>[]): Promise<void> {
  for (let from = 0; from < rows.length; from += limits.insertRows) {
    await trx
      .insertInto("entries")
      .values(rows.slice(from, from + limits.insertRows))
      .execute();
  }
  const last = rows.at(-1);
  if (!last) return;
  const head = { position: last.position, hash: last.chain_hash };
  await trx.updateTable("audit_head").set(head).where("id", "=", 1).execute();
}

/** Keeps the list of incidents in step with what is appended. */
async function list(trx: Transaction<Tables>, { incidentId, atMs, body }: AppendRequest, position: number) {
  if (body.kind === "opened") {
    const row = {
      incident_id: incidentId,
      channel: body.room?.channel ?? null,
      thread_ts: body.room?.threadTs ?? null,
      service: body.target.service,
      opened_at_ms: Math.round(atMs),
      opened_position: position,
    };
    await trx
      .insertInto("incidents")
      .values(row)
      .onConflict((conflict) => conflict.column("incident_id").doNothing())
      .execute();
  }
  if (body.kind === "room-posted") {
    const room = { channel: body.channel, thread_ts: body.threadTs };
    await trx.updateTable("incidents").set(room).where("incident_id", "=", incidentId).execute();
  }
}

function entryOf(row: Selectable<EntriesTable>): TimelineEntry {
  return {
    incidentId: row.incident_id,
    seq: row.seq,
    atMs: row.at_ms,
    actor: JSON.parse(row.actor),
    body: JSON.parse(row.body),
    hash: row.hash,
  };
}

function incidentOf(row: Selectable<IncidentsTable> | undefined): IncidentRow | null {
  if (!row) return null;
  return {
    incidentId: row.incident_id,
    channel: row.channel,
    service: row.service,
    openedAtMs: row.opened_at_ms,
  };
}

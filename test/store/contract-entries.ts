import type { EntryBody } from "../../src/core/incident.ts";
import type { AppendRequest, OutboxRow } from "../../src/ports.ts";

export function opened(incidentId: string, channel: string | null, text = "web"): AppendRequest {
  const target = { service: text, symptom: "http-500", host: null } as const;
  const room = channel === null ? null : { channel, threadTs: null };
  return {
    ...request(incidentId, 1, { kind: "opened", target, room, command: text }),
    atMs: 1_000,
  };
}

export function note(incidentId: string, seq: number, text: string): AppendRequest {
  return request(incidentId, seq, { kind: "note", text, from: null });
}

export function request(incidentId: string, expectSeq: number, body: EntryBody): AppendRequest {
  return {
    incidentId,
    expectSeq,
    atMs: 1_000 + expectSeq,
    actor: { kind: "person", userId: "U1", name: null },
    body,
  };
}

export function outboxRow(key: string, lane: string): OutboxRow {
  return {
    key,
    incidentId: null,
    channel: "C1",
    lane,
    payload: "{}",
    queuedAtMs: 1,
  };
}

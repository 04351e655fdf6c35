import type { Symptom } from "./core/diagnosis.ts";
import type { Actor, Room as Place, TimelineEntry } from "./core/incident.ts";
import type { Decision } from "./core/judgement.ts";
import type { DiagnosisReport } from "./core/report.ts";
import type { Refusal } from "./core/result.ts";
import type { Person } from "./core/rights.ts";
import type { ExportedTimeline } from "./ports.ts";
import { addHost, removeHost, setFrozen } from "./room/administer.ts";
import { answer } from "./room/answer.ts";
import { ask } from "./room/ask.ts";
import { decide } from "./room/decide.ts";
import type { Desk, RoomDeps } from "./room/desk.ts";
import { canI, checkHost, exportTimeline, findIncident, guardrails, hosts, status } from "./room/look.ts";
import { note, posted } from "./room/note.ts";
import { openDesk } from "./room/open-desk.ts";
import { resume } from "./room/resume.ts";

export type { Decision } from "./core/judgement.ts";
export type { Person } from "./core/rights.ts";
export type { ExportedTimeline } from "./ports.ts";
export type { RoomDeps } from "./room/desk.ts";

export interface AskRequest {
  service: string;
  symptom: Symptom;
  host: string | null;
  by: Person | { userId: null };
  place: Place | null;
  /** What was typed, for the timeline. */
  command: string;
}

export interface HostStatus {
  name: string;
  address: string;
  local: boolean;
  labels: Record<string, string>;
  /** Null until it was read. */
  ok: boolean | null;
  detail: string;
  /** `config` hosts come from the file and cannot be removed from the room. */
  origin: "config" | "room";
}

export interface HostCheck {
  check: string;
  ok: boolean;
  level: "error" | "warning" | "info";
  detail: string;
  /** The one command or setting that mends it. */
  fix: string | null;
}

export interface StatusOverview {
  frozen: { by: string; atMs: number; reason: string | null } | null;
  openIncidents: {
    incidentId: string;
    service: string;
    state: string;
    openedAtMs: number;
    channel: string | null;
    threadTs: string | null;
  }[];
  pendingApprovals: {
    incidentId: string;
    hash: string;
    service: string;
    expiresAtMs: number;
    channel: string | null;
    threadTs: string | null;
  }[];
  hosts: HostStatus[];
  version: string;
}

/**
 * The shell: what happens after what. Handlers and the terminal call this and nothing below it. A `Refusal` is
 * returned and told privately; a `Fault` is thrown. Everything that changes is recorded in the timeline before it is
 * said, and said through the outbox, in order.
 */
export interface Room {
  /** Records the incident and returns at once; the investigation goes on behind. */
  ask(request: AskRequest): Promise<{ incidentId: string } | Refusal>;
  /** Investigates without a room: for the terminal. Nothing is stored when `store` is false. */
  answer(request: AskRequest): Promise<DiagnosisReport>;
  /** Resolves when the incident's running investigation, execution or verification has ended. */
  settled(incidentId: string): Promise<void>;
  decide(incidentId: string, hash: string, by: Person, decision: Decision): Promise<{ said: string } | Refusal>;
  /** What the Slack edge learned when the first message of an incident was posted. Twice is once. */
  posted(incidentId: string, place: { channel: string; threadTs: string }): Promise<void>;
  note(incidentId: string, by: Person, text: string, from: string | null): Promise<{ said: string } | Refusal>;
  /** `incident` null means the newest of the channel. */
  findIncident(query: {
    incident: string | null;
    channel: string | null;
    threadTs: string | null;
  }): Promise<{ incidentId: string } | Refusal>;
  entries(incidentId: string): Promise<TimelineEntry[]>;
  export(incidentId: string, format: string, by: Actor): Promise<ExportedTimeline | Refusal>;
  status(channel: string | null): Promise<StatusOverview>;
  hosts(channel: string | null): Promise<HostStatus[]>;
  checkHost(host: string, channel: string | null): Promise<HostCheck[] | Refusal>;
  addHost(
    by: Person,
    host: { name: string; address: string; port: number; user: string; hostKey: string; identityFile: string },
  ): Promise<{ said: string } | Refusal>;
  removeHost(by: Person, host: string): Promise<{ said: string } | Refusal>;
  setFrozen(by: Person, frozen: boolean, reason: string | null): Promise<{ said: string } | Refusal>;
  /** Explains, never acts: may this person do this verb to this target, and why. */
  canI(by: Person, verb: string, target: string): Promise<{ said: string }>;
  guardrails(host: string | null, channel: string | null): Promise<{ report: GuardrailReport } | Refusal>;
  /** After a start: takes up what a crash left, expires what is due, reminds. */
  resume(): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

/** The room over its world. Nothing is read or written before the first call. */
export function createRoom(deps: RoomDeps): Room {
  const desk: Desk = openDesk(deps);
  return {
    ask: (request) => ask(desk, request),
    answer: (request) => answer(desk, request),
    settled: (incidentId) => desk.work.settled(incidentId),
    decide: (incidentId, hash, by, decision) => decide(desk, incidentId, hash, by, decision),
    posted: (incidentId, place) => posted(desk, incidentId, place),
    note: (incidentId, by, text, from) => note(desk, incidentId, by, text, from),
    findIncident: (query) => findIncident(desk, query),
    entries: (incidentId) => desk.store.entries(incidentId),
    export: (incidentId, format, by) => exportTimeline(desk, incidentId, format, by),
    status: (channel) => status(desk, channel),
    hosts: (channel) => hosts(desk, channel),
    checkHost: (host, channel) => checkHost(desk, host, channel),
    addHost: (by, host) => addHost(desk, by, host),
    removeHost: (by, host) => removeHost(desk, by, host),
    setFrozen: (by, frozen, reason) => setFrozen(desk, by, frozen, reason),
    canI: (by, verb, target) => canI(desk, by, verb, target),
    guardrails: (host, channel) => guardrails(desk, host, channel),
    resume: () => resume(desk),
    stop: (deadlineMs) => desk.work.stop(deadlineMs),
  };
}

export interface GuardrailReport {
  schemaVersion: 1;
  hosts: {
    host: string;
    findings: {
      rule: string;
      level: "error" | "warning" | "info";
      container: string | null;
      found: string;
      fix: string;
      evidence: string;
    }[];
  }[];
  gaps: { source: string; host: string; reason: string; weakens: string }[];
}

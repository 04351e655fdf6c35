import { isDeepStrictEqual } from "node:util";
import type { Config, HostConfig } from "../config.ts";
import type { HostAction } from "../core/actions.ts";
import type { Reading } from "../core/evidence.ts";
import { type Outgoing, parseOutgoing } from "../core/outgoing.ts";
import type { ContainerInspect } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import { Fault } from "../core/result.ts";
import type { ManagedHosts } from "../hosts/directory.ts";
import type { Clock, HostPerformer, HostReader, OutboxRow } from "../ports.ts";
import type { Parts } from "../program.ts";
import { announce } from "../render/announce.ts";
import { context } from "../slack/blocks/build.ts";
import { type Answer, answersOf, type Recording, type Stage } from "./recording.ts";

export const replayNotice = "Replay of a recorded lab: no host is read or changed.";

/** The parts of a room whose one host is a recording; each approved step moves it to what the lab was afterwards. */
export function replayParts(recording: Recording, config: Config, clock: Clock): Parts {
  const played: Played[] = [{ stage: firstStage(recording), atMs: clock.nowMs(), action: null }];
  return {
    config,
    clock,
    hosts: replayHosts(recording, config),
    executeReads: async (reads) => reads.flatMap((read) => answersTo(recording, played, read)),
    performer: replayPerformer(recording, played, clock),
    announce: (incident, entry) => announce(incident, entry).map(labelled),
    parseHost: () => ["a replay has its one recorded host"],
  };
}

export function replayHost({ host, address }: Recording): HostConfig {
  return {
    name: host,
    local: false,
    address,
    alias: null,
    port: 22,
    user: "nobody",
    identityFile: null,
    agentSocket: null,
    remediateIdentityFile: null,
    remediateUser: null,
    hostKey: null,
    knownHostsFile: null,
    dockerSocket: "/var/run/docker.sock",
    remediateDockerSocket: null,
    kernelLog: "auto",
    labels: { env: "replay" },
  };
}

/** A stage that has been reached, when, and by what was really approved. */
interface Played {
  stage: Stage;
  atMs: number;
  action: HostAction | null;
}

function firstStage({ stages }: Recording): Stage {
  const [first] = stages;
  if (first === undefined) throw new Fault("internal", "the drill's recording is empty", "record it again");
  return first;
}

function answersTo(recording: Recording, played: readonly Played[], read: PlannedRead): Reading[] {
  return answersOf(read).map((answer) => {
    const found = played.findLast(({ stage }) => answer.key in stage.readings)?.stage.readings[answer.key];
    return found === undefined ? notRecorded(recording, played, read, answer) : asPlayed(played, moved(played, found));
  });
}

/** A question that the lab was not asked: a gap, told like any other. */
function notRecorded(
  { host }: Recording,
  played: readonly Played[],
  { source }: PlannedRead,
  { containerId }: Answer,
): Reading {
  const reason = "the recording has no answer to this";
  const fix = "npm run drill, as root on Debian or Ubuntu";
  const outcome = { status: "failed" as const, code: "unsupported" as const, reason, fix };
  return { source, host, containerId, read: source, atMs: played.at(-1)?.atMs ?? 0, sha256: "", outcome };
}

/**
 * Every recorded moment is moved to when the replay was there, piece by piece, so that the kill stays before the first
 * question and the start after the approval.
 */
function moved<T>(played: readonly Played[], value: T): T {
  const walk = (inner: unknown, name: string): unknown => {
    if (typeof inner === "number") return name.endsWith("Ms") ? movedMs(played, inner) : inner;
    if (Array.isArray(inner)) return inner.map((item) => walk(item, name));
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, walk(item, key)]));
  };
  return walk(value, "") as T;
}

/** Durations are in milliseconds too, and always shorter than this. */
const earliestEpochMs = 1e12;

function movedMs(played: readonly Played[], valueMs: number): number {
  if (valueMs < earliestEpochMs) return valueMs;
  const at = played.findLast(({ stage }) => stage.atMs <= valueMs) ?? played[0];
  return at === undefined ? valueMs : valueMs + at.atMs - at.stage.atMs;
}

/** A person may have approved more memory than was recorded; the limit is then what was approved. */
function asPlayed(played: readonly Played[], reading: Reading): Reading {
  const action = played.findLast((one) => one.action?.action === "update-memory")?.action;
  if (action?.action !== "update-memory" || reading.source !== "docker-inspect") return reading;
  if (reading.containerId !== action.containerId || reading.outcome.status !== "ok") return reading;
  const { memoryBytes: memoryLimitBytes, memorySwapBytes } = action;
  const value: ContainerInspect = {
    ...(reading.outcome.value as ContainerInspect),
    memoryLimitBytes,
    memorySwapBytes,
  };
  return { ...reading, outcome: { status: "ok", value } };
}

function replayPerformer(recording: Recording, played: Played[], clock: Clock): HostPerformer {
  return {
    async perform(plan, step) {
      const action = plan.actions[step];
      const next = recording.stages[played.length];
      if (action === undefined || next?.step == null || !isCovered(action, next.step)) {
        throw new Fault(
          "action-failed",
          `nothing was done: the recording does not show what ${action?.action ?? "this"} does now`,
          "approve the plan as it was proposed, or run the drill as root on Debian or Ubuntu for a real lab",
        );
      }
      played.push({ stage: next, atMs: clock.nowMs(), action });
      return { readBack: `${action.action} of ${action.container}, as recorded` };
    },
  };
}

/** What helped in the lab helps with more memory too, but nobody recorded what less would have done. */
function isCovered(action: HostAction, recorded: HostAction): boolean {
  if (action.action !== "update-memory" || recorded.action !== "update-memory") {
    return isDeepStrictEqual(action, recorded);
  }
  return action.containerId === recorded.containerId && action.memoryBytes >= recorded.memoryBytes;
}

function replayHosts({ host }: Recording, config: Config): ManagedHosts {
  const known = new Map(config.hosts.map((entry) => [entry.name, entry]));
  return {
    names: () => [...known.keys()],
    labels: (name) => known.get(name)?.labels ?? {},
    reader: async () => replayReader(host),
    lastConnectMs: () => 0,
    config: (name) => known.get(name) ?? null,
    put: async () => {},
    remove: async () => {},
    check: async () => [{ check: "reachable", ok: true, level: "info", detail: replayNotice, fix: null }],
    close: async () => {},
  };
}

/** Nothing reads through it: the recording answers whole reads. */
function replayReader(host: string): HostReader {
  const failed = {
    ok: false,
    code: "unsupported",
    reason: replayNotice,
    fix: null,
    read: "replay",
    tookMs: 0,
  } as const;
  const { code, reason, fix } = failed;
  return {
    host,
    kernelLog: "none",
    docker: async () => failed,
    run: async () => failed,
    probe: async () => ({
      read: "replay",
      tookMs: 0,
      failure: null,
      detail: "",
      httpStatus: null,
      headers: {},
      body: Buffer.alloc(0),
      certificate: null,
      unavailable: { code, reason, fix },
    }),
    followEvents: (_sinceMs, _onEvent, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
}

/** The incident's own message says in every state that it is a replay. */
function labelled(row: OutboxRow): OutboxRow {
  const outgoing = parseOutgoing(row.payload);
  if (outgoing === null || !isRoot(row, outgoing)) return row;
  const text = `${outgoing.text}\n${replayNotice}`;
  return {
    ...row,
    payload: JSON.stringify({ ...outgoing, text, blocks: [...outgoing.blocks, context([replayNotice])] }),
  };
}

function isRoot(
  { incidentId }: OutboxRow,
  outgoing: Outgoing,
): outgoing is Extract<Outgoing, { kind: "post" | "update" }> {
  if (outgoing.kind === "post") return outgoing.thread === null;
  return outgoing.kind === "update" && "key" in outgoing.message && outgoing.message.key === `${incidentId}:root`;
}

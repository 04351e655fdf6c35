import { diagnose } from "../core/diagnose.ts";
import type { Reading } from "../core/evidence.ts";
import type { VerificationOutcome } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import type { ProbeSpec } from "../core/plan.ts";
import type { ContainerInspect, LogText, ProbeResult } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { Incident, PlanRecord } from "../core/replay.ts";
import {
  comesToRest,
  compareSnapshots,
  type HostSnapshot,
  probeLines,
  runLines,
  runStateOf,
  type VerificationRound,
  verdictOf,
} from "../core/verify.ts";
import type { Desk } from "./desk.ts";
import { investigate } from "./investigate.ts";
import { questionFor } from "./question.ts";
import { read, readSnapshots, readStates } from "./read-states.ts";
import { change, room137 } from "./record.ts";
import type { Hold } from "./work.ts";

/** Looks at what was reported until it is clear whether it is over, compares the hosts, and records both. */
export async function verify(desk: Desk, incident: Incident, hold: Hold): Promise<void> {
  const record = incident.plan;
  if (record === null) return;
  const looked = await lookUntilClear(desk, record, hold);
  if (looked === null) return;
  const symptom =
    record.plan.probes.length === 0 && looked.outcome === "recovered"
      ? await lookAgain(desk, incident, record)
      : { outcome: looked.outcome, lines: [] };
  const changes = await changesSince(desk, incident, record);
  if (!(await hold.stillMine())) return;
  const { hash } = record.plan;
  const probes = [...probeLines(looked.rounds), ...symptom.lines, ...runLines(looked.rounds)];
  await change(desk, incident.incidentId, (now) => ({
    add:
      now.state === "verifying" && now.plan?.plan.hash === hash
        ? [{ actor: room137, body: { kind: "verified", hash, outcome: symptom.outcome, probes, changes } }]
        : [],
    result: null,
  }));
  desk.metrics.count("verification", { outcome: symptom.outcome });
  desk.log.info({ incidentId: incident.incidentId, outcome: symptom.outcome }, "incident verified");
}

/** Null when the process stops or another one has the incident now. */
async function lookUntilClear(
  desk: Desk,
  record: PlanRecord,
  hold: Hold,
): Promise<{ outcome: VerificationOutcome; rounds: VerificationRound[] } | null> {
  const rounds: VerificationRound[] = [];
  const endMs = desk.clock.nowMs() + limits.verificationDeadlineMs;
  for (;;) {
    rounds.push(await lookOnce(desk, record));
    const outcome = verdictOf(rounds, limits.verificationProbes, desk.clock.nowMs() >= endMs);
    if (outcome !== null) return { outcome, rounds };
    await desk.scheduler.wait(limits.verificationIntervalMs, hold.signal);
    if (hold.signal.aborted || !(await hold.stillMine())) return null;
  }
}

async function lookOnce(desk: Desk, { plan, steps, undoOf }: PlanRecord): Promise<VerificationRound> {
  const actions = steps.map(({ action }) => action);
  const places = new Map([...actions, ...plan.probes].map((place) => [`${place.host} ${place.containerId}`, place]));
  const stateOf = await readStates(desk, [...places.values()]);
  const inspected = (place: { host: string; containerId: string }) => {
    const fresh = stateOf(place);
    return "container" in fresh ? fresh.container : null;
  };
  const asked = plan.probes.map((spec) => ({ spec, planned: probeRead(spec, inspected(spec)) }));
  const readings = await read(
    desk,
    asked.map(({ planned }) => planned).filter((planned) => planned !== null),
  );
  return {
    atMs: desk.clock.nowMs(),
    containers: [...places.values()].map((place) => {
      const fresh = stateOf(place);
      if ("gone" in fresh) return { name: place.container, state: goneState };
      const rests = undoOf === null && comesToRest(actions, place.containerId);
      return { name: place.container, rests, state: "container" in fresh ? runStateOf(fresh.container) : null };
    }),
    probes: asked.map(({ spec }) => ({ container: spec.container, result: resultOf(readings, spec) })),
  };
}

const goneState = { status: "gone", running: false, startedAtMs: null, restartCount: 0, staysDown: true };

/** Null while the container has no address, which is while it does not run. */
function probeRead(spec: ProbeSpec, inspect: ContainerInspect | null): PlannedRead | null {
  const attached = inspect?.networks.map((network) => network.address).find((found) => found !== null && found !== "");
  const address = inspect?.networkMode === "host" ? "127.0.0.1" : attached;
  if (address == null) return null;
  const { host, containerId, port, path, expect } = spec;
  const tls = port === 443 || port === 8443;
  return { host, source: "http-probe", containerId, args: { address, port, path, hostHeader: null, tls, expect } };
}

function resultOf(readings: readonly Reading[], spec: ProbeSpec): ProbeResult | null {
  for (const { source, host, containerId, outcome } of readings) {
    if (source !== "http-probe" || host !== spec.host || containerId !== spec.containerId) continue;
    if (outcome.status !== "ok") continue;
    const result = outcome.value as ProbeResult;
    if (result.port === spec.port && result.path === spec.path) return result;
  }
  return null;
}

/**
 * Where no path could be probed, the question is asked again, on what the logs say since the last step. That nothing
 * complains proves recovery only for what was acted on itself; for another service it may just have had no traffic.
 */
async function lookAgain(
  desk: Desk,
  incident: Incident,
  record: PlanRecord,
): Promise<{ outcome: VerificationOutcome; lines: string[] }> {
  const question = { ...questionFor(desk, incident.target, null, null), hosts: incident.hosts };
  const { readings, conclusion } = await investigate(desk, question);
  const sinceMs = record.executedAtMs ?? incident.lastAtMs;
  const offsetOf = (host: string) => conclusion.world.hosts.find((view) => view.name === host)?.clockOffsetMs ?? 0;
  const recent = readings.map((reading) => withoutLinesBefore(reading, sinceMs + offsetOf(reading.host)));
  const { symptom, world } = diagnose(question, recent);
  const lines = symptom.facts.map((fact) => (fact.container === null ? fact.text : `${fact.container}: ${fact.text}`));
  const acted = new Set(record.steps.map(({ action }) => action.containerId));
  const itself = world.subjects.length > 0 && world.subjects.every((view) => acted.has(view.id));
  switch (symptom.state) {
    case "absent":
      return { outcome: "recovered", lines };
    case "present":
      return { outcome: "not-recovered", lines };
    case "seems-absent":
    case "unknown":
      return { outcome: itself ? "recovered" : "inconclusive", lines };
  }
}

function withoutLinesBefore(reading: Reading, sinceMs: number): Reading {
  if (reading.source !== "docker-logs" || reading.outcome.status !== "ok") return reading;
  const text = reading.outcome.value as LogText;
  const lines = text.lines.filter((line) => line.atMs !== null && line.atMs >= sinceMs);
  return { ...reading, outcome: { status: "ok", value: { ...text, lines } } };
}

async function changesSince(desk: Desk, { incidentId }: Incident, record: PlanRecord): Promise<string[]> {
  const kept = await desk.store.document("before", incidentId);
  const before = kept === null ? null : keptBefore(kept.json);
  const hosts = [...new Set(record.steps.map(({ action }) => action.host))];
  const known = before?.hash === record.plan.hash ? before.snapshots : [];
  const missing = hosts.filter((host) => !known.some((snapshot) => snapshot.host === host));
  const after = await readSnapshots(desk, hosts);
  return [
    ...compareSnapshots(known, after),
    ...missing.map((host) => `${host} could not be compared: its containers were not read before`),
  ];
}

function keptBefore(json: string): { hash: string; snapshots: HostSnapshot[] } | null {
  try {
    return JSON.parse(json) as { hash: string; snapshots: HostSnapshot[] };
  } catch {
    return null;
  }
}

import { type Conclusion, diagnose } from "../core/diagnose.ts";
import type { Reading } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import { nextReads, type Question } from "../core/next-reads.ts";
import { type PlannedRead, readKey } from "../core/reads.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostDirectory, HostReader } from "../ports.ts";

/** Makes the planned reads in parallel, each with its own deadline and size limit; never throws for one that fails. */
export type ExecuteReads = (reads: PlannedRead[], readers: ReadonlyMap<string, HostReader>) => Promise<Reading[]>;

/** What the recorder adds to what was read of the hosts: events the engine has forgotten, and memory over time. */
export type Recorded = (readings: readonly Reading[], nowMs: number) => Promise<Reading[]>;

export interface Investigation {
  question: Question;
  readings: Reading[];
  conclusion: Conclusion;
  timings: { totalMs: number; connectMs: number; gatherMs: number; diagnoseMs: number };
  /** Hosts that could not be reached at all, with the reason. */
  unreachable: { host: string; fault: Fault }[];
}

/**
 * Gather, then decide: the pure core says what to read next until it needs nothing more, or the rounds are used up.
 * A host that cannot be reached becomes a gap; the rest is still answered.
 */
export async function investigate(
  deps: { hosts: HostDirectory; clock: Clock; executeReads: ExecuteReads; recorded?: Recorded },
  question: Question,
): Promise<Investigation> {
  const { clock } = deps;
  const startMs = clock.nowMs();
  const { readers, unreachable } = await connectAll(deps.hosts, question.hosts);
  const connectedMs = clock.nowMs();
  const readings: Reading[] = unreachable.map(({ host, fault }) => unreachableReading(host, fault, connectedMs));
  const asked: Question = { ...question, hosts: question.hosts.filter((host) => readers.has(host)) };
  const done = new Set<string>();
  for (let round = 0; round < limits.gatherRounds; round += 1) {
    const wanted = nextReads(asked, readings, done);
    if (wanted.length === 0 || clock.nowMs() - connectedMs > limits.gatherDeadlineMs) break;
    for (const read of wanted) done.add(readKey(read));
    readings.push(...(await deps.executeReads(wanted, readers)));
    if (round === 0 && deps.recorded !== undefined) readings.push(...(await deps.recorded(readings, question.nowMs)));
  }
  const gatheredMs = clock.nowMs();
  const conclusion = diagnose(question, readings);
  const endMs = clock.nowMs();
  return {
    question,
    readings,
    conclusion,
    unreachable,
    timings: {
      totalMs: endMs - startMs,
      connectMs: connectedMs - startMs,
      gatherMs: gatheredMs - connectedMs,
      diagnoseMs: endMs - gatheredMs,
    },
  };
}

async function connectAll(
  hosts: HostDirectory,
  names: string[],
): Promise<{ readers: Map<string, HostReader>; unreachable: Investigation["unreachable"] }> {
  const readers = new Map<string, HostReader>();
  const unreachable: Investigation["unreachable"] = [];
  await Promise.all(
    names.map(async (name) => {
      try {
        readers.set(name, await hosts.reader(name));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        unreachable.push({ host: name, fault: error });
      }
    }),
  );
  return { readers, unreachable };
}

/** An unreachable host is evidence too: its container list failed, which every answer about it must say. */
function unreachableReading(host: string, fault: Fault, atMs: number): Reading {
  const outcome = { status: "failed" as const, code: "unreachable" as const, reason: fault.message, fix: fault.next };
  return { source: "docker-list", host, containerId: null, read: "connect", atMs, sha256: "", outcome };
}

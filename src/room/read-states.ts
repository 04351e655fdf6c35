import type { Reading } from "../core/evidence.ts";
import { limits } from "../core/limits.ts";
import type { FreshState } from "../core/preconditions.ts";
import type { ContainerInspect, ContainerSummary } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import { Fault } from "../core/result.ts";
import { type HostSnapshot, snapshotOf } from "../core/verify.ts";
import type { Clock, HostDirectory, HostReader } from "../ports.ts";
import type { ExecuteReads } from "./investigate.ts";

export interface ContainerPlace {
  host: string;
  containerId: string;
}

interface Reader {
  hosts: HostDirectory;
  executeReads: ExecuteReads;
  clock: Clock;
}

/** The named containers as they are now; what cannot be read says why. */
export async function readStates(
  desk: Reader,
  places: readonly ContainerPlace[],
): Promise<(place: ContainerPlace) => FreshState> {
  const keys = new Map(places.map((place) => [keyOf(place), place]));
  const reads = [...keys.values()].map(inspectRead);
  const readings = await read(desk, reads);
  return (place) => {
    const found = readings.find(
      (reading) =>
        reading.source === "docker-inspect" && reading.host === place.host && reading.containerId === place.containerId,
    );
    return found === undefined ? { unreadable: "it was not read" } : stateOf(found);
  };
}

/** Every container of the hosts, for the comparison before and after. A host that cannot be read is left out. */
export async function readSnapshots(desk: Reader, hosts: readonly string[]): Promise<HostSnapshot[]> {
  const lists = await read(
    desk,
    hosts.map((host) => ({ host, source: "docker-list", containerId: null, args: null })),
  );
  const inspects = lists.flatMap((list) => {
    const summaries = list.outcome.status === "ok" ? (list.outcome.value as ContainerSummary[]) : [];
    return summaries.slice(0, limits.inspectAllUpTo).map(({ id }) => inspectRead({ host: list.host, containerId: id }));
  });
  const readings = [...lists, ...(await read(desk, inspects))];
  return hosts.map((host) => snapshotOf(host, readings)).filter((snapshot) => snapshot !== null);
}

/** Makes the reads; one of a host that cannot be reached fails, like any other. */
export async function read(desk: Reader, reads: PlannedRead[]): Promise<Reading[]> {
  const readers = new Map<string, HostReader>();
  const unreachable = new Map<string, Fault>();
  const names = [...new Set(reads.map(({ host }) => host))];
  await Promise.all(
    names.map(async (name) => {
      try {
        readers.set(name, await desk.hosts.reader(name));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        unreachable.set(name, error);
      }
    }),
  );
  const possible = reads.filter(({ host }) => readers.has(host));
  const made = possible.length === 0 ? [] : await desk.executeReads(possible, readers);
  const lost = reads.filter(({ host }) => unreachable.has(host));
  return [...made, ...lost.map((planned) => lostReading(planned, unreachable.get(planned.host) as Fault, desk))];
}

function inspectRead({ host, containerId }: ContainerPlace): PlannedRead {
  return { host, source: "docker-inspect", containerId, args: null };
}

function lostReading({ source, host, containerId }: PlannedRead, fault: Fault, desk: Reader): Reading {
  const outcome = { status: "failed" as const, code: "unreachable" as const, reason: fault.message, fix: fault.next };
  return { source, host, containerId, read: "connect", atMs: desk.clock.nowMs(), sha256: "", outcome };
}

function stateOf({ outcome }: Reading): FreshState {
  switch (outcome.status) {
    case "ok":
      return { container: outcome.value as ContainerInspect };
    case "empty":
      return { unreadable: "the engine's answer was empty" };
    case "failed":
      return outcome.code === "not-found" ? { gone: true } : { unreadable: outcome.reason };
  }
}

function keyOf({ host, containerId }: ContainerPlace): string {
  return `${host} ${containerId}`;
}

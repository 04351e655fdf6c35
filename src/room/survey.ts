import type { Reading } from "../core/evidence.ts";
import { gapsOf } from "../core/gaps.ts";
import { hazardsOfHost } from "../core/guardrails/hosts.ts";
import type { PlannedRead } from "../core/reads.ts";
import { Fault } from "../core/result.ts";
import { buildWorld, type World } from "../core/world.ts";
import type { Clock, HostDirectory, HostReader } from "../ports.ts";
import type { GuardrailReport } from "../room.ts";
import type { ExecuteReads } from "./investigate.ts";

/** Looks at every container of the named hosts for what would cause the next incident. Throws when none is reachable. */
export async function surveyHosts(
  deps: { hosts: HostDirectory; clock: Clock; executeReads: ExecuteReads },
  names: string[],
): Promise<GuardrailReport> {
  const readers = new Map<string, HostReader>();
  const faults: { host: string; fault: Fault }[] = [];
  await Promise.all(
    names.map(async (name) => {
      try {
        readers.set(name, await deps.hosts.reader(name));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        faults.push({ host: name, fault: error });
      }
    }),
  );
  const first = faults[0];
  if (readers.size === 0 && first !== undefined) throw first.fault;
  const readings = await readAll(deps, readers);
  const world = worldOf(readings, deps.clock.nowMs());
  const unreached = faults.map(({ host, fault }) => ({
    source: "docker-list",
    host,
    reason: fault.message,
    weakens: "nothing of this host was looked at",
  }));
  const gaps = gapsOf(world).map(({ source, host, reason, weakens }) => ({ source, host, reason, weakens }));
  return {
    schemaVersion: 1,
    hosts: world.hosts.map((host) => hazardsOfHost(world, host)),
    gaps: [...unreached, ...gaps],
  };
}

async function readAll(deps: { executeReads: ExecuteReads }, readers: Map<string, HostReader>): Promise<Reading[]> {
  const of = (host: string, source: "docker-info" | "docker-list" | "host-facts" | "host-disk"): PlannedRead => ({
    host,
    source,
    containerId: null,
    args: null,
  });
  const first = await deps.executeReads(
    [...readers.keys()].flatMap((host) => [
      of(host, "docker-info"),
      of(host, "docker-list"),
      of(host, "host-facts"),
      of(host, "host-disk"),
    ]),
    readers,
  );
  const listed = worldOf(first, 0).containers;
  const inspects = await deps.executeReads(
    listed.map(
      (view): PlannedRead => ({ host: view.host, source: "docker-inspect", containerId: view.id, args: null }),
    ),
    readers,
  );
  const seen = worldOf([...first, ...inspects], 0);
  const counters = seen.hosts.flatMap((host): PlannedRead[] => {
    const running = seen.containers.filter((view) => view.host === host.name && view.inspect?.value.running === true);
    const containers = running.map((view) => ({
      containerId: view.id,
      pid: view.inspect?.value.pid ?? null,
      cgroupParent: view.inspect?.value.cgroupParent ?? "",
    }));
    const engine = host.engine?.value;
    return containers.length === 0
      ? []
      : [
          {
            host: host.name,
            source: "cgroup",
            containerId: null,
            args: { version: engine?.cgroupVersion ?? null, driver: engine?.cgroupDriver ?? null, containers },
          },
        ];
  });
  return [...first, ...inspects, ...(await deps.executeReads(counters, readers))];
}

function worldOf(readings: Reading[], nowMs: number): World {
  const target = { service: "", symptom: "any" as const, host: null };
  return { ...buildWorld(target, readings, { hosts: [], services: [] }, nowMs), subjects: [], edges: [] };
}

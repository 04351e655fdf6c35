import { limits } from "./limits.ts";
import type { PlannedRead } from "./reads.ts";
import { isFull, rootDisk } from "./storage.ts";
import type { ContainerView, HostView, World } from "./world.ts";

/**
 * Reads that only a shortage of the host makes worth their time: what the engine's own things take and who writes much
 * where its disk is full, and who moves how much where something waits for the disk.
 */
export function resourceReads(world: World): PlannedRead[] {
  return world.hosts.flatMap((host) => [...fullDiskReads(world, host), ...busyDiskReads(world, host)]);
}

function runningOn(world: World, host: HostView): ContainerView[] {
  return world.containers.filter((view) => view.host === host.name && view.inspect?.value.running === true);
}

function fullDiskReads(world: World, host: HostView): PlannedRead[] {
  const root = rootDisk(host);
  if (root === null || !isFull(root)) return [];
  const talkers = runningOn(world, host)
    .filter(
      ({ inspect }) => inspect?.value.logDriver === "json-file" && inspect.value.logOptions["max-size"] === undefined,
    )
    .slice(0, limits.shortageReads);
  return [
    { host: host.name, source: "docker-usage", containerId: null, args: null },
    ...talkers.map(
      (view): PlannedRead => ({
        host: view.host,
        source: "docker-logs",
        containerId: view.id,
        args: { tail: limits.logTail, sinceMs: null, untilMs: null },
      }),
    ),
  ];
}

function busyDiskReads(world: World, host: HostView): PlannedRead[] {
  const pressure = host.facts?.value.pressure.io.someAvg10 ?? 0;
  if (pressure < limits.ioPressureFrom) return [];
  return runningOn(world, host)
    .slice(0, limits.shortageReads)
    .map((view) => ({ host: view.host, source: "docker-stats", containerId: view.id, args: null }));
}

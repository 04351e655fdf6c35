import { limits } from "./limits.ts";
import type { PlannedRead } from "./reads.ts";
import { isFull, rootDisk, type Storage, storageOf } from "./storage.ts";
import type { ContainerView, HostView, World } from "./world.ts";

/**
 * Reads that only a shortage of the host makes worth their time: what the engine's own things take and who writes much
 * where its disk is full, and who moves how much where something waits for the disk.
 */
export function resourceReads(world: World): PlannedRead[] {
  return world.hosts.flatMap((host) => [
    ...fullDiskReads(world, host),
    ...fullVolumeReads(world, host),
    ...busyDiskReads(world, host),
  ]);
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

/** Whoever mounts a full volume may hold a deleted file of it open, also a container that nothing else leads to. */
function fullVolumeReads(world: World, host: HostView): PlannedRead[] {
  const views = runningOn(world, host);
  const full = new Set(
    views.flatMap((view) => storageOf(host, view).filter(isFullOwn)).map((place) => place.mount.source),
  );
  const sharers = views.filter(
    (view) => view.process === null && view.inspect?.value.mounts.some((mount) => full.has(mount.source)),
  );
  const pids = sharers.slice(0, limits.shortageReads).flatMap((view) => {
    const pid = view.inspect?.value.pid ?? null;
    return pid === null ? [] : [{ containerId: view.id, pid }];
  });
  return pids.length === 0
    ? []
    : [{ host: host.name, source: "process-facts", containerId: null, args: { containers: pids } }];
}

function isFullOwn(place: Storage): boolean {
  return place.own && place.disk !== null && isFull(place.disk);
}

function busyDiskReads(world: World, host: HostView): PlannedRead[] {
  const pressure = host.facts?.value.pressure.io.someAvg10 ?? 0;
  if (pressure < limits.ioPressureFrom) return [];
  return runningOn(world, host)
    .slice(0, limits.shortageReads)
    .map((view) => ({ host: view.host, source: "docker-stats", containerId: view.id, args: null }));
}

import type { Gap, Reading, SourceName } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { DockerEvent } from "./readings.ts";
import type { World } from "./world.ts";

/** What a missing source weakens, in words for the person who reads the answer. */
const weakens: Partial<Record<SourceName, string>> = {
  "docker-info": "which rules apply depends on the engine's version and cgroup version",
  "docker-list": "no container of this host could be seen",
  "docker-inspect": "state, limits and configuration of this container are unknown",
  "docker-logs": "what this container itself says is unknown",
  "docker-events": "who stopped or killed what, and when, cannot be told",
  "kernel-log": "an out-of-memory kill can be missed, and a kill from outside cannot be told from one",
  cgroup: "memory counters and throttling are unknown",
  "host-facts": "host memory, pressure and boot time are unknown",
  "host-disk": "a full disk can be missed",
  "host-clock": "times of this host are taken as they are",
  "docker-top": "who is connected to the database is unknown",
  "process-facts": "listening ports and open files are unknown",
  "http-probe": "whether the service answers now was not seen",
  "tcp-probe": "whether the port answers now was not seen",
  "docker-networks": "who shares a network with whom is only known from the containers themselves",
  "memory-series": "how memory grew before a kill is known only from what room137 itself recorded",
  "proxy-config": "whom this proxy sends requests to is known only from its log and its connections",
  "host-processes": "processes outside containers were not seen",
};

/** Sources whose failure for a single container is of little weight and would only be noise. */
const quiet: ReadonlySet<SourceName> = new Set([
  "docker-changes",
  "docker-image",
  "docker-stats",
  "docker-top",
  "docker-volumes",
]);

/** Failed readings, one gap per source and host; a source that later succeeded is no gap. */
export function gapsOf(world: Pick<World, "readings" | "hosts">): Gap[] {
  const gaps = new Map<string, Gap>();
  for (const reading of world.readings) {
    if (reading.outcome.status !== "failed" || quiet.has(reading.source)) continue;
    const key = `${reading.host} ${reading.source}`;
    if (gaps.has(key) || succeeded(world.readings, reading)) continue;
    gaps.set(key, {
      source: reading.source,
      host: reading.host,
      reason: reading.outcome.reason,
      weakens: weakens[reading.source] ?? "some evidence is missing",
      fix: reading.outcome.fix,
    });
  }
  return [...gaps.values(), ...uncoveredEvents(world)];
}

/** "No kill event" counts only inside a window that is proven complete, so an uncovered window is told. */
function uncoveredEvents(world: Pick<World, "hosts">): Gap[] {
  return world.hosts.flatMap((host) => {
    const window = host.events?.value;
    if (host.engine?.value.kind === "podman") return unrecordedStops(host.name, window?.events ?? []);
    const overflowed = window !== undefined && window.events.length >= limits.engineEvents;
    if (window === undefined || !overflowed || window.completeSinceMs === null) return [];
    const since = new Date(window.completeSinceMs).toISOString();
    return [
      {
        source: "docker-events" as const,
        host: host.name,
        reason: `the engine remembers its events only since ${since}`,
        weakens: "what happened before that is known only from state and the kernel log",
        fix: null,
      },
    ];
  });
}

/** Podman keeps all its events, but none of a stop made through its compatible socket (seen with 4.3.1). */
function unrecordedStops(host: string, events: readonly DockerEvent[]): Gap[] {
  const ended = events.some(
    (event) => event.action === "die" && ["137", "143"].includes(event.attributes["exitCode"] ?? ""),
  );
  if (!ended) return [];
  return [
    {
      source: "docker-events",
      host,
      reason: "Podman records no stop that was made through its Docker-compatible socket",
      weakens: "a container that was stopped there looks like one that was killed from outside",
      fix: null,
    },
  ];
}

function succeeded(readings: readonly Reading[], failed: Reading): boolean {
  return readings.some(
    (other) =>
      other.source === failed.source &&
      other.host === failed.host &&
      other.containerId === failed.containerId &&
      other.outcome.status !== "failed",
  );
}

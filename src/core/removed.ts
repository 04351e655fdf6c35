import { describeEvent } from "./death.ts";
import type { Finding } from "./diagnosis.ts";
import type { DockerEvent } from "./readings.ts";
import { cite, type World } from "./world.ts";

/** The asked-about name is gone: removed or renamed while the engine still remembers it. */
export function removedSubject(world: World): Finding | null {
  const wanted = world.target.service.toLowerCase();
  for (const host of world.hosts) {
    const events = host.events;
    if (events === null) continue;
    const ofName = events.value.events.filter(
      (event) => event.type === "container" && event.name?.toLowerCase() === wanted,
    );
    const destroyed = ofName.findLast((event) => event.action === "destroy");
    const renamed = events.value.events.findLast(
      (event) =>
        event.action === "rename" && (event.attributes["oldName"] ?? "").replace(/^\//, "").toLowerCase() === wanted,
    );
    const last = [destroyed, renamed].filter((event) => event !== undefined).sort((a, b) => b.atMs - a.atMs)[0];
    if (last === undefined) continue;
    return last === destroyed ? removedFinding(world, host.name, last) : renamedFinding(world, host.name, last);
  }
  return null;
}

function removedFinding(scene: World, hostName: string, event: DockerEvent): Finding {
  const seen = scene.hosts.find((host) => host.name === hostName)?.events;
  const volumes =
    seen?.value.events.filter(
      (other) => other.type === "volume" && other.action === "destroy" && Math.abs(other.atMs - event.atMs) <= 5_000,
    ) ?? [];
  const facts = seen
    ? [event, ...volumes].map((fact) =>
        cite(
          seen,
          `${fact.type} ${fact.name ?? fact.actorId.slice(0, 12)}: ${describeEvent(fact)}`,
          scene.target.service,
        ),
      )
    : [];
  return {
    cause: volumes.length > 0 ? "human-rm-volumes" : "human-rm",
    host: hostName,
    container: scene.target.service,
    containerId: event.actorId,
    summary: `${scene.target.service} was removed${volumes.length > 0 ? " together with its volume: data loss" : ""}; the engine recorded it at ${new Date(event.atMs).toISOString()}`,
    facts,
    witnesses: ["docker-events", "docker-list"],
    onsetMs: event.atMs,
    weight: 95,
    kind: "fault",
    advice:
      volumes.length > 0
        ? ["Do not recreate it empty: find the newest backup of the volume first."]
        : ["Recreate it from its compose file or run command; the program never creates containers."],
  };
}

function renamedFinding(scene: World, hostName: string, event: DockerEvent): Finding {
  const seen = scene.hosts.find((host) => host.name === hostName)?.events;
  const now = scene.containers.find((view) => view.id === event.actorId)?.name ?? event.name ?? "another name";
  return {
    cause: "container-renamed",
    host: hostName,
    container: now,
    containerId: event.actorId,
    summary: `${scene.target.service} was renamed to ${now}; its old name no longer resolves`,
    facts: seen
      ? [cite(seen, `rename from ${scene.target.service} to ${now} at ${new Date(event.atMs).toISOString()}`, now)]
      : [],
    witnesses: ["docker-events", "docker-list"],
    onsetMs: event.atMs,
    weight: 95,
    kind: "fault",
    advice: [`Rename it back: docker rename ${now} ${scene.target.service}`],
  };
}

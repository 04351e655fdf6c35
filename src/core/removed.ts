import { sharedNetwork } from "./changes.ts";
import { describeEvent } from "./death.ts";
import type { Finding } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { DockerEvent } from "./readings.ts";
import { hostFault, weight } from "./rule.ts";
import { type ContainerView, cite, type HostView, type World } from "./world.ts";

/** The asked-about name is gone: removed or renamed while the engine still remembers it. */
export function removedSubject(world: World): Finding | null {
  const wanted = world.target.service.toLowerCase();
  for (const host of world.hosts) {
    if (host.events === null || (world.target.host !== null && world.target.host !== host.name)) continue;
    const removed = removalOf(world, host, wanted);
    const renamed = host.events.value.events.findLast(
      (event) =>
        event.action === "rename" && (event.attributes["oldName"] ?? "").replace(/^\//, "").toLowerCase() === wanted,
    );
    if (renamed !== undefined && renamed.atMs > (removed?.onsetMs ?? 0)) return renamedFinding(world, host, renamed);
    if (removed !== null) return removed;
  }
  return null;
}

/**
 * What the engine remembers of the removal of a container by this name, compose service or address: by a person, with
 * its volumes, or by a clean-up. Null when a container took that name since, or when `from` never shared a network with it.
 */
export function removalOf(
  world: Pick<World, "containers" | "readings">,
  host: HostView,
  name: string,
  from: ContainerView | null = null,
): Finding | null {
  const wanted = name.toLowerCase();
  const events = host.events;
  if (events === null || world.containers.some((view) => view.host === host.name && view.name.toLowerCase() === wanted))
    return null;
  const destroyed = events.value.events.findLast(
    (event) =>
      event.type === "container" &&
      event.action === "destroy" &&
      (event.name?.toLowerCase() === wanted ||
        event.attributes["com.docker.compose.service"]?.toLowerCase() === wanted),
  );
  if (destroyed === undefined || isSucceeded(events.value.events, destroyed)) return null;
  if (from !== null && !sharedNetwork(events.value.events, destroyed.actorId, from)) return null;
  const service = destroyed.attributes["com.docker.compose.service"];
  const back = world.containers.some(
    (view) =>
      view.host === host.name &&
      service !== undefined &&
      view.summary?.value.labels["com.docker.compose.service"] === service,
  );
  return back ? null : removedFinding(world, host, destroyed);
}

/** Another container took the name afterwards: what became of that one is the question. */
function isSucceeded(events: readonly DockerEvent[], destroyed: DockerEvent): boolean {
  return events.some(
    (event) =>
      event.type === "container" &&
      event.name === destroyed.name &&
      event.actorId !== destroyed.actorId &&
      event.atMs > destroyed.atMs,
  );
}

/** The read that tells a removed container from one whose image is gone too, so that nothing can be created from it. */
export function removedImage(host: HostView, name: string): string | null {
  const destroyed = host.events?.value.events.findLast(
    (event) =>
      event.type === "container" && event.action === "destroy" && event.name?.toLowerCase() === name.toLowerCase(),
  );
  const image = destroyed?.attributes["image"] ?? null;
  return image !== null && /^[a-z0-9][a-z0-9_.:/@-]{0,200}$/i.test(image) ? image : null;
}

function removedFinding(world: Pick<World, "readings">, host: HostView, event: DockerEvent): Finding {
  const name = event.name ?? event.actorId.slice(0, 12);
  const events = host.events as NonNullable<HostView["events"]>;
  const at = new Date(event.atMs).toISOString();
  const volumes = removedVolumes(events.value.events, event);
  const pruned = events.value.events.find(
    (other) =>
      other.type === "container" &&
      other.action === "prune" &&
      other.atMs >= event.atMs - 1_000 &&
      other.atMs - event.atMs <= limits.pruneSpreadMs,
  );
  const facts = [event, ...volumes, ...(pruned === undefined ? [] : [pruned])].map((fact) =>
    cite(events, `${fact.type} ${fact.name ?? fact.actorId.slice(0, 12)}: ${describeEvent(fact)}`, name),
  );
  const base = {
    facts,
    witnesses: ["docker-events", "docker-list"],
    onsetMs: event.atMs,
    weight: weight.proven,
    containerId: event.actorId,
    container: name,
  };
  if (pruned !== undefined)
    return hostFault(host.name, {
      ...base,
      cause: "human-prune",
      summary: `A clean-up (prune) removed ${name}, which was stopped but in use${volumes.length > 0 ? ", and a volume of it" : ""}, at ${at}`,
      advice: [
        `Recreate ${name} from its compose file or run command, and keep what is in use out of the clean-up (prune --filter).`,
      ],
    });
  if (volumes.length > 0)
    return hostFault(host.name, {
      ...base,
      cause: "human-rm-volumes",
      summary: `${name} was removed together with its volume: data loss; the engine recorded it at ${at}`,
      advice: ["Do not recreate it empty: find the newest backup of the volume first."],
    });
  const missing = missingImage(world, host, event);
  if (missing !== null)
    return hostFault(host.name, {
      ...base,
      facts: [...facts, missing],
      cause: "image-missing",
      summary: `${name} was removed at ${at} and cannot be created again: its image ${event.attributes["image"]} is not on ${host.name}`,
      witnesses: [...base.witnesses, "docker-image"],
      advice: [
        `Push or pull ${event.attributes["image"]}, or correct the tag in the deployment; nothing was created with it.`,
      ],
    });
  return hostFault(host.name, {
    ...base,
    cause: "human-rm",
    summary: `${name} was removed; the engine recorded it at ${at}`,
    advice: ["Recreate it from its compose file or run command; the program never creates containers."],
  });
}

/** Volumes the container had mounted, by the engine's own mount events, that were removed with it or after it. */
function removedVolumes(events: readonly DockerEvent[], gone: DockerEvent): DockerEvent[] {
  const mounted = new Set(
    events
      .filter(
        (event) =>
          event.type === "volume" &&
          ["mount", "unmount"].includes(event.action) &&
          event.attributes["container"] === gone.actorId,
      )
      .map((event) => event.actorId),
  );
  return events.filter(
    (event) =>
      event.type === "volume" &&
      event.action === "destroy" &&
      (mounted.has(event.actorId)
        ? event.atMs >= gone.atMs - 5_000 && event.atMs - gone.atMs <= limits.volumeAfterRemovalMs
        : mounted.size === 0 && Math.abs(event.atMs - gone.atMs) <= 5_000),
  );
}

/** The engine knows no image of the name the removed container ran. */
function missingImage(world: Pick<World, "readings">, host: HostView, event: DockerEvent): Fact | null {
  const image = event.attributes["image"] ?? "";
  for (const reading of world.readings) {
    if (reading.source !== "docker-image" || reading.host !== host.name || !reading.read.includes(image)) continue;
    if (reading.outcome.status === "failed" && reading.outcome.code === "not-found" && image !== "")
      return cite({ reading }, `${image}: ${reading.outcome.reason}`);
  }
  return null;
}

function renamedFinding(world: World, host: HostView, event: DockerEvent): Finding {
  const now = world.containers.find((view) => view.id === event.actorId)?.name ?? event.name ?? "another name";
  const events = host.events as NonNullable<HostView["events"]>;
  return hostFault(host.name, {
    cause: "container-renamed",
    container: now,
    containerId: event.actorId,
    summary: `${world.target.service} was renamed to ${now}; its old name no longer resolves`,
    facts: [
      cite(events, `rename from ${world.target.service} to ${now} at ${new Date(event.atMs).toISOString()}`, now),
    ],
    witnesses: ["docker-events", "docker-list"],
    onsetMs: event.atMs,
    weight: weight.proven,
    advice: [`Rename it back: docker rename ${now} ${world.target.service}`],
  });
}

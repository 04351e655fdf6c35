import type { Fact } from "./evidence.ts";
import { personExecs } from "./hands.ts";
import { limits } from "./limits.ts";
import type { DockerEvent } from "./readings.ts";
import { composeService } from "./resolve.ts";
import { type ContainerView, cite, type HostView, type World } from "./world.ts";

export type ChangeKind =
  | "host-booted"
  | "recreated"
  | "image-changed"
  | "created"
  | "updated"
  | "restarted"
  | "stopped"
  | "renamed"
  | "exec"
  | "network"
  | "image-tagged"
  | "removed";

/** Something that somebody or something changed, by the host's own clock. Never a cause by itself. */
export interface Change {
  kind: ChangeKind;
  atMs: number;
  host: string;
  /** Null for the host. */
  container: string | null;
  text: string;
  fact: Fact;
}

/** The container that bore the same name (or compose service) before this one, as far as the engine remembers. */
export interface Predecessor {
  id: string;
  /** The image as it was asked for, `app:1`. */
  image: string | null;
  /** Null where only its state tells it. */
  imageId: string | null;
  removedAtMs: number | null;
  fact: Fact;
}

/** What changed in a window before a moment, newest first. Health checks and a policy's own restarts are no changes. */
export function changesBefore(world: Pick<World, "hosts" | "containers">, untilMs: number, withinMs: number): Change[] {
  const since = untilMs - withinMs;
  return world.hosts
    .flatMap((host) => [...bootOf(host), ...eventChanges(world, host)])
    .filter((change) => change.atMs <= untilMs && change.atMs >= since)
    .sort((a, b) => b.atMs - a.atMs || (a.text < b.text ? -1 : 1));
}

/** One sentence of advice that lists the newest changes near the answer; null when nothing is known to have changed. */
export function changeAdvice(
  world: Pick<World, "hosts" | "containers">,
  untilMs: number,
  names: readonly string[],
): string | null {
  const near = changesBefore(world, untilMs, limits.changeWindowMs).filter(
    (change) => change.container === null || names.includes(change.container),
  );
  const told = near
    .slice(0, limits.changesTold)
    .map((change) => `${change.text} at ${new Date(change.atMs).toISOString()}`);
  return told.length === 0 ? null : `What changed shortly before, which alone proves nothing: ${told.join("; ")}.`;
}

/** The same name borne by another container before: removed, renamed away, or still there under another name. */
export function predecessorOf(world: Pick<World, "hosts" | "containers">, view: ContainerView): Predecessor | null {
  const events = world.hosts.find((host) => host.name === view.host)?.events;
  if (events == null) return null;
  const createdAtMs = view.inspect?.value.createdAtMs ?? Number.POSITIVE_INFINITY;
  const service = composeService(view);
  const sameName = (event: DockerEvent) =>
    event.name === view.name || (service !== null && event.attributes["com.docker.compose.service"] === service);
  const gone = events.value.events.findLast(
    (event) =>
      event.type === "container" &&
      event.actorId !== view.id &&
      event.atMs <= createdAtMs + 60_000 &&
      ((event.action === "destroy" && sameName(event)) ||
        (event.action === "rename" && (event.attributes["oldName"] ?? "").replace(/^\//, "") === view.name)),
  );
  if (gone === undefined || !sharedNetwork(events.value.events, gone.actorId, view)) return null;
  const still = world.containers.find((other) => other.host === view.host && other.id === gone.actorId);
  const image = gone.attributes["image"] ?? still?.inspect?.value.image ?? null;
  return {
    id: gone.actorId,
    image,
    imageId: still?.inspect?.value.imageId ?? null,
    removedAtMs: gone.atMs,
    fact: cite(
      events,
      `${gone.action} of the ${view.name} before it${image === null ? "" : `, image ${image}`}, at ${new Date(gone.atMs).toISOString()}`,
      view.name,
    ),
  };
}

/** A replacement joins the network of what it replaces; another stack's container of the same name does not. */
export function sharedNetwork(events: readonly DockerEvent[], id: string, view: ContainerView): boolean {
  const joined = events.filter(
    (event) => event.type === "network" && event.action === "connect" && event.attributes["container"] === id,
  );
  const own = view.inspect?.value.networks.map((network) => network.networkId) ?? [];
  return joined.length === 0 || own.length === 0 || joined.some((event) => own.includes(event.actorId));
}

/** The newest moment at which an image got this name: pulled, built, loaded or tagged. */
export function taggedEvent(host: HostView | null, image: string): DockerEvent | null {
  const full = image.includes(":") && !image.startsWith("sha256:") ? image : `${image}:latest`;
  return (
    host?.events?.value.events.findLast(
      (event) =>
        event.type === "image" &&
        ["tag", "pull", "load", "import"].includes(event.action) &&
        [event.name, event.actorId].some((name) => name === full || name === image),
    ) ?? null
  );
}

function bootOf(host: HostView): Change[] {
  const atMs = host.facts?.value.bootAtMs ?? null;
  if (host.facts === null || atMs === null) return [];
  const text = `the host ${host.name} booted`;
  return [{ kind: "host-booted", atMs, host: host.name, container: null, text, fact: cite(host.facts, text) }];
}

function eventChanges(world: Pick<World, "containers">, host: HostView): Change[] {
  const events = host.events;
  if (events === null) return [];
  const health = new Set(
    world.containers
      .filter((view) => view.host === host.name)
      .flatMap((view) => {
        const own = personExecs(view).map((exec) => exec.event);
        return view.events.filter((event) => event.action.startsWith("exec_create") && !own.includes(event));
      }),
  );
  return events.value.events.flatMap((event): Change[] => {
    if (health.has(event)) return [];
    const known = kindOf(event);
    if (known === null) return [];
    const text = known.text;
    const container = event.type === "image" ? null : known.container;
    return [
      { kind: known.kind, atMs: event.atMs, host: host.name, container, text, fact: cite(events, text, container) },
    ];
  });
}

function kindOf(event: DockerEvent): { kind: ChangeKind; container: string | null; text: string } | null {
  const name = event.name ?? event.actorId.slice(0, 12);
  const image = event.attributes["image"];
  if (event.type === "network") {
    if (event.action !== "connect" && event.action !== "disconnect") return null;
    return {
      kind: "network",
      container: event.attributes["container"]?.slice(0, 12) ?? null,
      text: `network ${name}: ${event.action}`,
    };
  }
  if (event.type === "image")
    return ["tag", "pull", "load", "import"].includes(event.action)
      ? { kind: "image-tagged", container: null, text: `image ${name}: ${event.action}` }
      : null;
  if (event.type !== "container") return null;
  const command = event.action.replace(/^exec_create:? ?/, "").slice(0, 80);
  if (event.action.startsWith("exec_create"))
    return { kind: "exec", container: name, text: `docker exec in ${name}: ${command}` };
  switch (event.action) {
    case "create":
      return {
        kind: "created",
        container: name,
        text: `${name} was created${image === undefined ? "" : ` from ${image}`}`,
      };
    case "update":
      return { kind: "updated", container: name, text: `${name} was changed by docker update` };
    case "restart":
      return { kind: "restarted", container: name, text: `${name} was restarted through Docker` };
    case "stop":
      return { kind: "stopped", container: name, text: `${name} was stopped through Docker` };
    case "rename":
      return {
        kind: "renamed",
        container: name,
        text: `${event.attributes["oldName"] ?? "a container"} was renamed to ${name}`,
      };
    case "destroy":
      return { kind: "removed", container: name, text: `${name} was removed` };
  }
  return null;
}

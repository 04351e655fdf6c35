import { describeEvent } from "./death.ts";
import type { Fact } from "./evidence.ts";
import type { DockerEvent } from "./readings.ts";
import { type ContainerView, cite, hostOf, type World } from "./world.ts";

/** What somebody did inside a container through `docker exec`. */
export interface Exec {
  atMs: number;
  /** The command line as the engine prints it in its event. */
  command: string;
  /** Host time of its end; null while the session is open, or when its end is no longer remembered. */
  endedAtMs: number | null;
  event: DockerEvent;
}

/**
 * Sessions that a person or a script opened. The engine tells its own health checks by the same events, so a command that
 * is the configured health check, or that comes again and again at its rhythm, is left out.
 */
export function personExecs(view: ContainerView): Exec[] {
  const own = healthCommands(view);
  return view.events
    .filter((event) => event.action.startsWith("exec_create"))
    .map((event) => ({ event, command: event.action.replace(/^exec_create:? ?/, "").trim() }))
    .filter(({ command }) => !own.includes(command))
    .map(({ event, command }) => ({ event, command, atMs: event.atMs, endedAtMs: endOf(view, event) }));
}

/**
 * Restarts asked of the engine. Docker tells `restart` only for those; Podman also when its restart policy acts, and then
 * directly after the end (seen with 4.3.1).
 */
export function askedRestarts(view: ContainerView): DockerEvent[] {
  return view.events.filter(
    (event, at) =>
      event.action === "restart" &&
      view.events.slice(0, at).findLast(({ action }) => action === "start" || action === "die")?.action !== "die",
  );
}

/** The facts that show these events; none where the events were not read. */
export function eventFacts(world: Pick<World, "hosts">, view: ContainerView, events: readonly DockerEvent[]): Fact[] {
  const seen = hostOf(world, view.host)?.events;
  if (seen == null || events.length === 0) return [];
  return [cite(seen, events.map(describeEvent).join(", "), view.name)];
}

function endOf(view: ContainerView, created: DockerEvent): number | null {
  const session = created.attributes["execID"];
  const ended = view.events.find(
    (event) =>
      event.atMs >= created.atMs &&
      ((event.action.startsWith("exec_die") && session !== undefined && event.attributes["execID"] === session) ||
        event.action === "die"),
  );
  return ended?.atMs ?? null;
}

/** The forms in which the engine runs a health check: through the shell, or as it is. */
function healthCommands(view: ContainerView): string[] {
  const test = view.inspect?.value.healthcheck?.test ?? [];
  const [form, ...words] = test;
  if (form === "CMD-SHELL") return [`/bin/sh -c ${words.join(" ")}`.trim(), words.join(" ").trim()];
  return [words.join(" ").trim()];
}

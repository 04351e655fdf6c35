import { complaintFacts, complaintsAbout, signalFacts } from "../complaints.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * The database came back with another, empty volume. Its clients are older than it and miss what used to be there, and
 * its volume or its first initialisation is as young as the container. On a first deployment the clients are younger.
 */
export const emptyVolume: Rule = {
  name: "empty-volume",
  causes: ["pg-empty-volume"],
  needs: ["docker-inspect", "docker-logs", "docker-events"],
  evaluate(world, view) {
    const inspect = view.inspect;
    const createdAtMs = inspect?.value.createdAtMs ?? null;
    if (inspect === null || createdAtMs === null || serverKind(world, view) === null) return [];
    const complaints = complaintsAbout(world, view, [
      "peer-schema-mismatch",
      "peer-database-missing",
      "peer-role-missing",
      "peer-auth-failed",
    ]);
    const older = complaints.filter(({ from, signals }) => {
      const born = from.inspect?.value.createdAtMs ?? null;
      return (
        born !== null &&
        born < createdAtMs &&
        signals.some((signal) => (signal.line.atMs ?? 0) >= createdAtMs && isMissing(signal.line.text))
      );
    });
    const before = replaced(world, view, createdAtMs);
    const fresh = freshFacts(world, view, createdAtMs);
    if (older.length === 0 || fresh.length === 0) return [];
    return [
      faultAt(view, {
        cause: "pg-empty-volume",
        summary: `${view.name} came back with a new, empty volume: what its clients used to find is not in it`,
        facts: [
          cite(inspect, `Created ${new Date(createdAtMs).toISOString()}, mounts ${mountsText(view)}`, view.name),
          ...fresh,
          ...before,
          ...complaintFacts(older.slice(0, 2)),
        ],
        witnesses: ["docker-inspect", "docker-logs of callers", ...fresh.map((fact) => fact.reading.source)],
        onsetMs: createdAtMs,
        weight: weight.proven + 1,
        advice: [
          `Hands off: do not let anything initialise or write to ${view.name}. Look for the earlier volume (docker volume ls) or a backup, and mount that one again.`,
        ],
      }),
    ];
  },
};

function isMissing(text: string): boolean {
  return /relation|table|database|role|schema|password authentication/i.test(text);
}

/** What shows that the data is new: the engine made the volume with the container, or the server initialised it. */
function freshFacts(world: World, view: ContainerView, createdAtMs: number): Fact[] {
  const host = hostOf(world, view.host);
  const names = (view.inspect?.value.mounts ?? []).flatMap((mount) =>
    mount.type === "volume" && mount.name !== null ? [mount.name] : [],
  );
  const near = (atMs: number | null) => atMs !== null && Math.abs(atMs - createdAtMs) <= limits.freshVolumeMs;
  const made = (host?.volumes?.value ?? []).filter((volume) => names.includes(volume.name) && near(volume.createdAtMs));
  const events = (host?.events?.value.events ?? []).filter(
    (event) =>
      event.type === "volume" && event.action === "create" && names.includes(event.actorId) && near(event.atMs),
  );
  const initialised = view.signals.filter((signal) => signal.kind === "server-initialised-empty");
  return [
    ...(host?.volumes == null
      ? []
      : made.map((volume) =>
          cite(
            host.volumes as NonNullable<typeof host.volumes>,
            `volume ${volume.name} CreatedAt ${isoOf(volume.createdAtMs)}`,
            view.name,
          ),
        )),
    ...(host?.events == null
      ? []
      : events.map((event) =>
          cite(
            host.events as NonNullable<typeof host.events>,
            `volume ${event.actorId} create at ${isoOf(event.atMs)}`,
            view.name,
          ),
        )),
    ...signalFacts(view, initialised.slice(-1)),
  ];
}

/** A container of the same name that was removed before this one was made. */
function replaced(world: World, view: ContainerView, createdAtMs: number): Fact[] {
  const events = hostOf(world, view.host)?.events;
  const gone = events?.value.events.findLast(
    (event) =>
      event.type === "container" && event.action === "destroy" && event.name === view.name && event.atMs <= createdAtMs,
  );
  return events == null || gone === undefined
    ? []
    : [cite(events, `destroy of the earlier ${view.name} at ${isoOf(gone.atMs)}`, view.name)];
}

function mountsText(view: ContainerView): string {
  const mounts = view.inspect?.value.mounts ?? [];
  return mounts.map((mount) => `${mount.name ?? mount.source} at ${mount.destination}`).join(", ") || "none";
}

function isoOf(atMs: number | null): string {
  return atMs === null ? "unknown" : new Date(atMs).toISOString();
}

import type { Cause } from "../causes.ts";
import { complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { LogSignal, SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind, startedAs } from "../servers.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/** What the server says when it refuses to start on its data folder, and what a person does then. */
const refusals: readonly { kind: SignalKind; cause: Cause; says: string; advice: string }[] = [
  {
    kind: "server-version-mismatch",
    cause: "pg-version-mismatch",
    says: "its data folder was made by another major version than the server it runs",
    advice:
      "Go back to the image of the old major version, then migrate with pg_upgrade or a dump; never delete the folder to make it start.",
  },
  {
    kind: "server-root-refused",
    cause: "pg-root-refused",
    says: "PostgreSQL refuses to run as root",
    advice:
      "Take away the user setting (user: root, --user 0) or let the image's entry point change to the postgres user.",
  },
  {
    kind: "server-datadir-permissions",
    cause: "pg-datadir-perms",
    says: "the permissions or the owner of its data folder are not what the server insists on",
    advice: "Give the folder back to the server's user and set its mode to 0700 (chmod 700, chown) on the host.",
  },
  {
    kind: "server-lockfile",
    cause: "pg-stale-pidfile",
    says: "it finds a left-over pid or lock file and takes it for another running server",
    advice: "Make sure that no other server uses this folder, then remove the pid file by hand.",
  },
];

/**
 * A server and its data folder: refused at start, used by two servers, or damaged. Told by the server's own words of its
 * last start, with the engine's state as second witness.
 */
export const dataFolder: Rule = {
  name: "data-folder",
  causes: [
    "pg-version-mismatch",
    "pg-root-refused",
    "pg-datadir-perms",
    "pg-stale-pidfile",
    "pg-two-servers-one-volume",
    "pg-corruption",
  ],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const found = twoServers(world, view) ?? damaged(world, view) ?? refusedStart(world, view);
    return found === null ? [] : [found];
  },
};

function refusedStart(world: World, view: ContainerView): Finding | null {
  const state = view.inspect?.value;
  if (state === undefined || (state.running && state.restartCount === 0 && !state.restarting)) return null;
  const last = lastRun(view);
  for (const { kind, cause, says, advice } of refusals) {
    const said = last.filter((signal) => signal.kind === kind);
    if (said.length === 0) continue;
    if (kind === "server-lockfile" && sharers(world, view).some((other) => other.inspect?.value.running === true))
      continue;
    return faultAt(view, {
      cause,
      summary: `${view.name} does not start: ${says}`,
      facts: [...signalFacts(view, said.slice(-1)), stateFact(view)].filter((fact) => fact !== null),
      witnesses: ["docker-logs", "docker-inspect"],
      onsetMs: said[0]?.line.atMs ?? null,
      weight: weight.proven,
      advice: [advice],
    });
  }
  return null;
}

/** Damage shows in the server's own log, or in the words it sends to its clients. */
function damaged(world: World, view: ContainerView): Finding | null {
  const kind = serverKind(world, view);
  if (kind === null) return null;
  const running = view.inspect?.value.running === true;
  const own = (running ? recentSignals(world, view, ["server-corruption"]) : lastRun(view)).filter(
    (signal) => signal.kind === "server-corruption",
  );
  const complaints = complaintsAbout(world, view, ["peer-corruption"]);
  if (own.length === 0 && complaints.length === 0) return null;
  return faultAt(view, {
    cause: "pg-corruption",
    summary: `${view.name} reports damaged data in its own files`,
    facts: [...signalFacts(view, own.slice(-2)), ...complaintFacts(complaints), stateFact(view)].filter(
      (fact) => fact !== null,
    ),
    witnesses: [
      ...(own.length > 0 ? ["docker-logs"] : []),
      ...(complaints.length > 0 ? ["docker-logs of callers"] : []),
      "docker-inspect",
    ],
    onsetMs: own[0]?.line.atMs ?? null,
    weight: weight.proven,
    advice: [
      `Hands off: no restart, no reset of the log. Copy the whole data folder first, check the disk, and restore from a backup.`,
    ],
  });
}

/** Two running servers on one source. The one that was started later is the intruder. */
function twoServers(world: World, view: ContainerView): Finding | null {
  if (!runsServer(world, view)) return null;
  const twins = sharers(world, view).filter((other) => other.inspect?.value.running === true);
  const all = [view, ...twins].sort((a, b) => startedMs(a) - startedMs(b) || (a.name < b.name ? -1 : 1));
  const second = all.at(-1);
  const first = all[0];
  if (twins.length === 0 || second === undefined || first === undefined) return null;
  const facts = all.map(mountFact).filter((fact) => fact !== null);
  const linked = second === view ? {} : { shownBy: view.ref, link: { proof: "config" as const, facts } };
  return faultAt(second, {
    cause: "pg-two-servers-one-volume",
    summary: `${second.name} runs a second server on the data folder of ${first.name}: both write to the same files`,
    facts,
    witnesses: ["docker-inspect", "docker-inspect of the other"],
    onsetMs: second.inspect?.value.startedAtMs ?? null,
    // Told also while the service still answers: the damage is being done all the same.
    past: true,
    weight: weight.proven + 1,
    advice: [
      `Hands off: two servers on one folder damage it. Take a copy first; then a person stops ${second.name}, checks the data and gives it a volume of its own.`,
    ],
    ...linked,
  });
}

function runsServer(world: World, view: ContainerView): boolean {
  if (view.inspect?.value.running !== true) return false;
  const kind = serverKind(world, view) ?? startedAs(view);
  const titled = view.signals.some((signal) => signal.kind === "server-ready");
  return (kind === "postgres" || kind === "mysql" || titled) && dataMounts(view).length > 0;
}

/** Other containers that mount the same source to write, at the same place or at a data folder. */
function sharers(world: World, view: ContainerView): ContainerView[] {
  const ours = dataMounts(view);
  return world.containers.filter(
    (other) =>
      other !== view &&
      other.host === view.host &&
      dataMounts(other).some((mount) => ours.some((own) => own.source === mount.source)) &&
      looksAlike(view, other),
  );
}

/** A backup or an exporter may mount the folder too; only one that is started alike serves from it. */
function looksAlike(view: ContainerView, other: ContainerView): boolean {
  const a = view.inspect?.value;
  const b = other.inspect?.value;
  if (a === undefined || b === undefined) return false;
  const line = (inspect: typeof a) => [...inspect.entrypoint, ...inspect.command].join(" ");
  const first = (inspect: typeof a) => line(inspect).split(/\s+/)[0] ?? "";
  const program =
    first(a) === first(b) && !/^(\S*\/)?((ba|da|a)?sh|python[\d.]*|node|java|env|tini|sleep)$/.test(first(a));
  return program || line(a) === line(b) || (startedAs(view) !== null && startedAs(view) === startedAs(other));
}

function dataMounts(view: ContainerView) {
  return (view.inspect?.value.mounts ?? []).filter(
    (mount) =>
      mount.readWrite && mount.source !== "" && /postgres|pgdata|mysql|mariadb|mongo|data/i.test(mount.destination),
  );
}

function mountFact(view: ContainerView) {
  const mount = dataMounts(view)[0];
  if (view.inspect === null || mount === undefined) return null;
  const startedAt = view.inspect.value.startedAtMs;
  const since = startedAt === null ? "" : ` State.StartedAt=${new Date(startedAt).toISOString()}`;
  return cite(
    view.inspect,
    `Mounts: ${mount.source} at ${mount.destination}, State.Status=${view.inspect.value.status}${since}`,
    view.name,
  );
}

function startedMs(view: ContainerView): number {
  return view.inspect?.value.startedAtMs ?? 0;
}

/** Signals since the last start; all of them where lines have no time. */
function lastRun(view: ContainerView): LogSignal[] {
  const startedAtMs = view.inspect?.value.startedAtMs ?? null;
  const ready = view.signals.findLastIndex((signal) => signal.kind === "server-ready");
  return view.signals
    .slice(ready + 1)
    .filter((signal) => startedAtMs === null || signal.line.atMs === null || signal.line.atMs >= startedAtMs - 60_000);
}

function stateFact(view: ContainerView) {
  if (view.inspect === null) return null;
  const { status, exitCode, restartCount } = view.inspect.value;
  return cite(
    view.inspect,
    `State.Status=${status} State.ExitCode=${exitCode} RestartCount=${restartCount}`,
    view.name,
  );
}

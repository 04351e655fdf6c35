import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { personExecs } from "../hands.ts";
import type { ProcessRow } from "../readings.ts";
import { addressesOf } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { clientsOf } from "../sessions.ts";
import { isFailure } from "../symptom.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * Work that a person or a plan is doing on purpose, and that a well-meant action would spoil: announced maintenance, and
 * a backup that makes others wait.
 */
export const handsOff: Rule = {
  name: "hands-off",
  causes: ["planned-maintenance", "backup-running"],
  needs: ["docker-inspect"],
  evaluate: (world, view) => [...maintenance(world, view), ...backup(world, view)],
};

const off = /^(|0|false|no|off|none|disabled|done|finished|never|null)$/i;

/** A marker that says so, and a state that fits it: stopped or paused by hand, or not well. */
function maintenance(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect;
  if (inspect === null) return [];
  const marks = markers(view);
  if (marks.length === 0) return [];
  const { running, paused, restarting, health } = inspect.value;
  const death = running ? null : lastDeath(world, view);
  const byHand = paused || (death !== null && ["stop-clean", "stop-grace", "docker-kill"].includes(death.kind));
  const troubled = !running || restarting || health?.status === "unhealthy";
  if (!byHand && !troubled) return [];
  return [
    faultAt(view, {
      cause: "planned-maintenance",
      kind: byHand ? "fault" : "hazard",
      summary: `${view.name} is under planned maintenance: it is marked so, and ${byHand ? (paused ? "it was paused by hand" : "it was stopped by hand") : "it is not in its usual state"}; nothing is to be done by the program`,
      facts: [...marks, ...(death?.facts ?? []), cite(inspect, `State.Status=${inspect.value.status}`, view.name)],
      witnesses: ["docker-inspect", ...(death?.witnesses.includes("docker-events") ? ["docker-events"] : [])],
      onsetMs: death?.atMs ?? null,
      weight: weight.proven + 3,
      advice: [`Ask whoever announced the maintenance of ${view.name} before starting anything.`],
    }),
  ];
}

/** Labels, an environment variable, a file somebody put there, or a command somebody ran. */
function markers(view: ContainerView): Fact[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const labels = Object.entries(inspect.value.labels).filter(([name, value]) => isMark(name, value));
  const variables = inspect.value.env.filter((variable) => isMark(variable.name, variable.value));
  const files = (view.changes?.value ?? []).filter(
    (change) => change.kind !== "deleted" && /maintenance/i.test(change.path.split("/").at(-1) ?? ""),
  );
  const told = personExecs(view).filter((exec) => /maintenance/i.test(exec.command) && !/\brm\b/.test(exec.command));
  const facts = [
    ...labels.map(([name, value]) => cite(inspect, `label ${name}=${value}`, view.name)),
    ...variables.map((variable) => cite(inspect, `Config.Env ${variable.name} is set`, view.name)),
  ];
  if (view.changes !== null)
    for (const file of files.slice(0, 2)) facts.push(cite(view.changes, `${file.kind}: ${file.path}`, view.name));
  if (told.length > 0 && view.summary !== null)
    facts.push(cite(view.summary, `docker exec in ${view.name}: ${told[0]?.command}`, view.name));
  return facts;
}

/** The name speaks of maintenance, or a general name (`status`, `state`) holds the word. A maintainer is somebody else. */
function isMark(name: string, value: string): boolean {
  if (/maintainer|window|schedule|cron|contact|policy/i.test(name)) return false;
  if (/maintenance/i.test(name)) return !off.test(value.trim());
  return /(^|[._-])(status|state|mode|ops|note|reason)$/i.test(name) && /\bmaintenance\b/i.test(value);
}

const backupTools =
  /(^|[/\s])(pg_dump(all)?|pg_basebackup|pgbackrest|barman|wal-g|mysqldump|mariadb-dump|mydumper|xtrabackup|mariabackup|mongodump|restic|borg|borgmatic|duplicity|kopia|velero)(\s|$)|redis-cli\b.*(--rdb|bgsave)|\bbackup\.(sh|py)\b/i;

/** A backup works against this server, and somebody waits for the server. */
function backup(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect;
  if (inspect === null || !inspect.value.running || !isWaitedFor(world, view)) return [];
  const inside = rowsOf(world, view).find((row) => backupTools.test(row.args));
  const client = world.containers.find(
    (other) =>
      other !== view &&
      other.host === view.host &&
      other.inspect?.value.running === true &&
      worksOn(world, other, view),
  );
  if (client === undefined && inside === undefined) return [];
  const at = client ?? view;
  const facts: Fact[] = [];
  if (client?.inspect != null)
    facts.push(
      cite(
        client.inspect,
        `Config.Cmd: ${[...client.inspect.value.entrypoint, ...client.inspect.value.command].join(" ")}`,
        client.name,
      ),
    );
  const processes = hostOf(world, view.host)?.processes;
  if (inside !== undefined)
    facts.push(
      cite(
        view.top ?? (processes as NonNullable<typeof processes>),
        `process ${inside.pid}: ${inside.args}`,
        view.name,
      ),
    );
  const session = clientsOf(world, view).find((entry) => client !== undefined && entry.view === client);
  if (session !== undefined) facts.push(...session.facts.slice(0, 2));
  if (facts.length === 0) return [];
  return [
    faultAt(at, {
      cause: "backup-running",
      summary: `A backup of ${view.name} is at work${client === undefined ? " inside it" : ` from ${client.name}`} and makes others wait; it ends by itself`,
      facts,
      witnesses: ["docker-inspect", ...(inside !== undefined || session !== undefined ? ["docker-top"] : [])],
      ...(client === undefined ? {} : { shownBy: view.ref, link: { proof: "connection" as const, facts } }),
      weight: weight.proven - 2,
      advice: [
        `Let the backup of ${view.name} finish, and look at its locks and its hour; ending its session spoils the backup.`,
      ],
    }),
  ];
}

/** Its callers wait in vain, or it says that sessions wait for a lock; a refusal is no waiting. */
function isWaitedFor(world: World, view: ContainerView): boolean {
  const slow = new Set([
    "peer-timeout",
    "peer-lock-timeout",
    "peer-statement-timeout",
    "pool-exhausted",
    "upstream-timeout",
  ]);
  const callers = world.edges.filter((edge) => edge.to.containerId === view.id && edge.to.host === view.host);
  return (
    callers.some((edge) => edge.failures.some((signal) => slow.has(signal.kind))) ||
    view.signals.some((signal) => signal.kind === "server-lock-wait") ||
    (view.top?.value ?? []).some((row) => / waiting$/.test(row.args)) ||
    world.subjects.some(
      (subject) =>
        (subject === view || callers.some((edge) => edge.from.containerId === subject.id)) &&
        subject.probes.some(
          (probe) => isFailure(probe.value) && (probe.value.failure === "timeout" || probe.value.httpStatus === 504),
        ),
    )
  );
}

/** A backup program that is this container's command or one of its processes, connected to the server or told its name. */
function worksOn(world: World, client: ContainerView, server: ContainerView): boolean {
  const inspect = client.inspect?.value;
  if (inspect === undefined) return false;
  const command = [...inspect.entrypoint, ...inspect.command].join(" ");
  const works = backupTools.test(command) || rowsOf(world, client).some((row) => backupTools.test(row.args));
  if (!works) return false;
  const names = [server.name, ...addressesOf(server)];
  return (
    world.edges.some((edge) => edge.from.containerId === client.id && edge.to.containerId === server.id) ||
    clientsOf(world, server).some((entry) => entry.view === client) ||
    names.some((name) => command.includes(name) || inspect.env.some((variable) => variable.value.includes(name)))
  );
}

/** Its processes: from the engine's table, else those below its main process in the host's. */
function rowsOf(world: World, view: ContainerView): ProcessRow[] {
  if (view.top !== null) return view.top.value;
  const main = view.inspect?.value.pid ?? null;
  const all = hostOf(world, view.host)?.processes?.value ?? [];
  const own = new Set<number>(main === null ? [] : [main]);
  for (const row of all) if (row.ppid !== null && own.has(row.ppid)) own.add(row.pid);
  return all.filter((row) => own.has(row.pid));
}

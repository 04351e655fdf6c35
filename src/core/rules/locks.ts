import { type Complaint, complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type Client, clientsOf, linkTo, processOf, type Session, sessionsOf, titleFact } from "../sessions.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** Commands that rewrite or lock a table for as long as they run (PostgreSQL, "Explicit Locking", table 13.2). */
const migration =
  /^(ALTER (TABLE|INDEX|MATERIALIZED VIEW|TYPE)|CREATE (UNIQUE )?INDEX|REINDEX|CLUSTER|VACUUM|REFRESH MATERIALIZED VIEW|DROP INDEX|CREATE TABLE AS)/;

/**
 * Sessions of PostgreSQL that hold others up, told by the process titles alone: one that does nothing inside a
 * transaction, a migration that works, or a dump. None of them is the server's fault, and none is cured by restarting it.
 */
export const locks: Rule = {
  name: "locks",
  causes: ["pg-idle-in-transaction-lock", "pg-long-migration", "backup-running"],
  needs: ["docker-top"],
  evaluate(world, view) {
    const sessions = sessionsOf(view);
    if (sessions.length === 0) return [];
    const waiting = sessions.filter((session) => session.waiting);
    const complaints = complaintsAbout(world, view, ["peer-timeout", "peer-lock-timeout", "peer-statement-timeout"]);
    const logged = recentSignals(world, view, ["server-lock-wait", "peer-lock-timeout"]);
    const felt = waiting.length > 0 || complaints.length > 0 || logged.length > 0 || subjectIsConnected(world, view);
    const scene: Scene = { world, view, waiting, complaints, said: signalFacts(view, logged.slice(-2)) };
    const clients = clientsOf(world, view);
    return [working(scene, clients, felt), idle(scene, clients)].filter((finding) => finding !== null);
  },
};

interface Scene {
  world: World;
  view: ContainerView;
  waiting: Session[];
  complaints: Complaint[];
  said: Fact[];
}

/** A migration or a dump that runs while others wait. */
function working(scene: Scene, clients: Client[], felt: boolean): Finding | null {
  const { world, view } = scene;
  const running = clients
    .flatMap((client) => client.sessions.map((session) => ({ client, session })))
    .filter(({ session }) => !session.waiting && !session.activity.startsWith("idle"));
  const dump = running.find(({ client, session }) => isDump(world, client, session, view));
  const found = dump ?? running.find(({ session }) => migration.test(session.activity));
  if (found === undefined || !felt) return null;
  const process = processOf(world, view, found.session);
  const facts = [...titleFact(view, found.session), ...waitFacts(scene), ...progressFacts(world, view, found.session)];
  const moves = process.cpuSeconds !== null && process.cpuSeconds > 0;
  const what =
    dump === undefined
      ? `a ${migrationName(found.session)} started by ${found.client.name}`
      : `a dump run by ${found.client.name}`;
  return at(scene, found.client, {
    cause: dump === undefined ? "pg-long-migration" : "backup-running",
    summary: `${view.name} runs ${what}${moves ? ", which is making progress," : ""} and others wait for it; neither is broken`,
    facts,
    witnesses: [
      "docker-top",
      ...(scene.said.length > 0 || scene.complaints.length > 0 ? ["docker-logs"] : []),
      ...(moves ? ["host-processes"] : []),
    ],
    weight: weight.proven + 1,
    advice: [
      dump === undefined
        ? `Let it finish: killing it throws away what is done and rolls back. ${view.name} needs no restart. Next time set lock_timeout and build indexes CONCURRENTLY.`
        : `Let the backup finish, or ask its owner; do not end its session. Run it against a replica or at a quieter time.`,
    ],
  });
}

/** A session that does nothing inside a transaction while others wait or time out. */
function idle(scene: Scene, clients: Client[]): Finding | null {
  const { view, waiting, complaints, said } = scene;
  const idlers = clients
    .flatMap((client) => client.sessions.map((session) => ({ client, session })))
    .filter(({ session }) => session.activity.startsWith("idle in transaction"));
  const lockTimeouts = complaints.some((entry) => entry.signals.some((signal) => signal.kind === "peer-lock-timeout"));
  const timeouts = complaints.length > 0;
  if (idlers.length === 0 || (waiting.length === 0 && said.length === 0 && !timeouts)) return null;
  const held = new Set(
    said.flatMap((fact) =>
      [...fact.text.matchAll(/holding the lock: ([\d, ]+)/g)].flatMap((match) => (match[1] ?? "").split(", ")),
    ),
  );
  const named = idlers.find(({ session }) => held.has(String(session.row.pid)));
  const culprit = named ?? longest(idlers);
  if (culprit === undefined) return null;
  const proven = waiting.length > 0 || said.length > 0 || lockTimeouts;
  return at(scene, culprit.client, {
    cause: "pg-idle-in-transaction-lock",
    summary: `${culprit.client.name} holds a lock in ${view.name} in a transaction that does nothing (idle in transaction), and others wait for it`,
    facts: [...titleFact(view, culprit.session), ...waitFacts(scene)],
    witnesses: ["docker-top", ...(said.length > 0 || complaints.length > 0 ? ["docker-logs"] : [])],
    weight: proven ? weight.proven : weight.told,
    advice: [
      `Let a person end that session: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'. Restarting ${view.name} would end every session.`,
      `Make ${culprit.client.name} commit or roll back on every path, and set idle_in_transaction_session_timeout.`,
    ],
  });
}

/** The one that runs longest; a session of a client that itself waits elsewhere is a victim with an open transaction. */
function longest<T extends { client: Client; session: Session }>(idlers: T[]): T | undefined {
  const free = idlers.filter(({ client }) => !client.sessions.some((session) => session.waiting));
  const list = free.length > 0 ? free : idlers;
  return [...list].sort((a, b) => a.session.row.pid - b.session.row.pid)[0];
}

function at(scene: Scene, client: Client, draft: Parameters<typeof hostFault>[1]): Finding {
  const { view } = scene;
  if (client.view === view) return faultAt(view, draft);
  const linked = { ...draft, ...linkTo(view, client) };
  return client.view === null ? hostFault(view.host, linked) : faultAt(client.view, linked);
}

function waitFacts({ view, waiting, complaints, said }: Scene): Fact[] {
  return [
    ...waiting.slice(0, 2).flatMap((session) => titleFact(view, session)),
    ...said,
    ...complaintFacts(complaints.slice(0, 2)),
  ];
}

function progressFacts(world: World, view: ContainerView, session: Session): Fact[] {
  const process = processOf(world, view, session);
  const seen = hostOf(world, view.host)?.processes;
  if (seen == null || process.cpuSeconds === null) return [];
  return [
    cite(
      seen,
      `pid ${process.pid} state ${process.state ?? "unknown"} cpu ${process.cpuSeconds} s: ${process.args}`,
      view.name,
    ),
  ];
}

function migrationName(session: Session): string {
  return migration.exec(session.activity)?.[0] ?? "migration";
}

/** `COPY` to a dump program, or a base backup over the replication protocol. */
function isDump(world: World, client: Client, session: Session, server: ContainerView): boolean {
  if (/^(sending backup|BASE_BACKUP)/.test(session.activity)) return true;
  if (!/^(COPY|SELECT|FETCH)/.test(session.activity)) return false;
  const inspect = client.view === server ? null : (client.view?.inspect?.value ?? null);
  const words =
    inspect === null ? "" : `${inspect.name} ${inspect.image} ${[...inspect.entrypoint, ...inspect.command].join(" ")}`;
  if (
    /pg_dump|pg_basebackup|pgbackrest|barman|wal-g|\bbackup|\bdump/i.test(words) &&
    session.activity.startsWith("COPY")
  )
    return true;
  const rows = hostOf(world, server.host)?.processes?.value ?? [];
  return (
    session.activity.startsWith("COPY") && rows.some((row) => /(^|\/)pg_(dump|dumpall|basebackup)(\s|$)/.test(row.args))
  );
}

function subjectIsConnected(world: World, view: ContainerView): boolean {
  return world.edges.some(
    (edge) =>
      edge.to.containerId === view.id &&
      edge.failures.length > 0 &&
      world.subjects.some((subject) => subject.id === edge.from.containerId),
  );
}

import { technologyPorts } from "./references.ts";
import type { ContainerView, World } from "./world.ts";

export type ServerKind =
  | "postgres"
  | "mysql"
  | "redis"
  | "mongodb"
  | "rabbitmq"
  | "kafka"
  | "elasticsearch"
  | "memcached";

const programs: Record<ServerKind, RegExp> = {
  postgres: /(^|[/\s])(postgres|postmaster|postgresql|timescaledb|postgis|pgvector)([:\s@]|$)/,
  mysql: /(^|[/\s])(mysqld?|mariadbd?|percona|mysqld_safe)([:\s@]|$)/,
  redis: /(^|[/\s])(redis|redis-server|valkey|valkey-server|keydb|keydb-server)([:\s@]|$)/,
  mongodb: /(^|[/\s])(mongod|mongo)([:\s@]|$)/,
  rabbitmq: /(^|[/\s])(rabbitmq|rabbitmq-server)([:\s@]|$)/,
  kafka: /(^|[/\s])(kafka|cp-kafka|redpanda)([:\s@]|$)/,
  elasticsearch: /(^|[/\s])(elasticsearch|opensearch)([:\s@]|$)/,
  memcached: /(^|[/\s])memcached([:\s@]|$)/,
};

const shell = /^(\/(usr\/)?bin\/)?(ba|da|a)?sh$/;
const kinds = Object.keys(programs) as ServerKind[];

/**
 * Which known server a container is, by what it listens on, says of itself, is called at or is started as. Null for
 * everything else, also for a client that was started from a server's image.
 */
export function serverKind(world: Pick<World, "edges">, view: ContainerView): ServerKind | null {
  const listening = view.process?.value.listeners.map((socket) => socket.port) ?? null;
  const called = world.edges.flatMap((edge) =>
    edge.to.host === view.host && edge.to.containerId === view.id && edge.port !== null ? [edge.port] : [],
  );
  const speaks = view.signals.find(
    (signal) =>
      signal.kind.startsWith("server-") && kinds.includes(signal.technology as ServerKind) && !isRelayed(signal.kind),
  );
  if (speaks !== undefined) return speaks.technology as ServerKind;
  for (const kind of kinds) {
    const ports = technologyPorts[kind] ?? [];
    if ((listening ?? called).some((port) => ports.includes(port))) return kind;
  }
  if (listening !== null && listening.length > 0) return null;
  return startedAs(view);
}

/** What image, command and environment say it was made for. */
export function startedAs(view: ContainerView): ServerKind | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  const line = [...inspect.entrypoint, ...inspect.command];
  const program = shell.test(line[0] ?? "")
    ? line.join(" ")
    : [inspect.entrypoint[0] ?? "", inspect.command[0] ?? ""].join(" ");
  const words = `${program} ${inspect.image}`.toLowerCase();
  const named = kinds.find((kind) => programs[kind].test(words));
  if (named !== undefined) return named;
  return inspect.env.some((variable) => variable.name === "PGDATA") ? "postgres" : null;
}

/** Kinds that a client prints too, because the server sends it the words. */
function isRelayed(kind: string): boolean {
  return ["server-shm-too-small", "server-locks-exhausted", "server-corruption", "server-out-of-memory"].includes(kind);
}

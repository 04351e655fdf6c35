import type { ContainerInspect } from "./readings.ts";

/** A place in a container's configuration that names a peer. The value itself is never shown. */
export interface PeerReference {
  /** Where it stands: the variable's name, or `command`. */
  where: string;
  kind: "env" | "command";
  host: string;
  port: number | null;
  scheme: string | null;
  /** Two bare words that may mean a place: a peer only where a container answers to the name. */
  loose?: true;
}

const defaultPorts: Record<string, number> = {
  postgres: 5432,
  postgresql: 5432,
  mysql: 3306,
  mariadb: 3306,
  redis: 6379,
  rediss: 6379,
  mongodb: 27017,
  amqp: 5672,
  amqps: 5671,
  http: 80,
  https: 443,
  kafka: 9092,
  nats: 4222,
  memcached: 11211,
};

/** Ports of well-known servers, by technology: used when a log line names neither host nor port. */
export const technologyPorts: Record<string, readonly number[]> = {
  postgres: [5432, 6432],
  mysql: [3306],
  redis: [6379],
  mongodb: [27017],
  rabbitmq: [5672],
  kafka: [9092],
  elasticsearch: [9200],
  memcached: [11211],
};

const urlPattern =
  /\b([a-z][a-z0-9+.-]{1,30}):\/\/(?:[^\s@/'"]{0,400}@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?/g;
const jdbcPattern = /\bjdbc:([a-z]+):(?:\/\/|thin:@)/g;
const hostPortPattern = /^([A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?):(\d{2,5})$/;
const hostNamePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?$/;
const hostVariable =
  /(^|_)(HOST|HOSTNAME|SERVER|SERVERS|ADDR|ADDRESS|ENDPOINT|BROKER|BROKERS|NODES|UPSTREAM|BACKEND|PEER)(S|$|_)/i;
const hostOption =
  /(?:^|\s)(?:-h|-H|--host|--hostname|--server)[ =]([A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?)/g;
const keyword = /(?:^|[\s;,&?])(?:host|server|data source|hostaddr)\s*=\s*([A-Za-z0-9._-]+)/gi;

/** Every peer that environment and command line name, in the order they stand. Own host name and loopback included. */
export function peerReferences(inspect: ContainerInspect): PeerReference[] {
  const references = inspect.env.flatMap((variable) =>
    namesIn(variable.value, hostVariable.test(variable.name)).map((found) => ({
      ...found,
      port: found.port ?? siblingPort(inspect, variable.name),
      where: variable.name,
      kind: "env" as const,
    })),
  );
  const words = [...inspect.entrypoint, ...inspect.command];
  const fromCommand = words.flatMap((word) =>
    namesIn(word, false).map((found) => ({
      ...found,
      where: "command",
      kind: "command" as const,
    })),
  );
  return dedupe([...references, ...fromCommand, ...argumentPairs(words), ...optionHosts(inspect, words)]);
}

/** `app.pl 10.0.0.5 7000`: host and port as two words of the command line. */
function argumentPairs(words: readonly string[]): PeerReference[] {
  return words.flatMap((word, index) => {
    const port = words[index + 1] ?? "";
    return hostNamePattern.test(word) && !/^\d+$/.test(word) && /^\d{2,5}$/.test(port)
      ? [
          {
            where: "command",
            kind: "command" as const,
            host: clean(word),
            port: Number(port),
            scheme: null,
            loose: true as const,
          },
        ]
      : [];
  });
}

/** `redis-cli -h cache -p 6380` inside a command line or a variable. */
function optionHosts(inspect: ContainerInspect, words: readonly string[]): PeerReference[] {
  const texts = [
    { text: words.join(" "), where: "command", kind: "command" as const },
    ...inspect.env.map(({ name, value }) => ({ text: value, where: name, kind: "env" as const })),
  ];
  return texts.flatMap(({ text, where, kind }) =>
    [...text.slice(0, 4_096).matchAll(hostOption)].map((match) => {
      const port = /\s(?:-p|-P|--port)[ =](\d{2,5})\b/.exec(text)?.[1];
      return {
        where,
        kind,
        host: clean(match[1] ?? ""),
        port: port === undefined ? null : Number(port),
        scheme: null,
        loose: true as const,
      };
    }),
  );
}

function namesIn(value: string, mayBeBareName: boolean): Omit<PeerReference, "where" | "kind">[] {
  const text = value.slice(0, 4_096);
  const found: Omit<PeerReference, "where" | "kind">[] = [];
  for (const match of text.replace(jdbcPattern, "$1://").matchAll(urlPattern)) {
    const scheme = (match[1] ?? "").toLowerCase().split("+")[0] ?? null;
    found.push({
      scheme,
      host: clean(match[2] ?? ""),
      port: match[3] ? Number(match[3]) : (defaultPorts[scheme ?? ""] ?? null),
    });
  }
  if (found.length > 0) return found;
  for (const match of text.matchAll(keyword)) {
    const port = /(?:^|[\s;,&?])port\s*=\s*(\d{1,5})/i.exec(text)?.[1];
    found.push({
      scheme: null,
      host: clean(match[1] ?? ""),
      port: port ? Number(port) : null,
    });
  }
  if (found.length > 0) return found;
  for (const piece of text.split(/[\s,;=]+/)) {
    const match = hostPortPattern.exec(piece);
    if (match && !/^\d+$/.test(match[1] ?? "")) {
      found.push({
        scheme: null,
        host: clean(match[1] ?? ""),
        port: Number(match[2]),
      });
    } else if (mayBeBareName && hostNamePattern.test(piece) && !/^\d+$/.test(piece)) {
      found.push({ scheme: null, host: clean(piece), port: null });
    }
  }
  return found;
}

/** `DB_HOST=db` with `DB_PORT=5432` beside it. */
function siblingPort(inspect: ContainerInspect, name: string): number | null {
  const wanted = name.replace(/(HOST|HOSTNAME|SERVER|ADDR|ADDRESS)(S?)$/i, "PORT");
  const text = wanted === name ? undefined : inspect.env.find((variable) => variable.name === wanted)?.value;
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : null;
}

function clean(host: string): string {
  return host.replace(/^\[|\]$/g, "").toLowerCase();
}

function dedupe(references: PeerReference[]): PeerReference[] {
  const seen = new Set<string>();
  return references.filter((reference) => {
    const key = `${reference.where} ${reference.host} ${reference.port}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

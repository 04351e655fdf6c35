import type { ContainerRef, EdgeProof } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import type { ProcessRow } from "./readings.ts";
import { addressesOf, resolvePeer } from "./resolve.ts";
import { type ContainerView, cite, hostOf, type World } from "./world.ts";

/** One connection of a client to PostgreSQL, as its server process titles itself (src/backend/utils/misc/ps_status.c). */
export interface Session {
  row: ProcessRow;
  /** Null for a session through the server's own socket file. */
  address: string | null;
  /** `idle`, `idle in transaction`, or the command being run. */
  activity: string;
  /** It waits for a lock that another session holds. */
  waiting: boolean;
}

/** A client of a server with what connects it there. */
export interface Client {
  /** Null when it is no container of this host. */
  view: ContainerView | null;
  name: string;
  sessions: Session[];
  connections: number;
  facts: Fact[];
}

const title =
  /^postgres: (?:[^\s:]{1,64}: )?\S{1,64} \S{1,64} (?:\[local\]|([0-9a-fA-F.:]{2,45})\(\d{1,5}\)) (.{1,120})$/;

export function sessionsOf(view: ContainerView): Session[] {
  return (view.top?.value ?? []).flatMap((row) => {
    const match = title.exec(row.args.trim());
    if (match === null) return [];
    const told = (match[2] ?? "").trim();
    const waiting = / waiting$/.test(told);
    return [{ row, address: match[1] ?? null, activity: told.replace(/ waiting$/, ""), waiting }];
  });
}

/**
 * Who is connected to a server, most connections first: by its process titles, else by the established connections in
 * its socket table.
 */
export function clientsOf(world: World, view: ContainerView): Client[] {
  const sessions = sessionsOf(view);
  const addresses = sessions.length > 0 ? sessions.map((session) => session.address) : establishedAddresses(view);
  const byClient = new Map<string, Client>();
  for (const address of new Set(addresses)) {
    const peer = clientAt(world, view, address);
    const key = peer?.id ?? address ?? "local";
    const own = sessions.filter((session) => session.address === address);
    const count = addresses.filter((other) => other === address).length;
    const known = byClient.get(key);
    byClient.set(key, {
      view: peer,
      name: peer?.name ?? (address === null ? `a session inside ${view.name}` : address),
      sessions: [...(known?.sessions ?? []), ...own],
      connections: (known?.connections ?? 0) + count,
      facts: [...(known?.facts ?? []), connectionFact(view, address, count, own)].filter((fact) => fact !== null),
    });
  }
  return [...byClient.values()].sort((a, b) => b.connections - a.connections || (a.name < b.name ? -1 : 1));
}

/** The link from the server where a fault shows to the client that causes it. */
export function linkTo(
  server: ContainerView,
  client: Client,
): { shownBy: ContainerRef; link: { proof: EdgeProof; facts: Fact[] } } {
  return { shownBy: server.ref, link: { proof: "connection", facts: client.facts } };
}

export function titleFact(view: ContainerView, session: Session): Fact[] {
  return view.top === null ? [] : [cite(view.top, session.row.args, view.name)];
}

/** The container with this address; behind a published port the server sees the gateway, and only one caller may fit. */
function clientAt(world: World, server: ContainerView, address: string | null): ContainerView | null {
  if (address === null) return server;
  const near = world.containers.find((view) => view.host === server.host && addressesOf(view).includes(address));
  if (near !== undefined) return near;
  const isGateway = server.inspect?.value.networks.some((network) => network.gateway === address) ?? false;
  if (!isGateway) return null;
  const through = world.containers.filter(
    (view) =>
      view !== server &&
      view.process?.value.connections.some((socket) => {
        const found = resolvePeer(world, view, socket.remoteAddress, socket.remotePort);
        return (
          socket.state === "ESTABLISHED" &&
          found.kind === "container" &&
          found.view === server &&
          found.via === "published"
        );
      }),
  );
  return through.length === 1 ? (through[0] as ContainerView) : null;
}

function establishedAddresses(view: ContainerView): string[] {
  const process = view.process?.value;
  if (process === undefined) return [];
  const ports = new Set(process.listeners.map((socket) => socket.port));
  return process.connections
    .filter((socket) => socket.state === "ESTABLISHED" && ports.has(socket.port))
    .map((socket) => socket.remoteAddress);
}

function connectionFact(
  view: ContainerView,
  address: string | null,
  count: number,
  own: readonly Session[],
): Fact | null {
  const from = address ?? "its own socket file";
  const first = own[0];
  if (view.top !== null && first !== undefined)
    return cite(view.top, `${count} server processes for ${from}, for example: ${first.row.args}`, view.name);
  return view.process === null ? null : cite(view.process, `${count} established connections from ${from}`, view.name);
}

/** Processor time of a session, and whether it runs now, from the host's own process table. */
export function processOf(world: World, view: ContainerView, session: Session): ProcessRow {
  const rows = hostOf(world, view.host)?.processes?.value ?? [];
  return rows.find((row) => row.pid === session.row.pid) ?? session.row;
}

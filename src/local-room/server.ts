import { randomBytes, randomInt } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createMethods } from "./api/methods.ts";
import { createRoomClock, type RoomClock } from "./clock.ts";
import { type AccessTokens, isLoopbackHost } from "./control/access.ts";
import { createFaultBox } from "./faults.ts";
import { createResponseUrls } from "./interact/response-urls.ts";
import { createTriggers } from "./interact/triggers.ts";
import { createJournal } from "./journal.ts";
import { createLedgerBook } from "./ledgers/book.ts";
import { type LocalRoom, localRoomOf } from "./local-room.ts";
import { parseManifest } from "./manifest.ts";
import type { RateMode } from "./protocol.ts";
import { createRandom } from "./random.ts";
import { createRateLimiter } from "./rate.ts";
import { createTsSource, type Room } from "./room.ts";
import { createRouter } from "./router.ts";
import type { Seed } from "./seed.ts";
import { createHttpTransport } from "./transport/http.ts";
import { createSocketTransport } from "./transport/socket.ts";
import { createTickets } from "./transport/tickets.ts";
import { createWorld } from "./world.ts";

export interface RoomOptions {
  seed: Seed;
  /** Anything other than loopback needs `accessTokens`. */
  host?: string;
  transport: "socket" | "http";
  /** HTTP mode: where the app listens, e.g. `http://127.0.0.1:3000`; the paths come from the manifest. */
  appOrigin?: string;
  clock?: RoomClock;
  /** Seed of every choice and id. Left out: another one each time. */
  random?: number;
  rateMode?: RateMode;
  journalFile?: string;
  /** Token to person. */
  accessTokens?: AccessTokens;
  /** Fixed credentials, for an app that is configured elsewhere. */
  credentials?: { botToken: string; appToken: string; signingSecret: string };
}

/** The room without a port of its own: mount `handle` and `upgrade` on a server and tell it its address. */
export interface MountedRoom extends LocalRoom {
  /** true when the request is the room's; it is answered then. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** true when the upgrade is the room's (`/link`). */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  setUrl(url: string): void;
}

export function createLocalRoom(options: RoomOptions): MountedRoom {
  const tokens = options.accessTokens ?? {};
  const loopbackOnly = isLoopbackHost(options.host ?? "127.0.0.1");
  if (!loopbackOnly && Object.keys(tokens).length === 0) {
    throw new Error(
      "the local room only listens on other hosts than loopback with access tokens; give every person one or bind it to 127.0.0.1",
    );
  }
  const stranger = Object.values(tokens).find((user) => !options.seed.users.some((known) => known.id === user));
  if (stranger !== undefined)
    throw new Error(`an access token of the local room names ${stranger}, who is not in its seed`);
  let url = "";
  const tickets = createTickets({ nowMs: () => room.clock.nowMs() });
  const room = buildRoom(options, () => url);
  const transport =
    options.transport === "socket"
      ? createSocketTransport(room, tickets)
      : createHttpTransport(room, { origin: options.appOrigin ?? null });
  room.delivery = transport;
  const router = createRouter(room, { methods: createMethods(tickets), tokens, loopbackOnly });
  // Assigned, not spread: the address is a getter, and spreading would freeze it empty.
  return Object.assign(localRoomOf(room, transport), {
    handle: router,
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      if (transport.kind !== "socket" || !(request.url ?? "").startsWith("/link")) return false;
      transport.upgrade(request, socket, head);
      return true;
    },
    setUrl(next: string) {
      url = next;
    },
  });
}

/** Listens by itself. `port` 0 takes any free one; the room's `url` says which. */
export async function startLocalRoom(options: RoomOptions & { port: number }): Promise<LocalRoom> {
  const room = createLocalRoom(options);
  const server = createServer((request, response) => {
    if (!room.handle(request, response)) response.writeHead(404).end();
  });
  server.on("upgrade", (request, socket, head) => {
    if (!room.upgrade(request, socket, head)) socket.destroy();
  });
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, host, resolve);
  });
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const shownHost = reachable.includes(":") ? `[${reachable}]` : reachable;
  room.setUrl(`http://${shownHost}:${(server.address() as AddressInfo).port}`);
  const stopRoom = room.stop;
  return Object.assign(room, { stop: () => stopServer(stopRoom, server) });
}

async function stopServer(stopRoom: () => Promise<void>, server: ReturnType<typeof createServer>): Promise<void> {
  await stopRoom();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

function buildRoom(options: RoomOptions, url: () => string): Room {
  const clock = options.clock ?? createRoomClock();
  const random = createRandom(options.random ?? randomInt(2 ** 31));
  const manifest = parseManifest(options.seed.manifest);
  const world = createWorld(options.seed, manifest, clock.nowMs());
  const journal = createJournal({ nowMs: clock.nowMs, file: options.journalFile });
  const secret = (length: number) => randomBytes(length).toString("hex");
  return {
    world,
    manifest,
    clock,
    random,
    journal,
    rate: createRateLimiter({ nowMs: clock.nowMs, mode: options.rateMode ?? "floor" }),
    faults: createFaultBox(),
    ledgers: createLedgerBook({ world, clock, journal }),
    triggers: createTriggers({ nowMs: clock.nowMs, random }),
    responseUrls: createResponseUrls({ nowMs: clock.nowMs, url, teamId: world.team.id }),
    // Replaced at once by createLocalRoom: the transport needs the room, the room needs the transport.
    delivery: undefined as never,
    access: {
      botToken: options.credentials?.botToken ?? `xoxb-local-${secret(12)}`,
      appToken: options.credentials?.appToken ?? `xapp-1-local-${secret(12)}`,
      signingSecret: options.credentials?.signingSecret ?? secret(16),
      verificationToken: secret(12),
      state: "installed",
    },
    nextTs: createTsSource(clock),
    url,
  };
}

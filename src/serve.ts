import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { registerHandlers } from "../handlers/index.ts";
import { exitCode, type Terminal } from "./cli.ts";
import { configured, storeUrl } from "./commands.ts";
import type { Config, ConfigWorld, SlackConfig } from "./config.ts";
import { limits } from "./core/limits.ts";
import { Fault } from "./core/result.ts";
import { defaultSeed } from "./local-room/seed.ts";
import { createLocalRoom, type MountedRoom } from "./local-room/server.ts";
import type { Log, Store } from "./ports.ts";
import { assembleParts, assembleRecorder, assembleRoom, type Parts, systemClock } from "./program.ts";
import type { Room } from "./room.ts";
import { proxyOf } from "./slack/clients.ts";
import { createSlackEdge, type SlackEdge } from "./slack/edge.ts";
import { openStore } from "./store/store.ts";
import { createLog, createTelemetry, type Telemetry } from "./telemetry.ts";

export interface Service {
  /** `http://127.0.0.1:1370` */
  url: string;
  localRoom: MountedRoom | null;
  room: Room;
  log: Log;
  stop(): Promise<void>;
}

/** `room137 start`: runs until it is told to stop. */
export async function serve(deps: { world: ConfigWorld; terminal: Terminal }): Promise<number> {
  const config = configured(deps.world, deps.terminal.complain);
  const service = await startService(config, deps);
  failLoudly(service.log, service.stop);
  deps.terminal.print(
    service.localRoom === null
      ? `room137 answers on ${service.url}`
      : `no Slack is configured: open the local room at ${service.url}`,
  );
  await stopSignal();
  await service.stop();
  return exitCode.answered;
}

/** Everything of one process: the store, the hosts, the room, Slack or the local room, and one HTTP server. */
export async function startService(
  given: Config,
  deps: { world: ConfigWorld; terminal: Terminal; assemble?: (config: Config) => Parts },
): Promise<Service> {
  const telemetry = createTelemetry();
  const log = createLog(given.logLevel);
  for (const notice of given.notices) log.warn({}, notice);
  const { database } = given;
  const store = await openStore(storeUrl(given), { clock: systemClock });
  await store.checkWritable();
  const localRoom = given.slack.mode === "local-room" ? openLocalRoom(given) : null;
  const config = localRoom === null ? given : withLocalApprovers(given, log);
  const front = createFront({ store, telemetry, localRoom });
  const url = await listen(front.server, config.listen);
  localRoom?.setUrl(url);
  const parts = (deps.assemble ?? assembleParts)(config);
  const late: { room: Room | null } = { room: null };
  // One process owns a SQLite file; replicas on Postgres are told apart by their container's host name.
  const owner = database.kind === "sqlite" ? "embedded" : (deps.world.env["HOSTNAME"] ?? `room137-${process.pid}`);
  const edge = createSlackEdge({
    config: slackOf(config.slack, localRoom),
    groups: groupsOf(config),
    store,
    clock: systemClock,
    log,
    owner,
    dispatcher: localRoom === null ? proxyOf(deps.world.env) : null,
    metrics: telemetry.edge,
    onPosted: async (incidentId, place) => late.room?.posted(incidentId, place),
  });
  const recorder = assembleRecorder(parts, { store, log, owner });
  const room = assembleRoom(parts, {
    ...(recorder === null ? {} : { recorded: recorder.recorded }),
    store: edge.store,
    world: deps.world,
    log,
    metrics: telemetry.room,
    version: deps.terminal.version,
  });
  late.room = room;
  registerHandlers(edge, { room, clock: systemClock, log });
  front.edge = edge;
  await edge.start();
  await room.resume();
  recorder?.start();
  log.info({ url, hosts: parts.hosts.names(), slack: given.slack.mode }, "room137 is ready");
  const stop = once(async () => {
    log.info({}, "stopping");
    await recorder?.stop();
    await edge.stop(limits.stopDeadlineMs, (leftMs) => room.stop(leftMs));
    await localRoom?.stop();
    await parts.hosts.close();
    front.server.closeAllConnections();
    await new Promise((resolve) => front.server.close(resolve));
    await store.close();
  });
  return { url, localRoom, room, log, stop };
}

function openLocalRoom(config: Config): MountedRoom {
  const manifest = readFileSync(new URL("../manifests/slack-app.socket.yaml", import.meta.url), "utf8");
  const accessTokens = Object.fromEntries(
    Object.entries(config.localRoom.tokens).map(([person, token]) => [token, person]),
  );
  try {
    return createLocalRoom({
      seed: defaultSeed(manifest),
      transport: "socket",
      host: config.listen.address,
      rateMode: "burst",
      accessTokens,
    });
  } catch (error) {
    throw new Fault(
      "config-invalid",
      `opening the local room: ${error instanceof Error ? error.message : error}`,
      "set localRoom.tokens, or HOST=127.0.0.1",
    );
  }
}

/** Without a config file nobody could approve anything in the local room, so its own people may, on loopback only. */
function withLocalApprovers(config: Config, log: Log): Config {
  if (config.path !== null || config.approvals.approvers.length > 0) return config;
  log.warn({}, "no config file: everybody in the local room may approve what somebody else asked for");
  return { ...config, approvals: { ...config.approvals, approvers: ["U0ANA", "U0BEN", "U0CHI"] } };
}

function slackOf(slack: SlackConfig, localRoom: MountedRoom | null): Exclude<SlackConfig, { mode: "local-room" }> {
  if (slack.mode !== "local-room") return slack;
  const { botToken, appToken, apiUrl } = localRoom as MountedRoom;
  return { mode: "socket", botToken, appToken, apiUrl };
}

function groupsOf(config: Config): string[] {
  const named = [...config.approvals.approvers, ...config.approvals.rules.flatMap((rule) => rule.who)];
  return [...new Set(named.filter((id) => id.startsWith("S")))];
}

/** Health, metrics, Slack over HTTP and the local room share one port. */
function createFront(deps: { store: Store; telemetry: Telemetry; localRoom: MountedRoom | null }) {
  const front: { server: Server; edge: SlackEdge | null } = {
    server: createServer((request, response) => void route(request, response)),
    edge: null,
  };
  front.server.on("upgrade", (request, socket, head) => {
    if (deps.localRoom?.upgrade(request, socket, head) !== true) socket.destroy();
  });
  front.server.requestTimeout = limits.httpRequestTimeoutMs;
  front.server.headersTimeout = limits.httpHeadersTimeoutMs;

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?")[0];
    if (path === "/healthz") return send(response, 200, "text/plain", "ok\n");
    if (path === "/readyz") return ready(response);
    if (path === "/metrics")
      return send(response, 200, deps.telemetry.registry.contentType, await deps.telemetry.registry.metrics());
    if (front.edge?.handle(request, response) === true) return;
    if (deps.localRoom?.handle(request, response) === true) return;
    send(response, 404, "text/plain", "not found\n");
  }

  async function ready(response: ServerResponse): Promise<void> {
    const slack = front.edge?.ready() === true;
    const writable = await deps.store.checkWritable().then(
      () => true,
      () => false,
    );
    const text = `slack ${slack ? "connected" : "not connected"}\nstore ${writable ? "writable" : "not writable"}\n`;
    send(response, slack && writable ? 200 : 503, "text/plain", text);
  }
  return front;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
}

function listen(server: Server, { port, address }: Config["listen"]): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new Fault(
          "config-invalid",
          `listening on ${address}:${port}: ${error.message}`,
          "choose another PORT or end what uses it",
        ),
      ),
    );
    server.listen(port, address, () => {
      const shown = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
      resolve(`http://${shown.includes(":") ? `[${shown}]` : shown}:${(server.address() as AddressInfo).port}`);
    });
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

/** A rejection nobody caught is a fault of ours: it is logged, what is queued is saved, and the process ends. */
function failLoudly(log: Log, stop: () => Promise<void>): void {
  process.once("unhandledRejection", (reason) => {
    log.error({ err: reason }, "an unhandled rejection ends the process");
    void stop().finally(() => process.exit(70));
  });
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= run();
    return running;
  };
}

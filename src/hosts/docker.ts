import http from "node:http";
import { limits } from "../core/limits.ts";
import { proxyConfigPaths } from "../core/proxy-kind.ts";
import { Fault } from "../core/result.ts";
import type { DockerRead } from "../ports.ts";
import { createDockerAgent, createDockerSocket, type SocketWay } from "./docker-socket.ts";
import { abortFailure, deadline, errorText, type Failure, failure, type HostLink } from "./link.ts";
import { createSlots } from "./slots.ts";

export type DockerAnswer =
  | { ok: true; status: number; body: Buffer; truncated: boolean; fromPodman?: boolean }
  | Failure;

/** Reads of one engine, all by GET. Dockerode parses answers without a size limit, so reading does not use it. */
export interface DockerReader {
  read(read: DockerRead, signal?: AbortSignal): Promise<DockerAnswer>;
  /** Streams `GET /events` line by line until the signal aborts. Rejects with `Fault` when the stream breaks. */
  follow(sinceMs: number, onEvent: (line: Buffer) => void, signal: AbortSignal): Promise<void>;
  way(): SocketWay | null;
  close(): void;
}

export function createDockerReader(link: HostLink, socketPath: string): DockerReader {
  const socket = createDockerSocket(link, socketPath);
  const agent = createDockerAgent(socket, { keepAlive: true, maxBytes: null });
  const followAgent = createDockerAgent(socket, { keepAlive: false, maxBytes: null });
  // The agent's own maxSockets counts a connection only once it is made, so it does not hold back a burst.
  const slots = createSlots(limits.dockerSockets);
  const execSlots = createSlots(limits.dockerSocketsOverExec);
  // Known from the first answer on.
  let podman: boolean | null = null;

  return {
    way: socket.way,
    async read(read, signal) {
      const path = dockerPath(read);
      if (path === null) return failure("malformed", "not a name or id that the engine could know");
      const maxBytes = replyBytes(read);
      // Until the way is known it may turn out to be the narrow one, and sessions are kept once they are made.
      const queue = socket.way() === "direct" ? slots : execSlots;
      const release = await queue.acquire(signal ?? AbortSignal.timeout(limits.gatherDeadlineMs)).catch(() => null);
      if (!release) return failure("timeout", `GET ${path} waited too long for other reads of ${link.host}`);
      try {
        const ask = (asked: string) => getRetried(agent, asked, maxBytes, signal);
        podman ??= read.read === "top" ? isPodman(await ask("/version")) : null;
        if (podman === true) return await ask(podmanPath(read) ?? path);
        const answer = await ask(path);
        if (answer.ok) podman ??= isPodman(answer);
        if (podman === true && podmanPath(read) !== null) return await ask(podmanPath(read) ?? path);
        // A host whose ps knows no such columns (BusyBox) answers 500; the engine's own default is better than nothing.
        const noColumns = read.read === "top" && answer.ok && answer.status >= 400 && answer.status !== 404;
        return noColumns ? await ask(path.replace(/\?.*$/, "")) : answer;
      } finally {
        release();
      }
    },
    follow: (sinceMs, onEvent, signal) =>
      follow(followAgent, link.host, `/events?since=${seconds(sinceMs)}`, onEvent, signal),
    close() {
      agent.destroy();
      followAgent.destroy();
    },
  };
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,254}$/;
/** A type holds until somebody casts; a file of a container is worth a second look. */
const configPaths: readonly string[] = Object.values(proxyConfigPaths).flat();
const topColumns = encodeURIComponent("-eo pid,ppid,uid,stat,rss,etimes,times,wchan:32,comm,args");
const podmanColumns = encodeURIComponent("hpid,huser,state,rss,etime,time,comm,args");

function replyBytes(read: DockerRead): number {
  if (read.read === "logs") return limits.logBytes;
  return read.read === "archive" ? limits.proxyConfigBytes : limits.dockerReplyBytes;
}

/** The request path (unversioned: the engine takes its newest API), or null for an id outside the pattern. */
export function dockerPath(read: DockerRead): string | null {
  if ("id" in read && (!idPattern.test(read.id) || read.id.includes(".."))) return null;
  if (read.read === "archive" && !configPaths.includes(read.path)) return null;
  switch (read.read) {
    case "version":
      return "/version";
    case "info":
      return "/info";
    case "list":
      return "/containers/json?all=1";
    case "inspect":
      return `/containers/${read.id}/json`;
    case "logs": {
      const from = read.sinceMs === null ? "" : `&since=${seconds(read.sinceMs)}`;
      const until = read.untilMs === null ? "" : `&until=${seconds(read.untilMs)}`;
      return `/containers/${read.id}/logs?stdout=1&stderr=1&timestamps=1&tail=${Math.trunc(read.tail)}${from}${until}`;
    }
    case "events":
      return `/events?since=${seconds(read.sinceMs)}&until=${seconds(read.untilMs)}`;
    case "stats":
      // Without one-shot the engine waits for a second sample, about a second (API 1.41, daemon/stats.go).
      return `/containers/${read.id}/stats?stream=false&one-shot=true`;
    case "top":
      return `/containers/${read.id}/top?ps_args=${topColumns}`;
    case "changes":
      return `/containers/${read.id}/changes`;
    case "archive":
      return `/containers/${read.id}/archive?path=${read.path}`;
    case "networks":
      return "/networks";
    case "network":
      return `/networks/${read.id}`;
    case "image":
      return `/images/${read.id}/json`;
    case "volumes":
      return "/volumes";
    case "usage":
      return "/system/df";
  }
}

function isPodman(answer: DockerAnswer): boolean | null {
  return answer.ok ? answer.fromPodman === true : null;
}

/**
 * Where Podman's compatible socket must be asked otherwise (seen with 4.3.1). Its event file is no longer read once
 * `until` has passed, so the past is asked for without an end. Docker's columns make it run `ps` inside the container,
 * which nothing here may do; its own words for columns are read from outside.
 */
export function podmanPath(read: DockerRead): string | null {
  if (read.read === "events") return `/events?stream=false&since=${seconds(read.sinceMs)}`;
  if (read.read === "top" && dockerPath(read) !== null) return `/containers/${read.id}/top?ps_args=${podmanColumns}`;
  return null;
}

/** Seconds with nine digits behind the point, which is what the engine's time filters take. */
function seconds(atMs: number): string {
  const whole = Math.floor(atMs / 1_000);
  return `${whole}.${String(Math.round((atMs - whole * 1_000) * 1e6)).padStart(9, "0")}`;
}

/** A read may be sent twice: a kept socket can close under it, and a connection can die. */
async function getRetried(
  agent: http.Agent,
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<DockerAnswer> {
  const first = await getDocker(agent, path, maxBytes, signal);
  return !first.ok && first.lost && !signal?.aborted ? getDocker(agent, path, maxBytes, signal) : first;
}

/** One GET with a size limit and a deadline. Rejects only with a `Fault` of connecting. */
export function getDocker(
  agent: http.Agent,
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<DockerAnswer> {
  const limit = deadline(limits.readTimeoutMs, signal);
  return new Promise((resolve, reject) => {
    const request = http.get({ agent, path, headers: { Host: "docker" } });
    const finish = (answer: DockerAnswer) => {
      limit.removeEventListener("abort", onAbort);
      resolve(answer);
    };
    const onAbort = () => {
      finish(abortFailure(limit, `GET ${path}`, limits.readTimeoutMs));
      request.destroy();
    };
    limit.addEventListener("abort", onAbort, { once: true });
    request.on("error", (error) => {
      limit.removeEventListener("abort", onAbort);
      if (error instanceof Fault) reject(error);
      else finish(requestFailure(error));
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const answer = (truncated: boolean): DockerAnswer => ({
        ok: true,
        status: response.statusCode ?? 0,
        body: Buffer.concat(chunks),
        truncated,
        fromPodman: response.headers["libpod-api-version"] !== undefined,
      });
      response.on("data", (chunk: Buffer) => {
        const room = maxBytes - bytes;
        chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
        bytes += Math.min(chunk.length, room);
        if (chunk.length <= room) return;
        finish(answer(true));
        response.destroy();
      });
      response.on("end", () => finish(answer(false)));
      response.on("error", (error) => finish(requestFailure(error)));
    });
    if (limit.aborted) onAbort();
  });
}

function requestFailure(error: unknown): Failure {
  const known = (error as { failure?: Failure }).failure;
  return known ?? failure("unreachable", `the connection to the engine was lost: ${errorText(error)}`, null, true);
}

function follow(
  agent: http.Agent,
  host: string,
  path: string,
  onEvent: (line: Buffer) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve();
    const request = http.get({ agent, path, headers: { Host: "docker" } });
    const lose = (why: string) => {
      signal.removeEventListener("abort", onAbort);
      request.destroy();
      reject(
        new Fault(
          "read-failed",
          `the events of ${host} can no longer be followed: ${why}`,
          "they are followed again by themselves; check the host if this repeats",
        ),
      );
    };
    const onAbort = () => {
      request.destroy();
      resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    request.on("error", (error) => (error instanceof Fault ? reject(error) : lose(requestFailure(error).reason)));
    request.on("response", (response) => {
      if (response.statusCode !== 200) return lose(`the engine answered ${response.statusCode}`);
      let rest: Buffer = Buffer.alloc(0);
      response.on("data", (chunk: Buffer) => {
        rest = emitLines(Buffer.concat([rest, chunk]), onEvent);
        if (rest.length > limits.eventLineBytes) lose(`a line is longer than ${limits.eventLineBytes} bytes`);
      });
      response.on("end", () => lose("the engine ended the stream"));
      response.on("error", (error) => lose(errorText(error)));
    });
  });
}

function emitLines(bytes: Buffer, onLine: (line: Buffer) => void): Buffer {
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    if (end > start) onLine(bytes.subarray(start, end));
    start = end + 1;
  }
  return bytes.subarray(start);
}

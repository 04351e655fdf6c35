import { chmodSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A link that a test breaks and mends while it is used. */
export interface Link {
  port: number;
  /** Every connection ends with a reset; new ones work. */
  reset(): void;
  /** The same, and new ones are closed at once until `mend`. */
  cut(): void;
  /** Nothing moves in either direction until `mend`; nobody is told. */
  stall(): void;
  /** Everything arrives, in order, later by this much, until `mend`. */
  delay(ms: number): void;
  mend(): void;
  close(): Promise<void>;
}

/** Told of each HTTP request by its first line: before it passes, before its answer passes, after that. */
export interface Watch {
  asked(request: string): void;
  answering(request: string): void;
  answered(request: string): void;
}

interface State {
  way: "open" | "cut" | "stalled";
  lateMs: number;
}

/** A TCP proxy to an address of this machine. */
export async function openLink(target: { host: string; port: number }, watch?: Watch): Promise<Link> {
  const pairs = new Map<[Socket, Socket], () => void>();
  const state: State = { way: "open", lateMs: 0 };
  const server = createServer((near) => {
    if (state.way === "cut") {
      near.resetAndDestroy();
      return;
    }
    const pair: [Socket, Socket] = [near, connect(target)];
    pairs.set(
      pair,
      join(pair, state, () => pairs.delete(pair), watch),
    );
  });
  const reset = () => {
    for (const pair of [...pairs.keys()]) for (const end of pair) end.resetAndDestroy();
  };
  await listening(server, { port: 0, host: "127.0.0.1" });
  return {
    port: (server.address() as AddressInfo).port,
    reset,
    cut() {
      state.way = "cut";
      reset();
    },
    stall() {
      state.way = "stalled";
    },
    delay(ms) {
      state.lateMs = ms;
    },
    mend() {
      Object.assign(state, { way: "open", lateMs: 0 });
      for (const flush of pairs.values()) flush();
    },
    async close() {
      reset();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * The engine's socket, with a watcher: `onAnswer` is called when the engine has done what a request that changes
 * something asked for and begins to answer, before any of that answer has left the host.
 */
export async function watchedSocket(
  path: string,
  dockerSocket: string,
  onAnswer: (request: string) => void,
): Promise<() => Promise<void>> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const answering = (request: string) => {
    if (!request.startsWith("GET ")) onAnswer(request);
  };
  const server = createServer((near) => {
    const pair: [Socket, Socket] = [near, connect(dockerSocket)];
    for (const end of pair) open.add(end);
    const gone = () => {
      for (const end of pair) open.delete(end);
    };
    join(pair, { way: "open", lateMs: 0 }, gone, { asked() {}, answering, answered() {} });
  });
  await listening(server, { path });
  chmodSync(path, 0o666);
  return async () => {
    for (const one of open) one.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}

/** Carries both ways as the state allows. Returns what moves on what was held back. */
function join([near, far]: [Socket, Socket], state: State, onClosed: () => void, watch?: Watch): () => void {
  let request: string | null = null;
  const flushes = [
    carry(near, far, state, (chunk, pass) => {
      const line = /^(GET|POST|DELETE|PUT) \S+/.exec(chunk.toString("latin1", 0, 500))?.[0] ?? null;
      if (line !== null) {
        request = line;
        watch?.asked(line);
      }
      pass();
    }),
    carry(far, near, state, (_, pass) => {
      const answered = request;
      request = null;
      if (answered !== null) watch?.answering(answered);
      pass();
      if (answered !== null) watch?.answered(answered);
    }),
  ];
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => {
      other.destroy();
      onClosed();
    });
  }
  return () => {
    for (const flush of flushes) flush();
  };
}

/** Chunks leave in the order they came, each when it is due and the way is not stalled. */
function carry(from: Socket, to: Socket, state: State, onChunk: (chunk: Buffer, pass: () => void) => void): () => void {
  const waiting: { chunk: Buffer; dueMs: number }[] = [];
  let ended = false;
  const flush = () => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (state.way === "stalled") return;
      const leftMs = state.lateMs === 0 ? 0 : next.dueMs - Date.now();
      if (leftMs > 0) {
        setTimeout(flush, leftMs);
        return;
      }
      waiting.shift();
      to.write(next.chunk);
    }
    if (ended) to.end();
  };
  from.on("data", (chunk: Buffer) =>
    onChunk(chunk, () => {
      waiting.push({ chunk, dueMs: Date.now() + state.lateMs });
      flush();
    }),
  );
  from.on("end", () => {
    ended = true;
    flush();
  });
  return flush;
}

function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, resolve);
  });
}

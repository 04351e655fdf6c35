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
  mend(): void;
  close(): Promise<void>;
}

/** A TCP proxy to an address of this machine. */
export async function openLink(target: { host: string; port: number }): Promise<Link> {
  const pairs = new Set<[Socket, Socket]>();
  let way: "open" | "cut" | "stalled" = "open";
  const server = createServer((near) => {
    if (way === "cut") {
      near.resetAndDestroy();
      return;
    }
    const pair: [Socket, Socket] = [near, connect(target)];
    pairs.add(pair);
    join(pair, () => pairs.delete(pair));
    if (way === "stalled") for (const end of pair) end.pause();
  });
  const reset = () => {
    for (const pair of [...pairs]) for (const end of pair) end.resetAndDestroy();
  };
  await listening(server, { port: 0, host: "127.0.0.1" });
  return {
    port: (server.address() as AddressInfo).port,
    reset,
    cut() {
      way = "cut";
      reset();
    },
    stall() {
      way = "stalled";
      for (const pair of pairs) for (const end of pair) end.pause();
    },
    mend() {
      way = "open";
      for (const pair of pairs) for (const end of pair) end.resume();
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
  const server = createServer((near) => {
    const far = connect(dockerSocket);
    let asked: string | null = null;
    near.on("data", (chunk) => {
      const line = /^(POST|DELETE|PUT) (\S+)/.exec(chunk.toString("latin1"));
      if (line !== null) asked = line[0];
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (asked !== null) onAnswer(asked);
      asked = null;
      near.write(chunk);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("end", () => other.end());
      one.on("error", () => other.destroy());
      one.on("close", () => {
        other.destroy();
        open.delete(one);
      });
    }
  });
  await listening(server, { path });
  chmodSync(path, 0o666);
  return async () => {
    for (const one of open) one.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}

function join([near, far]: [Socket, Socket], onClosed: () => void): void {
  near.pipe(far);
  far.pipe(near);
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
}

function listening(server: Server, where: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, resolve);
  });
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { fingerprint } from "../../src/hosts/known-hosts.ts";
import type { SshTarget } from "../../src/hosts/ssh-connect.ts";

type Exec = (command: string, channel: ssh2.ServerChannel) => void;

export interface FakeSshdOptions {
  /** Answers a command; has to end its channel. */
  exec?: Exec;
  forwarding?: boolean;
  hostKeys?: string[];
  /** Sessions allowed at once, as sshd's MaxSessions. */
  maxSessions?: number;
}

/** ssh2's generator now and then writes an ed25519 key that it cannot read itself; such a one is thrown away. */
export function keyPair(type: "ed25519" | "rsa" = "ed25519"): { private: string; public: string } {
  for (;;) {
    const pair =
      type === "rsa"
        ? ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 })
        : ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

export function publicBlob(privateKey: string): Buffer {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return (Array.isArray(parsed) ? parsed[0] : parsed)?.getPublicSSH() as Buffer;
}

/** An SSH server in this process that accepts one key and does what a test says. */
export async function startFakeSshd(options: FakeSshdOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "room137-sshd-"));
  const userKey = keyPair();
  const identityFile = join(folder, "key");
  writeFileSync(identityFile, userKey.private, { mode: 0o600 });
  const hostKeys = options.hostKeys ?? [keyPair().private];
  const accepted = publicBlob(userKey.private);
  const clients = new Set<ssh2.Connection>();
  const commands: string[] = [];
  const counts = { connections: 0, sessions: 0, mostSessions: 0 };

  const server = new ssh2.Server({ hostKeys, ident: "OpenSSH_9.9 fake" }, (client) => {
    counts.connections += 1;
    clients.add(client);
    client.on("error", () => {});
    client.on("close", () => clients.delete(client));
    client.on("authentication", (context) => {
      if (context.method !== "publickey") return context.reject(["publickey"]);
      if (!context.key.data.equals(accepted)) return context.reject();
      context.accept();
    });
    client.on("session", (accept, reject) => {
      if (counts.sessions >= (options.maxSessions ?? 10)) return reject();
      counts.sessions += 1;
      counts.mostSessions = Math.max(counts.mostSessions, counts.sessions);
      const session = accept();
      session.on("exec", (acceptExec, _reject, info) => {
        commands.push(info.command);
        const channel = acceptExec();
        channel.on("close", () => {
          counts.sessions -= 1;
        });
        channel.on("error", () => {});
        // A channel whose input nobody reads never tells that it was closed.
        channel.resume();
        (options.exec ?? echo)(info.command, channel);
      });
    });
    client.on("tcpip", (accept, reject, info) => {
      if (options.forwarding === false) return reject();
      bridge(connect(info.destPort, info.destIP), accept, reject);
    });
    client.on("openssh.streamlocal" as "tcpip", (accept, reject, info) => {
      if (options.forwarding === false) return reject();
      bridge(connect((info as unknown as { socketPath: string }).socketPath), accept, reject);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as AddressInfo).port;
  const target: SshTarget = {
    host: "prod-1",
    address: "127.0.0.1",
    alias: null,
    port,
    user: "room137",
    identityFile,
    agentSocket: null,
    hostKey: fingerprint(publicBlob(hostKeys[0] as string)),
    knownHostsFile: null,
  };
  return {
    folder,
    target,
    hostKeys,
    commands,
    counts,
    /** Ends every connection at once, as a host that dies. */
    dropConnections: () => {
      for (const client of clients) (client as unknown as { _sock: { destroy(): void } })._sock.destroy();
    },
    async stop() {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function echo(command: string, channel: ssh2.ServerChannel): void {
  channel.write(command);
  channel.exit(0);
  channel.end();
}

function bridge(socket: ReturnType<typeof connect>, accept: () => ssh2.ServerChannel, reject: () => void): void {
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.off("error", reject);
    const channel = accept();
    channel.on("error", () => socket.destroy());
    socket.on("error", () => channel.close());
    socket.pipe(channel).pipe(socket);
    socket.on("close", () => channel.close());
    channel.on("close", () => socket.destroy());
  });
}

import http from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../core/limits.ts";
import type { DialResult } from "./link.ts";
import { type Failure, failure, type HostLink } from "./link.ts";

/** How the engine's socket is reached: directly (local or forwarded), or through `docker system dial-stdio`. */
export type SocketWay = "direct" | "dial-stdio";

export interface DockerSocket {
  /** Opens one stream to the engine. Throws `Fault` when the host cannot be connected. */
  dial(timeoutMs: number): Promise<{ ok: true; stream: Duplex } | Failure>;
  /** Which way worked on this connection; null before the first answer. */
  way(): SocketWay | null;
}

/**
 * Where the server forbids socket forwarding the docker CLI's own stdio bridge is used instead; which of the two works
 * is remembered until the connection is a new one.
 */
export function createDockerSocket(link: HostLink, socketPath: string): DockerSocket {
  let learnt: { way: SocketWay; generation: number } | null = null;
  const dockerCli = ["docker", "--host", `unix://${socketPath}`];
  const current = () => (learnt && learnt.generation === link.generation() ? learnt.way : null);

  async function dialDirect(timeoutMs: number): Promise<DialResult> {
    const dialled = await link.dialUnix(socketPath, timeoutMs);
    if (dialled.ok) learnt = { way: "direct", generation: link.generation() };
    return dialled;
  }

  async function dialStdio(timeoutMs: number): Promise<{ ok: true; stream: Duplex } | Failure> {
    const dialled = await link.execStream([...dockerCli, "system", "dial-stdio"], timeoutMs);
    if (dialled.ok) return dialled;
    return failure(
      "unreachable",
      `docker system dial-stdio could not be started: ${dialled.detail}`,
      null,
      dialled.lost,
    );
  }

  return {
    way: current,
    async dial(timeoutMs) {
      if (current() === "dial-stdio") return dialStdio(timeoutMs);
      const dialled = await dialDirect(timeoutMs);
      if (dialled.ok) return dialled;
      if (dialled.lost) return failure("unreachable", dialled.detail, null, true);
      if (dialled.kind === "timeout") return failure("timeout", `the engine did not answer: ${dialled.detail}`);
      if (dialled.kind !== "forbidden") return socketFailure(link, socketPath, dialled.kind, dialled.detail);
      // sshd says only `open failed` for a forbidden, missing, refused or dead socket alike, so the CLI is asked.
      const asked = await link.exec([...dockerCli, "version", "--format", "{{.Server.APIVersion}}"], {
        maxBytes: 10_000,
        timeoutMs,
      });
      if (!asked.ok) return asked;
      if (asked.exitCode === 0) {
        learnt = { way: "dial-stdio", generation: link.generation() };
        return dialStdio(timeoutMs);
      }
      const said = asked.stderr.toString("utf8").trim();
      if (/permission denied/i.test(said)) return socketFailure(link, socketPath, "denied", said);
      if (/cannot connect|is the docker daemon running/i.test(said) && asked.exitCode !== 127) {
        return socketFailure(link, socketPath, "refused", said);
      }
      return explainWithoutCli(link, socketPath, timeoutMs);
    },
  };
}

/** An agent that speaks HTTP over the engine's socket. A connection that brought more than `maxBytes` is closed. */
export function createDockerAgent(
  socket: DockerSocket,
  options: { keepAlive: boolean; maxBytes: number | null },
): http.Agent {
  const { keepAlive, maxBytes } = options;
  const agent = new http.Agent({ keepAlive });
  agent.createConnection = (_options, done) => {
    socket.dial(limits.readTimeoutMs).then(
      (dialled) => {
        if (dialled.ok) done?.(null, maxBytes === null ? dialled.stream : bounded(dialled.stream, maxBytes));
        else done?.(Object.assign(new Error(dialled.reason), { failure: dialled }), null as never);
      },
      (fault) => done?.(fault, null as never),
    );
    return undefined;
  };
  return agent;
}

function bounded(stream: Duplex, maxBytes: number): Duplex {
  let seen = 0;
  return stream.on("data", (chunk: Buffer) => {
    seen += chunk.length;
    if (seen > maxBytes) stream.destroy(new Error(`the engine sent more than ${maxBytes} bytes`));
  });
}

async function explainWithoutCli(link: HostLink, path: string, timeoutMs: number): Promise<Failure> {
  const test = async (flag: "-e" | "-w") => {
    const tested = await link.exec(["test", flag, path], {
      maxBytes: 1_000,
      timeoutMs,
    });
    return tested.ok ? tested.exitCode === 0 : null;
  };
  const [exists, writable] = await Promise.all([test("-e"), test("-w")]);
  if (exists === false) return socketFailure(link, path, "missing", "no such file");
  if (writable === false) return socketFailure(link, path, "denied", "permission denied");
  return failure(
    "permission-denied",
    `sshd on ${link.host} does not forward ${path}, and there is no docker command to use instead (or no engine behind the socket)`,
    "set AllowStreamLocalForwarding to yes in sshd_config (and remove no-port-forwarding or restrict from the key), or start the engine: sudo systemctl start docker",
  );
}

function socketFailure(link: HostLink, path: string, kind: string, detail: string): Failure {
  switch (kind) {
    case "denied":
      return failure(
        "permission-denied",
        `${link.user} may not open ${path} on ${link.host}`,
        `sudo usermod -aG docker ${link.user} (or point dockerSocket at a read-only proxy socket), then connect again`,
      );
    case "missing":
      return failure(
        "unreachable",
        `there is no Docker socket at ${path} on ${link.host}`,
        "sudo systemctl start docker, or correct dockerSocket",
      );
    case "refused":
      return failure(
        "unreachable",
        `no Docker engine answers at ${path} on ${link.host}`,
        "sudo systemctl start docker",
      );
    default:
      return failure(
        "unreachable",
        `${path} on ${link.host} could not be opened: ${detail}`,
        "sudo systemctl status docker",
      );
  }
}

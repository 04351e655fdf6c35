import http from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { limits } from "../core/limits.ts";
import type { ProbeRequest, RawProbe } from "../ports.ts";
import { deadline, dialFailureKind, errorText, type HostLink } from "./link.ts";

type Outcome = Partial<
  Pick<RawProbe, "failure" | "detail" | "httpStatus" | "headers" | "body" | "certificate" | "unavailable">
>;

/** Makes one connection from the host's point of view. Answers for whatever happens; throws only `Fault` of connecting. */
export async function probeFrom(link: HostLink, request: ProbeRequest, signal?: AbortSignal): Promise<Outcome> {
  const limit = deadline(limits.probeTimeoutMs, signal);
  if (!isSendable(request)) {
    return { unavailable: { code: "malformed", reason: "not an address or path that could be probed", fix: null } };
  }
  const dialled = await link.dialTcp(request.address, request.port, limits.probeTimeoutMs, limit);
  if (!dialled.ok) return dialOutcome(link, dialled);
  const { stream } = dialled;
  try {
    return await withDeadline(limit, stream, exchange(stream, request));
  } finally {
    stream.destroy();
  }
}

function isSendable(request: ProbeRequest): boolean {
  const { address, port } = request;
  if (!/^[A-Za-z0-9_.:%-]{1,253}$/.test(address) || !Number.isInteger(port) || port < 1 || port > 65_535) return false;
  if (request.probe !== "http") return true;
  return /^\/[\x21-\x7e]*$/.test(request.path) && !/[^\x21-\x7e]/.test(request.hostHeader ?? "");
}

function dialOutcome(link: HostLink, dialled: { kind: string; detail: string; lost: boolean }): Outcome {
  switch (dialled.kind) {
    case "forbidden":
      return {
        unavailable: {
          code: "permission-denied",
          reason: `sshd on ${link.host} does not forward TCP connections: ${dialled.detail}`,
          fix: "set AllowTcpForwarding to yes or local in sshd_config, and remove no-port-forwarding or restrict from the key",
        },
      };
    case "denied":
      return { failure: "unreachable", detail: dialled.detail };
    case "missing":
      return { failure: "dns", detail: dialled.detail };
    case "closed":
      if (dialled.lost)
        return {
          unavailable: {
            code: "unreachable",
            reason: dialled.detail,
            fix: null,
          },
        };
      return { failure: "closed", detail: dialled.detail };
    default:
      return {
        failure: dialled.kind as RawProbe["failure"],
        detail: dialled.detail,
      };
  }
}

function withDeadline(limit: AbortSignal, stream: Duplex, work: Promise<Outcome>): Promise<Outcome> {
  return new Promise((resolve) => {
    const tooLate = () => {
      resolve({
        failure: "timeout",
        detail: `connected, but no answer within ${limits.probeTimeoutMs} ms`,
      });
      stream.destroy();
    };
    limit.addEventListener("abort", tooLate, { once: true });
    if (limit.aborted) tooLate();
    work.then(resolve, (error) => resolve(streamOutcome(error)));
  });
}

function exchange(stream: Duplex, request: ProbeRequest): Promise<Outcome> {
  switch (request.probe) {
    case "tcp":
      return Promise.resolve({ detail: "connected" });
    case "tls":
      return handshake(stream, request.serverName, request.startTls);
    case "http":
      return httpExchange(stream, request);
  }
}

async function handshake(stream: Duplex, serverName: string | null, startTls: "postgres" | null): Promise<Outcome> {
  if (startTls === "postgres" && !(await postgresAcceptsTls(stream))) {
    return {
      failure: "tls",
      detail: "the server answered that it does not speak TLS",
    };
  }
  const secured = await secure(stream, serverName);
  return secured.ok
    ? {
        detail: `${secured.socket.getProtocol()}`,
        certificate: certificateFacts(secured.socket),
      }
    : secured.outcome;
}

/** SSLRequest of the PostgreSQL protocol (Frontend/Backend Protocol, Message Formats): the answer is one letter. */
function postgresAcceptsTls(stream: Duplex): Promise<boolean> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("the server closed the connection")));
    stream.once("end", () => reject(new Error("the server closed the connection")));
    stream.once("data", (answer: Buffer) => {
      stream.pause();
      stream.removeAllListeners("end").removeAllListeners("close").removeListener("error", reject);
      resolve(answer[0] === 0x53);
    });
    stream.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
  });
}

type Secured = { ok: true; socket: tls.TLSSocket } | { ok: false; outcome: Outcome };

function secure(stream: Duplex, serverName: string | null): Promise<Secured> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      socket: stream,
      ...(serverName && isIP(serverName) === 0 ? { servername: serverName } : {}),
      // A bad certificate is what this probe is to report, so it must not end the handshake.
      rejectUnauthorized: false,
      checkServerIdentity: (_name, certificate) => tls.checkServerIdentity(serverName ?? "", certificate),
    });
    socket.once("secureConnect", () => resolve({ ok: true, socket }));
    socket.on("error", (error) => {
      const seen = streamOutcome(error);
      const byPeer = seen.failure === "reset" || /disconnected before secure/i.test(errorText(error));
      resolve({
        ok: false,
        outcome: byPeer
          ? { ...seen, failure: "closed" }
          : {
              failure: "tls",
              detail: (error as { reason?: string }).reason ?? errorText(error),
            },
      });
    });
  });
}

function certificateFacts(socket: tls.TLSSocket): RawProbe["certificate"] {
  const certificate = socket.getPeerCertificate(false);
  if (!certificate?.valid_to) return null;
  const name = (of: object | undefined) =>
    Object.entries(of ?? {})
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(", ");
  const problem: unknown = socket.authorizationError;
  return {
    subject: name(certificate.subject),
    issuer: name(certificate.issuer),
    altNames: (certificate.subjectaltname ?? "").split(", ").filter((text) => text !== ""),
    validFromMs: Date.parse(certificate.valid_from),
    validToMs: Date.parse(certificate.valid_to),
    selfSigned: name(certificate.subject) === name(certificate.issuer),
    verifyError: problem ? ((problem as NodeJS.ErrnoException).code ?? errorText(problem)) : null,
  };
}

async function httpExchange(stream: Duplex, request: Extract<ProbeRequest, { probe: "http" }>): Promise<Outcome> {
  const host =
    request.hostHeader ?? `${isIP(request.address) === 6 ? `[${request.address}]` : request.address}:${request.port}`;
  let carrier = stream;
  let certificate: RawProbe["certificate"] = null;
  if (request.tls) {
    const secured = await secure(stream, request.hostHeader?.replace(/:\d+$/, "") ?? request.address);
    if (!secured.ok) return secured.outcome;
    carrier = secured.socket;
    certificate = certificateFacts(secured.socket);
  }
  return { ...(await httpGet(carrier, request.path, host)), certificate };
}

/** One GET, no redirects, the body cut. */
function httpGet(stream: Duplex, path: string, host: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = http.get({
      path,
      headers: {
        Host: host,
        "User-Agent": "room137",
        Accept: "*/*",
        Connection: "close",
      },
      createConnection: () => stream,
    });
    request.on("error", (error) => resolve(streamOutcome(error)));
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const answered = (detail: string) =>
        resolve({
          detail,
          httpStatus: response.statusCode ?? null,
          headers: flatHeaders(response.headers),
          body: Buffer.concat(chunks).subarray(0, limits.probeBodyBytes),
        });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= limits.probeBodyBytes) answered("answered; the rest of the body was not read");
      });
      response.on("end", () => answered("answered"));
      response.on("error", () => answered("answered; the connection closed within the body"));
    });
  });
}

function flatHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

function streamOutcome(error: unknown): Outcome {
  const text = errorText(error);
  if (text.startsWith("HPE_")) return { failure: "closed", detail: `the answer is not HTTP: ${text}` };
  if (/socket hang up|closed the connection|EPIPE|premature/i.test(text)) {
    return {
      failure: "closed",
      detail: "the server closed the connection without an answer",
    };
  }
  const kind = dialFailureKind(text);
  if (kind === null || kind === "denied" || kind === "missing") return { failure: "closed", detail: text };
  return { failure: kind, detail: text };
}

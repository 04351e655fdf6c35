import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import { createHostDirectory } from "../../src/hosts/directory.ts";
import type { ProbeRequest } from "../../src/ports.ts";
import { startFakeSshd } from "./fake-sshd.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let certificate: { key: Buffer; cert: Buffer };
const folder = mkdtempSync(join(tmpdir(), "room137-cert-"));
beforeAll(() => {
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const args = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=db.test",
    "-addext",
    "subjectAltName=DNS:db.test",
  ];
  execFileSync("openssl", [...args, "-keyout", key, "-out", cert], { stdio: "ignore" });
  certificate = { key: readFileSync(key), cert: readFileSync(cert) };
});
afterAll(() => rmSync(folder, { recursive: true }));

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const base = { name: "h", kernelLog: "none", labels: {}, remediateDockerSocket: null, dockerSocket: "/nope" } as const;

/** The same probes from this machine and through SSH: the answers must not differ. */
const ways = {
  local: async () => ({ ...base, local: true as const }),
  ssh: async (forwarding = true) => {
    const sshd = await startFakeSshd({ forwarding });
    closing.push(sshd.stop);
    const { host: _, ...target } = sshd.target;
    return { ...base, ...target, local: false as const, remediateIdentityFile: null, remediateUser: null };
  },
};

async function probe(way: keyof typeof ways, request: ProbeRequest, forwarding = true) {
  const directory = createHostDirectory({ hosts: [await ways[way](forwarding)], clock: { nowMs: () => 0 } });
  closing.push(directory.close);
  return (await directory.reader("h")).probe(request);
}

const get = (port: number, more: Partial<Extract<ProbeRequest, { probe: "http" }>> = {}): ProbeRequest => ({
  probe: "http",
  address: "127.0.0.1",
  port,
  path: "/items",
  hostHeader: null,
  tls: false,
  expect: 200,
  ...more,
});

describe.each(["local", "ssh"] as const)("a probe (%s)", (way) => {
  it("reports status, headers and the start of the body, and follows no redirect", async () => {
    const asked: string[] = [];
    const port = await listen(
      http.createServer((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.host}`);
        response.writeHead(302, { Location: "/else", "X-A": "b" }).end("x".repeat(100_000));
      }),
    );
    const result = await probe(way, get(port));
    expect(result).toMatchObject({
      failure: null,
      httpStatus: 302,
      unavailable: null,
      read: `http 127.0.0.1:${port}/items`,
    });
    expect(result.headers["x-a"]).toBe("b");
    expect(result.body.length).toBe(limits.probeBodyBytes);
    expect(asked).toEqual([`GET /items 127.0.0.1:${port}`]);
  });

  it("tells that a server closes without an answer", async () => {
    const port = await listen(createServer((socket) => socket.once("data", () => socket.end())));
    expect(await probe(way, get(port))).toMatchObject({ failure: "closed", httpStatus: null });
  });

  it("tells that what answers is not HTTP", async () => {
    const port = await listen(createServer((socket) => void socket.write("SSH-2.0-x\r\n")));
    expect(await probe(way, get(port))).toMatchObject({
      failure: "closed",
      detail: expect.stringContaining("not HTTP"),
    });
  });

  it("shows a certificate and what is wrong with it", async () => {
    const port = await listen(https.createServer(certificate, (_request, response) => response.end("ok")));
    const request = { probe: "tls", address: "127.0.0.1", port, serverName: "db.test", startTls: null } as const;
    expect(await probe(way, request)).toMatchObject({
      failure: null,
      certificate: {
        subject: "CN=db.test",
        altNames: ["DNS:db.test"],
        selfSigned: true,
        verifyError: "DEPTH_ZERO_SELF_SIGNED_CERT",
      },
    });
    expect(await probe(way, get(port, { tls: true, hostHeader: "db.test" }))).toMatchObject({
      httpStatus: 200,
      certificate: { selfSigned: true },
    });
  });

  it("tells that what answers is not TLS", async () => {
    const port = await listen(http.createServer());
    expect(
      await probe(way, { probe: "tls", address: "127.0.0.1", port, serverName: null, startTls: null }),
    ).toMatchObject({ failure: "tls", certificate: null });
  });

  it("asks Postgres for TLS first", async () => {
    const secure = (socket: Socket) =>
      void new tls.TLSSocket(socket, { isServer: true, ...certificate }).on("error", () => {});
    const answering = (letter: string) =>
      createServer((socket) =>
        socket.once("data", (bytes) => {
          if (bytes.equals(Buffer.from("0000000804d2162f", "hex")))
            socket.write(letter, () => letter === "S" && secure(socket));
        }),
      );
    const request = { probe: "tls", address: "127.0.0.1", serverName: null, startTls: "postgres" } as const;
    expect(await probe(way, { ...request, port: await listen(answering("S")) })).toMatchObject({
      failure: null,
      certificate: { subject: "CN=db.test" },
    });
    expect(await probe(way, { ...request, port: await listen(answering("N")) })).toMatchObject({
      failure: "tls",
      certificate: null,
    });
  });

  it("does not send what is no path or address", async () => {
    expect(await probe(way, get(80, { path: "/a b" }))).toMatchObject({ unavailable: { code: "malformed" } });
    expect(await probe(way, get(0))).toMatchObject({ unavailable: { code: "malformed" } });
    expect(await probe(way, get(80, { address: "a b" }))).toMatchObject({ unavailable: { code: "malformed" } });
  });
});

describe("a connection that is not made", () => {
  it("tells refused from a name that does not exist", async () => {
    const port = await listen(createServer());
    await closing.pop()?.();
    expect(await probe("local", { probe: "tcp", address: "127.0.0.1", port })).toMatchObject({ failure: "refused" });
    expect(await probe("local", { probe: "tcp", address: "nobody.invalid", port: 80 })).toMatchObject({
      failure: "dns",
    });
  });

  it("says nothing about the far end where the server forbids forwarding", async () => {
    expect(await probe("ssh", { probe: "tcp", address: "127.0.0.1", port: 1 }, false)).toMatchObject({
      failure: null,
      unavailable: { code: "permission-denied", fix: expect.stringContaining("AllowTcpForwarding") },
    });
  });
});

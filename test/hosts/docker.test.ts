import { afterEach, describe, expect, it } from "vitest";
import type { HostConfig } from "../../src/config/hosts.ts";
import { limits } from "../../src/core/limits.ts";
import { createHostDirectory } from "../../src/hosts/directory.ts";
import { dockerPath } from "../../src/hosts/docker.ts";
import type { HostReader } from "../../src/ports.ts";
import { type Answer, json, startFakeEngine } from "./fake-engine.ts";
import { type FakeSshdOptions, startFakeSshd } from "./fake-sshd.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const base = { name: "prod-1", kernelLog: "auto", labels: {}, remediateDockerSocket: null } as const;

async function open(config: HostConfig): Promise<HostReader> {
  const directory = createHostDirectory({ hosts: [config], clock: { nowMs: () => 0 } });
  closing.push(directory.close);
  return directory.reader("prod-1");
}

async function engineWith(answer: Answer) {
  const engine = await startFakeEngine(answer);
  closing.push(engine.stop);
  return engine;
}

async function local(answer: Answer) {
  const engine = await engineWith(answer);
  return { engine, reader: await open({ ...base, local: true, dockerSocket: engine.socketPath }) };
}

async function overSsh(answer: Answer, options: FakeSshdOptions = {}) {
  const engine = await engineWith(answer);
  const sshd = await startFakeSshd(options);
  closing.push(sshd.stop);
  const { host: _, ...target } = sshd.target;
  const config: HostConfig = {
    ...base,
    ...target,
    local: false,
    remediateIdentityFile: null,
    remediateUser: null,
    dockerSocket: engine.socketPath,
  };
  return { engine, sshd, reader: await open(config) };
}

const ok: Answer = (request, response) => json(response, 200, { path: request.path });

describe("a request path", () => {
  it("is fixed for every read", () => {
    const id = "web";
    expect([
      dockerPath({ read: "list" }),
      dockerPath({ read: "inspect", id }),
      dockerPath({ read: "logs", id, tail: 100, sinceMs: 1_700_000_000_123, untilMs: null }),
      dockerPath({ read: "events", sinceMs: 1_500, untilMs: 2_000 }),
      dockerPath({ read: "stats", id }),
      dockerPath({ read: "image", id: "sha256:abc" }),
      dockerPath({ read: "network", id: "shop_default" }),
    ]).toEqual([
      "/containers/json?all=1",
      "/containers/web/json",
      "/containers/web/logs?stdout=1&stderr=1&timestamps=1&tail=100&since=1700000000.123000000",
      "/events?since=1.500000000&until=2.000000000",
      "/containers/web/stats?stream=false&one-shot=true",
      "/images/sha256:abc/json",
      "/networks/shop_default",
    ]);
  });

  it("takes files of a container only from the places where a proxy keeps its configuration", () => {
    const path = "/etc/nginx/conf.d";
    expect(dockerPath({ read: "archive", id: "web", path })).toBe("/containers/web/archive?path=/etc/nginx/conf.d");
    for (const other of ["/etc/shadow", "/", "/etc/nginx/conf.d/../../shadow", "/etc/nginx/nginx.conf&path=/etc"])
      expect(dockerPath({ read: "archive", id: "web", path: other as typeof path })).toBeNull();
  });

  it.each(["", "../info", "a/../b", "a b", "a?b", "a#b", "a%2f", "-a", "a\r\nX: y"])("is not made of %j", (id) => {
    expect(dockerPath({ read: "inspect", id })).toBeNull();
  });
});

describe("a read of the engine", () => {
  it("hands back the answer as it came, whatever its status", async () => {
    const { reader } = await local((request, response) =>
      json(response, request.path === "/info" ? 200 : 404, { a: 1 }),
    );
    expect(await reader.docker({ read: "info" })).toMatchObject({
      ok: true,
      status: 200,
      body: Buffer.from('{"a":1}'),
      truncated: false,
    });
    expect(await reader.docker({ read: "inspect", id: "x" })).toMatchObject({
      ok: true,
      status: 404,
      read: "GET /containers/x/json",
    });
  });

  it("keeps one connection for reads that follow each other", async () => {
    const { reader, engine } = await local(ok);
    for (let index = 0; index < 10; index += 1) await reader.docker({ read: "info" });
    expect(engine.connections()).toBe(1);
  });

  it("uses a bounded number of connections for reads at the same time", async () => {
    const { reader, engine } = await local(ok);
    await Promise.all(Array.from({ length: 50 }, () => reader.docker({ read: "info" })));
    expect(engine.connections()).toBeLessThanOrEqual(limits.dockerSockets);
  });

  it("cuts an answer that does not end", async () => {
    const { reader } = await local((_request, response) => {
      response.writeHead(200);
      const flood = () => {
        while (response.writable && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", flood);
      flood();
    });
    const reply = await reader.docker({ read: "logs", id: "web", tail: 10, sinceMs: null, untilMs: null });
    expect(reply).toMatchObject({ ok: true, truncated: true });
    if (reply.ok) expect(reply.body.length).toBe(limits.logBytes);
  });

  it("is sent again once when a kept connection closes under it", async () => {
    let first = true;
    const { reader, engine } = await local((request, response) => {
      if (request.path === "/version" && first) {
        first = false;
        response.destroy();
      } else json(response, 200, {});
    });
    await reader.docker({ read: "info" });
    expect(await reader.docker({ read: "version" })).toMatchObject({ ok: true });
    expect(engine.seen.map((request) => request.path)).toEqual(["/info", "/version", "/version"]);
  });

  it("is not sent for ever to an engine that always hangs up", async () => {
    const { reader, engine } = await local((_request, response) => response.destroy());
    expect(await reader.docker({ read: "info" })).toMatchObject({ ok: false, code: "unreachable" });
    expect(engine.seen).toHaveLength(2);
  });

  it("ends when its asker gives up", async () => {
    const stop = new AbortController();
    const { reader } = await local(() => stop.abort());
    expect(await reader.docker({ read: "info" }, stop.signal)).toMatchObject({ ok: false, code: "failed" });
  });

  it("asks for the process list again without columns where ps knows none", async () => {
    const { reader, engine } = await local((request, response) =>
      json(response, request.path.includes("ps_args") ? 500 : 200, {}),
    );
    expect(await reader.docker({ read: "top", id: "web" })).toMatchObject({ ok: true, status: 200 });
    expect(engine.seen.at(-1)?.path).toBe("/containers/web/top");
  });

  it("asks Podman for the past without an end, and for processes as they are seen from outside", async () => {
    const { reader, engine } = await local((_request, response) => {
      response.setHeader("Libpod-Api-Version", "4.3.1");
      json(response, 200, {});
    });
    await reader.docker({ read: "top", id: "web" });
    await reader.docker({ read: "events", sinceMs: 1_000, untilMs: 2_000 });
    expect(engine.seen.map((request) => request.path)).toEqual([
      "/version",
      "/containers/web/top?ps_args=hpid%2Chuser%2Cstate%2Crss%2Cetime%2Ctime%2Ccomm%2Cargs",
      "/events?stream=false&since=1.000000000",
    ]);
  });

  it("asks again for the past where it learns only from the answer that this is Podman", async () => {
    const { reader, engine } = await local((request, response) => {
      response.setHeader("Libpod-Api-Version", "4.3.1");
      json(response, 200, { path: request.path });
    });
    const reply = await reader.docker({ read: "events", sinceMs: 1_000, untilMs: 2_000 });
    expect(reply.ok && reply.body.toString()).toContain("stream=false");
    expect(engine.seen).toHaveLength(2);
  });

  it("tells a missing and a dead socket apart, each with its cure", async () => {
    const missing = await open({ ...base, local: true, dockerSocket: "/nope/docker.sock" });
    expect(await missing.docker({ read: "info" })).toMatchObject({
      ok: false,
      code: "unreachable",
      reason: "there is no Docker socket at /nope/docker.sock on prod-1",
      fix: expect.stringContaining("systemctl start docker"),
    });
  });

  it("is never anything but a GET", async () => {
    const { reader, engine } = await local(ok);
    for (const read of ["version", "info", "list", "networks", "volumes"] as const) await reader.docker({ read });
    for (const read of ["inspect", "stats", "top", "changes", "network", "image"] as const)
      await reader.docker({ read, id: "x" });
    expect(new Set(engine.seen.map((request) => request.method))).toEqual(new Set(["GET"]));
  });
});

describe("the engine behind SSH", () => {
  it("is reached by forwarding its socket, on one connection and without a session", async () => {
    const { reader, sshd } = await overSsh(ok, { maxSessions: 0 });
    const replies = await Promise.all(Array.from({ length: 20 }, () => reader.docker({ read: "info" })));
    expect(replies.every((reply) => reply.ok)).toBe(true);
    expect(sshd.counts).toMatchObject({ connections: 1, mostSessions: 0 });
  });

  it("is read again over a new connection when the connection dies under the read", async () => {
    let first = true;
    const { reader, sshd } = await overSsh((_request, response) => {
      if (first) {
        first = false;
        sshd.dropConnections();
      } else json(response, 200, {});
    });
    expect(await reader.docker({ read: "info" })).toMatchObject({ ok: true });
    expect(sshd.counts.connections).toBe(2);
  });

  it("is told apart from a server that forbids forwarding and has no docker command", async () => {
    const exec: NonNullable<FakeSshdOptions["exec"]> = (command, channel) => {
      if (command.startsWith("docker")) channel.stderr.write("sh: 1: docker: not found");
      channel.exit(command.startsWith("docker") ? 127 : 0);
      channel.end();
    };
    const { reader } = await overSsh(ok, { forwarding: false, exec });
    expect(await reader.docker({ read: "info" })).toMatchObject({
      ok: false,
      code: "permission-denied",
      fix: expect.stringContaining("AllowStreamLocalForwarding"),
    });
  });

  it.each([
    [
      "permission denied while trying to connect to the Docker daemon socket",
      "permission-denied",
      "usermod -aG docker room137",
    ],
    [
      "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
      "unreachable",
      "systemctl start docker",
    ],
  ])("is explained by what the docker command says: %s", async (said, code, fix) => {
    const exec: NonNullable<FakeSshdOptions["exec"]> = (_command, channel) => {
      channel.stderr.write(said);
      channel.exit(1);
      channel.end();
    };
    const { reader } = await overSsh(ok, { forwarding: false, exec });
    expect(await reader.docker({ read: "info" })).toMatchObject({ ok: false, code, fix: expect.stringContaining(fix) });
  });
});

describe("following events", () => {
  it("gives whole lines however they arrive, and ends when told", async () => {
    const { reader } = await local((_request, response) => {
      response.writeHead(200);
      response.write('{"a":1}\n{"b"');
      response.write(":2}\n\n{");
      response.write('"c":3}\n');
    });
    const stop = new AbortController();
    const lines: string[] = [];
    await reader.followEvents(
      0,
      (line) => {
        lines.push(line.toString());
        if (lines.length === 3) stop.abort();
      },
      stop.signal,
    );
    expect(lines).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
  });

  it.each([
    ["the engine ends the stream", ((_request, response) => response.writeHead(200).end("{}\n")) as Answer],
    [
      "the connection dies",
      ((_request, response) => {
        response.writeHead(200).write("{}\n", () => response.destroy());
      }) as Answer,
    ],
    ["the engine refuses", ((_request, response) => json(response, 403, {})) as Answer],
    [
      "a line does not end",
      ((_request, response) => {
        response.writeHead(200).write(Buffer.alloc(limits.eventLineBytes + 1, 120));
      }) as Answer,
    ],
  ])("is rejected when %s", async (_what, answer) => {
    const { reader } = await local(answer);
    await expect(reader.followEvents(0, () => {}, new AbortController().signal)).rejects.toMatchObject({
      code: "read-failed",
    });
  });
});

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runCli, type Terminal } from "../src/cli.ts";
import { createCommands } from "../src/commands.ts";
import { limits } from "../src/core/limits.ts";
import { proxyConfigPaths } from "../src/core/proxy-kind.ts";
import { commandForm, shellLine } from "../src/hosts/commands.ts";
import { dockerPath, podmanPath } from "../src/hosts/docker.ts";
import type { DockerRead, ReadCommand } from "../src/ports.ts";

const root = join(import.meta.dirname, "..");
const text = (path: string) => readFileSync(join(root, path), "utf8");

describe("the Dockerfile", () => {
  const lines = text("Dockerfile")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `));

  it("runs as nobody in particular, is asked for its health, and fetches nothing but locked packages", () => {
    expect(of("USER").at(-1)).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
    expect(of("HEALTHCHECK")).toHaveLength(1);
    expect(of("HEALTHCHECK").join()).toContain("/healthz");
    expect(of("ADD")).toEqual([]);
    expect(lines.filter((line) => /curl|wget|https?:\/\/(?!127\.0\.0\.1)/.test(line))).toEqual([]);
    expect(of("RUN").join()).toMatch(/npm ci --omit=dev --ignore-scripts/);
    expect(of("ENTRYPOINT")).toEqual(['ENTRYPOINT ["node", "/app/bin/room137.js"]']);
  });

  it("takes into the image what is there, and the program's own Node line", () => {
    const major = /^>=(\d+)|^(\d+)/.exec(JSON.parse(text("package.json")).devDependencies.node)?.[2];
    expect(of("FROM")).toEqual([`FROM node:${major}-slim`]);
    for (const copied of of("COPY")) {
      const sources = copied.split(" ").slice(1, -1);
      for (const source of sources) {
        expect(existsSync(join(root, source)), source).toBe(true);
        expect(text(".dockerignore").split("\n"), source).toContain(`!${source.replace(/^\.\//, "")}`);
      }
    }
  });
});

describe("the compose file", () => {
  const { services } = parse(text("manifests/compose.yaml"), { merge: true }) as {
    services: Record<string, Record<string, unknown>>;
  };

  it("is clean by our own lint", async () => {
    const printed: string[] = [];
    const terminal: Terminal = {
      print: (line) => printed.push(line),
      complain: (line) => printed.push(line),
      version: "test",
    };
    const world = { env: {}, readFile: () => null };
    const style = { color: false, width: 80 };
    const unused = async () => 0;
    const commands = createCommands({ world, terminal, style, stdin: process.stdin, start: unused, drill: unused });
    expect(await runCli(["lint", join(root, "manifests/compose.yaml")], commands, terminal), printed.join("\n")).toBe(
      0,
    );
  });

  it("gives nobody more than is needed", () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        pids_limit: expect.any(Number),
        mem_limit: expect.any(String),
        ulimits: { core: 0 },
      });
      expect(service["privileged"] ?? false, name).toBe(false);
      expect(JSON.stringify(service["volumes"]), name).not.toContain("docker.sock");
    }
    expect(Object.values(services).flatMap((service) => (service["ports"] as string[] | undefined) ?? [])).toEqual([
      "127.0.0.1:1370:1370",
    ]);
  });

  it("holds no secret, and refuses to start without one", () => {
    const set = Object.values(services).flatMap((service) => Object.entries(service["environment"] as object));
    const secret = set.filter(([name]) => /TOKEN|PASSWORD|SECRET|DATABASE_URL/.test(name));
    expect(secret.length).toBeGreaterThan(3);
    expect(secret.filter(([, value]) => !/\$\{[A-Z_]+:\?/.test(String(value)))).toEqual([]);
  });
});

describe("the host set-up", () => {
  const filter = text("manifests/host-setup/docker-filter.cfg");
  const script = text("manifests/host-setup/room137-read");

  it("lets through every request that room137 reads with", () => {
    const id = "0".repeat(64);
    const reads: DockerRead[] = [
      { read: "version" },
      { read: "info" },
      { read: "list" },
      { read: "inspect", id },
      { read: "logs", id, tail: 10, sinceMs: 1, untilMs: 2 },
      { read: "events", sinceMs: 1, untilMs: 2 },
      { read: "stats", id },
      { read: "top", id },
      { read: "changes", id },
      { read: "networks" },
      { read: "network", id },
      { read: "image", id: `sha256:${id}` },
      { read: "volumes" },
      { read: "usage" },
      ...Object.values(proxyConfigPaths)
        .flat()
        .map((path): DockerRead => ({ read: "archive", id, path })),
    ];
    const reading = filter.slice(filter.indexOf("frontend docker-read"), filter.indexOf("frontend docker-act"));
    const words = (pattern: RegExp) => [...reading.matchAll(pattern)].map((match) => match[1] ?? "");
    const exact = words(/acl listed path (.*)/g).flatMap((list) => list.split(" "));
    const patterns = words(/acl (?:listed|top|archive) path_reg (.*)/g).map((pattern) => new RegExp(pattern));
    const proxied = words(/acl proxied query (.*)/g).flatMap((list) => list.split(" "));
    expect(proxied).toHaveLength(reads.filter((read) => read.read === "archive").length);
    for (const read of reads) {
      const [path = "", query = ""] = (dockerPath(read) ?? "").split("?");
      expect(exact.includes(path) || patterns.some((pattern) => pattern.test(path)), path).toBe(true);
      if (read.read === "archive") expect(proxied).toContain(query);
      if (read.read === "top") {
        const podmans = (podmanPath(read) ?? "").split("?")[1];
        expect(words(/acl columns query (.*)/g)).toEqual([query, podmans]);
      }
    }
  });

  // Seen on Debian 12: HAProxy 2.6 opens a UDP socket to the host's name server, and the unit allows Unix sockets only.
  it("keeps HAProxy from making a resolver of its own out of the host's settings", () => {
    expect(filter).toMatch(/^resolvers default$/m);
    expect(text("manifests/host-setup/room137-docker-filter.service")).toContain("RestrictAddressFamilies=AF_UNIX\n");
  });

  it("knows every command that room137 sends, and the sudoers line exactly the two that need root", () => {
    const commands: ReadCommand[] = [
      ...(["dmesg", "sudo-dmesg", "journalctl", "sudo-journalctl"] as const).map((via) => ({
        command: "kernel-log" as const,
        via,
      })),
      { command: "disk" },
      { command: "inodes" },
      { command: "clock" },
      { command: "processes" },
    ];
    for (const line of commands.flatMap((command) => commandForm(command).argvs.map(shellLine)))
      expect(script).toContain(`'${line}')`);
    expect(script).toContain(`'head -v -c ${limits.fileBytes} -- '`);
    const sudoers =
      text("manifests/host-setup/setup.sh")
        .match(/NOPASSWD: .*/g)
        ?.join() ?? "";
    expect(sudoers).toContain(`$dmesg \\"\\", $journalctl -k -o short-unix --no-pager -n ${limits.journalLines}"`);
  });
});

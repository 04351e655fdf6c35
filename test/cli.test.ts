import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "room137-cli-"));
const samples = process.env["ROOM137_OOM_SAMPLES"] ?? join(root, "../shared/oom-samples");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** The program as a person runs it. */
function room137(args: string[], more: { env?: Record<string, string>; stdin?: string } = {}): Promise<Ran> {
  const env = { PATH: process.env["PATH"] ?? "", ROOM137_DATABASE_URL: `file:${join(folder, "cli.db")}`, ...more.env };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, "bin/room137.js"), ...args],
      { env, cwd: folder },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    child.stdin?.end(more.stdin ?? "");
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("exit codes and streams of the terminal", () => {
  it.each([
    [["nonsense"], /unknown command 'nonsense'/],
    [["why-500"], /missing required argument 'service'/],
    [[], /no command was given after "room137"; see room137 --help/],
    [["timeline"], /no command was given after "room137 timeline"; see/],
    [["kernel-log", "missing.txt"], /reading missing\.txt: ENOENT/],
    [["timeline", "export", "i-1", "--format", "pdf"], /no export format pdf; use one of md, html, json, csv/],
    [["audit", "verify", "--head", "x"], /not <position>:<hash>/],
  ])("%j is refused with 2 and one line that says what to do", async (args, line) => {
    const { code, stdout, stderr } = await room137(args);
    expect({ code, stdout, lines: stderr.trim().split("\n").length }).toEqual({ code: 2, stdout: "", lines: 1 });
    expect(stderr).toMatch(line);
  });

  it("names line, column and the key that was meant in a wrong config", async () => {
    const config = file("wrong.yaml", "hosts:\n  - name: prod-1\n    adress: 10.0.0.5\n");
    const { code, stderr } = await room137(["hosts", "list"], { env: { ROOM137_CONFIG: config } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:3:5: .*did you mean "address"/);
  });

  it("answers 3 when nothing could be reached", async () => {
    const config = file(
      "far.yaml",
      "hosts:\n  - { name: far, local: true, dockerSocket: /nowhere/docker.sock, kernelLog: none }\n",
    );
    const { code, stderr } = await room137(["guardrails", "--json"], { env: { ROOM137_CONFIG: config } });
    expect([0, 3]).toContain(code);
    const ssh = file(
      "ssh.yaml",
      'hosts:\n  - { name: far, address: 127.0.0.1, port: 1, user: nobody, identityFile: /nowhere/key, hostKey: "SHA256:ZlP0MdqFxulKnK9E2fBunUA2f/weFNaPupjRl6DBqYU" }\n',
    );
    const unreachable = await room137(["why-500", "web", "--json"], { env: { ROOM137_CONFIG: ssh } });
    expect({ code: unreachable.code, stdout: unreachable.stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr + unreachable.stderr).toMatch(/far/);
  });

  it("lints compose files: 1 on an error, 0 without", async () => {
    const tight = file("tight.yaml", "services:\n  db:\n    image: postgres:16\n    mem_limit: 256m\n");
    const found = await room137(["lint", tight, "--json"]);
    expect(found.code).toBe(1);
    expect(JSON.parse(found.stdout).findings[0]).toMatchObject({
      file: tight,
      line: 2,
      service: "db",
      rule: "memory-floor",
      level: "error",
    });
    const roomy = file(
      "roomy.yaml",
      "services:\n  db:\n    image: postgres:16\n    mem_limit: 2g\n    restart: unless-stopped\n",
    );
    expect((await room137(["lint", roomy])).code).toBe(0);
  });

  it("says who was OOM-killed, from a file or standard input, with exactly the contract's keys", async () => {
    const sample = join(samples, readdirSync(samples).find((name) => name.endsWith("lxc-nested-docker.txt")) ?? "");
    const { code, stdout } = await room137(["kernel-log", sample, "--json"]);
    const answer = JSON.parse(stdout);
    expect({
      code,
      version: answer.schemaVersion,
      process: answer.kills[0].process,
      limit: answer.kills[0].limitedCgroup,
    }).toEqual({ code: 0, version: 1, process: "php-fpm", limit: "/lxc/39004" });
    expect(Object.keys(answer.kills[0])).toEqual([
      "pid",
      "process",
      "scope",
      "containerId",
      "limitedCgroup",
      "totalVmKb",
      "anonRssKb",
      "fileRssKb",
      "shmemRssKb",
      "uid",
      "oomScoreAdj",
      "triggeredBy",
      "timestamp",
      "confirmed",
    ]);
    expect(
      JSON.parse(
        (await room137(["kernel-log", "-", "--json"], { stdin: "java.lang.OutOfMemoryError: Java heap space\n" }))
          .stdout,
      ),
    ).toEqual({ schemaVersion: 1, kills: [] });
  });

  it("verifies an empty chain and lists no incident", async () => {
    expect(await room137(["audit", "verify"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("the chain is whole: 0 rows"),
    });
    expect(JSON.parse((await room137(["timeline", "list", "--json"])).stdout)).toEqual({
      schemaVersion: 1,
      incidents: [],
    });
  });
});

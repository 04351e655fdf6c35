import { afterEach, describe, expect, it } from "vitest";
import type { HostConfig } from "../../src/config/hosts.ts";
import { limits } from "../../src/core/limits.ts";
import { createHostDirectory } from "../../src/hosts/directory.ts";
import { startFakeSshd } from "./fake-sshd.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Said {
  stdout?: string;
  stderr?: string;
  exitCode?: number;
}

async function host(answer: (command: string) => Said) {
  const sshd = await startFakeSshd({
    exec: (command, channel) => {
      const { stdout = "", stderr = "", exitCode = 0 } = answer(command);
      channel.write(stdout);
      channel.stderr.write(stderr);
      channel.exit(exitCode);
      channel.end();
    },
  });
  closing.push(sshd.stop);
  const { host: _, ...target } = sshd.target;
  const config: HostConfig = {
    name: "prod-1",
    ...target,
    local: false,
    kernelLog: "auto",
    labels: { env: "prod" },
    dockerSocket: "/nope",
    remediateDockerSocket: null,
    remediateIdentityFile: null,
    remediateUser: null,
  };
  const directory = createHostDirectory({ hosts: [config], clock: { nowMs: () => 0 } });
  closing.push(directory.close);
  return { sshd, directory, reader: await directory.reader("prod-1") };
}

describe("a command on a host with BusyBox", () => {
  it.each([
    [
      "processes",
      "ps: bad -o argument 'wchan:32', supported arguments: user,group,comm",
      "ps -o pid,ppid,user,stat,rss,etime,time,comm,args",
    ],
    ["disk", "df: invalid option -- 'T'", "df -Pk"],
  ] as const)("falls back on what its %s know", async (command, stderr, line) => {
    const { reader, sshd } = await host((asked) =>
      asked.endsWith(line) ? { stdout: "rows" } : { stderr, exitCode: 1 },
    );
    expect(await reader.run({ command })).toMatchObject({ ok: true, exitCode: 0, stdout: Buffer.from("rows") });
    expect(sshd.commands.filter((command) => command !== "exec sh")).toHaveLength(2);
  });
});

describe("the kernel log", () => {
  it.each([
    [
      "dmesg",
      { stderr: "dmesg: read kernel buffer failed: Operation not permitted", exitCode: 1 },
      "permission-denied",
      "systemd-journal",
    ],
    ["sudo-dmesg", { stderr: "sudo: a password is required", exitCode: 1 }, "permission-denied", "sudoers"],
    [
      "journalctl",
      {
        stderr: "Hint: You are currently not seeing messages from other users and the system.",
        stdout: "-- No entries --\n",
      },
      "permission-denied",
      "usermod -aG systemd-journal room137",
    ],
    ["journalctl", { stderr: "sh: 1: journalctl: not found", exitCode: 127 }, "unsupported", null],
    ["sudo-journalctl", { stderr: "something else", exitCode: 4 }, "failed", null],
  ] as const)("read with %s that may not is a failure, never an empty log: %j", async (via, said, code, fix) => {
    const { reader } = await host(() => said);
    expect(await reader.run({ command: "kernel-log", via })).toMatchObject({
      ok: false,
      code,
      fix: fix === null ? null : expect.stringContaining(fix),
    });
    expect(reader.kernelLog).toBe("auto");
  });

  it("that has lines is the log, with the hint beside it", async () => {
    const { reader } = await host(() => ({
      stdout: "1.5 h kernel: x\n",
      stderr: "Hint: You are currently not seeing messages from other users",
    }));
    expect(await reader.run({ command: "kernel-log", via: "journalctl" })).toMatchObject({ ok: true });
  });

  it("remembers which way worked, until it no longer does", async () => {
    let works = true;
    const { reader } = await host(() =>
      works ? { stdout: "[1.0] x\n" } : { stderr: "Operation not permitted", exitCode: 1 },
    );
    await reader.run({ command: "kernel-log", via: "sudo-dmesg" });
    expect(reader.kernelLog).toBe("sudo-dmesg");
    works = false;
    await reader.run({ command: "kernel-log", via: "sudo-dmesg" });
    expect(reader.kernelLog).toBe("auto");
  });
});

describe("the directory", () => {
  it("says how long connecting took, and 0 for a kept connection", async () => {
    const { directory } = await host(() => ({}));
    expect(directory.lastConnectMs("prod-1")).toBeGreaterThan(0);
    await directory.reader("prod-1");
    expect(directory.lastConnectMs("prod-1")).toBe(0);
    expect(directory.labels("prod-1")).toEqual({ env: "prod" });
  });

  it("adds, replaces and removes hosts", async () => {
    const { directory } = await host(() => ({}));
    await directory.put({
      name: "l",
      local: true,
      dockerSocket: "/nope",
      remediateDockerSocket: null,
      kernelLog: "none",
      labels: {},
    });
    expect(directory.names()).toEqual(["prod-1", "l"]);
    await directory.remove("prod-1");
    expect(directory.names()).toEqual(["l"]);
    await expect(directory.reader("prod-1")).rejects.toMatchObject({ code: "host-unreachable" });
  });
});

describe("files of this machine", () => {
  it("come in the form that head prints, missing ones left out", async () => {
    const local: HostConfig = {
      name: "l",
      local: true,
      dockerSocket: "/nope",
      remediateDockerSocket: null,
      kernelLog: "none",
      labels: {},
    };
    const directory = createHostDirectory({ hosts: [local], clock: { nowMs: () => 0 } });
    const reader = await directory.reader("l");
    const output = await reader.run({
      command: "files",
      paths: ["/proc/nothing", "/proc/sys/kernel/ostype", "/proc/sys/kernel/pid_max"],
    });
    if (!output.ok) throw new Error(output.reason);
    expect(output.stdout.toString()).toMatch(
      /^==> \/proc\/sys\/kernel\/ostype <==\nLinux\n\n==> \/proc\/sys\/kernel\/pid_max <==\n\d+\n$/,
    );
    expect(output.stderr.toString()).toContain("cannot open '/proc/nothing' for reading: No such file or directory");
    const big = await reader.run({ command: "files", paths: ["/proc/self/smaps"] });
    if (!big.ok) throw new Error(big.reason);
    expect(big.stdout.length).toBeLessThanOrEqual(limits.fileBytes + 100);
  });
});

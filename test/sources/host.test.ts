import { describe, expect, it } from "vitest";
import type { PlannedRead } from "../../src/core/reads.ts";
import type { ReadCommand } from "../../src/ports.ts";
import { cgroup, parseMembership } from "../../src/sources/cgroup.ts";
import { cgroupFilePaths, parseCgroup } from "../../src/sources/cgroup-files.ts";
import { parseFiles } from "../../src/sources/files.ts";
import { parseClock } from "../../src/sources/host-clock.ts";
import { parseDisk } from "../../src/sources/host-disk.ts";
import { hostFacts } from "../../src/sources/host-facts.ts";
import { kernelLog } from "../../src/sources/kernel-log.ts";
import { processFacts } from "../../src/sources/process-facts.ts";
import { parseProcessTable, processRows } from "../../src/sources/process-table.ts";
import { parseSockets } from "../../src/sources/sockets.ts";
import { context, dbId, fakeReader, output, recorded, recordedJson } from "./recorded.ts";

const onHost = { host: "h", containerId: null } as const;
const pid = recordedJson("inspect-db.json").State.Pid as number;

describe("reading files", () => {
  it("lets no file pretend to be the next one", () => {
    const text = "==> /proc/a <==\none\n==> /proc/x <==\n\n==> /proc/b <==\ntwo\n";
    expect(parseFiles(text, ["/proc/a", "/proc/missing", "/proc/b"])).toEqual(
      new Map([
        ["/proc/a", "one\n==> /proc/x <==\n"],
        ["/proc/b", "two\n"],
      ]),
    );
  });
});

describe("reading host facts", () => {
  it("reads a real host, and leaves unknown what its kernel does not have", async () => {
    const reader = fakeReader({ run: () => output(recorded("host-files.txt").toString("utf8"), 1, "cannot open") });
    const reading = await hostFacts.read(reader, { ...onHost, source: "host-facts", args: null }, context());
    expect(reading).toMatchObject({
      outcome: {
        status: "ok",
        value: {
          cpus: 2,
          memoryTotalBytes: 25_276_510_208,
          dmesgRestrict: true,
          localPortRange: { first: 32_768, last: 60_999 },
          pressure: { cpu: { someAvg10: expect.any(Number) } },
          oomKillsSinceBoot: expect.any(Number),
          mounts: [],
        },
      },
    });
  });

  it("fails when no file could be read", async () => {
    const reader = fakeReader({ run: () => output("", 1, "head: cannot open: Permission denied") });
    const reading = await hostFacts.read(reader, { ...onHost, source: "host-facts", args: null }, context());
    expect(reading).toMatchObject({ outcome: { status: "failed", code: "permission-denied" } });
  });

  it("merges bytes and inodes by mount, with blanks in names and file systems without inodes", () => {
    const disk =
      "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/a ext4 100 60 40 60% /data x\nproc proc 0 0 0 - /proc\n/dev/b btrfs 10 1 9 10% /b\n";
    const inodes = "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/a 50 50 0 100% /data x\n/dev/b 0 0 0 - /b\n";
    expect(parseDisk(disk, inodes)).toEqual([
      {
        device: "/dev/a",
        target: "/data x",
        type: "ext4",
        sizeBytes: 102_400,
        usedBytes: 61_440,
        availableBytes: 40_960,
        inodesTotal: 50,
        inodesUsed: 50,
        inodesFree: 0,
      },
      expect.objectContaining({ target: "/b", inodesTotal: null, inodesFree: null }),
    ]);
    expect(parseDisk(disk.replace(" Type", "").replace(/ (ext4|proc|btrfs) /g, " "), "")?.[0]).toMatchObject({
      target: "/data x",
      type: null,
      sizeBytes: 102_400,
    });
  });

  it("reads clocks with and without nanoseconds, and refuses nonsense", () => {
    expect(parseClock("1767225600.250000000\n", 8)).toMatchObject({
      value: { hostTimeMs: 1_767_225_600_250, roundTripMs: 8 },
    });
    expect(parseClock("1767225600.%N", 8)).toMatchObject({ value: { hostTimeMs: 1_767_225_600_000 } });
    expect(parseClock("date: invalid", 8)).toMatchObject({ status: "failed", code: "malformed" });
  });

  it("reads a process table with zombies and two command columns", () => {
    const table =
      "    PID    PPID   UID STAT   RSS ELAPSED     TIME WCHAN  COMMAND COMMAND\n 7 1 1000 Zs 0 61 0 - sh [sh] <defunct>\n";
    expect(parseProcessTable(table)).toEqual([
      {
        pid: 7,
        ppid: 1,
        uid: "1000",
        state: "Z",
        rssBytes: 0,
        elapsedS: 61,
        waitChannel: null,
        command: "sh",
        args: "[sh] <defunct>",
        cpuSeconds: 0,
      },
    ]);
  });

  it("reads Podman's own columns: the host's process ids, and times in words", () => {
    // Recorded on Podman 4.3.1: GET /containers/t2/top?ps_args=hpid,pid,ppid,huser,state,rss,etime,time,comm,args
    const titles = ["HPID", "PID", "PPID", "HUSER", "STATE", "RSS", "ELAPSED", "TIME", "COMMAND", "COMMAND"];
    const row = ["1391", "1", "0", "root", "S", "8956", "1h2m1.689178s", "0s", "python3", "python3 -c pass"];
    expect(processRows(titles, [row])).toMatchObject([
      { pid: 1391, uid: "root", state: "S", rssBytes: 8956 * 1024, elapsedS: 3721, cpuSeconds: 0, command: "python3" },
    ]);
  });
});

describe("reading the kernel log", () => {
  const read: PlannedRead<"kernel-log"> = { ...onHost, source: "kernel-log", args: { bootAtMs: 1_700_000_000_000 } };
  const killed = `[  100.500000] Memory cgroup out of memory: Killed process 77 (postgres) total-vm:10kB, anon-rss:8kB, file-rss:1kB, shmem-rss:0kB\n`;
  const via = (command: ReadCommand) => (command.command === "kernel-log" ? command.via : command.command);

  it("goes from one way to the next and dates the records by the boot time", async () => {
    const asked: string[] = [];
    const reader = fakeReader({
      run: (command) => {
        asked.push(via(command));
        if (via(command) === "dmesg") return output("", 1, "dmesg: read kernel buffer failed: Operation not permitted");
        if (via(command) === "sudo-dmesg") return output("", 1, "sudo: a password is required");
        return output(killed);
      },
    });
    expect(await kernelLog.read(reader, read, context())).toMatchObject({
      outcome: { status: "ok", value: { kills: [{ pid: 77, process: "postgres", atMs: 1_700_000_100_500 }] } },
    });
    expect(asked).toEqual(["dmesg", "sudo-dmesg", "journalctl"]);
  });

  it("takes no line at all for a missing right, never for a host without kills", async () => {
    const reader = fakeReader({ kernelLog: "journalctl", run: () => output("-- No entries --\n") });
    expect(await kernelLog.read(reader, read, context())).toMatchObject({
      outcome: { status: "failed", code: "permission-denied", fix: expect.stringContaining("systemd-journal") },
    });
  });

  it("reads nothing where the config forbids it, and finds the boot time itself where it is not given", async () => {
    const forbidden = fakeReader({ kernelLog: "none", run: () => Promise.reject(new Error("must not run")) });
    const args = { bootAtMs: 1 };
    expect(await kernelLog.read(forbidden, { ...read, args }, context())).toMatchObject({
      outcome: { code: "unsupported" },
    });
    const reader = fakeReader({
      run: (command) =>
        command.command === "files" ? output("==> /proc/stat <==\nbtime 1600000000\n") : output(killed),
    });
    expect(await kernelLog.read(reader, { ...read, args: { bootAtMs: null } }, context())).toMatchObject({
      outcome: { value: { kills: [{ atMs: 1_600_000_100_500 }] } },
    });
  });
});

describe("reading control groups", () => {
  const files = recorded("cgroup-files.txt").toString("utf8");
  const containers = [{ containerId: dbId, pid, cgroupParent: "" }];

  it("reads a guessed group in one command", async () => {
    let commands = 0;
    const reader = fakeReader({
      run: () => {
        commands++;
        return output(files, 1);
      },
    });
    const args = {
      version: 1,
      driver: "cgroupfs",
      containers: [...containers, { containerId: "e".repeat(64), pid: null, cgroupParent: "" }],
    } as const;
    const readings = await cgroup.read(
      reader,
      { ...onHost, source: "cgroup", args: { ...args, containers: [...args.containers] } },
      context(),
    );
    expect(readings).toMatchObject([
      {
        containerId: dbId,
        outcome: {
          value: {
            version: 1,
            memoryLimitBytes: 268_435_456,
            oomKills: 0,
            underOom: false,
            limitHits: 0,
            swapLimitBytes: 0,
          },
        },
      },
      { containerId: "e".repeat(64), outcome: { status: "empty" } },
    ]);
    expect(commands).toBe(1);
  });

  it("follows the process to the group where the guess is wrong", async () => {
    const asked: string[][] = [];
    const reader = fakeReader({
      run: (command) => {
        if (command.command === "files") asked.push(command.paths);
        const path = `/kubepods/pod1/${dbId}`;
        if (asked.length === 1) return output(`==> /proc/${pid}/cgroup <==\n0::${path}\n`, 1);
        return output(
          `==> /sys/fs/cgroup${path}/memory.max <==\nmax\n\n==> /sys/fs/cgroup${path}/memory.events <==\nlow 0\nmax 3\noom 2\noom_kill 1\n`,
          1,
        );
      },
    });
    const args = { version: 2, driver: "systemd", containers } as const;
    expect(
      await cgroup.read(reader, { ...onHost, source: "cgroup", args: { ...args, containers } }, context()),
    ).toMatchObject([
      {
        outcome: { value: { memoryLimitBytes: null, limitHits: 3, oomEvents: 2, oomKills: 1, memoryPeakBytes: null } },
      },
    ]);
    expect(asked[0]).toContain(`/sys/fs/cgroup/system.slice/docker-${dbId}.scope/memory.events`);
    expect(asked).toHaveLength(2);
  });

  it("reads the container's own group where its processes sit below it", async () => {
    const scope = `/machine.slice/libpod-${dbId}.scope`;
    const reader = fakeReader({
      run: (command) => {
        const asked = command.command === "files" && command.paths.includes(`/sys/fs/cgroup${scope}/memory.max`);
        if (!asked) return output(`==> /proc/${pid}/cgroup <==\n0::${scope}/container\n`, 1);
        return output(`==> /sys/fs/cgroup${scope}/memory.max <==\n67108864\n`, 0);
      },
    });
    const args = { version: 2, driver: "systemd", containers } as const;
    expect(
      await cgroup.read(reader, { ...onHost, source: "cgroup", args: { ...args, containers } }, context()),
    ).toMatchObject([{ outcome: { value: { path: scope, memoryLimitBytes: 67_108_864 } } }]);
  });

  it("reads version 2 figures of older and newer kernels", () => {
    const place = { version: 2, path: "/x" } as const;
    const at = cgroupFilePaths(place);
    const older = new Map([
      [at["memory.stat"] ?? "", "anon 5\nslab 3\nkernel_stack 4\n"],
      [at["cpu.stat"] ?? "", "nr_throttled 2\nthrottled_usec 1500\n"],
    ]);
    expect(parseCgroup(place, older)).toMatchObject({
      anonBytes: 5,
      kernelBytes: 7,
      cpuThrottledMs: 1.5,
      pidsLimit: null,
      oomKills: null,
    });
  });

  it.each([
    ["4:memory:/docker/abc\n0::/other", { version: 1, path: "/docker/abc" }],
    ["0::/system.slice/docker-abc.scope", { version: 2, path: "/system.slice/docker-abc.scope" }],
    ["4:memory:/../outside", null],
    ["4:memory:/a b;c", null],
    ["", null],
  ])("finds the group in %j", (text, place) => {
    expect(parseMembership(text)).toEqual(place);
  });
});

describe("reading a process from outside", () => {
  it("finds listeners, limits and descriptors", async () => {
    const reader = fakeReader({
      run: (command) =>
        command.command === "files"
          ? output(recorded("process-files.txt").toString("utf8"))
          : output("total 0\nlrwx------ 1 a a 64 x 0 -> socket:[1]\nlrwx------ 1 a a 64 x 1 -> /x\n"),
    });
    const read: PlannedRead<"process-facts"> = {
      ...onHost,
      source: "process-facts",
      args: { containers: [{ containerId: dbId, pid }] },
    };
    expect(await processFacts.read(reader, read, context())).toMatchObject([
      {
        containerId: dbId,
        outcome: {
          value: {
            pid,
            listeners: expect.arrayContaining([{ address: "0.0.0.0", port: 5432 }]),
            listenOverflows: 0,
            openFiles: 2,
            openFilesLimit: 20_000,
            state: "S",
            threads: 1,
          },
        },
      },
    ]);
  });

  it("decodes addresses of both families and states", () => {
    const row = (local: string, remote: string, state: string) =>
      `   0: ${local}:1538 ${remote}:CB92 ${state} 00000000:00000000`;
    const rows = [
      row("0100007F", "020012AC", "08"),
      row("0000000000000000FFFF0000020012AC", "00000000000000000000000001000000", "01"),
      row("B80D0120000000000000000001000000", "00000000000000000000000000000000", "0A"),
      "garbage",
    ];
    expect(parseSockets(rows.join("\n"))).toEqual([
      { address: "127.0.0.1", port: 5432, remoteAddress: "172.18.0.2", remotePort: 52_114, state: "CLOSE_WAIT" },
      { address: "172.18.0.2", port: 5432, remoteAddress: "::1", remotePort: 52_114, state: "ESTABLISHED" },
      { address: "2001:db8::1", port: 5432, remoteAddress: "::", remotePort: 52_114, state: "LISTEN" },
    ]);
  });
});

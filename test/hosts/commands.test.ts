import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandForm, isReadablePath, shellLine } from "../../src/hosts/commands.ts";
import type { ReadCommand } from "../../src/ports.ts";

describe("a path to read", () => {
  it.each([
    "/proc/meminfo",
    "/proc/1234/net/tcp",
    "/proc/1234/status",
    "/proc/pressure/memory",
    "/sys/fs/cgroup/memory/docker/0123abcd/memory.stat",
    "/sys/fs/cgroup/system.slice/docker-0123abcd.scope/memory.events",
    "/sys/fs/cgroup/system.slice/system-getty\\x2d1.slice/memory.events",
    "/sys/kernel/mm/transparent_hugepage/enabled",
  ])("%s may be read", (path) => expect(isReadablePath(path)).toBe(true));

  it.each([
    "/etc/shadow",
    "/proc/1/environ",
    "/proc/1/root/etc/shadow",
    "/proc/1/cwd/x",
    "/proc/1/fd/3",
    "/proc/1/mem",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/../etc/shadow",
    "/proc/1/status;id",
    "/proc/$(id)",
    "/proc/`id`",
    "/proc/a b",
    "/proc/a\nb",
    "/proc/'",
    "/proc/*",
    "proc/meminfo",
    "/proc/",
    "/sys/kernel/debug/tracing/trace_pipe",
    "-c",
    "",
  ])("%j may not", (path) => expect(isReadablePath(path)).toBe(false));
});

describe("a command line", () => {
  const commands: ReadCommand[] = [
    ...(["dmesg", "sudo-dmesg", "journalctl", "sudo-journalctl"] as const).map((via) => ({
      command: "kernel-log" as const,
      via,
    })),
    { command: "files", paths: ["/proc/meminfo", "/sys/fs/cgroup/a\\x2d/b"] },
    { command: "descriptors", pid: 12 },
    { command: "disk" },
    { command: "inodes" },
    { command: "clock" },
    { command: "processes" },
  ];

  it("is one word per argument to a shell, for the whole closed set", () => {
    const lines = commands.flatMap((command) => commandForm(command).argvs.map(shellLine));
    expect(lines).toMatchInlineSnapshot(`
      [
        "env LC_ALL=C TZ=UTC dmesg",
        "env LC_ALL=C TZ=UTC sudo -n dmesg",
        "env LC_ALL=C TZ=UTC journalctl -k -o short-unix --no-pager -n 20000",
        "env LC_ALL=C TZ=UTC sudo -n journalctl -k -o short-unix --no-pager -n 20000",
        "head -v -c 65536 -- /proc/meminfo '/sys/fs/cgroup/a\\x2d/b'",
        "env LC_ALL=C TZ=UTC ls -l /proc/12/fd",
        "env LC_ALL=C TZ=UTC df -PkT",
        "env LC_ALL=C TZ=UTC df -Pk",
        "env LC_ALL=C TZ=UTC df -Pi",
        "date -u +%s.%N",
        "env LC_ALL=C TZ=UTC ps -ewwo pid,ppid,uid,stat,rss,etimes,times,wchan:32,comm,args",
        "env LC_ALL=C TZ=UTC ps -o pid,ppid,user,stat,rss,etime,time,comm,args",
      ]
    `);
  });

  it("is refused rather than escaped when an argument could be read as more", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (word) => {
        let line: string | null = null;
        try {
          line = shellLine([word]);
        } catch {
          // Refused: nothing is sent.
        }
        if (line !== null) expect(line.replace(/^'|'$/g, "")).toMatch(/^[A-Za-z0-9_@%+=:,./\\{} -]+$/);
        if (line !== null && line !== word) expect(line).toBe(`'${word}'`);
      }),
    );
  });

  it.each([
    { command: "files", paths: [] },
    { command: "files", paths: ["/proc/meminfo", "/etc/passwd"] },
    { command: "files", paths: Array(1_000).fill("/proc/meminfo") },
    { command: "descriptors", pid: 0 },
    { command: "descriptors", pid: 1.5 },
    { command: "descriptors", pid: "1; id" as unknown as number },
  ] as ReadCommand[])("is not made of %j", (command) => {
    expect(() => commandForm(command)).toThrow();
  });
});

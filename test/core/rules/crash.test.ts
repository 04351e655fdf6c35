import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ContainerInspect } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

function ended(
  inspect: Partial<ContainerInspect>,
  more: { logs?: string[]; kernel?: string | null; ranMs?: number; covered?: boolean; asked?: string } = {},
): SceneHost {
  const { logs = [], kernel = "", ranMs = 500, covered = true, asked } = more;
  const startedAtMs = askedAtMs - 60_000 - ranMs;
  const signal =
    asked === undefined
      ? []
      : [{ name: "web", action: "kill", atMs: askedAtMs - 60_100, attributes: { signal: asked } }];
  return {
    containers: [
      {
        name: "web",
        inspect: { status: "exited", startedAtMs, finishedAtMs: askedAtMs - 60_000, ...inspect },
        logs: logs.map((text) => `${new Date(askedAtMs - 60_050).toISOString()} ${text}`),
      },
    ],
    events: covered
      ? [
          { name: "web", action: "start", atMs: startedAtMs },
          ...signal,
          { name: "web", action: "die", attributes: { exitCode: String(inspect.exitCode) } },
        ]
      : [],
    eventsCompleteSinceMs: covered ? undefined : null,
    kernel,
  } as SceneHost;
}

const cause = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis.rootCause?.cause ?? null;
const segfault =
  "[ 3539.900000] app[411]: segfault at 0 ip 00007f68c7340ad8 sp 00007ffce11b1e48 error 4 in libc.so.6[167ad8,7f68c71ff000+156000]";
const protection =
  "[ 3539.900000] traps: app[411] general protection fault ip:7feb5e61350f sp:7ffc8642f440 error:0 in libc.so.6[2650f,7feb5e613000+156000]";

describe("a native end", () => {
  it("is a segfault with the kernel's line, and by the exit code alone", () => {
    expect(cause(ended({ exitCode: 139 }, { kernel: segfault }))).toBe("segfault-139");
    expect(cause(ended({ exitCode: 139 }, { kernel: null }))).toBe("segfault-139");
  });

  it("is an abort as 139 with a protection fault in the C library, and as 134", () => {
    expect(cause(ended({ exitCode: 139 }, { kernel: protection }))).toBe("app-abort");
    expect(cause(ended({ exitCode: 134 }))).toBe("app-abort");
    const thrown = "Unhandled exception. System.FormatException: Input string was not in a correct format.";
    expect(cause(ended({ exitCode: 134 }, { logs: [thrown] }))).toBe("unhandled-exception");
  });

  it("is a segfault where the protection fault is in the program's own code", () => {
    expect(cause(ended({ exitCode: 139 }, { kernel: protection.replace("libc.so.6", "libfoo.so") }))).toBe(
      "segfault-139",
    );
  });

  it("is a person's where the signal went through Docker", () => {
    expect(cause(ended({ exitCode: 139 }, { asked: "11" }))).toBe("manual-docker-kill");
  });

  it("is the runtime's own heap where it says so", () => {
    expect(
      cause(
        ended(
          { exitCode: 134 },
          { logs: ["FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"] },
        ),
      ),
    ).toBe("jvm-heap-exhausted");
    expect(cause(ended({ exitCode: 3 }, { logs: ["java.lang.OutOfMemoryError: Java heap space"] }))).toBe(
      "jvm-heap-exhausted",
    );
  });
});

describe("exit 0", () => {
  it("is a completed command where nobody stopped it", () => {
    expect(cause(ended({ exitCode: 0 }))).toBe("completed-exit-0");
  });

  it("is a stop by the last words where the events are gone, and nothing certain without them", () => {
    expect(cause(ended({ exitCode: 0 }, { covered: false, logs: ["LOG:  received fast shutdown request"] }))).toBe(
      "human-stop",
    );
    expect(
      diagnose(questionAbout("web"), readingsOf(ended({ exitCode: 0 }, { covered: false }))).diagnosis,
    ).toMatchObject({ verdict: "inconclusive", suspects: [{ container: "web", cause: "completed-exit-0" }] });
  });
});

describe("its own exception", () => {
  it("is accused right after the start", () => {
    expect(
      cause(ended({ exitCode: 1 }, { logs: ["Traceback (most recent call last):", "ValueError: cannot reticulate"] })),
    ).toBe("unhandled-exception");
  });

  it("is not accused where it blames a peer", () => {
    const logs = ["Traceback (most recent call last):", "ConnectionRefusedError: [Errno 111] Connection refused"];
    expect(cause(ended({ exitCode: 1 }, { logs }))).not.toBe("unhandled-exception");
  });

  it("leaves only the container certain where the log says nothing known", () => {
    expect(cause(ended({ exitCode: 2 }, { logs: ["bye"] }))).toBe("unknown-cause");
  });
});

describe("a command that never became a program", () => {
  const oci =
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
  const created = (error: string, exitCode: number) =>
    cause(ended({ status: "created", startedAtMs: null, finishedAtMs: null, error, exitCode }, { covered: false }));

  it("is told by what runc, crun and the shells say", () => {
    expect(created(`${oci}exec: "nosuch": executable file not found in $PATH: unknown`, 127)).toBe("command-not-found");
    expect(created(`${oci}exec: "/nope/x": stat /nope/x: no such file or directory: unknown`, 127)).toBe(
      "command-not-found",
    );
    expect(
      created(
        "crun: executable file `nosuch` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found",
        127,
      ),
    ).toBe("command-not-found");
    expect(created(`${oci}exec: "/etc/passwd": permission denied: unknown`, 126)).toBe("not-executable");
    expect(cause(ended({ exitCode: 1 }, { logs: ["exec /r.sh: exec format error"] }))).toBe("exec-format-error");
    expect(cause(ended({ exitCode: 1 }, { logs: ["exec /r.sh: no such file or directory"] }))).toBe("crlf-shebang");
    expect(cause(ended({ exitCode: 127 }, { logs: ["/usr/bin/env: 'bash\\r': No such file or directory"] }))).toBe(
      "crlf-shebang",
    );
    expect(cause(ended({ exitCode: 127 }, { logs: ["sh: 1: nosuchcmd: not found"] }))).toBe("command-not-found");
  });

  it("is not told of a mount that failed, nor by the words of a program that had lived", () => {
    expect(
      created(
        `${oci}error during container init: error mounting "/srv/app.conf" to rootfs at "/etc/app.conf": not a directory: unknown`,
        127,
      ),
    ).not.toBe("command-not-found");
    expect(cause(ended({ exitCode: 1 }, { logs: ["sh: 1: convert: not found"], ranMs: 600_000 }))).not.toBe(
      "command-not-found",
    );
  });
});

describe("limits of the process", () => {
  const cpu = { ulimits: [{ name: "cpu", soft: 5, hard: 5 }] };

  it("end it with 137 and nobody to blame, after that many CPU seconds", () => {
    expect(cause(ended({ exitCode: 137, ...cpu }, { ranMs: 6_000 }))).toBe("rlimit-cpu-kill");
    expect(cause(ended({ exitCode: 137, ...cpu }, { ranMs: 400 }))).toBe("external-sigkill");
    expect(cause(ended({ exitCode: 137, ...cpu }, { ranMs: 6_000, asked: "9" }))).toBe("manual-docker-kill");
  });
});

describe("a stopped PostgreSQL", () => {
  const events = [
    { name: "web", action: "kill", atMs: askedAtMs - 70_000, attributes: { signal: "15" } },
    { name: "web", action: "kill", atMs: askedAtMs - 60_100, attributes: { signal: "9" } },
    { name: "web", action: "die", attributes: { exitCode: "137" } },
    { name: "web", action: "stop", atMs: askedAtMs - 59_900 },
  ];
  const stopped = (logs: string[]) =>
    cause({ ...ended({ exitCode: 137, oomKilled: true }, { logs, ranMs: 900_000 }), events });

  it("that waited for its clients is told apart from a program that ignores its stop signal", () => {
    expect(stopped(["LOG:  received smart shutdown request"])).toBe("pg-smart-shutdown-timeout");
    expect(stopped(["LOG:  checkpoint complete"])).toBe("stop-grace-exceeded");
    expect(stopped(["LOG:  received smart shutdown request", "LOG:  received fast shutdown request"])).toBe(
      "stop-grace-exceeded",
    );
  });
});

describe("killed from outside and brought back by its policy", () => {
  const back = {
    status: "running",
    exitCode: 0,
    restartCount: 1,
    restartPolicy: { name: "always", maximumRetryCount: 0 },
  } as const;

  it("is told as what it was, though it runs again", () => {
    const host = ended({ ...back, startedAtMs: askedAtMs - 59_000, finishedAtMs: askedAtMs - 60_000 });
    host.events = [
      { name: "web", action: "die", attributes: { exitCode: "137" } },
      { name: "web", action: "start", atMs: askedAtMs - 59_000 },
    ];
    expect(cause(host)).toBe("external-sigkill");
  });
});

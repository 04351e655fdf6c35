import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import type { ProcessRow } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;
const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "test" };

function ask(host: SceneHost, service = "web") {
  return diagnose(questionAbout(service), readingsOf(host));
}

function row(pid: number, args: string, state = "S"): ProcessRow {
  const command = args.split(" ")[0]?.split("/").at(-1) ?? "";
  return {
    pid,
    ppid: 1,
    uid: "0",
    state,
    rssBytes: null,
    elapsedS: null,
    waitChannel: null,
    command,
    args,
    cpuSeconds: null,
  };
}

const shim = row(
  20,
  `/usr/bin/containerd-shim-runc-v2 -namespace moby -id ${"a".repeat(64)} -address /run/containerd.sock`,
);

/** Readings of a host whose engine does not tell, with the processes that were seen there. */
function silent(reason: string, code: "unreachable" | "timeout", rows: ProcessRow[]) {
  const readings = readingsOf({
    containers: [],
    failed: [
      { source: "docker-list", reason },
      { source: "docker-events", reason },
    ],
  });
  const sample = readings.find((reading) => reading.source === "host-facts");
  const processes = {
    ...sample,
    source: "host-processes",
    outcome: { status: "ok", value: rows },
  } as (typeof readings)[number];
  const told = readings.map((reading) =>
    reading.outcome.status === "failed" ? { ...reading, outcome: { ...reading.outcome, code } } : reading,
  );
  return diagnose(questionAbout("web"), [...(told as typeof readings), processes]).diagnosis;
}

describe("an engine that does not tell", () => {
  it("is down when nobody listens at its socket and no daemon is among the processes", () => {
    const told = silent("no Docker engine answers at /var/run/docker.sock on h1", "unreachable", [shim]);
    expect(told.rootCause).toMatchObject({ cause: "daemon-down", container: null, confidence: "confirmed" });
    expect(told.rootCause?.summary).toContain("may still serve");
  });

  it("hangs when it does not answer while the host does", () => {
    const told = silent("GET /containers/json took longer than 5000 ms", "timeout", [
      row(9, "/usr/bin/dockerd", "T"),
      shim,
    ]);
    expect(told.rootCause).toMatchObject({ cause: "daemon-hung", container: null });
  });

  it("is not accused when the whole host is silent", () => {
    const told = diagnose(
      questionAbout("web"),
      readingsOf({
        containers: [],
        failed: [
          { source: "docker-list", reason: "no route to host" },
          { source: "host-facts", reason: "no route" },
        ],
      }),
    );
    expect(told.diagnosis).toMatchObject({ verdict: "inconclusive", rootCause: null });
  });

  it("is not accused when the socket may not be opened", () => {
    const told = diagnose(
      questionAbout("web"),
      readingsOf({
        containers: [],
        failed: [{ source: "docker-list", reason: "room137 may not open /var/run/docker.sock on h1" }],
      }),
    );
    expect(told.diagnosis.rootCause).toBeNull();
  });
});

describe("an engine that knows nothing", () => {
  const told = (rows: ProcessRow[], events: SceneHost["events"] = []) => {
    const readings = readingsOf({ containers: [], events });
    const sample = readings.find((reading) => reading.source === "host-facts");
    const processes = { ...sample, source: "host-processes", outcome: { status: "ok", value: rows } };
    return diagnose(questionAbout("web"), [...readings, processes as (typeof readings)[number]]).diagnosis;
  };
  const daemon = row(9, "/usr/bin/dockerd");

  it("lost its storage when supervisors of containers run on", () => {
    expect(told([daemon, shim]).rootCause).toMatchObject({ cause: "docker-root-unmounted", container: null });
  });

  it.each([
    ["no supervisor runs", told([daemon])],
    ["another daemon may own them", told([daemon, row(10, "/usr/bin/dockerd --data-root=/b"), shim])],
    ["removals are remembered", told([daemon, shim], [{ name: "db", action: "destroy" }])],
  ])("is simply empty when %s", (_, diagnosis) => {
    expect(diagnosis).toMatchObject({ verdict: "not-found", rootCause: null });
  });
});

describe("a container that is up although it had been stopped", () => {
  const bridge = {
    id: "b",
    name: "bridge",
    driver: "bridge",
    internal: false,
    scope: "local",
    createdAtMs: at(300),
    labels: {},
    subnets: [],
    containers: [],
  };
  const scene = (policyName: string, finishedAgo: number) => {
    const restartPolicy = { name: policyName, maximumRetryCount: 0 };
    const readings = readingsOf({
      containers: [
        { name: "web", inspect: { restartPolicy, startedAtMs: at(298), finishedAtMs: at(finishedAgo) } },
        { name: "db", inspect: { restartPolicy, startedAtMs: at(298), finishedAtMs: at(310) } },
      ],
    });
    const sample = readings.find((reading) => reading.source === "host-facts");
    const networks = { ...sample, source: "docker-networks", outcome: { status: "ok", value: [bridge] } };
    return diagnose(questionAbout("web"), [...readings, networks as (typeof readings)[number]]).diagnosis.rootCause
      ?.cause;
  };

  it("came back with the daemon because of the policy always", () => {
    expect(scene("always", 4_000)).toBe("stopped-came-back");
  });

  it("merely went on when it had run until the daemon ended, or when its policy keeps a stop", () => {
    expect(scene("always", 311)).not.toBe("stopped-came-back");
    expect(scene("unless-stopped", 4_000)).not.toBe("stopped-came-back");
  });
});

describe("a start of the host", () => {
  const booted = at(600);
  const ended = (name: string) => ({
    name,
    inspect: { status: "exited" as const, exitCode: 255, startedAtMs: at(90_000), finishedAtMs: booted + 5_000 },
  });

  it("explains what ended with it, and the plan starts every victim once", () => {
    const told = ask({ containers: [ended("web"), ended("db")], facts: { bootAtMs: booted } });
    expect(told.diagnosis.rootCause).toMatchObject({ cause: "host-rebooted", container: null });
    const { plan } = propose(told, policy);
    expect(plan?.steps.map(({ action }) => `${action.action} ${action.container}`)).toEqual(["start web"]);
  });

  it("does not explain what ended long before", () => {
    const old = {
      name: "web",
      inspect: { status: "exited" as const, exitCode: 255, startedAtMs: at(90_000), finishedAtMs: at(40_000) },
    };
    expect(ask({ containers: [old], facts: { bootAtMs: booted } }).diagnosis.rootCause?.cause).not.toBe(
      "host-rebooted",
    );
  });

  it("is not told of when the boot time is unknown", () => {
    const told = ask({ containers: [ended("web")], facts: { bootAtMs: null } });
    expect(told.diagnosis.rootCause?.cause).not.toBe("host-rebooted");
  });
});

describe("the engine's own parts", () => {
  it("lost a supervisor when it told 255 and stored 137", () => {
    const told = ask({
      containers: [{ name: "web", inspect: { status: "exited", exitCode: 137, finishedAtMs: at(60) } }],
      events: [{ name: "web", action: "die", atMs: at(60), attributes: { exitCode: "255" } }],
    });
    expect(told.diagnosis.rootCause).toMatchObject({ cause: "shim-killed", confidence: "confirmed" });
  });

  it("did not when the program itself ended with 255", () => {
    const told = ask({
      containers: [
        { name: "web", inspect: { status: "exited", exitCode: 255, startedAtMs: at(600), finishedAtMs: at(60) } },
      ],
      events: [{ name: "web", action: "die", atMs: at(60), attributes: { exitCode: "255" } }],
    });
    expect(told.diagnosis.rootCause?.cause).not.toBe("shim-killed");
  });

  it("could not reach the log target at the start", () => {
    const error = "failed to initialize logging driver: dial tcp 10.9.9.9:514: connect: connection refused";
    const told = ask({
      containers: [
        { name: "web", inspect: { status: "created", running: false, exitCode: 128, error, logDriver: "syslog" } },
      ],
    });
    expect(told.diagnosis.rootCause?.cause).toBe("log-driver-down");
  });

  it("blocks a program that waits in the pipe to its own log", () => {
    const blocked = {
      pid: 5,
      listeners: [],
      connections: [],
      listenOverflows: 0,
      listenDrops: 0,
      openFiles: null,
      openFilesLimit: null,
      interfaces: [],
      state: "S",
      waitChannel: "pipe_write",
      threads: 1,
      tcpRetransmits: null,
      tcpOutSegments: null,
    };
    const web = (mode: Record<string, string>) => ({
      name: "web",
      inspect: { logDriver: "syslog", logOptions: mode },
      other: { "process-facts": blocked },
    });
    expect(ask({ containers: [web({})] }).diagnosis.rootCause?.cause).toBe("log-driver-blocks");
    expect(ask({ containers: [web({ mode: "non-blocking" })] }).diagnosis.rootCause).toBeNull();
  });

  it("refuses a call by a profile of its own, and dropped capabilities are not one", () => {
    const web = (securityOpt: string[]) => ({
      name: "web",
      inspect: { securityOpt },
      logs: ["PermissionError: [Errno 1] Operation not permitted"],
    });
    expect(ask({ containers: [web(['seccomp={"defaultAction":"SCMP_ACT_ERRNO"}'])] }).diagnosis.rootCause?.cause).toBe(
      "seccomp-denied",
    );
    expect(ask({ containers: [web(["seccomp=unconfined"])] }).diagnosis.rootCause?.cause).not.toBe("seccomp-denied");
  });

  it("stands on a disk that reports errors, which is the cause only where somebody suffers", () => {
    const kernel = "[ 3500.100000] blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0";
    const suffering = ask({ containers: [{ name: "web", logs: ["OSError: [Errno 5] Input/output error"] }], kernel });
    expect(suffering.diagnosis.rootCause).toMatchObject({ cause: "disk-io-errors", container: null });
    const fine = ask({ containers: [{ name: "web", probes: [{ path: "/", httpStatus: 200 }] }], kernel });
    expect(fine.diagnosis.rootCause).toBeNull();
  });
});

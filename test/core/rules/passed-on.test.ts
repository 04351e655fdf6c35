import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import type { DockerEvent } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, probe, processFacts, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "1" };
const attached = (address: string) => [{ name: "app", networkId: "n".repeat(64), address, gateway: null, aliases: [] }];
const event = (name: string, action: string, agoSeconds: number): Partial<DockerEvent> => ({
  type: "container",
  action,
  name,
  actorId: idOf(name),
  atMs: askedAtMs - agoSeconds * 1_000,
});

/** nginx with its file in an unusual place: only its open connections say whom it asks. */
function proxyBefore(holder: string, status: number): SceneHost {
  return {
    containers: [
      {
        name: "edge",
        inspect: { image: "nginx:1.22", command: ["nginx", "-c", "/etc/own.conf"], networks: attached("172.30.0.2") },
        logs: ["listening"],
        probes: [{ path: "/", httpStatus: status }],
        other: {
          "process-facts": processFacts({
            listeners: [{ address: "0.0.0.0", port: 80 }],
            connections: [
              {
                state: "ESTABLISHED",
                address: "172.30.0.2",
                port: 40_000,
                remoteAddress: "172.30.0.9",
                remotePort: 8080,
              },
            ],
          }),
        },
      },
      {
        name: holder,
        inspect: { networks: attached("172.30.0.9"), startedAtMs: askedAtMs - 60_000 },
        logs: ["shape mismatch in request"],
        other: {
          "process-facts": processFacts({
            listeners: [{ address: "0.0.0.0", port: 8080 }],
            connections: [
              {
                state: "ESTABLISHED",
                address: "172.30.0.9",
                port: 8080,
                remoteAddress: "172.30.0.2",
                remotePort: 40_000,
              },
            ],
          }),
          "tcp-probe": probe({ kind: "tcp", address: "172.30.0.9", port: 8080 }),
        },
      },
    ],
  };
}

it("looks behind a proxy that passes a plain 500 on, and not behind one that says 502 itself", () => {
  const { diagnosis } = diagnose(questionAbout("edge"), readingsOf(proxyBefore("calc", 500)));
  expect(diagnosis).toMatchObject({ verdict: "inconclusive", suspects: [{ container: "calc" }] });
  const own = diagnose(questionAbout("edge"), readingsOf(proxyBefore("calc", 502))).diagnosis;
  expect(own.rootCause?.container ?? own.suspects[0]?.container).toBe("edge");
});

it("knows a reused address by the container that took over the name of the one that ended", () => {
  const host = proxyBefore("admin", 500);
  host.containers.push({
    name: "orders",
    inspect: { networks: attached("172.30.0.7"), startedAtMs: askedAtMs - 50_000 },
  });
  host.events = [{ ...event("orders", "die", 70), actorId: "0".repeat(64) }];
  expect(diagnose(questionAbout("edge"), readingsOf(host)).diagnosis.rootCause).toMatchObject({
    cause: "stale-upstream-wrong-service",
    container: "edge",
  });
  host.events = [];
  expect(diagnose(questionAbout("edge"), readingsOf(host)).diagnosis.rootCause?.cause).not.toBe(
    "stale-upstream-wrong-service",
  );
});

const refused = (host: string) => `Error: connect ECONNREFUSED ${host}:5432`;

it("keeps its hands off a container that somebody stops, starts and pauses right now, and starts one that was stopped once", () => {
  const scene = (events: Partial<DockerEvent>[]) =>
    diagnose(
      questionAbout("web"),
      readingsOf({
        containers: [
          {
            name: "web",
            logs: [refused("store"), refused("store")],
            inspect: { env: [{ name: "DB_HOST", value: "store", digest: "x" }], networks: attached("172.30.0.2") },
            probes: [{ path: "/", httpStatus: 500 }],
          },
          {
            name: "store",
            inspect: {
              status: "exited",
              running: false,
              exitCode: 0,
              networks: attached("172.30.0.9"),
              finishedAtMs: askedAtMs - 3_000,
            },
          },
        ],
        events,
      }),
    );
  const last = [event("store", "kill", 4), event("store", "die", 3.5), event("store", "stop", 3)];
  const busy = scene([
    event("store", "stop", 25),
    event("store", "start", 24),
    event("store", "exec_create: psql", 9),
    event("store", "pause", 7),
    event("store", "unpause", 6),
    ...last,
  ]);
  expect(busy.diagnosis.rootCause?.cause).toBe("operator-already-acting");
  expect(propose(busy, policy).plan).toBeNull();
  expect(scene(last).diagnosis.rootCause?.cause).toBe("dep-stopped");
});

it("takes the place from a relay's line, and never its clock for one", () => {
  const host = (line: string) =>
    readingsOf({
      containers: [
        { name: "relay", logs: [line], inspect: { networks: attached("172.30.0.2") }, probes: [{ failure: "closed" }] },
        {
          name: "engine",
          inspect: { networks: attached("172.30.0.9") },
          other: {
            "process-facts": processFacts({ listeners: [{ address: "0.0.0.0", port: 4100 }] }),
            "tcp-probe": probe({ kind: "tcp", address: "172.30.0.9", port: 4001, failure: "refused" }),
          },
        },
      ],
    });
  const line = "2026/01/01 11:59:50 socat[9] E connect(5, AF=2 172.30.0.9:4001, 16): Connection refused";
  expect(diagnose(questionAbout("relay"), host(line)).world.edges[0]?.to.container).toBe("engine");
  const clock = diagnose(questionAbout("relay"), host("at 11:59:50 it said: ECONNREFUSED")).world.edges;
  expect(clock.map((edge) => edge.to.container)).not.toContain("11");
});

import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ContainerInspect } from "../../../src/core/readings.ts";
import { askedAtMs, probe, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const published = { containerPort: 5432, protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 5432 };

function hosts(db: Partial<ContainerInspect> | null, line: string): SceneHost[] {
  return [
    {
      name: "h1",
      containers: [
        {
          name: "web",
          inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app@10.0.0.2:5432/app", digest: "x" }] },
          logs: [line],
          probes: [{ path: "/items", httpStatus: 500 }],
        },
        { name: "db", inspect: { status: "exited", exitCode: 137 } },
      ],
    },
    {
      name: "h2",
      containers:
        db === null
          ? []
          : [
              {
                name: "db2",
                inspect: { portBindings: [published], ...db },
                other: { "tcp-probe": probe({ kind: "tcp", port: 5432 }) },
              },
            ],
      events: [
        { name: "db2", action: "kill", attributes: { signal: "15" }, atMs: askedAtMs - 61_000 },
        { name: "db2", action: "die", attributes: { exitCode: "0" }, atMs: askedAtMs - 60_500 },
        { name: "db2", action: "stop", atMs: askedAtMs - 60_000 },
      ],
    },
  ];
}

const settings = {
  hosts: [
    { name: "h1", address: "10.0.0.1" },
    { name: "h2", address: "10.0.0.2" },
  ],
  services: [],
};
const rootOf = (scenes: SceneHost[]) =>
  diagnose(questionAbout("web", ["h1", "h2"], { settings }), readingsOf(...scenes)).diagnosis.rootCause;
const refused = "dial tcp 10.0.0.2:5432: connect: connection refused";
const timeout = "dial tcp 10.0.0.2:5432: i/o timeout";

it("follows the published address to the other host, past a left-over of a likely name", () => {
  expect(rootOf(hosts({ status: "exited", exitCode: 0, finishedAtMs: askedAtMs - 60_500 }, refused))).toMatchObject({
    cause: "cross-host-dep-stopped",
    host: "h2",
    container: "db2",
  });
});

it("accuses the other host that drops what its own container would answer", () => {
  const scenes = hosts({}, timeout);
  (scenes[1] as SceneHost).events = [];
  expect(rootOf(scenes)).toMatchObject({ cause: "cross-host-firewall", host: "h2", container: null });
});

it("accuses the setting that still has the old host's address", () => {
  const scenes = hosts(null, refused);
  scenes[0]?.containers.push({ name: "orders", inspect: { portBindings: [published] } });
  expect(rootOf(scenes)).toMatchObject({ cause: "host-move-stale-ip", host: "h1", container: "web" });
});

it("stays silent when the other host could not be read", () => {
  const readings = readingsOf(hosts(null, timeout)[0] as SceneHost);
  const { diagnosis } = diagnose(questionAbout("web", ["h1", "h2"], { settings }), readings);
  expect(diagnosis.verdict).toBe("inconclusive");
  expect(diagnosis.rootCause).toBeNull();
});

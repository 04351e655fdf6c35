import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { NetworkAttachment } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const network = (name: string, address: string, aliases: string[] = []): NetworkAttachment => ({
  name,
  networkId: name.padEnd(64, "0"),
  address,
  gateway: null,
  aliases,
});

function scene(web: NetworkAttachment[], db: NetworkAttachment[], more: Partial<SceneHost> = {}): SceneHost {
  return {
    containers: [
      {
        name: "web",
        inspect: { networks: web, env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }] },
        logs: ['OperationalError: could not translate host name "db" to address: Name or service not known'],
        probes: [{ path: "/items", httpStatus: 500 }],
      },
      { name: "db", inspect: { networks: db } },
    ],
    ...more,
  };
}

const rootOf = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis.rootCause;

it("accuses the container that the event shows was taken off the network, with the names its callers use", () => {
  const events = [
    {
      type: "network",
      action: "disconnect",
      name: "app",
      actorId: "app",
      attributes: { container: idOf("db"), name: "app" },
    },
  ];
  const root = rootOf(scene([network("app", "172.30.0.2")], [], { events }));
  expect(root).toMatchObject({ cause: "network-disconnected", container: "db", confidence: "confirmed" });
  expect(root?.network).toMatchObject({ networkName: "app", aliases: ["db"] });
});

it("takes the disconnect that belongs to an end for no act of a person", () => {
  const events = [
    {
      type: "network",
      action: "disconnect",
      name: "app",
      actorId: "app",
      atMs: askedAtMs - 8_000_000,
      attributes: { container: idOf("db") },
    },
  ];
  const root = rootOf(scene([network("app", "172.30.0.2")], [network("other", "172.31.0.2")], { events }));
  expect(root?.cause).toBe("wrong-network");
});

it("names a renamed container by its new name", () => {
  const host = scene([network("app", "172.30.0.2")], [network("app", "172.30.0.3")], {
    events: [{ action: "rename", name: "db", actorId: idOf("db-old"), attributes: { oldName: "/db" } }],
  });
  const renamed = {
    ...host,
    containers: host.containers.map((entry) => (entry.name === "db" ? { ...entry, name: "db-old" } : entry)),
  };
  expect(rootOf(renamed)).toMatchObject({ cause: "container-renamed", container: "db-old" });
});

it("takes nobody for renamed whose callers use its present name", () => {
  const host = scene([network("app", "172.30.0.2")], [network("app", "172.30.0.3", ["db"])], {
    events: [{ action: "rename", name: "db", actorId: idOf("db"), attributes: { oldName: "/db-new" } }],
  });
  const quiet = host.containers.map((entry) => ({ ...entry, logs: [] }));
  expect(rootOf({ ...host, containers: quiet })?.cause ?? "none").not.toBe("container-renamed");
});

it("accuses the one on the default bridge", () => {
  const root = rootOf(scene([network("bridge", "172.17.0.2")], [network("app", "172.30.0.3", ["db"])]));
  expect(root).toMatchObject({ cause: "default-bridge-no-dns", container: "web" });
});

it("stays silent while both share a network", () => {
  const root = rootOf(scene([network("app", "172.30.0.2")], [network("app", "172.30.0.3", ["db"])]));
  expect(root?.cause ?? "none").not.toMatch(/network|renamed/);
});

it("stays silent when the peer was never inspected", () => {
  const host = scene([network("app", "172.30.0.2")], [], {
    failed: [{ source: "docker-inspect", container: "db", reason: "denied" }],
  });
  expect(rootOf(host)?.cause ?? "none").not.toMatch(/network|bridge|renamed/);
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostConfig } from "../../src/config/hosts.ts";
import type { Reading } from "../../src/core/evidence.ts";
import type { ContainerInspect } from "../../src/core/readings.ts";
import type { PlannedRead, PlannedSource } from "../../src/core/reads.ts";
import { createHostDirectory, type ManagedHosts } from "../../src/hosts/directory.ts";
import { executeReads } from "../../src/sources/gather.ts";
import { sources } from "../../src/sources/index.ts";
import { createRedactor } from "../../src/sources/redact.ts";
import { type Lab, labUnavailable, startLab } from "./lab.ts";
import { DB_PASSWORD, type Shop, stageWebAndDb } from "./stage.ts";

const unavailable = labUnavailable();
const clock = { nowMs: () => Date.now() };

let lab: Lab;
let shop: Shop;
let hosts: ManagedHosts;

describe.skipIf(unavailable !== null)(
  `every source on a real engine${unavailable === null ? "" : `: ${unavailable}`}`,
  () => {
    beforeAll(async () => {
      lab = await startLab({ name: "sources-test", engine: "private" });
      shop = await stageWebAndDb(lab, { compose: true });
      hosts = createHostDirectory({ hosts: [localHost(), sshHost()], clock });
    });
    afterAll(async () => {
      await hosts?.close();
      await lab?.stop();
    });

    test.each(["local", "over-ssh"])("reads ok: %s", async (host) => {
      const context = { clock, redactor: createRedactor() };
      const inspected = await executeReads(inspects(host), hosts, context);
      const containers = inspected.map(({ outcome }) => (outcome as { value: ContainerInspect }).value);
      const readings = [...inspected, ...(await executeReads(everything(host, containers), hosts, context))];
      const failed = readings.filter(({ outcome }) => outcome.status === "failed");
      expect(failed).toEqual([]);
      const answered = new Set(readings.filter(({ outcome }) => outcome.status === "ok").map(({ source }) => source));
      expect([...answered].toSorted()).toEqual(Object.keys(sources).toSorted());
      expect(JSON.stringify(readings)).not.toContain(DB_PASSWORD);
      expect(probeStatus(readings)).toBe(200);
    });
  },
);

function inspects(host: string): PlannedRead[] {
  return [shop.webId, shop.dbId].map((containerId) => ({ host, source: "docker-inspect", containerId, args: null }));
}

function everything(host: string, containers: ContainerInspect[]): PlannedRead[] {
  const pids = containers.map(({ id, pid, cgroupParent }) => ({ containerId: id, pid: pid ?? 0, cgroupParent }));
  const port = Number(new URL(shop.webUrl).port);
  const address = "127.0.0.1";
  const nowMs = clock.nowMs();
  const plain: PlannedSource[] = [
    "docker-info",
    "docker-list",
    "docker-usage",
    "docker-volumes",
    "host-facts",
    "host-disk",
    "host-clock",
    "host-processes",
  ];
  return [
    ...plain.map((source) => ({ host, source, containerId: null, args: null }) as PlannedRead),
    ...containers.flatMap(({ id, imageId }): PlannedRead[] => [
      { host, source: "docker-logs", containerId: id, args: { tail: 100, sinceMs: null, untilMs: null } },
      { host, source: "docker-stats", containerId: id, args: null },
      { host, source: "docker-top", containerId: id, args: null },
      { host, source: "docker-changes", containerId: id, args: null },
      { host, source: "docker-image", containerId: id, args: { imageId } },
    ]),
    {
      host,
      source: "docker-events",
      containerId: null,
      args: { sinceMs: nowMs - 3_600_000, untilMs: nowMs, engineStartedAtMs: null },
    },
    {
      host,
      source: "docker-networks",
      containerId: null,
      args: { inspectIds: containers.flatMap(({ networks }) => networks.map(({ networkId }) => networkId)) },
    },
    { host, source: "kernel-log", containerId: null, args: { bootAtMs: null } },
    { host, source: "cgroup", containerId: null, args: { version: null, driver: null, containers: pids } },
    {
      host,
      source: "process-facts",
      containerId: null,
      args: { containers: pids.map(({ containerId, pid }) => ({ containerId, pid })) },
    },
    {
      host,
      source: "http-probe",
      containerId: shop.webId,
      args: { address, port, path: "/healthz", hostHeader: null, tls: false, expect: 200 },
    },
    // Nginx's files are in the lab's image; whether it runs is not this source's question.
    { host, source: "proxy-config", containerId: shop.webId, args: { kind: "nginx" } },
    { host, source: "tcp-probe", containerId: shop.webId, args: { address, port } },
    { host, source: "tls-probe", containerId: shop.webId, args: { address, port, serverName: null, startTls: null } },
  ];
}

function probeStatus(readings: Reading[]): number | null {
  const probe = readings.find(({ source }) => source === "http-probe") as Reading<"http-probe"> | undefined;
  return probe?.outcome.status === "ok" ? probe.outcome.value.httpStatus : null;
}

function localHost(): HostConfig {
  return {
    name: "local",
    local: true,
    dockerSocket: lab.dockerSocket,
    remediateDockerSocket: null,
    kernelLog: "auto",
    labels: {},
  };
}

function sshHost(): HostConfig {
  const { host: address, port, user, identityFile, hostKey } = lab.ssh;
  const acting = { remediateIdentityFile: null, remediateUser: null };
  const login = { address, alias: null, port, user, identityFile, agentSocket: null, hostKey, knownHostsFile: null };
  return { ...localHost(), ...login, ...acting, name: "over-ssh", local: false };
}

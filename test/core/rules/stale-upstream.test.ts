import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { propose } from "../../../src/core/propose.ts";
import { askedAtMs, probe, processFacts, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const project = (service: string, more: Record<string, string> = {}) => ({
  "com.docker.compose.project": "shop",
  "com.docker.compose.service": service,
  ...more,
});
const attached = (address: string | null) => [
  { name: "app", networkId: "n".repeat(64), address, gateway: null, aliases: [] },
];

/** The edge resolved `api` long ago; api came back with another address since. */
function scene(line: string, apiStartedAgoMs = 60_000): SceneHost {
  return {
    containers: [
      {
        name: "edge",
        inspect: {
          networks: attached("172.30.0.2"),
          labels: project("edge", { "com.docker.compose.depends_on": "api:service_started:false" }),
        },
        logs: [line],
        probes: [{ path: "/", httpStatus: 502 }],
      },
      {
        name: "api",
        inspect: { networks: attached("172.30.0.9"), labels: project("api"), startedAtMs: askedAtMs - apiStartedAgoMs },
        other: {
          "process-facts": processFacts({ listeners: [{ address: "0.0.0.0", port: 8000 }] }),
          "tcp-probe": probe({ kind: "tcp", address: "172.30.0.9", port: 8000 }),
        },
      },
    ],
  };
}

const refused = (address: string) =>
  `2026/01/01 11:59:50 [error] 7#7: *1 connect() failed (113: No route to host) while connecting to upstream, client: 10.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://${address}:8000/", host: "shop"`;
const conclude = (host: SceneHost) => diagnose(questionAbout("edge"), readingsOf(host));
const policy = { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [], policyVersion: "1" };

it("accuses the proxy that keeps an old address, and offers to restart it alone", () => {
  const conclusion = conclude(scene(refused("172.30.0.5")));
  expect(conclusion.diagnosis.rootCause).toMatchObject({ cause: "nginx-stale-upstream", container: "edge" });
  const { plan } = propose(conclusion, policy);
  expect(plan?.steps.map(({ action }) => `${action.action} ${action.container}`)).toEqual(["restart edge"]);
});

it("stays silent while the address is right, and when the upstream started before the proxy", () => {
  expect(conclude(scene(refused("172.30.0.9"))).diagnosis.rootCause?.cause ?? "none").not.toMatch(/stale/);
  expect(conclude(scene(refused("172.30.0.5"), 7_500_000)).diagnosis.rootCause?.cause ?? "none").not.toMatch(/stale/);
});

it("stays silent without the proxy's log", () => {
  const host = scene(refused("172.30.0.5"));
  host.failed = [{ source: "docker-logs", container: "edge", reason: "no such log" }];
  expect(conclude(host).diagnosis.rootCause?.cause ?? "none").not.toMatch(/stale/);
});

it("starts the missing upstream first and then the proxy that ended for want of it", () => {
  const conclusion = conclude({
    containers: [
      {
        name: "edge",
        inspect: { status: "exited", exitCode: 1, networks: attached(null) },
        logs: ['2026/01/01 11:59:50 [emerg] 1#1: host not found in upstream "api" in /etc/nginx/nginx.conf:8'],
      },
      { name: "api", inspect: { status: "exited", exitCode: 0, networks: attached(null) } },
    ],
  });
  expect(conclusion.diagnosis.rootCause).toMatchObject({ cause: "upstream-missing-at-boot", container: "api" });
  const { plan } = propose(conclusion, policy);
  expect(plan?.steps.map(({ action }) => `${action.action} ${action.container}`)).toEqual(["start api", "start edge"]);
});

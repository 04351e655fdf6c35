import { describe, expect, it } from "vitest";
import { diagnose } from "../../src/core/diagnose.ts";
import { nextReads } from "../../src/core/next-reads.ts";
import type { ContainerInspect, ProxyConfig } from "../../src/core/readings.ts";
import { idOf, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "./scene.ts";

const config = (more: Partial<ProxyConfig> = {}): ProxyConfig => ({
  kind: "nginx",
  files: ["/etc/nginx/conf.d/app.conf"],
  upstreams: [{ path: "/etc/nginx/conf.d/app.conf", line: 7, host: "app", port: 8000 }],
  complete: true,
  ...more,
});

/** A proxy `edge`, asked about, before `app`, which was killed at its own memory limit. */
function scene(proxy: ProxyConfig | null, logs: string[] = [], image = "nginx:1.25"): SceneHost {
  const id = idOf("app");
  const edge: SceneContainer = {
    name: "edge",
    inspect: { image, exposedPorts: [{ port: 80, protocol: "tcp" }] },
    logs,
    ...(proxy === null ? {} : { other: { "proxy-config": proxy } }),
  };
  return {
    containers: [
      edge,
      { name: "app", inspect: { status: "exited", exitCode: 137, oomKilled: true, memoryLimitBytes: 268_435_456 } },
    ],
    events: [{ name: "app", action: "die", atMs: Date.UTC(2026, 0, 1, 11, 58), attributes: { exitCode: "137" } }],
    kernel: [
      `[ 3479.800000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=app,pid=4060,uid=0`,
      "[ 3479.900000] Memory cgroup out of memory: Killed process 4060 (app) total-vm:900000kB, anon-rss:261000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:600kB oom_score_adj:0",
    ].join("\n"),
  };
}

const conclude = (host: SceneHost) => diagnose(questionAbout("edge"), readingsOf(host));

describe("a proxy's configuration", () => {
  it("is an edge to the upstream that it names, with file and line as proof", () => {
    const { world } = conclude(scene(config()));
    const edges = world.edges.filter((edge) => edge.proof === "proxy-config");
    expect(edges.map(({ from, to, port, facts }) => [from.container, to.container, port, facts[0]?.text])).toEqual([
      ["edge", "app", 8000, "/etc/nginx/conf.d/app.conf line 7 names app:8000"],
    ]);
  });

  it("leads to the culprit where no log line, no variable and no connection does", () => {
    expect(conclude(scene(null)).diagnosis.rootCause).toBeNull();
    const { diagnosis } = conclude(scene(config()));
    expect(diagnosis.chain.map(({ from, to, proof }) => `${from} ${to} ${proof}`)).toEqual(["edge app proxy-config"]);
    expect(diagnosis.rootCause?.container).toBe("app");
  });

  it("is told together with the log line that says the same upstream fails, as one edge", () => {
    const line =
      '2026-01-01T11:59:00Z 2026/01/01 11:59:00 [error] 7#7: *1 connect() failed (113: No route to host) while connecting to upstream, client: 10.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://app:8000/", host: "x"';
    const edges = conclude(scene(config(), [line])).world.edges.filter((edge) => edge.from.container === "edge");
    expect(edges).toHaveLength(1);
    expect(edges[0]?.failures).toHaveLength(1);
    expect(edges[0]?.facts.map((fact) => fact.reading.source)).toEqual(["docker-logs", "proxy-config"]);
  });

  it("proves nothing by a name that nobody answers to, or by itself", () => {
    const upstreams = ["gone", "edge", "127.0.0.1"].map((host) => ({ path: "f", line: 1, host, port: 80 }));
    expect(conclude(scene(config({ upstreams }))).world.edges).toEqual([]);
  });
});

describe("the files of a container are asked for", () => {
  const wanted = (inspect: Partial<ContainerInspect>) => {
    const host = { containers: [{ name: "edge", inspect }] };
    const reads = nextReads(questionAbout("edge"), readingsOf(host), new Set());
    return reads.flatMap((read) => (read.source === "proxy-config" ? [read.args.kind] : []));
  };

  it.each([
    ["nginx", { image: "nginx:1.25" }],
    ["nginx", { image: "registry.example:5000/team/openresty@sha256:00" }],
    ["haproxy", { image: "company/base", entrypoint: ["/usr/sbin/haproxy", "-f", "/etc/haproxy/haproxy.cfg"] }],
    ["traefik", { image: "traefik" }],
    ["envoy", { image: "envoyproxy/envoy:v1.30", command: ["envoy", "-c", "/etc/envoy/envoy.yaml"] }],
    ["caddy", { image: "caddy:2-alpine" }],
  ] as const)("where it runs %s", (kind, inspect) => {
    expect(wanted({ ...inspect } as Partial<ContainerInspect>)).toEqual([kind]);
  });

  it("not where it runs something else, or reads its configuration from another place", () => {
    expect(wanted({ image: "postgres:15" })).toEqual([]);
    expect(wanted({ image: "python:3", command: ["python", "app.py"] })).toEqual([]);
    expect(wanted({ image: "nginx", command: ["nginx", "-c", "/srv/own.conf"] })).toEqual([]);
  });
});

describe("a proxy that is seen to ask one replica", () => {
  it("has the log of the other read too", () => {
    const upstream = { name: "UPSTREAM", value: "http://shop-1:8000", digest: "x" };
    const containers = [{ name: "edge", inspect: { env: [upstream] } }, { name: "shop-1" }, { name: "shop-2" }];
    const reads = nextReads(questionAbout("edge"), readingsOf({ containers }), new Set());
    const read = reads.filter(({ source }) => source === "docker-logs").map(({ containerId }) => containerId);
    expect(read).toContain(idOf("shop-2"));
  });
});

import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ProcessFacts } from "../../../src/core/readings.ts";
import { probe, processFacts, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const conclude = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis;
const apiUrl = { name: "API_URL", value: "http://api:8080/", digest: "x" };

function failing(
  line: string,
  inspect: SceneContainer["inspect"] = {},
  facts: Partial<ProcessFacts> = {},
): SceneContainer {
  return {
    name: "web",
    inspect: { env: [apiUrl], ...inspect },
    logs: [line],
    probes: [{ path: "/call", httpStatus: 500 }],
    other: { "process-facts": processFacts(facts) },
  };
}

describe("path-quality", () => {
  const tcp = (durationMs: number) => ({
    "tcp-probe": probe({ kind: "tcp", port: 8080, durationMs }),
    "process-facts": processFacts({ listeners: [{ address: "0.0.0.0", port: 8080 }] }),
  });
  const slow = (ms: number, otherMs: number): SceneHost => ({
    containers: [
      failing("dial tcp 172.30.0.3:8080: i/o timeout", {
        env: [apiUrl, { name: "CACHE_URL", value: "redis://cache:6379", digest: "y" }],
      }),
      { name: "api", other: tcp(ms) },
      { name: "cache", other: tcp(otherMs) },
    ],
  });

  it("accuses a link on which a bare connect is slow, when others are quick", () => {
    expect(conclude(slow(320, 2)).rootCause).toMatchObject({ cause: "link-latency", container: "api" });
    expect(conclude(slow(320, 300)).rootCause?.cause ?? "none").not.toBe("link-latency");
  });

  it("does not take a busy host, or one moderately late connect, for a slow link", () => {
    const busy = { ...slow(320, 2), facts: { load1: 9, cpus: 2 } };
    expect(conclude(busy).rootCause?.cause ?? "none").not.toBe("link-latency");
    expect(conclude(slow(120, 20)).rootCause?.cause ?? "none").not.toBe("link-latency");
  });

  it("accuses the client that has used up its local ports, by its table and its words", () => {
    const connections = Array.from({ length: 100 }, (_, at) => ({
      address: "172.30.0.2",
      port: 40_000 + at,
      remoteAddress: "172.30.0.3",
      remotePort: 8080,
      state: "TIME_WAIT",
    }));
    const host = {
      containers: [
        failing("OSError: [Errno 99] Cannot assign requested address", {}, { connections }),
        { name: "api" },
      ],
    };
    expect(conclude(host).rootCause).toMatchObject({
      cause: "ephemeral-ports-gone",
      container: "web",
      confidence: "confirmed",
    });
  });

  it("accuses a path that forgot connections their owner still trusts", () => {
    const mine = [
      { address: "172.30.0.2", port: 40_001, remoteAddress: "172.30.0.3", remotePort: 8080, state: "ESTABLISHED" },
    ];
    const host = (theirs: ProcessFacts["connections"]): SceneHost => ({
      containers: [
        failing("read: connection reset by peer calling http://api:8080", {}, { connections: mine }),
        {
          name: "api",
          other: {
            "process-facts": processFacts({ listeners: [{ address: "0.0.0.0", port: 8080 }], connections: theirs }),
            "tcp-probe": probe({ kind: "tcp", port: 8080 }),
          },
        },
      ],
    });
    expect(conclude(host([])).rootCause).toMatchObject({ cause: "idle-reset", container: "web" });
    const known = [
      { address: "172.30.0.3", port: 8080, remoteAddress: "172.30.0.2", remotePort: 40_001, state: "ESTABLISHED" },
    ];
    expect(conclude(host(known)).rootCause?.cause ?? "none").not.toBe("idle-reset");
  });

  it("accuses the host whose connection table is full", () => {
    const host = {
      containers: [failing("dial tcp 172.30.0.3:8080: i/o timeout"), { name: "api" }],
      facts: { conntrackCount: 4_096, conntrackMax: 4_096 },
      kernel: "[ 3590.000000] nf_conntrack: nf_conntrack: table full, dropping packet",
    };
    expect(conclude(host).rootCause).toMatchObject({
      cause: "conntrack-full",
      container: null,
      confidence: "confirmed",
    });
    expect(
      conclude({ ...host, facts: { conntrackCount: 40, conntrackMax: 4_096 }, kernel: "" }).rootCause?.cause ?? "none",
    ).not.toBe("conntrack-full");
  });
});

describe("outside-names", () => {
  const outside =
    "requests.exceptions.ConnectionError: HTTPConnectionPool(host='api.partner.example', port=80): Max retries exceeded (Caused by NameResolutionError: Temporary failure in name resolution)";

  it("accuses the setting of a name server that does not answer, and not the outside service", () => {
    const host = {
      containers: [failing(outside, { dns: ["10.9.9.9"], env: [{ ...apiUrl, value: "http://api.partner.example/" }] })],
    };
    expect(conclude(host).rootCause).toMatchObject({ cause: "dns-server-dead", container: "web" });
    const plain = { containers: [failing(outside, { env: [{ ...apiUrl, value: "http://api.partner.example/" }] })] };
    expect(conclude(plain).rootCause?.cause ?? "none").not.toBe("dns-server-dead");
  });

  it("accuses a proxy variable that catches an inner call, unless the call is excepted", () => {
    const env = (noProxy: string) => [
      apiUrl,
      { name: "HTTP_PROXY", value: "http://proxy.corp.example:3128", digest: "p" },
      { name: "NO_PROXY", value: noProxy, digest: "n" },
    ];
    const line = "getaddrinfo ENOTFOUND proxy.corp.example";
    const host = (noProxy: string) => ({ containers: [failing(line, { env: env(noProxy) }), { name: "api" }] });
    expect(conclude(host("localhost")).rootCause).toMatchObject({ cause: "proxy-env-hijack", container: "web" });
    expect(conclude(host("localhost,api")).rootCause?.cause ?? "none").not.toBe("proxy-env-hijack");
  });
});

describe("compose-state", () => {
  const project = (service: string, more = {}) => ({
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": service,
    ...more,
  });
  const scene = (others: SceneContainer[]): SceneHost => ({
    containers: [
      failing("dial tcp: lookup prices on 127.0.0.11:53: no such host", {
        env: [{ ...apiUrl, value: "http://prices:8080" }],
        labels: project("web", { "com.docker.compose.depends_on": "prices:service_started:false" }),
      }),
      ...others,
    ],
  });

  it("tells a declared service that has no container, and is silent where one exists", () => {
    expect(conclude(scene([])).rootCause).toMatchObject({ cause: "scaled-to-zero", container: null });
    expect(
      conclude(
        scene([{ name: "shop-prices-1", inspect: { labels: project("prices"), status: "exited", exitCode: 0 } }]),
      ).rootCause?.cause ?? "none",
    ).not.toBe("scaled-to-zero");
  });
});

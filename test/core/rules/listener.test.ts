import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { Reading } from "../../../src/core/evidence.ts";
import type { ProbeResult, ProcessFacts, Socket } from "../../../src/core/readings.ts";
import { processFacts, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

function scene(
  listeners: Socket[],
  probe: Partial<ProbeResult>,
  more: Partial<ProcessFacts> = {},
  api: Partial<SceneContainer> = {},
): SceneHost {
  const facts = processFacts({ listeners: [{ address: "127.0.0.11", port: 41_000 }, ...listeners], ...more });
  return {
    containers: [
      {
        name: "web",
        inspect: { env: [{ name: "API_URL", value: "http://api:8080/", digest: "x" }] },
        logs: ["dial tcp 172.30.0.3:8080: i/o timeout"],
        probes: [{ path: "/call", httpStatus: 500 }],
      },
      {
        name: "api",
        ...api,
        other: {
          "process-facts": facts,
          "tcp-probe": {
            kind: "tcp",
            address: "172.30.0.3",
            port: 8080,
            path: null,
            failure: null,
            detail: "",
            httpStatus: null,
            expectedStatus: null,
            durationMs: 2,
            bodyExcerpt: null,
            headers: {},
            certificate: null,
            ...probe,
          },
        },
      },
    ],
  };
}

const rootOf = (host: SceneHost, drop: (reading: Reading) => boolean = () => false) =>
  diagnose(
    questionAbout("web"),
    readingsOf(host).filter((reading) => !drop(reading)),
  ).diagnosis.rootCause;
const everywhere = [{ address: "0.0.0.0", port: 8080 }];

it("tells a program on loopback, and not the engine's own name server", () => {
  expect(rootOf(scene([{ address: "127.0.0.1", port: 8080 }], { failure: "refused" }))).toMatchObject({
    cause: "app-binds-loopback",
    container: "api",
  });
  expect(rootOf(scene([], { failure: "refused" }))?.cause ?? "none").not.toBe("app-binds-loopback");
});

it("tells dropped from rejected where something listens", () => {
  expect(rootOf(scene(everywhere, { failure: "timeout", detail: "" }))).toMatchObject({
    cause: "netns-drop",
    container: "api",
    confidence: "confirmed",
  });
  expect(rootOf(scene(everywhere, { failure: "refused" }))).toMatchObject({ cause: "netns-reject", container: "api" });
});

it("tells a queue that nobody empties from dropped packets", () => {
  const root = rootOf(scene(everywhere, { failure: "timeout", detail: "" }, { listenOverflows: 14, listenDrops: 14 }));
  expect(root).toMatchObject({ cause: "listen-backlog-overflow", container: "api" });
});

it("takes a slow answer on an open connection for no firewall, and a frozen process neither", () => {
  expect(
    rootOf(scene(everywhere, { failure: "timeout", detail: "connected, but no answer within 3000 ms" }))?.cause ??
      "none",
  ).not.toMatch(/netns/);
  expect(rootOf(scene(everywhere, { failure: "timeout", detail: "" }, { state: "T" }))?.cause).toBe("dep-sigstop");
});

it("takes a queue that fills up for no firewall: clients have left connections that were never closed", () => {
  const left = (remotePort: number) => ({
    address: "172.30.0.3",
    port: 8080,
    remoteAddress: "172.30.0.9",
    remotePort,
    state: "CLOSE_WAIT",
    sendQueueBytes: 0,
    retransmits: 0,
  });
  const lost = { kind: "http" as const, path: "/", failure: "timeout" as const, detail: "no answer within 2500 ms" };
  const cause = (connections: ProcessFacts["connections"]) =>
    rootOf(scene(everywhere, lost, { connections }))?.cause ?? "none";
  expect(cause([left(44_528), left(44_530)])).not.toMatch(/netns/);
  expect(cause([])).toBe("netns-drop");
});

it("stays silent without the socket table", () => {
  const root = rootOf(
    scene(everywhere, { failure: "timeout", detail: "" }),
    (reading) => reading.source === "process-facts",
  );
  expect(root?.cause ?? "none").not.toMatch(/netns|loopback|target/);
});

it("accuses a mapping to a port where nobody listens", () => {
  const host: SceneHost = {
    containers: [
      {
        name: "web",
        inspect: { portBindings: [{ containerPort: 9000, protocol: "tcp", hostAddress: "", hostPort: 80 }] },
        other: { "process-facts": processFacts({ listeners: [{ address: "0.0.0.0", port: 8000 }] }) },
      },
    ],
  };
  expect(rootOf(host)).toMatchObject({ cause: "wrong-target-port", container: "web" });
});

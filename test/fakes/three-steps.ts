import type { HostAction } from "../../src/core/actions.ts";
import { planHash, type RemediationPlan } from "../../src/core/plan.ts";
import { preconditionOf } from "../../src/core/propose.ts";
import type { ContainerInspect } from "../../src/core/readings.ts";
import { append, room137 } from "../../src/room/record.ts";
import { watch } from "../../src/room/watch.ts";
import { idOf } from "../core/scene.ts";
import type { FakeHost } from "./fake-host.ts";
import { alice, type FakeRoom } from "./fake-room.ts";

const gib = 1024 ** 3;

/** A plan of three different steps for the host's `db`, made for the state it is in now. */
export function threeSteps(host: FakeHost, change: Partial<RemediationPlan> = {}): RemediationPlan {
  const target = { host: host.name, container: "db", containerId: idOf("db") };
  const actions: HostAction[] = [
    { action: "update-memory", ...target, memoryBytes: gib, memorySwapBytes: gib },
    { action: "update-restart-policy", ...target, restartPolicy: "unless-stopped", maximumRetryCount: 0 },
    { action: "start", ...target },
  ];
  const steps = actions.map((action) => ({ action, title: action.action, why: "because" }));
  const preconditions = [preconditionOf({ host: host.name, id: idOf("db"), name: "db" }, inspectOf(host, "db"))];
  const bound = { steps, preconditions, policyVersion: "p1" };
  return {
    hash: planHash(bound),
    cause: "cgroup-oom-main",
    ...bound,
    risk: "low",
    risks: [],
    verification: [],
    probes: [{ host: host.name, container: "web", containerId: idOf("web"), port: 8000, path: "/items", expect: 200 }],
    undo: [
      { action: "update-memory", ...target, memoryBytes: gib / 4, memorySwapBytes: gib / 4 },
      { action: "update-restart-policy", ...target, restartPolicy: "no", maximumRetryCount: 0 },
    ],
    undoWarning: "Taking memory back can kill.",
    composeNote: { service: "db", lines: ["      memory: 1g"] },
    memoryChoice: { floorBytes: gib / 2, ceilingBytes: 4 * gib },
    ...change,
  };
}

/** An incident alice asked about, whose three steps wait for an approval. Resolves to the plan's hash. */
export async function waitingPlan(
  fake: Pick<FakeRoom, "deps" | "host">,
  incidentId: string,
  more: { quorum?: number; breakGlass?: boolean } = {},
): Promise<string> {
  const plan = threeSteps(fake.host);
  const target = { service: "web", symptom: "http-500" as const, host: null };
  const expiresAtMs = fake.deps.clock.nowMs() + 30 * 60_000;
  const about = { quorum: 1, proposedFor: alice.userId, breakGlass: false, undoOf: null, ...more };
  await watch(fake.deps, incidentId);
  await append(fake.deps, null, incidentId, [
    { actor: room137, body: { kind: "opened", target, room: { channel: "C1", threadTs: "1.0" }, command: "" } },
    { actor: room137, body: { kind: "investigating", hosts: ["h1"], again: false } },
    { actor: room137, body: { kind: "plan-proposed", plan, expiresAtMs, ...about } },
  ]);
  return plan.hash;
}

export function inspectOf(host: FakeHost, name: string): ContainerInspect {
  const found = host
    .readings()
    .find((reading) => reading.source === "docker-inspect" && reading.containerId === idOf(name));
  if (found?.outcome.status !== "ok") throw new Error(`${name} is not on ${host.name}`);
  return found.outcome.value as ContainerInspect;
}

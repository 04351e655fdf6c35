import type { HostConfig } from "../../src/config/hosts.ts";
import type { HostAction } from "../../src/core/actions.ts";
import type { ApprovedPlan } from "../../src/core/approve.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";
import type { HostPerformer } from "../../src/ports.ts";
import { type Answer, json, type SeenRequest, startFakeEngine } from "./fake-engine.ts";

const closing: (() => Promise<void>)[] = [];

/** Ends every engine that was started. */
export async function closeEngines(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

export const containerId = "ab".repeat(32);
export const networkId = "cd".repeat(32);
export const target = { host: "prod-1", container: "db", containerId };
export const GiB = 1_024 ** 3;

/** The judge alone makes these in the program; a test that acts has to forge one. */
export const approved = (...actions: HostAction[]) =>
  ({ incidentId: "i", hash: "h", approvers: [], actions }) as unknown as ApprovedPlan;

export interface Container {
  memory?: number;
  memorySwap?: number;
  status?: string;
  networks?: string[];
  restartPolicy?: { Name: string; MaximumRetryCount: number };
  pidsLimit?: number;
}

function inspected(container: Container) {
  const status = container.status ?? "exited";
  return {
    State: {
      Status: status,
      Running: status !== "exited",
      Paused: status === "paused",
      ExitCode: 137,
      StartedAt: "2026-01-01T00:00:00Z",
      Error: "",
    },
    HostConfig: {
      Memory: container.memory ?? 0,
      MemorySwap: container.memorySwap ?? 0,
      PidsLimit: container.pidsLimit ?? null,
      RestartPolicy: container.restartPolicy ?? { Name: "no", MaximumRetryCount: 0 },
    },
    NetworkSettings: {
      Networks: Object.fromEntries((container.networks ?? []).map((id) => [id, { NetworkID: id, Aliases: null }])),
    },
  };
}

/** An engine that answers a write with `write` and then shows `after`. */
export async function engine(
  after: Container,
  write: (request: SeenRequest) => { status: number; body: unknown } | "hang up" = () => ({ status: 204, body: {} }),
) {
  const answer: Answer = (request, response) => {
    if (request.method === "GET") return json(response, 200, inspected(after));
    const reply = write(request);
    if (reply === "hang up") response.destroy();
    else if (reply.status === 204 || reply.status === 304) response.writeHead(reply.status).end();
    else json(response, reply.status, reply.body);
  };
  const started = await startFakeEngine(answer);
  closing.push(started.stop);
  const config: HostConfig = {
    name: "prod-1",
    local: true,
    dockerSocket: "/nope/read-only.sock",
    remediateDockerSocket: started.socketPath,
    kernelLog: "none",
    labels: {},
  };
  const hostConfig = (name: string) => (name === "prod-1" ? config : null);
  const performer = createHostPerformer({ hostConfig, clock: { nowMs: () => 0 } });
  return { performer, writes: () => started.seen.filter((request) => request.method !== "GET") };
}

/** A performer on an engine whose every answer a test writes. */
export async function engineThat(answer: Answer): Promise<{ performer: HostPerformer; seen: SeenRequest[] }> {
  const started = await startFakeEngine(answer);
  closing.push(started.stop);
  const config: HostConfig = {
    name: "prod-1",
    local: true,
    dockerSocket: started.socketPath,
    remediateDockerSocket: null,
    kernelLog: "none",
    labels: {},
  };
  return {
    performer: createHostPerformer({ hostConfig: () => config, clock: { nowMs: () => 0 } }),
    seen: started.seen,
  };
}

export const raise: Extract<HostAction, { action: "update-memory" }> = {
  ...target,
  action: "update-memory",
  memoryBytes: GiB,
  memorySwapBytes: GiB,
};

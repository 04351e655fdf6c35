import { afterEach, describe, expect, it } from "vitest";
import type { HostConfig } from "../../src/config/hosts.ts";
import type { HostAction } from "../../src/core/actions.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";
import {
  approved,
  type Container,
  closeEngines,
  containerId,
  engine,
  engineThat,
  GiB,
  networkId,
  raise,
  target,
} from "./acting-engine.ts";
import { json } from "./fake-engine.ts";

afterEach(closeEngines);

describe("an action", () => {
  it.each([
    [
      raise,
      { memory: GiB, memorySwap: GiB },
      `/containers/${containerId}/update`,
      { Memory: GiB, MemorySwap: GiB },
      `HostConfig.Memory=${GiB}, HostConfig.MemorySwap=${GiB}, State.Status=exited`,
    ],
    [
      { ...target, action: "update-pids-limit", pidsLimit: 500 },
      { pidsLimit: 500 },
      `/containers/${containerId}/update`,
      { PidsLimit: 500 },
      "HostConfig.PidsLimit=500",
    ],
    [
      { ...target, action: "update-restart-policy", restartPolicy: "on-failure", maximumRetryCount: 3 },
      { restartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } },
      `/containers/${containerId}/update`,
      { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } },
      "RestartPolicy.Name=on-failure",
    ],
    [
      { ...target, action: "start" },
      { status: "running" },
      `/containers/${containerId}/start`,
      null,
      "State.Status=running, State.StartedAt=2026-01-01T00:00:00Z",
    ],
    [
      { ...target, action: "restart", graceSeconds: 10 },
      { status: "running" },
      `/containers/${containerId}/restart?t=10`,
      { t: 10 },
      "State.Status=running",
    ],
    [
      { ...target, action: "unpause" },
      { status: "running" },
      `/containers/${containerId}/unpause`,
      null,
      "State.Status=running",
    ],
    [
      { ...target, action: "connect-network", networkId, networkName: "shop", aliases: ["db"] },
      { status: "running", networks: [networkId] },
      `/networks/${networkId}/connect`,
      { Container: containerId, EndpointConfig: { Aliases: ["db"] } },
      "NetworkSettings.Networks has shop",
    ],
  ] as [HostAction, Container, string, unknown, string][])(
    "$action is one request, and what it did is read back",
    async (action, after, path, body, readBack) => {
      const { performer, writes } = await engine(after, () => ({ status: 200, body: {} }));
      expect((await performer.perform(approved(action), 0)).readBack).toContain(readBack);
      expect(writes()).toEqual([{ method: "POST", path, body }]);
    },
  );

  it("start of a running container is fine", async () => {
    const { performer } = await engine({ status: "running" }, () => ({ status: 304, body: null }));
    expect((await performer.perform(approved({ ...target, action: "start" }), 0)).readBack).toContain(
      "State.Status=running",
    );
  });

  it("start of a container that ends at once shows its exit code", async () => {
    const { performer } = await engine({ status: "exited" });
    expect((await performer.perform(approved({ ...target, action: "start" }), 0)).readBack).toContain(
      "State.Status=exited, State.StartedAt=2026-01-01T00:00:00Z, State.ExitCode=137",
    );
  });

  it("that the engine accepts and discards is a fault", async () => {
    const { performer } = await engine({ memory: 0 }, () => ({
      status: 200,
      body: { Warnings: ["Limitation discarded."] },
    }));
    await expect(performer.perform(approved(raise), 0)).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining(`HostConfig.Memory is 0 and not ${GiB}`),
    });
  });

  it("on a kernel without swap accounting says so, with the engine's warning", async () => {
    const { performer } = await engine({ memory: GiB, memorySwap: -1 }, () => ({
      status: 200,
      body: { Warnings: ["Memory limited without swap."] },
    }));
    const { readBack } = await performer.perform(approved(raise), 0);
    expect(readBack).toContain("HostConfig.MemorySwap=-1 (this kernel does not account swap)");
    expect(readBack).toContain("engine: Memory limited without swap.");
  });

  it("that the engine refuses carries the engine's own words", async () => {
    const { performer } = await engine({}, () => ({
      status: 500,
      body: { message: "OCI runtime create failed: no such file" },
    }));
    await expect(performer.perform(approved({ ...target, action: "start" }), 0)).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining("OCI runtime create failed"),
    });
  });

  it("that a proxy forbids says which setting to look at", async () => {
    const { performer } = await engine({}, () => ({ status: 403, body: "no" }));
    await expect(performer.perform(approved({ ...target, action: "start" }), 0)).rejects.toMatchObject({
      next: expect.stringContaining("remediateDockerSocket"),
    });
  });

  it("whose answer is lost is sent once and told as unknown", async () => {
    const { performer, writes } = await engine({}, () => "hang up");
    await expect(
      performer.perform(approved({ ...target, action: "restart", graceSeconds: 1 }), 0),
    ).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining("whether it was done is not known"),
    });
    expect(writes()).toHaveLength(1);
  });

  it.each([
    [{ ...target, action: "unpause" }, { status: "running" }],
    [{ ...target, action: "connect-network", networkId, networkName: "shop", aliases: [] }, { networks: [networkId] }],
    // Podman has the network's name where Docker has its id.
    [{ ...target, action: "connect-network", networkId, networkName: "shop", aliases: [] }, { networks: ["shop"] }],
  ] as [HostAction, Container][])("$action of what is so already is done", async (action, after) => {
    const { performer } = await engine(after, () => ({ status: 500, body: { message: "already" } }));
    expect((await performer.perform(approved(action), 0)).readBack).toContain("it was so already");
  });
});

describe("an engine that lies", () => {
  it("with an answer without end is cut off", async () => {
    const { performer } = await engineThat((_request, response) => {
      const flood = () => {
        while (response.writable && response.write(Buffer.alloc(65_536, 120)));
      };
      response.on("drain", flood);
      flood();
    });
    await expect(performer.perform(approved(raise), 0)).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining("whether it was done is not known"),
    });
  });

  it("about what a container is, is told as an effect that could not be read back", async () => {
    const { performer } = await engineThat((request, response) =>
      json(response, 200, request.method === "GET" ? [] : {}),
    );
    await expect(performer.perform(approved(raise), 0)).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining("could not be read back"),
    });
  });
});

describe("what is not performed", () => {
  it.each([
    ["a step that is not in the plan", approved(raise), 1],
    ["a step before the first", approved(raise), -1],
    ["an unknown host", approved({ ...raise, host: "prod-2" }), 0],
    ["a name in place of an id", approved({ ...raise, containerId: "db" }), 0],
    ["an id with a path in it", approved({ ...raise, containerId: `../${"a".repeat(61)}` }), 0],
    ["less memory than the engine takes", approved({ ...raise, memoryBytes: 1_000 }), 0],
    ["a number that is none", approved({ ...raise, memoryBytes: Number.NaN }), 0],
    ["a negative grace", approved({ ...target, action: "restart", graceSeconds: -1 }), 0],
    ["no limit of processes", approved({ ...target, action: "update-pids-limit", pidsLimit: 0 }), 0],
    [
      "a network that is a path",
      approved({ ...target, action: "connect-network", networkId: "../x", networkName: "x", aliases: [] }),
      0,
    ],
  ])("is %s", async (_what, plan, step) => {
    const { performer, writes } = await engine({});
    await expect(performer.perform(plan, step)).rejects.toMatchObject({
      code: "action-failed",
      message: expect.stringContaining("nothing was sent"),
    });
    expect(writes()).toEqual([]);
  });

  it("is an action on a host whose socket cannot be opened", async () => {
    const config: HostConfig = {
      name: "prod-1",
      local: true,
      dockerSocket: "/nope",
      remediateDockerSocket: null,
      kernelLog: "none",
      labels: {},
    };
    const performer = createHostPerformer({ hostConfig: () => config, clock: { nowMs: () => 0 } });
    await expect(performer.perform(approved(raise), 0)).rejects.toMatchObject({
      code: "socket-refused",
      message: expect.stringContaining("was not sent"),
    });
  });
});

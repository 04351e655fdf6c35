import { afterEach, describe, expect, it } from "vitest";
import type { HostAction } from "../../src/core/actions.ts";
import { limits } from "../../src/core/limits.ts";
import { Fault } from "../../src/core/result.ts";
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

type Action<Name extends HostAction["action"]> = Extract<HostAction, { action: Name }>;

const start: HostAction = { ...target, action: "start" };
const unpause: HostAction = { ...target, action: "unpause" };
const pids: Action<"update-pids-limit"> = { ...target, action: "update-pids-limit", pidsLimit: 500 };
const policy: Action<"update-restart-policy"> = {
  ...target,
  action: "update-restart-policy",
  restartPolicy: "always",
  maximumRetryCount: 2,
};
const connect: Action<"connect-network"> = {
  ...target,
  action: "connect-network",
  networkId,
  networkName: "shop",
  aliases: [],
};
const since = "State.StartedAt=2026-01-01T00:00:00Z";

async function faultOf(work: Promise<unknown>): Promise<Pick<Fault, "code" | "message" | "next"> & { cause: unknown }> {
  const fault = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(fault instanceof Fault)) throw new Error(`no fault: ${String(fault)}`);
  const { code, message, next, cause } = fault;
  return { code, message, next, cause };
}

describe("what is read back", () => {
  it.each<[HostAction, Container, number, string]>([
    [
      raise,
      { memory: GiB, memorySwap: GiB },
      200,
      `HostConfig.Memory=${GiB}, HostConfig.MemorySwap=${GiB}, State.Status=exited`,
    ],
    [pids, { pidsLimit: 500 }, 200, "HostConfig.PidsLimit=500, State.Status=exited"],
    [
      policy,
      { restartPolicy: { Name: "always", MaximumRetryCount: 2 } },
      200,
      "HostConfig.RestartPolicy.Name=always, HostConfig.RestartPolicy.MaximumRetryCount=2, State.Status=exited",
    ],
    [start, { status: "running" }, 204, `State.Status=running, ${since}`],
    [start, { status: "running" }, 304, `State.Status=running, ${since}, it was so already`],
    [{ ...target, action: "restart", graceSeconds: 0 }, { status: "running" }, 204, `State.Status=running, ${since}`],
    [unpause, { status: "running" }, 204, "State.Status=running"],
    [
      connect,
      { status: "running", networks: ["a1", networkId] },
      200,
      "NetworkSettings.Networks has shop, State.Status=running",
    ],
  ])("after $action is every word of it", async (action, after, status, readBack) => {
    const { performer } = await engine(after, () => ({ status, body: {} }));
    expect(await performer.perform(approved(action), 0)).toEqual({ readBack });
  });

  it("comes from the container that was acted on, on connections that end with the step", async () => {
    const { performer, seen } = await engineThat((request, response) => {
      if (request.method !== "GET") return json(response, 200, { Warnings: null });
      const state = { Status: "running", Running: true, Paused: false, ExitCode: 0, StartedAt: "", Error: "" };
      const host = { Memory: GiB, MemorySwap: GiB, PidsLimit: null, RestartPolicy: {} };
      json(response, 200, { State: state, HostConfig: host, NetworkSettings: { Networks: {} } });
    });
    await performer.perform(approved(raise), 0);
    expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST /containers/${containerId}/update`,
      `GET /containers/${containerId}/json`,
    ]);
  });
});

describe("an engine that agrees and does something else", () => {
  it.each<[HostAction, Container, string]>([
    [raise, { memory: 1 }, `HostConfig.Memory is 1 and not ${GiB}`],
    [pids, {}, "HostConfig.PidsLimit is null and not 500"],
    [policy, {}, "HostConfig.RestartPolicy.Name is no and not always"],
    [unpause, { status: "paused" }, "State.Paused is true and not false"],
    [connect, { networks: ["ef".repeat(32)] }, "NetworkSettings.Networks is without the network and not shop"],
  ])("is told by what it shows", async (action, after, said) => {
    const { performer } = await engine(after, () => ({ status: 200, body: {} }));
    expect(await faultOf(performer.perform(approved(action), 0))).toMatchObject({
      code: "action-failed",
      message: `the engine of prod-1 accepted ${action.action} of db, but ${said}`,
      next: "see docker info for warnings: a kernel without this controller discards the value",
    });
  });

  it.each<[number, unknown, string]>([
    [500, {}, "the engine answered 500"],
    [200, { State: {}, HostConfig: {} }, "the answer is not a container"],
    [200, { State: {}, NetworkSettings: {} }, "the answer is not a container"],
    [200, { HostConfig: {}, NetworkSettings: {} }, "the answer is not a container"],
  ])(
    "or shows nothing of use after the step, is told as an effect that was not read back (%i)",
    async (status, body, why) => {
      const { performer } = await engineThat((request, response) =>
        request.method === "GET" ? json(response, status, body) : json(response, 200, {}),
      );
      expect(await faultOf(performer.perform(approved(raise), 0))).toMatchObject({
        code: "action-failed",
        message: `update-memory of db on prod-1 was sent, but its effect could not be read back: ${why}`,
        next: "look at it: docker inspect db",
      });
    },
  );

  it("or hangs up when it is asked what became of it, is told the same", async () => {
    const { performer } = await engineThat((request, response) =>
      request.method === "GET" ? void response.destroy() : json(response, 200, {}),
    );
    expect((await faultOf(performer.perform(approved(raise), 0))).message).toMatch(/could not be read back: .{5}/);
  });
});

describe("an engine that refuses", () => {
  it.each<[number, unknown, string, string]>([
    [403, { message: "no" }, "no", "the acting credential may not do this: check remediateDockerSocket"],
    [404, { message: "No such container" }, "No such container", "the container is gone; ask for a new plan"],
    [409, { message: "busy" }, "busy", "try it by hand to see more, or look at the engine's log on prod-1"],
  ])("with %i is told in its words, with what to do", async (status, body, said, next) => {
    const { performer } = await engine({}, () => ({ status, body }));
    expect(await faultOf(performer.perform(approved(start), 0))).toMatchObject({
      code: "action-failed",
      message: `the engine refused start of db on prod-1: ${said}`,
      next,
    });
  });

  it("at length is cut", async () => {
    const { performer } = await engine({}, () => ({ status: 500, body: { message: "x".repeat(5_000) } }));
    const { message } = await faultOf(performer.perform(approved(start), 0));
    expect(message).toBe(`the engine refused start of db on prod-1: ${"x".repeat(limits.factTextChars)}`);
  });

  it.each<[string, HostAction, Container]>([
    ["a start of what does not run", start, { status: "running" }],
    ["an unpause of what is still paused", unpause, { status: "paused" }],
    ["an unpause of what has ended", unpause, { status: "exited" }],
    ["a connection that is not there", connect, { networks: ["ef".repeat(32)] }],
  ])("%s is not taken for one that was done", async (_, action, after) => {
    const { performer } = await engine(after, () => ({ status: 500, body: { message: "no" } }));
    expect((await faultOf(performer.perform(approved(action), 0))).message).toContain("the engine refused");
  });

  it("and cannot be looked at either, is not taken for done", async () => {
    const { performer } = await engineThat((_, response) => json(response, 500, { message: "no" }));
    expect((await faultOf(performer.perform(approved(unpause), 0))).message).toContain("the engine refused unpause");
  });
});

it("says what was sent when the answer is lost, and keeps the cause for the log", async () => {
  const { performer } = await engine({}, () => "hang up");
  const fault = await faultOf(performer.perform(approved(start), 0));
  expect(fault.message).toMatch(
    /^start of db on prod-1 was sent, but its answer was lost: .+; whether it was done is not known$/,
  );
  expect(fault.next).toBe("look at it: docker inspect db");
  expect(fault.cause).toBeInstanceOf(Error);
});

describe("what could not be meant", () => {
  const long = "ab".repeat(33);
  it.each<[HostAction, string]>([
    [{ ...raise, containerId: "db" }, "the container id is not 64 hex digits"],
    [{ ...raise, containerId: long }, "the container id is not 64 hex digits"],
    [{ ...raise, containerId: `/${containerId}` }, "the container id is not 64 hex digits"],
    [{ ...raise, containerId: `${containerId}/../x` }, "the container id is not 64 hex digits"],
    [{ ...raise, memoryBytes: limits.minimumMemoryBytes - 1 }, "6291455 bytes is less than the engine accepts"],
    [{ ...raise, memoryBytes: 1.5 }, "memoryBytes is 1.5"],
    [{ ...pids, pidsLimit: 0 }, "a pids limit of 0 means no limit"],
    [{ ...pids, pidsLimit: -1 }, "pidsLimit is -1"],
    [{ ...connect, networkId: `${networkId}/x` }, "the network id is not an id"],
    [{ ...connect, networkId: `../${networkId}` }, "the network id is not an id"],
    [{ ...raise, host: "prod-2" }, "there is no host called prod-2"],
  ])("is not sent, and says why", async (action, why) => {
    const { performer, writes } = await engine({});
    expect(await faultOf(performer.perform(approved(action), 0))).toMatchObject({
      code: "action-failed",
      message: `nothing was sent: ${why}`,
      next: "ask for a new plan",
    });
    expect(writes()).toEqual([]);
  });

  it("is a step that is not in the plan", async () => {
    const { performer } = await engine({});
    expect((await faultOf(performer.perform(approved(raise), 3))).message).toBe(
      "nothing was sent: step 3 is not in the approved plan",
    );
  });

  it.each<[HostAction, Container]>([
    [
      { ...raise, memoryBytes: limits.minimumMemoryBytes, memorySwapBytes: -1 },
      { memory: limits.minimumMemoryBytes, memorySwap: -1 },
    ],
    [{ ...pids, pidsLimit: 1 }, { pidsLimit: 1 }],
    [{ ...policy, restartPolicy: "no", maximumRetryCount: 0 }, {}],
  ])("leaves the smallest that may be meant alone", async (action, after) => {
    const { performer, writes } = await engine(after, () => ({ status: 200, body: {} }));
    await performer.perform(approved(action), 0);
    expect(writes()).toHaveLength(1);
  });
});

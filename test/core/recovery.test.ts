import { describe, expect, it } from "vitest";
import type { HostAction } from "../../src/core/actions.ts";
import { changedSince, expectedBefore, type FreshState } from "../../src/core/preconditions.ts";
import { preconditionOf } from "../../src/core/propose.ts";
import type { ContainerInspect } from "../../src/core/readings.ts";
import { findStep, settlesWithinMs } from "../../src/core/recovery.ts";
import { fakeHost } from "../fakes/fake-host.ts";
import { inspectOf, threeSteps } from "../fakes/three-steps.ts";
import { askedAtMs, idOf } from "./scene.ts";

const mib = 1024 ** 2;
const host = fakeHost({ nowMs: () => askedAtMs });
const db = inspectOf(host, "db");
const view = { host: "h1", id: idOf("db"), name: "db" };
const before = preconditionOf(view, db).expect;
const target = { host: "h1", container: "db", containerId: idOf("db") };

const raise: HostAction = { action: "update-memory", ...target, memoryBytes: 1024 * mib, memorySwapBytes: 1024 * mib };
const pids: HostAction = { action: "update-pids-limit", ...target, pidsLimit: 512 };
const policy: HostAction = {
  action: "update-restart-policy",
  ...target,
  restartPolicy: "on-failure",
  maximumRetryCount: 3,
};
const start: HostAction = { action: "start", ...target };
const restart: HostAction = { action: "restart", ...target, graceSeconds: 10 };
const unpause: HostAction = { action: "unpause", ...target };
const connect: HostAction = {
  action: "connect-network",
  ...target,
  networkId: "abc",
  networkName: "app",
  aliases: ["db"],
};

function now(change: Partial<ContainerInspect>): FreshState {
  return { container: { ...db, ...change } };
}

describe("a step that was begun", () => {
  const up = { status: "running" as const, running: true };
  const cases: [string, HostAction, FreshState, string, Partial<typeof before>?][] = [
    ["is done when the limit is the wanted one", raise, now({ memoryLimitBytes: 1024 * mib }), "done"],
    ["is not done when the limit is the old one", raise, now({}), "not-done"],
    ["is unknown when somebody set another limit", raise, now({ memoryLimitBytes: 300 * mib }), "unknown"],
    ["is unknown when the limit was taken away", raise, now({ memoryLimitBytes: null }), "unknown"],
    ["is done when the process limit is the wanted one", pids, now({ pidsLimit: 512 }), "done", { pidsLimit: 100 }],
    [
      "is not done when the process limit is the old one",
      pids,
      now({ pidsLimit: 100 }),
      "not-done",
      { pidsLimit: 100 },
    ],
    ["is unknown when the old process limit is not known", pids, now({ pidsLimit: null }), "unknown"],
    [
      "is done when the policy is the wanted one",
      policy,
      now({ restartPolicy: { name: "on-failure", maximumRetryCount: 3 } }),
      "done",
    ],
    [
      "is unknown when the policy has other retries",
      policy,
      now({ restartPolicy: { name: "on-failure", maximumRetryCount: 5 } }),
      "unknown",
    ],
    ["is not done when the policy is the old one", policy, now({}), "not-done"],
    ["is done when the container runs", start, now(up), "done"],
    ["is done when it ran and has ended again", start, now({ startedAtMs: askedAtMs }), "done"],
    ["is not done when it never started again", start, now({}), "not-done"],
    ["is unknown when it loops and does not run", start, now({}), "unknown", { startedAtMs: null }],
    ["is done when it started again", restart, now({ ...up, startedAtMs: askedAtMs }), "done"],
    ["is done when it started again and has ended", restart, now({ startedAtMs: askedAtMs }), "done"],
    ["is not done while the old run goes on", restart, now(up), "not-done"],
    ["is unknown between its stop and its start", restart, now({}), "unknown"],
    ["is unknown when the old start is not known", restart, now(up), "unknown", { startedAtMs: null }],
    ["is done when it is not paused any more", unpause, now(up), "done"],
    ["is not done while it is paused", unpause, now({ ...up, status: "paused", paused: true }), "not-done"],
    ["is unknown when the paused one has ended", unpause, now({}), "unknown"],
    ["is not done while it is not attached", connect, now({}), "not-done"],
    [
      "is done when it is attached by the network's id",
      connect,
      now({ networks: [{ name: "other", networkId: "abc", address: null, gateway: null, aliases: [] }] }),
      "done",
    ],
    [
      "is done when Podman tells the network's name for its id",
      connect,
      now({ networks: [{ name: "app", networkId: "app", address: null, gateway: null, aliases: [] }] }),
      "done",
    ],
  ];
  it.each(cases)("%s", (_, action, fresh, state, known) => {
    const found = findStep(action, { ...before, ...known }, fresh);
    expect(found.state).toBe(state);
    expect(found.reason).not.toBe("");
  });

  it("is unknown, with the reason, when the container is gone or cannot be read", () => {
    for (const action of [raise, pids, policy, start, restart, unpause, connect]) {
      expect(findStep(action, before, { gone: true })).toEqual({ state: "unknown", reason: "db is gone" });
      expect(findStep(action, before, { unreadable: "no answer" })).toEqual({
        state: "unknown",
        reason: "db could not be read: no answer",
      });
    }
    expect(findStep(start, null, now({})).state).toBe("unknown");
    expect(findStep(raise, null, now({})).state).toBe("unknown");
  });

  it("says what was seen", () => {
    expect(findStep(raise, before, now({})).reason).toBe(`HostConfig.Memory=${256 * mib}`);
    expect(findStep(start, before, now({ startedAtMs: null })).reason).toBe(
      "State.Status=exited, State.StartedAt=never",
    );
    expect(findStep(connect, before, now({})).reason).toBe("NetworkSettings.Networks lacks app");
  });

  it("may still be under way only where doing it twice would be two effects", () => {
    expect([raise, pids, policy, unpause, connect].map(settlesWithinMs)).toEqual([0, 0, 0, 0, 0]);
    expect(settlesWithinMs(start)).toBe(15_000);
    expect(settlesWithinMs(restart)).toBe(25_000);
  });
});

describe("preconditions", () => {
  const plan = threeSteps(host);
  const same = () => now({});

  it("hold while nothing changed", () => {
    expect(changedSince(plan.preconditions, same)).toEqual([]);
  });

  const changes: [string, Partial<ContainerInspect>, string][] = [
    ["status", { status: "running" }, "db: status was exited, is running"],
    [
      "start time",
      { startedAtMs: askedAtMs },
      "db: start time was 2026-01-01T10:03:20.000Z, is 2026-01-01T12:00:00.000Z",
    ],
    ["end time", { finishedAtMs: null }, "db: end time was 2026-01-01T11:57:00.000Z, is unknown"],
    ["restart count", { restartCount: 2 }, "db: restart count was 0, is 2"],
    ["memory limit", { memoryLimitBytes: null }, "db: memory limit was 256 MiB, is none"],
    ["memory plus swap", { memorySwapBytes: -1 }, "db: memory plus swap was 256 MiB, is unlimited"],
    [
      "restart policy",
      { restartPolicy: { name: "always", maximumRetryCount: 0 } },
      "db: restart policy was no, is always",
    ],
    ["networks", { networks: [] }, "db: networks was app, is none"],
  ];
  it.each(changes)("do not hold with another %s", (_, change, said) => {
    expect(changedSince(plan.preconditions, () => now(change))).toEqual([said]);
  });

  it("leave out what a container in a crash loop changes all the time", () => {
    const looping = inspectOf(host, "db");
    const loop = preconditionOf(view, {
      ...looping,
      restartCount: 4,
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    });
    const later = now({
      status: "restarting",
      startedAtMs: askedAtMs,
      finishedAtMs: askedAtMs,
      restartCount: 9,
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    });
    expect(changedSince([loop], () => later)).toEqual([]);
  });

  it("do not hold for a container that is gone or cannot be read", () => {
    expect(changedSince(plan.preconditions, () => ({ gone: true }))).toEqual([
      `db is gone: there is no container ${idOf("db").slice(0, 12)} now`,
    ]);
    expect(changedSince(plan.preconditions, () => ({ unreadable: "timeout" }))).toEqual([
      "db on h1 could not be read: timeout",
    ]);
  });

  it("expect what the plan's own steps have changed, and nothing else to have changed", () => {
    const steps = [raise, pids, policy, unpause, connect, start].map((action) => ({
      action,
      title: "",
      why: "",
    }));
    const [precondition] = plan.preconditions;
    const other = { ...(precondition as NonNullable<typeof precondition>), containerId: idOf("web"), container: "web" };
    const whole = { steps, preconditions: [...plan.preconditions, other] };
    const at = (step: number) => expectedBefore(whole, step)[0]?.expect;
    expect(at(0)).toEqual(before);
    expect(at(1)).toEqual({ ...before, memoryLimitBytes: 1024 * mib, memorySwapBytes: null });
    expect(at(2)).toMatchObject({ pidsLimit: 512 });
    expect(at(3)).toMatchObject({ restartPolicy: "on-failure", status: "exited" });
    expect(at(4)).toMatchObject({ status: "running" });
    expect(at(5)).toMatchObject({ networks: ["app"] });
    expect(at(6)).toMatchObject({
      status: null,
      startedAtMs: null,
      finishedAtMs: null,
      restartCount: null,
      memoryLimitBytes: 1024 * mib,
    });
    for (let step = 0; step <= 6; step += 1) expect(expectedBefore(whole, step)[1]).toEqual(other);
    expect(before.memoryLimitBytes).toBe(256 * mib);
    const wider = expectedBefore(
      { ...whole, steps: [{ action: { ...connect, networkName: "aaa" }, title: "", why: "" }] },
      1,
    );
    expect(wider[0]?.expect.networks).toEqual(["aaa", "app"]);
    const again = expectedBefore({ ...whole, steps: [{ action: restart, title: "", why: "" }] }, 1);
    expect(again[0]?.expect).toMatchObject({ status: null, startedAtMs: null, restartCount: null });
  });
});

describe("what was seen", () => {
  const network = (networkId: string) => ({ ...(db.networks[0] as ContainerInspect["networks"][number]), networkId });

  it("finds a network among others, and says which it has or lacks", () => {
    expect(findStep(connect, before, now({ networks: [network("x"), network("abc")] }))).toEqual({
      state: "done",
      reason: "NetworkSettings.Networks has app",
    });
    expect(findStep(connect, before, now({ networks: [network("x")] }))).toEqual({
      state: "not-done",
      reason: "NetworkSettings.Networks lacks app",
    });
  });

  it("names the field, and the time of a start", () => {
    expect(findStep(pids, before, now({ pidsLimit: 512 })).reason).toBe("HostConfig.PidsLimit=512");
    expect(findStep(start, before, now({ running: true, status: "running", startedAtMs: askedAtMs })).reason).toBe(
      "State.Status=running, State.StartedAt=2026-01-01T12:00:00.000Z",
    );
  });

  it("takes another policy with the wanted number of retries for neither", () => {
    const other = now({ restartPolicy: { name: "always", maximumRetryCount: 3 } });
    expect(findStep(policy, before, other).state).toBe("unknown");
  });

  it.each([pids, policy, start, restart])(
    "of %o is nothing to judge by where the state before is not known",
    (action) => {
      const other = now({ pidsLimit: 7, restartPolicy: { name: "always", maximumRetryCount: 0 } });
      expect(findStep(action, null, other).state).toBe("unknown");
    },
  );
});

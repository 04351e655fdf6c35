import type { HostAction } from "./actions.ts";
import type { Precondition, RemediationPlan } from "./plan.ts";
import type { ContainerInspect } from "./readings.ts";
import { humanBytes } from "./rule.ts";

/** What a fresh inspect said: the state, that there is no such container, or why it could not be read. */
export type FreshState = { container: ContainerInspect } | { gone: true } | { unreadable: string };

/** What must hold just before a step: the state the plan was made for, changed by the plan's own steps before it. */
export function expectedBefore(plan: Pick<RemediationPlan, "steps" | "preconditions">, step: number): Precondition[] {
  const done = plan.steps.slice(0, step).map((earlier) => earlier.action);
  return plan.preconditions.map((precondition) =>
    done.filter((action) => action.containerId === precondition.containerId).reduce(after, precondition),
  );
}

/** How the expectation changes with one own step. What a run changes by itself is not expected any more. */
function after(precondition: Precondition, action: HostAction): Precondition {
  const { expect } = precondition;
  const change = (changed: Partial<Precondition["expect"]>) => ({ ...precondition, expect: { ...expect, ...changed } });
  switch (action.action) {
    case "update-memory":
      // An engine that does not account swap stores another sum than was asked for.
      return change({ memoryLimitBytes: action.memoryBytes, memorySwapBytes: null });
    case "update-pids-limit":
      return change({ pidsLimit: action.pidsLimit });
    case "update-restart-policy":
      return change({ restartPolicy: action.restartPolicy });
    case "start":
    case "restart":
      return change({ status: null, startedAtMs: null, finishedAtMs: null, restartCount: null });
    case "unpause":
      return change({ status: "running" });
    case "connect-network":
      return change({ networks: [...new Set([...expect.networks, action.networkName])].sort() });
  }
}

/** What changed, as sentences; empty means that everything still holds. What cannot be read does not hold. */
export function changedSince(
  expected: readonly Precondition[],
  freshOf: (precondition: Precondition) => FreshState,
): string[] {
  return expected.flatMap((precondition) => {
    const name = precondition.container;
    const fresh = freshOf(precondition);
    if ("unreadable" in fresh) return [`${name} on ${precondition.host} could not be read: ${fresh.unreadable}`];
    if ("gone" in fresh) return [`${name} is gone: there is no container ${precondition.containerId.slice(0, 12)} now`];
    return differences(precondition, fresh.container);
  });
}

function differences({ container: name, expect }: Precondition, now: ContainerInspect): string[] {
  const found: string[] = [];
  const compare = (what: string, expected: unknown, actual: unknown, show: (value: never) => string = String) => {
    if (expected === null || expected === actual) return;
    found.push(`${name}: ${what} was ${show(expected as never)}, is ${show(actual as never)}`);
  };
  compare("status", expect.status, now.status);
  compare("start time", expect.startedAtMs, now.startedAtMs, time);
  compare("end time", expect.finishedAtMs, now.finishedAtMs, time);
  compare("restart count", expect.restartCount, now.restartCount);
  compare("memory limit", expect.memoryLimitBytes, now.memoryLimitBytes, size);
  compare("memory plus swap", expect.memorySwapBytes, now.memorySwapBytes, size);
  compare("process limit", expect.pidsLimit, now.pidsLimit);
  compare("restart policy", expect.restartPolicy, now.restartPolicy.name);
  const networks = now.networks.map((network) => network.name).sort();
  compare("networks", expect.networks.join(", ") || "none", networks.join(", ") || "none");
  return found;
}

function time(atMs: number | null): string {
  return atMs === null ? "unknown" : new Date(atMs).toISOString();
}

function size(bytes: number | null): string {
  if (bytes === null) return "none";
  return bytes < 0 ? "unlimited" : humanBytes(bytes);
}

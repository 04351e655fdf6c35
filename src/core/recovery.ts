import type { HostAction, StepState } from "./actions.ts";
import { limits } from "./limits.ts";
import type { Precondition } from "./plan.ts";
import type { FreshState } from "./preconditions.ts";
import type { ContainerInspect } from "./readings.ts";

export interface FoundStep {
  state: StepState;
  /** One sentence with what was seen. */
  reason: string;
}

/**
 * Whether a step that was begun has been done, told from outside alone. `before` is the state the step was begun in.
 * Anything that is neither the old state nor the wanted one is unknown: somebody else may have acted.
 */
export function findStep(action: HostAction, before: Precondition["expect"] | null, fresh: FreshState): FoundStep {
  if ("unreadable" in fresh) return unknown(`${action.container} could not be read: ${fresh.unreadable}`);
  if ("gone" in fresh) return unknown(`${action.container} is gone`);
  const now = fresh.container;
  switch (action.action) {
    case "update-memory":
      return ofValue("HostConfig.Memory", now.memoryLimitBytes, action.memoryBytes, before?.memoryLimitBytes ?? null);
    case "update-pids-limit":
      return ofValue("HostConfig.PidsLimit", now.pidsLimit, action.pidsLimit, before?.pidsLimit ?? null);
    case "update-restart-policy":
      return ofPolicy(action, now, before?.restartPolicy ?? null);
    case "start":
      return ofStart(now, before);
    case "restart":
      return ofRestart(now, before);
    case "unpause":
      if (now.paused) return notDone("State.Paused=true");
      return now.running
        ? done("State.Paused=false")
        : unknown(`State.Status=${now.status}: it is not paused, nor does it run`);
    case "connect-network": {
      const attached = now.networks.some(
        // Podman puts the network's name where the engine puts its id.
        ({ name, networkId }) => networkId === action.networkId || (networkId === name && name === action.networkName),
      );
      const seen = `NetworkSettings.Networks ${attached ? "has" : "lacks"} ${action.networkName}`;
      return attached ? done(seen) : notDone(seen);
    }
  }
}

/**
 * How long after it was begun a step may still be at work in the engine although nobody waits for the answer. Until
 * then `not-done` proves nothing for an action that must not happen twice. Setting a value twice is setting it once.
 */
export function settlesWithinMs(action: HostAction): number {
  switch (action.action) {
    case "update-memory":
    case "update-pids-limit":
    case "update-restart-policy":
    case "unpause":
    case "connect-network":
      return 0;
    case "start":
      return limits.actionSettlesMs;
    case "restart":
      return limits.actionSettlesMs + action.graceSeconds * 1_000;
  }
}

function ofValue(field: string, now: number | null, wanted: number, before: number | null): FoundStep {
  if (now === wanted) return done(`${field}=${now}`);
  if (before !== null && now === before) return notDone(`${field}=${now}`);
  return unknown(`${field}=${now}: neither the value before nor the one of the plan`);
}

function ofPolicy(
  action: Extract<HostAction, { action: "update-restart-policy" }>,
  now: ContainerInspect,
  before: string | null,
): FoundStep {
  const { name, maximumRetryCount } = now.restartPolicy;
  const seen = `HostConfig.RestartPolicy.Name=${name}, MaximumRetryCount=${maximumRetryCount}`;
  if (name === action.restartPolicy && maximumRetryCount === action.maximumRetryCount) return done(seen);
  if (name === before) return notDone(seen);
  return unknown(`${seen}: neither the policy before nor the one of the plan`);
}

/** A start that ended at once was done all the same: the verification says what came of it. */
function ofStart(now: ContainerInspect, before: Precondition["expect"] | null): FoundStep {
  const seen = `State.Status=${now.status}, State.StartedAt=${time(now.startedAtMs)}`;
  if (now.running) return done(seen);
  const startedBeforeMs = before?.startedAtMs ?? null;
  if (startedBeforeMs === null) return unknown(`${seen}: when it had started before is not known`);
  return now.startedAtMs === startedBeforeMs ? notDone(seen) : done(seen);
}

function ofRestart(now: ContainerInspect, before: Precondition["expect"] | null): FoundStep {
  const seen = `State.Status=${now.status}, State.StartedAt=${time(now.startedAtMs)}`;
  const startedBeforeMs = before?.startedAtMs ?? null;
  if (startedBeforeMs === null) return unknown(`${seen}: when it had started before is not known`);
  if (now.startedAtMs !== startedBeforeMs) return done(seen);
  // Between its stop and its start a restart looks like a container that somebody stopped.
  return now.running ? notDone(seen) : unknown(`${seen}: it was stopped and has not been started again`);
}

function time(atMs: number | null): string {
  return atMs === null ? "never" : new Date(atMs).toISOString();
}

function done(reason: string): FoundStep {
  return { state: "done", reason };
}

function notDone(reason: string): FoundStep {
  return { state: "not-done", reason };
}

function unknown(reason: string): FoundStep {
  return { state: "unknown", reason };
}

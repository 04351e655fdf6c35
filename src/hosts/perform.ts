import type Docker from "dockerode";
import type { HostConfig } from "../config/hosts.ts";
import type { HostAction } from "../core/actions.ts";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostPerformer } from "../ports.ts";
import { getDocker } from "./docker.ts";
import { createDockerAgent, createDockerSocket } from "./docker-socket.ts";
import { errorText, type Failure, failure, type HostLink } from "./link.ts";
import { createLocalLink } from "./local.ts";
import { createSshLink } from "./ssh.ts";

/**
 * The one place that changes a host. The acting credential is opened here for one step of an approved plan and closed
 * with it; nothing is ever sent twice. Throws `Fault` host-unreachable, host-key-*, login-refused, socket-refused
 * (nothing was sent) or action-failed.
 */
export function createHostPerformer(deps: {
  hostConfig: (name: string) => HostConfig | null;
  clock: Clock;
}): HostPerformer {
  return {
    async perform(plan, step) {
      const action = plan.actions[step];
      if (!action) throw refusedAction(`step ${step} is not in the approved plan`);
      const config = deps.hostConfig(action.host);
      if (!config) throw refusedAction(`there is no host called ${action.host}`);
      checkAction(action);
      const link = openActingLink(config, deps.clock);
      const socket = createDockerSocket(link, config.remediateDockerSocket ?? config.dockerSocket);
      // The library that sends keeps whole answers in memory, so the connection itself is bounded.
      const agent = createDockerAgent(socket, { keepAlive: false, maxBytes: limits.dockerReplyBytes });
      try {
        await link.connect();
        const readBack = await carryOut(agent, action);
        return { readBack };
      } finally {
        agent.destroy();
        await link.close();
      }
    },
  };
}

/** The acting side of a host: its own key and user, or the reading ones where the config names no acting key. */
export function openActingLink(config: HostConfig, clock: Clock): HostLink {
  if (config.local) return createLocalLink(config.name);
  const own = config.remediateIdentityFile;
  const target = {
    ...config,
    host: config.name,
    user: config.remediateUser ?? config.user,
    identityFile: own ?? config.identityFile,
    agentSocket: own ? null : config.agentSocket,
  };
  return createSshLink({ target, clock });
}

type Agent = ReturnType<typeof createDockerAgent>;

/** What is compared and quoted after a step. */
interface Inspected {
  State: {
    Status: string;
    Running: boolean;
    Paused: boolean;
    ExitCode: number;
    StartedAt: string;
    Error: string;
  };
  HostConfig: {
    Memory: number;
    MemorySwap: number;
    PidsLimit: number | null;
    RestartPolicy: { Name: string; MaximumRetryCount: number };
  };
  NetworkSettings: {
    Networks: Record<string, { NetworkID: string; Aliases: string[] | null }>;
  };
}

async function carryOut(agent: Agent, action: HostAction): Promise<string> {
  // The address is never dialled: every connection is made by the agent. Naming it keeps DOCKER_HOST out.
  const options = { protocol: "http", host: "docker", port: 80, agent };
  // Loaded for the first action only: it brings libraries for builds that no question in a terminal should wait for.
  const { default: Dockerode } = await import("dockerode");
  const docker = new Dockerode(options as Docker.DockerOptions);
  const signal = AbortSignal.timeout(limits.actionTimeoutMs);
  const warnings = await send(docker, action, signal).catch(async (error) => {
    // A crash may have come between the doing and the telling, so asking for what already holds is not an error.
    if ((error as { statusCode?: number }).statusCode === 304) return ["it was so already"];
    const fault = sendFault(action, error, signal);
    if (fault.code !== "action-failed" || !(await alreadyHolds(agent, action))) throw fault;
    return ["it was so already"];
  });
  return [...describe(action, await inspect(agent, action)), ...warnings].join(", ");
}

/** One request per action. Resolves with the engine's warnings. */
async function send(docker: Docker, action: HostAction, abortSignal: AbortSignal): Promise<string[]> {
  const container = docker.getContainer(action.containerId);
  const warningsOf = (reply: { Warnings?: string[] | null } | null) =>
    (reply?.Warnings ?? []).map((text) => `engine: ${text}`);
  switch (action.action) {
    case "update-memory":
      // Memory and swap go together: an engine that stored a smaller memory+swap would refuse memory alone.
      return warningsOf(
        await container.update({
          Memory: action.memoryBytes,
          MemorySwap: action.memorySwapBytes,
          abortSignal,
        }),
      );
    case "update-pids-limit":
      return warningsOf(await container.update({ PidsLimit: action.pidsLimit, abortSignal }));
    case "update-restart-policy": {
      const policy = {
        Name: action.restartPolicy,
        MaximumRetryCount: action.maximumRetryCount,
      };
      return warningsOf(await container.update({ RestartPolicy: policy, abortSignal }));
    }
    case "start":
      await container.start({ abortSignal });
      return [];
    case "restart":
      await container.restart({ t: action.graceSeconds, abortSignal });
      return [];
    case "unpause":
      await container.unpause({ abortSignal });
      return [];
    case "connect-network":
      // The types know no abortSignal here; the library passes it on like everywhere else.
      await docker.getNetwork(action.networkId).connect({
        Container: action.containerId,
        EndpointConfig: { Aliases: action.aliases },
        ...({ abortSignal } as object),
      });
      return [];
  }
}

async function inspect(agent: Agent, action: HostAction): Promise<Inspected> {
  const path = `/containers/${action.containerId}/json`;
  const answer = await getDocker(agent, path, limits.dockerReplyBytes).catch((error) =>
    failure("unreachable", errorText(error)),
  );
  const problem = !answer.ok ? answer.reason : answer.status !== 200 ? `the engine answered ${answer.status}` : null;
  if (problem === null && answer.ok) {
    try {
      const parsed = JSON.parse(answer.body.toString("utf8")) as Inspected;
      if (parsed.State && parsed.HostConfig && parsed.NetworkSettings) return parsed;
    } catch {
      // Told below, like an answer that is JSON but no container.
    }
  }
  throw new Fault(
    "action-failed",
    `${action.action} of ${action.container} on ${action.host} was sent, but its effect could not be read back: ${problem ?? "the answer is not a container"}`,
    `look at it: docker inspect ${action.container}`,
  );
}

/** The state as read back. Throws where the engine agreed and did nothing, as it does without a memory controller. */
function describe(action: HostAction, now: Inspected): string[] {
  const status = `State.Status=${now.State.Status}`;
  const { Memory, MemorySwap, PidsLimit, RestartPolicy } = now.HostConfig;
  switch (action.action) {
    case "update-memory": {
      expectValue(action, "HostConfig.Memory", Memory, action.memoryBytes);
      const swap = MemorySwap === action.memorySwapBytes ? "" : " (this kernel does not account swap)";
      return [`HostConfig.Memory=${Memory}`, `HostConfig.MemorySwap=${MemorySwap}${swap}`, status];
    }
    case "update-pids-limit":
      expectValue(action, "HostConfig.PidsLimit", PidsLimit, action.pidsLimit);
      return [`HostConfig.PidsLimit=${PidsLimit}`, status];
    case "update-restart-policy":
      expectValue(action, "HostConfig.RestartPolicy.Name", RestartPolicy.Name, action.restartPolicy);
      expectValue(
        action,
        "HostConfig.RestartPolicy.MaximumRetryCount",
        RestartPolicy.MaximumRetryCount,
        action.maximumRetryCount,
      );
      return [
        `HostConfig.RestartPolicy.Name=${RestartPolicy.Name}`,
        `HostConfig.RestartPolicy.MaximumRetryCount=${RestartPolicy.MaximumRetryCount}`,
        status,
      ];
    case "start":
    case "restart":
      return [
        status,
        `State.StartedAt=${now.State.StartedAt}`,
        ...(now.State.Running ? [] : [`State.ExitCode=${now.State.ExitCode}`]),
      ];
    case "unpause":
      expectValue(action, "State.Paused", now.State.Paused, false);
      return [status];
    case "connect-network":
      if (!isAttached(action, now))
        expectValue(action, "NetworkSettings.Networks", "without the network", action.networkName);
      return [`NetworkSettings.Networks has ${action.networkName}`, status];
  }
}

function expectValue(action: HostAction, field: string, actual: unknown, asked: unknown): void {
  if (actual === asked) return;
  throw new Fault(
    "action-failed",
    `the engine of ${action.host} accepted ${action.action} of ${action.container}, but ${field} is ${String(actual)} and not ${String(asked)}`,
    "see docker info for warnings: a kernel without this controller discards the value",
  );
}

async function alreadyHolds(agent: Agent, action: HostAction): Promise<boolean> {
  if (action.action !== "unpause" && action.action !== "connect-network") return false;
  const now = await inspect(agent, action).catch(() => null);
  if (!now) return false;
  return action.action === "unpause" ? now.State.Running && !now.State.Paused : isAttached(action, now);
}

function isAttached(action: Extract<HostAction, { action: "connect-network" }>, now: Inspected): boolean {
  // Podman puts the network's name where the engine puts its id.
  return Object.entries(now.NetworkSettings.Networks).some(
    ([name, network]) =>
      network.NetworkID === action.networkId || (network.NetworkID === name && name === action.networkName),
  );
}

function sendFault(action: HostAction, error: unknown, signal: AbortSignal): Fault {
  const what = `${action.action} of ${action.container} on ${action.host}`;
  if (error instanceof Fault) return error;
  const closed = (error as { failure?: Failure }).failure;
  if (closed)
    return new Fault("socket-refused", `${what} was not sent: ${closed.reason}`, closed.fix ?? "check the host");
  const status = (error as { statusCode?: number }).statusCode;
  const said = (error as { json?: { message?: unknown } }).json?.message;
  if (status !== undefined) {
    const text = typeof said === "string" ? said : errorText(error);
    return new Fault(
      "action-failed",
      `the engine refused ${what}: ${text.slice(0, limits.factTextChars)}`,
      nextAfter(status, action),
    );
  }
  const why = signal.aborted ? `no answer within ${limits.actionTimeoutMs} ms` : errorText(error);
  return new Fault(
    "action-failed",
    `${what} was sent, but its answer was lost: ${why}; whether it was done is not known`,
    `look at it: docker inspect ${action.container}`,
    { cause: error },
  );
}

function nextAfter(status: number, action: HostAction): string {
  if (status === 403) return "the acting credential may not do this: check remediateDockerSocket";
  if (status === 404) return "the container is gone; ask for a new plan";
  return `try it by hand to see more, or look at the engine's log on ${action.host}`;
}

/** The values were judged when the plan was made; here only what could not be meant at all is stopped. */
function checkAction(action: HostAction): void {
  if (!/^[0-9a-f]{64}$/.test(action.containerId)) throw refusedAction("the container id is not 64 hex digits");
  const numbers = Object.entries(action).filter(([, value]) => typeof value === "number");
  const odd = numbers.find(
    ([name, value]) => !Number.isSafeInteger(value) || ((value as number) < 0 && name !== "memorySwapBytes"),
  );
  if (odd) throw refusedAction(`${odd[0]} is ${String(odd[1])}`);
  if (action.action === "update-memory" && action.memoryBytes < limits.minimumMemoryBytes) {
    throw refusedAction(`${action.memoryBytes} bytes is less than the engine accepts`);
  }
  if (action.action === "update-pids-limit" && action.pidsLimit < 1)
    throw refusedAction("a pids limit of 0 means no limit");
  if (action.action === "connect-network" && !/^[0-9a-z]{1,64}$/.test(action.networkId)) {
    throw refusedAction("the network id is not an id");
  }
}

function refusedAction(why: string): Fault {
  return new Fault("action-failed", `nothing was sent: ${why}`, "ask for a new plan");
}

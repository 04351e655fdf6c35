import type { ActionName, HostAction } from "../actions.ts";
import { causeFacts } from "../causes.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import type { PlanStep } from "../plan.ts";
import { humanBytes } from "../rule.ts";
import { type ContainerView, containerOf, hostOf, type World } from "../world.ts";
import { type MemoryPolicy, type MemorySize, sizeMemory } from "./size-memory.ts";

/** What one finding would have done, or the sentence that says why nothing is. */
export type Remedy =
  | { steps: PlanStep[]; undo: HostAction[]; risks: string[]; size: MemorySize | null; composeLines: string[] }
  | { none: string };

/**
 * The steps for one finding, chosen from what its cause may offer and from the state of what is acted on:
 * a memory cap is raised before a start, nothing that runs is started, nothing that only shows the symptom is touched.
 */
export function remedyFor(world: World, finding: Finding, policy: MemoryPolicy): Remedy {
  const offers = causeFacts(finding.cause).mayOffer;
  const view = actedOn(world, finding);
  if (offers.length === 0) return { none: "no action of the program cures this cause" };
  if (view === null || view.inspect === null) return { none: "what would be acted on was not seen" };
  const draft = {
    steps: [] as PlanStep[],
    undo: [] as HostAction[],
    risks: [] as string[],
    size: null as MemorySize | null,
    composeLines: [] as string[],
  };
  for (const offer of offers) {
    const refused = addStep(world, finding, view, offer, policy, draft);
    if (refused !== null) return { none: refused };
  }
  return draft.steps.length === 0 ? { none: "nothing that could be done would change its state" } : draft;
}

/** The culprit, or the other container the finding names for the safe action. */
export function actedOn(world: World, finding: Finding): ContainerView | null {
  if (finding.actOn != null) return containerOf(world, finding.actOn);
  if (causeFacts(finding.cause).actsOn === "victim" && finding.shownBy !== undefined)
    return containerOf(world, finding.shownBy);
  return containerOf(world, { host: finding.host, containerId: finding.containerId });
}

type Draft = Exclude<Remedy, { none: string }>;

/** Adds the step where the state calls for it; a sentence when the whole plan must not be. */
function addStep(
  world: World,
  finding: Finding,
  view: ContainerView,
  offer: ActionName,
  policy: MemoryPolicy,
  draft: Draft,
): string | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  const target = { host: view.host, container: view.name, containerId: view.id };
  switch (offer) {
    case "update-memory":
      return raiseMemory(world, finding, view, policy, draft);
    case "start":
      if (inspect.running || inspect.paused) return null;
      draft.steps.push({
        action: { action: "start", ...target },
        title: `start ${view.name}`,
        why: `${view.name} is ${inspect.status}`,
        command: `docker start ${view.name}`,
      });
      return null;
    case "restart": {
      const skip = !inspect.running || inspect.paused || draft.steps.length > 0;
      if (skip) return null;
      const graceSeconds = inspect.stopTimeoutS ?? 10;
      draft.steps.push({
        action: { action: "restart", ...target, graceSeconds },
        title: `restart ${view.name}`,
        why: finding.summary,
        command: `docker restart ${view.name}`,
      });
      draft.risks.push(`Requests that ${view.name} works on are cut off; it gets ${graceSeconds} seconds to finish.`);
      return null;
    }
    case "unpause":
      if (!inspect.paused) return null;
      draft.steps.push({
        action: { action: "unpause", ...target },
        title: `unpause ${view.name}`,
        why: "its processes are frozen by a pause",
        command: `docker unpause ${view.name}`,
      });
      return null;
    case "update-pids-limit":
      return raisePids(view, draft);
    case "update-restart-policy":
      return setPolicy(finding, view, draft);
    case "connect-network":
      return connectNetwork(world, finding, view, draft);
  }
}

function raiseMemory(
  world: World,
  finding: Finding,
  view: ContainerView,
  policy: MemoryPolicy,
  draft: Draft,
): string | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  const facts = hostOf(world, view.host)?.facts?.value;
  const measures = {
    ...(facts?.memoryTotalBytes == null ? {} : { hostTotalBytes: facts.memoryTotalBytes }),
    ...(facts?.memoryAvailableBytes == null ? {} : { hostAvailableBytes: facts.memoryAvailableBytes }),
    ...finding.measures,
  };
  const limitBytes = inspect.memoryLimitBytes ?? 0;
  // Somebody has raised it since the kill: what is left to do is the start.
  if (limitBytes >= limits.leastRaise * (finding.measures?.["killLimitBytes"] ?? Number.POSITIVE_INFINITY)) return null;
  const size = sizeMemory(view, measures, policy);
  if ("refused" in size) return size.refused;
  const target = { host: view.host, container: view.name, containerId: view.id };
  const swapAllowance =
    inspect.memorySwapBytes !== null && inspect.memorySwapBytes > limitBytes && (facts?.swapTotalBytes ?? 0) > 0
      ? inspect.memorySwapBytes - limitBytes
      : 0;
  // Never lower than it is: unlimited swap stays unlimited, and a larger sum stays.
  const withSwap = inspect.memorySwapBytes ?? 0;
  const memorySwapBytes = withSwap < 0 ? -1 : Math.max(size.memoryBytes + swapAllowance, withSwap);
  const swapText = memorySwapBytes < 0 ? "unlimited" : humanBytes(memorySwapBytes);
  const action: HostAction = { action: "update-memory", ...target, memoryBytes: size.memoryBytes, memorySwapBytes };
  draft.steps.push({
    action,
    title: `raise the memory limit of ${view.name} from ${humanBytes(limitBytes)} to ${humanBytes(size.memoryBytes)}, memory plus swap to ${swapText}`,
    why: size.why,
    command: `docker update --memory ${size.memoryBytes} --memory-swap ${memorySwapBytes} ${view.name}`,
  });
  draft.size = size;
  draft.composeLines = ["deploy:", "  resources:", "    limits:", `      memory: ${composeSize(size.memoryBytes)}`];
  draft.undo.push({
    action: "update-memory",
    ...target,
    memoryBytes: limitBytes,
    memorySwapBytes: inspect.memorySwapBytes ?? limitBytes,
  });
  draft.risks.push(
    `${view.name} may use up to ${humanBytes(size.memoryBytes - limitBytes)} more of the host's memory.`,
  );
  if (hostOf(world, view.host)?.engine?.value.swapLimit === false)
    draft.risks.push("The kernel of this host cannot cap swap: only the memory limit takes effect.");
  else if (swapAllowance === 0 && memorySwapBytes === size.memoryBytes && withSwap > limitBytes)
    draft.risks.push(`Swap for ${view.name} is turned off; the host has none to give.`);
  return null;
}

function raisePids(view: ContainerView, draft: Draft): string | null {
  const limit = view.inspect?.value.pidsLimit ?? null;
  if (limit === null || limit <= 0) return null;
  const pidsLimit = Math.max(limit * 2, 256);
  const target = { host: view.host, container: view.name, containerId: view.id };
  draft.steps.push({
    action: { action: "update-pids-limit", ...target, pidsLimit },
    title: `raise the process limit of ${view.name} from ${limit} to ${pidsLimit}`,
    why: `twice the limit of ${limit}, at least 256`,
    command: `docker update --pids-limit ${pidsLimit} ${view.name}`,
  });
  draft.undo.push({ action: "update-pids-limit", ...target, pidsLimit: limit });
  draft.composeLines = [`pids_limit: ${pidsLimit}`];
  return null;
}

function setPolicy(finding: Finding, view: ContainerView, draft: Draft): string | null {
  const inspect = view.inspect?.value;
  if (
    inspect === undefined ||
    (inspect.restartPolicy.name !== "no" &&
      inspect.restartPolicy.name !== "" &&
      inspect.restartPolicy.name !== "on-failure")
  )
    return null;
  const target = { host: view.host, container: view.name, containerId: view.id };
  draft.steps.push({
    action: { action: "update-restart-policy", ...target, restartPolicy: "unless-stopped", maximumRetryCount: 0 },
    title: `set the restart policy of ${view.name} to unless-stopped`,
    why: finding.summary,
    command: `docker update --restart unless-stopped ${view.name}`,
  });
  const before = inspect.restartPolicy.name === "on-failure" ? "on-failure" : "no";
  draft.undo.push({
    action: "update-restart-policy",
    ...target,
    restartPolicy: before,
    maximumRetryCount: inspect.restartPolicy.maximumRetryCount,
  });
  draft.composeLines = ["restart: unless-stopped"];
  return null;
}

/** The network that the asking container and the culprit should share, with the names its callers use. */
function connectNetwork(world: World, finding: Finding, view: ContainerView, draft: Draft): string | null {
  const wanted = finding.network;
  if (wanted === undefined) return "the network it belongs to could not be told";
  const network = hostOf(world, view.host)?.networks?.value.find(
    (entry) => entry.id === wanted.networkId || entry.name === wanted.networkName,
  );
  if (network === undefined) return `the network ${wanted.networkName} is not there`;
  const target = { host: view.host, container: view.name, containerId: view.id };
  draft.steps.push({
    action: {
      action: "connect-network",
      ...target,
      networkId: network.id,
      networkName: network.name,
      aliases: wanted.aliases,
    },
    title: `connect ${view.name} to the network ${network.name}${wanted.aliases.length > 0 ? ` as ${wanted.aliases.join(", ")}` : ""}`,
    why: finding.summary,
    command: `docker network connect ${wanted.aliases.map((alias) => `--alias ${alias} `).join("")}${network.name} ${view.name}`,
  });
  return null;
}

export function composeSize(bytes: number): string {
  const mib = bytes / (1024 * 1024);
  return Number.isInteger(mib / 1024) ? `${mib / 1024}g` : Number.isInteger(mib) ? `${mib}m` : `${bytes}b`;
}

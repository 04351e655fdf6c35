import type { ActionName, HostAction } from "../actions.ts";
import { causeFacts } from "../causes.ts";
import { updateAfter } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import type { PlanStep } from "../plan.ts";
import type { ContainerInspect } from "../readings.ts";
import { humanBytes } from "../rule.ts";
import { lastRunMs } from "../runs.ts";
import { type ContainerView, containerOf, hostOf, type World } from "../world.ts";
import { type MemoryPolicy, type MemorySize, sizeMemory } from "./size-memory.ts";

/** What one finding would have done, or the sentence that says why nothing is. */
export type Remedy =
  | {
      steps: PlanStep[];
      undo: HostAction[];
      risks: string[];
      size: MemorySize | null;
      composeLines: string[];
      /** Its restart loop ends with it, and it stays down until somebody mends what it runs. */
      endsLoop: boolean;
    }
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
    endsLoop: false,
  };
  for (const offer of offers) {
    const refused = addStep(world, finding, view, offer, policy, draft);
    if (refused !== null) return { none: refused };
  }
  return draft.steps.length === 0 ? { none: "what it would do has been done already" } : draft;
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
  if (offer.startsWith("update-") && !canUpdate(world, view)) return withoutUpdate(offer, view);
  const target = { host: view.host, container: view.name, containerId: view.id };
  switch (offer) {
    case "update-memory":
      return raiseMemory(world, finding, view, policy, draft);
    case "start":
      if (inspect.running || inspect.restarting || inspect.paused) return null;
      draft.steps.push({
        action: { action: "start", ...target },
        title: `start ${view.name}`,
        why: `${view.name} is ${inspect.status}`,
      });
      draft.risks.push(`If what ended ${view.name} is still there, it ends again; the looks afterwards tell.`);
      return null;
    case "restart": {
      const skip = !inspect.running || inspect.paused || draft.steps.length > 0;
      if (skip) return null;
      const graceSeconds = inspect.stopTimeoutS ?? 10;
      draft.steps.push({
        action: { action: "restart", ...target, graceSeconds },
        title: `restart ${view.name}`,
        why: finding.summary,
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
      });
      draft.risks.push(`${view.name} goes on in the middle of what it did; who waited for it may have given up.`);
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
  if (finding.cause === "oom-self-healed" && updateAfter(view, finding.onsetMs) !== null) return null;
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

/** Podman before 5 answers 404 to every update through its compatible socket (containers/podman issue 14678). */
function canUpdate(world: World, view: ContainerView): boolean {
  const engine = hostOf(world, view.host)?.engine?.value;
  return engine?.kind !== "podman" || (engine.major ?? 0) >= 5;
}

/** A limit that stays would be met again; a policy that stays only leaves the next time open. */
function withoutUpdate(offer: ActionName, view: ContainerView): string | null {
  if (offer === "update-restart-policy") return null;
  return `this Podman cannot change a limit through its socket: on ${view.host}, use podman update or create ${view.name} anew with a larger one`;
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
  });
  draft.undo.push({ action: "update-pids-limit", ...target, pidsLimit: limit });
  draft.composeLines = [`pids_limit: ${pidsLimit}`];
  draft.risks.push(`${view.name} may run up to ${pidsLimit - limit} more processes and threads on ${view.host}.`);
  return null;
}

function setPolicy(finding: Finding, view: ContainerView, draft: Draft): string | null {
  const inspect = view.inspect?.value;
  const wanted = inspect === undefined ? null : wantedPolicy(finding, view, inspect);
  if (inspect === undefined || wanted === null) return null;
  const target = { host: view.host, container: view.name, containerId: view.id };
  const { restartPolicy, maximumRetryCount } = wanted;
  const words = maximumRetryCount > 0 ? `${restartPolicy}:${maximumRetryCount}` : restartPolicy;
  draft.steps.push({
    action: { action: "update-restart-policy", ...target, restartPolicy, maximumRetryCount },
    title: `set the restart policy of ${view.name} to ${words}`,
    why: wanted.why,
  });
  const before = namedPolicy(inspect.restartPolicy.name);
  const retries = before === "on-failure" ? inspect.restartPolicy.maximumRetryCount : 0;
  draft.undo.push({
    action: "update-restart-policy",
    ...target,
    restartPolicy: before,
    maximumRetryCount: retries,
  });
  draft.composeLines = [`restart: ${words}`];
  draft.risks.push(wanted.risk);
  draft.endsLoop = wanted.endsLoop;
  return null;
}

interface WantedPolicy {
  restartPolicy: "on-failure" | "unless-stopped";
  maximumRetryCount: number;
  why: string;
  risk: string;
  endsLoop: boolean;
}

/**
 * A policy that brings back what crashes and never starts a loop that does not end: what comes to a clean end at its
 * start would only be started again for ever. Null where the one it has is as good, or where none helps.
 */
function wantedPolicy(finding: Finding, view: ContainerView, inspect: ContainerInspect): WantedPolicy | null {
  const { name } = inspect.restartPolicy;
  const retries = limits.policyRetries;
  if (name === "always" || name === "unless-stopped") {
    if (inspect.restartCount === 0 || inspect.exitCode !== 0) return null;
    return {
      restartPolicy: "on-failure",
      maximumRetryCount: retries,
      why: `${view.name} ends with exit 0 and ${name} starts it again each time, ${inspect.restartCount} times so far; on-failure leaves a clean end alone and tries again after a failure, ${retries} times at most`,
      risk: `${view.name} stays down once it has ended: this ends the loop, and does not cure what its command does.`,
      endsLoop: true,
    };
  }
  // Stopped by the daemon, whatever it was doing: how it ended says nothing about its next run.
  const died = finding.cause === "daemon-restarted-no-policy" ? null : lastRunMs(view);
  if (died === null || died >= limits.pastStartMs) {
    return {
      restartPolicy: "unless-stopped",
      maximumRetryCount: 0,
      why: `${finding.summary}; unless-stopped brings it back after a crash and after a restart of the host`,
      risk: `If ${view.name} comes to end at every start, Docker starts it again and again, at most once a minute.`,
      endsLoop: false,
    };
  }
  if (inspect.exitCode === 0) return null;
  return {
    restartPolicy: "on-failure",
    maximumRetryCount: retries,
    why: `${finding.summary}; its last run lasted ${Math.round(died / 1_000)} s, so the tries are bounded: after ${retries} a crash loop ends by itself`,
    risk: `After ${retries} more crashes ${view.name} stays down.`,
    endsLoop: false,
  };
}

function namedPolicy(name: string): "no" | "on-failure" | "always" | "unless-stopped" {
  return name === "on-failure" || name === "always" || name === "unless-stopped" ? name : "no";
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
  });
  draft.risks.push(`Every container of the network ${network.name} can reach ${view.name} then.`);
  return null;
}

export function composeSize(bytes: number): string {
  const mib = bytes / (1024 * 1024);
  return Number.isInteger(mib / 1024) ? `${mib / 1024}g` : Number.isInteger(mib) ? `${mib}m` : `${bytes}b`;
}

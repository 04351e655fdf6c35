import type { Cause } from "../causes.ts";
import { type Death, describeKill, isOwnLimit, lastDeath, memoryKills } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { type Hog, hogOf } from "../hog.ts";
import type { OomKill } from "../kernel-log.ts";
import { limits } from "../limits.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * The kernel killed here, and not for this container's own limit: the host, or a group above, ran out. The victim was
 * chosen by size and score; whoever holds the most memory in the kernel's own process table is at fault. The engine's
 * flag and event are silent on version 1, so only the kernel's record counts.
 */
export const hostMemory: Rule = {
  name: "host-memory",
  causes: ["host-oom-global", "noisy-build-spike", "oom-victim-not-culprit", "parent-cgroup-oom"],
  needs: ["docker-inspect", "kernel-log"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined) return [];
    const death = lastDeath(world, view);
    const kill = outerKill(world, view, death);
    if (kill === null) return [];
    const recent = kill.atMs === null || hostNowMs(world, view.host) - kill.atMs < limits.pastFaultMs;
    if (inspect.running && !recent) return [];
    const finding = kill.scope === "memcg" ? byParent(world, view, kill, death) : byHost(world, view, kill, death);
    return [{ ...finding, past: inspect.running, weight: inspect.running ? weight.told : weight.proven }];
  },
};

/** The kill that ended it; for one that runs, the newest kill in it that was not for its own limit. */
function outerKill(world: World, view: ContainerView, death: Death | null): OomKill | null {
  if (death !== null && (death.kind === "parent-limit" || death.kind === "host-memory")) return death.kill;
  if (view.inspect?.value.running !== true) return null;
  return memoryKills(world, view).findLast((kill) => kill.scope !== "memcg" || !isOwnLimit(view, kill)) ?? null;
}

function byParent(world: World, view: ContainerView, kill: OomKill, death: Death | null): Finding {
  const hog = hogOf(world, view.host, kill);
  const culprit = hog?.view ?? view;
  const who = culprit === view ? "it holds the most itself" : `${culprit.name} holds the most in that group`;
  return {
    ...accuse(world, view, culprit, kill, death, hog),
    cause: "parent-cgroup-oom",
    summary: `The kernel killed in ${view.name} because a group above it hit its memory limit (${kill.limitedCgroup}), not for a limit of its own; ${who}`,
    advice: [
      `Raise the limit of the group ${kill.limitedCgroup ?? "above"}, or give each container under it a limit of its own so that ${culprit.name} cannot take the others' share.`,
    ],
  };
}

function byHost(world: World, view: ContainerView, kill: OomKill, death: Death | null): Finding {
  const hog = hogOf(world, view.host, kill);
  if (hog === null) {
    return {
      ...outside(world, view, kill, death, null),
      cause: "host-oom-global",
      summary: `The host ran out of memory and its kernel killed ${kill.process} in ${view.name}; who used the most does not stand in the record`,
      advice: ["Find the largest process (ps --sort -rss) and give containers without a memory limit one."],
    };
  }
  const size = `${heldBy(hog)} held ${hog.sizeKb} kB`;
  if (hog.view === null && hog.placed) {
    return {
      ...outside(world, view, kill, death, hog),
      cause: "noisy-build-spike",
      summary: `The host ran out of memory because of a process outside the running containers (${size}), and the kernel killed ${kill.process} in ${view.name}`,
      advice: [`Give builds and jobs on this host a memory limit (${hog.task.name} had none), or run them elsewhere.`],
    };
  }
  const culprit = hog.view;
  const scored = (kill.oomScoreAdj ?? view.inspect?.value.oomScoreAdj ?? 0) >= limits.raisedOomScore;
  const cause: Cause =
    culprit !== view && scored && hog.sizeKb >= 2 * hog.victimKb ? "oom-victim-not-culprit" : "host-oom-global";
  const base =
    culprit === null ? outside(world, view, kill, death, hog) : accuse(world, view, culprit, kill, death, hog);
  const name = culprit?.name ?? hog.task.name;
  return {
    ...base,
    cause,
    summary:
      cause === "oom-victim-not-culprit"
        ? `The host ran out of memory because of ${name} (${size}); the kernel killed the much smaller ${kill.process} in ${view.name}, which is marked as the first to go`
        : `The host ran out of memory, and ${name} used the most (${size}); the kernel killed ${kill.process} in ${view.name} for it`,
    advice: [
      `Give ${name} a memory limit so that it cannot take the host's memory.`,
      ...(cause === "oom-victim-not-culprit" ? [`Take back the raised oom_score_adj of ${view.name}.`] : []),
    ],
  };
}

function heldBy({ task, processes }: Hog): string {
  return processes > 1 ? `${processes} processes such as ${task.name}` : task.name;
}

type Base = Omit<Finding, "cause" | "summary">;

/** The hog is accused; what may be done is to start the victim again. */
function accuse(
  world: World,
  victim: ContainerView,
  culprit: ContainerView,
  kill: OomKill,
  death: Death | null,
  hog: Hog | null,
): Base {
  const draft = draftOf(world, victim, kill, death, hog);
  const finding = faultAt(culprit, { cause: "host-oom-global", summary: "", ...draft });
  if (culprit === victim) return { ...finding, actOn: victim.ref };
  return {
    ...finding,
    actOn: victim.ref,
    shownBy: victim.ref,
    link: { proof: "shared-resource", facts: draft.facts.slice(-1) },
  };
}

function outside(world: World, victim: ContainerView, kill: OomKill, death: Death | null, hog: Hog | null): Base {
  return {
    ...hostFault(victim.host, { cause: "host-oom-global", summary: "", ...draftOf(world, victim, kill, death, hog) }),
    actOn: victim.ref,
    shownBy: victim.ref,
  };
}

function draftOf(world: World, victim: ContainerView, kill: OomKill, death: Death | null, hog: Hog | null) {
  const kernel = hostOf(world, victim.host)?.kernel;
  const facts: Fact[] = [...(death?.facts ?? [])];
  if (victim.inspect !== null) {
    const { memoryLimitBytes, oomScoreAdj } = victim.inspect.value;
    facts.push(
      cite(
        victim.inspect,
        `HostConfig.Memory=${memoryLimitBytes ?? 0} HostConfig.OomScoreAdj=${oomScoreAdj ?? 0}`,
        victim.name,
      ),
    );
  }
  if (kernel != null) {
    facts.push(cite(kernel, describeKill(kill), victim.name));
    if (hog !== null)
      facts.push(
        cite(
          kernel,
          `process table: ${heldBy(hog)} (pid ${hog.task.pid}${hog.processes > 1 ? " the largest" : ""}) held ${hog.sizeKb} kB with oom_score_adj ${hog.task.oomScoreAdj}, the killed one ${hog.victimKb} kB`,
          null,
        ),
      );
  }
  return {
    facts,
    witnesses: [...new Set(["kernel-log", "docker-inspect", ...(death?.witnesses ?? [])])],
    onsetMs: kill.atMs,
    weight: weight.proven,
  };
}

import { type Death, lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs } from "../runs.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * The process limits of setrlimit(2) that end or stop a program. The kernel kills at the hard CPU limit with SIGKILL
 * and says nothing about it, which looks like a kill from outside.
 */
export const resourceLimits: Rule = {
  name: "resource-limits",
  causes: ["rlimit-cpu-kill", "rlimit-fsize"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    return [cpuKill(world, view), fileSize(world, view)].filter((finding) => finding !== null);
  },
};

/** True when the container's own CPU-seconds limit explains an otherwise unexplained SIGKILL. */
export function cpuLimitEnded(world: World, view: ContainerView, death: Death): boolean {
  const limit = view.inspect?.value.ulimits.find((entry) => entry.name === "cpu");
  const ran = lastRunMs(view);
  if (limit === undefined || limit.hard <= 0 || ran === null) return false;
  const unexplained =
    death.kind === "outside-kill" ||
    death.kind === "unknown-kill" ||
    (death.kind === "own-exit" && death.exitCode === 152);
  const cpus = hostOf(world, view.host)?.engine?.value.cpus ?? 64;
  // Several threads use up CPU seconds faster than the clock runs.
  return unexplained && (ran / 1_000) * cpus >= limit.soft - 1;
}

function cpuKill(world: World, view: ContainerView): Finding | null {
  const death = lastDeath(world, view);
  const inspect = view.inspect;
  if (inspect === null || death === null || !cpuLimitEnded(world, view, death)) return null;
  const limit = inspect.value.ulimits.find((entry) => entry.name === "cpu");
  const ranS = Math.round((lastRunMs(view) ?? 0) / 1_000);
  return faultAt(view, {
    cause: "rlimit-cpu-kill",
    summary: `${view.name} used up its limit of ${limit?.hard} CPU seconds (ulimit cpu) and was killed by the kernel after it had run for ${ranS} s; nobody sent a signal and no memory was short`,
    facts: [
      ...death.facts,
      cite(inspect, `HostConfig.Ulimits cpu soft ${limit?.soft} hard ${limit?.hard}; ran for ${ranS} s`, view.name),
    ],
    witnesses: ["docker-inspect", ...death.witnesses],
    onsetMs: death.atMs,
    past: inspect.value.running,
    weight: weight.proven,
    advice: [
      `Remove the cpu ulimit of ${view.name} or raise it: it counts all CPU seconds of its life, so a server always reaches it.`,
    ],
  });
}

function fileSize(world: World, view: ContainerView): Finding | null {
  const inspect = view.inspect;
  const limit = inspect?.value.ulimits.find((entry) => entry.name === "fsize" && entry.soft >= 0);
  const said = told(world, view, ["file-too-large"]);
  const killed = lastDeath(world, view)?.exitCode === 153;
  if (inspect === null || (said === null && !killed) || (limit === undefined && said === null)) return null;
  const size = limit === undefined ? "" : ` of ${limit.soft} bytes`;
  return faultAt(view, {
    cause: "rlimit-fsize",
    summary: `${view.name} may not write files larger than its file size limit${size} (ulimit fsize); the disk is not full`,
    facts: [
      ...(said?.facts ?? []),
      cite(
        inspect,
        limit === undefined
          ? "HostConfig.Ulimits: none; the limit comes from the engine's or the image's defaults"
          : `HostConfig.Ulimits fsize soft ${limit.soft} hard ${limit.hard}`,
        view.name,
      ),
    ],
    witnesses: [...(said === null ? [] : ["docker-logs"]), ...(limit === undefined ? [] : ["docker-inspect"])],
    onsetMs: said?.signals[0]?.line.atMs ?? null,
    weight: limit === undefined ? weight.told : weight.proven,
    advice: [`Raise or remove the fsize ulimit of ${view.name} and recreate it, or rotate the file that reached it.`],
  });
}

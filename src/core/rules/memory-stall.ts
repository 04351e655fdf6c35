import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { bytesText, faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** At the limit without anybody being killed: processes sleep in the kernel, or live in swap. */
export const memoryStall: Rule = {
  name: "memory-stall",
  causes: ["oom-kill-disabled-hang", "swap-thrash"],
  needs: ["docker-inspect", "cgroup"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || view.cgroup === null) return [];
    return [hang(world, view), thrash(world, view)].filter((finding) => finding !== null);
  },
};

/** Version 1 only: with killing switched off, whoever asks for memory waits in `mem_cgroup_oom_synchronize`. */
function hang(world: World, view: ContainerView): Finding | null {
  const { cgroup, inspect } = view;
  const disabled = cgroup?.value.oomKillDisabled === true || inspect?.value.oomKillDisable === true;
  if (cgroup === null || inspect === null || cgroup.value.underOom !== true || !disabled) return null;
  const waits = view.process?.value.waitChannel ?? null;
  const sleeping = waits !== null && /mem_cgroup|oom_synchronize/.test(waits);
  const limit = inspect.value.memoryLimitBytes;
  const oom = view.events.findLast((event) => event.action === "oom");
  const facts = [
    cite(
      cgroup,
      `memory.oom_control: under_oom 1, oom_kill_disable ${cgroup.value.oomKillDisabled ? 1 : 0}, usage ${cgroup.value.memoryCurrentBytes}, limit ${cgroup.value.memoryLimitBytes}`,
      view.name,
    ),
    cite(
      inspect,
      `HostConfig.OomKillDisable=${inspect.value.oomKillDisable} HostConfig.Memory=${limit ?? 0}${limit === null ? "" : `: ${bytesText(limit)}`}`,
      view.name,
    ),
  ];
  if (sleeping && view.process !== null) facts.push(cite(view.process, `main process waits in ${waits}`, view.name));
  return faultAt(view, {
    cause: "oom-kill-disabled-hang",
    summary: `${view.name} hangs at its own memory limit${limit === null ? "" : ` of ${bytesText(limit)}`}: killing is switched off for it, so its processes sleep in the kernel until there is memory`,
    facts,
    witnesses: ["cgroup", "docker-inspect", ...(sleeping ? ["process-facts"] : [])],
    onsetMs: oom?.atMs ?? null,
    weight: weight.proven,
    measures: memoryMeasures(world, view),
    advice: [
      `Remove oom_kill_disable (--oom-kill-disable) from ${view.name}: a kill and a restart are shorter than a hang.`,
    ],
  });
}

/** More of it lies in swap than half its limit, and it waits for that: by pressure, or by the pages it had to fetch. */
function thrash(world: World, view: ContainerView): Finding | null {
  const { cgroup, inspect } = view;
  const limit = inspect?.value.memoryLimitBytes ?? null;
  if (cgroup === null || inspect === null || limit === null) return null;
  const { swapCurrentBytes, memoryCurrentBytes, majorFaults, memoryPressureFullAvg10 } = cgroup.value;
  if (swapCurrentBytes === null || swapCurrentBytes < limit / 2 || (memoryCurrentBytes ?? 0) < 0.8 * limit) return null;
  const hostPressure = hostOf(world, view.host)?.facts?.value.pressure.memory.fullAvg10 ?? null;
  const pressed = (memoryPressureFullAvg10 ?? hostPressure ?? 0) >= limits.thrashPressurePercent;
  const faulting = (majorFaults ?? 0) >= limits.thrashMajorFaults;
  if (!pressed && !faulting) return null;
  return faultAt(view, {
    cause: "swap-thrash",
    summary: `${view.name} lives in swap: ${bytesText(swapCurrentBytes)} of it lie there beside its memory limit of ${bytesText(limit)}, so it is slow, not dead`,
    facts: [
      cite(
        cgroup,
        `swap ${bytesText(swapCurrentBytes)}, memory ${memoryCurrentBytes}, pgmajfault ${majorFaults}, memory pressure full avg10 ${memoryPressureFullAvg10}`,
        view.name,
      ),
      cite(
        inspect,
        `HostConfig.Memory=${limit}: ${bytesText(limit)} HostConfig.MemorySwap=${inspect.value.memorySwapBytes}`,
        view.name,
      ),
    ],
    witnesses: ["cgroup", ...(pressed && faulting ? ["memory pressure"] : [])],
    weight: pressed && faulting ? weight.strong : weight.told,
    measures: memoryMeasures(world, view, swapCurrentBytes),
    advice: [`Give ${view.name} a memory limit that holds its working set; swap is no replacement.`],
  });
}

function memoryMeasures(world: World, view: ContainerView, swappedBytes = 0): Record<string, number> {
  const peak = (view.cgroup?.value.memoryPeakBytes ?? view.cgroup?.value.memoryCurrentBytes ?? 0) + swappedBytes;
  const available = hostOf(world, view.host)?.facts?.value.memoryAvailableBytes;
  return { ...(peak > 0 ? { peakBytes: peak } : {}), ...(available == null ? {} : { hostAvailableBytes: available }) };
}

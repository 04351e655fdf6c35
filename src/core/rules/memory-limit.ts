import {
  type Death,
  describeEvent,
  describeKill,
  isOwnLimit,
  lastDeath,
  memoryKills,
  rememberedDeaths,
  updateAfter,
} from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import type { OomKill } from "../kernel-log.ts";
import { limits } from "../limits.ts";
import { type MemoryReason, memoryReason } from "../memory-reason.ts";
import type { ContainerInspect } from "../readings.ts";
import { bytesText, faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * The kernel killed something at this container's own memory limit. Which cause it is depends on who died and what the
 * container did since. `OOMKilled` alone proves nothing: engines before 23 keep it through the next start, and it says
 * nothing about which process died (moby daemon/monitor.go), so the kernel's record or the `oom` event must agree.
 */
export const memoryLimit: Rule = {
  name: "memory-limit",
  causes: [
    "cgroup-oom-main",
    "cgroup-oom-child",
    "oom-crash-loop",
    "oom-self-healed",
    "oom-leak",
    "oom-spike",
    "limit-lowered-live",
    "jvm-heap-over-limit",
    "shm-tmpfs-oom",
    "pg-shared-buffers-over-limit",
    "pg-work-mem-fanout",
    "pg-backend-oom-recovery",
    "redis-bgsave-oom",
  ],
  needs: ["docker-inspect", "kernel-log"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined || view.inspect === null) return [];
    const deaths = memoryDeaths(world, view);
    const last = lastDeath(world, view);
    const found = plainFindings(world, view, inspect, deaths, last);
    const kill =
      (last !== null && isMemoryDeath(last) ? last.kill : null) ??
      killsOfRun(world, view, inspect).at(-1) ??
      memoryKills(world, view).at(-1) ??
      null;
    return found.map((finding) =>
      refined(
        finding,
        memoryReason({
          world,
          view,
          kill,
          atMs: finding.onsetMs,
          deaths,
          survived: finding.cause === "cgroup-oom-child",
        }),
      ),
    );
  },
};

/** What can be said from who died and what came after, before any reason for it. */
function plainFindings(
  world: World,
  view: ContainerView,
  inspect: ContainerInspect,
  deaths: Death[],
  last: Death | null,
): Finding[] {
  if (isLooping(inspect, deaths, world, view)) return [crashLoop(world, view, inspect, deaths)];
  if (last !== null && isMemoryDeath(last))
    return [inspect.running ? selfHealed(world, view, inspect, last) : killedAtLimit(world, view, inspect, last)];
  return inspect.running ? childKilled(world, view, inspect) : [];
}

/** The same kill under the more specific cause: what was seen stays, the reason is added. */
function refined(finding: Finding, reason: MemoryReason | null): Finding {
  if (reason === null) return finding;
  return {
    ...finding,
    cause: reason.cause,
    summary: reason.summary,
    facts: [...finding.facts, ...reason.facts],
    witnesses: [...new Set([...finding.witnesses, ...reason.witnesses])],
    advice: reason.advice,
    measures: { ...finding.measures, ...reason.measures },
  };
}

/** Killed at the own limit for certain, or by memory as far as can be told while a limit is set. */
function isMemoryDeath(death: Death): boolean {
  return death.kind === "own-limit" || death.kind === "memory-unproven";
}

function memoryDeaths(world: World, view: ContainerView): Death[] {
  return rememberedDeaths(world, view).filter(isMemoryDeath);
}

/** Dies of memory again and again: several remembered deaths, or a restart pending or just made after one. */
function isLooping(inspect: ContainerInspect, deaths: Death[], world: World, view: ContainerView): boolean {
  const restarts = inspect.restartPolicy.name !== "no" && inspect.restartPolicy.name !== "";
  const killsInRuns = memoryKills(world, view).filter(
    (kill) => kill.atMs !== null && kill.atMs > hostNowMs(world, view.host) - limits.loopWindowMs,
  ).length;
  if (!restarts || inspect.restartCount === 0) return false;
  const recent = deaths.filter(
    (death) => death.atMs !== null && death.atMs > hostNowMs(world, view.host) - limits.loopWindowMs,
  );
  const again = Math.max(recent.length, Math.min(killsInRuns, inspect.restartCount + 1));
  const stable =
    inspect.running &&
    !inspect.restarting &&
    inspect.startedAtMs !== null &&
    hostNowMs(world, view.host) - inspect.startedAtMs > limits.stableRunMs;
  return again >= 2 && !stable;
}

function killedAtLimit(world: World, view: ContainerView, inspect: ContainerInspect, death: Death): Finding {
  const then = limitThen(world, view, inspect, death);
  const proven = death.kind === "own-limit";
  const name = view.name;
  const summary = proven
    ? `${name} was OOM-killed: the kernel killed its main process at its own memory limit${then.of}, ${then.since ?? "which is too tight"}`
    : `${name} was OOM-killed as far as the engine tells${then.of === "" ? "" : ` at its memory limit${then.of}`}; the kernel's record was not seen`;
  return faultAt(view, {
    cause: "cgroup-oom-main",
    summary,
    facts: [...death.facts, ...then.facts, ...limitFacts(view, inspect)],
    witnesses: death.witnesses,
    onsetMs: death.atMs,
    weight: proven ? weight.proven : weight.told,
    measures: measuresOf(world, view, death.kill),
  });
}

function crashLoop(world: World, view: ContainerView, inspect: ContainerInspect, deaths: Death[]): Finding {
  const kills = memoryKills(world, view);
  const last = deaths.at(-1);
  const kernel = hostOf(world, view.host)?.kernel;
  const facts: Fact[] = [...(last?.facts ?? []), ...limitFacts(view, inspect)];
  if (kernel != null && kills.length > 0)
    facts.push(
      cite(
        kernel,
        `${kills.length} kernel kills in this container, last: ${describeKill(kills.at(-1) as OomKill)}`,
        view.name,
      ),
    );
  if (view.inspect !== null)
    facts.push(
      cite(view.inspect, `RestartCount=${inspect.restartCount} RestartPolicy=${inspect.restartPolicy.name}`, view.name),
    );
  return faultAt(view, {
    cause: "oom-crash-loop",
    summary: `${view.name} is in a crash loop: each start is OOM-killed at its own memory limit${inspect.memoryLimitBytes === null ? "" : ` of ${bytesText(inspect.memoryLimitBytes)}`}, and its restart policy ${inspect.restartPolicy.name} starts it again; restarted ${inspect.restartCount} times`,
    facts,
    witnesses: [
      ...new Set([...(last?.witnesses ?? []), ...(kills.length > 0 ? ["kernel-log"] : []), "docker-inspect"]),
    ],
    onsetMs: deaths[0]?.atMs ?? kills[0]?.atMs ?? null,
    weight: weight.proven,
    measures: measuresOf(world, view, last?.kill ?? kills.at(-1) ?? null),
    advice: ["A restart policy does not cure a limit that is too tight: every start meets the same limit again."],
  });
}

function selfHealed(world: World, view: ContainerView, inspect: ContainerInspect, death: Death): Finding {
  const nowMs = hostNowMs(world, view.host);
  const recent = death.atMs !== null && nowMs - death.atMs < limits.pastFaultMs;
  const then = limitThen(world, view, inspect, death);
  const since = then.since === null ? "" : `, ${then.since},`;
  return faultAt(view, {
    cause: "oom-self-healed",
    summary: `${view.name} was OOM-killed at its own memory limit${then.of}${since} and was started again; it has been running since`,
    facts: [...death.facts, ...then.facts, ...limitFacts(view, inspect)],
    witnesses: death.witnesses,
    onsetMs: death.atMs,
    past: true,
    kind: recent ? "fault" : "hazard",
    weight: weight.told,
    measures: measuresOf(world, view, death.kill),
  });
}

/** A task died at the limit in the run that goes on: the flag shows it only since engine 23, the kernel always. */
function childKilled(world: World, view: ContainerView, inspect: ContainerInspect): Finding[] {
  const kernel = hostOf(world, view.host)?.kernel;
  const kills = killsOfRun(world, view, inspect);
  const counted = view.cgroup?.value.oomKills ?? 0;
  const oomEvents = view.events.filter(
    (event) => event.action === "oom" && (inspect.startedAtMs === null || event.atMs >= inspect.startedAtMs),
  );
  const witnesses = [
    ...(kills.length > 0 ? ["kernel-log"] : []),
    ...(counted > 0 ? ["cgroup"] : []),
    ...(oomEvents.length > 0 ? ["docker-events"] : []),
  ];
  const last = kills.at(-1);
  // With neither the kernel's word nor the counter's, the server's own word and the engine's event stand in for them.
  const said = view.signals.some((signal) => signal.kind === "server-child-killed" && signal.parts["signal"] === "9");
  if (last === undefined && counted === 0 && !(said && oomEvents.length > 0)) return [];
  const facts: Fact[] = [...limitFacts(view, inspect)];
  const events = hostOf(world, view.host)?.events;
  if (events != null && oomEvents.length > 0)
    facts.push(cite(events, oomEvents.slice(-2).map(describeEvent).join(", "), view.name));
  if (kernel != null && last !== undefined) facts.push(cite(kernel, describeKill(last), view.name));
  if (view.cgroup !== null && counted > 0)
    facts.push(cite(view.cgroup, `oom_kill ${counted} in the running container's cgroup`, view.name));
  const who = last === undefined ? "a process" : `its process ${last.process}`;
  return [
    faultAt(view, {
      cause: "cgroup-oom-child",
      summary: `The kernel killed ${who} inside ${view.name} at the container's own memory limit${inspect.memoryLimitBytes === null ? "" : ` of ${bytesText(inspect.memoryLimitBytes)}`}; the container itself still runs`,
      facts,
      witnesses,
      onsetMs: last?.atMs ?? oomEvents[0]?.atMs ?? null,
      past: true,
      weight: weight.strong,
      measures: measuresOf(world, view, last ?? null),
    }),
  ];
}

/** Kills at the own limit since the present run began. */
function killsOfRun(world: World, view: ContainerView, inspect: ContainerInspect): OomKill[] {
  return memoryKills(world, view).filter(
    (kill) => kill.scope === "memcg" && isOwnLimit(view, kill) && inspect.running && inRun(kill, inspect),
  );
}

function inRun(kill: OomKill, inspect: ContainerInspect): boolean {
  return kill.atMs === null || inspect.startedAtMs === null || kill.atMs >= inspect.startedAtMs - 1_000;
}

/**
 * The limit as it was when it killed, in words: what inspect says now may be what somebody set after the kill. The
 * kernel printed it; without its word an update after the death leaves it open.
 */
function limitThen(
  world: World,
  view: ContainerView,
  inspect: ContainerInspect,
  death: Death,
): { of: string; since: string | null; facts: Fact[] } {
  const now = inspect.memoryLimitBytes;
  const words = (bytes: number | null) => (bytes === null ? "" : ` of ${bytesText(bytes)}`);
  const since = now === null ? "which has been taken away since" : `which has been set to ${bytesText(now)} since`;
  const kernel = hostOf(world, view.host)?.kernel;
  const killedAtKb = death.kill?.memory?.limitKb ?? null;
  if (killedAtKb !== null && kernel != null) {
    // The kernel rounds the limit down to a whole page.
    if (now !== null && Math.abs(now - killedAtKb * 1024) < limits.largestPageBytes)
      return { of: words(now), since: null, facts: [] };
    const then = killedAtKb * 1024;
    return { of: words(then), since, facts: [cite(kernel, `limit at the kill: ${bytesText(then)}`, view.name)] };
  }
  const changed = updateAfter(view, death.atMs);
  const events = hostOf(world, view.host)?.events;
  if (changed === null || events == null) return { of: words(now), since: null, facts: [] };
  return { of: "", since, facts: [cite(events, describeEvent(changed), view.name)] };
}

function limitFacts(view: ContainerView, inspect: ContainerInspect): Fact[] {
  if (view.inspect === null) return [];
  const limit = inspect.memoryLimitBytes;
  return [
    cite(
      view.inspect,
      limit === null ? "HostConfig.Memory=0: no limit" : `HostConfig.Memory=${limit}: ${bytesText(limit)}`,
      view.name,
    ),
  ];
}

/** Peak use for sizing. What the kernel printed is censored at the limit: the true need is at least this much. */
function measuresOf(world: World, view: ContainerView, kill: OomKill | null): Record<string, number> {
  const measures: Record<string, number> = {};
  const sum = (kill?.anonRssKb ?? 0) + (kill?.shmemRssKb ?? 0);
  // What was swapped out was needed too; kernels before 5.0 and version 1 count both together.
  const usage = Math.max(kill?.memory?.usageKb ?? 0, kill?.memorySwap?.usageKb ?? 0);
  const peak = Math.max(sum * 1024, usage * 1024, view.cgroup?.value.memoryPeakBytes ?? 0);
  if (peak > 0) measures["peakBytes"] = peak;
  if (kill?.memory?.limitKb != null) measures["killLimitBytes"] = kill.memory.limitKb * 1024;
  if (kill?.totalVmKb != null) measures["addressSpaceBytes"] = kill.totalVmKb * 1024;
  const limit = view.inspect?.value.memoryLimitBytes;
  if (limit != null) measures["limitBytes"] = limit;
  const available = hostOf(world, view.host)?.facts?.value.memoryAvailableBytes;
  if (available != null) measures["hostAvailableBytes"] = available;
  return measures;
}

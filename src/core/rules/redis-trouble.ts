import { complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** Redis runs one command at a time: one that takes long blocks everybody. And told to evict, it drops live data. */
export const redisTrouble: Rule = {
  name: "redis-trouble",
  causes: ["redis-keys-block", "redis-evicting-sessions"],
  needs: ["docker-inspect", "docker-logs", "process-facts"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || view.inspect.value.paused || serverKind(world, view) !== "redis")
      return [];
    return [blocked(world, view), evicting(world, view)].filter((finding) => finding !== null);
  },
};

function blocked(world: World, view: ContainerView): Finding | null {
  const complaints = complaintsAbout(world, view, ["peer-timeout", "peer-busy"]);
  const saysBusy = complaints.some((entry) => entry.signals.some((signal) => signal.kind === "peer-busy"));
  const process = view.process;
  const state = process?.value.state ?? "";
  const row = hostOf(world, view.host)?.processes?.value.find((entry) => entry.pid === process?.value.pid);
  const waits = process?.value.waitChannel ?? row?.waitChannel ?? null;
  if (/^[Tt]/.test(state) || complaints.length === 0 || isThrottled(view)) return null;
  // An idle Redis waits in epoll; one that works or sleeps inside a command does not.
  const working = /^R/.test(state) || /^R/.test(row?.state ?? "") || (waits !== null && /nanosleep/.test(waits));
  if (!saysBusy && !working) return null;
  const facts = complaintFacts(complaints.slice(0, 2));
  if (process !== null)
    facts.push(cite(process, `process state ${state}${waits === null ? "" : `, waits in ${waits}`}`, view.name));
  return faultAt(view, {
    cause: "redis-keys-block",
    summary: `${view.name} works on one command or script and answers nobody meanwhile`,
    facts,
    witnesses: ["docker-logs of callers", ...(working ? ["process-facts"] : [])],
    weight: saysBusy ? weight.proven : weight.strong,
    advice: [
      "Find the command (SLOWLOG GET, or SCRIPT KILL for a script that wrote nothing) and replace KEYS and long scripts by SCAN.",
    ],
  });
}

function evicting(world: World, view: ContainerView): Finding | null {
  const words = view.inspect?.value.command.join(" ") ?? "";
  const policy = /--?maxmemory-policy[ =]"?((?:allkeys|volatile)-\w+)/.exec(words)?.[1];
  const size = /--?maxmemory[ =]"?(\d+\s*\w*)/.exec(words)?.[1];
  const callers = world.edges
    .filter((edge) => edge.to.host === view.host && edge.to.containerId === view.id)
    .map((edge) =>
      world.containers.find((other) => other.id === edge.from.containerId && other.host === edge.from.host),
    )
    .filter((other) => other !== undefined);
  const lost = callers
    .map((from) => ({ from, signals: recentSignals(world, from, ["session-missing"]) }))
    .filter((entry) => entry.signals.length > 0);
  if (policy === undefined || size === undefined || view.inspect === null || lost.length === 0) return null;
  return faultAt(view, {
    cause: "redis-evicting-sessions",
    summary: `${view.name} is told to drop data at its own memory limit (${policy}), and its users miss what it dropped`,
    facts: [
      cite(view.inspect, `Config.Cmd holds maxmemory ${size} maxmemory-policy ${policy}`, view.name),
      ...lost.flatMap(({ from, signals }) => signalFacts(from, signals.slice(-2))),
    ],
    witnesses: ["docker-inspect", "docker-logs of callers"],
    weight: weight.told,
    advice: [`Raise maxmemory of ${view.name}, or keep sessions in a Redis of their own with noeviction.`],
  });
}

function isThrottled(view: ContainerView): boolean {
  const cgroup = view.cgroup?.value;
  const periods = cgroup?.cpuPeriods ?? 0;
  return periods > 0 && (cgroup?.cpuThrottledPeriods ?? 0) / periods > limits.throttledShare;
}

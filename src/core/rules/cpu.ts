import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { coresUsed, treeOf } from "../process-tree.ts";
import type { ProcessRow } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeSlowness, isSlow } from "../slowness.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** Share of periods in which a cap stopped the container; below this a cap is felt by nobody. */
const throttledShare = 0.25;
const leastPeriods = 20;
/** Cores a container must use to be called busy. */
const busyCores = 0.4;
const lowShares = 256;
const defaultShares = 1_024;

/**
 * It is slow for want of CPU: by its own cap, by its own low weight, by a core it shares, by a neighbour on a busy
 * host, or by its own code. Only the cgroup's counters and the process table tell these apart.
 */
export const cpu: Rule = {
  name: "cpu",
  causes: ["cpu-throttled", "cpu-neighbour", "cpu-shares-starved", "cpuset-collision", "busy-regex"],
  needs: ["docker-inspect", "cgroup", "host-processes", "host-facts"],
  evaluate(world, view) {
    if (view.inspect === null || !view.inspect.value.running) return [];
    return throttled(world, view) ?? contended(world, view) ?? busyItself(world, view) ?? [];
  },
};

function throttled(world: World, view: ContainerView): Finding[] | null {
  const seen = view.inspect;
  const group = view.cgroup;
  const { cpuPeriods: periods, cpuThrottledPeriods: stopped, cpuThrottledMs } = group?.value ?? {};
  if (seen === null || group === null || periods == null || stopped == null) return null;
  const cap = capOf(view);
  if (cap === null || periods < leastPeriods || stopped < periods * throttledShare) return null;
  const slow = isSlow(world, view);
  const heavy = stopped >= periods * 0.5;
  return [
    faultAt(view, {
      cause: "cpu-throttled",
      kind: slow || heavy ? "fault" : "hazard",
      summary: `${view.name} is slowed by its own CPU cap: it was stopped in ${stopped} of ${periods} periods`,
      facts: [
        cite(
          group,
          `cpu.stat nr_periods ${periods} nr_throttled ${stopped}, throttled ${Math.round(cpuThrottledMs ?? 0)} ms`,
          view.name,
        ),
        cite(seen, cap, view.name),
        ...describeSlowness(world, view),
      ],
      witnesses: ["cgroup", "docker-inspect"],
      weight: heavy && slow ? weight.proven : slow ? weight.strong : weight.told,
      advice: [`Raise or remove the CPU cap of ${view.name} (cpus) where it is configured; the program itself works.`],
    }),
  ];
}

function capOf(view: ContainerView): string | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  if (inspect.nanoCpus !== null && inspect.nanoCpus > 0) return `HostConfig.NanoCpus=${inspect.nanoCpus}`;
  if (inspect.cpuQuota !== null && inspect.cpuQuota > 0)
    return `HostConfig.CpuQuota=${inspect.cpuQuota} CpuPeriod=${inspect.cpuPeriod ?? 100_000}`;
  return null;
}

interface Load {
  view: ContainerView;
  rows: ProcessRow[];
  cores: number;
}

/** What each container's processes use, busiest first. A process that sleeps now is not what keeps a core busy now. */
function loads(world: World, host: string): Load[] {
  return world.containers
    .filter((view) => view.host === host && view.inspect?.value.running === true)
    .map((view) => {
      const rows = treeOf(world, view).filter((row) => row.state === "R");
      return { view, rows, cores: coresUsed(rows) };
    })
    .sort((a, b) => b.cores - a.cores);
}

/** Others use the CPU that it needs. Which others count depends on where it may run and how much it weighs. */
function contended(world: World, view: ContainerView): Finding[] | null {
  const host = hostOf(world, view.host);
  const seen = view.inspect;
  const table = host?.processes ?? null;
  const facts = host?.facts ?? null;
  if (seen === null || table === null || facts === null || !isSlow(world, view)) return null;
  const all = loads(world, view.host);
  const own = all.find((load) => load.view === view)?.cores ?? 0;
  const others = all.filter((load) => load.view !== view && load.cores >= busyCores);
  const set = seen.value.cpusetCpus;
  const sameSet = set === "" ? [] : others.filter((load) => overlaps(set, load.view.inspect?.value.cpusetCpus ?? ""));
  const colliding = sameSet[0];
  if (colliding !== undefined && colliding.cores > own) return [collision(world, view, colliding, table)];
  const cpus = facts.value.cpus ?? host?.engine?.value.cpus ?? null;
  const used = others.reduce((sum, load) => sum + load.cores, 0);
  const load1 = facts.value.load1;
  const pressed = (facts.value.pressure.cpu.someAvg10 ?? 0) >= 30;
  const saturated =
    cpus !== null &&
    (used >= cpus * 0.7 || (load1 !== null && load1 >= cpus && used >= cpus * 0.4)) &&
    (pressed || (load1 ?? 0) >= cpus * 0.5);
  const hog = others[0];
  if (!saturated || hog === undefined || hog.cores <= own) return null;
  const shares = seen.value.cpuShares ?? 0;
  const hogShares = hog.view.inspect?.value.cpuShares || defaultShares;
  if (shares > 0 && shares <= lowShares && hogShares >= shares * 4) return [starved(world, view, hog, table)];
  return [neighbour(world, view, hog, table)];
}

type Table = NonNullable<NonNullable<ReturnType<typeof hostOf>>["processes"]>;

function loadFact(table: Table, load: Load): Fact {
  const row = load.rows.toSorted((a, b) => (b.cpuSeconds ?? 0) - (a.cpuSeconds ?? 0))[0];
  return cite(
    table,
    `${load.view.name}: ${load.rows.length} running processes, ${load.cores.toFixed(1)} cores on average, such as ${row?.command} with ${row?.cpuSeconds} s of CPU in ${row?.elapsedS} s`,
    load.view.name,
  );
}

function pressureFacts(world: World, view: ContainerView): Fact[] {
  const facts = hostOf(world, view.host)?.facts ?? null;
  if (facts === null) return [];
  return [
    cite(
      facts,
      `load ${facts.value.load1} on ${facts.value.cpus} CPUs, cpu pressure some ${facts.value.pressure.cpu.someAvg10 ?? "unknown"}`,
      null,
    ),
  ];
}

function neighbour(world: World, view: ContainerView, hog: Load, table: Table): Finding {
  const fact = loadFact(table, hog);
  return faultAt(hog.view, {
    cause: "cpu-neighbour",
    summary: `${hog.view.name} uses the host's CPU, and ${view.name} has to wait for its turn`,
    facts: [fact, ...pressureFacts(world, view), ...describeSlowness(world, view)],
    witnesses: ["host-processes", "host-facts"],
    weight: weight.strong,
    shownBy: view.ref,
    link: { proof: "shared-resource", facts: [fact] },
    advice: [`Give ${hog.view.name} a CPU cap or a lower weight, or move it; ${view.name} is only a victim.`],
  });
}

function collision(world: World, view: ContainerView, hog: Load, table: Table): Finding {
  const fact = loadFact(table, hog);
  const set = (of: ContainerView) => of.inspect?.value.cpusetCpus ?? "";
  const inspects = [view, hog.view].flatMap((of) =>
    of.inspect === null ? [] : [cite(of.inspect, `HostConfig.CpusetCpus=${set(of)}`, of.name)],
  );
  return faultAt(hog.view, {
    cause: "cpuset-collision",
    summary: `${hog.view.name} and ${view.name} are pinned to the same core, and ${hog.view.name} keeps it busy`,
    facts: [fact, ...inspects, ...describeSlowness(world, view)],
    witnesses: ["docker-inspect", "host-processes"],
    weight: weight.proven,
    shownBy: view.ref,
    link: { proof: "shared-resource", facts: inspects },
    advice: [`Pin ${hog.view.name} and ${view.name} to different cores (cpuset), or do not pin them.`],
  });
}

function starved(world: World, view: ContainerView, hog: Load, table: Table): Finding {
  const seen = view.inspect as NonNullable<ContainerView["inspect"]>;
  return faultAt(view, {
    cause: "cpu-shares-starved",
    summary: `${view.name} has a CPU weight of only ${seen.value.cpuShares} and loses against ${hog.view.name} whenever the host is busy`,
    facts: [
      cite(seen, `HostConfig.CpuShares=${seen.value.cpuShares}`, view.name),
      loadFact(table, hog),
      ...pressureFacts(world, view),
      ...describeSlowness(world, view),
    ],
    witnesses: ["docker-inspect", "host-processes"],
    weight: weight.proven,
    advice: [`Give ${view.name} the default CPU weight (cpu_shares ${defaultShares}), or cap ${hog.view.name}.`],
  });
}

/** `0-2,4` against `1`: a container without a set may run everywhere, and is not pinned. */
function overlaps(a: string, b: string): boolean {
  const cores = (text: string) =>
    new Set(
      text.split(",").flatMap((part) => {
        const [from, to] = part.split("-").map(Number);
        if (from === undefined || Number.isNaN(from)) return [];
        return Array.from({ length: Math.min((to ?? from) - from + 1, 1_024) }, (_, at) => from + at);
      }),
    );
  const ours = cores(a);
  return [...cores(b)].some((core) => ours.has(core));
}

/** Its own program burns a core in one place, while nobody else presses it. */
function busyItself(world: World, view: ContainerView): Finding[] | null {
  const table = hostOf(world, view.host)?.processes ?? null;
  const rows = treeOf(world, view).filter((row) => row.state === "R" && coresUsed([row]) >= 0.2);
  const hot = rows.toSorted((a, b) => (b.cpuSeconds ?? 0) - (a.cpuSeconds ?? 0))[0];
  if (table === null || hot === undefined || !isSlow(world, view) || view.inspect === null) return null;
  const cores = coresUsed(rows);
  if (cores < busyCores && (hot.cpuSeconds ?? 0) < 10) return null;
  return [
    faultAt(view, {
      cause: "busy-regex",
      summary: `${view.name} burns CPU in its own code: ${hot.command} runs without pause while requests wait`,
      facts: [
        cite(table, `${view.name}: ${hot.command} state R, ${hot.cpuSeconds} s of CPU in ${hot.elapsedS} s`, view.name),
        ...describeSlowness(world, view),
      ],
      witnesses: ["host-processes", "http-probe"],
      weight: weight.told,
      advice: [
        `Look which input keeps ${view.name} computing (a regular expression, a loop), bound it, and take a profile before anything is restarted.`,
      ],
    }),
  ];
}

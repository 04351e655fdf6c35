import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { treeOf } from "../process-tree.ts";
import type { ProcessRow } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type Told, told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** So many dead or left-over children are no accident of the moment. */
const manyChildren = 8;

/**
 * No further process can be started. Who fills the limit decides: dead children nobody collects, what a health command
 * leaves behind at its own rhythm, another container of the same user, or simply the work itself.
 */
export const processes: Rule = {
  name: "processes",
  causes: ["pids-limit", "zombie-pileup", "probe-leaks-processes", "nproc-shared-uid"],
  needs: ["docker-inspect", "cgroup", "host-processes"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const full = limitReached(world, view);
    if (full === null) return leftBehind(world, view, null);
    const found = leftBehind(world, view, full);
    if (found.length > 0) return found;
    return [...sharedUser(world, view, full), ...ownLimit(world, view, full)].slice(0, 1);
  },
};

interface Full {
  said: Told | null;
  facts: Fact[];
  witnesses: string[];
  /** The container's own process limit was met: now, or as its counter and the kernel tell. */
  byLimit: "now" | "before" | null;
}

function limitReached(world: World, view: ContainerView): Full | null {
  const said = told(world, view, ["cannot-fork"]);
  const kernel = hostOf(world, view.host)?.kernel ?? null;
  const rejected = (kernel?.value.faults ?? []).filter(
    (fault) => fault.kind === "fork-rejected" && fault.containerId !== null && view.id.startsWith(fault.containerId),
  );
  const group = view.cgroup?.value ?? null;
  const limit = group?.pidsLimit ?? view.inspect?.value.pidsLimit ?? null;
  const current = group?.pidsCurrent ?? null;
  const refused = group?.pidsRefused ?? 0;
  const now = limit !== null && limit > 0 && current !== null && current >= limit * 0.95;
  const before = limit !== null && limit > 0 && (refused > 0 || rejected.length > 0);
  if (said === null && !now && !before) return null;
  const facts = [...(said?.facts ?? [])];
  const rejection = rejected.at(-1);
  if (view.cgroup !== null)
    facts.push(
      cite(view.cgroup, `pids.current ${current}, pids.max ${limit ?? "max"}, forks refused ${refused}`, view.name),
    );
  if (kernel !== null && rejection !== undefined) facts.push(cite(kernel, rejection.text, view.name));
  if (view.inspect !== null && view.inspect.value.pidsLimit !== null)
    facts.push(cite(view.inspect, `HostConfig.PidsLimit=${view.inspect.value.pidsLimit}`, view.name));
  const witnesses = [
    ...(said === null ? [] : ["docker-logs"]),
    ...(now || refused > 0 ? ["cgroup"] : []),
    ...(rejection === undefined ? [] : ["kernel-log"]),
  ];
  return { said, facts, witnesses, byLimit: now ? "now" : before ? "before" : null };
}

/** Children that nobody collects, or that the health command leaves at its rhythm. */
function leftBehind(world: World, view: ContainerView, full: Full | null): Finding[] {
  const seen = hostOf(world, view.host)?.processes ?? null;
  const below = treeOf(world, view).filter((row) => row.pid !== view.inspect?.value.pid);
  if (seen === null || view.inspect === null || below.length < manyChildren) return [];
  const zombies = below.filter((row) => row.state === "Z");
  const leaked = ofHealthCommand(view, below);
  const all = `${below.length} processes below its main process, ${zombies.length} of them in state Z`;
  const facts = [cite(seen, `${view.name}: ${all}`, view.name), ...(full?.facts ?? [])];
  const base = {
    facts,
    witnesses: ["host-processes", ...(full?.witnesses ?? [])],
    onsetMs: full?.said?.signals[0]?.line.atMs ?? null,
    kind: full === null ? ("hazard" as const) : ("fault" as const),
  };
  if (leaked !== null && leaked.length >= manyChildren && leaked.length >= below.length / 2) {
    const health = view.inspect.value.healthcheck;
    facts.push(
      cite(
        seen,
        `${leaked.length} of them started at the health check's rhythm, such as ${leaked[0]?.args}`,
        view.name,
      ),
      cite(
        view.inspect,
        `Healthcheck interval ${(health?.intervalMs ?? 30_000) / 1000} s: ${health?.test.join(" ")}`,
        view.name,
      ),
    );
    return [
      faultAt(view, {
        ...base,
        cause: "probe-leaks-processes",
        summary: `The health command of ${view.name} leaves a process behind at each run: ${leaked.length} are there by now`,
        witnesses: [...base.witnesses, "docker-inspect"],
        weight: full === null ? weight.weak : weight.proven,
        advice: [
          `Mend the health command of ${view.name} so that it ends all it starts; the program itself does not leak.`,
        ],
      }),
    ];
  }
  if (zombies.length < manyChildren || zombies.length < below.length / 2) return [];
  return [
    faultAt(view, {
      ...base,
      cause: "zombie-pileup",
      summary: `${view.name} never collects its dead children: ${zombies.length} of its ${below.length} processes are zombies that fill its process limit`,
      weight: full === null ? weight.weak : weight.proven,
      advice: [
        `Run ${view.name} with an init (docker run --init, compose: init: true), or have the program wait for its children.`,
      ],
    }),
  ];
}

/** Those whose ages step by the health check's interval: only the engine starts processes so regularly. */
function ofHealthCommand(view: ContainerView, below: ProcessRow[]): ProcessRow[] | null {
  const health = view.inspect?.value.healthcheck;
  if (health == null || health.test[0] === "NONE" || health.test.length === 0) return null;
  const intervalS = (health.intervalMs ?? 30_000) / 1_000;
  const groups = Map.groupBy(
    below.filter((row) => row.elapsedS !== null),
    (row) => row.command,
  );
  const rhythmic = [...groups.values()].filter((rows) => {
    const ages = rows.map((row) => row.elapsedS as number).sort((a, b) => a - b);
    const steps = ages.slice(1).map((age, at) => age - (ages[at] as number));
    // The engine waits the interval after a probe has ended, so a step is the interval and the probe's own time.
    const fitting = steps.filter(
      (step) => step >= Math.floor(intervalS) && step <= intervalS + Math.max(2, intervalS * 0.5),
    );
    return steps.length >= 3 && fitting.length >= steps.length * 0.7;
  });
  const named = rhythmic.flat();
  return named.length === 0 ? null : named;
}

/** The limit of a user id counts every process of that user on the host, whichever container it is in. */
function sharedUser(world: World, view: ContainerView, full: Full): Finding[] {
  const nproc = view.inspect?.value.ulimits.find((entry) => entry.name === "nproc") ?? null;
  const seen = hostOf(world, view.host)?.processes ?? null;
  const configured = /^(\d+)(?::|$)/.exec(view.inspect?.value.user ?? "")?.[1];
  const uid = treeOf(world, view)[0]?.uid ?? configured;
  if (nproc === null || view.inspect === null || seen === null || uid === undefined || full.byLimit === "now")
    return [];
  if (full.said === null) return [];
  const counts = world.containers
    .filter((other) => other.host === view.host)
    .map((other) => ({ other, count: treeOf(world, other).filter((row) => row.uid === uid).length }));
  const own = counts.find((entry) => entry.other === view)?.count ?? 0;
  const most = counts.filter((entry) => entry.other !== view).sort((a, b) => b.count - a.count)[0];
  if (most === undefined || most.count <= own || most.count < nproc.soft / 2) return [];
  const fact = cite(
    seen,
    `user id ${uid}: ${most.count} processes in ${most.other.name}, ${own} in ${view.name}; nproc limit ${nproc.soft}`,
    view.name,
  );
  return [
    faultAt(most.other, {
      cause: "nproc-shared-uid",
      summary: `${most.other.name} runs ${most.count} processes of user id ${uid}, which ${view.name} shares; together they meet the limit of ${nproc.soft} processes for that user, although ${view.name} has only ${own}`,
      facts: [
        fact,
        cite(view.inspect, `HostConfig.Ulimits nproc=${nproc.soft}:${nproc.hard}`, view.name),
        ...full.said.facts,
      ],
      witnesses: ["host-processes", "docker-logs"],
      onsetMs: full.said.signals[0]?.line.atMs ?? null,
      weight: weight.proven,
      shownBy: view.ref,
      link: { proof: "shared-resource", facts: [fact] },
      actOn: most.other.ref,
      advice: [
        `Give ${view.name} and ${most.other.name} different user ids, or limit processes per container (pids_limit) instead of per user (nproc).`,
      ],
    }),
  ];
}

function ownLimit(world: World, view: ContainerView, full: Full): Finding[] {
  const nproc = view.inspect?.value.ulimits.find((entry) => entry.name === "nproc") ?? null;
  const own = treeOf(world, view).length;
  const byUser = full.byLimit === null && nproc !== null && full.said !== null && own >= nproc.soft * 0.5;
  if (full.byLimit === null && !byUser) return [];
  const limit = view.cgroup?.value.pidsLimit ?? view.inspect?.value.pidsLimit ?? nproc?.soft ?? null;
  const facts = [...full.facts];
  if (byUser && view.inspect !== null)
    facts.push(cite(view.inspect, `HostConfig.Ulimits nproc=${nproc.soft}:${nproc.hard}`, view.name));
  const certain = full.byLimit === "now" || full.said !== null;
  return [
    faultAt(view, {
      cause: "pids-limit",
      summary: `${view.name} reached its limit of ${limit} processes and threads, so it cannot start another one`,
      facts,
      witnesses: [...full.witnesses, ...(byUser ? ["docker-inspect"] : [])],
      onsetMs: full.said?.signals[0]?.line.atMs ?? null,
      kind: certain ? "fault" : "hazard",
      weight: full.byLimit === "now" ? weight.proven : full.said !== null ? weight.strong : weight.weak,
      advice: [
        `Raise pids_limit of ${view.name} where it is configured, or have it start fewer processes and threads.`,
      ],
    }),
  ];
}

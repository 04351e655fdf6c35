import { describeEvent } from "../death.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import type { ProcessRow } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** Paused through Docker, or stopped by a signal while Docker says running. Callers time out; nobody refuses. */
export const frozen: Rule = {
  name: "frozen",
  causes: ["dep-paused", "human-pause", "dep-sigstop"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    if (view.inspect.value.paused) {
      const paused = view.events.findLast((event) => event.action === "pause");
      const events = hostOf(world, view.host)?.events;
      const facts = [cite(view.inspect, "State.Paused=true", view.name)];
      if (paused !== undefined && events != null) facts.push(cite(events, describeEvent(paused), view.name));
      const cause = world.subjects.includes(view) ? "human-pause" : "dep-paused";
      const witnesses = ["docker-inspect", ...(paused === undefined ? [] : ["docker-events"])];
      return [
        faultAt(view, {
          cause,
          summary: `${view.name} is paused: its processes are frozen and answer nobody`,
          facts,
          witnesses,
          onsetMs: paused?.atMs ?? null,
          weight: weight.proven,
        }),
      ];
    }
    const stopped = view.inspect.value.running ? stoppedFact(world, view) : null;
    if (stopped === null) return [];
    return [
      faultAt(view, {
        cause: "dep-sigstop",
        summary: `${view.name}'s processes are frozen by a stop signal while Docker says running`,
        facts: [stopped, cite(view.inspect, "State.Status=running State.Paused=false", view.name)],
        witnesses: [stopped.reading.source, "docker-inspect"],
        weight: weight.proven,
        advice: [`A person can let it go on without losing anything: kill -CONT of its process on the host.`],
      }),
    ];
  },
};

/** The main process, or every process below a main one that only waits for them, such as a shell. */
function stoppedFact(world: World, view: ContainerView): Fact | null {
  const process = view.process;
  if (process !== null && /^[Tt]/.test(process.value.state ?? ""))
    return cite(process, `process state ${process.value.state} (stopped)`, view.name);
  const seen = hostOf(world, view.host)?.processes;
  const main = view.inspect?.value.pid;
  if (seen == null || main == null) return null;
  // A `sleep` is the clock of a shell that waits, whoever is stopped beside it.
  const below = descendants(seen.value, main).filter((row) => !/^(?:\S{0,100}\/)?sleep\b/.test(row.args));
  const first = below[0];
  if (first === undefined || !below.every((row) => /^[Tt]/.test(row.state ?? ""))) return null;
  return cite(seen, `pid ${first.pid} state ${first.state} (stopped): ${first.args}`, view.name);
}

function descendants(rows: readonly ProcessRow[], main: number): ProcessRow[] {
  const found = new Set([main]);
  for (let depth = 0; depth < limits.processDepth; depth += 1)
    for (const row of rows) if (row.ppid !== null && found.has(row.ppid)) found.add(row.pid);
  return rows.filter((row) => row.pid !== main && found.has(row.pid));
}

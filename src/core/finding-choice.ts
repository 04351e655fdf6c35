import { recent } from "./complaints.ts";
import type { Finding } from "./diagnosis.ts";
import { edgesFrom } from "./graph.ts";
import type { Reached } from "./walk.ts";
import { containerOf, type World } from "./world.ts";

/** A finding at a reached container, with how well the path to it explains the symptom. */
export interface Candidate {
  finding: Finding;
  reached: Reached;
  score: number;
}

/**
 * Ranks what was found. The weight says how sure the fault is; the path says whether it explains the symptom: a fault
 * that only configuration leads to, while failures are seen to lead elsewhere, explains nothing.
 */
export function rankCandidates(world: World, found: { finding: Finding; reached: Reached }[]): Candidate[] {
  return found
    .map(({ finding, reached }) => ({
      finding,
      reached,
      score: finding.weight - pathPenalty(world, reached),
    }))
    .sort(
      (a, b) =>
        b.score - a.score ||
        b.reached.path.length - a.reached.path.length ||
        hurt(b.reached) - hurt(a.reached) ||
        compare(a.finding, b.finding),
    );
}

function pathPenalty(world: World, reached: Reached): number {
  if (reached.path.length === 0 || reached.failing) return 0;
  return failuresLeadElsewhere(world, reached) ? 50 : 10;
}

/**
 * Where the failing steps of the path end, do others go on? A container that is seen to fail and blames nobody may keep
 * silent about a peer: what its configuration names is then the next place to look.
 */
function failuresLeadElsewhere(world: World, { path }: Reached): boolean {
  const seen = path.findIndex((edge) => edge.failures.length === 0);
  const last = path[seen];
  const ends = seen === 0 ? world.subjects.map((view) => view.ref) : last === undefined ? [] : [last.from];
  return ends.some((ref) => {
    const view = containerOf(world, ref);
    return view !== null && edgesFrom(world.edges, ref).some((edge) => recent(world, view, edge.failures).length > 0);
  });
}

/** How often the last step towards it is seen to fail: of two faults the one that hurts more is told first. */
function hurt(reached: Reached): number {
  return reached.path.at(-1)?.failures.length ?? 0;
}

/** Stable when everything else is equal: by time, then by name. */
function compare(a: Finding, b: Finding): number {
  const byTime = (a.onsetMs ?? Number.POSITIVE_INFINITY) - (b.onsetMs ?? Number.POSITIVE_INFINITY);
  if (byTime !== 0 && !Number.isNaN(byTime)) return byTime;
  return `${a.container} ${a.cause}` < `${b.container} ${b.cause}` ? -1 : 1;
}

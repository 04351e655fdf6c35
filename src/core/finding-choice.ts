import { recent } from "./complaints.ts";
import type { Finding } from "./diagnosis.ts";
import { edgesFrom } from "./graph.ts";
import type { Reached } from "./walk.ts";
import type { World } from "./world.ts";

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
  const failuresLead = world.subjects.some((view) =>
    edgesFrom(world.edges, view.ref).some((edge) => recent(world, view, edge.failures).length > 0),
  );
  return found
    .map(({ finding, reached }) => ({
      finding,
      reached,
      score: finding.weight - pathPenalty(reached, failuresLead),
    }))
    .sort(
      (a, b) =>
        b.score - a.score ||
        b.reached.path.length - a.reached.path.length ||
        hurt(b.reached) - hurt(a.reached) ||
        compare(a.finding, b.finding),
    );
}

function pathPenalty(reached: Reached, failuresLead: boolean): number {
  if (reached.path.length === 0 || reached.failing) return 0;
  return failuresLead ? 50 : 10;
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

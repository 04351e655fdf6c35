import { type Cause, causeFacts } from "./causes.ts";
import { changeAdvice } from "./changes.ts";
import type { ChainLink, Confidence, Diagnosis, Edge, Finding, Suspect } from "./diagnosis.ts";
import type { Gap, Reading } from "./evidence.ts";
import { type Candidate, rankCandidates } from "./finding-choice.ts";
import { gapsOf } from "./gaps.ts";
import { dependencyEdges } from "./graph.ts";
import { limits } from "./limits.ts";
import type { Question } from "./next-reads.ts";
import { passedOnFrom } from "./passed-on.ts";
import { removedSubject } from "./removed.ts";
import { rules } from "./rules/index.ts";
import { findSubjects, nearNames } from "./subjects.ts";
import { type SymptomState, symptomState } from "./symptom.ts";
import { unseenEngine } from "./unseen-engine.ts";
import { type Reached, walk } from "./walk.ts";
import { buildWorld, cite, type World } from "./world.ts";

/** What was concluded, and the world it was concluded from (plans are made from it). */
export interface Conclusion {
  diagnosis: Diagnosis;
  world: World;
  symptom: SymptomState;
}

/**
 * From evidence to an answer. Pure: the same readings give the same answer, byte for byte.
 * Only a container reached by a proven path, with a finding that explains what is seen, is accused.
 */
export function diagnose(question: Question, readings: readonly Reading[]): Conclusion {
  const scene = buildWorld(question.target, readings, question.settings, question.nowMs);
  const subjects = findSubjects(scene);
  const world: World = { ...scene, subjects, edges: dependencyEdges(scene) };
  const gaps = gapsOf(world);
  const symptom = symptomState(world);
  if (subjects.length === 0) return { world, symptom, diagnosis: withoutSubject(world, gaps) };
  const reached = walk(world);
  const ranked = rankCandidates(world, evaluate(world, reached));
  return {
    world,
    symptom,
    diagnosis: conclude(world, symptom, reached, ranked, gaps),
  };
}

function evaluate(world: World, reached: Reached[]): { finding: Finding; reached: Reached }[] {
  const hosts = world.hosts.filter((host) => reached.some((entry) => entry.view.host === host.name));
  const ofContainers = reached.flatMap((entry) =>
    rules.flatMap((rule) =>
      (rule.evaluate?.(world, entry.view) ?? []).map((finding) => ({
        finding,
        reached: entry,
      })),
    ),
  );
  const ofHosts = hosts.flatMap((host) => {
    const at = reached.find((entry) => entry.view.host === host.name) as Reached;
    return rules.flatMap((rule) =>
      (rule.evaluateHost?.(world, host) ?? []).map((finding) => ({
        finding,
        reached: at,
      })),
    );
  });
  return [...ofContainers, ...ofHosts].filter(({ finding }) => finding.facts.length > 0);
}

function conclude(
  world: World,
  symptom: SymptomState,
  reached: Reached[],
  ranked: Candidate[],
  gaps: Gap[],
): Diagnosis {
  const faults = ranked.filter(({ finding }) => finding.kind === "fault");
  const best = faults.find((candidate) => isAccusable(candidate, symptom));
  if (best === undefined) return withoutCulprit(world, symptom, reached, ranked, gaps);
  if (causeFacts(best.finding.cause).noFault)
    return {
      ...withoutCulprit(world, symptom, reached, ranked, gaps),
      verdict: "no-fault-found",
      suspects: [],
      contributingFactors: [best.finding],
      advice: best.finding.advice,
    };
  const others = faults
    .slice(1)
    .filter((other) => !sameCulprit(other.finding, best.finding) && other.score >= limits.contributeFrom)
    .filter((other) => !waitsForIt(other.finding, best));
  const hazards = ranked.filter(({ finding }) => finding.kind === "hazard");
  const chain = chainTo(best);
  return {
    ...emptyDiagnosis(world, gaps),
    verdict: "root-cause",
    rootCause: { ...best.finding, confidence: confidenceOf(best.finding) },
    chain,
    contributingFactors: unique([...others, ...hazards].map(({ finding }) => finding)),
    ruledOut: unique(
      ranked
        .filter(({ finding }) => finding.kind === "ruled-out" && !sameCulprit(finding, best.finding))
        .map(({ finding }) => finding),
    ),
    advice: [...best.finding.advice, ...others.flatMap(({ finding }) => finding.advice)],
    handsOff: handsOffReason(ranked, best.finding),
  };
}

/** A service that works is explained only by a fault that is over; one that merely seems to, not by a mere hint. */
function isAccusable({ finding, score }: Candidate, symptom: SymptomState): boolean {
  if (score < limits.accuseFrom) return false;
  switch (symptom.state) {
    case "absent":
      return finding.past === true;
    case "seems-absent":
      // Over is accused alike whether the service works or fails, so not less where that is not certain.
      return score >= limits.accuseWhenSeemingFineFrom || finding.past === true || causeFacts(finding.cause).noFault;
    case "present":
    case "unknown":
      return true;
  }
}

/** Nothing may be accused: either it works, or evidence is missing, or one container is certainly at fault for an unknown reason. */
function withoutCulprit(
  world: World,
  symptom: SymptomState,
  reached: Reached[],
  ranked: Candidate[],
  gaps: Gap[],
): Diagnosis {
  const told = unique(ranked.filter(({ finding }) => finding.kind !== "ruled-out").map(({ finding }) => finding));
  const base: Diagnosis = {
    ...emptyDiagnosis(world, gaps),
    ruledOut: unique(ranked.filter(({ finding }) => finding.kind === "ruled-out").map(({ finding }) => finding)),
    handsOff: handsOffReason(ranked, null),
  };
  const fine =
    symptom.state === "absent" ||
    (symptom.state === "seems-absent" && !ranked.some(({ finding }) => finding.kind === "fault"));
  if (fine) {
    return {
      ...base,
      verdict: "no-fault-found",
      contributingFactors: told,
      advice: told.flatMap((finding) => finding.advice),
      symptomFacts: symptom.facts,
    };
  }
  const end = failingEnd(world, reached);
  const chain = end === null ? [] : end.path.map(linkOf);
  return {
    ...base,
    verdict: "inconclusive",
    advice: whatChanged(world, reached),
    chain,
    suspects: suspectsOf(world, symptom, ranked, end, gaps),
    contributingFactors: unique(
      ranked.filter(({ finding }) => finding.kind === "hazard").map(({ finding }) => finding),
    ),
    symptomFacts: symptom.facts,
  };
}

/** Where nothing could be decided, what changed lately is where a person should look first. */
function whatChanged(world: World, reached: Reached[]): string[] {
  const told = changeAdvice(
    world,
    world.nowMs,
    reached.map((entry) => entry.view.name),
  );
  return told === null ? [] : [told];
}

/** The deepest container the failing chain leads to. */
function failingEnd(world: World, reached: Reached[]): Reached | null {
  const failing = reached.filter((entry) => entry.failing);
  const end = failing.toSorted((a, b) => b.path.length - a.path.length)[0] ?? null;
  return end === null ? null : (passedOnFrom(world, reached, end) ?? end);
}

function suspectsOf(
  world: World,
  symptom: SymptomState,
  ranked: Candidate[],
  end: Reached | null,
  gaps: Gap[],
): Suspect[] {
  const fromFindings = ranked
    .filter(({ finding }) => finding.kind === "fault")
    .map(
      ({ finding }): Suspect => ({
        host: finding.host,
        container: finding.container,
        cause: finding.cause,
        summary: finding.summary,
        facts: finding.facts,
        wouldDecide: missingRead(gaps, finding.host),
      }),
    );
  const last = end?.path.at(-1);
  const outside = outsideEnd(world);
  const suspects = [...fromFindings];
  if (outside !== null) suspects.unshift(outside);
  suspects.unshift(...unseenHosts(world));
  if (end !== null && suspects.length === 0) {
    const facts = last !== undefined ? last.facts : symptom.facts;
    const summary =
      last !== undefined
        ? `${end.view.name} is where the failures lead; no known cause fits what was read`
        : `${end.view.name} fails by itself; no known cause fits what was read`;
    if (facts.length > 0)
      suspects.push({
        host: end.view.host,
        container: end.view.name,
        cause: null,
        summary,
        facts,
        wouldDecide: missingRead(gaps, end.view.host),
      });
  }
  return suspects.slice(0, limits.suspects);
}

/** The subject's failures lead to a name that no registered host shows. */
function outsideEnd(world: World): Suspect | null {
  const edge = world.edges.find(
    (candidate) =>
      candidate.to.host === null &&
      candidate.failures.length > 0 &&
      world.subjects.some((view) => view.id === candidate.from.containerId),
  );
  if (edge === undefined) return null;
  return {
    host: edge.from.host,
    container: null,
    cause: null,
    summary: `${edge.from.container} fails to reach ${edge.to.container}, which no registered host shows`,
    facts: edge.facts,
    wouldDecide: `register the host that runs ${edge.to.container}, or check that service where it runs`,
  };
}

/** A registered host that could not be read may hold the culprit. */
function unseenHosts(world: World): Suspect[] {
  return world.readings.flatMap((reading) => {
    if (reading.source !== "docker-list" || reading.outcome.status !== "failed") return [];
    if (world.hosts.some((host) => host.name === reading.host && host.list !== null)) return [];
    const { reason, fix } = reading.outcome;
    return [
      {
        host: reading.host,
        container: null,
        cause: null,
        summary: `${reading.host} could not be seen: what runs there is unknown`,
        facts: [cite({ reading }, reason)],
        wouldDecide: `containers of ${reading.host}: ${fix ?? reason}`,
      },
    ];
  });
}

function missingRead(gaps: Gap[], host: string): string {
  const gap = gaps.find((entry) => entry.host === host) ?? gaps[0];
  return gap === undefined
    ? "an error line with its time from the failing request, or a request id"
    : `${gap.source} on ${gap.host}: ${gap.fix ?? gap.reason}`;
}

function withoutSubject(world: World, gaps: Gap[]): Diagnosis {
  const removed = removedSubject(world);
  if (removed !== null) {
    return {
      ...emptyDiagnosis(world, gaps),
      verdict: "root-cause",
      rootCause: { ...removed, confidence: confidenceOf(removed) },
      advice: removed.advice,
    };
  }
  const silent = unseenEngine(world);
  if (silent !== null) {
    return {
      ...emptyDiagnosis(world, gaps),
      verdict: "root-cause",
      rootCause: { ...silent, confidence: confidenceOf(silent) },
      advice: silent.advice,
    };
  }
  const unseen = gaps.some((gap) => gap.source === "docker-list");
  return {
    ...emptyDiagnosis(world, gaps),
    verdict: unseen ? "inconclusive" : "not-found",
    nearNames: nearNames(world),
  };
}

function emptyDiagnosis(world: World, gaps: Gap[]): Diagnosis {
  return {
    target: world.target,
    verdict: "inconclusive",
    rootCause: null,
    chain: [],
    suspects: [],
    contributingFactors: [],
    ruledOut: [],
    gaps,
    advice: [],
    nearNames: [],
    handsOff: null,
    symptomFacts: [],
  };
}

/** Who stands on the way to the culprit and is stuck is stuck because of it: a consequence, and nothing to act on. */
function waitsForIt(finding: Finding, best: Candidate): boolean {
  const onTheWay = best.reached.path.some(
    (edge) => edge.from.host === finding.host && edge.from.containerId === finding.containerId,
  );
  return onTheWay && stuckCauses.has(finding.cause);
}

const stuckCauses: ReadonlySet<Cause> = new Set([
  "no-healthcheck-hang",
  "single-worker-blocked",
  "slow-endpoint-starves-pool",
  "listen-backlog-overflow",
  "pool-leak-in-web",
]);

function confidenceOf(finding: Finding): Confidence {
  return new Set(finding.witnesses).size >= 2 ? "confirmed" : "probable";
}

/** A person at work on one container keeps the program's hands off that one only; recovery and the like off everything. */
function handsOffReason(ranked: Candidate[], root: Finding | null): string | null {
  const held = ranked.find(
    ({ finding }) =>
      finding.kind !== "ruled-out" &&
      causeFacts(finding.cause).handsOff &&
      (finding.cause !== "operator-already-acting" || root === null || finding.containerId === root.containerId),
  );
  return held === undefined ? null : held.finding.summary;
}

function chainTo(candidate: Candidate): ChainLink[] {
  const links = candidate.reached.path.map(linkOf);
  const { finding } = candidate;
  if (finding.link === undefined || finding.shownBy === undefined || finding.container === null) return links;
  return [
    ...links,
    {
      from: finding.shownBy.container,
      to: finding.container,
      proof: finding.link.proof,
      facts: finding.link.facts,
    },
  ];
}

function linkOf(edge: Edge): ChainLink {
  return {
    from: edge.from.container,
    to: edge.to.container,
    proof: edge.proof,
    facts: edge.facts,
  };
}

function sameCulprit(a: Finding, b: Finding): boolean {
  const samePlace = a.host === b.host && a.containerId === b.containerId;
  const sameHelp = (a.actOn?.containerId ?? null) === (b.actOn?.containerId ?? null) || a.containerId !== null;
  return samePlace && sameHelp && (a.cause === b.cause || a.kind === "fault");
}

function unique(findings: Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const key = `${finding.host} ${finding.containerId} ${finding.cause} ${finding.containerId === null ? (finding.actOn?.containerId ?? "") : ""}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

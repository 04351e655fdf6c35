import { causeFacts } from "./causes.ts";
import type { Conclusion } from "./diagnose.ts";
import type { Diagnosis, Finding } from "./diagnosis.ts";
import { limits } from "./limits.ts";
import { type Precondition, type ProbeSpec, planHash, type RemediationPlan, type Risk } from "./plan.ts";
import type { ContainerInspect } from "./readings.ts";
import { actedOn, type Remedy, remedyFor } from "./remediations/index.ts";
import type { MemoryPolicy } from "./remediations/size-memory.ts";
import { composeService } from "./resolve.ts";
import { type ContainerView, containerOf, type World } from "./world.ts";

/** What the configuration allows a plan to do. */
export interface ActionPolicy extends MemoryPolicy {
  /** Container name patterns with `*`: never acted on. */
  protectedContainers: string[];
  policyVersion: string;
}

export type Proposal = { plan: RemediationPlan } | { plan: null; why: string };

/**
 * A plan for the root cause and for those contributing faults that also need one. No plan when nothing should be done
 * by the bot: hands off, protected, over the policy, or no action that cures the cause.
 */
export function propose(conclusion: Conclusion, policy: ActionPolicy): Proposal {
  const { diagnosis, world } = conclusion;
  const root = diagnosis.rootCause;
  if (root === null) return { plan: null, why: "there is no proven root cause" };
  if (diagnosis.handsOff !== null) return { plan: null, why: `hands off: ${diagnosis.handsOff}` };
  const also = diagnosis.contributingFactors.filter(
    (finding) => finding.kind === "fault" && causeFacts(finding.cause).mayOffer.length > 0,
  );
  const parts: Part[] = [];
  const after = (root.alsoActOn ?? []).map((actOn): Finding => ({ ...root, actOn }));
  for (const finding of [root, ...after, ...also]) {
    const remedy = remedyFor(world, finding, policy);
    const view = actedOn(world, finding);
    if ("none" in remedy || view === null || isProtected(view, policy)) {
      if (finding !== root) continue;
      return {
        plan: null,
        why:
          view !== null && isProtected(view, policy)
            ? `${view.name} is protected by the policy${byHand(remedy)}`
            : "none" in remedy
              ? remedy.none
              : "what would be acted on was not seen",
      };
    }
    // What is done for the cause itself is enough for a container that also shows a consequence.
    if (also.includes(finding) && parts.some((part) => part.view === view)) continue;
    parts.push({ finding, remedy, view });
  }
  return { plan: assemble(conclusion, parts, policy) };
}

/** The diagnosis, and where it is proven and no plan follows from it, the reason: nobody should wait for a button. */
export function withPlanReason(conclusion: Conclusion, policy: ActionPolicy): Diagnosis {
  const { diagnosis } = conclusion;
  if (diagnosis.rootCause === null || diagnosis.handsOff !== null) return diagnosis;
  const proposed = propose(conclusion, policy);
  if (proposed.plan !== null) return diagnosis;
  return { ...diagnosis, advice: [...diagnosis.advice, `No plan is proposed: ${proposed.why}.`] };
}

function byHand(remedy: Remedy): string {
  return "none" in remedy ? "" : `; by hand it would be: ${remedy.steps.map((step) => step.title).join(", then ")}`;
}

export function isProtected(
  view: Pick<ContainerView, "name">,
  policy: Pick<ActionPolicy, "protectedContainers">,
): boolean {
  return policy.protectedContainers.some((pattern) => matchesPattern(pattern, view.name));
}

/** `*` stands for any run of characters, `?` for one; everything else is literal. Takes at most pattern times name steps. */
export function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    if (pattern[place] === "*") {
      star = place;
      resume = at;
      place += 1;
    } else if (place < pattern.length && (pattern[place] === "?" || pattern[place] === name[at])) {
      place += 1;
      at += 1;
    } else if (star !== -1) {
      resume += 1;
      at = resume;
      place = star + 1;
    } else return false;
  }
  while (pattern[place] === "*") place += 1;
  return place === pattern.length;
}

type Part = {
  finding: Finding;
  remedy: Exclude<Remedy, { none: string }>;
  view: ContainerView;
};

function assemble(conclusion: Conclusion, parts: Part[], policy: ActionPolicy): RemediationPlan {
  const { world } = conclusion;
  const steps = parts.flatMap((part) => part.remedy.steps);
  const preconditions = parts.map((part) => preconditionOf(part.view, part.view.inspect?.value as ContainerInspect));
  const probes = probesOf(conclusion);
  const size = parts.find((part) => part.remedy.size !== null)?.remedy.size ?? null;
  const first = parts[0] as Part;
  const compose = parts.find((part) => part.remedy.composeLines.length > 0);
  const draft = { steps, preconditions, policyVersion: policy.policyVersion };
  return {
    hash: planHash(draft),
    cause: first.finding.cause,
    ...draft,
    risk: riskOf(parts),
    risks: [...new Set(parts.flatMap((part) => part.remedy.risks))],
    verification: verificationSentences(world, parts, probes),
    probes,
    undo: parts.flatMap((part) => part.remedy.undo),
    undoWarning: undoWarningOf(parts),
    composeNote:
      compose === undefined
        ? null
        : { service: composeService(compose.view) ?? compose.view.name, lines: compose.remedy.composeLines },
    memoryChoice: size === null ? null : { floorBytes: size.floorBytes, ceilingBytes: size.ceilingBytes },
  };
}

function undoWarningOf(parts: Part[]): string | null {
  const warnings = [
    parts.some(({ remedy }) => remedy.size !== null)
      ? "Taking the raise back can kill the container at once when it then uses more than the old limit."
      : null,
    parts.some(({ remedy }) => remedy.undo.some((undo) => undo.action === "update-pids-limit"))
      ? "Taking the process limit back makes new processes fail at once while more than the old limit run."
      : null,
    parts.some(({ remedy }) => remedy.endsLoop)
      ? "Taking the restart policy back begins the restart loop again."
      : null,
  ].filter((warning) => warning !== null);
  return warnings.length === 0 ? null : warnings.join(" ");
}

/** Raising a cap many times over, or restarting something that runs, deserves a second look. */
function riskOf(parts: Part[]): Risk {
  const actions = parts.flatMap((part) => part.remedy.steps.map((step) => ({ action: step.action, view: part.view })));
  if (actions.some(({ action }) => action.action === "restart")) return "medium";
  const bigRaise = actions.some(
    ({ action, view }) =>
      action.action === "update-memory" &&
      action.memoryBytes > limits.bigRaise * (view.inspect?.value.memoryLimitBytes ?? action.memoryBytes),
  );
  return bigRaise ? "medium" : "low";
}

function verificationSentences(world: World, parts: Part[], probes: ProbeSpec[]): string[] {
  const promised = parts.map(({ view, remedy }) =>
    remedy.endsLoop ? `${view.name} is not started again and again any more` : `${view.name} is running and stays so`,
  );
  const asked = probes.map(
    (probe) => `GET ${probe.path} on ${probe.container}:${probe.port} answers ${probe.expect ?? "below 500"}`,
  );
  const quiet =
    probes.length === 0 ? world.subjects.map((view) => `${view.name} logs no new failure of what it depends on`) : [];
  return [...new Set(promised), ...asked, ...quiet];
}

/** The reported symptom: the paths that failed when probed. */
function probesOf({ world, symptom }: Conclusion): ProbeSpec[] {
  return symptom.failingPaths.flatMap((failing) => {
    const view = containerOf(world, failing.container);
    return view === null
      ? []
      : [
          {
            host: view.host,
            container: view.name,
            containerId: view.id,
            port: failing.port,
            path: failing.path,
            expect: failing.expect,
          },
        ];
  });
}

/** The state the plan was made for. */
export function preconditionOf(
  view: Pick<ContainerView, "host" | "id" | "name">,
  inspect: ContainerInspect,
): Precondition {
  const looping = inspect.restartCount > 0 && inspect.restartPolicy.name !== "no";
  return {
    host: view.host,
    containerId: view.id,
    container: view.name,
    expect: {
      status: looping ? null : inspect.status,
      startedAtMs: looping ? null : inspect.startedAtMs,
      finishedAtMs: looping ? null : inspect.finishedAtMs,
      restartCount: looping ? null : inspect.restartCount,
      memoryLimitBytes: inspect.memoryLimitBytes,
      memorySwapBytes: inspect.memorySwapBytes,
      pidsLimit: inspect.pidsLimit,
      restartPolicy: inspect.restartPolicy.name,
      networks: inspect.networks.map((network) => network.name).sort(),
    },
  };
}

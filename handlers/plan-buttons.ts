import { breakGlassPhrase } from "../src/core/approve.ts";
import { actionIds, type ButtonValue, type PlanButton, parseButtonValue } from "../src/core/buttons.ts";
import type { Decision } from "../src/core/judgement.ts";
import { type Incident, type PlanRecord, replay } from "../src/core/replay.ts";
import { isRefusal, type Refusal, refuse } from "../src/core/result.ts";
import type { Asked, HandlerDeps, Reply } from "./asked.ts";
import { told } from "./help.ts";
import { openModal } from "./modals.ts";
import { breakGlassModal, changeModal, commandsModal, reasonModal } from "./plan-modals.ts";

export interface Click extends Asked {
  /** From the message as the person's client had it: looked up and judged anew, never believed. */
  value: string;
}

type Press = (click: Click, plan: ButtonValue, deps: HandlerDeps) => Promise<Reply>;

/** By action id. Nothing is decided here: the room judges who may do what to which plan, at this moment. */
export const planButtons: Record<string, (click: Click, deps: HandlerDeps) => Promise<Reply>> = Object.fromEntries(
  (Object.entries(actionIds) as [PlanButton, string][]).map(([button, actionId]) => [
    actionId,
    async (click: Click, deps: HandlerDeps) => {
      const plan = parseButtonValue(click.value);
      return plan === null ? notOurs : await presses[button](click, plan, deps);
    },
  ]),
);

/** The card tells everybody what became of these; the person is told only when nothing did. */
const decides =
  (decision: Decision): Press =>
  async (click, plan, deps) => {
    const decided = await deps.room.decide(plan.incidentId, plan.hash, await click.person(), decision);
    return isRefusal(decided) ? decided : null;
  };

/** These take a while to show: the person is told that it was taken. */
const begins =
  (decision: Decision): Press =>
  async (click, plan, deps) => {
    const decided = await deps.room.decide(plan.incidentId, plan.hash, await click.person(), decision);
    return isRefusal(decided) ? decided : told(decided.said);
  };

const again = "Press the button again.";

/** Judged before anything is asked: who may not approve need not write a reason first. */
const approve: Press = async (click, plan, deps) => {
  const decided = await decides({ verb: "approve", reason: null })(click, plan, deps);
  const wantsReason = isRefusal(decided ?? {}) && (decided as Refusal).code === "reason-required";
  if (!wantsReason) return decided;
  const known = await planOf(plan, deps);
  return isRefusal(known) ? known : await openModal(click, deps, reasonModal(click, known.record), again);
};

const presses: Record<PlanButton, Press> = {
  approve,
  approveWithReason: approve,
  reject: decides({ verb: "reject", reason: null }),
  async change(click, plan, deps) {
    const known = await planOf(plan, deps);
    if (isRefusal(known)) return known;
    const { memoryChoice } = known.record.plan;
    return memoryChoice === null ? noMemory : await openModal(click, deps, changeModal(click, known.record), again);
  },
  async showCommands(click, plan, deps) {
    const known = await planOf(plan, deps);
    return isRefusal(known) ? known : await openModal(click, deps, commandsModal(known.record), again);
  },
  abort: begins({ verb: "abort" }),
  replan: begins({ verb: "replan" }),
  undo: begins({ verb: "undo" }),
  async breakGlass(click, plan, deps) {
    const known = await planOf(plan, deps);
    if (isRefusal(known)) return known;
    return await openModal(click, deps, breakGlassModal(click, breakGlassPhrase(known.record)), again);
  },
};

async function planOf(
  plan: ButtonValue,
  deps: HandlerDeps,
): Promise<{ incident: Incident; record: PlanRecord } | Refusal> {
  const incident = replay(await deps.room.entries(plan.incidentId));
  const record = incident?.plans.find((one) => one.plan.hash.startsWith(plan.hash));
  return incident === null || record === undefined ? notOurs : { incident, record };
}

const notOurs = refuse(
  "plan-superseded",
  "This button belongs to no plan that room137 knows.",
  "Nothing was done.",
  "Use the newest card in the thread.",
);

const noMemory = refuse(
  "nothing-to-do",
  "No step of this plan sets memory.",
  "There is nothing to change.",
  "Approve or reject it as it is.",
);

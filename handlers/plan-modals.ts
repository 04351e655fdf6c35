import type { ModalView } from "@slack/types";
import { parseButtonValue } from "../src/core/buttons.ts";
import { firstRaise } from "../src/core/change-memory.ts";
import type { Decision } from "../src/core/judgement.ts";
import { limits } from "../src/core/limits.ts";
import type { PlanRecord } from "../src/core/replay.ts";
import { isRefusal, refuse } from "../src/core/result.ts";
import { humanBytes } from "../src/core/rule.ts";
import { commandsText } from "../src/render/plan-card.ts";
import { actionWords } from "../src/render/wording.ts";
import { bullets, context, input, preformatted, section } from "../src/slack/blocks/build.ts";
import { plainTextInput } from "../src/slack/blocks/build-elements.ts";
import { modal } from "../src/slack/blocks/build-views.ts";
import { bold, code, fmt } from "../src/slack/blocks/inline.ts";
import type { Asked, HandlerDeps, Reply } from "./asked.ts";
import { told } from "./help.ts";
import { type Form, inputAction, originText, parseOrigin, type Typed } from "./modals.ts";
import type { Click } from "./plan-buttons.ts";
import { parseMemory } from "./words.ts";

export const reasonFormId = "plan_reason";
export const changeFormId = "plan_memory";
export const breakGlassFormId = "plan_glass";

const reasonInput = () =>
  input("Reason", plainTextInput({ actionId: inputAction, maxLength: limits.reasonChars, multiline: true }), {
    blockId: "reason",
    hint: "One sentence. It stands in the timeline with your name.",
  });

/** Takes the place of the confirm dialog where the policy asks for a reason. */
export function reasonModal(click: Click, { plan }: PlanRecord): ModalView {
  return modal({
    title: "Approve the plan",
    callbackId: reasonFormId,
    submit: "Approve",
    metadata: originText(click, click.value),
    blocks: [
      section("These steps run at once when the last approval is in:"),
      bullets(
        plan.steps.map((step) => fmt`${actionWords(step.action)}`),
        { ordered: true },
      ),
      reasonInput(),
    ],
  });
}

export function changeModal(click: Click, { plan }: PlanRecord): ModalView {
  const choice = plan.memoryChoice ?? { floorBytes: 0, ceilingBytes: 0 };
  const action = plan.steps[firstRaise(plan)]?.action;
  const nowBytes = action?.action === "update-memory" ? action.memoryBytes : choice.floorBytes;
  const range = `${humanBytes(choice.floorBytes)} to ${humanBytes(choice.ceilingBytes)}`;
  return modal({
    title: "Change the memory",
    callbackId: changeFormId,
    submit: "Change",
    metadata: originText(click, `${click.value}|${choice.floorBytes}|${choice.ceilingBytes}`),
    blocks: [
      section(
        fmt`The plan gives ${bold(action?.container ?? "the container")} ${bold(humanBytes(nowBytes))}. The floor is what it has been seen to use, the ceiling is the policy and the host's free memory.`,
      ),
      input("New limit", plainTextInput({ actionId: inputAction, initial: shortBytes(nowBytes), maxLength: 20 }), {
        blockId: "memory",
        hint: `${range}, written like 768m or 2g.`,
      }),
      context(["A changed plan is a new plan: approvals given so far do not count for it."]),
    ],
  });
}

export function breakGlassModal(click: Click, phrase: string): ModalView {
  return modal({
    title: "Break the glass",
    callbackId: breakGlassFormId,
    submit: "Run it now",
    metadata: originText(click, click.value),
    blocks: [
      section("The plan runs without the approval it needs. Everybody in the channel is told, and a review follows."),
      input(fmt`Type ${phrase} to confirm`, plainTextInput({ actionId: inputAction, maxLength: 200 }), {
        blockId: "typed",
      }),
      reasonInput(),
    ],
  });
}

export function commandsModal(record: PlanRecord): ModalView {
  return modal({
    title: "Commands",
    callbackId: "plan_commands",
    close: "Close",
    blocks: [
      section(fmt`What the steps of plan ${code(record.plan.hash.slice(0, 12))} amount to, to read or to run by hand:`),
      preformatted(commandsText(record)),
    ],
  });
}

interface Deciding {
  subject: string;
  decision: Decision;
}

async function decideIt({ subject, decision }: Deciding, who: Asked, deps: HandlerDeps): Promise<Reply> {
  const plan = parseButtonValue(subject);
  if (plan === null) {
    return refuse("bad-input", "The form belongs to no plan.", "Nothing was done.", "Press the button again.");
  }
  const decided = await deps.room.decide(plan.incidentId, plan.hash, await who.person(), decision);
  if (isRefusal(decided)) return decided;
  return decision.verb === "approve" ? null : told(decided.said);
}

const missingReason = (typed: Typed): Record<string, string> =>
  (typed["reason"] ?? "") === "" ? { reason: "Write one sentence." } : {};

export const reasonForm: Form<Deciding> = {
  parse(typed, metadata) {
    const errors = missingReason(typed);
    if (Object.keys(errors).length > 0) return { errors };
    const decision: Decision = { verb: "approve", reason: typed["reason"] ?? "" };
    return { parsed: { subject: parseOrigin(metadata).subject, decision } };
  },
  act: decideIt,
};

export const changeForm: Form<Deciding> = {
  parse(typed, metadata) {
    const memoryBytes = parseMemory(typed["memory"] ?? "");
    if (memoryBytes === null) return { errors: { memory: "That is no size. Write it like 768m or 2g." } };
    // For the message under the input only; the room judges by the plan itself.
    const [floorBytes = 0, ceilingBytes = Number.MAX_SAFE_INTEGER] = metadata.split("|").slice(3).map(Number);
    if (memoryBytes < floorBytes || memoryBytes > ceilingBytes) {
      return { errors: { memory: `Choose a size from ${humanBytes(floorBytes)} to ${humanBytes(ceilingBytes)}.` } };
    }
    return { parsed: { subject: parseOrigin(metadata).subject, decision: { verb: "change-memory", memoryBytes } } };
  },
  act: decideIt,
};

export const breakGlassForm: Form<Deciding> = {
  parse(typed, metadata) {
    const errors = missingReason(typed);
    if (Object.keys(errors).length > 0) return { errors };
    const [confirmation, reason] = [typed["typed"] ?? "", typed["reason"] ?? ""];
    const decision: Decision = { verb: "break-glass", typed: confirmation, reason };
    return { parsed: { subject: parseOrigin(metadata).subject, decision } };
  },
  act: decideIt,
};

/** As people type it, where that is exact. */
function shortBytes(bytes: number): string {
  if (bytes % 1024 ** 3 === 0) return `${bytes / 1024 ** 3}g`;
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}m` : String(bytes);
}

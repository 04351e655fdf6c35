import type { TriggerContext } from "../interact/triggers.ts";
import {
  allViews,
  changed,
  findView,
  makeView,
  openRoot,
  pushOnStack,
  replaceBody,
  stackOf,
  viewJson,
  viewProblem,
  viewRefusal,
} from "../interact/view-stack.ts";
import { isObject } from "../manifest.ts";
import type { JsonObject } from "../protocol.ts";
import type { View } from "../world.ts";
import { type Answer, type Call, type Failure, fail, isFailure, type Method, ok, structured, text } from "./method.ts";

const common = { tier: 4, scopes: [], token: "bot" } as const;

export const viewMethods: Record<string, Method> = {
  "views.open": { ...common, required: ["view"], run: open },
  "views.push": { ...common, required: ["view"], run: push },
  "views.update": { ...common, required: ["view"], run: update },
  "views.publish": { ...common, required: ["user_id", "view"], run: publish },
};

function open(call: Call): Answer {
  const view = modalIn(call);
  if (isFailure(view)) return view;
  const trigger = redeem(call);
  if (isFailure(trigger)) return trigger;
  return ok({ view: viewJson(call.room, openRoot(call.room, trigger.user, view)) });
}

function push(call: Call): Answer {
  const view = modalIn(call);
  if (isFailure(view)) return view;
  const trigger = redeem(call);
  if (isFailure(trigger)) return trigger;
  const from = trigger.viewId === null ? null : findView(call.room, trigger.viewId);
  if (from?.type !== "modal" || stackOf(call.room, trigger.user).length === 0) {
    return viewRefusal([
      "must match the `type` of the root view whose stack we're pushing onto [json-pointer:/view/type]",
    ]);
  }
  const pushed = pushOnStack(call.room, trigger.user, view);
  return isFailure(pushed) ? pushed : ok({ view: viewJson(call.room, pushed) });
}

/** Checked before the trigger is used up: a refused view leaves it good for another try. */
function modalIn({ room, args }: Call): JsonObject | Failure {
  const view = structured(args, "view");
  const problem = viewProblem(room, view);
  if (problem) return problem;
  if (!isObject(view) || view["type"] !== "modal")
    return viewRefusal(["unsupported type: home [json-pointer:/view/type]"]);
  return view;
}

function redeem({ room, args }: Call): TriggerContext | Failure {
  const id = text(args, "trigger_id") ?? text(args, "interactivity_pointer");
  if (id === null) return viewRefusal(["missing required field: trigger_id"]);
  const found = room.triggers.redeem(id);
  if (typeof found !== "string") return found;
  if (found === "expired_trigger_id" && room.faults.on("oldExpiredTriggerShape")) {
    return viewRefusal(["`trigger_id` expired [json-pointer:/trigger_id]"]);
  }
  return fail(found);
}

function update({ room, args }: Call): Answer {
  const view = structured(args, "view");
  const [id, externalId] = [text(args, "view_id"), text(args, "external_id")];
  if (id === null && externalId === null) return viewRefusal(["missing required field: view_id"]);
  const target = allViews(room).find((candidate) =>
    id === null ? candidate.externalId === externalId : candidate.id === id,
  );
  const kept = isObject(view) && target && view["external_id"] === target.externalId;
  const { external_id: _same, ...rest } = isObject(view) ? view : {};
  const problem = viewProblem(room, kept ? rest : view);
  if (problem) return problem;
  if (!target) return fail("not_found");
  if (!isObject(view) || view["type"] !== target.type)
    return viewRefusal(["must match the `type` of the view being updated [json-pointer:/view/type]"]);
  if (hashConflicts(target, text(args, "hash"))) return fail("hash_conflict");
  replaceBody(room, target, view);
  return ok({ view: viewJson(room, target) });
}

const hashConflicts = (view: View, hash: string | null) => hash !== null && hash !== view.hash;

function publish({ room, args }: Call): Answer {
  if (!room.manifest.homeTab) return fail("not_enabled");
  const user = room.world.users.get(text(args, "user_id") ?? "");
  if (!user || user.deleted || user.isBot) return viewRefusal(["invalid `user_id` [json-pointer:/user_id]"]);
  const view = structured(args, "view");
  const current = room.world.homes.get(user.id) ?? null;
  const problem = viewProblem(room, view);
  if (
    problem &&
    !(problem.error === "duplicate_external_id" && isObject(view) && view["external_id"] === current?.externalId)
  )
    return problem;
  if (!isObject(view) || view["type"] !== "home")
    return viewRefusal(["unsupported type: modal [json-pointer:/view/type]"]);
  if (current && hashConflicts(current, text(args, "hash"))) return fail("hash_conflict");
  if (current) {
    replaceBody(room, current, view);
    return ok({ view: viewJson(room, current) });
  }
  const made = makeView(room, user.id, view, null);
  room.world.homes.set(user.id, made);
  changed(room, made);
  return ok({ view: viewJson(room, made) });
}

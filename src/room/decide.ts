import { judge } from "../core/approve.ts";
import type { Actor, EntryBody } from "../core/incident.ts";
import { type Decision, decisionVerbs, type Judgement } from "../core/judgement.ts";
import { limits } from "../core/limits.ts";
import { preconditionOf } from "../core/propose.ts";
import type { Incident } from "../core/replay.ts";
import { type Refusal, refuse } from "../core/result.ts";
import type { Person } from "../core/rights.ts";
import { undoActions, undoPlan } from "../core/undo.ts";
import { personActor } from "./ask.ts";
import { type Desk, labelsOf } from "./desk.ts";
import { readFreeze } from "./freeze.ts";
import { proposal } from "./investigate-incident.ts";
import { withoutRival } from "./open-plans.ts";
import { readStates } from "./read-states.ts";
import { type Addition, change, room137 } from "./record.ts";

/**
 * One click. It is judged on the timeline as it stands; when another entry came in between, it is judged again. A
 * refusal is a row too. The decision is durable before anything is begun.
 */
export async function decide(
  desk: Desk,
  incidentId: string,
  hash: string,
  by: Person,
  decision: Decision,
): Promise<{ said: string } | Refusal> {
  // What comes in was a button or a form once, and both can be forged.
  if (!decisionVerbs.includes(decision.verb)) return unknownVerb(String(decision.verb));
  const changed = await change(desk, incidentId, async (incident) => {
    const judgement = await judged(desk, incident, hash, by, decision);
    return { add: additions(incident, by, decision, judgement), result: judgement };
  });
  if (changed === null) return unknownIncident(incidentId);
  const judgement = changed.result;
  const code = "refusal" in judgement ? judgement.refusal.code : "accepted";
  desk.metrics.count("decision", { verb: decision.verb, code });
  desk.log.info({ incidentId, verb: decision.verb, code, userId: by.userId }, "decision judged");
  if ("refusal" in judgement) return judgement.refusal;
  if (judgement.follow === "propose-undo") return await proposeUndo(desk, changed.incident, hash, by, judgement.said);
  if (judgement.follow !== "nothing") desk.work.begin(incidentId);
  return { said: judgement.said };
}

export function unknownIncident(incidentId: string): Refusal {
  const found = `There is no incident ${incidentId.slice(0, 40)}.`;
  return refuse("unknown-incident", found, "Nothing was changed.", "See /timeline for the newest one here.");
}

function unknownVerb(verb: string): Refusal {
  const found = `There is no decision called ${verb.slice(0, 40)}; there are ${decisionVerbs.join(", ")}.`;
  return refuse("unknown-command", found, "Nothing was changed.", "Use the buttons of the newest plan.");
}

async function judged(
  desk: Desk,
  incident: Incident,
  hash: string,
  by: Person,
  decision: Decision,
): Promise<Judgement> {
  const frozen = await readFreeze(desk);
  const labels = labelsOf(desk);
  return judge({ incident, hash, by, decision, policy: desk.policy, frozen, labels, nowMs: desk.clock.nowMs() });
}

function additions(incident: Incident, by: Person, decision: Decision, judgement: Judgement): Addition[] {
  const person = personActor(by);
  const own = judgement.bodies.map((body) => ({ actor: actorOf(body, person), body }));
  if ("refusal" in judgement) {
    const { code, found } = judgement.refusal;
    // Nothing was refused yet: the person is asked for the reason now.
    if (code === "reason-required" && decision.verb === "approve") return own;
    const told = incident.refusedEntries < limits.refusedEntries;
    return told ? [...own, { actor: person, body: { kind: "refused", verb: decision.verb, code, found } }] : own;
  }
  if (judgement.follow !== "investigate") return own;
  return [...own, { actor: person, body: { kind: "investigating", hosts: incident.hosts, again: true } }];
}

/** That time passed or the world changed is nobody's doing, although a click brought it to light. */
function actorOf(body: EntryBody, person: Actor): Actor {
  return body.kind === "expired" || body.kind === "stale" ? room137 : person;
}

/** The state it would be undone from is read now, and the plan made of it waits for its own approval. */
async function proposeUndo(
  desk: Desk,
  incident: Incident,
  hash: string,
  by: Person,
  said: string,
): Promise<{ said: string } | Refusal> {
  const record = incident.plan;
  if (record === null) return unknownIncident(incident.incidentId);
  const places = new Map(undoActions(record).map((action) => [`${action.host} ${action.containerId}`, action]));
  const stateOf = await readStates(desk, [...places.values()]);
  const preconditions = [];
  for (const action of places.values()) {
    const fresh = stateOf(action);
    if (!("container" in fresh)) {
      const why = "gone" in fresh ? "it is gone" : fresh.unreadable;
      const found = `${action.container} could not be read: ${why}.`;
      return refuse(
        "plan-stale",
        found,
        "Without its state there is no plan to undo it.",
        "Try again when it answers.",
      );
    }
    const view = { host: action.host, id: action.containerId, name: action.container };
    preconditions.push(preconditionOf(view, fresh.container));
  }
  const plan = undoPlan(record, preconditions, desk.policy.actions.policyVersion);
  return await withoutRival<{ said: string } | Refusal>(desk, incident.incidentId, plan, async (rival) => {
    if (rival !== null) return rival;
    const changed = await change<{ said: string } | Refusal>(desk, incident.incidentId, async (now) => {
      const judgement = await judged(desk, now, hash, by, { verb: "undo" });
      if ("refusal" in judgement) return { add: [], result: judgement.refusal };
      const body = proposal(desk, now, plan, { userId: by.userId, undoOf: hash });
      return { add: [{ actor: personActor(by), body }], result: { said } };
    });
    return changed?.result ?? unknownIncident(incident.incidentId);
  });
}

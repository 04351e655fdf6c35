import type { Target } from "../core/diagnosis.ts";
import type { Actor } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { Fault, type Refusal, refuse } from "../core/result.ts";
import { mayDo, type Person } from "../core/rights.ts";
import type { AskRequest } from "../room.ts";
import { type Desk, hostsOf } from "./desk.ts";
import { questionFor } from "./question.ts";
import { append, room137 } from "./record.ts";
import { watch } from "./watch.ts";

/** Records the incident and returns; whatever is found, also that there is no such service, is told in its thread. */
export async function ask(desk: Desk, request: AskRequest): Promise<{ incidentId: string } | Refusal> {
  const { place, service, symptom, host } = request;
  const target: Target = { service: service.trim(), symptom, host };
  const by = request.by.userId === null ? null : request.by;
  const refusal = refusalOf(desk, target, place?.channel ?? null, by);
  if (refusal !== null) return refusal;
  const question = questionFor(desk, target, place?.channel ?? null, by);
  const actor: Actor = by !== null ? personActor(by) : place === null ? { kind: "terminal" } : { kind: "room137" };
  for (let attempt = 0; attempt < limits.appendAttempts; attempt += 1) {
    const incidentId = `i-${desk.newId().toLowerCase().slice(0, 6)}`;
    await watch(desk, incidentId);
    const opened = await append(desk, null, incidentId, [
      { actor, body: { kind: "opened", target, room: place, command: request.command } },
      { actor: room137, body: { kind: "investigating", hosts: question.hosts, again: false } },
    ]);
    if (opened === null) continue;
    desk.metrics.count("incident", { symptom });
    desk.log.info({ incidentId, service: target.service, hosts: question.hosts.length }, "incident opened");
    desk.work.begin(incidentId);
    return { incidentId };
  }
  throw new Fault("store-conflict", "Opening an incident: every id that was tried is taken.", "Ask again in a moment.");
}

export function personActor(by: Person): Actor {
  return { kind: "person", userId: by.userId, name: by.name };
}

/** Only what makes an incident pointless; everything else is an answer. */
export function refusalOf(desk: Desk, target: Target, channel: string | null, by: Person | null): Refusal | null {
  if (target.service === "") {
    return refuse("bad-input", "No service was named.", "Nothing was looked at.", "Write /why-500 <service>.");
  }
  const visible = hostsOf(desk, channel);
  if (target.host !== null && !visible.includes(target.host)) {
    const known = visible.length === 0 ? "none" : visible.join(", ");
    const found = `There is no host called ${target.host} here; known: ${known}.`;
    return refuse("unknown-host", found, "Nothing was looked at.", "Name one of them, or add it with /hosts add.");
  }
  if (visible.length === 0) {
    const means = "There is nothing to look at.";
    return desk.hosts.names().length === 0
      ? refuse("unknown-host", "No host is registered.", means, "Add one with /hosts add or in the config.")
      : refuse(
          "unknown-host",
          "This channel may see no host.",
          means,
          "Ask in another channel; the config's channels: says which may see what.",
        );
  }
  if (by !== null && questionFor(desk, target, channel, by).hosts.length === 0) {
    const about = { host: null, container: target.service, action: null };
    const { because } = mayDo(desk.policy.approvals, by, "look", about);
    const found = `You may not look at ${target.service}: ${because}.`;
    return refuse("not-allowed", found, "Nothing was looked at.", "Ask an administrator, or see /room137 can-i look.");
  }
  return null;
}

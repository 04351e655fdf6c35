import type { Actor } from "../core/incident.ts";
import { limits } from "../core/limits.ts";
import { Fault, type Refusal, refuse } from "../core/result.ts";
import { mayDo, type Person } from "../core/rights.ts";
import { personActor } from "./ask.ts";
import { type Desk, labelsOf } from "./desk.ts";
import { unknownHost } from "./look.ts";

/** The stream of what changed for all hosts: who froze, who added what. It begins with no `opened`: it is no incident. */
const fleet = "fleet";

/**
 * Freezing takes effect before it is noted and thawing after it, so that a crash in between errs on the safe side.
 */
export async function setFrozen(
  desk: Desk,
  by: Person,
  frozen: boolean,
  reason: string | null,
): Promise<{ said: string } | Refusal> {
  const refusal = await mayAdminister(desk, by, null, frozen ? "freeze" : "unfreeze");
  if (refusal !== null) return refusal;
  const text = reason?.trim().slice(0, limits.reasonChars) || null;
  const why = text === null ? "" : `: ${text}`;
  if (!frozen) {
    await noteFleet(desk, personActor(by), `unfroze all acting${why}`);
    await desk.store.deleteDocument("switch", "freeze");
    return { said: "Unfrozen. Approved plans run again; what was stopped needs a new plan." };
  }
  const json = JSON.stringify({ by: by.name ?? by.userId, reason: text });
  await desk.store.putDocument("switch", "freeze", json, desk.clock.nowMs());
  await noteFleet(desk, personActor(by), `froze all acting${why}`);
  return { said: "Frozen. No step begins any more, on any host, until /room137 unfreeze." };
}

export async function addHost(
  desk: Desk,
  by: Person,
  input: { name: string; address: string; port: number; user: string; hostKey: string; identityFile: string },
): Promise<{ said: string } | Refusal> {
  const refusal = await mayAdminister(desk, by, null, "add a host");
  if (refusal !== null) return refusal;
  const config = desk.parseHost(input);
  if (Array.isArray(config)) {
    const found = `This is no valid host: ${config.join("; ")}.`;
    return refuse("bad-input", found, "No host was added.", "Correct it and send it again.");
  }
  if (desk.hosts.names().includes(config.name)) {
    const found = `There is a host called ${config.name} already.`;
    return refuse("bad-input", found, "Nothing was changed.", "Choose another name, or remove the other one first.");
  }
  await noteFleet(
    desk,
    personActor(by),
    `added the host ${config.name} (${input.user}@${input.address}:${input.port})`,
  );
  await desk.store.putDocument("host", config.name, JSON.stringify(input), desk.clock.nowMs());
  await desk.hosts.put(config);
  return { said: `Added ${config.name}. See whether all of it works: /hosts check ${config.name}` };
}

export async function removeHost(desk: Desk, by: Person, host: string): Promise<{ said: string } | Refusal> {
  if (!desk.hosts.names().includes(host)) return unknownHost(desk, host, null);
  const refusal = await mayAdminister(desk, by, host, "remove a host");
  if (refusal !== null) return refusal;
  if (desk.config.hosts.some((configured) => configured.name === host)) {
    const found = `${host} is in the config file.`;
    return refuse("not-allowed", found, "It cannot be removed from here.", "Take it out of the config and restart.");
  }
  await noteFleet(desk, personActor(by), `removed the host ${host}`);
  await desk.store.deleteDocument("host", host);
  await desk.hosts.remove(host);
  desk.seen.delete(host);
  return { said: `Removed ${host}.` };
}

/** Brings the directory in step with the stored hosts: those of an earlier run, and what other replicas changed. */
export async function loadHosts(desk: Desk): Promise<void> {
  const configured = new Set(desk.config.hosts.map((host) => host.name));
  const stored = new Map((await desk.store.documents("host")).map(({ key, json }) => [key, json]));
  for (const name of desk.hosts.names()) {
    if (!configured.has(name) && !stored.has(name)) await desk.hosts.remove(name);
  }
  for (const [name, json] of stored) {
    if (desk.hosts.names().includes(name)) continue;
    const config = parseStored(desk, json);
    if (Array.isArray(config)) desk.log.warn({ host: name, problems: config }, "a stored host is no longer valid");
    else await desk.hosts.put(config);
  }
}

function parseStored(desk: Desk, json: string): ReturnType<Desk["parseHost"]> {
  try {
    return desk.parseHost(JSON.parse(json));
  } catch (error) {
    return [`is not readable: ${String(error)}`];
  }
}

async function mayAdminister(desk: Desk, by: Person, host: string | null, what: string): Promise<Refusal | null> {
  const about = host === null ? null : { name: host, labels: labelsOf(desk)(host) };
  const target = { host: about, container: null, action: null };
  const { allowed, because } = mayDo(desk.policy.approvals, by, "administer", target);
  if (allowed) return null;
  await noteFleet(desk, personActor(by), `was refused to ${what}: ${because}`);
  return refuse("not-allowed", `You may not ${what}: ${because}.`, "Nothing was changed.", "Ask an administrator.");
}

async function noteFleet(desk: Desk, actor: Actor, text: string): Promise<void> {
  let expectSeq = (await desk.store.entries(fleet)).length + 1;
  for (let attempt = 0; attempt < limits.appendAttempts; attempt += 1) {
    const body = { kind: "note" as const, text, from: null };
    const atMs = desk.clock.nowMs();
    const appended = await desk.store.append([{ incidentId: fleet, expectSeq, atMs, actor, body }]);
    if (appended.appended) return;
    expectSeq = appended.actualSeq + 1;
  }
  throw new Fault("store-conflict", "Noting a change of the fleet: others were faster.", "Try again in a moment.");
}

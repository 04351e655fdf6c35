import { current, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { edgesFrom } from "../graph.ts";
import { limits } from "../limits.ts";
import type { LogSignal } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, containerOf, hostOf, type World } from "../world.ts";

/** The same thing again and again: a record that is refused for ever, or a client that repeats without pause. */
export const repetition: Rule = {
  name: "repetition",
  causes: ["poison-message", "retry-storm"],
  needs: ["docker-logs"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true) return [];
    return [poison(world, view), storm(world, view)].filter((finding) => finding !== null);
  },
};

const identity =
  /\b(?:id|uuid|key|tag|offset|message|msg|job|task|record|event|order|item|delivery(?:[_ -]tag)?)(?:[_ -]?id)?["']?\s{0,2}[=:#]?\s{0,2}["'#]?(?=[\w.:-]{0,63}\d)([A-Za-z0-9][\w.:-]{0,63})/gi;

function poison(world: World, view: ContainerView): Finding | null {
  const lines = recentSignals(world, view, ["redelivery"]);
  const byId = new Map<string, LogSignal[]>();
  for (const signal of lines) {
    const ids = new Set([...signal.line.text.matchAll(identity)].map((match) => match[1] as string));
    for (const id of ids) byId.set(id, [...(byId.get(id) ?? []), signal]);
  }
  const [id, again] = [...byId.entries()].sort((a, b) => b[1].length - a[1].length)[0] ?? [null, []];
  if (id === null || again.length < limits.redeliveries) return null;
  return faultAt(view, {
    cause: "poison-message",
    summary: `One record, ${id}, is refused by ${view.name} and delivered again and again; ${view.name} itself runs`,
    facts: [...signalFacts(view, again.slice(-3))],
    witnesses: ["docker-logs"],
    onsetMs: again[0]?.line.atMs ?? null,
    weight: weight.told,
    advice: [
      `Keep the record: move ${id} to a dead-letter queue and look at it. A restart delivers it again, and purging the queue loses the others.`,
    ],
  });
}

/** Failures at a rate no user makes, against a peer that was away and is back. */
function storm(world: World, view: ContainerView): Finding | null {
  for (const edge of edgesFrom(world.edges, view.ref)) {
    const peer = edge.to.host === null ? null : containerOf(world, edge.to);
    const failures = current(world, view, edge.failures);
    const first = failures[0]?.line.atMs ?? null;
    const last = failures.at(-1)?.line.atMs ?? null;
    if (
      peer === null ||
      peer.inspect?.value.running !== true ||
      peer.inspect.value.paused ||
      first === null ||
      last === null
    )
      continue;
    const back = peer.events.findLast((event) => ["unpause", "start"].includes(event.action));
    const after = failures.filter((signal) => back !== undefined && (signal.line.atMs ?? 0) > back.atMs);
    const retries = recentSignals(world, view, ["retrying"]);
    const perSecond = failures.length / Math.max(1, (last - first) / 1_000);
    if (
      back === undefined ||
      after.length < 2 ||
      perSecond < limits.stormPerSecond ||
      retries.length < limits.redeliveries
    )
      continue;
    const facts: Fact[] = [...signalFacts(view, retries.slice(-1)), ...signalFacts(view, after.slice(-2))];
    const events = hostOf(world, peer.host)?.events;
    if (events != null)
      facts.push(cite(events, `${back.action} of ${peer.name} at ${new Date(back.atMs).toISOString()}`, peer.name));
    return faultAt(view, {
      cause: "retry-storm",
      summary: `${view.name} repeats its calls to ${peer.name} without pause and keeps it under load, although ${peer.name} is back`,
      facts,
      witnesses: ["docker-logs", "docker-events"],
      onsetMs: first,
      weight: weight.strong,
      advice: [`Shed load at ${view.name} first; then give its retries a limit, growing pauses and jitter.`],
    });
  }
  return null;
}

import type { Fact } from "./evidence.ts";
import type { OomKill } from "./kernel-log.ts";
import { limits } from "./limits.ts";
import type { ContainerInspect, DockerEvent } from "./readings.ts";
import { type ContainerView, cite, hostOf, type World } from "./world.ts";

/** How a run of a container ended, judged by the order of its events, the kernel's record and only then by its flags. */
export type DeathKind =
  | "own-limit"
  | "parent-limit"
  | "host-memory"
  | "memory-unproven"
  | "docker-kill"
  | "stop-grace"
  | "stop-clean"
  | "daemon-stop"
  | "outside-kill"
  | "own-exit"
  | "start-failed"
  | "unknown-kill";

export interface Death {
  kind: DeathKind;
  /** Host time. */
  atMs: number | null;
  exitCode: number | null;
  /** Independent sources that agree. */
  witnesses: string[];
  facts: Fact[];
  /** The kernel's record of the main process, when there is one. */
  kill: OomKill | null;
}

type Scene = Pick<World, "hosts" | "containers" | "nowMs">;

/** Every kernel kill of a task in this container, oldest first. Short ids match by prefix. */
export function memoryKills(scene: Scene, view: ContainerView): OomKill[] {
  const kills = hostOf(scene, view.host)?.kernel?.value.kills ?? [];
  return kills.filter((kill) => kill.confirmed && kill.containerId !== null && view.id.startsWith(kill.containerId));
}

/** How the latest run ended; null while the container runs its first run, or was never inspected. */
export function lastDeath(scene: Scene, view: ContainerView): Death | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  if (inspect.status === "created" || (inspect.finishedAtMs === null && !inspect.running))
    return startFailure(view, inspect);
  if (inspect.finishedAtMs === null) return null;
  if (inspect.error !== "" && !inspect.running && isStartFailure(inspect)) return startFailure(view, inspect);
  const died = lastEvent(view.events, (event) => event.action === "die");
  const atMs = endOf(inspect, died ?? null);
  const exitCode = died === undefined ? inspect.exitCode : (numberOf(died.attributes["exitCode"]) ?? inspect.exitCode);
  return judge(scene, view, atMs, exitCode, died ?? null);
}

/**
 * When the run ended. On a host without memory the engine tells of an end up to half a minute late, while the state keeps
 * the moment the process was gone (seen 21 s apart: Debian 12, Docker 20.10, 1.5 GB full).
 */
function endOf(inspect: ContainerInspect, died: DockerEvent | null): number {
  const { running, startedAtMs, finishedAtMs } = inspect;
  const finished = finishedAtMs ?? 0;
  if (died === null) return finished;
  const sameRun = !running && finished <= died.atMs && finished >= (startedAtMs ?? finished);
  return sameRun && died.atMs - finished <= limits.lateDieMs ? finished : died.atMs;
}

/** Every death of this container the engine still remembers, oldest first. */
export function rememberedDeaths(scene: Scene, view: ContainerView): Death[] {
  return view.events
    .filter((event) => event.action === "die")
    .map((event) => judge(scene, view, event.atMs, numberOf(event.attributes["exitCode"]), event));
}

/** Events of the run that ended with `died`, in order: from its start up to and including what followed within 3 s. */
export function eventsOfRun(events: readonly DockerEvent[], died: DockerEvent): DockerEvent[] {
  const at = events.indexOf(died);
  let from = at;
  while (from > 0 && events[from - 1]?.action !== "start" && events[from - 1]?.action !== "die") from -= 1;
  let to = at;
  while (
    events[to + 1] !== undefined &&
    (events[to + 1] as DockerEvent).atMs - died.atMs <= 3_000 &&
    events[to + 1]?.action !== "start"
  )
    to += 1;
  return events.slice(from, to + 1);
}

function judge(
  scene: Scene,
  view: ContainerView,
  atMs: number,
  exitCode: number | null,
  died: DockerEvent | null,
): Death {
  const run = died === null ? [] : eventsOfRun(view.events, died);
  const kill = killAt(memoryKills(scene, view), atMs, view);
  const signals = askedSignals(run, died, exitCode);
  const asked = signals.length > 0;
  const stopped = run.some((event) => event.action === "stop");
  const facts = [...stateFacts(view), ...eventFacts(scene, view, run)];
  const base = { atMs, exitCode, facts, kill: null, witnesses: [] as string[] };
  const byMemory = kill !== null && (!asked || killedBeforeAsked(kill, run));
  if (byMemory) return memoryDeath(scene, view, kill, base, run);
  if (asked && stopped)
    return {
      ...base,
      kind: isForced(signals) && exitCode === 137 ? "stop-grace" : "stop-clean",
      witnesses: ["docker-events", "docker-inspect"],
    };
  if (asked && (exitCode === 137 || signals.some((signal) => !graceful.has(signal) && exitCode === 128 + signal)))
    return {
      ...base,
      kind: "docker-kill",
      witnesses: ["docker-events", "docker-inspect"],
    };
  if (asked)
    return {
      ...base,
      kind: "stop-clean",
      witnesses: ["docker-events", "docker-inspect"],
    };
  if (run.length === 0 && diedWithDaemon(scene, view, atMs))
    return { ...base, kind: "daemon-stop", witnesses: ["docker-inspect", "docker-events"] };
  if (exitCode !== null && exitCode !== 137 && exitCode !== 143)
    return { ...base, kind: "own-exit", witnesses: ["docker-inspect"] };
  return { ...base, ...unasked(scene, view, atMs, exitCode, run) };
}

/** Neither the engine's events nor the kernel names a cause for a 137 or 143: what the rest allows to say. */
function unasked(
  scene: Scene,
  view: ContainerView,
  atMs: number,
  exitCode: number | null,
  run: DockerEvent[],
): Pick<Death, "kind" | "witnesses"> {
  const host = hostOf(scene, view.host);
  const covered = host?.events?.value.completeSinceMs;
  // Podman's compatible socket leaves no event of a stop (seen with 4.3.1), so that its silence proves nothing.
  const eventsProven =
    covered !== null &&
    covered !== undefined &&
    covered <= atMs - limits.stopVisibleMs &&
    host?.engine?.value.kind !== "podman";
  const kernel = host?.kernel?.value ?? null;
  const firstAtMs = kernel?.firstAtMs ?? null;
  const kernelCovers = kernel !== null && firstAtMs !== null && firstAtMs <= atMs && !kernel.suppressed;
  if (exitCode === 143)
    return eventsProven
      ? { kind: "outside-kill", witnesses: ["docker-events", "docker-inspect"] }
      : { kind: "stop-clean", witnesses: ["docker-inspect"] };
  // An event of an earlier kill of a child stays in the run, and so does the flag; the kernel's silence beats both.
  const oomEvent = run.some((event) => event.action === "oom" && atMs - event.atMs <= limits.killBeforeDeathMs);
  const flagged = view.inspect?.value.oomKilled === true;
  if (!kernelCovers && (oomEvent || (flagged && !eventsProven))) {
    return {
      kind: "memory-unproven",
      witnesses: [...(oomEvent ? ["docker-events"] : []), ...(flagged ? ["docker-inspect"] : [])],
    };
  }
  if (eventsProven && kernelCovers) return { kind: "outside-kill", witnesses: ["docker-events", "kernel-log"] };
  return {
    kind: flagged && !kernelCovers ? "memory-unproven" : "unknown-kill",
    witnesses: ["docker-inspect"],
  };
}

function memoryDeath(
  scene: Scene,
  view: ContainerView,
  kill: OomKill,
  base: Omit<Death, "kind">,
  run: DockerEvent[],
): Death {
  const kernel = hostOf(scene, view.host)?.kernel;
  const facts =
    kernel === null || kernel === undefined ? base.facts : [...base.facts, cite(kernel, describeKill(kill), view.name)];
  const witnesses = ["kernel-log"];
  if (run.some((event) => event.action === "oom")) witnesses.push("docker-events");
  if (view.inspect?.value.oomKilled === true) witnesses.push("docker-inspect");
  const kind = kill.scope === "memcg" ? (isOwnLimit(view, kill) ? "own-limit" : "parent-limit") : "host-memory";
  return { ...base, kind, facts, witnesses, kill };
}

/** True when the limit that was hit is this container's own cgroup, not a parent's. */
export function isOwnLimit(view: ContainerView, kill: OomKill): boolean {
  if (kill.limitedCgroup === null) return view.inspect?.value.memoryLimitBytes !== null;
  return (
    kill.limitedCgroup.includes(view.id) || (kill.containerId !== null && kill.limitedCgroup.includes(kill.containerId))
  );
}

/** One line for people, with the numbers as the kernel printed them. */
export function describeKill(kill: OomKill): string {
  const scope =
    kill.scope === "memcg"
      ? "a memory cgroup limit"
      : kill.scope === "host"
        ? "the host's memory"
        : `scope ${kill.scope}`;
  const parts = [`killed process ${kill.pid} (${kill.process}) at ${scope}`];
  if (kill.limitedCgroup !== null) parts.push(`limit of ${kill.limitedCgroup}`);
  if (kill.anonRssKb !== null) parts.push(`anon-rss ${kill.anonRssKb} kB`);
  if (kill.fileRssKb !== null) parts.push(`file-rss ${kill.fileRssKb} kB`);
  if (kill.shmemRssKb !== null) parts.push(`shmem-rss ${kill.shmemRssKb} kB`);
  if (kill.timestamp !== null) parts.push(`at ${kill.timestamp}`);
  return parts.join(", ");
}

/** Signals whose usual end is the program's own orderly one: they are how a stop begins. */
const graceful: ReadonlySet<number> = new Set([2, 3, 15]);
const signalNumbers: Record<string, number> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ABRT: 6,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  TERM: 15,
  WINCH: 28,
};
/** Reload, rotate, resize: sent to programs that are meant to live on. */
const harmless: ReadonlySet<number> = new Set([1, 10, 12, 17, 18, 28]);

/**
 * The signals that were sent through the engine and can have ended this run. A `stop` event ties all of them to its end;
 * without one a signal counts only shortly before, and one that asks for a reload only when the exit code names it.
 */
function askedSignals(run: DockerEvent[], died: DockerEvent | null, exitCode: number | null): number[] {
  const stopped = run.some((event) => event.action === "stop");
  return run
    .filter(
      (event) =>
        event.action === "kill" && (stopped || (died?.atMs ?? event.atMs) - event.atMs <= limits.signalBeforeDeathMs),
    )
    .map((event) => signalNumber(event.attributes["signal"] ?? ""))
    .filter((signal) => !harmless.has(signal) || exitCode === 128 + signal);
}

function signalNumber(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : (signalNumbers[text.replace(/^SIG/, "")] ?? 0);
}

/** The kill at that time; where the kernel's text has no times at all, the only one there is, if the engine saw one too. */
function killAt(kills: OomKill[], atMs: number, view: ContainerView): OomKill | null {
  const only = kills.length === 1 ? kills[0] : undefined;
  if (only !== undefined && only.atMs === null && view.inspect?.value.oomKilled === true) return only;
  const near = kills.filter(
    (kill) =>
      kill.atMs !== null && kill.atMs <= atMs + limits.killAfterDeathMs && kill.atMs >= atMs - limits.killBeforeDeathMs,
  );
  return near[near.length - 1] ?? null;
}

/** Somebody changed the container's limits or policies after it died: what inspect says now is not what killed it. */
export function updateAfter(view: Pick<ContainerView, "events">, atMs: number | null): DockerEvent | null {
  if (atMs === null) return null;
  return view.events.findLast((event) => event.action === "update" && event.atMs > atMs) ?? null;
}

/** A stop or kill that was asked for only after the kernel had killed does not explain the death. */
function killedBeforeAsked(kill: OomKill, run: DockerEvent[]): boolean {
  const first = run.find((event) => event.action === "kill");
  const died = run.find((event) => event.action === "die");
  return first !== undefined && died !== undefined && kill.atMs !== null && first.atMs > died.atMs;
}

function isForced(signals: number[]): boolean {
  return signals.includes(9);
}

/**
 * A daemon that shuts down ends its containers within seconds of each other and forgets its events: several last
 * deaths cluster just before the first event it remembers.
 */
function diedWithDaemon(scene: Scene, view: ContainerView, atMs: number): boolean {
  const events = hostOf(scene, view.host)?.events?.value.events ?? [];
  const first = events[0];
  if (first !== undefined && first.atMs < atMs) return false;
  const cluster = scene.containers.filter((other) => {
    const finished = other.inspect?.value.finishedAtMs ?? null;
    return other.host === view.host && finished !== null && Math.abs(finished - atMs) <= limits.daemonStopSpreadMs;
  });
  return cluster.length >= 2;
}

function startFailure(view: ContainerView, inspect: ContainerInspect): Death | null {
  if (view.inspect === null) return null;
  if (inspect.error === "" && inspect.exitCode === 0) return null;
  return {
    kind: "start-failed",
    atMs: inspect.finishedAtMs ?? inspect.createdAtMs,
    exitCode: inspect.exitCode,
    witnesses: ["docker-inspect"],
    facts: [
      cite(
        view.inspect,
        `State.Status=${inspect.status} State.ExitCode=${inspect.exitCode} State.Error=${inspect.error}`,
        view.name,
      ),
    ],
    kill: null,
  };
}

function isStartFailure(inspect: ContainerInspect): boolean {
  return inspect.exitCode === 126 || inspect.exitCode === 127 || inspect.exitCode === 128;
}

function stateFacts(view: ContainerView): Fact[] {
  if (view.inspect === null) return [];
  const state = view.inspect.value;
  const text = `State.Status=${state.status} State.ExitCode=${state.exitCode} State.OOMKilled=${state.oomKilled} HostConfig.Memory=${state.memoryLimitBytes ?? 0}`;
  return [cite(view.inspect, text, view.name)];
}

function eventFacts(scene: Scene, view: ContainerView, run: DockerEvent[]): Fact[] {
  const events = hostOf(scene, view.host)?.events;
  const told = run.filter((event) => ["oom", "kill", "die", "stop", "destroy", "restart"].includes(event.action));
  if (events === null || events === undefined || told.length === 0) return [];
  return [cite(events, told.map(describeEvent).join(", "), view.name)];
}

export function describeEvent(event: DockerEvent): string {
  const detail = event.attributes["signal"] ?? event.attributes["exitCode"];
  const name = event.attributes["signal"] !== undefined ? "signal" : "exit";
  return `${event.action}${detail === undefined ? "" : ` (${name} ${detail})`} at ${new Date(event.atMs).toISOString()}`;
}

function lastEvent(events: readonly DockerEvent[], is: (event: DockerEvent) => boolean): DockerEvent | undefined {
  return events.findLast(is);
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : null;
}

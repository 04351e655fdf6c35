import type { Target } from "./diagnosis.ts";
import type { Reading } from "./evidence.ts";
import { dependencyEdges } from "./graph.ts";
import { personExecs } from "./hands.ts";
import { limits } from "./limits.ts";
import { probeReads } from "./probe-reads.ts";
import { proxyKind } from "./proxy-kind.ts";
import type { PlannedRead } from "./reads.ts";
import { readKey } from "./reads.ts";
import { removedImage } from "./removed.ts";
import { replicasOf } from "./replicas.ts";
import { composeProject, sharedNetworks } from "./resolve.ts";
import { resourceReads } from "./resource-reads.ts";
import { codeVolumes } from "./rules/image-content.ts";
import { serverKind, startedAs } from "./servers.ts";
import { findSubjects } from "./subjects.ts";
import { isEngineSilent } from "./unseen-engine.ts";
import { walk } from "./walk.ts";
import { buildWorld, type ContainerView, type DiagnosisSettings, type World } from "./world.ts";

/** What a question needs besides the evidence: hosts to look at, and our time when it was asked. */
export interface Question {
  target: Target;
  /** Hosts that may be read, in the configuration's order. */
  hosts: string[];
  settings: DiagnosisSettings;
  nowMs: number;
}

/**
 * What to read next, given what has been read. Pure and idempotent: the same evidence asks for the same reads, and
 * nothing more is wanted once the walk from the symptom meets no new container.
 * `done` holds the keys of reads already made, whether they succeeded or not.
 */
export function nextReads(question: Question, readings: readonly Reading[], done: ReadonlySet<string>): PlannedRead[] {
  const wanted = wantedReads(question, readings);
  const seen = new Set(done);
  return wanted.filter((read) => {
    const key = readKey(read);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function wantedReads(question: Question, readings: readonly Reading[]): PlannedRead[] {
  const hosts = question.hosts.flatMap((host) => hostReads(host, question.nowMs));
  if (readings.length === 0) return hosts;
  const scene = buildWorld(question.target, readings, question.settings, question.nowMs);
  const subjects = findSubjects(scene);
  const scope = inspectScope(scene.containers, subjects);
  const inspects = scope.map(
    (view): PlannedRead => ({
      host: view.host,
      source: "docker-inspect",
      containerId: view.id,
      args: null,
    }),
  );
  const kernel = scene.hosts.flatMap(kernelRead);
  const unseen = subjects.length > 0 ? [] : scene.hosts.flatMap((host) => unseenReads(scene, host));
  if (!scope.some((view) => view.inspect !== null)) return [...hosts, ...kernel, ...inspects, ...unseen];
  const world: World = { ...scene, subjects, edges: dependencyEdges(scene) };
  return [...hosts, ...kernel, ...inspects, ...unseen, ...detailReads(world)];
}

/** Where the asked-about name is not there: who serves without an engine, and whether its image is gone too. */
function unseenReads(scene: Omit<World, "subjects" | "edges">, host: World["hosts"][number]): PlannedRead[] {
  const about = { host: host.name, containerId: null };
  const image = removedImage(host, scene.target.service);
  return [
    ...(isEngineSilent(scene, host) || host.list?.value.length === 0
      ? [{ ...about, source: "host-processes" as const, args: null }]
      : []),
    ...(image === null ? [] : [{ ...about, source: "docker-image" as const, args: { imageId: image } }]),
  ];
}

function hostReads(host: string, nowMs: number): PlannedRead[] {
  const about = { host, containerId: null };
  return [
    { ...about, source: "docker-info", args: null },
    { ...about, source: "docker-list", args: null },
    {
      ...about,
      source: "docker-events",
      args: {
        sinceMs: nowMs - limits.eventsLookbackMs,
        untilMs: nowMs,
        engineStartedAtMs: null,
      },
    },
    { ...about, source: "host-facts", args: null },
    { ...about, source: "host-disk", args: null },
    { ...about, source: "host-clock", args: null },
  ];
}

/** The kernel log wants the boot time first, so that its stamps become times without a further read. */
function kernelRead(host: World["hosts"][number]): PlannedRead[] {
  const bootAtMs = host.facts?.value.bootAtMs ?? null;
  return [
    {
      host: host.name,
      source: "kernel-log",
      containerId: null,
      args: { bootAtMs },
    },
  ];
}

/** Every container of a small host; on a large one those that share a network, a project or the name. */
function inspectScope(containers: ContainerView[], subjects: ContainerView[]): ContainerView[] {
  const byHost = new Map<string, ContainerView[]>();
  for (const view of containers) byHost.set(view.host, [...(byHost.get(view.host) ?? []), view]);
  return [...byHost.values()].flatMap((views) => {
    if (views.length <= limits.inspectAllUpTo) return views;
    const near = views.filter((view) => subjects.some((subject) => isNear(subject, view)));
    return near.slice(0, limits.inspectAllUpTo);
  });
}

function isNear(subject: ContainerView, view: ContainerView): boolean {
  if (subject === view) return true;
  const project = composeProject(subject);
  return sharedNetworks(subject, view).length > 0 || (project !== null && project === composeProject(view));
}

/** Logs, cgroups, sockets and probes of what the walk has reached, and of what stands still next to it. */
function detailReads(world: World): PlannedRead[] {
  const reached = walk(world).map((entry) => entry.view);
  const beside = world.containers.filter(
    (view) => !reached.includes(view) && isTroubled(view) && world.subjects.some((subject) => isNear(subject, view)),
  );
  // A proxy that fails now and then may have been seen to ask only that replica which works.
  const twins = [...world.subjects, ...reached.filter((view) => !world.subjects.includes(view))]
    .flatMap((view) => replicasOf(world, view))
    .filter((view) => isRunning(view));
  const views = [...new Set([...reached, ...beside, ...twins.slice(0, limits.replicasRead)])];
  return [
    ...logReads(views),
    ...views
      .filter((view) => isDatabase(world, view) && isRunning(view))
      .map(
        (view): PlannedRead => ({
          host: view.host,
          source: "docker-top",
          containerId: view.id,
          args: null,
        }),
      ),
    ...world.hosts.flatMap((host) => manyContainerReads(world, host.name, views)),
    ...world.hosts.flatMap((host) => networkReads(host.name, views)),
    ...reached.flatMap((view) => insideReads(world, view)),
    ...proxyReads(world, reached),
    ...resourceReads(world),
    ...volumeReads(world),
    ...reached.flatMap((view) => probeReads(world, view)),
    ...world.hosts
      .filter((host) => host.list !== null)
      .map(
        (host): PlannedRead => ({
          host: host.name,
          source: "host-processes",
          containerId: null,
          args: null,
        }),
      ),
  ];
}

function logReads(views: ContainerView[]): PlannedRead[] {
  return views
    .filter((view) => view.inspect !== null)
    .map((view) => ({
      host: view.host,
      source: "docker-logs",
      containerId: view.id,
      args: { tail: limits.logTail, sinceMs: null, untilMs: null },
    }));
}

function manyContainerReads(world: World, host: string, views: ContainerView[]): PlannedRead[] {
  const running = world.containers
    .filter((view) => view.host === host && isRunning(view) && view.inspect !== null)
    .map((view) => ({
      containerId: view.id,
      pid: view.inspect?.value.pid ?? null,
      cgroupParent: view.inspect?.value.cgroupParent ?? "",
    }));
  const engine = world.hosts.find((entry) => entry.name === host)?.engine?.value;
  const near = running.filter((entry) => views.some((view) => view.id === entry.containerId));
  const pids = near.flatMap((entry) =>
    entry.pid === null ? [] : [{ containerId: entry.containerId, pid: entry.pid }],
  );
  const reads: PlannedRead[] = [];
  if (running.length > 0) {
    reads.push({
      host,
      source: "cgroup",
      containerId: null,
      args: {
        version: engine?.cgroupVersion ?? null,
        driver: engine?.cgroupDriver ?? null,
        containers: running,
      },
    });
  }
  if (pids.length > 0)
    reads.push({
      host,
      source: "process-facts",
      containerId: null,
      args: { containers: pids },
    });
  return reads;
}

function networkReads(host: string, views: ContainerView[]): PlannedRead[] {
  const ids = views
    .filter((view) => view.host === host)
    .flatMap((view) => view.inspect?.value.networks.map((network) => network.networkId) ?? []);
  const inspectIds = [...new Set(ids.filter((id) => id !== ""))].sort();
  return views.some((view) => view.host === host)
    ? [
        {
          host,
          source: "docker-networks",
          containerId: null,
          args: { inspectIds },
        },
      ]
    : [];
}

/** The image of what was asked about or is in trouble, its volumes where they may hide files, and what a hand changed in it. */
function insideReads(world: World, view: ContainerView): PlannedRead[] {
  const about = { host: view.host, containerId: view.id };
  const inspect = view.inspect?.value;
  if (inspect === undefined || !(world.subjects.includes(view) || isTroubled(view) || personExecs(view).length > 0))
    return [];
  const reads: PlannedRead[] = [{ ...about, source: "docker-image", args: { imageId: inspect.imageId } }];
  // Comparing a container with its image takes the engine a second, so only where somebody was inside.
  if (personExecs(view).length > 0) reads.push({ ...about, source: "docker-changes", args: null });
  if (codeVolumes(inspect, view).length > 0)
    reads.push({ host: view.host, containerId: null, source: "docker-volumes", args: null });
  return reads;
}

export function isRunning(view: ContainerView): boolean {
  const status = view.inspect?.value.status ?? view.summary?.value.status;
  return status === "running" || status === "paused";
}

function isTroubled(view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return false;
  return (
    inspect.status !== "running" ||
    inspect.oomKilled ||
    inspect.restartCount > 0 ||
    inspect.health?.status === "unhealthy"
  );
}

/** PostgreSQL puts who is connected, and what runs, into its process titles; the others are told by their sockets. */
function isDatabase(world: World, view: ContainerView): boolean {
  const kind = serverKind(world, view) ?? startedAs(view);
  return kind === "postgres" || kind === "mysql";
}

/** What a reached proxy is configured to ask; its log names only the upstreams that fail. */
function proxyReads(world: World, reached: ContainerView[]): PlannedRead[] {
  const proxies = reached.flatMap((view): PlannedRead[] => {
    const kind = proxyKind(world, view);
    if (kind === null) return [];
    return [{ host: view.host, source: "proxy-config", containerId: view.id, args: { kind } }];
  });
  return proxies.slice(0, limits.proxiesRead);
}

/** When a volume was made matters only where somebody misses what a database used to hold. */
function volumeReads(world: World): PlannedRead[] {
  const missed = new Set(["peer-schema-mismatch", "peer-database-missing", "peer-role-missing", "peer-auth-failed"]);
  return world.hosts
    .filter((host) =>
      world.edges.some((edge) => edge.to.host === host.name && edge.failures.some((signal) => missed.has(signal.kind))),
    )
    .map((host) => ({ host: host.name, source: "docker-volumes", containerId: null, args: null }));
}

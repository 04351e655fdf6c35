import { changesBefore, predecessorOf } from "../changes.ts";
import { complaintsAbout, signalFacts } from "../complaints.ts";
import { memoryKills, rememberedDeaths } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { ownFailure } from "../own-failure.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { clientsOf, linkTo } from "../sessions.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * A release somewhere else: the client whose new release takes a shared server's slots from the others, a leak that is
 * older than the deployment beside it, and a release that asks its database once per row.
 */
export const otherRelease: Rule = {
  name: "other-release",
  causes: ["culprit-in-other-service", "delayed-leak-innocent-deploy", "n-plus-one"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate: (world, view) => [...slotsTaken(world, view), ...olderLeak(world, view), ...oncePerRow(world, view)],
};

/** The holder of a server's slots was recreated with another image, and it is not what was asked about. */
function slotsTaken(world: World, server: ContainerView): Finding[] {
  const complaints = complaintsAbout(world, server, ["peer-too-many-connections", "peer-reserved-slots"]);
  if (complaints.length === 0 && !server.signals.some((signal) => signal.kind === "server-too-many-clients")) return [];
  const clients = clientsOf(world, server);
  const [first, second] = clients;
  if (first?.view == null || first.view === server || world.subjects.includes(first.view)) return [];
  if (first.connections < limits.holderConnections || first.connections < 2 * (second?.connections ?? 0)) return [];
  const holder = first.view;
  const before = predecessorOf(world, holder);
  const image = holder.inspect?.value;
  if (before === null || image === undefined || holder.inspect === null) return [];
  const changed =
    before.imageId === null
      ? before.image !== image.image || isRetagged(world, holder)
      : before.imageId !== image.imageId;
  if (!changed) return [];
  return [
    faultAt(holder, {
      cause: "culprit-in-other-service",
      summary: `The new release of ${holder.name} holds ${first.connections} connections of ${server.name}, which others share and are refused at; their own releases are innocent`,
      facts: [
        ...first.facts,
        before.fact,
        cite(holder.inspect, `Config.Image=${image.image}`, holder.name),
        ...complaints.slice(0, 1).flatMap(({ from, signals }) => signalFacts(from, signals.slice(-1))),
      ],
      witnesses: ["docker-events", server.top === null ? "process-facts" : "docker-top"],
      onsetMs: image.createdAtMs,
      weight: weight.proven + 2,
      advice: [
        `Roll ${holder.name} back${before.image === null ? "" : ` to ${before.image}`} or bound its connection pool; a restart only frees the slots until it takes them again.`,
      ],
      ...linkTo(server, first),
    }),
  ];
}

function isRetagged(world: World, view: ContainerView): boolean {
  const image = view.inspect?.value.image ?? "";
  return (
    hostOf(world, view.host)?.events?.value.events.some(
      (event) => event.type === "image" && event.action === "tag" && event.name === image,
    ) ?? false
  );
}

/**
 * It reached its limit before as well, or its memory rose for long, and what was deployed at the onset is another
 * container: the coincidence is told, the leak is the cause.
 */
function olderLeak(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect?.value;
  if (view.inspect === null || inspect === undefined || inspect.memoryLimitBytes === null) return [];
  const deaths = rememberedDeaths(world, view).filter((death) => death.kind === "own-limit");
  const kills = memoryKills(world, view).filter((kill) => kill.atMs !== null);
  const times = [...deaths.map((death) => death.atMs), ...kills.map((kill) => kill.atMs)].filter(
    (atMs): atMs is number => atMs !== null,
  );
  if (times.length === 0) return [];
  const lastMs = Math.max(...times);
  const rising = rampStartMs(view);
  const deploys = changesBefore(world, lastMs, limits.deployAtOnsetMs).filter(
    (change) =>
      change.kind === "created" &&
      change.host === view.host &&
      change.container !== view.name &&
      isBeside(world, view, change.container),
  );
  const deploy = deploys[0];
  const createdMs = inspect.createdAtMs;
  if (deploy === undefined || createdMs === null || createdMs >= deploy.atMs) return [];
  const earlier = times.filter((atMs) => atMs < deploy.atMs - 1_000);
  const older = earlier.length > 0 || (rising !== null && rising < deploy.atMs - limits.rampBeforeDeployMs);
  if (!older) return [];
  const kernel = hostOf(world, view.host)?.kernel;
  const facts = [
    deploy.fact,
    cite(
      view.inspect,
      `HostConfig.Memory=${inspect.memoryLimitBytes}; created ${new Date(createdMs).toISOString()}`,
      view.name,
    ),
  ];
  if (kernel != null && earlier.length > 0)
    facts.push(
      cite(kernel, `${earlier.length} kernel kills in ${view.name} before ${deploy.container} was created`, view.name),
    );
  if (view.memory !== null && rising !== null)
    facts.push(cite(view.memory, `memory rises since ${new Date(rising).toISOString()}`, view.name));
  return [
    faultAt(view, {
      cause: "delayed-leak-innocent-deploy",
      summary: `${view.name} leaks: its memory trouble is older than the deployment of ${deploy.container}, which only looks guilty`,
      facts,
      witnesses: [
        ...(earlier.length > 0 ? ["kernel-log"] : []),
        ...(rising === null ? [] : ["memory-series"]),
        "docker-events",
      ],
      onsetMs: earlier[0] ?? rising,
      weight: weight.proven + 2,
      measures: { limitBytes: inspect.memoryLimitBytes },
      advice: [
        `Do not roll ${deploy.container} back; roll ${view.name} back to a release before the leak. More memory or a restart only buys time.`,
      ],
    }),
  ];
}

/** The first sample of a climb that goes on to the end: each quarter of the series lies above the one before it. */
function rampStartMs(view: ContainerView): number | null {
  const points = view.memory?.value.points ?? [];
  const size = Math.floor(points.length / 4);
  if (size < 2) return null;
  const means = [0, 1, 2, 3].map(
    (quarter) => points.slice(quarter * size, (quarter + 1) * size).reduce((sum, point) => sum + point.bytes, 0) / size,
  );
  const climbs = means.every((mean, at) => at === 0 || mean > (means[at - 1] as number) * 1.05);
  return climbs ? (points[0]?.atMs ?? null) : null;
}

function isBeside(world: World, view: ContainerView, name: string | null): boolean {
  const other = world.containers.find((entry) => entry.name === name && entry.host === view.host);
  return (
    other !== undefined &&
    world.edges.some(
      (edge) =>
        (edge.from.containerId === other.id && edge.to.containerId === view.id) ||
        (edge.from.containerId === view.id && edge.to.containerId === other.id),
    )
  );
}

const counted =
  /\b(?:queries|query[_ ]count|num[_ ]queries|db[_ ]queries|sql[_ ]count|executed)\b["']?\s{0,2}[=: ]\s{0,2}(\d{2,6})|\b(\d{2,6}) (?:sql )?queries\b/i;
const statement =
  /\b(?:statement|execute [^:]{1,40}|query|sql)\b["']?\s{0,2}[:=]\s{0,2}["']?\s{0,2}(select\b.{1,400})/i;

/** The same statement with other values, dozens of times within moments; or the program counts its queries itself. */
function oncePerRow(world: World, view: ContainerView): Finding[] {
  if (view.logs === null) return [];
  const recentMs = hostNowMs(world, view.host) - limits.recentTroubleMs;
  const lines = view.logs.value.lines.filter((line) => line.atMs === null || line.atMs >= recentMs);
  const isServer = serverKind(world, view) !== null;
  const told = isServer
    ? undefined
    : lines.findLast(
        ({ text }) => Number(counted.exec(text)?.[1] ?? counted.exec(text)?.[2] ?? 0) >= limits.queriesPerRequest,
      );
  if (told !== undefined) return [perRow(world, view, view, told.text, null)];
  const shapes = new Map<string, { texts: Set<string>; times: number[]; line: string }>();
  for (const line of lines) {
    const sql = statement.exec(line.text)?.[1];
    if (sql === undefined || !/\bwhere\b/i.test(sql)) continue;
    const shape = sql.replace(/'[^']*'|\$\d+|\b\d+\b/g, "?").slice(0, 200);
    const known = shapes.get(shape) ?? { texts: new Set<string>(), times: [], line: line.text };
    known.texts.add(sql);
    known.times.push(line.atMs ?? 0);
    shapes.set(shape, known);
  }
  const [most] = [...shapes.values()].sort((a, b) => b.times.length - a.times.length);
  if (
    most === undefined ||
    most.texts.size < limits.queriesPerRequest ||
    densest(most.times) < limits.queriesPerRequest
  )
    return [];
  const caller = isServer
    ? (world.edges.find(
        (edge) =>
          edge.to.containerId === view.id && world.subjects.some((subject) => subject.id === edge.from.containerId),
      )?.from ?? null)
    : view.ref;
  const at = world.containers.find((entry) => entry.id === caller?.containerId && entry.host === caller?.host);
  return at === undefined ? [] : [perRow(world, at, view, most.line, most.texts.size)];
}

/** Most lines within two seconds. */
function densest(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let from = 0;
  let most = 0;
  for (const [to, time] of sorted.entries()) {
    while (time - (sorted[from] as number) > 2_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

function perRow(
  world: World,
  at: ContainerView,
  shown: ContainerView,
  line: string,
  different: number | null,
): Finding {
  const before = predecessorOf(world, at);
  const logs = shown.logs as NonNullable<ContainerView["logs"]>;
  const facts = [cite(logs, line, shown.name), ...(before === null ? [] : [before.fact])];
  if (different !== null)
    facts.push(cite(logs, `${different} statements of one shape with different values within moments`, shown.name));
  return faultAt(at, {
    cause: "n-plus-one",
    summary: `${at.name} asks its database once per row${different === null ? "" : `: ${different} statements of one shape with different values within moments`}`,
    facts,
    witnesses: ["docker-logs", ...(before === null ? [] : ["docker-events"])],
    ...(shown === at ? {} : { shownBy: shown.ref, link: { proof: "connection" as const, facts } }),
    past: true,
    // Errors are not what many small questions give; slowness is.
    kind: ownFailure(world, at) === null ? "fault" : "hazard",
    weight: before === null && different === null ? weight.told - 3 : weight.strong,
    advice: [
      `Load the rows of ${at.name}'s request in one query (a join, or IN with all keys), and watch the number of queries per request.`,
    ],
  });
}

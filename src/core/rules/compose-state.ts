import { citeEvent, citeInspect, citeLine, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import { isPeerSignal, signalPeer } from "../graph.ts";
import { composeProject, composeService } from "../resolve.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

const configHash = "com.docker.compose.config-hash";

/**
 * What compose wrote into labels against what runs. The files themselves are not read, so drift is told only where two
 * containers of one service contradict each other.
 */
export const composeState: Rule = {
  name: "compose-state",
  causes: ["compose-drift", "env-file-not-applied", "scaled-to-zero"],
  needs: ["docker-list", "docker-inspect"],
  evaluate(world, view) {
    return [...drifted(world, view), ...staleSettings(world, view), ...scaledToZero(world, view)];
  },
};

/** Replicas of one service made from different definitions: the older is what the file no longer says. */
function drifted(world: World, view: ContainerView): Finding[] {
  const own = view.inspect?.value;
  const project = composeProject(view);
  const service = composeService(view);
  if (own === undefined || project === null || service === null) return [];
  const newer = world.containers.find((other) => {
    const inspect = other.inspect?.value;
    const same =
      other !== view &&
      other.host === view.host &&
      composeProject(other) === project &&
      composeService(other) === service;
    const hash = inspect?.labels[configHash];
    return (
      same &&
      inspect?.running === true &&
      hash !== undefined &&
      own.labels[configHash] !== undefined &&
      hash !== own.labels[configHash] &&
      (inspect.createdAtMs ?? 0) > (own.createdAtMs ?? 0)
    );
  });
  const failing =
    view.signals.some((signal) => signal.kind === "http-5xx" || isPeerSignal(signal)) ||
    view.probes.some((probe) => (probe.value.httpStatus ?? 0) >= 500);
  if (newer === undefined || !own.running) return [];
  const different = variablesThatDiffer(view, newer);
  const text = (of: ContainerView) =>
    `${of.name}: ${configHash} ${of.inspect?.value.labels[configHash]?.slice(0, 12)}, created ${new Date(of.inspect?.value.createdAtMs ?? 0).toISOString()}`;
  return [
    faultAt(view, {
      cause: different.length > 0 && sameImage(view, newer) ? "env-file-not-applied" : "compose-drift",
      summary: `${view.name} runs from an older definition of the compose service ${service} than ${newer.name}${different.length > 0 ? `; they differ in ${different.slice(0, 4).join(", ")}` : ""}`,
      facts: [
        ...citeInspect(view, text(view)),
        ...citeInspect(newer, text(newer)),
        ...(different.length > 0
          ? citeInspect(view, `Config.Env differs from ${newer.name} in ${different.slice(0, 4).join(", ")}`)
          : []),
      ],
      witnesses: ["docker-inspect"],
      kind: failing ? "fault" : "hazard",
      weight: failing ? weight.hinted : weight.weak,
      advice: [`docker compose up -d ${service} recreates what differs from the file.`],
    }),
  ];
}

/** A setting that a younger container of the project has with another value, and the older one fails to log in. */
function staleSettings(world: World, view: ContainerView): Finding[] {
  const refused = recentSignal(
    world,
    view,
    view.signals.filter((signal) => signal.kind === "peer-auth-failed" || signal.kind === "peer-role-missing"),
  );
  const project = composeProject(view);
  const own = view.inspect?.value;
  if (refused === null || project === null || own === undefined) return [];
  for (const other of world.containers) {
    const inspect = other.inspect?.value;
    if (other === view || other.host !== view.host || composeProject(other) !== project || inspect === undefined)
      continue;
    const different = variablesThatDiffer(view, other).filter((name) =>
      /PASS|SECRET|TOKEN|KEY|USER|URL|DSN/i.test(name),
    );
    if (different.length === 0 || (inspect.createdAtMs ?? 0) <= (own.createdAtMs ?? 0)) continue;
    return [
      faultAt(view, {
        cause: "env-file-not-applied",
        summary: `${view.name} was made before ${other.name} and has another value of ${different.slice(0, 3).join(", ")}: a changed env file was not applied to it`,
        facts: [
          ...citeInspect(
            view,
            `${view.name} created ${new Date(own.createdAtMs ?? 0).toISOString()}; ${different.slice(0, 3).join(", ")} differs from ${other.name}`,
          ),
          ...citeInspect(other, `${other.name} created ${new Date(inspect.createdAtMs ?? 0).toISOString()}`),
          ...citeLine(view, refused),
        ],
        witnesses: ["docker-inspect", "docker-logs"],
        weight: weight.hinted,
        advice: [`docker compose up -d recreates ${view.name} with the current env file.`],
      }),
    ];
  }
  return [];
}

/** Variables both have, with different values. A masked value is compared by its digest. */
function variablesThatDiffer(a: ContainerView, b: ContainerView): string[] {
  const theirs = new Map(b.inspect?.value.env.map((variable) => [variable.name, variable.digest]));
  return (a.inspect?.value.env ?? [])
    .filter((variable) => theirs.has(variable.name) && theirs.get(variable.name) !== variable.digest)
    .map((variable) => variable.name)
    .filter((name) => !/^(PATH|HOME|HOSTNAME|PWD|LANG)$/.test(name));
}

function sameImage(a: ContainerView, b: ContainerView): boolean {
  return a.inspect?.value.imageId === b.inspect?.value.imageId;
}

/** It depends on a service of its project that has no container at all; somebody scaled it to none. */
function scaledToZero(world: World, view: ContainerView): Finding[] {
  const label = view.summary?.value.labels["com.docker.compose.depends_on"] ?? "";
  const project = composeProject(view);
  const list = hostOf(world, view.host)?.list ?? null;
  if (project === null || list === null) return [];
  const failing = view.signals.filter(
    (signal) => isPeerSignal(signal) && signalPeer(world, view, signal)?.resolution.kind !== "container",
  );
  const wanted = [
    ...label.split(",").map((entry) => entry.split(":")[0] ?? ""),
    ...failing.map((signal) => signal.peerHost ?? ""),
  ];
  for (const service of new Set(wanted.filter((name) => /^[a-z0-9][a-z0-9_-]*$/.test(name)))) {
    const last = recentSignal(
      world,
      view,
      failing.filter((signal) => signal.peerHost === service || signalPeer(world, view, signal)?.name === service),
    );
    const exists = world.containers.some(
      (other) => other.host === view.host && composeProject(other) === project && composeService(other) === service,
    );
    const gone = destroyed(world, view.host, project, service);
    const named = label.split(",").some((entry) => entry.split(":")[0] === service);
    const scaled = gone.length >= 2 || (gone.length === 0 && named);
    if (last === null || exists || !scaled) continue;
    return [
      hostFault(view.host, {
        cause: "scaled-to-zero",
        summary: `The service ${service} of the compose project ${project}, which ${view.name} needs, has no container on ${view.host}`,
        facts: [
          cite(list, `no container with compose project ${project} and service ${service}`, null),
          ...citeLine(view, last),
          ...(gone.length > 0 ? citeEvent(world, view.host, `destroy of ${gone.join(", ")}`, null) : []),
        ],
        witnesses: ["docker-list", "docker-logs", ...(gone.length > 0 ? ["docker-events"] : [])],
        // All replicas gone together is more than one removed container.
        weight: gone.length >= 2 ? weight.proven + 4 : weight.proven,
        advice: [`docker compose up -d --scale ${service}=1 ${service} brings it back.`],
      }),
    ];
  }
  return [];
}

function destroyed(world: World, host: string, project: string, service: string): string[] {
  const events = hostOf(world, host)?.events?.value.events ?? [];
  return events
    .filter(
      (event) =>
        event.action === "destroy" &&
        event.attributes["com.docker.compose.project"] === project &&
        event.attributes["com.docker.compose.service"] === service,
    )
    .map((event) => event.name ?? event.actorId.slice(0, 12));
}

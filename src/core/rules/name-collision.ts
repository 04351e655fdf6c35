import { citeInspect } from "../callers.ts";
import type { Cause } from "../causes.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { configuredPeers, isPeerSignal } from "../graph.ts";
import { composeProject, composeService, isAddress, networkNames } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import type { ContainerView, World } from "../world.ts";

/**
 * Two different services own one name on a network, and the engine's name server answers with both in turn. Replicas of
 * one service, and two releases of one image, share a name on purpose.
 */
export const nameCollision: Rule = {
  name: "name-collision",
  causes: ["alias-collision", "compose-alias-collision", "orphan-holds-alias", "project-collision"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    for (const name of askedNames(world, view)) {
      for (const network of networkNames(view).filter((entry) => entry !== "bridge")) {
        const found = collision(world, view, name, network);
        if (found !== null) return [found];
      }
    }
    return twoFolders(world, view);
  },
};

function askedNames(world: World, view: ContainerView): string[] {
  const configured = configuredPeers(world, view).map(({ reference }) => reference.host);
  const failed = view.signals.filter(isPeerSignal).map((signal) => signal.peerHost ?? "");
  return [...new Set([...failed, ...configured])].filter((name) => name !== "" && !isAddress(name));
}

function collision(world: World, view: ContainerView, name: string, network: string): Finding | null {
  const bearers = world.containers.filter(
    (other) =>
      other.host === view.host && other !== view && other.inspect?.value.running === true && owns(other, name, network),
  );
  const [first] = bearers;
  const other = bearers.find((bearer) => first !== undefined && !isSameService(first, bearer));
  if (first === undefined || other === undefined) return null;
  const { culprit, rightful, cause } = accuse(first, other, name);
  const failing = view.signals.some(isPeerSignal) || view.signals.some((signal) => signal.kind === "http-5xx");
  const facts = [...ownership(culprit, name, network), ...ownership(rightful, name, network)];
  return faultAt(culprit, {
    cause,
    summary: `${culprit.name} and ${rightful.name} both answer to the name ${name} on the network ${network}, so ${view.name} reaches either in turn; ${why(cause, culprit, rightful)}`,
    facts,
    witnesses: ["docker-inspect", ...(failing ? ["docker-logs"] : [])],
    onsetMs: culprit.inspect?.value.startedAtMs ?? null,
    weight: failing ? weight.proven + 1 : weight.strong,
    // Every second request works, so an answer now proves nothing about the next.
    past: true,
    shownBy: view.ref,
    link: { proof: "alias", facts },
    advice: [
      cause === "orphan-holds-alias"
        ? `Take the left-over away with docker compose up --remove-orphans, or stop ${culprit.name} after checking that nobody needs it.`
        : `Give ${culprit.name} another alias on ${network} (or take it off that network); ${rightful.name} is the one ${view.name} means.`,
    ],
  });
}

function owns(view: ContainerView, name: string, network: string): boolean {
  const attached = view.inspect?.value.networks.find((entry) => entry.name === network);
  if (attached === undefined) return false;
  return view.name.toLowerCase() === name || attached.aliases.some((alias) => alias.toLowerCase() === name);
}

function isSameService(a: ContainerView, b: ContainerView): boolean {
  if (a === b) return true;
  const service = composeService(a);
  if (service !== null && composeService(b) !== null)
    return service === composeService(b) && composeProject(a) === composeProject(b);
  const command = (view: ContainerView) =>
    JSON.stringify([view.inspect?.value.entrypoint, view.inspect?.value.command]);
  const repository = (view: ContainerView) => view.inspect?.value.image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  const twins = repository(a) === repository(b) && command(a) === command(b);
  return twins && (sameSettings(a, b) || isNextRelease(a, b));
}

/** Another build of the image brings settings of its own along, and takes none away. */
function isNextRelease(a: ContainerView, b: ContainerView): boolean {
  const names = (view: ContainerView) => new Set((view.inspect?.value.env ?? []).map((variable) => variable.name));
  const [x, y] = [names(a), names(b)];
  if (a.inspect?.value.imageId === b.inspect?.value.imageId) return false;
  return [...x].every((name) => y.has(name)) || [...y].every((name) => x.has(name));
}

/** One image with one command can still be two services: then they are told different settings. */
function sameSettings(a: ContainerView, b: ContainerView): boolean {
  const names = (view: ContainerView) => (view.inspect?.value.env ?? []).map((variable) => variable.name).sort();
  return JSON.stringify(names(a)) === JSON.stringify(names(b));
}

function accuse(
  a: ContainerView,
  b: ContainerView,
  name: string,
): { culprit: ContainerView; rightful: ContainerView; cause: Cause } {
  const created = (view: ContainerView) => view.inspect?.value.createdAtMs ?? 0;
  const [older, newer] = created(a) <= created(b) ? [a, b] : [b, a];
  const [p, q] = [composeProject(a), composeProject(b)];
  if (p !== null && p === q) return { culprit: older, rightful: newer, cause: "orphan-holds-alias" };
  if (p !== null && q !== null && composeService(a) === composeService(b))
    return { culprit: newer, rightful: older, cause: "compose-alias-collision" };
  const isNamed = (view: ContainerView) =>
    view.name.toLowerCase() === name || composeService(view)?.toLowerCase() === name;
  if (isNamed(a) !== isNamed(b)) {
    const [rightful, culprit] = isNamed(a) ? [a, b] : [b, a];
    return { culprit, rightful, cause: "alias-collision" };
  }
  return { culprit: newer, rightful: older, cause: "alias-collision" };
}

function why(cause: Cause, culprit: ContainerView, rightful: ContainerView): string {
  if (cause === "orphan-holds-alias")
    return `${culprit.name} (service ${composeService(culprit)}) is the older one of the same compose project and was left behind`;
  if (cause === "compose-alias-collision")
    return `${culprit.name} belongs to the compose project ${composeProject(culprit)}, which came later than ${composeProject(rightful)}`;
  return `the name belongs to ${rightful.name}`;
}

function ownership(view: ContainerView, name: string, network: string): Fact[] {
  const attached = view.inspect?.value.networks.find((entry) => entry.name === network);
  const project = composeProject(view);
  const label = project === null ? "" : `, compose project ${project}, service ${composeService(view)}`;
  const created = view.inspect?.value.createdAtMs;
  const since = created == null ? "" : `, created ${new Date(created).toISOString()}`;
  return citeInspect(view, `${view.name} answers to ${name} on ${network} as ${attached?.address}${label}${since}`);
}

const workingDir = "com.docker.compose.project.working_dir";

/** One project name used from two folders: the second `up` replaced what the first had started. */
function twoFolders(world: World, view: ContainerView): Finding[] {
  const project = composeProject(view);
  const folder = view.inspect?.value.labels[workingDir];
  if (project === null || folder === undefined) return [];
  const created = (other: ContainerView) => other.inspect?.value.createdAtMs ?? 0;
  const others = world.containers.filter(
    (other) =>
      other.host === view.host &&
      composeProject(other) === project &&
      other.inspect?.value.labels[workingDir] !== undefined,
  );
  const elsewhere = others.filter((other) => other.inspect?.value.labels[workingDir] !== folder);
  const newest = elsewhere.every((other) => created(other) < created(view));
  const firstOfFolder = elsewhere[0];
  if (firstOfFolder === undefined || !newest) return [];
  return [
    faultAt(view, {
      cause: "project-collision",
      summary: `${view.name} was made from the folder ${folder}, while ${firstOfFolder.name} of the same compose project ${project} comes from ${firstOfFolder.inspect?.value.labels[workingDir]}: two folders use one project name`,
      facts: [view, firstOfFolder].flatMap((other) =>
        citeInspect(
          other,
          `${other.name}: compose project ${project}, ${workingDir}=${other.inspect?.value.labels[workingDir]}`,
        ),
      ),
      witnesses: ["docker-inspect"],
      onsetMs: created(view),
      weight: weight.told,
      advice: [
        "Give one of the two folders its own project name (name: in the file, or docker compose -p) and bring the other up again.",
      ],
    }),
  ];
}

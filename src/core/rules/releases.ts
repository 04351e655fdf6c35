import { type Predecessor, predecessorOf, taggedEvent } from "../changes.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { answersNow, type OwnFailure, outsidePorts, ownFailure } from "../own-failure.ts";
import { replicasOf, repository } from "../replicas.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * The program fails by itself, and what runs is not what ran before. The release is what changed; which cause it is
 * depends on what tells the change: another image name, the same name with another image behind it, a replica that runs
 * the old image and works, or another host that does. A fault that begins long after the container was created is not
 * its release's.
 */
export const releases: Rule = {
  name: "releases",
  causes: ["bad-release-500", "same-tag-new-image", "half-rolled-out", "image-drift-across-hosts"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const failure = ownFailure(world, view);
    if (failure === null) return [];
    const replica = betterReplica(world, view);
    if (replica !== null) return [differsFrom(view, replica, failure)];
    const before = predecessorOf(world, view);
    return released(world, view, before, failure);
  },
};

/** A replica that works, from another image. */
function betterReplica(world: World, view: ContainerView): ContainerView | null {
  const own = view.inspect?.value.imageId;
  return (
    replicasOf(world, view).find(
      (other) =>
        other.inspect?.value.running === true &&
        other.inspect.value.imageId !== own &&
        sharesWork(view, other) &&
        ownFailure(world, other) === null &&
        (answersNow(other) || other.signals.some((signal) => signal.kind === "http-ok")),
    ) ?? null
  );
}

/** Replicas of one thing come from one repository, or serve the same port. */
function sharesWork(a: ContainerView, b: ContainerView): boolean {
  if (repository(a) !== null && repository(a) === repository(b)) return true;
  return outsidePorts(a).some((port) => outsidePorts(b).includes(port));
}

function differsFrom(view: ContainerView, other: ContainerView, failure: OwnFailure): Finding {
  const own = view.inspect as NonNullable<ContainerView["inspect"]>;
  const theirs = other.inspect as NonNullable<ContainerView["inspect"]>;
  const drift = view.host !== other.host && own.value.image === theirs.value.image;
  return faultAt(view, {
    cause: drift ? "image-drift-across-hosts" : "half-rolled-out",
    summary: drift
      ? `${view.name} on ${view.host} and on ${other.host} run different images under one tag ${own.value.image}; the one on ${view.host} fails by itself`
      : `${view.name} runs another release than ${other.name}, and only ${view.name} fails: the rollout stopped half way`,
    facts: [
      ...failure.facts,
      cite(own, `image ${own.value.image} is ${shortId(own.value.imageId)}`, view.name),
      cite(theirs, `image ${theirs.value.image} is ${shortId(theirs.value.imageId)}`, other.name),
    ],
    witnesses: [...failure.witnesses, "docker-inspect"],
    onsetMs: failure.firstAtMs,
    weight: weight.proven - 1,
    advice: [
      drift
        ? `Pin the image by digest and recreate ${view.name} on ${view.host} from the digest that works on ${other.host}.`
        : `Roll ${view.name} back to the image of ${other.name} (${theirs.value.image}), or finish the rollout with a mended one.`,
    ],
  });
}

function released(world: World, view: ContainerView, before: Predecessor | null, failure: OwnFailure): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const { image, imageId, createdAtMs } = inspect.value;
  const builtAtMs = view.image?.value.createdAtMs ?? null;
  const tagged = taggedEvent(hostOf(world, view.host), image);
  const newTag = before !== null && before.image !== null && before.image !== image && before.imageId !== imageId;
  const retagged =
    before !== null &&
    (before.image === image || before.imageId !== null) &&
    before.imageId !== imageId &&
    ((tagged !== null &&
      before.removedAtMs !== null &&
      tagged.atMs <= (createdAtMs ?? Number.POSITIVE_INFINITY) + 1_000) ||
      (before.imageId !== null && before.imageId !== imageId));
  const fresh =
    before === null &&
    builtAtMs !== null &&
    createdAtMs !== null &&
    createdAtMs - builtAtMs < limits.freshImageMs &&
    createdAtMs >= builtAtMs;
  if (!newTag && !retagged && !(fresh && failure.threw)) return [];
  if (isLate(view, failure)) return [];
  const sameTag = !newTag && retagged;
  const facts: Fact[] = [
    ...failure.facts,
    cite(inspect, `created ${at(createdAtMs)} from ${image} (${shortId(imageId)})`, view.name),
    ...(before === null ? [] : [before.fact]),
  ];
  const events = hostOf(world, view.host)?.events;
  if (tagged !== null && events != null)
    facts.push(cite(events, `image ${tagged.name ?? image}: ${tagged.action} at ${at(tagged.atMs)}`, view.name));
  if (view.image !== null && builtAtMs !== null)
    facts.push(cite(view.image, `the image was built ${at(builtAtMs)}`, view.name));
  return [
    faultAt(view, {
      cause: sameTag ? "same-tag-new-image" : "bad-release-500",
      summary: sameTag
        ? `${view.name} fails by itself since it was recreated: its tag ${image} is the same, the image behind it is new`
        : `${view.name} fails by itself since its new release ${image}: nothing it depends on is blamed`,
      facts,
      witnesses: [...failure.witnesses, "docker-inspect", ...(before === null ? [] : ["docker-events"])],
      onsetMs: failure.firstAtMs ?? createdAtMs,
      weight: before === null ? weight.told - 5 : sameTag ? weight.strong + 4 : weight.strong + 2,
      advice: [
        before?.image != null && !sameTag
          ? `Roll back: recreate ${view.name} from ${before.image}, then mend what the exception names.`
          : `Recreate ${view.name} from the image it had before, by its digest, and give releases tags of their own.`,
      ],
    }),
  ];
}

/** A release shows its fault when its path is first asked for; hours of good answers before speak against it. */
function isLate(view: ContainerView, failure: OwnFailure): boolean {
  const created = view.inspect?.value.createdAtMs ?? null;
  return created !== null && failure.firstAtMs !== null && failure.firstAtMs - created > limits.releaseBlameMs;
}

function shortId(imageId: string): string {
  return imageId.replace(/^sha256:/, "").slice(0, 12);
}

function at(ms: number | null): string {
  return ms === null ? "at an unknown time" : new Date(ms).toISOString();
}

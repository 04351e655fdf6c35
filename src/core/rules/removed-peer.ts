import { configuredPeers, edgesFrom } from "../graph.ts";
import { limits } from "../limits.ts";
import { removalOf } from "../removed.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isCurrent } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * Somebody this container still names is gone: its log or its configuration names a container that the engine remembers
 * being removed. And what a clean-up took that is no container: a network a container is configured for.
 */
export const removedPeer: Rule = {
  name: "removed-peer",
  causes: ["human-rm", "human-rm-volumes", "human-prune", "image-missing"],
  needs: ["docker-inspect", "docker-events"],
  evaluate(world, view) {
    const host = hostOf(world, view.host);
    if (host === null || view.inspect === null) return [];
    const failing = edgesFrom(world.edges, view.ref).filter(
      (edge) => edge.to.host === null && edge.failures.some((signal) => isCurrent(world, view, signal)),
    );
    const named = configuredPeers(world, view).filter(
      ({ resolution }) => resolution.kind !== "container" && resolution.kind !== "self",
    );
    const names = [
      ...new Set([...failing.map((edge) => edge.to.container), ...named.map(({ reference }) => reference.host)]),
    ];
    const gone = names.flatMap((name) => {
      const removal = removalOf(world, host, name, view);
      if (removal === null) return [];
      const edge =
        failing.find((entry) => entry.to.container === name) ?? (names.length === 1 ? failing[0] : undefined);
      const reference = named.find((entry) => entry.reference.host === name)?.reference;
      const fact =
        edge?.facts[0] ??
        cite(
          view.inspect as NonNullable<ContainerView["inspect"]>,
          `Config names ${name} in ${reference?.where ?? "its settings"}`,
          view.name,
        );
      return [
        {
          ...removal,
          facts: [...removal.facts, fact],
          shownBy: view.ref,
          link: { proof: edge === undefined ? ("env" as const) : edge.proof, facts: [fact] },
          weight: edge === undefined ? weight.strong - 5 : weight.proven,
        },
      ];
    });
    return [...gone, ...prunedNetwork(world, view)];
  },
};

/** It cannot start because its network was removed by a clean-up while it was stopped. */
function prunedNetwork(world: World, view: ContainerView) {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const events = hostOf(world, view.host)?.events;
  if (events == null || inspect.value.running) return [];
  const ids = inspect.value.networks.map((network) => network.networkId);
  const names = [inspect.value.networkMode, ...inspect.value.networks.map((network) => network.name)];
  const gone = events.value.events.findLast(
    (event) =>
      event.type === "network" &&
      event.action === "destroy" &&
      // A network of this name that was gone before the container was made is another one.
      (ids.includes(event.actorId) ||
        (names.includes(event.name ?? "") && event.atMs >= (inspect.value.createdAtMs ?? 0))),
  );
  if (gone === undefined) return [];
  const prune = events.value.events.find(
    (event) =>
      event.type === "network" && event.action === "prune" && Math.abs(event.atMs - gone.atMs) <= limits.pruneSpreadMs,
  );
  const said = /network .{0,80} not found/i.test(inspect.value.error);
  // A network of that name that exists again is joined at the next start, unless the engine itself said otherwise.
  const there = hostOf(world, view.host)?.networks?.value.some(
    (network) => ids.includes(network.id) || names.includes(network.name),
  );
  if (!said && (prune === undefined || there !== false)) return [];
  return [
    faultAt(view, {
      cause: "human-prune",
      summary: `A clean-up removed the network ${gone.name ?? ""} that ${view.name} is configured for, so it cannot start`,
      facts: [
        cite(
          events,
          `network ${gone.name ?? gone.actorId.slice(0, 12)}: destroy${prune === undefined ? "" : ", then network prune"}`,
          view.name,
        ),
        cite(inspect, `State.Status=${inspect.value.status} State.Error=${inspect.value.error}`, view.name),
      ],
      witnesses: ["docker-events", "docker-inspect"],
      onsetMs: gone.atMs,
      weight: said ? weight.proven + 1 : weight.told,
      advice: [`Create the network ${gone.name ?? ""} again and recreate ${view.name} in it.`],
    }),
  ];
}

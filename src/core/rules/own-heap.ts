import { lastDeath, memoryKills } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostNowMs, type World } from "../world.ts";

/**
 * The runtime ran out of the memory it allows itself: a heap option, or a process limit. The container's limit is not
 * involved, so raising it helps nothing: no kill by the kernel, and the program says so itself.
 */
export const ownHeap: Rule = {
  name: "own-heap",
  causes: ["jvm-heap-exhausted"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    const heap = told(world, view, ["heap-exhausted"]);
    const process = told(world, view, ["allocation-failed"], (signal) => ownAllocation.test(signal.line.text));
    const said = heap ?? process;
    if (said === null || view.inspect === null || serverKind(world, view) !== null || killedLately(world, view))
      return [];
    return [exhausted(world, view, said, heap !== null)];
  },
};

/** Words of a program that could not have more, not of a server that tells its client so. */
const ownAllocation =
  /MemoryError|std::bad_alloc|Allowed memory size|runtime: out of memory|NoMemoryError|OutOfMemoryException/;

function exhausted(
  world: World,
  view: ContainerView,
  said: NonNullable<ReturnType<typeof told>>,
  certain: boolean,
): Finding {
  const death = lastDeath(world, view);
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  // Between two ends of a restart loop it happens to run; what it said stands right before its last end.
  const looping =
    inspect.value.restartCount > 0 &&
    death?.atMs != null &&
    (said.last.line.atMs ?? death.atMs) >= death.atMs - limits.recentTroubleMs;
  const ended = (!inspect.value.running || looping) && death?.kind === "own-exit";
  const hits = view.cgroup?.value.limitHits ?? null;
  return faultAt(view, {
    cause: "jvm-heap-exhausted",
    summary: `The runtime in ${view.name} ran out of its own heap or process limit${ended ? ` and ended (exit ${death.exitCode})` : ""}; the container's memory limit is not involved`,
    facts: [
      ...said.facts,
      ...(ended
        ? death.facts
        : [
            cite(
              inspect,
              `State.Status=${inspect.value.status} HostConfig.Memory=${inspect.value.memoryLimitBytes ?? 0}`,
              view.name,
            ),
          ]),
      ...(view.cgroup === null || hits === null
        ? []
        : [cite(view.cgroup, `the container's limit was hit ${hits} times`, view.name)]),
    ],
    witnesses: ["docker-logs", ...(ended ? ["docker-inspect"] : []), ...(hits === 0 ? ["cgroup"] : [])],
    onsetMs: said.signals[0]?.line.atMs ?? null,
    past: inspect.value.running,
    weight: certain ? (ended ? weight.proven : weight.strong) : weight.told,
    advice: [
      `Raise the runtime's own limit (-Xmx, --max-old-space-size, memory_limit) in ${view.name}, below its container's limit, or find what fills the heap from a heap dump.`,
    ],
  });
}

function killedLately(world: World, view: ContainerView): boolean {
  const since = hostNowMs(world, view.host) - limits.recentTroubleMs;
  return memoryKills(world, view).some((kill) => kill.atMs === null || kill.atMs >= since);
}

import { faultAt, humanBytes, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { told } from "../told.ts";
import { cite, containerOf } from "../world.ts";

/** `/dev/shm` of the container is full: the error is "No space left on device", and no disk is full. */
export const shmTooSmall: Rule = {
  name: "shm-too-small",
  causes: ["shm-too-small"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    const inspect = view.inspect;
    const own = told(world, view, ["server-shm-too-small"]);
    const callers = world.edges.flatMap((edge) => {
      const from = edge.to.containerId === view.id && edge.to.host === view.host ? containerOf(world, edge.from) : null;
      const said = from === null ? null : told(world, from, ["server-shm-too-small"]);
      return said === null ? [] : [said];
    });
    // What a client prints was sent to it by its server, which has the small /dev/shm.
    const asServer = own !== null && (serverKind(world, view) === "postgres" || own.last.technology !== "postgres");
    const forCallers = callers[0] !== undefined && serverKind(world, view) === "postgres";
    if (inspect === null || !(asServer || forCallers)) return [];
    const size = inspect.value.shmSizeBytes;
    return [
      faultAt(view, {
        cause: "shm-too-small",
        summary: `/dev/shm of ${view.name}${size === null ? "" : ` (${humanBytes(size)})`} is too small for what runs in it; no disk is full`,
        facts: [
          ...(own?.facts ?? []),
          ...(callers[0]?.facts ?? []),
          cite(inspect, `HostConfig.ShmSize=${size}${size === null ? "" : `: ${humanBytes(size)}`}`, view.name),
        ],
        witnesses: [
          ...(own === null ? [] : ["docker-logs"]),
          ...(callers.length === 0 ? [] : ["docker-logs of callers"]),
          "docker-inspect",
        ],
        onsetMs: (own ?? callers[0])?.signals[0]?.line.atMs ?? null,
        past: true,
        weight: weight.proven,
        advice: [
          `Recreate ${view.name} with a larger shm_size (256m or more), or set max_parallel_workers_per_gather = 0.`,
        ],
      }),
    ];
  },
};

import { limits } from "../core/limits.ts";
import type { CgroupFacts, ContainerInspect, ContainerSummary, EngineInfo } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { Clock, HostDirectory, Store } from "../ports.ts";
import type { ExecuteReads } from "./investigate.ts";
import { read } from "./read-states.ts";
import type { MemorySample } from "./recorded.ts";

export interface MemorySampler {
  sample(): Promise<void>;
  /** Something happened to this container: where its group is has to be read again. */
  changed(containerId: string): void;
}

type Group = PlannedRead<"cgroup">["args"]["containers"][number];

/** One sample of every running container of a host. Where the groups are is remembered, so a sample is two reads. */
export function createMemorySampler(
  deps: { store: Store; hosts: HostDirectory; clock: Clock; executeReads: ExecuteReads },
  host: string,
): MemorySampler {
  const groups = new Map<string, Group>();
  let engine: EngineInfo | null = null;
  const one = async <T>(planned: PlannedRead): Promise<T | null> => {
    const [reading] = await read(deps, [planned]);
    return reading?.outcome.status === "ok" ? (reading.outcome.value as T) : null;
  };
  return {
    changed: (containerId) => void groups.delete(containerId),
    async sample() {
      engine ??= await one<EngineInfo>({ host, source: "docker-info", containerId: null, args: null });
      const list = await one<ContainerSummary[]>({ host, source: "docker-list", containerId: null, args: null });
      const running = (list ?? []).filter(({ status }) => status === "running").map(({ id }) => id);
      const wanted = running.slice(0, limits.inspectAllUpTo);
      const unknown = wanted.filter((id) => !groups.has(id));
      const inspects = await read(
        deps,
        unknown.map((containerId) => ({ host, source: "docker-inspect", containerId, args: null })),
      );
      for (const { outcome, containerId } of inspects) {
        if (outcome.status !== "ok" || containerId === null) continue;
        const { pid, cgroupParent } = outcome.value as ContainerInspect;
        groups.set(containerId, { containerId, pid, cgroupParent });
      }
      const containers = wanted.map((id) => groups.get(id)).filter((group) => group !== undefined);
      if (containers.length === 0) return;
      const args = { version: engine?.cgroupVersion ?? null, driver: engine?.cgroupDriver ?? null, containers };
      const readings = await read(deps, [{ host, source: "cgroup", containerId: null, args }]);
      const rows = readings.flatMap(({ outcome, containerId, atMs }) => {
        if (outcome.status !== "ok" || containerId === null) {
          if (containerId !== null) groups.delete(containerId);
          return [];
        }
        const { memoryCurrentBytes, memoryLimitBytes, inactiveFileBytes } = outcome.value as CgroupFacts;
        if (memoryCurrentBytes === null) return [];
        // What the kernel can take back at once is no use that grows towards the limit.
        const bytes = Math.max(0, memoryCurrentBytes - (inactiveFileBytes ?? 0));
        const sample: MemorySample = { bytes, limitBytes: memoryLimitBytes };
        return [{ host, kind: "memory", containerId, atMs, json: JSON.stringify(sample) }];
      });
      if (rows.length > 0) await deps.store.record(rows);
    },
  };
}

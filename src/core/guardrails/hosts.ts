import { humanBytes } from "../rule.ts";
import type { HostView, World } from "../world.ts";
import { type Hazard, hazardsOf } from "./hazards.ts";
import { workloadOf } from "./workload.ts";

export interface HostHazards {
  host: string;
  findings: (Hazard & { container: string | null })[];
}

/** The hazards of every container of a host, and those of the host itself. */
export function hazardsOfHost(world: Pick<World, "containers">, host: HostView): HostHazards {
  const views = world.containers.filter((view) => view.host === host.name);
  const ofContainers = views.flatMap((view) => {
    const workload = workloadOf(view);
    return workload === null ? [] : hazardsOf(workload).map((hazard) => ({ ...hazard, container: view.name }));
  });
  return { host: host.name, findings: [...ownHazards(host, world), ...ofContainers] };
}

function ownHazards(host: HostView, world: Pick<World, "containers">): HostHazards["findings"] {
  const facts = host.facts?.value;
  const findings: HostHazards["findings"] = [];
  if (facts === undefined) return findings;
  const running = world.containers.filter((view) => view.host === host.name && view.inspect?.value.running === true);
  const promised = running.reduce((sum, view) => sum + (view.inspect?.value.memoryLimitBytes ?? 0), 0);
  const total = facts.memoryTotalBytes;
  if (total !== null && promised > total) {
    findings.push({
      rule: "memory-overcommitted",
      level: "warning",
      container: null,
      found: `the limits of its running containers add up to ${humanBytes(promised)}, more than the host's ${humanBytes(total)}`,
      fix: "lower limits that are never used, or move containers",
      evidence: `limits ${promised}, MemTotal ${total}`,
    });
  }
  if (facts.swapTotalBytes === 0) {
    findings.push({
      rule: "no-swap",
      level: "info",
      container: null,
      found: "the host has no swap: a short spike, such as a build, kills at once",
      fix: "add a swap file of a few GiB",
      evidence: "SwapTotal 0",
    });
  }
  for (const disk of host.disk?.value ?? []) {
    const share = disk.sizeBytes === 0 ? 0 : disk.usedBytes / (disk.usedBytes + disk.availableBytes);
    if (share < 0.85) continue;
    findings.push({
      rule: "disk-nearly-full",
      level: share >= 0.95 ? "error" : "warning",
      container: null,
      found: `${disk.target} is ${Math.floor(share * 100)} % full`,
      fix: "free space before containers fail to write",
      evidence: `used ${disk.usedBytes} of ${disk.sizeBytes} on ${disk.device}`,
    });
  }
  return findings;
}

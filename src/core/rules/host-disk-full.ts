import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { hostFault, type Rule, weight } from "../rule.ts";
import { describeDisk, isFull, rootDisk } from "../storage.ts";
import { type ContainerView, cite, type HostView, type World } from "../world.ts";
import { complaint } from "./disk-full.ts";

/** Lines a second in the end of a log that no program writes by accident. */
const chattyLinesPerSecond = 50;

/**
 * The file system of the engine is full, so everything on it fails at once. Who filled it: one container's log without
 * a limit, images and build cache, or something else on the host.
 */
export const hostDiskFull: Rule = {
  name: "host-disk-full",
  causes: ["host-root-full", "json-log-fills-host", "build-cache-full"],
  needs: ["docker-info", "host-disk"],
  evaluateHost(world, host) {
    const disk = host.disk;
    const root = rootDisk(host);
    if (disk === null || root === null || !isFull(root)) return [];
    const victims = world.containers.filter((view) => view.host === host.name && cannotWrite(world, view));
    const facts = [
      cite(disk, describeDisk(root), null),
      ...victims.slice(0, 3).flatMap((view) => victimFacts(world, view)),
    ];
    const witnesses = ["host-disk", ...(victims.length > 0 ? ["docker-logs"] : [])];
    const base = { facts, witnesses, kind: victims.length > 0 ? ("fault" as const) : ("hazard" as const) };
    // A deleted file that is still open is told by the rule about volumes, with its holder.
    if (world.containers.some((view) => view.host === host.name && holdsDeleted(view, root.sizeBytes))) return [];
    return [chattyLog(world, host, base) ?? buildCache(host, base, root.sizeBytes) ?? fullHost(host, base)];
  },
};

type Base = { facts: Fact[]; witnesses: string[]; kind: "fault" | "hazard" };

function cannotWrite(world: World, view: ContainerView): boolean {
  return complaint(world, view) !== null || /no space left on device/i.test(view.inspect?.value.error ?? "");
}

function victimFacts(world: World, view: ContainerView): Fact[] {
  const said = complaint(world, view);
  if (said !== null) return said.facts.slice(0, 1);
  return view.inspect === null ? [] : [cite(view.inspect, `State.Error=${view.inspect.value.error}`, view.name)];
}

function holdsDeleted(view: ContainerView, sizeBytes: number): boolean {
  return (view.process?.value.deletedFiles ?? []).some((file) => (file.sizeBytes ?? 0) >= sizeBytes * 0.2);
}

/** The engine keeps the whole output of a container unless max-size says otherwise; how fast it talks stands in its end. */
function chattyLog(world: World, host: HostView, base: Base): Finding | null {
  const talkers = world.containers.flatMap((view) => {
    const inspect = view.inspect?.value;
    const logs = view.logs;
    if (view.host !== host.name || inspect === undefined || logs === null) return [];
    if (inspect.logDriver !== "json-file" || inspect.logOptions["max-size"] !== undefined) return [];
    const rate = linesPerSecond(view);
    return rate === null || rate < chattyLinesPerSecond ? [] : [{ view, logs, rate }];
  });
  const loudest = talkers.sort((a, b) => b.rate - a.rate)[0];
  if (loudest === undefined) return null;
  const { view, logs } = loudest;
  const count = logs.value.lines.length;
  return {
    ...hostFault(host.name, {
      ...base,
      cause: "json-log-fills-host",
      summary: `The log of ${view.name} has no size limit and it writes without pause, which filled the disk of ${host.name}; whatever cannot write now is only a victim`,
      facts: [
        ...(view.inspect === null
          ? []
          : [cite(view.inspect, "HostConfig.LogConfig json-file without max-size", view.name)]),
        cite(logs, `the last ${count} lines were written within ${spanSeconds(view)?.toFixed(1)} s`, view.name),
        ...base.facts,
      ],
      witnesses: [...base.witnesses, "docker-inspect"],
      weight: weight.strong,
      advice: [
        `Set max-size and max-file for the log of ${view.name}, make it say less, and have a person rotate its present log.`,
      ],
    }),
    container: view.name,
    containerId: view.id,
  };
}

function spanSeconds(view: ContainerView): number | null {
  const stamps = (view.logs?.value.lines ?? []).flatMap((line) => (line.atMs === null ? [] : [line.atMs]));
  const first = stamps[0];
  const last = stamps.at(-1);
  return first === undefined || last === undefined || stamps.length < 100 ? null : (last - first) / 1_000;
}

function linesPerSecond(view: ContainerView): number | null {
  const span = spanSeconds(view);
  return span === null ? null : (view.logs?.value.lines.length ?? 0) / Math.max(span, 0.1);
}

function buildCache(host: HostView, base: Base, sizeBytes: number): Finding | null {
  const usage = host.usage;
  if (usage === null) return null;
  const { unusedImageBytes, buildCacheBytes } = usage.value;
  const reclaimable = (unusedImageBytes ?? 0) + (buildCacheBytes ?? 0);
  if (reclaimable < sizeBytes * 0.3) return null;
  return hostFault(host.name, {
    ...base,
    cause: "build-cache-full",
    summary: `The disk of ${host.name} is full of images and build cache that no container uses: ${reclaimable} bytes could be given back`,
    facts: [
      cite(
        usage,
        `unused images ${unusedImageBytes} bytes, build cache ${buildCacheBytes} bytes, together ${reclaimable} bytes`,
        null,
      ),
      ...base.facts,
    ],
    witnesses: [...base.witnesses, "docker-usage"],
    weight: weight.proven,
    advice: [
      "Look at docker system df and remove old build cache and images by hand, after checking what is still needed.",
    ],
  });
}

function fullHost(host: HostView, base: Base): Finding {
  return hostFault(host.name, {
    ...base,
    cause: "host-root-full",
    summary: `The disk of ${host.name} that the engine writes to is full, so its containers cannot write`,
    weight: base.kind === "fault" ? weight.proven : weight.weak,
    advice: [
      `Find what fills the disk of ${host.name} (du, docker system df) and make room by hand; do not prune blindly.`,
    ],
  });
}

import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { treeOf } from "../process-tree.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeSlowness, isSlow } from "../slowness.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

const pressed = limits.ioPressureFrom;
/** Bytes a container must have moved, and how many times the asked one's, to be called the one that uses the disk. */
const heavyBytes = 64 * 1024 * 1024;

/** It waits for its disk: by a rate cap of its own, or because another container uses the disk. Or it pauses itself. */
export const io: Rule = {
  name: "io",
  causes: ["io-throttled", "io-neighbour", "stall-periodic"],
  needs: ["docker-inspect", "host-processes", "host-facts"],
  evaluate(world, view) {
    if (view.inspect === null || !view.inspect.value.running) return [];
    return [...diskWait(world, view), ...pausesItself(world, view)];
  },
};

function diskWait(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  if (seen === null) return [];
  const waiting = waits(world, view);
  const slow = isSlow(world, view);
  if (seen.value.blkioThrottled) return ownCap(world, view, waiting, slow);
  return slow && waiting.length > 0 ? neighbour(world, view, waiting) : [];
}

/** Its own rate cap holds it back. */
function ownCap(world: World, view: ContainerView, waiting: Fact[], slow: boolean): Finding[] {
  const seen = view.inspect;
  if (seen === null || (waiting.length === 0 && !slow)) return [];
  return [
    faultAt(view, {
      cause: "io-throttled",
      kind: slow ? "fault" : "hazard",
      summary: `${view.name} is slowed by its own disk rate cap`,
      facts: [
        cite(seen, "HostConfig.BlkioDevice* sets a rate", view.name),
        ...waiting,
        ...describeSlowness(world, view),
      ],
      witnesses: ["docker-inspect", ...(waiting.length > 0 ? ["host-processes"] : [])],
      weight: waiting.length > 0 ? weight.proven : weight.told,
      advice: [`Raise or remove the disk rate cap of ${view.name} (blkio_config) where it is configured.`],
    }),
  ];
}

/** The host's disk is busy, and one other container moved far more than this one. */
function neighbour(world: World, view: ContainerView, waiting: Fact[]): Finding[] {
  const host = hostOf(world, view.host);
  const pressure = host?.facts?.value.pressure.io.someAvg10 ?? null;
  if (pressure === null || pressure < pressed || host?.facts == null) return [];
  const moved = world.containers
    .filter((other) => other.host === view.host && other.stats !== null)
    .map((other) => ({
      other,
      bytes: (other.stats?.value.blockReadBytes ?? 0) + (other.stats?.value.blockWriteBytes ?? 0),
    }))
    .sort((a, b) => b.bytes - a.bytes);
  const own = moved.find((entry) => entry.other === view)?.bytes ?? 0;
  const most = moved[0];
  if (
    most === undefined ||
    most.other === view ||
    most.other.stats === null ||
    most.bytes < Math.max(heavyBytes, own * 3)
  )
    return [];
  const fact = cite(
    most.other.stats,
    `${most.other.name} moved ${most.bytes} bytes to and from the disk`,
    most.other.name,
  );
  return [
    faultAt(most.other, {
      cause: "io-neighbour",
      summary: `${most.other.name} uses the host's disk, and ${view.name} waits for it`,
      facts: [
        fact,
        cite(host.facts, `io pressure some ${pressure}`, null),
        ...waiting,
        ...describeSlowness(world, view),
      ],
      witnesses: ["docker-stats", "host-facts"],
      weight: weight.strong,
      shownBy: view.ref,
      link: { proof: "shared-resource", facts: [fact] },
      advice: [`Move or bound the disk work of ${most.other.name}; ${view.name} is only a victim.`],
    }),
  ];
}

const diskChannels =
  /blk|throtl|io_schedule|wait_on_page|folio_wait|jbd2|ext4|xfs|balance_dirty|fsync|writeback|rq_qos|wbt/;

/** Processes of it that sleep in the kernel until the disk answers. */
function waits(world: World, view: ContainerView): Fact[] {
  const table = hostOf(world, view.host)?.processes ?? null;
  const rows = treeOf(world, view).filter((row) => row.state === "D" || diskChannels.test(row.waitChannel ?? ""));
  const group = view.cgroup;
  const pressure = group?.value.ioPressureFullAvg10 ?? null;
  const facts: Fact[] = [];
  if (table !== null && rows[0] !== undefined)
    facts.push(
      cite(
        table,
        `${rows.length} processes of ${view.name} wait for the disk, such as ${rows[0].command} in ${rows[0].waitChannel ?? "state D"}`,
        view.name,
      ),
    );
  if (group !== null && pressure !== null && pressure >= pressed)
    facts.push(cite(group, `io.pressure full avg10 ${pressure}`, view.name));
  return facts;
}

/** Pauses told by the program at even distances: three or more, the distances within a third of each other. */
function pausesItself(world: World, view: ContainerView): Finding[] {
  const said = told(world, view, ["self-pause"], (signal) => tookMs(signal.parts) >= 500);
  if (said === null || view.logs === null || !isSlow(world, view)) return [];
  const times = said.signals.flatMap((signal) => signal.line.atMs ?? []);
  const steps = times
    .slice(1)
    .map((at, index) => at - (times[index] as number))
    .filter((step) => step > 500);
  const mean = steps.reduce((sum, step) => sum + step, 0) / Math.max(steps.length, 1);
  const even = steps.filter((step) => Math.abs(step - mean) <= mean / 3).length;
  if (steps.length < 2 || even < steps.length * 0.7) return [];
  return [
    faultAt(view, {
      cause: "stall-periodic",
      summary: `${view.name} pauses itself at even intervals, and requests wait meanwhile`,
      facts: [
        ...said.facts,
        cite(view.logs, `${said.signals.length} such pauses, ${(mean / 1_000).toFixed(1)} s apart`, view.name),
        ...describeSlowness(world, view),
      ],
      witnesses: ["docker-logs"],
      weight: weight.told,
      advice: [
        `Look what ${view.name} does at that interval (garbage collection, a scheduled job, a flush) and make it shorter or move it elsewhere.`,
      ],
    }),
  ];
}

function tookMs(parts: Record<string, string>): number {
  const value = Number((parts["took"] ?? "0").replace(",", "."));
  return parts["unit"] === "ms" ? value : value * 1_000;
}

import type { Cause } from "./causes.ts";
import { type Death, describeEvent, memoryKills } from "./death.ts";
import type { Fact } from "./evidence.ts";
import type { OomKill, OomTask } from "./kernel-log.ts";
import { limits } from "./limits.ts";
import { memoryShape } from "./memory-shape.ts";
import { composeProject, composeService } from "./resolve.ts";
import { bytesText, humanBytes } from "./rule.ts";
import { heapSetting, type SizeSetting, sharedBuffers } from "./runtime-settings.ts";
import { serverKind } from "./servers.ts";
import { type ContainerView, cite, hostOf, type World } from "./world.ts";

/** Why a container met its own limit, where more can be said than that it did. */
export interface MemoryReason {
  cause: Cause;
  summary: string;
  facts: Fact[];
  witnesses: string[];
  advice: string[];
  measures?: Record<string, number>;
}

/** One kill at a container's own limit, with what surrounds it. */
export interface KillScene {
  world: World;
  view: ContainerView;
  /** The kernel's record; null where only the engine tells of the kill. */
  kill: OomKill | null;
  atMs: number | null;
  deaths: readonly Death[];
  /** True when the container went on running. */
  survived: boolean;
}

/**
 * The most specific reason that shows, in this order: somebody lowered the limit; a setting asks for more than the limit;
 * files in memory; what kind of child died; the shape of the growth.
 */
export function memoryReason(scene: KillScene): MemoryReason | null {
  return (
    lowered(scene) ??
    heapOverLimit(scene) ??
    buffersOverLimit(scene) ??
    filesInMemory(scene) ??
    savingChild(scene) ??
    manySorts(scene) ??
    serverProcess(scene) ??
    grown(scene)
  );
}

/** An update of the container, then the first kill it ever had: the limit moved, not the need. */
function lowered({ world, view, atMs }: KillScene): MemoryReason | null {
  const limit = view.inspect?.value.memoryLimitBytes ?? null;
  const events = hostOf(world, view.host)?.events;
  if (limit === null || atMs === null || view.inspect === null || events == null) return null;
  const update = view.events.findLast((event) => event.action === "update" && event.atMs <= atMs);
  if (update === undefined || atMs - update.atMs > limits.loweredBeforeKillMs) return null;
  // The kernel's stamps become times by a boot time that is known to the second.
  const before = update.atMs - limits.killAfterDeathMs;
  if (memoryKills(world, view).some((kill) => kill.atMs === null || kill.atMs < before)) return null;
  if (view.events.some((event) => event.action === "oom" && event.atMs < update.atMs)) return null;
  const old = previousLimit(world, view, limit);
  if (old === null && atMs - update.atMs > limits.loweredUnprovenMs) return null;
  const facts = [cite(events, describeEvent(update), view.name), ...(old?.facts ?? [])];
  return {
    cause: "limit-lowered-live",
    summary: `Somebody changed the memory limit of ${view.name} while it ran, to ${bytesText(limit)}, and after that the kernel killed in it at this limit${old === null ? "" : `; before it was ${bytesText(old.bytes)}`}`,
    facts: [...facts, cite(view.inspect, `HostConfig.Memory=${limit}: ${bytesText(limit)}`, view.name)],
    witnesses: ["docker-events", ...(old?.witness === undefined ? [] : [old.witness])],
    advice: [
      `Find out who ran docker update on ${view.name} and why. Its code and image are as before, so look for no leak.`,
    ],
    measures: old === null ? {} : { previousLimitBytes: old.bytes },
  };
}

/** The limit before the change: recorded, kept by a replica, or half of the memory-plus-swap that the engine had set with it. */
function previousLimit(
  world: World,
  view: ContainerView,
  limit: number,
): { bytes: number; facts: Fact[]; witness?: string } | null {
  const recorded = view.memory?.value.limitBytes ?? null;
  if (view.memory !== null && recorded !== null && recorded > limit)
    return {
      bytes: recorded,
      facts: [cite(view.memory, `recorded limit ${bytesText(recorded)}`, view.name)],
      witness: "memory-series",
    };
  const replica = world.containers.find(
    (other) =>
      other !== view &&
      composeService(view) !== null &&
      composeService(other) === composeService(view) &&
      composeProject(other) === composeProject(view) &&
      (other.inspect?.value.memoryLimitBytes ?? 0) > limit,
  );
  if (replica?.inspect != null) {
    const bytes = replica.inspect.value.memoryLimitBytes as number;
    return {
      bytes,
      facts: [
        cite(
          replica.inspect,
          `HostConfig.Memory=${bytes}: ${bytesText(bytes)}, a replica of the same service`,
          replica.name,
        ),
      ],
      witness: "docker-inspect of a replica",
    };
  }
  // With only --memory the engine sets memory plus swap to twice of it, and an update of the one leaves the other.
  const withSwap = view.inspect?.value.memorySwapBytes ?? 0;
  if (view.inspect !== null && withSwap > 2 * limit) {
    const bytes = withSwap / 2;
    return {
      bytes,
      facts: [
        cite(
          view.inspect,
          `HostConfig.MemorySwap=${withSwap}, which the engine sets to twice the limit given at creation: ${bytesText(bytes)}`,
          view.name,
        ),
      ],
    };
  }
  return null;
}

function heapOverLimit({ view }: KillScene): MemoryReason | null {
  const inspect = view.inspect?.value;
  const heap = inspect === undefined ? null : heapSetting(inspect);
  const limit = inspect?.memoryLimitBytes ?? null;
  if (heap === null || limit === null || heap.bytes < limit) return null;
  return {
    cause: "jvm-heap-over-limit",
    ...settingOver(view, heap, limit, "the runtime may let its heap grow"),
    advice: [
      `Set the heap of ${view.name} to at most three quarters of its memory limit (${heap.where}), or raise the limit above the heap.`,
    ],
    measures: { wantedBytes: Math.ceil(heap.bytes / 0.75) },
  };
}

function buffersOverLimit({ view, kill }: KillScene): MemoryReason | null {
  const inspect = view.inspect?.value;
  const buffers = inspect === undefined ? null : sharedBuffers(inspect);
  const limit = inspect?.memoryLimitBytes ?? null;
  if (buffers === null || limit === null || buffers.bytes < limit) return null;
  // A query that fills its own memory dies with little shared memory behind it.
  if (kill !== null && (kill.anonRssKb ?? 0) > 2 * sharedKb(kill) && sharedKb(kill) > 0) return null;
  return {
    cause: "pg-shared-buffers-over-limit",
    ...settingOver(view, buffers, limit, "PostgreSQL fills its shared buffers as it reads"),
    advice: [
      `Set shared_buffers of ${view.name} to about a quarter of its memory limit (${buffers.where}), or raise the limit well above it.`,
    ],
    measures: { wantedBytes: buffers.bytes * 2 },
  };
}

function settingOver(view: ContainerView, setting: SizeSetting, limit: number, what: string) {
  return {
    summary: `${view.name} was OOM-killed at its own memory limit of ${bytesText(limit)}: ${what} to ${bytesText(setting.bytes)}, more than the limit`,
    facts:
      view.inspect === null
        ? []
        : [
            cite(
              view.inspect,
              `${setting.where} holds ${setting.text}: ${bytesText(setting.bytes)}; HostConfig.Memory=${limit}: ${bytesText(limit)}`,
              view.name,
            ),
          ],
    witnesses: ["docker-inspect"],
  };
}

/** At the limit with next to nothing in any process: reclaim would have taken page cache, so it is shared memory or tmpfs. */
function filesInMemory({ world, view, kill }: KillScene): MemoryReason | null {
  const usageKb = kill?.memory?.usageKb ?? null;
  const kernel = hostOf(world, view.host)?.kernel;
  if (kill === null || usageKb === null || kernel == null || kill.tasks.length === 0) return null;
  const inProcessesKb = kill.tasks.reduce((sum, task) => sum + residentKb(task, kill), 0);
  if (inProcessesKb > 0.4 * usageKb || (kill.anonRssKb ?? 0) + sharedKb(kill) > 0.3 * usageKb) return null;
  const shm = view.inspect?.value.shmSizeBytes ?? null;
  const text = `memory: usage ${usageKb} kB at the kill, all ${kill.tasks.length} processes together ${inProcessesKb} kB`;
  return {
    cause: "shm-tmpfs-oom",
    summary: `Files in shared memory or tmpfs filled the memory limit of ${view.name}: its processes held only ${inProcessesKb} kB of the ${usageKb} kB in use at the kill`,
    facts: [
      cite(kernel, text, view.name),
      ...(view.inspect === null || shm === null
        ? []
        : [
            cite(
              view.inspect,
              `HostConfig.ShmSize=${shm}: ${humanBytes(shm)}; tmpfs ${Object.keys(view.inspect.value.tmpfs).join(", ") || "none"}`,
              view.name,
            ),
          ]),
    ],
    witnesses: ["kernel-log"],
    advice: [
      `Bound what ${view.name} writes to /dev/shm or its tmpfs (their size counts against its memory limit), or give the scratch files a disk.`,
    ],
  };
}

function savingChild({ world, view, kill, survived }: KillScene): MemoryReason | null {
  if (!survived || !isProcessOf(kill, /^(redis|valkey|keydb)/) || serverKind(world, view) !== "redis") return null;
  const said = view.signals.findLast((signal) => signal.kind === "server-child-save-killed");
  return {
    cause: "redis-bgsave-oom",
    summary: `The kernel killed the child process with which ${view.name} saves its data, at the container's own memory limit; the server itself runs and refuses writes until a save works`,
    facts: said === undefined || view.logs === null ? [] : [cite(view.logs, said.line.text, view.name)],
    witnesses: said === undefined ? [] : ["docker-logs"],
    advice: [`Leave room for copy-on-write while ${view.name} saves: up to twice its data, or lower maxmemory.`],
  };
}

/** Several server processes share the memory and none of them has much of it: the sum is the problem. */
function manySorts({ world, view, kill, survived }: KillScene): MemoryReason | null {
  const kernel = hostOf(world, view.host)?.kernel;
  if (!survived || kill === null || kernel == null || !isPostgres(world, view, kill)) return null;
  const usageKb = kill.memory?.usageKb ?? null;
  const own = kill.tasks.filter((task) => isServerName(task.name)).map((task) => anonKb(task, kill));
  const sum = own.reduce((total, size) => total + size, 0);
  const largest = Math.max(0, ...own);
  const sharers = own.filter((size) => size >= largest / 4).length;
  if (usageKb === null || sum < 0.4 * usageKb || largest > 0.4 * sum || sharers < limits.fanoutProcesses) return null;
  return {
    cause: "pg-work-mem-fanout",
    summary: `Many PostgreSQL sessions of ${view.name} at once used up its memory limit: ${sharers} processes held ${sum} kB together, the largest only ${largest} kB; the server killed one, reset all and recovered`,
    facts: [
      cite(
        kernel,
        `${sharers} postgres processes with memory of their own, ${sum} kB together, largest ${largest} kB`,
        view.name,
      ),
    ],
    witnesses: ["kernel-log"],
    advice: [
      `Lower work_mem or the number of connections of ${view.name}: work_mem counts for each sort of each session.`,
    ],
  };
}

function serverProcess({ world, view, kill, survived }: KillScene): MemoryReason | null {
  if (!survived || !isPostgres(world, view, kill)) return null;
  const killed = view.signals.findLast(
    (signal) => signal.kind === "server-child-killed" && signal.parts["signal"] === "9",
  );
  const query = view.signals.findLast(
    (signal) => signal.parts["query"] !== undefined && /process was running/i.test(signal.line.text),
  );
  const logs = view.logs;
  const cited = [killed, query].filter((signal) => signal !== undefined);
  if (kill === null && killed === undefined) return null;
  return {
    cause: "pg-backend-oom-recovery",
    summary: `One server process of ${view.name} was killed at the container's memory limit; PostgreSQL reset all sessions and recovered by itself, the container never stopped`,
    facts: logs === null ? [] : cited.map((signal) => cite(logs, signal.line.text, view.name)),
    witnesses: killed === undefined ? [] : ["docker-logs"],
    advice: [
      `Bound the query that was running${query === undefined ? "" : " (it stands in the server's log)"} or its memory settings (work_mem, hash_mem_multiplier); a restart of ${view.name} is not needed.`,
    ],
  };
}

function grown({ view, deaths }: KillScene): MemoryReason | null {
  const shape = memoryShape(view, deaths);
  const limit = view.inspect?.value.memoryLimitBytes ?? null;
  if (shape === null || limit === null) return null;
  const leak = shape.kind === "leak";
  return {
    cause: leak ? "oom-leak" : "oom-spike",
    summary: `${view.name} ${leak ? "leaks memory" : "met one request or job that needs far more memory than usual"}: ${shape.because}, and the kernel killed it at its limit of ${bytesText(limit)}`,
    facts: shape.facts,
    witnesses: [shape.witness],
    advice: [
      leak
        ? `More memory only buys time for ${view.name}: look for what it keeps (caches, lists, sessions) and does not free.`
        : `Bound that request in ${view.name} (page it, stream it, limit its size) so that it does not load everything at once.`,
    ],
  };
}

function isPostgres(world: World, view: ContainerView, kill: OomKill | null): boolean {
  return serverKind(world, view) === "postgres" && (kill === null || isServerName(kill.process));
}

function isServerName(name: string): boolean {
  return /^(postgres|postmaster|pg_)/.test(name);
}

function isProcessOf(kill: OomKill | null, name: RegExp): boolean {
  return kill !== null && name.test(kill.process);
}

function sharedKb(kill: OomKill): number {
  return kill.shmemRssKb ?? 0;
}

function residentKb(task: OomTask, kill: OomKill): number {
  return task.rssPages * (kill.pageSizeKb ?? 4);
}

/** Before kernel 6.8 the table gives one figure: what the victim shared is taken to be shared by all. */
function anonKb(task: OomTask, kill: OomKill): number {
  const pageKb = kill.pageSizeKb ?? 4;
  if (task.rssAnonPages !== null) return task.rssAnonPages * pageKb;
  return Math.max(0, task.rssPages * pageKb - sharedKb(kill) - (kill.fileRssKb ?? 0));
}

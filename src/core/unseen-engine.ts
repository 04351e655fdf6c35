import type { Finding } from "./diagnosis.ts";
import type { Fact, Reading } from "./evidence.ts";
import type { ProcessRow } from "./readings.ts";
import { hostFault, weight } from "./rule.ts";
import { cite, type HostView, type World } from "./world.ts";

/**
 * The service was not seen because an engine does not tell what it runs, on a host that itself answers: it does not run,
 * it does not answer, or it lost its storage. A host that cannot be reached at all says nothing about its engine.
 */
export function unseenEngine(world: World): Finding | null {
  for (const host of world.hosts) {
    if (world.target.host !== null && world.target.host !== host.name) continue;
    const found = host.list === null ? silentEngine(world, host) : emptyEngine(world, host);
    if (found !== null) return found;
  }
  return null;
}

/** True when the host answers and its engine's list was asked for in vain: then its processes are worth a look. */
export function isEngineSilent(world: Pick<World, "readings">, host: HostView): boolean {
  return host.list === null && host.facts !== null && failedList(world, host) !== null;
}

type FailedList = Extract<Reading["outcome"], { status: "failed" }> & { reading: Reading };

function failedList(world: Pick<World, "readings">, host: HostView): FailedList | null {
  for (const reading of world.readings) {
    if (reading.source !== "docker-list" || reading.host !== host.name) continue;
    if (reading.outcome.status === "failed") return { ...reading.outcome, reading };
  }
  return null;
}

function silentEngine(world: World, host: HostView): Finding | null {
  const failed = failedList(world, host);
  if (failed === null || host.facts === null) return null;
  const socket = /\/\S*\.sock\b/.exec(failed.reason)?.[0] ?? null;
  const rows = host.processes?.value ?? null;
  const daemon = rows === null ? null : (rows.find((row) => isDaemonOf(row, socket)) ?? null);
  const nobodyThere =
    /no docker engine answers|no docker socket|no engine behind|ECONNREFUSED|ENOENT|connection refused/i.test(
      failed.reason,
    ) &&
    (failed.code !== "permission-denied" || (rows !== null && daemon === null));
  if (failed.code === "timeout") return hung(host, failed, daemon);
  if (!nobodyThere) return null;
  const facts = [listFact(failed), ...serving(host)];
  if (host.processes !== null && daemon === null)
    facts.push(cite(host.processes, `no dockerd${socket === null ? "" : ` for ${socket}`} among the host's processes`));
  return hostFault(host.name, {
    cause: "daemon-down",
    summary: `The Docker daemon of ${host.name} does not run: the host answers, its engine's socket does not${stillServing(host)}`,
    facts,
    witnesses: ["docker-list", "host-facts", ...(rows !== null && daemon === null ? ["host-processes"] : [])],
    weight: weight.proven,
    advice: [
      "Look why it ended before starting it: journalctl -u docker -n 100; then sudo systemctl start docker. Without live-restore a start of the daemon does not bring back containers that have no restart policy.",
    ],
  });
}

function hung(host: HostView, failed: FailedList, daemon: ProcessRow | null): Finding | null {
  const stopped = daemon !== null && daemon.state !== null && /[TtD]/.test(daemon.state);
  const facts = [listFact(failed), ...serving(host)];
  if (host.facts !== null)
    facts.push(cite(host.facts, `the host itself answers: load ${host.facts.value.load1 ?? "unknown"}`));
  if (host.processes !== null && daemon !== null)
    facts.push(cite(host.processes, `dockerd pid ${daemon.pid} in state ${daemon.state ?? "unknown"}`));
  return hostFault(host.name, {
    cause: "daemon-hung",
    summary: `The Docker daemon of ${host.name} does not answer, although the host does${stopped ? `; dockerd is in process state ${daemon?.state}` : ""}${stillServing(host)}`,
    facts,
    witnesses: ["docker-list", "host-facts", ...(stopped ? ["host-processes"] : [])],
    weight: weight.proven,
    advice: [
      "Take a stack dump before anything else (sudo kill -USR1 of the dockerd process writes one), look for a full disk or a dead mount, and only then restart the daemon in a quiet moment.",
    ],
  });
}

/** No container is known, nothing was removed, and yet supervisors of containers run: its storage is not where it was. */
function emptyEngine(world: World, host: HostView): Finding | null {
  const list = host.list;
  const rows = host.processes;
  if (list === null || rows === null || list.value.length > 0) return null;
  const shims = rows.value.filter(isShim);
  const daemons = rows.value.filter((row) => isDaemonOf(row, null));
  const removed = host.events?.value.events.some((event) => event.type === "container" && event.action === "destroy");
  if (shims.length === 0 || daemons.length !== 1 || removed !== false) return null;
  const root = host.engine?.value.rootDir ?? null;
  const facts: Fact[] = [
    cite(list, "the engine knows 0 containers"),
    cite(rows, `${shims.length} container supervisors (containerd-shim) run`),
  ];
  const mounted = host.facts?.value.mounts.some((mount) => mount.target === root) ?? null;
  if (host.facts !== null && root !== null && mounted === false)
    facts.push(cite(host.facts, `nothing is mounted at ${root}`));
  return hostFault(host.name, {
    cause: "docker-root-unmounted",
    summary: `The engine of ${world.target.service}'s host ${host.name} knows no container while ${shims.length} container supervisors run: its storage${root === null ? "" : ` ${root}`} is not the one it had`,
    facts,
    witnesses: ["docker-list", "host-processes"],
    weight: weight.strong,
    advice: [
      `Compare /etc/fstab with what is mounted${root === null ? "" : ` at ${root}`}; mount the storage and restart the daemon. Do not recreate containers or pull images meanwhile: they would land on the wrong disk.`,
    ],
  });
}

function listFact(failed: FailedList): Fact {
  const { source, host, containerId, read, atMs } = failed.reading;
  return { reading: { source, host, containerId, read, atMs }, container: null, text: failed.reason };
}

function serving(host: HostView): Fact[] {
  const shims = (host.processes?.value ?? []).filter(isShim);
  return host.processes === null || shims.length === 0
    ? []
    : [cite(host.processes, `${shims.length} container supervisors (containerd-shim) run`)];
}

function stillServing(host: HostView): string {
  return serving(host).length === 0 ? "" : "; containers may still serve, their supervisors run";
}

/** With several daemons on one machine only the one that was given this socket counts. */
function isDaemonOf(row: ProcessRow, socket: string | null): boolean {
  if (!/(^|\/)dockerd(\s|$)/.test(row.args) && row.command !== "dockerd") return false;
  if (socket === null || /^\/(var\/)?run\/docker\.sock$/.test(socket))
    return socket === null || !/(-H|--host)[= ]?unix:\/\/\/(?!(var\/)?run\/docker\.sock)/.test(row.args);
  return row.args.includes(socket);
}

function isShim(row: ProcessRow): boolean {
  return /containerd-shim/.test(row.args) && /-namespace moby\b/.test(row.args);
}

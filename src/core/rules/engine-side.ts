import { callsFrom } from "../callers.ts";
import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { eventFacts } from "../hands.ts";
import { limits } from "../limits.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, type HostView, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * What the engine's own parts and the kernel do to a container: its supervisor dies, its log target refuses or blocks, a
 * security profile forbids a call, the disk fails under it.
 */
export const engineSide: Rule = {
  name: "engine-side",
  causes: ["shim-killed", "log-driver-down", "log-driver-blocks", "seccomp-denied", "disk-io-errors"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    return [
      ...shimKilled(world, view),
      ...logDriverDown(view),
      ...logDriverBlocks(world, view),
      ...seccomp(world, view),
    ];
  },
  evaluateHost: (world, host) => diskErrors(world, host),
};

/**
 * When the supervisor (containerd-shim) dies, containerd kills the container and deletes its task: the engine tells
 * `die` with exit 255, because nobody is left to say how it ended, and then stores 137 (seen on Engine 20.10.24 with
 * containerd 1.6.20). A program's own exit 255 is stored as 255.
 */
function shimKilled(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const died = view.events.findLast((event) => event.action === "die");
  if (died === undefined || died.attributes["exitCode"] !== "255" || inspect.value.exitCode !== 137) return [];
  if (
    inspect.value.running ||
    view.events.some((event) => event.action === "kill" && Math.abs(event.atMs - died.atMs) < 15_000)
  )
    return [];
  return [
    faultAt(view, {
      cause: "shim-killed",
      summary: `${view.name}'s supervisor process (containerd-shim) was killed on the host: the engine told exit 255 and then stored 137, with no kill through Docker`,
      facts: [
        ...eventFacts(world, view, [died]),
        cite(
          inspect,
          `State.Status=${inspect.value.status} State.ExitCode=${inspect.value.exitCode} State.OOMKilled=${inspect.value.oomKilled}`,
          view.name,
        ),
      ],
      witnesses: ["docker-events", "docker-inspect"],
      onsetMs: died.atMs,
      weight: weight.proven + 2,
      advice: [
        "Find who kills containerd-shim processes on the host: a clean-up script, a security agent, or a person.",
      ],
    }),
  ];
}

function logDriverDown(view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const { error, running, logDriver, logOptions } = inspect.value;
  if (running || !/logging driver|log driver|initiali[sz]e logg/i.test(error)) return [];
  const target = Object.entries(logOptions).find(([name]) => /address|url|endpoint/.test(name));
  return [
    faultAt(view, {
      cause: "log-driver-down",
      summary: `${view.name} cannot start: its log driver ${logDriver} does not reach its target${target === undefined ? "" : ` ${target[1]}`}; the image and the program are not involved`,
      facts: [
        cite(inspect, `State.Error=${error}`, view.name),
        cite(
          inspect,
          `LogConfig.Type=${logDriver}${target === undefined ? "" : ` ${target[0]}=${target[1]}`}`,
          view.name,
        ),
      ],
      witnesses: ["docker-inspect"],
      weight: weight.proven + 1,
      advice: [
        `Bring the log target back, or recreate ${view.name} with mode=non-blocking or another log driver; the driver of an existing container cannot be changed.`,
      ],
    }),
  ];
}

const localDrivers = ["json-file", "local", "none", "journald", ""];

/** A blocking driver with a stuck target stops the program at its next line: it waits in the pipe to its own output. */
function logDriverBlocks(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const { running, logDriver, logOptions } = inspect.value;
  if (!running || localDrivers.includes(logDriver) || logOptions["mode"] === "non-blocking") return [];
  const waits = /pipe_w|unix_stream_sendmsg|sock_alloc_send/.test(view.process?.value.waitChannel ?? "");
  const silent = view.probes.filter((probe) => probe.value.failure === "timeout");
  const blamed = callsFrom(world, view).some(({ edge }) => edge.failures.length > 0);
  if (!waits && (silent.length === 0 || blamed)) return [];
  const facts = [cite(inspect, `LogConfig.Type=${logDriver} mode=${logOptions["mode"] ?? "blocking"}`, view.name)];
  if (view.process !== null && waits)
    facts.push(cite(view.process, `the main process waits in ${view.process.value.waitChannel}`, view.name));
  for (const probe of silent.slice(0, 1))
    facts.push(cite(probe, `port ${probe.value.port} ${probe.value.path ?? ""}: timeout`, view.name));
  return [
    faultAt(view, {
      cause: "log-driver-blocks",
      summary: `${view.name} hangs while it writes its own log: its log driver ${logDriver} is blocking and its target takes nothing`,
      facts,
      witnesses: ["docker-inspect", ...(waits ? ["process-facts"] : []), ...(silent.length > 0 ? ["http-probe"] : [])],
      weight: waits ? weight.proven : weight.told + 3,
      advice: [
        `Free or restart the log target, and recreate ${view.name} with mode=non-blocking so that a stuck target cannot stop it.`,
      ],
    }),
  ];
}

/** The kernel's audit record, or a custom profile together with a refused call; dropped capabilities have their own cause. */
function seccomp(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const profile = inspect.value.securityOpt.find((option) => /^seccomp[=:]/.test(option) && !/unconfined/.test(option));
  const kernel = hostOf(world, view.host)?.kernel;
  const audited = (kernel?.value.faults ?? []).filter(
    (fault) => fault.kind === "seccomp" && fault.containerId !== null && view.id.startsWith(fault.containerId),
  );
  const refused = told(world, view, ["operation-not-permitted"]);
  const line = view.logs?.value.lines.findLast(({ text }) =>
    /function not implemented|bad system call|\bENOSYS\b|\bSIGSYS\b/i.test(text),
  );
  const bySignal = lastDeath(world, view)?.exitCode === 159;
  const shown = refused !== null || line !== undefined || bySignal;
  if (audited.length === 0 && (profile === undefined || !shown)) return [];
  const facts = [
    cite(
      inspect,
      `SecurityOpt=${profile === undefined ? "default profile" : profile.slice(0, 120)} State.ExitCode=${inspect.value.exitCode}`,
      view.name,
    ),
  ];
  if (refused !== null) facts.push(...refused.facts);
  if (line !== undefined && view.logs !== null) facts.push(cite(view.logs, line.text, view.name));
  for (const fault of audited.slice(-1)) if (kernel != null) facts.push(cite(kernel, fault.text, view.name));
  return [
    faultAt(view, {
      cause: "seccomp-denied",
      summary: `${view.name} needs a system call that its seccomp profile forbids; file permissions and the program are not at fault`,
      facts,
      witnesses: [
        "docker-inspect",
        ...(audited.length > 0 ? ["kernel-log"] : []),
        ...(refused !== null || line !== undefined ? ["docker-logs"] : []),
      ],
      weight: inspect.value.capDrop.length > 0 && audited.length === 0 ? weight.told : weight.proven - 1,
      advice: [
        `Compare the profile of ${view.name} with the engine's default one and allow the call it needs; seccomp=unconfined is only for finding out.`,
      ],
    }),
  ];
}

/** The kernel reports the disk. A hazard as long as no container's log shows that it suffers. */
function diskErrors(world: World, host: HostView): Finding[] {
  const kernel = host.kernel;
  if (kernel === null) return [];
  const since = hostNowMs(world, host.name) - limits.pastFaultMs;
  const errors = kernel.value.faults.filter(
    (fault) =>
      (fault.kind === "io-error" || fault.kind === "filesystem-error") && (fault.atMs === null || fault.atMs >= since),
  );
  const last = errors.at(-1);
  if (last === undefined) return [];
  const device = last.kind === "io-error" || last.kind === "filesystem-error" ? last.device : null;
  const sufferers = world.containers.filter(
    (view) =>
      view.host === host.name &&
      view.logs?.value.lines.some(({ text }) => /input\/output error|\bEIO\b|i\/o error/i.test(text)),
  );
  const suffers = sufferers[0];
  const line = suffers?.logs?.value.lines.findLast(({ text }) => /input\/output error|\bEIO\b|i\/o error/i.test(text));
  const facts = [cite(kernel, last.text), cite(kernel, `${errors.length} disk errors in the kernel log`)];
  if (suffers?.logs != null && line !== undefined) facts.push(cite(suffers.logs, line.text, suffers.name));
  return [
    hostFault(host.name, {
      cause: "disk-io-errors",
      kind: suffers === undefined ? "hazard" : "fault",
      summary: `The disk${device === null ? "" : ` ${device}`} of ${host.name} reports errors: ${errors.length} in the kernel log`,
      facts,
      witnesses: ["kernel-log", ...(suffers === undefined ? [] : ["docker-logs"])],
      onsetMs: errors[0]?.atMs ?? null,
      weight: suffers === undefined ? weight.weak : weight.proven - 1,
      advice: [
        "Save what is on that disk first, then look at smartctl and replace it; restarting containers makes them read the damaged parts again.",
      ],
    }),
  ];
}

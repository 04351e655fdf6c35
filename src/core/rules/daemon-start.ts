import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * What a start of the host or of the daemon leaves behind: containers that did not come back, and one that came back
 * although somebody had stopped it (policy `always` forgets a manual stop when the daemon restarts; `unless-stopped`
 * does not). The engine's default bridge is made anew at every start of the daemon, which dates it.
 */
export const daemonStart: Rule = {
  name: "daemon-start",
  causes: ["host-rebooted", "stopped-came-back"],
  needs: ["docker-inspect", "host-facts"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined) return [];
    if (endedWithReboot(world, view)) return [rebooted(world, view)];
    const start = daemonStartMs(world, view.host);
    if (start !== null && inspect.running && inspect.restartPolicy.name === "always")
      return cameBack(world, view, start);
    return [];
  },
};

/** It ran before the host booted, ended around that moment, and was not started since. */
export function endedWithReboot(world: Pick<World, "hosts" | "nowMs">, view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  const bootAtMs = hostOf(world, view.host)?.facts?.value.bootAtMs ?? null;
  if (inspect === undefined || bootAtMs === null || inspect.status !== "exited") return false;
  const { startedAtMs, finishedAtMs } = inspect;
  if (startedAtMs === null || finishedAtMs === null || startedAtMs >= bootAtMs) return false;
  if (hostNowMs(world, view.host) - bootAtMs > limits.eventsLookbackMs) return false;
  return finishedAtMs >= bootAtMs - limits.beforeBootMs && finishedAtMs <= bootAtMs + limits.afterBootMs;
}

/** When the daemon started, by the host's clock; null when it cannot be told. */
export function daemonStartMs(world: Pick<World, "hosts">, hostName: string): number | null {
  const host = hostOf(world, hostName);
  if (host?.engine?.value.liveRestore !== false || host.engine.value.kind === "podman") return null;
  return host.networks?.value.find((network) => network.name === "bridge")?.createdAtMs ?? null;
}

function rebooted(world: World, view: ContainerView): Finding {
  const host = hostOf(world, view.host);
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const bootAt = new Date(host?.facts?.value.bootAtMs ?? 0).toISOString();
  const facts = [
    cite(
      inspect,
      `State.Status=exited State.ExitCode=${inspect.value.exitCode} FinishedAt=${new Date(inspect.value.finishedAtMs ?? 0).toISOString()} RestartPolicy=${inspect.value.restartPolicy.name}`,
      view.name,
    ),
  ];
  if (host?.facts != null) facts.push(cite(host.facts, `the host booted at ${bootAt}`));
  return hostFault(view.host, {
    cause: "host-rebooted",
    summary: `The host ${view.host} rebooted at ${bootAt}; ${view.name} ended with it and nothing started it again`,
    facts,
    witnesses: ["docker-inspect", "host-facts"],
    onsetMs: host?.facts?.value.bootAtMs ?? null,
    shownBy: view.ref,
    actOn: view.ref,
    weight: weight.proven + 2,
    advice: [
      `Find out why the host rebooted (last -x, journalctl -b -1), and give ${view.name} the restart policy unless-stopped.`,
    ],
  });
}

/** Down well before the daemon ended the others, and up again with it. */
function cameBack(world: World, view: ContainerView, startMs: number): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const { startedAtMs, finishedAtMs } = inspect.value;
  if (startedAtMs === null || finishedAtMs === null) return [];
  if (startedAtMs < startMs - 5_000 || startedAtMs > startMs + limits.afterBootMs) return [];
  const endedWithDaemon = world.containers.filter((other) => {
    const finished = other.inspect?.value.finishedAtMs ?? null;
    return (
      other.host === view.host &&
      other !== view &&
      finished !== null &&
      finished <= startMs + 5_000 &&
      finished >= finishedAtMs + limits.daemonStopSpreadMs
    );
  });
  const shutdown = endedWithDaemon[0];
  const networks = hostOf(world, view.host)?.networks;
  if (shutdown?.inspect == null || networks == null) return [];
  const started = new Date(startMs).toISOString();
  const ended = new Date(finishedAtMs).toISOString();
  return [
    faultAt(view, {
      cause: "stopped-came-back",
      kind: world.subjects.includes(view) ? "fault" : "hazard",
      summary: `${view.name} had been down since ${ended}, before the daemon ended the other containers, and came back with the daemon at ${started} because its restart policy is always; nobody started it`,
      facts: [
        cite(
          inspect,
          `FinishedAt=${ended} StartedAt=${new Date(startedAtMs).toISOString()} RestartPolicy=always`,
          view.name,
        ),
        cite(networks, `the engine's default bridge was made at ${started}: the daemon started then`),
        cite(
          shutdown.inspect,
          `FinishedAt=${new Date(shutdown.inspect.value.finishedAtMs ?? 0).toISOString()}`,
          shutdown.name,
        ),
      ],
      witnesses: ["docker-inspect", "docker-networks"],
      onsetMs: startedAtMs,
      past: true,
      weight: weight.strong,
      advice: [`If ${view.name} is to stay down after a stop, give it the policy unless-stopped instead of always.`],
    }),
  ];
}

import type { Cause } from "../causes.ts";
import type { Death } from "../death.ts";
import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";
import { endedWithReboot } from "./daemon-start.ts";
import { cpuLimitEnded } from "./resource-limits.ts";

/**
 * It does not run, and the order of events says who ended it. Exit 137 has nine histories; only the sequence of
 * `kill`, `die` and `stop`, and the kernel's silence, tell them apart.
 */
export const notRunning: Rule = {
  name: "not-running",
  causes: [
    "manual-docker-kill",
    "stop-grace-exceeded",
    "stopped-clean-143",
    "dep-stopped",
    "human-stop",
    "external-sigkill",
    "daemon-restarted-no-policy",
    "pg-smart-shutdown-timeout",
    "unknown-cause",
  ],
  needs: ["docker-inspect", "docker-events"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined || inspect.restarting || inspect.paused) return [];
    if (endedWithReboot(world, view)) return [];
    const death = lastDeath(world, view);
    if (inspect.running) return death === null ? [] : killedAndBack(world, view, death);
    return death === null ? neverStarted(world, view) : endedAs(world, view, death);
  },
};

/** What the order of events says of the end, for a container that stands still. */
function endedAs(world: World, view: ContainerView, death: Death): Finding[] {
  switch (death.kind) {
    case "docker-kill":
      return [
        ended(view, death, "manual-docker-kill", `${view.name} was killed with docker kill; nothing ran out of memory`),
      ];
    case "stop-grace":
      return [
        smartShutdown(view, death) ??
          ended(
            view,
            death,
            "stop-grace-exceeded",
            `${view.name} was stopped through Docker and did not end within its grace period, so it was killed (exit 137)`,
            graceAdvice,
          ),
      ];
    case "stop-clean":
      return [stoppedClean(world, view, death)];
    case "outside-kill":
      return cpuLimitEnded(world, view, death) ? [] : [outsideKill(world, view, death)];
    case "daemon-stop":
      return [
        ended(
          view,
          death,
          "daemon-restarted-no-policy",
          `${view.name} ended when the Docker daemon stopped and no restart policy brought it back`,
        ),
      ];
    case "unknown-kill":
      if (cpuLimitEnded(world, view, death)) return [];
      return [
        {
          ...ended(
            view,
            death,
            "unknown-cause",
            `${view.name} ended with exit 137 and who sent the kill cannot be told from what is left`,
          ),
          weight: weight.hinted - 15,
        },
      ];
    case "own-limit":
    case "parent-limit":
    case "host-memory":
    case "memory-unproven":
    case "start-failed":
      return [];
    case "own-exit":
      return saidItWasStopped(world, view, death)
        ? [{ ...stoppedClean(world, view, death), weight: weight.told, witnesses: ["docker-logs"] }]
        : [];
  }
}

/** SIGKILL, or another end from outside, with the engine's and the kernel's silence proven. */
function outsideKill(world: World, view: ContainerView, death: Death): Finding {
  const killer = userSpaceKill(world, view, death);
  const finding = ended(
    view,
    death,
    "external-sigkill",
    `${view.name} was killed from outside Docker (exit ${death.exitCode}): no kill through Docker and no kernel memory kill in a window that is covered${killer === null ? "" : `; a memory guard of the host says it killed then`}`,
    "Look on the host for who sent the signal: a script, a monitoring agent, a memory guard (earlyoom, systemd-oomd), an operator.",
  );
  return killer === null ? finding : { ...finding, facts: [...finding.facts, killer] };
}

function userSpaceKill(world: World, view: ContainerView, death: Death): Fact | null {
  const kernel = hostOf(world, view.host)?.kernel;
  const fault = kernel?.value.faults.find(
    (entry) =>
      entry.kind === "user-space-kill" &&
      entry.atMs !== null &&
      death.atMs !== null &&
      Math.abs(death.atMs - entry.atMs) <= limits.killBeforeDeathMs,
  );
  return kernel == null || fault === undefined ? null : cite(kernel, fault.text, view.name);
}

/** Killed once from outside and brought back by its policy: over, and worth telling while it explains the report. */
function killedAndBack(world: World, view: ContainerView, death: Death): Finding[] {
  const recent = death.atMs !== null && hostNowMs(world, view.host) - death.atMs < limits.loopWindowMs;
  const deaths = view.events.filter((event) => event.action === "die").length;
  if (death.kind !== "outside-kill" || !recent || deaths > 1 || cpuLimitEnded(world, view, death)) return [];
  return [{ ...outsideKill(world, view, death), past: true, weight: weight.told + 5 }];
}

/** PostgreSQL waits for its clients after TERM (smart shutdown) and is killed at the end of the grace period. */
function smartShutdown(view: ContainerView, death: Death): Finding | null {
  const last = view.signals.findLast((signal) => signal.kind.startsWith("server-shutdown"));
  const asked = view.signals.findLast((signal) => signal.kind === "server-shutdown-smart");
  const forThisEnd =
    asked?.line.atMs == null || death.atMs === null || death.atMs - asked.line.atMs <= limits.recentTroubleMs;
  if (asked === undefined || last !== asked || view.logs === null || !forThisEnd) return null;
  const finding = ended(
    view,
    death,
    "pg-smart-shutdown-timeout",
    `${view.name} was stopped through Docker, waited for its connected clients (smart shutdown) and was killed at the end of the grace period; its data is not damaged`,
    "Give it the stop signal SIGINT (stop_signal), which ends sessions at once, or a longer stop_grace_period. The next start replays the log: wait for it.",
  );
  return {
    ...finding,
    facts: [...finding.facts, cite(view.logs, asked.line.text, view.name)],
    witnesses: [...finding.witnesses, "docker-logs"],
  };
}

/** Exit 0 in a window that is not covered: only its own last words can tell a stop from an end of its own. */
function saidItWasStopped(world: World, view: ContainerView, death: Death): boolean {
  const covered = hostOf(world, view.host)?.events?.value.completeSinceMs ?? null;
  if (death.exitCode !== 0 || death.atMs === null || (covered !== null && covered <= death.atMs - limits.stopVisibleMs))
    return false;
  return (view.logs?.value.lines.slice(-10) ?? []).some(({ text }) =>
    /received (?:fast|smart|immediate) shutdown request|SIGTERM|SIGQUIT|signal (?:15|3)\b|User requested shutdown|[Ss]hutting down/.test(
      text,
    ),
  );
}

const graceAdvice = "Give it a longer stop grace period (stop_grace_period), or make it react to its stop signal.";

function stoppedClean(world: World, view: ContainerView, death: Death): Finding {
  const asked = world.subjects.includes(view);
  const cause: Cause = asked ? "human-stop" : death.exitCode === 143 ? "stopped-clean-143" : "dep-stopped";
  return ended(
    view,
    death,
    cause,
    `${view.name} was stopped through Docker and ended with exit ${death.exitCode}; it did not crash`,
  );
}

function ended(view: ContainerView, death: Death, cause: Cause, summary: string, advice?: string): Finding {
  return faultAt(view, {
    cause,
    summary,
    facts: death.facts,
    witnesses: death.witnesses,
    onsetMs: death.atMs,
    weight: weight.proven,
    advice: advice === undefined ? [] : [advice],
  });
}

/** Created and never started, without a start error. */
function neverStarted(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  if (seen === null || seen.value.status !== "created") return [];
  const window = hostOf(world, view.host)?.events;
  const facts = [cite(seen, "State.Status=created State.ExitCode=0: it was never started", view.name)];
  const started = view.events.some((event) => event.action === "start");
  if (window != null && !started) facts.push(cite(window, `no start event of ${view.name}`, view.name));
  return [
    faultAt(view, {
      cause: "dep-stopped",
      summary: `${view.name} was created and never started`,
      facts,
      witnesses: ["docker-inspect"],
      weight: weight.strong,
    }),
  ];
}

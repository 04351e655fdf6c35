import type { Cause } from "../causes.ts";
import type { Death } from "../death.ts";
import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

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
    "unknown-cause",
  ],
  needs: ["docker-inspect", "docker-events"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined || inspect.running || inspect.restarting || inspect.paused)
      return [];
    const death = lastDeath(world, view);
    if (death === null) return neverStarted(world, view);
    switch (death.kind) {
      case "docker-kill":
        return [
          ended(
            view,
            death,
            "manual-docker-kill",
            `${view.name} was killed with docker kill; nothing ran out of memory`,
          ),
        ];
      case "stop-grace":
        return [
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
        return [
          ended(
            view,
            death,
            "external-sigkill",
            `${view.name} was killed from outside Docker: no kill through Docker and no kernel memory kill in a window that is covered`,
          ),
        ];
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
      case "own-exit":
      case "start-failed":
        return [];
    }
  },
};

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

import { type Death, lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { isPeerSignal } from "../graph.ts";
import type { KernelFault } from "../kernel-log.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs } from "../runs.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * The program ended by itself: by a fault of its native code, by abort(), by an exception, or because its command was
 * done. `abort()` in process 1 ends as 139 with a "general protection fault" in the C library, because the kernel drops
 * the SIGABRT that init sends itself and libc then runs into its trap instruction; with an init it is 134.
 */
export const crash: Rule = {
  name: "crash",
  causes: ["segfault-139", "app-abort", "completed-exit-0", "unhandled-exception", "unknown-cause"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    const death = lastDeath(world, view);
    if (inspect === undefined || death === null || death.kind !== "own-exit" || death.exitCode === null) return [];
    if (inspect.running && !inspect.restarting && !isLooping(world, view, death)) return [];
    const native = nativeEnd(world, view, death);
    if (native !== null) return [{ ...native, past: inspect.running }];
    if (death.exitCode > 128 && death.exitCode < 166 && !threwThroughAbort(world, view, death)) return [];
    if (death.exitCode === 0) return completed(world, view, death);
    return exception(world, view, death);
  },
};

function isLooping(world: World, view: ContainerView, death: Death): boolean {
  const nowMs = hostNowMs(world, view.host);
  return (view.inspect?.value.restartCount ?? 0) > 0 && death.atMs !== null && nowMs - death.atMs < limits.loopWindowMs;
}

function nativeEnd(world: World, view: ContainerView, death: Death): Finding | null {
  const { exitCode } = death;
  if (exitCode === null || ![132, 134, 135, 136, 139].includes(exitCode)) return null;
  if (told(world, view, ["heap-exhausted"]) !== null) return null;
  const fault = kernelFaultAt(world, view, death);
  const said = told(world, view, ["aborted"]);
  // Runtimes such as .NET and Swift end an unhandled exception with abort().
  if (said === null && threwThroughAbort(world, view, death)) return null;
  const kernel = hostOf(world, view.host)?.kernel;
  const facts: Fact[] = [...death.facts, ...(said?.facts ?? [])];
  if (fault !== null && kernel != null) facts.push(cite(kernel, fault.text, view.name));
  const base = {
    facts,
    witnesses: [
      ...death.witnesses,
      ...(fault === null ? [] : ["kernel-log"]),
      ...(said === null ? [] : ["docker-logs"]),
    ],
    onsetMs: death.atMs,
    weight: fault === null && said === null && exitCode === 139 ? weight.strong : weight.proven,
  };
  if (isAbort(exitCode, fault, said !== null)) {
    return faultAt(view, {
      ...base,
      cause: "app-abort",
      summary: `${view.name} aborted itself (exit ${exitCode}): a failed check or a call of abort(), not a kill and not memory`,
      advice: [
        `Read the last lines of ${view.name} before its end for the check that failed; a start brings it back until the next time.`,
      ],
    });
  }
  return faultAt(view, {
    ...base,
    cause: "segfault-139",
    summary: `Native code in ${view.name} accessed memory it must not (exit ${exitCode}); nothing ran out of memory and nobody killed it`,
    advice: [
      `Look for a native library or a runtime that changed in ${view.name}'s last release; go back to the release before it.`,
    ],
  });
}

function threwThroughAbort(world: World, view: ContainerView, death: Death): boolean {
  return death.exitCode === 134 && told(world, view, ["uncaught-exception"]) !== null;
}

function isAbort(exitCode: number, fault: KernelFault | null, said: boolean): boolean {
  if (exitCode === 134) return true;
  if (exitCode === 132) return fault === null || fault.kind === "trap";
  if (exitCode !== 139) return false;
  if (fault === null) return said;
  return fault.kind === "trap" && (said || fault.library === null || /libc|musl/.test(fault.library));
}

/** The kernel's line about a process of that time. Of several only one with the name of the container's program counts. */
function kernelFaultAt(world: World, view: ContainerView, death: Death): KernelFault | null {
  const faults = (hostOf(world, view.host)?.kernel?.value.faults ?? []).filter(
    (fault) =>
      (fault.kind === "segfault" || fault.kind === "trap") &&
      fault.atMs !== null &&
      death.atMs !== null &&
      fault.atMs <= death.atMs + limits.killAfterDeathMs &&
      fault.atMs >= death.atMs - limits.killBeforeDeathMs,
  );
  const inspect = view.inspect?.value;
  const words = [...(inspect?.entrypoint ?? []), ...(inspect?.command ?? [])].join(" ");
  const named = faults.filter((fault) => fault.process !== null && words.includes(fault.process));
  return named.at(-1) ?? (faults.length === 1 ? (faults[0] ?? null) : null);
}

/** Ended with 0 and nobody asked for it, in a window that would show who did. */
function completed(world: World, view: ContainerView, death: Death): Finding[] {
  const inspect = view.inspect;
  if (inspect === null || inspect.value.running || inspect.value.restarting) return [];
  if (inspect.value.restartPolicy.name === "on-failure" || inspect.value.labels["com.docker.compose.oneoff"] === "True")
    return [];
  const covered = hostOf(world, view.host)?.events?.value.completeSinceMs ?? null;
  const proven = covered !== null && death.atMs !== null && covered <= death.atMs - limits.stopVisibleMs;
  const policy = inspect.value.restartPolicy.name || "no";
  return [
    faultAt(view, {
      cause: "completed-exit-0",
      summary: `The main command of ${view.name} came to its end with exit 0${proven ? ", nobody stopped it" : ""}, and its restart policy ${policy} starts nothing again`,
      facts: [
        ...death.facts,
        cite(inspect, `RestartPolicy=${policy} Config.Cmd=${inspect.value.command.join(" ").slice(0, 200)}`, view.name),
      ],
      witnesses: ["docker-inspect", ...(proven ? ["docker-events"] : [])],
      onsetMs: death.atMs,
      weight: proven ? weight.strong : limits.suspectWeight,
      advice: [
        `Check the command of ${view.name}: a server must stay in the foreground. If it is meant to run for ever, set a restart policy.`,
      ],
    }),
  ];
}

/** Its own exception, soon after its start. One that blames a peer is a consequence; one that had served is another cause. */
function exception(world: World, view: ContainerView, death: Death): Finding[] {
  const inspect = view.inspect?.value;
  if (inspect === undefined || blamesPeer(world, view)) return [];
  const loops = inspect.running || inspect.restarting;
  const said = told(world, view, ["uncaught-exception"]);
  const line = lastLine(view);
  const facts = [
    ...death.facts,
    ...(said?.facts ?? []),
    ...(line === null || view.logs === null ? [] : [cite(view.logs, line, view.name)]),
  ];
  const base = { facts, onsetMs: death.atMs, witnesses: ["docker-inspect", ...(said === null ? [] : ["docker-logs"])] };
  if (said === null) {
    // Why a loop goes on is told by the loop's own rule; here only the container is certain.
    if (loops) return [];
    const summary = `${view.name} ended by itself with exit ${death.exitCode}; its log names no reason that is known`;
    return [
      faultAt(view, { ...base, cause: "unknown-cause", summary, weight: weight.hinted - 5, advice: [readLog(view)] }),
    ];
  }
  if (loops && aboutSettings(line ?? "")) return [];
  const served = (lastRunMs(view) ?? 0) >= limits.pastStartMs;
  return [
    faultAt(view, {
      ...base,
      cause: "unhandled-exception",
      summary: `${view.name} died of its own exception${served ? "" : " right after its start"} (exit ${death.exitCode}); a restart meets the same exception again`,
      weight: served ? weight.hinted : weight.told + 5,
      past: inspect.running,
      advice: [`Go back to the release of ${view.name} before this one, or mend the exception: ${readLog(view)}`],
    }),
  ];
}

function blamesPeer(world: World, view: ContainerView): boolean {
  return view.signals.some((signal) => isPeerSignal(signal) && told(world, view, [signal.kind]) !== null);
}

/** A wrong setting or state is told as such, not as a fault of the program. */
function aboutSettings(line: string): boolean {
  return /config|setting|environment|\benv\b|variable|\.(?:ya?ml|json|toml|ini|conf)\b|migration|licen[cs]e/i.test(
    line,
  );
}

function lastLine(view: ContainerView): string | null {
  return view.logs?.value.lines.findLast((line) => line.text.trim() !== "")?.text ?? null;
}

function readLog(view: ContainerView): string {
  return `docker logs --tail 50 ${view.name}`;
}

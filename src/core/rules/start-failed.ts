import type { Cause } from "../causes.ts";
import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs } from "../runs.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/**
 * The configured command never became a program. What the runtime can see before the start stands in State.Error (126,
 * 127); what only execve finds out (a wrong architecture, an interpreter that is not there) is printed into the
 * container's own log by runc 1.1, and ends with 1 or 255.
 */
export const startFailed: Rule = {
  name: "start-failed",
  causes: ["command-not-found", "not-executable", "exec-format-error", "crlf-shebang"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined || (inspect.running && !inspect.restarting)) return [];
    const error = inspect.error === "" ? null : causeOf(inspect.error, false);
    if (error !== null && view.inspect !== null) {
      const text = `State.Status=${inspect.status} State.ExitCode=${inspect.exitCode} State.Error=${inspect.error}`;
      return [failed(view, error, [cite(view.inspect, text, view.name)], ["docker-inspect"], inspect.exitCode)];
    }
    return fromLog(world, view);
  },
};

/** Only of a run that ended at once: the same words in the log of a program that lived are about something else. */
function fromLog(world: World, view: ContainerView): Finding[] {
  const death = lastDeath(world, view);
  const ran = lastRunMs(view);
  if (view.logs === null || death === null || death.kind !== "own-exit") return [];
  if (death.exitCode === 0 || (ran !== null && ran > limits.startFailsWithinMs)) return [];
  const line = view.logs.value.lines.slice(-5).findLast(({ text }) => causeOf(text, true) !== null);
  const cause = line === undefined ? null : causeOf(line.text, true);
  if (line === undefined || cause === null) return [];
  return [
    failed(
      view,
      cause,
      [...death.facts, cite(view.logs, line.text, view.name)],
      ["docker-inspect", "docker-logs"],
      death.exitCode,
    ),
  ];
}

/** runc, crun and the shells. The same "no such file" means the command itself before the start, its interpreter after. */
function causeOf(text: string, printed: boolean): Cause | null {
  if (/exec format error/i.test(text)) return "exec-format-error";
  if (/\\r['’]?: No such file|\^M: bad interpreter|bad interpreter: No such file/i.test(text)) return "crlf-shebang";
  if (printed) {
    if (
      /^(?:standard_init_linux\.go:\d+: )?exec (?:\/|user process caused)[^\n]{0,200}: no such file or directory/i.test(
        text.trim(),
      )
    )
      return "crlf-shebang";
    if (
      /^(?:standard_init_linux\.go:\d+: )?exec (?:\/|user process caused)[^\n]{0,200}: permission denied/i.test(
        text.trim(),
      )
    )
      return "not-executable";
    if (
      /^(?:\/[\w./-]{1,100}|[a-z]{0,8}sh)(?: -c)?: (?:line )?(?:\d{1,6}: )?[^\s:]{1,200}: (?:command )?not found/i.test(
        text.trim(),
      )
    )
      return "command-not-found";
    if (
      /^(?:\/[\w./-]{1,100}|[a-z]{0,8}sh)(?: -c)?: (?:line )?(?:\d{1,6}: )?(?:exec: )?[^\s:]{1,200}: Permission denied/.test(
        text.trim(),
      )
    )
      return "not-executable";
    return null;
  }
  if (
    /exec: "[^"]{1,400}": (?:executable file not found|stat [^:]{1,400}: no such file)|executable file [`"'][^`"']{1,400}[`"'] not found/i.test(
      text,
    )
  )
    return "command-not-found";
  if (
    /exec: "[^"]{1,400}": (?:permission denied|is a directory)|open executable: Permission denied|exec [^:]{1,200}: permission denied/i.test(
      text,
    )
  )
    return "not-executable";
  if (/exec (?:\/|user process caused)[^"]{0,200}: no such file or directory/i.test(text)) return "crlf-shebang";
  return null;
}

function failed(
  view: ContainerView,
  cause: Cause,
  facts: Fact[],
  witnesses: string[],
  exitCode: number | null,
): Finding {
  const { why, advice } = words(view, cause);
  return faultAt(view, {
    cause,
    summary: `${view.name} cannot start (exit ${exitCode}): ${why}`,
    facts,
    witnesses,
    onsetMs: view.inspect?.value.finishedAtMs ?? null,
    weight: weight.strong + 4,
    advice: [advice],
  });
}

function words(view: ContainerView, cause: Cause): { why: string; advice: string } {
  const command = [...(view.inspect?.value.entrypoint ?? []), ...(view.inspect?.value.command ?? [])][0] ?? "";
  if (cause === "command-not-found")
    return {
      why: "its configured command does not exist in the image",
      advice: `Correct the command of ${view.name} (command or entrypoint), or use the image that has it, and recreate the container.`,
    };
  if (cause === "not-executable")
    return {
      why: "its configured command is there and may not be executed",
      advice: `Give the file the executable bit (chmod +x) in the image or on the host, and recreate ${view.name}.`,
    };
  if (cause === "exec-format-error")
    return {
      why: "its program is for another processor, or is a script without an interpreter line",
      advice: `Compare the image's architecture with the host's; a script needs a first line like #!/bin/sh.`,
    };
  return {
    why: "its script names an interpreter that does not exist, as Windows line ends make it",
    advice: `Look at the first line of ${command === "" ? "the script" : command}: save it with Unix line ends (LF), or install the interpreter it names, and rebuild.`,
  };
}

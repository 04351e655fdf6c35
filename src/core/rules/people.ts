import { lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { isPeerSignal } from "../graph.ts";
import { type Exec, eventFacts, personExecs } from "../hands.ts";
import { limits } from "../limits.ts";
import { listensOutside, ownFailure } from "../own-failure.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isFailure } from "../symptom.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";
import { isBroken } from "./image-content.ts";

/**
 * What a person did by hand: inside the container through `docker exec` (a file changed, a process killed), or on the
 * wrong host. The engine tells the command line of every exec session, and its comparison with the image tells which
 * files differ; what began before the session is not its doing.
 */
export const people: Rule = {
  name: "people",
  causes: ["human-exec-edit", "human-exec-kill", "human-wrong-host"],
  needs: ["docker-inspect", "docker-events"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const execs = personExecs(view);
    return [...edited(world, view, execs), ...killedInside(world, view, execs), ...wrongHost(world, view)];
  },
};

/** Folders that programs write to by themselves; a change there shows nobody's hand. */
const written =
  /^\/(tmp|run|proc|sys|dev|var\/(log|run|tmp|cache|spool|lib)|root\/\.|home\/[^/]+\/\.)(\/|$)|^\/root$|\.(log|pid|sock|lock|swp|pyc|tmp)$|__pycache__|\/\.(bash_history|cache|lesshst|viminfo|python_history)/;

function edited(world: World, view: ContainerView, execs: readonly Exec[]): Finding[] {
  const changes = view.changes;
  if (changes === null || execs.length === 0) return [];
  const paths = changes.value.filter((change) => !written.test(change.path));
  const files = paths.filter(
    (change) =>
      (change.kind !== "modified" || !paths.some((other) => other.path.startsWith(`${change.path}/`))) &&
      !isFolderOf(changes.value, change.path),
  );
  const file = pick(files, execs);
  if (file === undefined) return [];
  const failure = ownFailure(world, view);
  const broken =
    isBroken(world, view) || view.probes.some((probe) => isFailure(probe.value) && probe.value.failure !== "timeout");
  const writing = execs.filter((exec) => !isKill(exec.command) && (writes(exec.command) || isShell(exec.command)));
  const exec = writing.findLast((entry) => failure?.firstAtMs == null || entry.atMs <= failure.firstAtMs + 2_000);
  if (!broken || exec === undefined) return [];
  return [
    faultAt(view, {
      cause: "human-exec-edit",
      summary: `Somebody changed ${file.path} inside the running ${view.name} through docker exec; it fails since, and its image and its configuration are unchanged`,
      facts: [
        cite(
          changes,
          `${file.kind}: ${files
            .slice(0, 5)
            .map((entry) => entry.path)
            .join(", ")}`,
          view.name,
        ),
        ...eventFacts(world, view, [exec.event]),
        ...(failure?.facts ?? []).slice(0, 2),
      ],
      witnesses: ["docker-changes", "docker-events", ...(failure?.witnesses ?? [])],
      onsetMs: exec.atMs,
      // What it blames since the edit, a wrong port or name, is what the edit wrote.
      weight: weight.proven + (blamesSince(view, exec) && exec.command.includes(nameOf(file.path)) ? 2 : -1),
      advice: [
        `Ask who changed ${file.path}, and undo it there; recreating ${view.name} from its image gives the original file back, while a restart alone keeps the change.`,
      ],
    }),
  ];
}

/** The first failure at a peer comes within moments of the edit, and none before. */
function blamesSince(view: ContainerView, exec: Exec): boolean {
  const first = view.signals.find((signal) => isPeerSignal(signal) && signal.line.atMs !== null)?.line.atMs ?? null;
  return first !== null && first >= exec.atMs - 1_000 && first <= exec.atMs + limits.editShowsMs;
}

function nameOf(path: string): string {
  return path.split("/").at(-1) ?? path;
}

/** The file a command line names, else the most telling one that differs. */
function pick(
  files: { path: string; kind: string }[],
  execs: readonly Exec[],
): { path: string; kind: string } | undefined {
  const named = files.find((file) =>
    execs.some((exec) => exec.command.includes(file.path.split("/").at(-1) ?? file.path)),
  );
  return (
    named ??
    files.find((file) =>
      /\.(py|js|ts|mjs|rb|php|go|java|jar|conf|cnf|cfg|ini|ya?ml|json|toml|env|properties|html|sh|xml)$/.test(
        file.path,
      ),
    ) ??
    files[0]
  );
}

function isFolderOf(changes: readonly { path: string }[], path: string): boolean {
  return changes.some((other) => other.path.startsWith(`${path}/`));
}

function writes(command: string): boolean {
  return />|\b(tee|sed|vi|vim|nano|ed|cp|mv|rm|ln|touch|chmod|chown|patch|install|pip|npm|apt|apk|dd|truncate|perl|awk|python3?|node|ruby|curl|wget)\b/.test(
    command,
  );
}

function isShell(command: string): boolean {
  return /^(\/(usr\/)?bin\/)?(ba|da|a|z)?sh( -[il]+)?$/.test(command.trim());
}

function isKill(command: string): boolean {
  return /\b(kill|pkill|killall|killall5|xkill)\b|\bos\.kill\b/.test(command) && !/\bkill -0\b/.test(command);
}

/** A kill through exec, the run goes on, and something of it is gone: a listener, an answer, or the log says so. */
function killedInside(world: World, view: ContainerView, execs: readonly Exec[]): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const { running, startedAtMs } = inspect.value;
  if (!running) return [];
  const inRun = execs.filter((exec) => startedAtMs === null || exec.atMs >= startedAtMs);
  const lost = told(world, view, ["worker-killed"], (signal) =>
    inRun.some((exec) => signal.line.atMs === null || signal.line.atMs >= exec.atMs - 1_000),
  );
  const failing = view.probes.filter((probe) => isFailure(probe.value));
  const kill =
    inRun.findLast((exec) => isKill(exec.command)) ??
    (lost === null ? undefined : inRun.findLast((exec) => isShell(exec.command)));
  if (kill === undefined || reloads(kill.command)) return [];
  if (view.events.some((event) => event.action === "oom" && Math.abs(event.atMs - kill.atMs) < 10_000)) return [];
  const deaf = stoppedListening(view, world.subjects.includes(view) && isKill(kill.command));
  const shown = lost !== null || failing.length > 0 || deaf.length > 0 || isBlamed(world, view);
  if (!shown) return [];
  return [
    faultAt(view, {
      cause: "human-exec-kill",
      summary: `Somebody killed a process inside ${view.name} through docker exec; its main process still runs, so Docker shows nothing`,
      facts: [
        ...eventFacts(world, view, [kill.event]),
        cite(
          inspect,
          `State.Status=running StartedAt=${startedAtMs === null ? "unknown" : new Date(startedAtMs).toISOString()} RestartCount=${inspect.value.restartCount}`,
          view.name,
        ),
        ...(lost?.facts ?? []),
        ...deaf,
        ...failing
          .slice(0, 1)
          .map((probe) =>
            cite(
              probe,
              `port ${probe.value.port} ${probe.value.path ?? ""}: ${probe.value.failure ?? probe.value.httpStatus}`,
              view.name,
            ),
          ),
      ],
      witnesses: [
        "docker-events",
        "docker-inspect",
        ...(failing.length > 0 ? ["http-probe"] : []),
        ...(lost === null ? [] : ["docker-logs"]),
        ...(deaf.length === 0 ? [] : ["process-facts"]),
      ],
      onsetMs: kill.atMs,
      weight: isKill(kill.command) ? weight.proven - 1 : weight.told,
      advice: [
        `A restart of ${view.name} brings the process back; ask who killed it, and let the main process end when a child it needs is gone.`,
      ],
    }),
  ];
}

/** It had answered requests in its log, or is asked about as a service, and nothing in it listens any more. */
function stoppedListening(view: ContainerView, isService: boolean): Fact[] {
  const answered =
    isService || view.signals.some((signal) => signal.kind === "http-ok" || signal.kind === "server-ready");
  if (view.process === null || !answered || listensOutside(view)) return [];
  return [cite(view.process, "the main process lives, nothing in the container listens for others", view.name)];
}

/** Signals that ask for a reload or a log rotation end nothing. */
function reloads(command: string): boolean {
  return /-(s\s*)?(HUP|USR1|USR2|SIGHUP|WINCH|1|10|12)\b/.test(command);
}

function isBlamed(world: World, view: ContainerView): boolean {
  return world.edges.some((edge) => edge.to.containerId === view.id && edge.failures.length > 0);
}

const rehearsal = /(^|[-_.])(stag(e|ing)?|test|tst|dev|qa|uat|sandbox|preprod|demo)([-_.\d]|$)/i;

/** Stopped by hand here, while its twin on a host that is not for production runs on. */
function wrongHost(world: World, view: ContainerView): Finding[] {
  const death = lastDeath(world, view);
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  if (
    inspect.value.running ||
    death === null ||
    (death.kind !== "stop-clean" && death.kind !== "stop-grace" && death.kind !== "docker-kill")
  )
    return [];
  if (rehearsal.test(view.host)) return [];
  const twin = world.containers.find(
    (other) => other.host !== view.host && other.name === view.name && other.inspect?.value.running === true,
  );
  if (twin?.inspect == null || !(rehearsal.test(twin.host) || isRehearsal(world, twin))) return [];
  return [
    faultAt(view, {
      cause: "human-wrong-host",
      summary: `${view.name} was stopped through Docker on ${view.host}, while its twin on ${twin.host} runs on: it looks as if somebody acted on the wrong host`,
      facts: [...death.facts, cite(twin.inspect, "State.Status=running", twin.name)],
      witnesses: death.witnesses,
      onsetMs: death.atMs,
      weight: weight.proven + 1,
      advice: [`Ask who stopped ${view.name} on ${view.host} before starting it, and whether ${twin.host} was meant.`],
    }),
  ];
}

function isRehearsal(world: World, view: ContainerView): boolean {
  const labels = hostOf(world, view.host) === null ? {} : (view.summary?.value.labels ?? {});
  return Object.entries(labels).some(
    ([name, value]) => /(^|[.-])(env|environment|stage|tier)$/i.test(name) && rehearsal.test(value),
  );
}

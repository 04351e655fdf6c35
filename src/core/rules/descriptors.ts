import type { Finding } from "../diagnosis.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type Told, told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** A limit this low was set on purpose: every common default is 1024 or more. */
const lowLimit = 512;
/** So few that hardly a program can serve two clients. */
const tinyLimit = 100;

/**
 * No descriptors left. A limit that is too small is met at once; a leak fills any limit with what nobody uses any more,
 * which shows as sockets whose other side has long gone. Watches are counted by the host, not by the process.
 */
export const descriptors: Rule = {
  name: "descriptors",
  causes: ["nofile-exhausted", "fd-leak", "inotify-limit"],
  needs: ["docker-inspect", "process-facts"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    return [...watches(world, view), ...openFiles(world, view)];
  },
};

function openFiles(world: World, view: ContainerView): Finding[] {
  const said = told(world, view, ["too-many-open-files"], (signal) => !/inotify/i.test(signal.line.text));
  const seen = view.process;
  const process = seen?.value ?? null;
  const set = view.inspect?.value.ulimits.find((entry) => entry.name === "nofile") ?? null;
  const limit = process?.openFilesLimit ?? set?.soft ?? null;
  const open = process?.openFiles ?? null;
  const atLimit = open !== null && limit !== null && open >= limit * 0.9;
  if (said === null && !atLimit) return [];
  if (view.inspect === null || (said === null && seen === null)) return [];
  const facts = [...(said?.facts ?? [])];
  if (seen !== null && process !== null)
    facts.push(
      cite(
        seen,
        `open files ${open ?? "unknown"} of a limit of ${limit ?? "unknown"}; ${describeSockets(process)}`,
        view.name,
      ),
    );
  if (set !== null) facts.push(cite(view.inspect, `HostConfig.Ulimits nofile=${set.soft}:${set.hard}`, view.name));
  const leaks = isLeak(process, limit, open) || (atLimit && (limit ?? 0) > tinyLimit && filledSlowly(view, said));
  const witnesses = [
    ...(said === null ? [] : ["docker-logs"]),
    ...(atLimit ? ["process-facts"] : []),
    ...(set !== null && set.soft <= lowLimit ? ["docker-inspect"] : []),
  ];
  const figures = atLimit ? `: ${open} of ${limit} are open` : "";
  return [
    faultAt(view, {
      cause: leaks ? "fd-leak" : "nofile-exhausted",
      summary: leaks
        ? `${view.name} never closes what it opens and has no file descriptors left${figures}`
        : `${view.name} reached its open-file limit${figures}`,
      facts,
      witnesses,
      onsetMs: said?.signals[0]?.line.atMs ?? null,
      weight: atLimit && said !== null ? weight.proven : atLimit || set !== null ? weight.strong : weight.told,
      advice: [
        leaks
          ? `Find what ${view.name} opens and never closes; a restart only buys time.`
          : `Raise the open-file limit of ${view.name} (ulimits: nofile) where it is configured.`,
      ],
    }),
  ];
}

/** It served requests for a while before the first refusal, so the limit was enough until something piled up. */
function filledSlowly(view: ContainerView, said: Told | null): boolean {
  const first = said?.signals[0]?.line.atMs ?? null;
  if (first === null) return false;
  const paths = new Set(
    view.signals.flatMap((signal) => (signal.kind === "http-5xx" ? [signal.parts["path"] ?? ""] : [])),
  );
  const served = view.signals.find(
    (signal) => signal.kind === "http-ok" && paths.has(signal.parts["path"] ?? "") && signal.line.atMs !== null,
  );
  const abandoned = view.process?.value.connections.filter((socket) => socket.state === "ESTABLISHED").length ?? 0;
  const open = view.process?.value.openFiles ?? 0;
  return served !== undefined && first - (served.line.atMs as number) >= 5_000 && abandoned < open * 0.5;
}

type Process = NonNullable<ContainerView["process"]>["value"];

function isLeak(process: Process | null, limit: number | null, open: number | null): boolean {
  if (process === null || limit === null || open === null) return false;
  const abandoned = process.connections.filter((socket) => socket.state === "CLOSE_WAIT").length;
  if (abandoned >= 10 && abandoned >= open * 0.3) return true;
  if (limit <= lowLimit || open < limit * 0.5) return false;
  const listening = new Set(process.listeners.map((socket) => socket.port));
  const served = process.connections.filter((socket) => listening.has(socket.port) && socket.state === "ESTABLISHED");
  return served.length < open * 0.5;
}

function describeSockets(process: Process): string {
  const waiting = process.connections.filter((socket) => socket.state === "CLOSE_WAIT").length;
  const established = process.connections.filter((socket) => socket.state === "ESTABLISHED").length;
  return `sockets ESTABLISHED ${established}, CLOSE_WAIT ${waiting}`;
}

/** ENOSPC of inotify_add_watch and EMFILE of inotify_init mean the host's limits, not a disk and not nofile. */
function watches(world: World, view: ContainerView): Finding[] {
  const said = told(world, view, ["inotify-exhausted"]);
  if (said === null) return [];
  const host = hostOf(world, view.host);
  const seen = host?.facts ?? null;
  const limits = seen?.value;
  const known = seen !== null && (limits?.inotifyMaxUserWatches ?? limits?.inotifyMaxUserInstances ?? null) !== null;
  const facts = [...said.facts];
  if (known && seen !== null)
    facts.push(
      cite(
        seen,
        `fs.inotify.max_user_watches=${limits?.inotifyMaxUserWatches} fs.inotify.max_user_instances=${limits?.inotifyMaxUserInstances}`,
        null,
      ),
    );
  return [
    hostFault(view.host, {
      cause: "inotify-limit",
      summary: `The host ${view.host} has no file watches left for ${view.name}: its inotify limit is used up, the disk is not full`,
      facts,
      witnesses: ["docker-logs", ...(known ? ["host-facts"] : [])],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: known ? weight.strong : weight.told,
      advice: [
        "Raise fs.inotify.max_user_watches or fs.inotify.max_user_instances on the host (sysctl), or watch fewer files.",
      ],
    }),
  ];
}

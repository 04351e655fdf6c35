import { predecessorOf } from "../changes.ts";
import { type Death, lastDeath } from "../death.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import { listensOutside, ownFailure } from "../own-failure.ts";
import type { ContainerInspect, MountFacts } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { lastRunMs, recentCrashes } from "../runs.ts";
import { isCurrent, told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";
import { lastWords } from "./restart-loop.ts";

/**
 * The image does not hold what the program needs, or something lies over it: a module that is not there, a volume older
 * than the image over the image's own folder, assets that were not built, a command that replaces the image's own.
 */
export const imageContent: Rule = {
  name: "image-content",
  causes: ["module-missing", "volume-shadows-image", "static-missing", "entrypoint-overridden"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const shadow = shadowed(world, view);
    if (shadow.length > 0) return shadow;
    const missing = moduleMissing(world, view);
    if (missing.length > 0) return missing;
    return [...overridden(world, view), ...assetsMissing(world, view)];
  },
};

/** It fails to run, or fails its requests, by itself. */
export function isBroken(world: World, view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return false;
  const death = lastDeath(world, view);
  const diesByItself = death !== null && death.kind === "own-exit" && death.exitCode !== 0;
  const loops = inspect.restarting || recentCrashes(world, view).length >= 2;
  return ((!inspect.running || loops) && diesByItself) || ownFailure(world, view) !== null;
}

function moduleMissing(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const said = told(world, view, ["module-missing"]);
  if (said === null || !isBroken(world, view)) return [];
  const name = said.last.parts["module"] ?? said.last.parts["class"] ?? said.last.parts["main"] ?? null;
  return [
    faultAt(view, {
      cause: "module-missing",
      summary: `${view.name}'s image ${inspect.value.image} lacks ${name === null ? "a module" : `the module ${name}`} that its program loads`,
      facts: [
        ...said.facts,
        cite(
          inspect,
          `State.Status=${inspect.value.status} State.ExitCode=${inspect.value.exitCode} Config.Image=${inspect.value.image}`,
          view.name,
        ),
      ],
      witnesses: ["docker-logs", "docker-inspect"],
      onsetMs: said.last.line.atMs,
      weight: weight.proven,
      advice: [
        `Build the image with ${name ?? "the missing module"} in it, or go back to the image before; neither a restart nor a new setting brings a file that is not there.`,
      ],
    }),
  ];
}

/** Where a program and its files live, as opposed to what it keeps. */
const dataFolder =
  /(^|\/)(data|pgdata|mysql|redis|mongodb|db|uploads|backups?|logs?|tmp|cache|run|spool|postgresql|elasticsearch|rabbitmq)(\/|$)/i;

/** A named volume keeps the files of the image it was first used with; a newer image's files below it are never seen. */
function shadowed(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const builtAtMs = view.image?.value.createdAtMs ?? null;
  const volumes = hostOf(world, view.host)?.volumes;
  if (builtAtMs === null || view.image === null || volumes == null) return [];
  for (const mount of codeVolumes(inspect.value, view)) {
    const volume = volumes.value.find((entry) => entry.name === mount.name);
    if (volume?.createdAtMs == null || volume.createdAtMs >= builtAtMs) continue;
    const broken = isBroken(world, view);
    const replaced = predecessorOf(world, view);
    if (!broken && replaced === null) continue;
    const built = new Date(builtAtMs).toISOString();
    const made = new Date(volume.createdAtMs).toISOString();
    return [
      faultAt(view, {
        cause: "volume-shadows-image",
        kind: broken || world.subjects.includes(view) ? "fault" : "hazard",
        summary: `${view.name}'s image was built at ${built}, but its volume ${mount.name} from ${made} lies over ${mount.destination}: the new files there are never seen`,
        facts: [
          cite(inspect, `Mounts: volume ${mount.name} at ${mount.destination}`, view.name),
          cite(volumes, `volume ${mount.name} created ${made}`, view.name),
          cite(view.image, `the image was built ${built}`, view.name),
          ...(replaced === null ? [] : [replaced.fact]),
          ...lastWords(world, view),
        ],
        witnesses: ["docker-volumes", "docker-image", "docker-inspect"],
        weight: broken ? weight.proven + 1 : weight.hinted,
        advice: [
          `Do not mount a volume over the program's own folder ${mount.destination}; keep data in a folder of its own, and copy out what the volume holds before anybody removes it.`,
        ],
      }),
    ];
  }
  return [];
}

/** Volumes that lie over the working folder, a file of the command line, or a file the log says is missing. */
export function codeVolumes(inspect: ContainerInspect, view: Pick<ContainerView, "logs">): MountFacts[] {
  const words = [...inspect.entrypoint, ...inspect.command]
    .flatMap((word) => word.split(/\s+/))
    .filter((word) => word.startsWith("/"));
  const missing = (view.logs?.value.lines ?? [])
    .slice(-60)
    .flatMap(({ text }) => [...text.matchAll(/["'( ](\/[\w./-]{3,200})/g)].map((match) => match[1] ?? ""));
  const places = [inspect.workingDir, ...words, ...missing].filter((place) => place.startsWith("/") && place !== "/");
  return inspect.mounts.filter(
    (mount) =>
      mount.type === "volume" &&
      mount.destination !== "/" &&
      !dataFolder.test(mount.destination) &&
      places.some((place) => place === mount.destination || place.startsWith(`${mount.destination}/`)),
  );
}

/** Commands of base images, which say nothing about what the image is for. */
const plain =
  /^(\/(usr\/)?(local\/)?s?bin\/)?((ba|da|a|z)?sh|python[\d.]*|node|irb|php|jshell|julia|true|sleep|cat|tail)$/;
const wrongCommand =
  /can't open file|no such file|cannot find|not found|usage:|unrecognized|unknown (command|option|argument|flag)|missing script|no such command|is a directory/i;

/** The image's own command is a real one, the container was given another, and that one ends at once. */
function overridden(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const image = view.image?.value;
  if (image === undefined || view.image === null) return [];
  const own = [...image.entrypoint, ...image.command];
  const configured = [...inspect.value.entrypoint, ...inspect.value.command];
  if (own.length === 0 || configured.length === 0 || own.join(" ") === configured.join(" ")) return [];
  if (plain.test(own[0] ?? "") && (own.length === 1 || own[1] === "-")) return [];
  if (!replacesProgram(image, inspect.value)) return [];
  if (isIdle(view)) return [idlesInstead(view, own, configured)];
  const death = lastDeath(world, view);
  if (!endsAtOnce(world, view, death)) return [];
  if (!looksWrong(view, death)) return [];
  return [
    faultAt(view, {
      cause: "entrypoint-overridden",
      summary: `${view.name} was started with the command ${quoted(configured)} instead of its image's own ${quoted(own)}, and ends at once with exit ${death?.exitCode}`,
      facts: [
        cite(
          inspect,
          `Config.Entrypoint and Cmd: ${configured.join(" ")}; State.ExitCode=${death?.exitCode}`,
          view.name,
        ),
        cite(view.image, `the image's own: ${own.join(" ")}`, view.name),
        ...lastWords(world, view),
      ],
      witnesses: ["docker-inspect", "docker-image"],
      onsetMs: death?.atMs ?? null,
      weight: weight.strong + 5,
      advice: [
        `Take the command (or entrypoint) of ${view.name} out of its compose file, so that the image's own ${quoted(own)} runs.`,
      ],
    }),
  ];
}

const idleCommand =
  /^(?:\S*\/)?(?:(?:ba|da|a|z)?sh -l?c (?:exec )?)?(?:while (?:true|:|sleep \S{1,12}) ?; ?do )?(?:\S*\/)?(?:sleep (?:\d{2,}\w?|infinity|inf)|tail -[fF] (?:-n ?\d+ )?\/dev\/null|cat|(?:ba|da|a|z)?sh)(?: ?; ?(?:done|:))?$/;

/** It runs a command that does nothing but last, and takes no connections: left over from a look inside. */
function isIdle(view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined || view.process === null || !inspect.running || inspect.restarting) return false;
  return idleCommand.test([...inspect.entrypoint, ...inspect.command].join(" ")) && !listensOutside(view);
}

function idlesInstead(view: ContainerView, own: readonly string[], configured: readonly string[]): Finding {
  return faultAt(view, {
    cause: "entrypoint-overridden",
    summary: `${view.name} runs ${quoted(configured)} instead of its image's own ${quoted(own)}: it is up and serves nothing`,
    facts: [
      cite(
        view.inspect as NonNullable<ContainerView["inspect"]>,
        `State.Status=running Config.Entrypoint and Cmd: ${configured.join(" ")}`,
        view.name,
      ),
      cite(view.image as NonNullable<ContainerView["image"]>, `the image's own: ${own.join(" ")}`, view.name),
      cite(view.process as NonNullable<ContainerView["process"]>, "listens on no port", view.name),
    ],
    witnesses: ["docker-inspect", "docker-image", "process-facts"],
    weight: weight.strong + 5,
    advice: [
      `Take the command (or entrypoint) of ${view.name} out of its compose file, so that the image's own ${quoted(own)} runs.`,
    ],
  });
}

/** The command itself is what fails: it is not there, it is used wrongly, or it does nothing; a program that complains of its setting is another matter. */
function looksWrong(view: ContainerView, death: Death | null): boolean {
  const code = death?.exitCode ?? null;
  const lines = (view.logs?.value.lines ?? []).slice(-5).map(({ text }) => text);
  return (
    code === 126 || code === 127 || lines.some((text) => wrongCommand.test(text)) || (code === 0 && lines.length === 0)
  );
}

/** Arguments after the image's own entrypoint are what an entrypoint is for; another program is not. */
function replacesProgram(image: { entrypoint: string[]; command: string[] }, inspect: ContainerInspect): boolean {
  if (image.entrypoint.join(" ") !== inspect.entrypoint.join(" ")) return true;
  if (image.entrypoint.length > 0)
    return (inspect.command[0] ?? "") !== (image.command[0] ?? "") && !(inspect.command[0] ?? "").startsWith("-");
  return (
    (inspect.command[0] ?? "") !== (image.command[0] ?? "") || inspect.command.join(" ") !== image.command.join(" ")
  );
}

function endsAtOnce(world: World, view: ContainerView, death: Death | null): boolean {
  if (death === null || view.inspect === null) return false;
  const { running, restarting } = view.inspect.value;
  if (running && !restarting && recentCrashes(world, view).length < 2) return false;
  if (death.kind === "start-failed") return death.exitCode === 127 || death.exitCode === 126;
  return death.kind === "own-exit" && (lastRunMs(view) ?? Number.POSITIVE_INFINITY) <= limits.servingRunMs;
}

function quoted(words: readonly string[]): string {
  const text = words.join(" ");
  return `"${text.length > 80 ? `${text.slice(0, 80)}…` : text}"`;
}

const asset = /\.(?:css|js|mjs|map|png|jpe?g|svg|gif|ico|webp|woff2?|ttf|eot|webmanifest)$/i;

/** Pages answer, their assets do not: several different files, of which the server itself may say that they are not there. */
function assetsMissing(world: World, view: ContainerView): Finding[] {
  const inspect = view.inspect as NonNullable<ContainerView["inspect"]>;
  const logs = view.logs;
  if (logs === null || !inspect.value.running) return [];
  const asked = view.signals.filter(
    (signal) =>
      signal.kind === "http-4xx" &&
      signal.parts["status"] === "404" &&
      asset.test(signal.parts["path"] ?? "") &&
      isCurrent(world, view, signal),
  );
  const opened = logs.value.lines.filter(
    ({ text }) =>
      /No such file or directory|ENOENT|FileNotFoundError|Template(?:Not|Does)?\w*(?:Found|Exist)/i.test(text) &&
      /\.(?:css|js|mjs|png|svg|html|woff2?|ico|json)\b/i.test(text),
  );
  const probed = view.probes.filter((probe) => probe.value.httpStatus === 404 && asset.test(probe.value.path ?? ""));
  const files = new Set(asked.map((signal) => signal.parts["path"]).filter((path) => path !== "/favicon.ico"));
  const worked = view.signals.some(
    (signal) => signal.kind === "http-ok" && asset.test(signal.parts["path"] ?? "") && isCurrent(world, view, signal),
  );
  const enough = files.size >= 2 || (files.size >= 1 && (opened.length > 0 || probed.length > 0));
  if (!enough || worked) return [];
  const replaced = predecessorOf(world, view);
  const lines = [asked.at(-1)?.line.text, opened.at(-1)?.text].filter((text): text is string => text !== undefined);
  return [
    faultAt(view, {
      cause: "static-missing",
      summary: `${view.name} answers its pages, but the files they need are not in its image: ${files.size} different assets were answered with 404`,
      facts: [
        ...lines.map((text) => cite(logs, text, view.name)),
        cite(logs, `${files.size} different assets answered 404, none answered`, view.name),
        cite(inspect, `Config.Image=${inspect.value.image}`, view.name),
        ...(replaced === null ? [] : [replaced.fact]),
      ],
      witnesses: ["docker-logs", ...(replaced === null ? [] : ["docker-events"])],
      onsetMs: asked[0]?.line.atMs ?? null,
      past: true,
      weight: replaced !== null || opened.length > 0 ? weight.strong : weight.told,
      advice: [
        "Run the asset build in the image build and check that its output folder is copied into the final stage; go back to the image before until then.",
      ],
    }),
  ];
}

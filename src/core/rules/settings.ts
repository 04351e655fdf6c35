import type { Finding } from "../diagnosis.ts";
import type { LogSignal } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, type World } from "../world.ts";

/**
 * The container's own configuration cannot work: a setting is not there, a file to mount became a folder, or the
 * proxy's configuration is not valid. A proxy that runs on after a refused reload is no fault today.
 */
export const settings: Rule = {
  name: "settings",
  causes: ["env-missing", "config-mount-is-directory", "nginx-syntax", "bad-reload-kept-old"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    return [...mountIsDirectory(world, view), ...missingSetting(world, view), ...invalidConfig(world, view)].slice(
      0,
      1,
    );
  },
};

/** Words that the wordings for a missing setting catch although they name no variable. */
const noVariable = /^(?:THE|AND|NOT|FOR|THIS|THAT|VALUE|VARIABLE|ENV|ENVIRONMENT|CONFIG|SETTING|REQUIRED|ERROR|FATAL)$/;

function missingSetting(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  const said = told(world, view, ["env-missing"]);
  if (said === null || seen === null) return [];
  const names = said.signals.flatMap((signal) => [...variablesOf(signal), ...fieldBefore(view, signal)]);
  const missing = names.find(
    (name) => !seen.value.env.some((variable) => variable.name === name && variable.value.trim() !== ""),
  );
  const ended = !seen.value.running || seen.value.restarting || seen.value.restartCount > 0;
  if (names.length > 0 && missing === undefined) return [];
  // A line that names no variable shows nothing that the configuration could confirm.
  const fieldOnly = said.signals.every((signal) => signal.pattern === "env-missing-pydantic");
  if ((missing === undefined || fieldOnly) && !ended) return [];
  const empty = missing !== undefined && seen.value.env.some((variable) => variable.name === missing);
  const facts = [...said.facts];
  if (missing !== undefined)
    facts.push(cite(seen, `Config.Env ${empty ? `${missing} is empty` : `has no ${missing}`}`, view.name));
  if (ended)
    facts.push(cite(seen, `State.Status=${seen.value.status} State.ExitCode=${seen.value.exitCode}`, view.name));
  return [
    faultAt(view, {
      cause: "env-missing",
      summary: `${view.name} needs the setting ${missing ?? "that its log names"}, which is ${empty ? "empty" : "not there"}`,
      facts,
      witnesses: ["docker-logs", ...(missing === undefined ? [] : ["docker-inspect"])],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: missing === undefined ? weight.told : weight.proven,
      advice: [
        `Set ${missing ?? "the missing setting"} for ${view.name} (environment or env_file) and create it anew.`,
      ],
    }),
  ];
}

/** Some validators name the field on a line of its own and say on the next that it is required. */
function fieldBefore(view: ContainerView, signal: LogSignal): string[] {
  if (signal.pattern !== "env-missing-pydantic") return [];
  const lines = view.logs?.value.lines ?? [];
  const before = lines[lines.indexOf(signal.line) - 1]?.text.trim() ?? "";
  return /^[A-Za-z][A-Za-z0-9_]{2,64}$/.test(before) ? [before.toUpperCase()] : [];
}

function variablesOf(signal: LogSignal): string[] {
  const named = signal.parts["variable"];
  const all = named === undefined ? [] : [named];
  const list = /\b[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,6}\b/g;
  for (const match of signal.line.text.matchAll(list)) all.push(match[0]);
  return [...new Set(all)].filter((name) => !noVariable.test(name));
}

/** A bind mount whose source did not exist is made as an empty folder, and the program finds a folder for a file. */
function mountIsDirectory(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  if (seen === null) return [];
  const binds = seen.value.mounts.filter((mount) => mount.type === "bind" && looksLikeFile(mount.destination));
  const said = told(world, view, ["is-a-directory"]);
  const refused = /not a directory|Are you trying to mount a directory onto a file/i.test(seen.value.error);
  const named = binds.find((mount) =>
    said !== null
      ? said.signals.some((signal) => signal.line.text.includes(mount.destination))
      : seen.value.error.includes(mount.source) || seen.value.error.includes(mount.destination),
  );
  // A failed start leaves no list of mounts behind on some engines; its error names the path.
  const path = named?.destination ?? /(?:to rootfs at|onto) "?([^\s"]{1,255})"?/.exec(seen.value.error)?.[1] ?? null;
  const folder = binds.length > 0 && said !== null ? (named ?? (binds.length === 1 ? binds[0] : undefined)) : named;
  if (folder === undefined && !(refused && path !== null)) return [];
  if (said === null && !refused) return [];
  const destination = folder?.destination ?? path;
  return [
    faultAt(view, {
      cause: "config-mount-is-directory",
      summary: `${destination} of ${view.name} is a folder: the file to mount did not exist on the host, so the engine made a folder of its name`,
      facts: [
        ...(said?.facts ?? []),
        ...(refused ? [cite(seen, `State.Error=${seen.value.error}`, view.name)] : []),
        ...(folder === undefined
          ? []
          : [cite(seen, `Mounts bind ${folder.source} at ${folder.destination}`, view.name)]),
      ],
      witnesses: [...(said === null ? [] : ["docker-logs"]), "docker-inspect"],
      onsetMs: said?.signals[0]?.line.atMs ?? null,
      weight: weight.proven,
      advice: [
        `Remove the empty folder ${folder?.source ?? ""} on the host, put the file there, and create ${view.name} anew.`,
      ],
    }),
  ];
}

function looksLikeFile(path: string): boolean {
  const name = path.split("/").at(-1) ?? "";
  return (
    /\.[A-Za-z][A-Za-z0-9]{0,9}$/.test(name) || /^(?:Caddyfile|Corefile|hosts|passwd|[a-z_]+file|.*config)$/i.test(name)
  );
}

/** nginx says [emerg] for much that is not its syntax: names, files, ports and certificates are other causes. */
const notSyntax =
  /host not found|could not be resolved|Address already in use|Permission denied|No such file|Is a directory|cannot load certificate|key values mismatch|SSL_CTX|PEM_|read-only|No space|Too many open|Cannot allocate|open\(\)|bind\(\)|mkdir\(\)|could not build|getpwnam|setgid|chown\(\)/i;

function invalidConfig(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  const said = told(world, view, ["config-invalid"], (signal) => isProxySyntax(view, signal));
  if (said === null || seen === null) return [];
  const serves = seen.value.running && !seen.value.restarting && !isBootLine(view, said.last);
  const state = cite(
    seen,
    `State.Status=${seen.value.status} State.ExitCode=${seen.value.exitCode} RestartCount=${seen.value.restartCount}`,
    view.name,
  );
  if (serves) {
    return [
      faultAt(view, {
        cause: "bad-reload-kept-old",
        kind: "hazard",
        past: true,
        summary: `${view.name} refused a reload with a configuration that is not valid and goes on with the old one; its next restart will fail`,
        facts: [...said.facts, state],
        witnesses: ["docker-logs", "docker-inspect"],
        onsetMs: said.last.line.atMs,
        weight: weight.told,
        advice: [`Mend the configuration of ${view.name} before anybody restarts it.`],
      }),
    ];
  }
  if (seen.value.running && !seen.value.restarting && seen.value.restartCount === 0) return [];
  return [
    faultAt(view, {
      cause: "nginx-syntax",
      summary: `${view.name} cannot start: its configuration is not valid, and every start fails at the same line`,
      facts: [...said.facts, state],
      witnesses: ["docker-logs", "docker-inspect"],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: weight.proven,
      advice: [
        `Mend or take back the configuration of ${view.name} at the line its log names; the services behind it are not at fault.`,
      ],
    }),
  ];
}

function isProxySyntax(view: ContainerView, signal: LogSignal): boolean {
  const proxies = ["nginx", "haproxy", "traefik", "envoy"];
  const inspect = view.inspect?.value;
  const words = `${inspect?.image} ${[...(inspect?.entrypoint ?? []), ...(inspect?.command ?? [])].join(" ")}`;
  const proxy =
    proxies.includes(signal.technology ?? "") ||
    /nginx|haproxy|traefik|envoy|caddy|httpd|apache|openresty/i.test(words);
  return proxy && !notSyntax.test(signal.line.text);
}

/** Said while it started, so this run did not come up. */
function isBootLine(view: ContainerView, signal: LogSignal): boolean {
  const started = view.inspect?.value.startedAtMs ?? null;
  const at = signal.line.atMs;
  return started === null || at === null || at < started + 2_000;
}
